"""Norms as rows: the newest version of each, a new version, its end; and what a change would have done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import orjson
from sqlalchemy import text

from app.kernel.errors import ForbiddenError, InvalidError, NotFoundError
from app.people.rules import Permission
from app.sla.book import DatedPolicy
from app.sla.effect import Effect, Past, effect
from app.sla.policy import (
    MOST_WARNINGS,
    WARN_SHARES,
    Matter,
    PolicyError,
    PolicyVersion,
    Term,
    check_shares,
    promises_from_json,
    promises_to_json,
    shares_from_json,
)
from app.sla.rules import Pause, Promise
from app.sources.rules import storable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.directory.service import Directory
    from app.kernel.db import ReadSession, WriteSession
    from app.people.rules import Access
    from app.sla.book import Book

NAME_LIMIT = 200
MOST_JUDGED = 20_000
LOOKED_BACK = timedelta(days=31)


@dataclass(frozen=True, kw_only=True, slots=True)
class Norm:
    """A norm as it is to be: what it is for, what it promises, at which shares of a term it warns. `code` is empty for a new one."""

    code: str = ""
    name: str
    topic_id: int | None = None
    agency_id: int | None = None
    territory_id: int | None = None
    platform: str | None = None
    priority: str | None = None
    promises: Mapping[Promise, Term | None] = field(hash=False)
    warn_shares: tuple[float, ...] = WARN_SHARES


@dataclass(frozen=True, kw_only=True, slots=True)
class NormRow:
    """The newest version of a norm. `mine`: the asker may change it."""

    id: int
    norm: Norm
    version: int
    valid_from: datetime
    valid_until: datetime | None
    mine: bool

    def holds(self, now: datetime) -> bool:
        """Whether new clocks are set by it."""
        return self.valid_from <= now and (self.valid_until is None or now < self.valid_until)


_NEWEST = text(
    """
    SELECT DISTINCT ON (p.code) p.*, otklik_sets_norms(p.territory_id) AS mine FROM sla_policy_version p
    WHERE CAST(:code AS varchar) IS NULL OR p.code = :code ORDER BY p.code, p.version DESC
    """
)


async def list_norms(session: ReadSession, *, code: str | None = None) -> list[NormRow]:
    """The newest version of every norm, or of one; one that cannot be read promises nothing."""
    return [_row(row) for row in await session.execute(_NEWEST, {"code": code})]


def _row(row: Any) -> NormRow:  # noqa: ANN401 - a typed row
    try:
        promises, shares = promises_from_json(row.promises), shares_from_json(row.warn_shares)
    except PolicyError:
        promises, shares = {}, WARN_SHARES
    norm = Norm(
        code=row.code, name=row.name, topic_id=row.topic_id, agency_id=row.agency_id, territory_id=row.territory_id, platform=row.platform,
        priority=row.priority, promises=promises, warn_shares=shares,
    )  # fmt: skip
    return NormRow(id=row.id, norm=norm, version=row.version, valid_from=row.valid_from, valid_until=row.valid_until, mine=row.mine)


def checked(norm: Norm, directory: Directory) -> Norm:
    """The norm with its name cleaned. InvalidError that says what is wrong."""
    name = storable(norm.name)[0].strip()
    if not name or len(name) > NAME_LIMIT:
        raise InvalidError("norm.name", f"Give the norm a name of at most {NAME_LIMIT} characters.", field="name", limit=NAME_LIMIT)
    known = {"topic": (norm.topic_id, directory.topics), "agency": (norm.agency_id, directory.agencies)}
    known |= {"territory": (norm.territory_id, directory.territories)}
    for what, (value, nodes) in known.items():
        if value is not None and value not in nodes:
            raise InvalidError("norm.where", "Choose topic, agency and territory from the lists.", field=what)
    if not norm.promises:
        raise InvalidError("norm.empty", "The norm promises nothing: set at least one term.", field="first_answer")
    try:
        check_shares(norm.warn_shares)
    except ValueError as error:
        raise InvalidError("norm.shares", str(error), field="warn_shares", most=MOST_WARNINGS) from error
    return Norm(
        code=norm.code, name=name, topic_id=norm.topic_id, agency_id=norm.agency_id, territory_id=norm.territory_id,
        platform=norm.platform, priority=norm.priority, promises=norm.promises, warn_shares=norm.warn_shares,
    )  # fmt: skip


_ADD = text(
    "SELECT otklik_add_norm(:code, :name, :topic, :agency, :territory, :platform, :priority, CAST(:promises AS jsonb), "
    "CAST(:shares AS jsonb), :now)"
)


async def save_norm(session: WriteSession, access: Access, norm: Norm, directory: Directory, *, now: datetime) -> str:
    """A new version, in force from now on for clocks that start later; its code. Versions before stay as they were.

    ForbiddenError when its territory is not the asker's.
    """
    access.require(Permission.NORM_EDIT)
    clean = checked(norm, directory)
    code = clean.code or f"norm-{uuid4().hex[:8]}"
    added = await session.scalar(
        _ADD,
        {
            "code": code, "name": clean.name, "topic": clean.topic_id, "agency": clean.agency_id, "territory": clean.territory_id,
            "platform": clean.platform, "priority": clean.priority, "now": now,
            "promises": orjson.dumps(promises_to_json(clean.promises)).decode(), "shares": orjson.dumps(clean.warn_shares).decode(),
        },
    )  # fmt: skip
    if added is None:
        raise ForbiddenError("norm.scope", "You set norms of your own territory only.", field="territory")
    return code


async def end_norm(session: WriteSession, access: Access, code: str, *, now: datetime) -> None:
    """From now on it sets no clock; those that run keep it. NotFoundError when there is none that the asker may end."""
    access.require(Permission.NORM_EDIT)
    if not await session.scalar(text("SELECT otklik_end_norm(:code, :now)"), {"code": code, "now": now}):
        raise NotFoundError("norm.unknown", "There is no such norm in force that you may end.")


# --- its effect -------------------------------------------------------------------------------------------------

_HISTORY = text("SELECT * FROM otklik_clock_history(:since, :until, :most)")


async def past_matters(
    session: ReadSession, directory: Directory, *, since: datetime, until: datetime, most: int = MOST_JUDGED
) -> list[Past]:
    """The newest matters asked in a period, of the territories whose norms the asker sets."""
    rows = await session.execute(_HISTORY, {"since": since, "until": until, "most": most})
    return [_past(row, directory) for row in rows]


def _past(row: Any, directory: Directory) -> Past:  # noqa: ANN401 - a typed row
    return Past(
        appeal_id=row.appeal_id,
        cycle=row.cycle,
        matter=Matter(
            topics=directory.topic_lineage(row.topic_id),
            agencies=directory.agency_lineage(row.agency_id),
            territories=directory.territory_lineage(row.territory_id),
            platform=row.platform,
            priority=row.priority,
        ),
        started_at=row.started_at,
        first_at=row.first_at,
        interim_at=row.interim_at,
        final_at=row.final_at,
        ended_at=row.ended_at,
        pauses=tuple(
            Pause(datetime.fromisoformat(since), None if until is None else datetime.fromisoformat(until))
            for since, until in row.pauses or ()
        ),
    )


def effect_of(norm: Norm, book: Book, found: Sequence[Past], *, now: datetime) -> Effect:
    """What the norm would change: the norms in force against the same with this one in place of its version before."""
    version = 1 + max((one.version for one in book.versions(norm.code)), default=0)
    policy = PolicyVersion(
        id=0, code=norm.code or "new", version=version, promises=norm.promises, topic_id=norm.topic_id, agency_id=norm.agency_id,
        territory_id=norm.territory_id, platform=norm.platform, priority=norm.priority, warn_shares=norm.warn_shares,
    )  # fmt: skip
    after = book.with_policy(DatedPolicy(policy=policy, valid_from=now, valid_until=None))
    return effect(found, before=book, after=after, now=now)
