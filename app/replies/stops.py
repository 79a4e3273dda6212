"""The switch that stops publishing: for a page, for an agency with its children, or everywhere. A person releases it.

What waits in the outbox stays there; nothing is lost. The worker asks once more right before it sends.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from app.audit import service as audit
from app.kernel.errors import ConflictError, ForbiddenError, InvalidError, NotFoundError
from app.kernel.jobs import OUTBOUND_SEND, enqueue
from app.people.rules import Permission, Role
from app.sources.rules import storable

if TYPE_CHECKING:
    from app.kernel.db import ReadSession, WriteSession
    from app.people.rules import Access

REASON_LIMIT = 500

# Parts of the outbox's statements, over a reply `r` and its page `g`: which stops stand, and whether none holds this answer.
STANDING = """
stop AS (SELECT page_id, agency_id FROM publishing_stop WHERE released_at IS NULL),
silent(id) AS (
  SELECT agency_id FROM stop WHERE agency_id IS NOT NULL
  UNION SELECT a.id FROM agency a JOIN silent ON a.parent_id = silent.id)
"""
FREE = """(
  NOT EXISTS (SELECT FROM stop WHERE page_id IS NULL AND agency_id IS NULL)
  AND g.id NOT IN (SELECT page_id FROM stop WHERE page_id IS NOT NULL)
  AND g.agency_id NOT IN (SELECT id FROM silent) AND (r.agency_id IS NULL OR r.agency_id NOT IN (SELECT id FROM silent)))
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Subject:
    """What is stopped; both empty: everything."""

    page_id: int | None = None
    agency_id: int | None = None

    @property
    def kind(self) -> str:
        """`page`, `agency` or `all`."""
        return "page" if self.page_id is not None else "agency" if self.agency_id is not None else "all"


@dataclass(frozen=True, kw_only=True, slots=True)
class StopRow:
    """A stop with the names that a person reads; without `stopped_by`: by command."""

    id: int
    page_id: int | None
    page_title: str | None
    agency_id: int | None
    agency_name: str | None
    of_agency: int | None
    of_territory: int | None
    """Of the page, or the agency itself: what decides who may release it."""
    reason: str
    stopped_by: str | None
    stopped_at: datetime
    released_by: str | None
    released_at: datetime | None

    @property
    def kind(self) -> str:
        """`page`, `agency` or `all`."""
        return Subject(page_id=self.page_id, agency_id=self.agency_id).kind

    def may_be_released_by(self, access: Access) -> bool:
        """Whether this person may let publishing go on."""
        if self.of_agency is None or self.of_territory is None:
            return administers(access)
        return may_stop(access, agency_id=self.of_agency, territory_id=self.of_territory)


_ROWS = """
SELECT s.id, s.page_id, g.title AS page_title, s.agency_id, a.name AS agency_name,
  coalesce(g.agency_id, s.agency_id) AS of_agency, coalesce(g.territory_id, a.territory_id) AS of_territory, s.reason,
  o.name AS stopped_by, s.stopped_at, e.name AS released_by, s.released_at
FROM publishing_stop s LEFT JOIN page g ON g.id = s.page_id LEFT JOIN agency a ON a.id = s.agency_id
LEFT JOIN operator o ON o.id = s.stopped_by LEFT JOIN operator e ON e.id = s.released_by
"""
_STANDING = text(f"{_ROWS} WHERE s.released_at IS NULL ORDER BY s.page_id IS NOT NULL, s.agency_id IS NOT NULL, s.id")
_PAST = text(f"{_ROWS} WHERE s.released_at IS NOT NULL ORDER BY s.released_at DESC, s.id DESC LIMIT :most")


async def standing_stops(session: ReadSession) -> list[StopRow]:
    """The stops in force that concern whoever asks (row-level security says so), the widest first."""
    return [StopRow(**row._mapping) for row in await session.execute(_STANDING)]  # noqa: SLF001 - SQLAlchemy's documented name


async def past_stops(session: ReadSession, *, most: int = 50) -> list[StopRow]:
    """Those that were released, the newest first."""
    return [StopRow(**row._mapping) for row in await session.execute(_PAST, {"most": most})]  # noqa: SLF001 - likewise


async def stop(session: WriteSession, access: Access | None, *, subject: Subject, reason: str, now: datetime) -> int:
    """Stop publishing at once; the stop's id. `access` None: an administrator's command.

    ForbiddenError outside one's reach, InvalidError without a reason, ConflictError when it is stopped already.
    """
    clean = storable(reason)[0].strip()
    if not clean or len(clean) > REASON_LIMIT:
        raise InvalidError("publishing.reason", f"Say why, in at most {REASON_LIMIT} characters.", field="reason", most=REASON_LIMIT)
    await _require(session, access, subject)
    try:
        async with session.begin_nested():
            row = await session.execute(
                text(
                    "INSERT INTO publishing_stop (page_id, agency_id, reason, stopped_by, stopped_at) "
                    "VALUES (:page, :agency, :reason, :operator, :now) RETURNING id"
                ),
                {
                    "page": subject.page_id, "agency": subject.agency_id, "reason": clean, "now": now,
                    "operator": None if access is None else access.operator_id,
                },
            )  # fmt: skip
            stop_id = int(row.scalar_one())
    except IntegrityError as error:
        raise ConflictError("publishing.stopped", "Publishing is stopped there already.") from error
    await _tell(session, access, "publishing.stopped", stop_id, subject)
    return stop_id


async def release(session: WriteSession, access: Access | None, *, stop_id: int, now: datetime) -> None:
    """Let what waits go out. NotFoundError, ForbiddenError outside one's reach, ConflictError when it was released already."""
    row = (await session.execute(text("SELECT page_id, agency_id FROM publishing_stop WHERE id = :id"), {"id": stop_id})).one_or_none()
    if row is None:
        raise NotFoundError("publishing.unknown", "There is no such stop that you may see.")
    subject = Subject(page_id=row.page_id, agency_id=row.agency_id)
    await _require(session, access, subject)
    released = await session.execute(
        text("UPDATE publishing_stop SET released_by = :operator, released_at = :now WHERE id = :id AND released_at IS NULL RETURNING id"),
        {"id": stop_id, "operator": None if access is None else access.operator_id, "now": now},
    )
    if released.scalar_one_or_none() is None:
        raise ConflictError("publishing.released", "Somebody has released it already.")
    await _tell(session, access, "publishing.resumed", stop_id, subject)
    await enqueue(session, OUTBOUND_SEND, {"stop": stop_id})


async def _tell(session: WriteSession, access: Access | None, act: str, stop_id: int, subject: Subject) -> None:
    data = {"page": subject.page_id, "agency": subject.agency_id}
    operator_id = None if access is None else access.operator_id
    await audit.record(session, operator_id=operator_id, act=act, subject="publishing_stop", subject_id=stop_id, data=data)


_PLACE = text("SELECT agency_id, territory_id FROM page WHERE id = :page UNION ALL SELECT id, territory_id FROM agency WHERE id = :agency")


async def _require(session: ReadSession, access: Access | None, subject: Subject) -> None:
    """Coordinators within their reach, administrators of the whole installation everything."""
    place = None
    if subject.kind != "all":
        place = (await session.execute(_PLACE, {"page": subject.page_id, "agency": subject.agency_id})).one_or_none()
        if place is None:
            raise InvalidError("publishing.subject", "There is no such page or agency: choose one from the list.", field="subject")
    if access is None:
        return
    access.require(Permission.PUBLISHING_STOP)
    allowed = administers(access) if place is None else may_stop(access, agency_id=place.agency_id, territory_id=place.territory_id)
    if not allowed:
        raise ForbiddenError("publishing.scope", "You may stop publishing only for pages and agencies within your reach.", field="subject")


def administers(access: Access) -> bool:
    """Whether they configure the whole installation."""
    return any(grant.role is Role.ADMINISTRATOR and grant.agency_id is None and grant.territory_id is None for grant in access.grants)


def may_stop(access: Access, *, agency_id: int, territory_id: int) -> bool:
    """Whether they may stop publishing for what belongs to this agency and territory."""
    scope = access.scopes.get(Role.COORDINATOR)
    return administers(access) or (
        access.may(Permission.PUBLISHING_STOP) and scope is not None and scope.holds(agency_id=agency_id, territory_id=territory_id)
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class StoppablePage:
    """A page for which somebody may stop publishing."""

    id: int
    title: str
    agency_name: str


async def stoppable_page(session: ReadSession, access: Access, *, page_id: int) -> StoppablePage | None:
    """The page, if this person may stop publishing there."""
    row = (await session.execute(_PAGE, {"id": page_id})).one_or_none()
    if row is None or not may_stop(access, agency_id=row.agency_id, territory_id=row.territory_id):
        return None
    return StoppablePage(id=row.id, title=row.title, agency_name=row.agency_name)


_PAGE = text(
    "SELECT g.id, g.title, a.name AS agency_name, g.agency_id, g.territory_id "
    "FROM page g JOIN agency a ON a.id = g.agency_id WHERE g.id = :id"
)
