"""The two connectors of the platform in memory: one streams (as Telegram does), one is probed (as VK is)."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from connectors.contract import (
    AccessLost,
    Batch,
    Capability,
    CommentSnapshot,
    Deletion,
    Feed,
    Look,
    Options,
    Outgoing,
    PageRef,
    PageSnapshot,
    Pictures,
    Plugin,
    PostCount,
    PostRef,
    PostSnapshot,
    Reference,
    Rejected,
    Sent,
    SentLookup,
    Standing,
    Unreadable,
    WholeThread,
    utc_now,
)
from connectors.pages import ABILITIES, AbilityCheck
from connectors.payload import check_text
from connectors.references import Fetched, address, fetched

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from connectors.contract import Picture
    from connectors.fake.world import Event, FakeWorld

TEXT_LIMIT = 4096
PROBE_LIMIT = 100
PICTURES = Pictures(most=10, most_bytes=10_000_000, token_kinds=("fake",))
AMENDING = ("attach_pictures", "edit_answer", "delete_answer", "look_at_answer")
PART = 100
"""Rows in one batch, unless `Options.limits["batch"]` says otherwise."""


class FakeConnector:
    """What both styles share."""

    def __init__(self, world: FakeWorld, options: Options) -> None:
        self.world = world
        self.options = options
        self.part = int(options.limits.get("batch", PART))
        # Who gives the connector no clock means the world's.
        self.now = world.now if options.now is utc_now else options.now
        self.closed = False

    async def describe_page(self, link: str) -> PageSnapshot:
        """The page behind a link or an id."""
        self.world.before("describe_page")
        self._known()
        page = self.world.pages.get(link.rstrip("/").rsplit("/", 1)[-1])
        if page is None:
            raise Rejected("gone", link)
        self.world.after("describe_page")
        return page

    async def check_page(self, external_id: str, *, page_options: Mapping[str, str]) -> Sequence[AbilityCheck]:  # noqa: ARG002 - the contract's
        """What may be done on a page."""
        self.world.before("check_page")
        try:
            self._known()
        except AccessLost as error:
            return [AbilityCheck(ability=one, state="no", code=error.code, token_kinds=("fake",)) for one in ABILITIES]
        self.world.after("check_page")
        return self.world.checks.get(external_id) or [AbilityCheck(ability=one, state="yes") for one in ABILITIES]

    def _known(self) -> None:
        tokens = self.options.credentials
        if tokens and all(one.secret in self.world.dead for one in tokens):
            code = "reauthorise"
            raise AccessLost(code, "no token is good any more", credential_key=tokens[0].key)

    async def send(self, outgoing: Outgoing) -> Sent:
        """Publish once."""
        self.world.before("send")
        await asyncio.sleep(0)
        check_text(outgoing.text, limit=TEXT_LIMIT)
        PICTURES.check(outgoing.pictures)
        sent = self.world.publish(outgoing)
        self.world.after("send")
        return sent

    async def find_sent(self, outgoing: Outgoing) -> SentLookup:
        """Look for an answer of unknown outcome."""
        self.world.before("find_sent")
        found = self.world.look_up(outgoing)
        self.world.after("find_sent")
        return found

    async def fetch_reference(self, reference: Reference, page: PageRef | None) -> Fetched:  # noqa: ARG002 - everything is open here
        """One post or comment."""
        self.world.before("fetch_reference")
        post = self.world.posts.get(reference.post or "")
        told = {one.external_id: one for one in self.world.living(reference.post or "", None)} if post else {}
        comment = told.get(reference.comment or "")
        if post is None or (reference.comment is not None and comment is None):
            raise Rejected("gone", reference.link)
        now = self.now()
        self.world.after("fetch_reference")
        seen = None if comment is None else replace(comment, post_external_id=post.external_id, observed_at=now)
        return fetched(replace(post, observed_at=now), seen)

    async def edit_answer(self, standing: Standing, text: str) -> None:
        """Put this text in its place."""
        self.world.before("edit_answer")
        check_text(text, limit=TEXT_LIMIT)
        self.world.edit_answer(standing, text)
        self.world.after("edit_answer")

    async def attach_pictures(self, standing: Standing, pictures: Sequence[Picture]) -> tuple[str, ...]:
        """Put them beside the text."""
        self.world.before("attach_pictures")
        PICTURES.check(pictures)
        parts = self.world.attach(standing, tuple(pictures))
        self.world.after("attach_pictures")
        return parts

    async def delete_answer(self, standing: Standing) -> None:
        """Take it away."""
        self.world.before("delete_answer")
        self.world.delete_answer(standing)
        self.world.after("delete_answer")

    async def look_at_answer(self, standing: Standing) -> Look:
        """How it stands there."""
        self.world.before("look_at_answer")
        found = self.world.look_at(standing)
        self.world.after("look_at_answer")
        return found

    async def close(self) -> None:
        """Nothing to release."""
        self.closed = True


class StreamingConnector(FakeConnector):
    """News in order: the cursor is the number of events taken."""

    def feeds(self, pages: Sequence[PageRef]) -> Sequence[Feed]:
        """One feed per credential; without any, one."""
        keys = [credential.key for credential in self.options.credentials] or [self.world.platform]
        shares: dict[str, list[PageRef]] = {key: [] for key in keys}
        owners = {c.page_external_id: c.key for c in self.options.credentials if c.page_external_id}
        for page in pages:
            shares[owners.get(page.external_id, keys[0])].append(page)
        return [Feed(key=key, credential_key=key, pages=tuple(share)) for key, share in shares.items() if share]

    async def poll(self, feed: Feed, cursor: str | None) -> Batch:
        """The events after the cursor; waits `poll_wait` seconds when there is none."""
        self.world.before("poll")
        start = int(cursor or 0)
        if len(self.world.events) <= start:
            await self._wait()
        taken = self.world.events[start : start + self.part]
        watched = {page.external_id for page in feed.pages}
        now = self.now()
        mine = [_observed(event, now) for event in taken if event.page_external_id in watched]
        self.world.after("poll")
        return Batch(
            posts=tuple(event for event in mine if isinstance(event, PostSnapshot)),
            comments=tuple(event for event in mine if isinstance(event, CommentSnapshot)),
            deletions=tuple(event for event in mine if isinstance(event, Deletion)),
            unreadable=tuple(event for event in mine if isinstance(event, Unreadable)),
            skipped={"another page": len(taken) - len(mine)} if len(taken) > len(mine) else {},
            cursor=str(start + len(taken)),
        )

    async def _wait(self) -> None:
        self.world.news.clear()
        try:
            async with asyncio.timeout(self.world.poll_wait):
                await self.world.news.wait()
        except TimeoutError:
            return


class FakeLinks:
    """The addresses of a world: https://its-name.example/page/post, and a comment's number after #."""

    def __init__(self, platform: str) -> None:
        self._host = frozenset({f"{platform}.example"})

    def read(self, link: str) -> Reference | None:
        """What a link names."""
        parts = address(link, self._host)
        names = [] if parts is None else parts.path.strip("/").split("/")
        if parts is None or len(names) != len(("page", "post")):
            return None
        place = f"https://{parts.netloc}{parts.path}"
        return Reference(
            link=f"{place}#{parts.fragment}" if parts.fragment else place, page=names[0], post=names[1], comment=parts.fragment or None
        )


def _observed(event: Event, now: datetime) -> Event:
    return event if isinstance(event, Unreadable) else replace(event, observed_at=now)


class ProbingConnector(FakeConnector):
    """Walls, counters and threads that are read."""

    probe_limit = PROBE_LIMIT

    async def discover(self, page: PageRef, *, limit: int) -> Batch:
        """The newest posts of a page."""
        self.world.before("discover")
        posts = [post for post in self.world.posts.values() if post.page_external_id == page.external_id]
        newest = sorted(posts, key=lambda post: (post.published_at, int(post.external_id)), reverse=True)[:limit]
        self.world.after("discover")
        now = self.now()
        counted = (replace(post, observed_at=now, comment_count=self._count(post.external_id)) for post in newest)
        return Batch(posts=tuple(counted))

    async def probe(self, posts: Sequence[PostRef]) -> Sequence[PostCount]:
        """Counters of posts. Raises Rejected `bad_request` past the limit."""
        self.world.before("probe")
        if len(posts) > self.probe_limit:
            raise Rejected("bad_request", f"{len(posts)} posts in one call")
        now = self.now()
        counts = [
            PostCount(
                page_external_id=post.page.external_id,
                external_id=post.external_id,
                comment_count=self._count(post.external_id) if post.external_id in self.world.posts else 0,
                observed_at=now,
                gone=post.external_id not in self.world.posts,
            )
            for post in posts
        ]
        self.world.after("probe")
        return counts

    async def read_thread(self, post: PostRef, *, root_external_id: str | None, cursor: str | None) -> Batch:
        """A part of the comments of a post, in the order of their ids."""
        self.world.before("read_thread")
        now = self.now()
        if post.external_id not in self.world.posts:
            raise Rejected("gone", f"post {post.external_id}")
        began, after = cursor.split("|") if cursor else (now.isoformat(), "0")
        living = self.world.living(post.external_id, root_external_id)
        rest = [comment for comment in living if int(comment.external_id) > int(after)]
        part, more = rest[: self.part], len(rest) > self.part
        whole = WholeThread(
            page_external_id=post.page.external_id,
            post_external_id=post.external_id,
            observed_at=datetime.fromisoformat(began),
            root_external_id=root_external_id,
        )
        self.world.after("read_thread")
        return Batch(
            comments=tuple(replace(one, post_external_id=post.external_id, observed_at=now) for one in part),
            unreadable=() if more else tuple(self.world.unreadable[post.external_id]),
            complete_for=() if more else (whole,),
            cursor=f"{began}|{part[-1].external_id}" if more else None,
        )

    def _count(self, post: str) -> int:
        return len(self.world.living(post, None)) + len(self.world.unreadable[post])


def fake_plugin(world: FakeWorld) -> Plugin:
    """The plugin of a world, to be handed to whatever wants plugins."""
    capabilities = [
        Capability(verb=verb, methods=(verb,), token_kinds=("fake",), calls=1)
        for verb in ("describe_page", "check_page", "fetch_reference", "send", "find_sent", *AMENDING)
    ]
    verbs = ("poll",) if world.style == "streaming" else ("discover", "probe", "read_thread")
    capabilities += [Capability(verb=verb, methods=(verb,), token_kinds=("fake",), calls=1) for verb in verbs]

    def build(options: Options) -> FakeConnector:
        return StreamingConnector(world, options) if world.style == "streaming" else ProbingConnector(world, options)

    return Plugin(
        platform=world.platform,
        title="Проба",
        default_api_url="memory:",
        credential_kinds=("fake",),
        text_limit=TEXT_LIMIT,
        capabilities=tuple(capabilities),
        build=build,
        links=FakeLinks(world.platform),
        pictures=PICTURES,
    )
