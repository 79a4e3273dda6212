"""Pictures of comments, posts and answers, for whoever may see these: by the comment's number, never by an address."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from app.kernel.errors import NotFoundError
from app.kernel.outgoing import RefusedError
from app.kernel.parts import WebParts
from app.media.pictures import MEDIA_TYPE, redrawn
from app.media.queries import attachment
from app.media.rules import Size
from app.media.shelf import Place, ask, stands
from app.people.rules import Permission
from app.replies.pictures import one_of
from app.web.deps import CurrentAccess, Parts, opened, requires, web_of
from app.web.errors import UnavailableError
from app.web.ui.fields import row_number

router = APIRouter(include_in_schema=False, dependencies=[Depends(requires(Permission.APPEAL_READ))])

_PLACES = 30
_LOOKS, _LOOKS_EVERY = 5, 0.5
_HEADERS = {
    # Whatever a browser makes of it, it stays a picture.
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Content-Disposition": 'inline; filename="picture.jpg"',
    "Cache-Control": "private, max-age=3600",
}


@router.get("/media/{of}/{row}/{place}/{size}")
async def picture(request: Request, access: CurrentAccess, parts: Parts, of: str, row: str, place: str, size: str) -> Response:
    """The picture, made anew. 404 for what is out of sight, no picture, or cannot be had: which of these is told to nobody."""
    row_id = row_number(row)
    good = of in {"comment", "post", "reply"} and place.isascii() and place.isdigit() and len(place) <= 2 and int(place) < _PLACES  # noqa: PLR2004
    if row_id is None or not good or size not in set(Size):
        raise _gone()
    if of == "reply":
        content = await _of_our_own(parts, access.operator_id, row_id, int(place), Size(size))
        return Response(content, media_type=MEDIA_TYPE, headers=_HEADERS)
    async with opened(parts.database.read(operator_id=access.operator_id)) as session:
        found = await attachment(session, of=of, row_id=row_id, place=int(place))
    if found is None:
        raise _gone()
    media = web_of(request).media
    try:
        if found[1].get("url") is None and media.hosts.shows(found[0], str(found[1].get("kind")), None):
            content = await _from_the_worker(parts, access.operator_id, Place(of=of, row_id=row_id, place=int(place)), Size(size))
        else:
            content = await media.picture(found[0], found[1], size=Size(size))
    except RefusedError as error:
        raise _gone() from error
    return Response(content, media_type=MEDIA_TYPE, headers=_HEADERS)


async def _of_our_own(parts: WebParts, operator_id: int, reply_id: int, place: int, size: Size) -> bytes:
    """A picture of an answer of ours: it was made anew when it came, and nobody else has it."""
    async with opened(parts.database.read(operator_id=operator_id)) as session:
        content = await one_of(session, reply_id=reply_id, place=place)
    if content is None:
        raise _gone()
    return content if size is Size.LARGE else await asyncio.to_thread(redrawn, content, longest=size.pixels)


async def _from_the_worker(parts: WebParts, operator_id: int, place: Place, size: Size) -> bytes:
    """What the worker has fetched, after some patience. RefusedError when there is none, UnavailableError while it is on its way."""
    for turn in range(_LOOKS):
        if turn:
            await asyncio.sleep(_LOOKS_EVERY)
        async with opened(parts.database.read(operator_id=operator_id)) as session:
            found = await stands(session, place)
        if found is None:
            async with opened(parts.database.write(operator_id=operator_id)) as session:
                await ask(session, place, now=parts.clock.now())
        elif found[0] == "refused":
            raise RefusedError("refused", "There is no picture to show.")
        elif found[1] is not None:
            return found[1] if size is Size.LARGE else await asyncio.to_thread(redrawn, found[1], longest=size.pixels)
    raise UnavailableError("picture.fetching", "The picture is being fetched: ask again in a few seconds.")


def _gone() -> NotFoundError:
    return NotFoundError("picture.gone", "There is no such picture, or it cannot be shown.")
