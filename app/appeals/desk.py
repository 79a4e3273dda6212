"""Appeals that people open: a coordinator decides about a waiting comment, or somebody takes a matter down by hand."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import text

from app.appeals.access import require_reach
from app.appeals.by_link import require_citizen
from app.appeals.intake import Looked, Opened, nearest_due, open_batch
from app.audit import service as audit
from app.kernel.errors import ConflictError, InvalidError, NotFoundError
from app.people.rules import Permission
from app.sources.queries import comments_by_id
from app.sources.rules import Fate, storable
from app.triage.classification import Classification
from app.triage.routing import Route
from app.triage.rules import Kind, Reason, ReasonCode

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from app.appeals.office import Office
    from app.kernel.db import WriteSession
    from app.people.rules import Access
    from app.sla.service import PlannedTimer
    from app.sources.queries import UnseenComment

TEXT_LIMIT = 20_000
NAME_LIMIT = 300
KEY_LIMIT = 200
LINK_LIMIT = 2_000


# --- a coordinator decides ---------------------------------------------------------------------------------------


async def decide_comment(
    session: WriteSession,
    access: Access,
    office: Office,
    *,
    comment_id: int,
    topic_id: int | None,
    agency_id: int | None,
    kind: Kind,
    now: datetime,
) -> Opened:
    """A waiting comment opens an appeal for an agency (kind `appeal`), or is none (any other kind).

    Raises NotFoundError when it is out of sight, ConflictError when somebody was faster, InvalidError without an agency.
    """
    access.require(Permission.TRIAGE_WORK)
    if kind is Kind.UNDECIDED:
        raise InvalidError("triage.kind", "Decide: an appeal, or one of the other kinds.", field="kind")
    comment = await _comment(session, comment_id)
    require_reach(access, Permission.TRIAGE_WORK, agency_id=comment.page_agency_id, territory_id=comment.territory_id)
    if kind is Kind.APPEAL or agency_id is not None:
        _require_agency(access, office, Permission.TRIAGE_WORK, agency_id, comment)
    looked = _looked_by_person(access, office, comment, topic_id=topic_id, agency_id=agency_id, kind=kind)
    opened = await open_batch(session, [looked], now=now, waiting=Fate.IN_TRIAGE, promises=office.promises)
    if not opened.fates:
        raise ConflictError("triage.decided", "Somebody has decided about this comment already: reload the list.")
    await audit.record(session, operator_id=access.operator_id, act="triage.decided", subject="comment", subject_id=comment_id)
    return opened


async def open_comment(
    session: WriteSession, access: Access, office: Office, *, comment_id: int, topic_id: int | None, agency_id: int | None, now: datetime
) -> int:
    """A stored comment that somebody was led to by its link opens an appeal, whatever triage made of it; the appeal's number.

    One that has an appeal already leads there. Raises NotFoundError when it is out of sight, InvalidError when it is the page's own or
    deleted, ConflictError when its appeal is another agency's or somebody decides at this very moment.
    """
    access.require(Permission.APPEAL_CREATE)
    comment = await _comment(session, comment_id)
    require_reach(access, Permission.APPEAL_CREATE, agency_id=comment.page_agency_id, territory_id=comment.territory_id)
    fate, number = await _fate(session, comment_id)
    if number is None and fate in {Fate.OPENED, Fate.APPENDED}:
        raise ConflictError("link.elsewhere", "This comment has an appeal already, with another agency.")
    if number is not None:
        return number
    require_citizen(by_page=comment.by_page, deleted=comment.deleted)
    _require_agency(access, office, Permission.APPEAL_CREATE, agency_id, comment)
    looked = _looked_by_person(access, office, comment, topic_id=topic_id, agency_id=agency_id, kind=Kind.APPEAL)
    await open_batch(session, [looked], now=now, waiting=fate, promises=office.promises)
    _, number = await _fate(session, comment_id)
    if number is None:
        raise ConflictError("triage.decided", "Somebody decides about this comment at this moment: try again.")
    await audit.record(session, operator_id=access.operator_id, act="appeal.opened_by_link", subject="comment", subject_id=comment_id)
    return number


async def _comment(session: WriteSession, comment_id: int) -> UnseenComment:
    comments = await comments_by_id(session, [comment_id])
    if not comments:
        raise NotFoundError("comment.unknown", "There is no such comment that you may see.")
    return comments[0]


async def _fate(session: WriteSession, comment_id: int) -> tuple[Fate | None, int | None]:
    """What became of a comment, and the number of its appeal when the reader may see it."""
    row = (
        await session.execute(
            text("SELECT c.fate, a.number FROM comment c LEFT JOIN appeal a ON a.id = c.appeal_id WHERE c.id = :id"), {"id": comment_id}
        )
    ).one()
    return None if row.fate is None else Fate(row.fate), row.number


def _require_agency(access: Access, office: Office, permission: Permission, agency_id: int | None, comment: UnseenComment) -> None:
    if agency_id is None:
        raise InvalidError("triage.agency", "Choose the agency that answers.", field="agency")
    if agency_id not in office.desk.directory.agencies:
        raise InvalidError("triage.agency", "There is no such agency: choose one from the list.", field="agency")
    require_reach(access, permission, agency_id=agency_id, territory_id=comment.territory_id)


def _looked_by_person(
    access: Access, office: Office, comment: UnseenComment, *, topic_id: int | None, agency_id: int | None, kind: Kind
) -> Looked:
    """A person's decision, as triage's would be: the clock runs from the citizen's time all the same."""
    matter = office.matter(topic_id=topic_id, agency_id=agency_id, territory_id=comment.territory_id, platform=comment.platform)
    return Looked(
        comment=replace(comment, is_context=False),
        classification=Classification(kind=kind, is_appeal=kind is Kind.APPEAL, confidence=1.0),
        classifier="operator",
        classifier_version="1",
        topic_id=topic_id,
        route=Route(agency_id=agency_id, rule_id=None, reason=Reason(code=ReasonCode.BY_PERSON)),
        timers=tuple(office.book.plan(matter, comment.written_at)),
        triage_due=None,
        operator_id=access.operator_id,
    )


# --- taken down by hand, or by another system ----------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class NewAppeal:
    """What somebody takes down. Without an agency the rules of routing choose; without a time it is now."""

    words: str
    agency_id: int | None = None
    territory_id: int | None = None
    topic_id: int | None = None
    author_name: str | None = None
    link: str | None = None
    platform: str = "by_hand"
    written_at: datetime | None = None
    priority: str = "ordinary"


@dataclass(frozen=True, kw_only=True, slots=True)
class Created:
    """The number, and whether this very request had been done before."""

    id: int
    number: int
    repeated: bool


# Two statements, because row-level security lets a row hang only on an appeal that it can see: the first opens it, unless
# this key was used before; the second adds all that belongs to it.
_OPEN = text(
    """
    WITH mine AS (
      INSERT INTO idempotency_key (operator_id, key, request_hash)
      SELECT CAST(:operator AS bigint), CAST(:key AS varchar), CAST(:hash AS bytea) WHERE CAST(:key AS varchar) IS NOT NULL
      ON CONFLICT (operator_id, key) DO NOTHING RETURNING id)
    INSERT INTO appeal (source, platform, status, agency_id, territory_id, topic_id, priority, written_at, opened_at, touched_at, due_at)
    SELECT CAST(:source AS varchar), CAST(:platform AS varchar), 'new', CAST(:agency AS bigint), CAST(:territory AS bigint),
      CAST(:topic AS bigint), CAST(:priority AS varchar), CAST(:written AS timestamptz), CAST(:now AS timestamptz),
      CAST(:now AS timestamptz), CAST(:due AS timestamptz)
    WHERE CAST(:key AS varchar) IS NULL OR EXISTS (SELECT FROM mine)
    RETURNING id, number
    """
)
_FURNISH = text(
    """
    WITH words AS (INSERT INTO appeal_text (appeal_id, text, author_name, link) VALUES (:id, :words, :author, :link)),
    held AS (INSERT INTO appeal_assignment (appeal_id, agency_id, since) VALUES (:id, :agency, :now)),
    told AS (
      INSERT INTO appeal_event (appeal_id, act, cycle, operator_id, occurred_at, data)
      VALUES (:id, 'opened', 1, :operator, :written, CAST(:data AS jsonb))),
    trailed AS (INSERT INTO audit_entry (operator_id, act, subject, subject_id) VALUES (:operator, 'appeal.opened', 'appeal', :id)),
    keyed AS (UPDATE idempotency_key SET appeal_id = :id WHERE operator_id = :operator AND key = CAST(:key AS varchar))
    INSERT INTO sla_timer (appeal_id, cycle, promise, policy_version_id, calendar_version_id, choice, term, started_at, due_at, warnings,
      warn_at)
    SELECT :id, 1, t.promise, t.policy_version_id, t.calendar_version_id, CAST(t.choice AS jsonb), CAST(t.term AS jsonb),
      t.started_at, t.due_at, CAST(t.warnings AS jsonb), t.warn_at
    FROM unnest(CAST(:promises AS text[]), CAST(:policies AS bigint[]), CAST(:calendars AS bigint[]), CAST(:choices AS text[]),
      CAST(:terms AS text[]), CAST(:starts AS timestamptz[]), CAST(:dues AS timestamptz[]), CAST(:warnings AS text[]),
      CAST(:warns AS timestamptz[]))
      AS t(promise, policy_version_id, calendar_version_id, choice, term, started_at, due_at, warnings, warn_at)
    """
)


async def create(
    session: WriteSession, access: Access, office: Office, *, new: NewAppeal, source: str, key: str | None, now: datetime
) -> Created:
    """Open an appeal that no comment brought. The same `key` with the same content answers the same appeal.

    Raises InvalidError for wrong content or a route that no rule knows, ForbiddenError outside the caller's scopes,
    ConflictError when `key` was used for another content.
    """
    access.require(Permission.APPEAL_CREATE)
    words = _checked("text", new.words, TEXT_LIMIT)
    written_at = new.written_at or now
    if written_at > now:
        raise InvalidError("appeal.future", "The citizen's time lies in the future: check its time zone.", field="written_at")
    agency_id, territory_id = _place(office, new)
    require_reach(access, Permission.APPEAL_CREATE, agency_id=agency_id, territory_id=territory_id)
    matter = office.matter(
        topic_id=new.topic_id, agency_id=agency_id, territory_id=territory_id, platform=new.platform, priority=new.priority
    )
    timers = office.book.plan(matter, written_at)
    digest = hashlib.sha256(repr(new).encode("utf-8", "surrogatepass")).digest()
    params: dict[str, Any] = {
        "operator": access.operator_id, "key": None if key is None else _checked("Idempotency-Key", key, KEY_LIMIT), "hash": digest,
        "source": source, "platform": new.platform, "agency": agency_id, "territory": territory_id, "topic": new.topic_id,
        "priority": new.priority, "written": written_at, "now": now, "due": nearest_due(timers),
    }  # fmt: skip
    details = {
        "words": words,
        "author": None if new.author_name is None else _checked("author_name", new.author_name, NAME_LIMIT),
        "link": None if new.link is None else _checked("link", new.link, LINK_LIMIT),
        "data": _json({"agency": agency_id, "territory": territory_id, "topic": new.topic_id}),
        **_columns(timers),
    }
    row = (await session.execute(_OPEN, params)).one_or_none()
    if row is None:
        return await _repeated(session, access, params["key"], digest)
    await session.execute(
        _FURNISH, {name: params[name] for name in ("operator", "key", "agency", "written", "now")} | details | {"id": row.id}
    )
    return Created(id=row.id, number=row.number, repeated=False)


def _columns(timers: Sequence[PlannedTimer]) -> dict[str, list[Any]]:
    return {
        "promises": [timer.promise.value for timer in timers],
        "policies": [timer.policy_version_id for timer in timers],
        "calendars": [timer.calendar_version_id for timer in timers],
        "choices": [_json(timer.choice) for timer in timers],
        "terms": [_json(timer.term) for timer in timers],
        "starts": [timer.started_at for timer in timers],
        "dues": [timer.due_at for timer in timers],
        "warnings": [_json(list(timer.warnings)) for timer in timers],
        "warns": [min(timer.warnings, default=None) for timer in timers],
    }


def _place(office: Office, new: NewAppeal) -> tuple[int, int]:
    """The agency and territory: as given, else by the rules of routing."""
    directory = office.desk.directory
    if new.topic_id is not None and new.topic_id not in directory.topics:
        raise InvalidError("appeal.topic", "There is no such topic.", field="topic")
    if new.agency_id is not None:
        agency = directory.agencies.get(new.agency_id)
        if agency is None:
            raise InvalidError("appeal.agency", "There is no such agency.", field="agency")
        return agency.id, new.territory_id or agency.territory_id
    if new.territory_id is None or new.territory_id not in directory.territories:
        raise InvalidError("appeal.place", "Name an agency, or a territory for the rules of routing to choose one.", field="agency")
    place = office.desk.place(page_id=None, territory_id=new.territory_id, topic_id=new.topic_id, page_agency_id=None)
    route = office.desk.route([place])[0]
    if route.agency_id is None:
        raise InvalidError("appeal.no_rule", "No rule of routing knows who answers this: name the agency.", field="agency")
    return route.agency_id, new.territory_id


async def _repeated(session: WriteSession, access: Access, key: str, digest: bytes) -> Created:
    """The appeal that this key stands for."""
    found = (
        await session.execute(
            text(
                """
                SELECT k.request_hash, a.id, a.number FROM idempotency_key k JOIN appeal a ON a.id = k.appeal_id
                WHERE k.operator_id = :operator AND k.key = :key
                """
            ),
            {"operator": access.operator_id, "key": key},
        )
    ).one_or_none()
    if found is None or found.request_hash != digest:
        raise ConflictError("idempotency.other", "This Idempotency-Key was used for another request: choose a new one.")
    return Created(id=found.id, number=found.number, repeated=True)


def _checked(field: str, value: str, limit: int) -> str:
    clean = storable(value)[0].strip()
    if not clean:
        raise InvalidError("text.empty", f"{field} is empty.", field=field)
    if len(clean) > limit:
        raise InvalidError(
            "text.long", f"{field} has {len(clean)} characters; at most {limit} are taken.", field=field, length=len(clean), limit=limit
        )
    return clean


def _json(value: object) -> str:
    packed: bytes = orjson.dumps(value)
    return packed.decode()
