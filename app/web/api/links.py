"""Appeals from links to posts and comments, for other systems: what the screen can do, by steps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, cast

from fastapi import APIRouter, Depends, Response

from app.appeals import by_link, desk, elsewhere
from app.appeals.filters import format_number
from app.appeals.idempotency import done_once
from app.kernel.errors import InvalidError
from app.people.rules import Access, Permission
from app.replies.rules import ReplyState
from app.web.api.appeals import Key, number_in_path
from app.web.api.document import BEARER, problems
from app.web.api.filters import agency_id, topic_id
from app.web.api.link_models import AnsweredBody, CommentAppealBody, LinkBody, LinkTold
from app.web.api.models import AppealCreated, ReplyAccepted
from app.web.deps import CurrentLooking, CurrentOffice, Now, Parts, RowId, Writing, requires

if TYPE_CHECKING:
    from app.web.api.link_models import State

router = APIRouter(prefix="/api/v1", tags=["appeals"], dependencies=[Depends(BEARER)])

Creator = Annotated[Access, Depends(requires(Permission.APPEAL_CREATE))]
Worker = Annotated[Access, Depends(requires(Permission.APPEAL_WORK))]


@router.post("/links", summary="Follow a link to a post or comment", responses=problems(400, 409, 413))
async def follow_link(body: LinkBody, access: Creator, session: Writing, parts: Parts, now: Now, looking: CurrentLooking) -> LinkTold:
    """Says what is known of it. `wanted`: it is being fetched, ask the same again. Only platforms that are known are ever asked.

    `found` and `refused`: open the appeal by `POST /appeals` with this `link`, the words and the citizen's time.
    """
    read = by_link.read_link(parts.plugins, body.link)
    if read is None:
        raise InvalidError("link.unknown", "This is no link to a post or comment of a platform that we know.", field="link")
    led = await by_link.follow(session, access, platform=read[0], reference=read[1], now=now)
    looking.looks("comment", [] if led.comment_id is None else [led.comment_id])
    return _told(led)


@router.post(
    "/comments/{comment_id}/appeal", summary="Open an appeal from a stored comment", status_code=201, responses=problems(400, 404, 409, 413)
)
async def open_from_comment(
    comment_id: RowId, body: CommentAppealBody, access: Creator, session: Writing, office: CurrentOffice, now: Now, response: Response
) -> AppealCreated:
    """Whatever triage made of the comment. One that has an appeal leads to it: asked twice, it is one appeal."""
    directory = office.desk.directory
    number = await desk.open_comment(
        session,
        access,
        office,
        comment_id=comment_id,
        topic_id=topic_id(directory, body.topic),
        agency_id=agency_id(directory, body.agency),
        now=now,
    )
    response.headers["Location"] = f"/api/v1/appeals/{format_number(number)}"
    return AppealCreated(number=format_number(number), repeated=False)


@router.post(
    "/appeals/{number}/answered", summary="Say that an answer was posted by hand", status_code=201, responses=problems(400, 404, 409, 413)
)
async def answered_by_hand(
    number: str, body: AnsweredBody, access: Worker, session: Writing, office: CurrentOffice, now: Now, key: Key = None
) -> ReplyAccepted:
    """For an appeal that has no place where we publish: another's page, a call, a letter. The clock stops at `published_at`."""
    asked = number_in_path(number)

    async def give() -> tuple[int, bool]:
        return await elsewhere.posted_by_hand(
            session,
            access,
            number=asked,
            words=body.text,
            link=body.link,
            published_at=body.published_at,
            promises=office.promises,
            seen_version=body.version,
            now=now,
        )

    request = ("answered", asked, body.text, body.link, body.published_at)
    reply_id, repeated = await done_once(session, access, key=key, request=request, give=give)
    return ReplyAccepted(id=reply_id, number=format_number(asked), state=ReplyState.SENT, repeated=repeated)


def _told(led: by_link.Led) -> LinkTold:
    return LinkTold(
        state=cast("State", led.state),
        platform=led.platform,
        link=led.link,
        number=None if led.number is None else format_number(led.number),
        comment_id=led.comment_id,
        code=led.code,
        text=led.text or None,
        author_name=led.author_name or None,
        written_at=led.written_at,
    )
