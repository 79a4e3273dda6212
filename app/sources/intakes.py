"""A page on its way to being connected: asked about, told of, wanted for an agency, connected. Everybody's own."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import text

from app.kernel.errors import ConflictError, InvalidError
from app.kernel.jobs import PAGES_ASK, enqueue

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from app.kernel.db import ReadSession, WriteSession
    from connectors.pages import AbilityCheck, PageFacts

KEPT = timedelta(days=7)
MOST = 30
"""Pages that one person may have asked about within `WITHIN`: each costs calls of tokens that read comments."""
WITHIN = timedelta(minutes=10)
_LONGEST = 500


@dataclass(frozen=True, kw_only=True, slots=True)
class Intake:
    """How far it is. `told`, `checks` and `tokens` are what the worker found; `code` why not."""

    id: int
    operator_id: int
    platform: str
    link: str
    state: str
    asked_at: datetime
    code: str | None
    told: dict[str, Any] | None
    checks: list[dict[str, Any]] | None
    tokens: dict[str, int] | None
    agency_id: int | None
    territory_id: int | None
    sphere_id: int | None
    page_id: int | None


async def ask(session: WriteSession, *, operator_id: int, platform: str, link: str, now: datetime) -> int:
    """Have a page asked about; its number. InvalidError `intake.link`, ConflictError `intake.many`."""
    clean = link.replace("\0", "").strip()
    if not clean or len(clean) > _LONGEST or not clean.isprintable():
        raise InvalidError("intake.link", "Give the address of the page, as the browser shows it.", field="link")
    asked = await session.scalar(_ASKED, {"operator": operator_id, "since": now - WITHIN})
    if (asked or 0) >= MOST:
        raise ConflictError("intake.many", "Too many pages were asked about. Wait some minutes.")
    number: int = (await session.execute(_ASK, {"operator": operator_id, "platform": platform, "link": clean, "now": now})).scalar_one()
    await enqueue(session, PAGES_ASK, {})
    return number


async def one(session: ReadSession, *, operator_id: int, intake_id: int | None = None) -> Intake | None:
    """Of those that this person asked about: this one, or the last."""
    row = (await session.execute(_ONE, {"operator": operator_id, "id": intake_id})).one_or_none()
    return None if row is None else Intake(**row._mapping)  # noqa: SLF001 - SQLAlchemy's documented name


async def ask_again(session: WriteSession, *, intake_id: int, now: datetime) -> bool:
    """After something was mended; False when it is being asked about already or is connected."""
    done = (await session.execute(_AGAIN, {"id": intake_id, "now": now})).one_or_none() is not None
    if done:
        await enqueue(session, PAGES_ASK, {})
    return done


async def want(session: WriteSession, *, intake_id: int, agency_id: int, territory_id: int, sphere_id: int | None) -> bool:
    """Connect it for an agency; False when it was not told of yet, or is connected."""
    given = {"id": intake_id, "agency": agency_id, "territory": territory_id, "sphere": sphere_id}
    done = (await session.execute(_WANT, given)).one_or_none() is not None
    if done:
        await enqueue(session, PAGES_ASK, {})
    return done


# --- the worker's side ------------------------------------------------------------------------------------------


async def waiting(session: ReadSession, *, state: str, most: int = 20) -> list[Intake]:
    """Those in a state that is the worker's to end."""
    rows = await session.execute(_WAITING[state], {"most": most})
    return [Intake(**row._mapping) for row in rows]  # noqa: SLF001 - SQLAlchemy's documented name


async def tell(
    session: WriteSession,
    *,
    intake_id: int,
    facts: PageFacts,
    checks: Sequence[AbilityCheck],
    tokens: Mapping[str, int],
    page_id: int | None,
) -> None:
    """What was found; `page_id`: it is watched already."""
    told = {
        "external_id": facts.external_id, "title": facts.title, "link": facts.link, "members": facts.members, "official": facts.official,
        "comments_open": facts.comments_open, "options": dict(facts.options),
    }  # fmt: skip
    found = [{"ability": one.ability, "state": one.state, "code": one.code, "kinds": list(one.token_kinds)} for one in checks]
    given = {"told": _json(told), "checks": _json(found), "tokens": _json(dict(tokens)), "page": page_id}
    await session.execute(_TELL, {"id": intake_id, **given})


async def refuse(session: WriteSession, *, intake_id: int, code: str, tokens: Mapping[str, int]) -> None:
    """Why there is nothing to tell."""
    await session.execute(_REFUSE, {"id": intake_id, "code": code, "tokens": _json(dict(tokens))})


async def connected(session: WriteSession, *, intake_id: int, page_id: int) -> None:
    """It is watched from now on."""
    await session.execute(_CONNECTED, {"id": intake_id, "page": page_id})


async def token_kinds(session: ReadSession, *, platform: str) -> dict[str, int]:
    """How many tokens of which kind are in use; never more of them."""
    rows = await session.execute(_KINDS, {"platform": platform})
    return {row.kind: row.n for row in rows}


async def watched_page(session: ReadSession, *, platform: str, external_id: str) -> int | None:
    """The number of a page that is watched already."""
    found: int | None = await session.scalar(_WATCHED, {"platform": platform, "external_id": external_id})
    return found


async def forget_intakes(session: WriteSession, *, now: datetime) -> int:
    """Drop those that nobody needs any more; how many."""
    return len((await session.execute(_FORGET, {"before": now - KEPT})).all())


def _json(value: object) -> str:
    """PostgreSQL's jsonb refuses NUL and half characters: what a platform says may hold both."""
    return orjson.dumps(_storable(value)).decode()


def _storable(value: object) -> object:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode().replace("\0", "\ufffd")
    if isinstance(value, dict):
        return {str(key): _storable(one) for key, one in value.items()}
    return [_storable(one) for one in value] if isinstance(value, list) else value


_COLUMNS = "id, operator_id, platform, link, state, asked_at, code, told, checks, tokens, agency_id, territory_id, sphere_id, page_id"
_ASKED = text("SELECT count(*) FROM page_intake WHERE operator_id = :operator AND asked_at > :since")
_ASK = text(
    "INSERT INTO page_intake (operator_id, platform, link, state, asked_at) "
    "VALUES (:operator, :platform, :link, 'asked', :now) RETURNING id"
)
_ONE = text(
    f"SELECT {_COLUMNS} FROM page_intake WHERE operator_id = :operator "  # noqa: S608 - a constant
    "AND (CAST(:id AS bigint) IS NULL OR id = :id) ORDER BY id DESC LIMIT 1"
)
_AGAIN = text("UPDATE page_intake SET state = 'asked', asked_at = :now WHERE id = :id AND state IN ('told', 'refused') RETURNING id")
_WANT = text(
    "UPDATE page_intake SET state = 'wanted', agency_id = :agency, territory_id = :territory, sphere_id = :sphere "
    "WHERE id = :id AND state = 'told' AND page_id IS NULL RETURNING id"
)
_WAITING = {
    "asked": text(f"SELECT {_COLUMNS} FROM page_intake WHERE state = 'asked' ORDER BY id LIMIT :most"),  # noqa: S608 - a constant
    "wanted": text(f"SELECT {_COLUMNS} FROM page_intake WHERE state = 'wanted' ORDER BY id LIMIT :most FOR UPDATE SKIP LOCKED"),  # noqa: S608
}
_TELL = text(
    "UPDATE page_intake SET state = 'told', code = NULL, told = CAST(:told AS jsonb), checks = CAST(:checks AS jsonb), "
    "tokens = CAST(:tokens AS jsonb), page_id = :page WHERE id = :id AND state = 'asked'"
)
_REFUSE = text(
    "UPDATE page_intake SET state = 'refused', code = :code, tokens = CAST(:tokens AS jsonb) "
    "WHERE id = :id AND state IN ('asked', 'wanted')"
)

_CONNECTED = text("UPDATE page_intake SET state = 'connected', page_id = :page WHERE id = :id AND state = 'wanted'")
_KINDS = text("SELECT kind, count(*) AS n FROM credential WHERE platform = :platform AND revoked_at IS NULL GROUP BY kind")
_WATCHED = text("SELECT id FROM page WHERE platform = :platform AND external_id = :external_id AND active")
_FORGET = text("DELETE FROM page_intake WHERE asked_at < :before RETURNING id")
