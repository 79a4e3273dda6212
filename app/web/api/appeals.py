"""Appeals for other systems."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query, Response

from app.appeals import desk
from app.appeals.card_rows import AppealRow, Card
from app.appeals.filters import MOST_ROWS, QueueFilters, format_number, parse_number
from app.appeals.idempotency import checked_key
from app.appeals.queries import QueueRow, card, queue
from app.kernel.errors import NotFoundError
from app.people.rules import Access, Permission
from app.web.api.document import BEARER, problems
from app.web.api.filters import agency_id, asked_filters, cursor_of, territory_id, topic_id
from app.web.api.models import AppealBrief, AppealCreated, AppealList, AppealWhole, NewAppealBody
from app.web.deps import CurrentLooking, CurrentOffice, Now, Reading, Writing, requires

router = APIRouter(prefix="/api/v1", tags=["appeals"], dependencies=[Depends(BEARER)])

Reader = Annotated[Access, Depends(requires(Permission.APPEAL_READ))]
Creator = Annotated[Access, Depends(requires(Permission.APPEAL_CREATE))]
Key = Annotated[
    str | None, Header(alias="Idempotency-Key", description="Your own key of this act: the same key is done once", max_length=1000)
]


@router.get("/appeals", summary="A page of appeals", responses=problems())
async def list_appeals(
    access: Reader,
    session: Reading,
    now: Now,
    looking: CurrentLooking,
    filters: Annotated[QueueFilters, Depends(asked_filters)],
    cursor: Annotated[str | None, Query(max_length=200)] = None,
    limit: Annotated[int, Query(ge=1, le=MOST_ROWS)] = 25,
) -> AppealList:
    """Those that wait come by their deadline, any other selection the newest first. Each appeal is told once while paging."""
    found = await queue(session, access, filters=filters, now=now, after=cursor_of(cursor), limit=limit)
    looking.looks("appeal", [row.id for row in found.rows])
    return AppealList(items=[_brief(row) for row in found.rows], next=None if found.next is None else str(found.next))


@router.post(
    "/appeals",
    summary="Take an appeal down",
    status_code=201,
    responses={**problems(400, 409, 413), 200: {"model": AppealCreated, "description": "This very request had been done before"}},
)
async def create_appeal(
    body: NewAppealBody, access: Creator, session: Writing, office: CurrentOffice, now: Now, response: Response, key: Key = None
) -> AppealCreated:
    """Opens an appeal that no comment brought, starts its clock, and hands it to the agency."""
    directory = office.desk.directory
    new = desk.NewAppeal(
        words=body.text,
        agency_id=agency_id(directory, body.agency),
        territory_id=territory_id(directory, body.territory),
        topic_id=topic_id(directory, body.topic),
        author_name=body.author_name,
        link=body.link,
        platform=body.platform,
        written_at=body.written_at,
        priority=body.priority,
    )
    source = "api" if access.is_service else "hand"
    created = await desk.create(session, access, office, new=new, source=source, key=None if key is None else checked_key(key), now=now)
    response.headers["Location"] = f"/api/v1/appeals/{format_number(created.number)}"
    if created.repeated:
        response.status_code = 200
    return AppealCreated(number=format_number(created.number), repeated=created.repeated)


@router.get("/appeals/{number}", summary="One appeal, whole", responses=problems(404))
async def read_appeal(number: str, access: Reader, session: Reading, looking: CurrentLooking) -> AppealWhole:
    """Post, thread, verdicts, answers, notes, history, deadlines. After the appeal was handed on, only what was recorded by then."""
    found = await card(session, access, number_in_path(number))
    if found is None:
        raise unknown_appeal(number)
    looking.look("appeal", found.appeal.id)
    return _whole(found)


def number_in_path(value: str) -> int:
    """The number in an address. NotFoundError when it is none: such an appeal cannot be."""
    number = parse_number(value)
    if number is None:
        raise unknown_appeal(value)
    return number


def unknown_appeal(_value: str) -> NotFoundError:
    """The same words whether there is none or it may not be known."""
    return NotFoundError("appeal.unknown", "There is no appeal of this number that you may see.")


def _named(row: QueueRow | AppealRow, what: str) -> dict[str, str] | None:
    code: str | None = getattr(row, f"{what}_code")
    return None if code is None else {"code": code, "name": getattr(row, f"{what}_name")}


def _brief(row: QueueRow) -> AppealBrief:
    return AppealBrief.model_validate(_members(row))


def _whole(found: Card) -> AppealWhole:
    return AppealWhole.model_validate(_members(found.appeal) | {name: getattr(found, name) for name in _PARTS})


def _members(row: QueueRow | AppealRow) -> dict[str, Any]:
    plain = {name: getattr(row, name) for name in row.__dataclass_fields__}
    return plain | {what: _named(row, what) for what in ("topic", "agency", "territory")}


_PARTS = (
    "post", "comments", "earlier_comments", "verdicts", "replies", "notes", "events", "timers", "assignments", "earlier_appeals",
    "held_until",
)  # fmt: skip
