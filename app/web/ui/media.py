"""Pictures of comments and posts, for whoever may see these: by the comment's number, never by an address."""

from __future__ import annotations

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from app.kernel.errors import NotFoundError
from app.kernel.outgoing import RefusedError
from app.media.pictures import MEDIA_TYPE
from app.media.queries import attachment
from app.media.rules import Size
from app.people.rules import Permission
from app.web.deps import CurrentAccess, Parts, opened, requires, web_of
from app.web.ui.fields import row_number

router = APIRouter(include_in_schema=False, dependencies=[Depends(requires(Permission.APPEAL_READ))])

_PLACES = 30
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
    good = of in {"comment", "post"} and place.isascii() and place.isdigit() and len(place) <= 2 and int(place) < _PLACES  # noqa: PLR2004
    if row_id is None or not good or size not in set(Size):
        raise _gone()
    async with opened(parts.database.read(operator_id=access.operator_id)) as session:
        found = await attachment(session, of=of, row_id=row_id, place=int(place))
    if found is None:
        raise _gone()
    try:
        content = await web_of(request).media.picture(found[0], found[1], size=Size(size))
    except RefusedError as error:
        raise _gone() from error
    return Response(content, media_type=MEDIA_TYPE, headers=_HEADERS)


def _gone() -> NotFoundError:
    return NotFoundError("picture.gone", "There is no such picture, or it cannot be shown.")
