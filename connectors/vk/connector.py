"""VK's connector: which call answers which verb, and with which token."""

from __future__ import annotations

import asyncio
import html
from datetime import timedelta
from typing import TYPE_CHECKING

from connectors.contract import (
    Batch,
    CannotTell,
    ConnectorError,
    OutcomeUnknown,
    Rejected,
    Sent,
)
from connectors.lookup import look_through
from connectors.meanings import mapped
from connectors.payload import check_text, is_object, maybe_int, maybe_text
from connectors.vk import galleries, mapping, mentions, pages, push, references, threads
from connectors.vk.amends import Amends
from connectors.vk.bundles import MOST
from connectors.vk.calls import Answer, Call
from connectors.vk.capabilities import ANY, CAPABILITIES, PROBE_LIMIT, READERS, TEXT_LIMIT, TOPIC, WALL
from connectors.vk.client import VkClient
from connectors.vk.links import Named, named
from connectors.vk.listening import Listener
from connectors.vk.places import place_of, voice_of, whole
from connectors.vk.uploads import Uploader

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime

    from connectors.contract import (
        CommentSnapshot,
        Heard,
        Options,
        Outgoing,
        PageRef,
        Pages,
        PageSnapshot,
        PostCount,
        PostRef,
        PostSnapshot,
        Reference,
        SentLookup,
        Unreadable,
    )
    from connectors.pages import AbilityCheck, PageFacts
    from connectors.references import Fetched

WALL_PAGE = 100
WALL_OVERLAP = 5
GALLERIES_EVERY = timedelta(minutes=10)
MOST_FOUND, MOST_MENTIONS = 200, 50
"""Rows in one call of `newsfeed.search` and `newsfeed.getMentions`: VK's maxima."""
MENTIONS_SINCE = timedelta(days=7)
READ_BACK_SECONDS = 3.0
CLOCKS_APART = timedelta(seconds=60)
"""How far VK's clock and ours may differ when an answer of unknown outcome is looked for."""
LOOKUP_PARTS = 200


class VkConnector(Amends):
    """The verbs of the contract over VK."""

    probe_limit = PROBE_LIMIT
    bundle = MOST
    pages_limit = pages.PAGES_LIMIT
    pushed_alone = True

    def __init__(self, options: Options, base_url: str) -> None:
        self._options = options
        self._client = VkClient(options, base_url)
        self._listener = Listener(self._client, options, base_url, self._client.limit("listen_seconds"))
        self._uploader = Uploader(self._client, options, base_url)
        self._galleries_at: dict[str, datetime] = {}
        # Two at least: every page after the first begins with a row that was seen already.
        self._page = min(threads.PAGE, max(2, int(options.limits.get("batch", threads.PAGE))))

    def parse_push(self, page: PageRef, pages: Pages, body: bytes, *, observed_at: datetime) -> Batch:  # noqa: ARG002 - the contract's
        """What an event of the Callback API tells; a community's hook speaks of this community alone."""
        return push.batch(body, page=page, observed_at=observed_at)

    async def listen(self, page_external_id: str, cursor: str | None) -> Heard:
        """The community's events after `cursor`, by Bots Long Poll."""
        return await self._listener.listen(page_external_id, cursor)

    def calls_per_second(self, verb: str) -> float:
        """What the tokens that may carry out this verb allow together."""
        told = next((capability for capability in CAPABILITIES if capability.verb == verb), None)
        if told is None:
            return 0
        fitting = [one for one in self._options.credentials if one.kind in told.token_kinds]
        return sum(self._client.readings_per_second(one, told.methods[0]) for one in fitting)

    def calls_a_day(self, verb: str) -> float | None:
        """Listings have a quota of a day for each token; nothing else that polling needs has one."""
        if verb != "discover":
            return None
        return self._client.limit("wall_get_per_day") * sum(one.kind in READERS for one in self._options.credentials)

    async def close(self) -> None:
        """Release sockets and threads."""
        await self._listener.close()
        await self._uploader.close()
        await self._client.close()

    # --- pages and posts ---------------------------------------------------------------------------------------------

    async def describe_page(self, link: str) -> PageSnapshot:
        """The community behind a link, a screen name or an id. Raises Rejected `not_a_page` or `gone`."""
        if (search := mentions.asked(link)) is not None:
            return mentions.snapshot(search, await self.describe_page(search.name))
        name = named(link)
        if name is None or name.person:
            raise _rejected("not_a_page", f"not the address of a VK community: {link[:200]}")
        number = name.community or await self._community(name)
        params: dict[str, str | int] = {"group_ids": number, "fields": "members_count,screen_name,wall,verified"}
        answer = await self._client.call(Call(method="groups.getById", params=params, kinds=ANY))
        return mapped(answer, mapping.page_snapshot)

    async def tell_pages(self, names: Sequence[str]) -> Mapping[str, PageFacts | ConnectorError]:
        """What VK says of at most 500 communities, in one call."""
        return await pages.tell(self._client, names)

    async def check_page(self, external_id: str, *, page_options: Mapping[str, str]) -> Sequence[AbilityCheck]:  # noqa: ARG002 - the contract's
        """What the tokens may do on a community's wall."""
        return await pages.check(self._client, external_id)

    async def _community(self, name: Named) -> int:
        screen_name = name.screen_name or ""
        call = Call(method="utils.resolveScreenName", params={"screen_name": screen_name}, kinds=ANY)
        found = mapped(await self._client.call(call), mapping.resolved)
        if found is None:
            raise _rejected("gone", f"nobody on VK is called {screen_name}")
        kind, number = found
        if kind not in {"group", "page", "event"}:
            raise _rejected("not_a_page", f"{screen_name} is a VK {kind}, not a community")
        return number

    async def discover(self, page: PageRef, *, limit: int) -> Batch:
        """The newest posts of a wall: one call for each hundred, each of which begins among those of the one before.

        What is deleted between two calls moves all below it up. VK may leave rows out: by its total the wall goes on all the same.
        """
        posts: list[PostSnapshot] = []
        unreadable: list[Unreadable] = []
        ends = False
        for offset in range(0, max(1, limit - 2 * WALL_OVERLAP), WALL_PAGE - WALL_OVERLAP):
            count = min(WALL_PAGE, limit - offset)
            params: dict[str, str | int] = {"owner_id": page.external_id, "count": count, "offset": offset}
            observed_at = self._options.now()
            answer = await self._client.call(Call(method="wall.get", params=params, kinds=READERS, page=page.external_id))
            told = mapped(answer, mapping.wall_posts, page_external_id=page.external_id, observed_at=observed_at)
            posts += told.posts
            unreadable += told.unreadable
            total = (maybe_int(answer.value.get("count")) if is_object(answer.value) else None) or 0
            ends = len(told.posts) + len(told.unreadable) < count and total <= offset + count
            if ends:
                break
        return Batch(posts=tuple(posts), unreadable=tuple(unreadable), reached=None if ends or not posts else posts[-1].published_at)

    async def fetch_reference(self, reference: Reference, page: PageRef | None) -> Fetched:  # noqa: ARG002 - VK shows any open wall
        """One post or comment, by the link of a person."""
        return await references.fetch(self._client, reference, observed_at=self._options.now())

    async def probe(self, posts: Sequence[PostRef]) -> Sequence[PostCount]:
        """Comment counters of at most a hundred posts of any pages, in one call."""
        if len(posts) > PROBE_LIMIT:
            raise _rejected("bad_request", f"{len(posts)} posts in one call, {PROBE_LIMIT} are allowed")
        if not posts:
            return []
        kinds: dict[str, list[PostRef]] = {}
        for post in posts:
            kinds.setdefault(place_of(post).kind, []).append(post)
        told = await asyncio.gather(*(self._counts(kind, some) for kind, some in kinds.items()), return_exceptions=True)
        counts = [count for part in told if not isinstance(part, BaseException) for count in part]
        for part in told:
            if isinstance(part, BaseException) and (not counts or not isinstance(part, ConnectorError)):
                raise part
        return counts

    async def _counts(self, kind: str, posts: Sequence[PostRef]) -> Sequence[PostCount]:
        if kind != WALL:
            return await galleries.counts(self._client, kind, posts, self._options.now())
        places = [place_of(post) for post in posts]
        asked = ",".join(f"{place.owner}_{place.number}" for place in places)
        voices = {place.voice for place in places}
        page = str(voices.pop()) if len(voices) == 1 else None
        observed_at = self._options.now()
        answer = await self._client.call(Call(method="wall.getById", params={"posts": asked}, kinds=READERS, page=page))
        return mapped(answer, mapping.post_counts, asked=posts, observed_at=observed_at)

    # --- comments ------------------------------------------------------------------------------------------------

    async def read_thread(self, post: PostRef, *, root_external_id: str | None, cursor: str | None) -> Batch:
        """One call's worth of a post's comments."""
        place = place_of(post)
        root = None if root_external_id is None or place.elsewhere or place.flat else whole(root_external_id)
        observed_at = self._options.now()
        under = self._under(post, observed_at)
        reading = threads.resume(cursor, now=observed_at, root=root)
        try:
            answer = await self._get_comments(post, threads.next_call(reading, self._page))
        except Rejected as error:
            if reading.open and error.code in {"gone", "denied"} and await self._still_there(post):
                passed = threads.skip(reading, under).batch
                return mentions.answers_only(passed) if place.elsewhere else passed
            raise
        inside = reading.open[0] if reading.open else None
        page = mapped(answer, mapping.comments_page, under, root=inside)
        batch = threads.fold(reading, page, under, self._page).batch
        return mentions.answers_only(batch) if place.elsewhere else batch

    def _under(self, post: PostRef, observed_at: datetime) -> mapping.Under:
        return mapping.Under(
            page_external_id=post.page.external_id, post_external_id=post.external_id, observed_at=observed_at, place=place_of(post)
        )

    async def _still_there(self, post: PostRef) -> bool:
        """Whether the post itself can be read: a refused thread is passed over only then."""
        await self._get_comments(post, {"count": 1})
        return True

    async def _get_comments(self, post: PostRef, paging: dict[str, int]) -> Answer:
        place = place_of(post)
        told = {key: value for key, value in paging.items() if not (place.flat and key in {"comment_id", "thread_items_count"})}
        params: dict[str, str | int] = {**place.named, "sort": "asc", "extended": 1, "fields": "screen_name", **told}
        if place.kind == WALL:
            params["preview_length"] = 0
        return await self._client.call(Call(method=place.read_by, params=params, kinds=place.readers, page=str(place.voice)))

    async def list_places(self, page_external_id: str) -> Batch:
        """Photos, videos and discussions with comments: 4 calls at most, every ten minutes."""
        due = self._galleries_at.get(page_external_id)
        if due is not None and self._options.now() < due:
            return Batch()
        self._galleries_at[page_external_id] = self._options.now() + GALLERIES_EVERY / self._options.time_scale
        return await galleries.listed(self._client, page_external_id, self._options.now())

    async def mentions(self, page_external_id: str, *, limit: int, own: Collection[str]) -> Batch:
        """What a search finds, the newest first: 200 in a call by words (1,000 calls a day), 50 of those that name the community."""
        words, voice = mentions.words_of(page_external_id), voice_of(page_external_id)
        if voice is None:
            raise _rejected("bad_request", f"not a search: {page_external_id[:40]!r}")
        observed_at = self._options.now()
        since = int((self._options.now() - MENTIONS_SINCE).timestamp())
        batch, start = Batch(), ""
        while (done := _rows(batch)) < limit:
            params: dict[str, str | int] = {"start_time": since, "count": min(limit - done, MOST_MENTIONS if words is None else MOST_FOUND)}
            if words is None:
                params |= {"owner_id": voice, "offset": done}
                call = Call(method="newsfeed.getMentions", params=params, kinds=("user",))
            else:
                params |= {"q": words, "extended": 1, "fields": "screen_name"}
                if start:
                    params["start_from"] = start
                call = Call(method="newsfeed.search", params=params, kinds=READERS)
            answer = await self._client.call(call)
            part = mapped(answer, mentions.found, page_external_id=page_external_id, voice=voice, own=own, observed_at=observed_at)
            batch = mentions.joined(batch, part)
            start = maybe_text(answer.value.get("next_from")) or "" if is_object(answer.value) else ""
            if not _rows(part) or (words is not None and not start):
                break
        return batch

    # --- answers -------------------------------------------------------------------------------------------------

    async def send(self, outgoing: Outgoing) -> Sent:
        """Publish a comment in the community's name. Its `guid` keeps VK from publishing a repeated call twice.

        Pictures are uploaded before, by other calls, which may be repeated.
        """
        check_text(outgoing.text, limit=TEXT_LIMIT)
        place = place_of(outgoing.post)
        group = abs(place.voice) if place.kind == WALL else 1
        params: dict[str, str | int] = {**place.named, "from_group": group, "message": outgoing.text, "guid": outgoing.guid}
        if outgoing.reply_to_external_id != mentions.POST and place.kind != TOPIC:
            params["reply_to_comment"] = whole(outgoing.reply_to_external_id)
        if outgoing.pictures:
            params["attachments"] = await self._uploader.put(outgoing.pictures, community=abs(place.voice))
        answer = await self._client.call(
            Call(
                method=place.written_by,
                params=params,
                kinds=place.writers,
                page=str(place.voice),
                sending=True,
            )
        )
        number = maybe_int(answer.value.get("comment_id") if is_object(answer.value) else answer.value)
        if not number:
            code = "malformed"
            raise OutcomeUnknown(code, f"{place.written_by} answered without comment_id")
        published_at = await self._published_at(outgoing, number) or answer.date or self._options.now()
        return Sent(external_id=str(number), published_at=published_at, link=_link(outgoing, number))

    async def _published_at(self, outgoing: Outgoing, number: int) -> datetime | None:
        """When VK says it published the answer; None when that cannot be read now.

        wall.createComment tells only the id. Whatever fails here, the answer stands: nothing is raised.
        """
        patience = min(READ_BACK_SECONDS, self._options.timeout)
        try:
            async with asyncio.timeout(patience):
                found = await self._own_comment(outgoing, number)
        except (ConnectorError, TimeoutError):
            return None
        return found.written_at if found else None

    async def _own_comment(self, outgoing: Outgoing, number: int) -> CommentSnapshot | None:
        post = outgoing.post
        under, place = self._under(post, self._options.now()), place_of(post)
        if place.flat:
            answer = await self._get_comments(post, {"start_comment_id": number, "count": 1})
        elif place.kind == WALL and self._client.can(("user",), str(place.voice)):
            params: dict[str, str | int] = {"owner_id": place.owner, "comment_id": number}
            call = Call(method="wall.getComment", params=params, kinds=("user",), page=str(place.voice))
            answer = await self._client.call(call)
        else:
            root = whole(outgoing.root_external_id)
            answer = await self._get_comments(post, {"comment_id": root, "start_comment_id": number, "count": 1})
        return mapped(answer, mapping.comment_of, under, number)

    async def find_sent(self, outgoing: Outgoing) -> SentLookup:
        """Read the thread and look for the page's own comment with this text; Absent only when all of it was read."""
        place = place_of(outgoing.post)
        if not self._client.can(place.readers, str(place.voice)):
            return CannotTell(reason="no service or user token is configured to read the thread")
        return await look_through(
            lambda cursor: self.read_thread(outgoing.post, root_external_id=outgoing.root_external_id, cursor=cursor),
            lambda one: _is_answer(one, outgoing),
            lambda one: Sent(external_id=one.external_id, published_at=one.written_at, link=_link(outgoing, int(one.external_id))),
            most=LOOKUP_PARTS,
        )


def _is_answer(comment: CommentSnapshot, outgoing: Outgoing) -> bool:
    return (
        comment.by_page
        and not comment.deleted
        and (comment.reply_to_external_id == outgoing.reply_to_external_id or place_of(outgoing.post).kind == TOPIC)
        and comment.written_at >= outgoing.first_tried_at - CLOCKS_APART
        and _plain(comment.text) == _plain(outgoing.text)
    )


def _plain(text: str) -> str:
    """A text as VK may have rewritten it: entities, line ends and runs of blanks make no difference."""
    return " ".join(html.unescape(text).split())


def _link(outgoing: Outgoing, number: int) -> str:
    root = outgoing.root_external_id
    return place_of(outgoing.post).link(number, None if root == mentions.POST else root)


def _rows(batch: Batch) -> int:
    """How many rows of an answer went into a batch, those that were left out included."""
    return len(batch.comments) + len(batch.unreadable) + sum(batch.skipped.values())


def _rejected(code: str, detail: str) -> Rejected:
    return Rejected(code, detail)
