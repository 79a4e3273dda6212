"""One post of any open wall, or one comment there or beside it, by its number: as a person's link names it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from connectors.contract import PageRef, PostRef, Rejected, UnknownPayload
from connectors.payload import OddError
from connectors.references import Fetched, fetched
from connectors.vk import mapping
from connectors.vk.calls import Call
from connectors.vk.capabilities import READERS, WALL
from connectors.vk.places import place_of

if TYPE_CHECKING:
    from datetime import datetime

    from connectors.contract import AuthorSnapshot, CommentSnapshot, PostSnapshot, Reference
    from connectors.vk.client import VkClient
    from connectors.vk.places import Place


async def fetch(client: VkClient, reference: Reference, *, observed_at: datetime) -> Fetched:
    """The comment with its post, or the post. Raises Rejected `gone`, and whatever VK refuses with."""
    if reference.post is None:
        raise Rejected("unsupported", "the link names no post")
    place = place_of(PostRef(page=PageRef(external_id=reference.page), external_id=reference.post))
    post, author = None, None
    if place.kind == WALL:
        found = await _post(client, reference, observed_at)
        if found is None:
            raise Rejected("gone", "there is no such post on VK any more")
        post, author = found
    if reference.comment is None:
        if post is None:
            raise Rejected("unsupported", "the link names no comment")
        return fetched(post, None, author)
    comment = await _comment(client, reference, place, observed_at)
    if comment is None or comment.deleted:
        raise Rejected("gone", "there is no such comment on VK any more")
    return fetched(post or mapping.named_post(comment, reference.post), comment)


async def _post(client: VkClient, reference: Reference, observed_at: datetime) -> tuple[PostSnapshot, AuthorSnapshot | None] | None:
    asked = f"{reference.page}_{reference.post}"
    call = Call(method="wall.getById", params={"posts": asked, "extended": 1}, kinds=READERS, page=reference.page)
    answer = await client.call(call)
    try:
        return mapping.post_of(answer.value, page_external_id=reference.page, post=int(reference.post or 0), observed_at=observed_at)
    except OddError as odd:
        raise UnknownPayload("malformed", str(odd), raw=answer.raw) from odd


async def _comment(client: VkClient, reference: Reference, place: Place, observed_at: datetime) -> CommentSnapshot | None:
    """`wall.getComment` takes a person's token only; the list of comments, begun at this one, takes a service's too."""
    number = int(reference.comment or 0)
    params = {**place.named, "extended": 1, "sort": "asc", "start_comment_id": number, "count": 1}
    if not place.flat and reference.root is not None and reference.root != reference.comment:
        params["comment_id"] = reference.root
    answer = await client.call(Call(method=place.read_by, params=params, kinds=place.readers, page=reference.page))
    post = str(reference.post)
    under = mapping.Under(page_external_id=reference.page, post_external_id=post, observed_at=observed_at, place=place)
    try:
        return mapping.comment_of(answer.value, under, number)
    except OddError as odd:
        raise UnknownPayload("malformed", str(odd), raw=answer.raw) from odd
