"""OK's connector: which call answers which verb."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from connectors.contract import (
    AccessLost,
    Batch,
    ConnectorError,
    OutcomeUnknown,
    PostCount,
    Rejected,
    Sent,
    UnknownPayload,
    WholeThread,
)
from connectors.lookup import is_answer, look_through
from connectors.ok import links, mapping, pages, references
from connectors.ok.amends import Amends
from connectors.ok.capabilities import PROBE_LIMIT, TEXT_LIMIT
from connectors.ok.client import OkClient
from connectors.payload import OddError, check_text, is_object, readable_part

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from connectors.contract import (
        Credential,
        Options,
        Outgoing,
        PageRef,
        PageSnapshot,
        PostRef,
        PostSnapshot,
        Reference,
        SentLookup,
    )
    from connectors.pages import AbilityCheck, PageFacts
    from connectors.references import Fetched

ROWS: Final = 100
LIST_CALLS: Final = 10
"""So deep is a listing followed; what lies below had no comment for long, and is found by its own counter."""
PROBE_LISTS: Final = 3
PROBE_CALLS: Final = PROBE_LISTS + PROBE_LIMIT / 2
"""What a probe is reckoned at: the lists, and half of its posts that stand in none of them."""
READ_BACK_SECONDS: Final = 3.0
LIST_SECONDS: Final = 5.0
"""So long a list is good for all: it tells of all groups of its token, and each of them is asked for by itself."""
LIST_FIELDS: Final = (
    "discussion.object_id,discussion.object_type,discussion.title,discussion.message,discussion.new_comments_count,"
    "discussion.total_comments_count,discussion.creation_date_ms,discussion.last_activity_date_ms,discussion.ref_objects"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """How far a discussion has been read. `sound`: every row so far was readable."""

    since: str
    anchor: str | None = None
    sound: bool = True


class OkConnector(Amends):
    """The verbs of the contract over OK's REST API."""

    probe_limit = PROBE_LIMIT
    pages_limit = pages.PAGES_LIMIT

    def __init__(self, options: Options, base_url: str) -> None:
        self._options = options
        self._client = OkClient(options, base_url)
        self._lists: dict[tuple[str, str | None], tuple[datetime, mapping.Listing]] = {}
        self._list_for = timedelta(seconds=options.limits.get("list_seconds", LIST_SECONDS)) / options.time_scale
        self._rows = min(ROWS, max(1, int(options.limits.get("batch", ROWS))))

    async def close(self) -> None:
        """Release the sockets."""
        await self._client.close()

    async def describe_page(self, link: str) -> PageSnapshot:
        """The group behind a link, a short name or a number. Raises Rejected `not_a_page`, `gone`."""
        named = links.named(link)
        if named is None or named.person:
            raise Rejected("not_a_page", f"not the address of a group on OK: {link[:200]}")
        group = named.group or await self._resolve(named.short_name or "")
        answer = await self._client.read("group.getInfo", {"uids": group, "fields": "uid,name,shortname,members_count"}, page=group)
        try:
            found = mapping.page_snapshot(answer.value)
        except OddError as odd:
            raise UnknownPayload("malformed", str(odd), raw=answer.raw) from odd
        if found is None:
            raise Rejected("gone", f"OK knows no group {group}")
        return found

    async def tell_pages(self, names: Sequence[str]) -> Mapping[str, PageFacts | ConnectorError]:
        """What OK says of at most 100 groups."""
        return await pages.tell(self._client, names)

    async def check_page(self, external_id: str, *, page_options: Mapping[str, str]) -> Sequence[AbilityCheck]:  # noqa: ARG002 - the contract's
        """What the tokens may do on a group."""
        return await pages.check(self._client, external_id)

    async def _resolve(self, short_name: str) -> str:
        answer = await self._client.read("url.getInfo", {"url": f"{links.SITE}/{short_name}"}, page=None)
        try:
            group = mapping.group_behind(answer.value)
        except OddError as odd:
            raise UnknownPayload("malformed", str(odd), raw=answer.raw) from odd
        if group is None:
            raise Rejected("not_a_page", f"{short_name} is no group on OK")
        return group

    def calls_per_second(self, verb: str) -> float:
        """How often this verb may be used by all tokens together; a probe takes several calls of OK's."""
        return self._client.per_second * len(self._options.credentials) / (PROBE_CALLS if verb == "probe" else 1)

    # --- reading

    async def discover(self, page: PageRef, *, limit: int) -> Batch:
        """At least the newest `limit` discussions of a group, among those of all groups of its token: the latest activity first."""
        posts: dict[str, PostSnapshot] = {}
        told = mapping.Listing()
        credential = self._client.some("discussions.getList", page.external_id)[0]
        for _ in range(LIST_CALLS):
            part = await self._list(credential, told.anchor)
            posts |= {post.external_id: post for post in part.posts if post.page_external_id == page.external_id}
            told.unreadable += [one for one in part.unreadable if one.page_external_id == page.external_id]
            told.anchor, told.reached = part.anchor, part.reached
            if part.anchor is None or len(posts) >= limit:
                break
        return Batch(posts=tuple(posts.values()), unreadable=tuple(told.unreadable), reached=told.reached if told.anchor else None)

    async def _list(self, credential: Credential, anchor: str | None) -> mapping.Listing:
        """A part of the list, not older than some seconds; its anchor is None when it was the last one."""
        asked_at = self._options.now()
        self._lists = {key: known for key, known in self._lists.items() if asked_at - known[0] < self._list_for}
        if (known := self._lists.get((credential.key, anchor))) is not None:
            return known[1]
        params = {"category": "GROUP", "count": str(ROWS), "fields": LIST_FIELDS, "direction": "FORWARD"}
        answer = await self._client.call(credential, "discussions.getList", params | ({"anchor": anchor} if anchor else {}))
        try:
            found = mapping.listing(answer.value, observed_at=asked_at)
        except OddError as odd:
            raise UnknownPayload("malformed", str(odd), raw=answer.raw, credential_key=credential.key) from odd
        if found.told < ROWS or found.anchor == anchor:
            found.anchor = None
        self._lists[credential.key, anchor] = (asked_at, found)
        return found

    async def fetch_reference(self, reference: Reference, page: PageRef | None) -> Fetched:
        """One topic or comment, by the link of a person."""
        return await references.fetch(self._client, reference, page, observed_at=self._options.now())

    async def probe(self, posts: Sequence[PostRef]) -> Sequence[PostCount]:
        """Counters: from the lists of what was active lately, which tell of all groups at once; the others one by one.

        Nobody says whether they count replies, so the lists' moment of the last activity goes with them.
        """
        if len(posts) > self.probe_limit:
            raise Rejected("bad_request", f"{len(posts)} posts in one call")
        wanted = {(post.page.external_id, post.external_id): post for post in posts}
        counts: list[PostCount] = []
        active: dict[tuple[str, str], datetime] = {}
        lost: list[AccessLost] = []
        for credential in {token.key: token for post in posts for token in self._client.tokens(post.page.external_id)[:1]}.values():
            try:
                counts += await self._listed(credential, wanted, active)
            except AccessLost as error:
                lost.append(error)
                for key in [key for key in wanted if credential in self._client.tokens(key[0])[:1]]:
                    del wanted[key]
        for post in wanted.values():
            try:
                counts.append(await self._count_one(post))
            except AccessLost as error:  # to that group; the others are counted all the same
                lost.append(error)
        if lost and not counts:
            raise lost[0]
        return [replace(one, active_at=active.get((one.page_external_id, one.external_id))) for one in counts]

    async def _listed(
        self, credential: Credential, wanted: dict[tuple[str, str], PostRef], active: dict[tuple[str, str], datetime]
    ) -> list[PostCount]:
        """Counters of those that a token's lists tell; they are wanted no more."""
        counts: list[PostCount] = []
        anchor: str | None = None
        for _ in range(PROBE_LISTS):
            part = await self._list(credential, anchor)
            active |= part.active
            for post in part.posts:
                key = (post.page_external_id, post.external_id)
                if post.comment_count is not None and wanted.pop(key, None) is not None:
                    counts.append(replace(self._count(*key, post.comment_count), observed_at=post.observed_at))
            anchor = part.anchor
            if anchor is None or len(wanted) <= 1:  # one alone costs no more by its own counter
                break
        return counts

    def _count(self, page: str, post: str, count: int, *, gone: bool = False) -> PostCount:
        return PostCount(page_external_id=page, external_id=post, comment_count=count, observed_at=self._options.now(), gone=gone)

    async def _count_one(self, post: PostRef) -> PostCount:
        kind, number = links.parts(post.external_id)
        page = post.page.external_id
        try:
            answer = await self._client.read("discussions.getDiscussionCommentsCount", {"entityId": number, "entityType": kind}, page=page)
        except Rejected as error:
            if error.code != "gone":
                raise
            return self._count(page, post.external_id, 0, gone=True)
        try:
            return self._count(page, post.external_id, mapping.comments_count(answer.value))
        except OddError as odd:
            raise UnknownPayload("malformed", str(odd), raw=answer.raw) from odd

    async def read_thread(self, post: PostRef, *, root_external_id: str | None, cursor: str | None) -> Batch:  # noqa: ARG002 - OK has no threads
        """A part of the comments of a discussion, the oldest first; always of all of it: OK knows only who replied to whom."""
        reading = _resumed(cursor, self._options.now())
        kind, number = links.parts(post.external_id)
        params = {"discussionId": number, "discussionType": kind, "count": str(self._rows), "direction": "FORWARD"}
        # Not marked as read: the group's own people see what is new to them.
        params |= {"anchor": reading.anchor or "FIRST", "mark_as_read": "false"}
        answer = await self._client.read("discussions.getComments", params, page=post.page.external_id)
        try:
            page = mapping.comments_page(answer.value, self._under(post))
        except OddError as odd:
            raise UnknownPayload("malformed", str(odd), raw=answer.raw) from odd
        stuck = page.anchor is not None and page.anchor == reading.anchor
        reading = replace(reading, anchor=page.anchor, sound=reading.sound and not page.unreadable and not stuck)
        last = page.anchor is None or stuck
        whole = WholeThread(
            page_external_id=post.page.external_id,
            post_external_id=post.external_id,
            observed_at=datetime.fromisoformat(reading.since),
        )
        return Batch(
            comments=page.comments,
            unreadable=page.unreadable,
            complete_for=(whole,) if last and reading.sound else (),
            cursor=None if last else json.dumps(asdict(reading)),
        )

    def _under(self, post: PostRef) -> mapping.Under:
        return mapping.Under(page=post.page.external_id, post=post.external_id, observed_at=self._options.now())

    # --- answering

    async def send(self, outgoing: Outgoing) -> Sent:
        """Reply in the group's name."""
        check_text(outgoing.text, limit=TEXT_LIMIT)
        kind, number = links.parts(outgoing.post.external_id)
        params = {
            "entityId": number,
            "entityType": kind,
            "comment": outgoing.text,
            "reply_to_comment_id": outgoing.reply_to_external_id,
            "as_admin": "true",
        }
        answer = await self._client.send("discussions.addDiscussionComment", params, page=outgoing.post.page.external_id)
        try:
            comment = mapping.sent_id(answer.value)
        except OddError as odd:
            raise OutcomeUnknown("malformed", f"{odd}: {readable_part(answer.raw)}") from odd
        published_at = await self._published_at(outgoing.post, comment) or answer.date or self._options.now()
        return _sent(outgoing, comment, published_at)

    async def _published_at(self, post: PostRef, comment: str) -> datetime | None:
        """When OK says it published the answer; None when that cannot be read now. Whatever fails here, the answer stands."""
        kind, number = links.parts(post.external_id)
        params = {"discussionId": number, "discussionType": kind, "comment_id": comment}
        try:
            async with asyncio.timeout(min(READ_BACK_SECONDS, self._options.timeout)):
                answer = await self._client.read("discussions.getComment", params, page=post.page.external_id)
            return mapping.one_comment(answer.value, self._under(post)).written_at
        except (ConnectorError, TimeoutError, OddError):
            return None

    async def find_sent(self, outgoing: Outgoing) -> SentLookup:
        """Read the discussion and look for the group's own comment with this text; Absent only when all of it was read."""
        return await look_through(
            lambda cursor: self.read_thread(outgoing.post, root_external_id=None, cursor=cursor),
            lambda one: is_answer(one, outgoing),
            lambda one: _sent(outgoing, one.external_id, one.written_at),
        )


def _sent(outgoing: Outgoing, comment: str, published_at: datetime) -> Sent:
    link = links.comment_link(outgoing.post.page.external_id, outgoing.post.external_id, comment)
    return Sent(external_id=comment, published_at=published_at, link=link)


def _resumed(cursor: str | None, now: datetime) -> Reading:
    """The reading that a cursor stands for; one that is not ours starts anew."""
    try:
        told = json.loads(cursor) if cursor else None
        if is_object(told):
            reading = Reading(**told)  # type: ignore[arg-type]  # our own values; a wrong name is a TypeError, caught
            if datetime.fromisoformat(reading.since).utcoffset() is not None:
                return reading
    except (TypeError, ValueError):
        pass
    return Reading(since=now.isoformat())
