"""What the conformance suite needs of a platform under test, and how it reads one."""
# ruff: noqa: S101 - these are tests

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal, ParamSpec, Protocol, TypeVar, runtime_checkable

from connectors.contract import (
    AcceptsPush,
    Batch,
    CommentSnapshot,
    ConnectorError,
    Discovers,
    Outgoing,
    PageRef,
    Pages,
    PostRef,
    PostSnapshot,
    ReadsThreads,
    Streams,
    TryLater,
    Unreadable,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
    from datetime import datetime

    from connectors.contract import Options, Picture, Plugin, Sent, SentLookup

Given = ParamSpec("Given")
Told = TypeVar("Told")

Verb = Literal["read", "send", "edit", "delete", "pictures"]
"""`read`: whatever tells comments (poll, or discover and read_thread); `edit`, `delete`: of an answer that stands.

`pictures`: what publishes an answer that has some.
"""
Fault = Literal["before", "after", "malformed"]
"""The connection fails before the platform acts; after it acted; the answer has a wrong shape."""


MANY_ROUNDS = 1000
FEW_ROUNDS = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class ErrorCase:
    """One documented failure: how it is ordered is the stage's business, `name` tells it which."""

    name: str
    verb: Verb
    error: type[ConnectorError]
    code: str


class Stage(Protocol):
    """The platform under test, with one page that the connector watches."""

    plugin: Plugin
    options: Options
    page_link: str

    async def write_post(self, text: str) -> str:
        """Publish a post on the page; answers its id."""

    async def write_comment(self, post: str, text: str, *, reply_to: str | None = None) -> str:
        """Write a comment as a citizen; answers its id."""

    async def edit_comment(self, post: str, comment: str, text: str) -> None:
        """Change a comment."""

    def takes(self, text: str) -> bool:
        """Whether the platform can hold such a text."""

    async def answers(self) -> list[str]:
        """The texts of the answers that stand in the page's name now."""

    async def fault(self, verb: Verb, fault: Fault) -> None:
        """Let the next call of a verb fail."""

    def error_cases(self) -> Sequence[ErrorCase]:
        """Every documented error."""

    async def order(self, case: ErrorCase) -> None:
        """Let the next call answer this error."""


@runtime_checkable
class PushStage(Protocol):
    """A stage of a platform that tells what is written by pushes alone, beside whatever its `poll` brings."""

    switched_on: Mapping[str, str]
    """What of a page's options an administrator's switch adds, so that it is heard."""

    async def pushed(self) -> Sequence[bytes]:
        """The bodies that were pushed so far, in their order: all that was caused by what was written."""


@dataclass(kw_only=True)
class Collected:
    """What was read: the newest observation of everything, by id."""

    posts: dict[str, PostSnapshot] = field(default_factory=dict)
    comments: dict[str, CommentSnapshot] = field(default_factory=dict)
    unreadable: list[Unreadable] = field(default_factory=list)
    cursor: str | None = None
    rounds: int = 0


HASTE = 0.5
"""Seconds."""


class Harness:
    """A connector on a stage, with the page it watches."""

    def __init__(self, stage: Stage, options: Options, page: PageRef) -> None:
        self.stage = stage
        self.options = options
        self.page = page
        self.patient = True
        """Wait when a limit is reached: a connector cannot know the calls of the one before it."""
        self.connector = stage.plugin.build(options)

    @classmethod
    async def on(cls, stage: Stage, *, batch: int | None = None, options: Options | None = None) -> Harness:
        """Build the connector; `batch` bounds the rows of one batch, `options` are others than the stage's."""
        given = options or stage.options
        limits = dict(given.limits) | ({"batch": float(batch)} if batch else {})
        options = replace(given, limits=limits)
        connector = stage.plugin.build(options)
        try:
            described = await patiently(lambda: connector.describe_page(stage.page_link))
        finally:
            await connector.close()
        switched_on = stage.switched_on if isinstance(stage, PushStage) else {}
        return cls(stage, options, PageRef(external_id=described.external_id, options={**described.options, **switched_on}))

    async def renew(self) -> None:
        """Go on with another connector, as another process would."""
        await self.connector.close()
        self.connector = self.stage.plugin.build(self.options)

    @asynccontextmanager
    async def in_a_hurry(self) -> AsyncIterator[None]:
        """With a connector that waits no longer than `HASTE` for an answer that will not come."""
        patient = self.options
        self.options = replace(patient, timeout=min(patient.timeout, HASTE))
        await self.renew()
        yield
        self.options = patient
        await self.renew()

    async def read(self, cursor: str | None = None, *, rounds: int = MANY_ROUNDS, renewed: bool = False) -> Collected:
        """Read on until nothing new comes, at most `rounds` batches of a stream; `renewed`: each by a new connector."""
        collected = Collected(cursor=cursor)
        if isinstance(self.stage, PushStage):
            await self._pushes(self.stage, collected, rounds, renewed=renewed)
        elif isinstance(self.connector, Streams):
            await self._stream(collected, rounds, renewed=renewed)
        else:
            await self._walls(collected, renewed=renewed)
        return collected

    async def _told(self, verb: Callable[Given, Awaitable[Batch]], *args: Given.args, **kwargs: Given.kwargs) -> Batch:
        return await patiently(lambda: verb(*args, **kwargs)) if self.patient else await verb(*args, **kwargs)

    async def _stream(self, into: Collected, rounds: int, *, renewed: bool) -> None:
        while into.rounds < rounds:
            if renewed:
                await self.renew()
            assert isinstance(self.connector, Streams)
            (feed,) = self.connector.feeds([self.page])
            batch = await self._told(self.connector.poll, feed, into.cursor)
            moved = batch.cursor != into.cursor
            _take(into, batch.posts, batch.comments, batch.unreadable)
            into.cursor = batch.cursor
            if not moved:
                return

    async def _pushes(self, stage: PushStage, into: Collected, rounds: int, *, renewed: bool) -> None:
        """The inbox, so many events at a time: the cursor is where it was left. Polling is asked first, for what it may refuse."""
        assert isinstance(self.connector, Streams)
        (feed,) = self.connector.feeds([self.page])
        await self._told(self.connector.poll, feed, None)
        bodies, most = await stage.pushed(), int(self.options.limits.get("batch", MANY_ROUNDS))
        while into.rounds < rounds and int(into.cursor or 0) < len(bodies):
            if renewed:
                await self.renew()
            assert isinstance(self.connector, AcceptsPush)
            first = int(into.cursor or 0)
            some = bodies[first : first + most]
            told = [self.connector.parse_push(self.page, Pages([self.page]), body, observed_at=self.options.now()) for body in some]
            posts, comments = [row for one in told for row in one.posts], [row for one in told for row in one.comments]
            _take(into, posts, comments, [row for one in told for row in one.unreadable])
            into.cursor = str(first + len(some))

    async def _walls(self, into: Collected, *, renewed: bool) -> None:
        assert isinstance(self.connector, Discovers)
        walls = await self._told(self.connector.discover, self.page, limit=100)
        _take(into, walls.posts, (), walls.unreadable)
        for post in walls.posts:
            await self._thread(into, post.external_id, renewed=renewed)

    async def _thread(self, into: Collected, post: str, *, renewed: bool) -> None:
        cursor: str | None = None
        for _ in range(MANY_ROUNDS):
            if renewed:
                await self.renew()
            assert isinstance(self.connector, ReadsThreads)
            ref = PostRef(page=self.page, external_id=post)
            batch = await self._told(self.connector.read_thread, ref, root_external_id=None, cursor=cursor)
            _take(into, batch.posts, batch.comments, batch.unreadable)
            cursor = batch.cursor
            if cursor is None:
                return
        never_ends = f"the thread of {post}"
        raise AssertionError(never_ends)


async def patiently(call: Callable[[], Awaitable[Told]]) -> Told:
    """What a call tells, after as many pauses as its limits ask for, and a few for a busy machine that answered too late."""
    late = 0
    for _ in range(MANY_ROUNDS):
        try:
            return await call()
        except TryLater as error:
            late += error.code != "rate"
            if late > FEW_ROUNDS:
                raise
            await asyncio.sleep(error.after.total_seconds())
    never = "the limit is never lifted"
    raise AssertionError(never)


def _take(
    into: Collected,
    posts: Sequence[PostSnapshot],
    comments: Sequence[CommentSnapshot],
    unreadable: Sequence[Unreadable],
) -> None:
    into.rounds += 1
    into.posts |= {post.external_id: post for post in posts}
    into.comments |= {comment.external_id: comment for comment in comments}
    into.unreadable += unreadable


async def caught(awaitable: Awaitable[object]) -> ConnectorError:
    """The contract's error that an awaitable raises; anything else is a failed test."""
    try:
        value = await awaitable
    except ConnectorError as error:
        return error
    no_error = f"no error, but {value!r}"
    raise AssertionError(no_error)


def alike(comment: CommentSnapshot) -> CommentSnapshot:
    """A comment without what differs from one look to the next."""
    return replace(comment, observed_at=comment.written_at, raw=b"")


@dataclass(kw_only=True)
class Target:
    """A comment that waits for an answer."""

    harness: Harness
    post: PostRef
    comment: str
    tried_at: datetime

    def outgoing(self, text: str, guid: str, pictures: tuple[Picture, ...] = ()) -> Outgoing:
        """An answer to it."""
        return Outgoing(
            guid=guid,
            post=self.post,
            reply_to_external_id=self.comment,
            root_external_id=self.comment,
            text=text,
            first_tried_at=self.tried_at,
            pictures=pictures,
        )

    async def send(self, text: str, *, guid: str) -> Sent:
        """Publish an answer to it."""
        return await self.harness.connector.send(self.outgoing(text, guid))

    async def find(self, text: str, *, guid: str) -> SentLookup:
        """Look for an answer to it."""
        return await self.harness.connector.find_sent(self.outgoing(text, guid))


async def target(stage: Stage, options: Options | None = None) -> Target:
    """A fresh post with one question under it, read by a connector."""
    post = await stage.write_post("Ждёт ответа")
    comment = await stage.write_comment(post, "Когда дадут воду?")
    harness = await Harness.on(stage, options=options)
    read = await harness.read()
    ref = PostRef(page=harness.page, external_id=post, thread_ref=read.posts[post].thread_ref)
    return Target(harness=harness, post=ref, comment=comment, tried_at=stage.options.now())


async def scene(stage: Stage) -> set[str]:
    """Two posts, a dozen comments, replies among them; answers the ids of the comments."""
    written: set[str] = set()
    for number in range(2):
        post = await stage.write_post(f"Пост {number}")
        tops = [await stage.write_comment(post, f"Вопрос {number}-{top}") for top in range(4)]
        replies = [await stage.write_comment(post, f"Ответ {number}-{top}", reply_to=top) for top in tops[:2]]
        written |= {*tops, *replies}
    return written
