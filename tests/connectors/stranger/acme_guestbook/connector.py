"""The verbs of the contract over a guest book."""

from __future__ import annotations

from typing import TYPE_CHECKING

from connectors.contract import (
    Absent,
    AccessLost,
    Batch,
    CannotTell,
    CommentSnapshot,
    Deletion,
    Feed,
    Found,
    OutcomeUnknown,
    PostSnapshot,
    Rejected,
    UnknownPayload,
    Unreadable,
)
from connectors.payload import OddError, as_list, as_object, is_publishable

from . import TEXT_LIMIT, mapping
from .client import GuestbookClient

if TYPE_CHECKING:
    from collections.abc import Sequence

    from connectors.contract import Options, Outgoing, PageRef, PageSnapshot, Sent, SentLookup

MOST = 100


class GuestbookConnector:
    """One book per key."""

    def __init__(self, options: Options) -> None:
        self._now = options.now
        self._most = int(options.limits.get("batch", MOST))
        self._clients = [GuestbookClient(options, credential) for credential in options.credentials]

    async def close(self) -> None:
        """Release the sockets."""
        for client in self._clients:
            await client.close()

    def _client(self) -> GuestbookClient:
        if not self._clients:
            raise AccessLost("token_kind", "no key is configured")
        return self._clients[0]

    async def describe_page(self, link: str) -> PageSnapshot:
        """The book whose address this is."""
        answer, raw = await self._client().get("/api/book")
        try:
            found = mapping.page(answer)
        except OddError as odd:
            raise UnknownPayload("malformed", str(odd), raw=raw) from odd
        if link not in {found.link, found.external_id}:
            raise Rejected("not_a_page", f"the key belongs to {found.link}")
        return found

    def feeds(self, pages: Sequence[PageRef]) -> Sequence[Feed]:
        """A key is a feed."""
        return [Feed(key=client.credential.key, credential_key=client.credential.key, pages=tuple(pages)) for client in self._clients]

    async def poll(self, feed: Feed, cursor: str | None) -> Batch:
        """The events after the cursor."""
        answer, raw = await self._client().get("/api/events", after=int(cursor or 0), limit=self._most)
        page = feed.pages[0].external_id
        try:
            told, last = mapping.events(answer, page_id=page, address=f"https://{page}/guestbook", observed_at=self._now())
        except OddError as odd:
            raise UnknownPayload("malformed", str(odd), raw=raw) from odd
        return Batch(
            posts=tuple(one for one in told if isinstance(one, PostSnapshot)),
            comments=tuple(one for one in told if isinstance(one, CommentSnapshot)),
            deletions=tuple(one for one in told if isinstance(one, Deletion)),
            unreadable=tuple(one for one in told if isinstance(one, Unreadable)),
            cursor=cursor if last is None else str(last),
        )

    async def send(self, outgoing: Outgoing) -> Sent:
        """Write into the book in the town hall's name; the mark tells it apart later."""
        if len(outgoing.text) > TEXT_LIMIT:
            raise Rejected("too_long", f"{len(outgoing.text)} characters")
        if not is_publishable(outgoing.text):
            raise Rejected("bad_text")
        answer = await self._client().post(
            "/api/remarks",
            {"topic": int(outgoing.post.external_id), "in_reply_to": int(outgoing.reply_to_external_id), "words": outgoing.text,
             "mark": outgoing.guid},
        )  # fmt: skip
        try:
            return mapping.sent(answer, address=f"https://{outgoing.post.page.external_id}/guestbook")
        except OddError as odd:
            raise OutcomeUnknown("malformed", str(odd)) from odd

    async def find_sent(self, outgoing: Outgoing) -> SentLookup:
        """By its mark."""
        answer, _ = await self._client().get(f"/api/marks/{outgoing.guid}")
        try:
            found = as_list(as_object(answer, "answer").get("remarks"), "remarks")
            if not found:
                return Absent()
            return Found(sent=mapping.sent(found[0], address=f"https://{outgoing.post.page.external_id}/guestbook"))
        except OddError as odd:
            return CannotTell(reason=str(odd))
