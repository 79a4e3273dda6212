"""One topic or comment by its number: as a person's link names it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from connectors.contract import Rejected, UnknownPayload
from connectors.ok import links, mapping
from connectors.payload import OddError
from connectors.references import Fetched, fetched

if TYPE_CHECKING:
    from datetime import datetime

    from connectors.contract import PageRef, Reference
    from connectors.ok.client import OkClient


async def fetch(client: OkClient, reference: Reference, page: PageRef | None, *, observed_at: datetime) -> Fetched:
    """The comment with its topic, or the topic. Raises Rejected `gone`, and whatever OK refuses with."""
    if reference.post is None:
        raise Rejected("unsupported", "the link names no topic")
    group = reference.page if page is None else page.external_id
    kind, number = links.parts(reference.post)
    named = {"discussionId": number, "discussionType": kind}
    answer = await client.read("discussions.get", named, page=group)
    try:
        post, owner = mapping.discussion(answer.value, group=group, observed_at=observed_at)
        if reference.comment is None:
            return fetched(post, None, owner)
        answer = await client.read("discussions.getComment", named | {"comment_id": reference.comment}, page=group)
        under = mapping.Under(page=post.page_external_id, post=post.external_id, observed_at=observed_at)
        return fetched(post, mapping.one_comment(answer.value, under))
    except OddError as odd:
        raise UnknownPayload("malformed", str(odd), raw=answer.raw) from odd
