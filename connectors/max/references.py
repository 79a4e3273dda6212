"""One post or comment of a channel that the bot administers, by its address: MAX shows a bot nothing of any other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from connectors.contract import PageRef, Rejected, UnknownPayload
from connectors.max import mapping
from connectors.payload import OddError, as_int, as_object
from connectors.references import Fetched, fetched

if TYPE_CHECKING:
    from datetime import datetime

    from connectors.contract import Credential, PostSnapshot, Reference
    from connectors.max.client import MaxClient

ROWS: Final = 100
LIST_CALLS: Final = 5
"""An address does not tell the number of its post: so far back is it looked for."""


async def fetch(client: MaxClient, bot: Credential, reference: Reference, page: PageRef | None, *, observed_at: datetime) -> Fetched:
    """The comment with its post, or the post. Raises Rejected `gone`, AccessLost `no_right` for a channel that is not the bot's."""
    found = page or await _channel(client, bot, reference.page)
    post = await _post(client, bot, found, reference, observed_at)
    if reference.comment is None:
        return fetched(post, None)
    answer = await client.get(bot, f"/messages/{quote(post.external_id, safe='')}/comments/{quote(reference.comment, safe='')}")
    under = mapping.Under(page=found, post=post.external_id, link=post.link, observed_at=observed_at)
    try:
        return fetched(post, mapping.one_comment(answer.value, under))
    except OddError as odd:
        raise UnknownPayload("malformed", str(odd), raw=answer.raw) from odd


async def _channel(client: MaxClient, bot: Credential, name: str) -> PageRef:
    answer = await client.get(bot, f"/chats/{quote(name, safe='')}")
    try:
        return PageRef(external_id=str(as_int(as_object(answer.value, "chat").get("chat_id"), "chat.chat_id")))
    except OddError as odd:
        raise UnknownPayload("malformed", str(odd), raw=answer.raw) from odd


async def _post(client: MaxClient, bot: Credential, page: PageRef, reference: Reference, observed_at: datetime) -> PostSnapshot:
    before: int | None = None
    for _ in range(LIST_CALLS):
        query: dict[str, str | int] = {"chat_id": page.external_id, "count": ROWS}
        query |= {} if before is None else {"from": before}
        answer = await client.get(bot, "/messages", **query)
        try:
            part = mapping.posts(answer.value, page=page, observed_at=observed_at)
        except OddError as odd:
            raise UnknownPayload("malformed", str(odd), raw=answer.raw) from odd
        found = next((post for post in part.posts if post.link == reference.thread), None)
        if found is not None:
            return found
        if part.told < ROWS or part.oldest is None or part.oldest == before:
            break
        before = part.oldest
    raise Rejected("gone", "no post with this address among the newest of the channel")
