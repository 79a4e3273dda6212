"""The platform in memory: what stands there, what happened, what was asked, and what is planned to go wrong."""

from __future__ import annotations

import asyncio
import json
from collections import Counter, defaultdict, deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from connectors.contract import (
    Absent,
    Attachment,
    AuthorSnapshot,
    CannotTell,
    CommentSnapshot,
    Deletion,
    Found,
    Look,
    NotThere,
    Outgoing,
    PageRef,
    PageSnapshot,
    Picture,
    PostSnapshot,
    Rejected,
    Sent,
    SentLookup,
    Standing,
    StandsAs,
    Unreadable,
    utc_now,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from connectors.pages import AbilityCheck

Style = Literal["streaming", "probing"]
Moment = Literal["before", "after"]
Event = PostSnapshot | CommentSnapshot | Deletion | Unreadable


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """One planned failure of a verb: before it acts, or after, when the act stands and the answer is lost."""

    error: BaseException
    moment: Moment


@dataclass(frozen=True, kw_only=True, slots=True)
class FakeAnswer:
    """An answer as it stands on the fake platform."""

    guid: str
    page_external_id: str
    post_external_id: str
    reply_to_external_id: str
    external_id: str
    text: str
    published_at: datetime
    pictures: tuple[Picture, ...] = ()


@dataclass(kw_only=True)
class FakeWorld:
    """The platform: pages, posts, comments, and the stream of what happened to them.

    `style` chooses the connector that the plugin builds. `honours_guid`: a second send with a known guid answers the
    first comment (VK does). `can_look_up`: `find_sent` can tell. `names_post`: comments name their post, else only the
    thread. `poll_wait`: seconds that an empty poll waits for news. `caption`: so many characters stand with pictures in one
    comment; the pictures of a longer answer are attached after it.
    """

    platform: str = "fake"
    style: Style = "probing"
    honours_guid: bool = True
    can_look_up: bool = True
    names_post: bool = True
    poll_wait: float = 0.02
    caption: int = 4096
    now: Callable[[], datetime] = utc_now
    pages: dict[str, PageSnapshot] = field(default_factory=dict)
    posts: dict[str, PostSnapshot] = field(default_factory=dict)
    comments: dict[str, CommentSnapshot] = field(default_factory=dict)
    """Living comments by id; a deleted one leaves, its event stays in the stream."""
    answers: list[FakeAnswer] = field(default_factory=list)
    calls: Counter[str] = field(default_factory=Counter)
    sends: list[Outgoing] = field(default_factory=list)
    """Every send that reached the platform, answered or not."""
    events: list[Event] = field(default_factory=list)
    faults: dict[str, deque[Fault]] = field(default_factory=lambda: defaultdict(deque))
    news: asyncio.Event = field(default_factory=asyncio.Event)
    unreadable: dict[str, list[Unreadable]] = field(default_factory=lambda: defaultdict(list))
    dead: set[str] = field(default_factory=set)
    """Tokens that the platform has forgotten."""
    checks: dict[str, tuple[AbilityCheck, ...]] = field(default_factory=dict)
    """What a live check of a page finds; all is well with a page that is not here."""
    last_id: int = 0

    # --- what happens there ---------------------------------------------------------------------------------------

    def add_page(self, title: str, *, external_id: str | None = None, members: int = 0) -> PageRef:
        """Open a page."""
        key = external_id or self._next_id()
        link = f"https://{self.platform}.example/{key}"
        page = PageSnapshot(external_id=key, title=title, link=link, members=members, options={"group": f"g{key}"})
        self.pages[key] = page
        return PageRef(external_id=key, options=page.options)

    def write_post(self, page: str, text: str, *, at: datetime | None = None) -> str:
        """Publish a post in the page's name; answers its id."""
        key = self._next_id()
        now = self.now()
        post = PostSnapshot(
            page_external_id=page,
            external_id=key,
            text=text,
            published_at=at or now,
            observed_at=now,
            link=f"{self.pages[page].link}/{key}",
            raw=_raw({"post": key, "text": text}),
            thread_ref=f"t{key}",
        )
        self.posts[key] = post
        self._tell(post)
        return key

    def write_comment(  # noqa: PLR0913 - a comment has that many sides
        self,
        post: str,
        text: str,
        *,
        author: str | None = "Анна Лескова",
        reply_to: str | None = None,
        at: datetime | None = None,
        by_page: bool = False,
        attachments: tuple[Attachment, ...] = (),
    ) -> str:
        """Write a comment (as the page by hand with `by_page`); an author of the same name is the same person."""
        key = self._next_id()
        page = self.posts[post].page_external_id
        now = self.now()
        parent = self.comments.get(reply_to) if reply_to else None
        who = AuthorSnapshot(external_id=f"u{author}", name=author) if author else None
        if by_page:
            who = AuthorSnapshot(external_id=page, name=self.pages[page].title)
        comment = CommentSnapshot(
            page_external_id=page,
            post_external_id=post if self.names_post or reply_to is None else None,
            external_id=key,
            text=text,
            written_at=at or now,
            observed_at=now,
            link=f"{self.posts[post].link}#{key}",
            raw=_raw({"comment": key, "text": text}),
            thread_ref=self.posts[post].thread_ref,
            author=who,
            by_page=by_page,
            root_external_id=(parent.root_external_id if parent else reply_to) or key,
            reply_to_external_id=reply_to,
            attachments=attachments,
        )
        self.comments[key] = comment
        self._tell(comment)
        return key

    def edit_comment(self, comment: str, text: str) -> None:
        """Change a comment; the platform tells when."""
        now = self.now()
        old = self.comments[comment]
        self.comments[comment] = replace(old, text=text, edited_at=now, observed_at=now, raw=_raw({"comment": comment, "text": text}))
        self._tell(self.comments[comment])

    def delete_comment(self, comment: str) -> None:
        """Delete a comment: the stream tells it, a reading of the thread lacks it."""
        gone = self.comments.pop(comment)
        post = gone.post_external_id or self._post_of(gone)
        self._tell(
            Deletion(
                page_external_id=gone.page_external_id,
                post_external_id=post,
                external_id=comment,
                observed_at=self.now(),
            )
        )

    def write_unreadable(self, post: str, reason: str, raw: bytes) -> None:
        """Put a row there that no mapping understands."""
        row = Unreadable(reason=reason, raw=raw, page_external_id=self.posts[post].page_external_id)
        self.unreadable[post].append(row)
        self._tell(row)

    def repeat(self, start: int = 0, stop: int | None = None) -> None:
        """Tell a part of the stream again, as platforms do."""
        for event in self.events[start:stop]:
            self._tell(event)

    def fail(self, verb: str, error: BaseException, *, moment: Moment = "before", times: int = 1) -> None:
        """Let the next `times` calls of a verb raise `error`, before or after they act."""
        self.faults[verb].extend([Fault(error=error, moment=moment)] * times)

    # --- what a connector asks ---------------------------------------------------------------------------------------

    def living(self, post: str, root: str | None) -> list[CommentSnapshot]:
        """The comments that stand under a post now (of one thread, when `root` is given), oldest first."""
        found = [c for c in self.comments.values() if c.thread_ref == self.posts[post].thread_ref]
        return [c for c in found if root is None or c.root_external_id == root]

    def publish(self, outgoing: Outgoing) -> Sent:
        """Put an answer under a comment. Raises Rejected `gone` when that comment is not there."""
        self.sends.append(outgoing)
        for answer in self.answers:
            if self.honours_guid and answer.guid == outgoing.guid:
                return self._sent(answer)
        if outgoing.reply_to_external_id not in self.comments:
            raise Rejected("gone", "the comment is not there any more")
        page = outgoing.post.page.external_id
        key = self.write_comment(outgoing.post.external_id, outgoing.text, reply_to=outgoing.reply_to_external_id, by_page=True)
        answer = FakeAnswer(
            guid=outgoing.guid,
            page_external_id=page,
            post_external_id=outgoing.post.external_id,
            reply_to_external_id=outgoing.reply_to_external_id,
            external_id=key,
            text=outgoing.text,
            published_at=self.comments[key].written_at,
            pictures=outgoing.pictures if len(outgoing.text) <= self.caption else (),
        )
        self.answers.append(answer)
        return replace(self._sent(answer), pictures_left=answer.pictures != outgoing.pictures)

    def attach(self, standing: Standing, pictures: tuple[Picture, ...]) -> tuple[str, ...]:
        """Put pictures beside an answer, however often it is asked. Raises Rejected `gone` when it is not there."""
        answer = self._standing(standing)
        if answer is None:
            raise Rejected("gone", "the answer is not there any more")
        self.answers[self.answers.index(answer)] = replace(answer, pictures=(*answer.pictures, *pictures))
        return tuple(self._next_id() for _ in pictures)

    def look_up(self, outgoing: Outgoing) -> SentLookup:
        """Find an answer as a reader of the thread would: by text, parent and time."""
        if not self.can_look_up:
            return CannotTell(reason="this platform shows no history")
        for comment in self.comments.values():
            same = comment.by_page and comment.text == outgoing.text
            if same and comment.reply_to_external_id == outgoing.reply_to_external_id:
                return Found(sent=Sent(external_id=comment.external_id, published_at=comment.written_at, link=comment.link))
        return Absent()

    def edit_answer(self, standing: Standing, text: str) -> None:
        """Put another text in the place of an answer. Raises Rejected `gone` when it is not there."""
        answer = self._standing(standing)
        if answer is None:
            raise Rejected("gone", "the answer is not there any more")
        if answer.text != text:
            self.edit_comment(answer.external_id, text)
            self.answers[self.answers.index(answer)] = replace(answer, text=text)

    def delete_answer(self, standing: Standing) -> None:
        """Take an answer away, if it is there."""
        answer = self._standing(standing)
        if answer is not None:
            self.delete_comment(answer.external_id)
            self.answers.remove(answer)

    def look_at(self, standing: Standing) -> Look:
        """An answer as it stands, where the platform shows it."""
        if not self.can_look_up:
            return CannotTell(reason="this platform shows no single comment")
        answer = self._standing(standing)
        return NotThere() if answer is None else StandsAs(text=answer.text)

    def _standing(self, standing: Standing) -> FakeAnswer | None:
        found = (one for one in self.answers if one.external_id == standing.external_id and one.external_id in self.comments)
        return next(found, None)

    def before(self, verb: str) -> None:
        """Count the call and raise what was planned to happen before it acts."""
        self.calls[verb] += 1
        self._strike(verb, "before")

    def after(self, verb: str) -> None:
        """Raise what was planned to happen after it acted."""
        self._strike(verb, "after")

    def _strike(self, verb: str, moment: Moment) -> None:
        planned = self.faults[verb]
        if planned and planned[0].moment == moment:
            raise planned.popleft().error

    def _sent(self, answer: FakeAnswer) -> Sent:
        link = f"{self.posts[answer.post_external_id].link}#{answer.external_id}"
        return Sent(external_id=answer.external_id, published_at=answer.published_at, link=link)

    def _post_of(self, comment: CommentSnapshot) -> str:
        return next(key for key, post in self.posts.items() if post.thread_ref == comment.thread_ref)

    def _tell(self, event: Event) -> None:
        self.events.append(event)
        self.news.set()

    def _next_id(self) -> str:
        self.last_id += 1
        return str(self.last_id)


def _raw(payload: dict[str, str]) -> bytes:
    return json.dumps(payload).encode()
