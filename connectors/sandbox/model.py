"""What the sandbox's world is made of: pages, posts, comments, authors, tokens."""

from bisect import bisect_left, insort
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

Platform = Literal["vk", "ok", "telegram", "max", "viber"]
PLATFORMS: tuple[Platform, ...] = ("vk", "ok", "telegram", "max", "viber")
WALLS: tuple[Platform, ...] = ("vk", "ok", "telegram", "max")
"""Where everybody sees what is written: Viber has private dialogs alone."""
_ROOM = 1_000_000
"""Ids that one page of OK, MAX or Viber has: there posts and comments are named without their page."""

# Who speaks: a citizen, the page itself, or a Telegram bot in the page's name.
Voice = Literal["citizen", "page", "bot"]


@dataclass(slots=True)
class Author:
    """A platform identity; `name` is None once the account is deleted."""

    id: int
    name: str | None


@dataclass(slots=True)
class Comment:
    """One comment; `root_id` is the top comment of its thread, None for a top comment itself."""

    id: int
    post_id: int
    voice: Voice
    author_id: int
    text: str
    written_at: int
    reply_to: int | None = None
    root_id: int | None = None
    photo: str | None = None
    more: tuple[str, ...] = ()
    """Further pictures of a VK comment; on Telegram each is a message of its own, of one album."""
    album: str | None = None
    via_api: bool = False
    guid: str | None = None
    edited_at: int | None = None
    deleted_at: int | None = None

    @property
    def is_answer(self) -> bool:
        """Whether this came through the platform's API in the page's name."""
        return self.via_api and self.voice != "citizen"

    @property
    def pictures(self) -> tuple[str, ...]:
        """All its pictures."""
        return () if self.photo is None else (self.photo, *self.more)


@dataclass(slots=True)
class Stray:
    """A bot's message in a discussion group that belongs to no post's thread."""

    id: int
    bot_id: int
    text: str
    written_at: int
    reply_to: int | None


@dataclass(slots=True)
class Post:
    """One post; `root_id` is its automatic forward in Telegram's discussion group."""

    id: int
    text: str
    written_at: int
    root_id: int | None = None
    photo: str | None = None
    kind: str = "wall"
    """On VK also `photo`, `video` or `topic`: what people comment beside the wall."""
    edited_at: int | None = None
    deleted_at: int | None = None
    comments_open: bool = True
    live: int = 0
    top: list[int] = field(default_factory=list)
    threads: dict[int, list[int]] = field(default_factory=dict)

    def thread(self, comment_id: int) -> list[int]:
        """Ids of the living replies in a thread, oldest first."""
        return self.threads.get(comment_id, [])


@dataclass(slots=True)
class Page:
    """An official presence on one platform, with its wall."""

    platform: Platform
    name: str
    id: int
    title: str
    members: int = 0
    about: str = ""
    verified: bool = False
    links_forbidden: bool = False
    discussion: str | None = None
    discussion_id: int = 0
    posts: dict[int, Post] = field(default_factory=dict)
    comments: dict[int, Comment] = field(default_factory=dict)
    strays: dict[int, Stray] = field(default_factory=dict)
    order: list[int] = field(default_factory=list)
    roots: dict[int, int] = field(default_factory=dict)
    guids: dict[str, int] = field(default_factory=dict)
    last_post_id: int = 0
    last_comment_id: int = 0
    outside: dict[int, str] = field(default_factory=dict)
    """Bots that are no members any more, and how they left."""

    @property
    def chat_id(self) -> int:
        """Telegram's id of the channel."""
        return -1_000_000_000_000 - self.id

    @property
    def group_chat_id(self) -> int:
        """Telegram's id of the linked discussion group."""
        return -1_000_000_000_000 - self.discussion_id

    def next_post_id(self) -> int:
        """The id of the next post; where a wall numbers posts and comments together, that of anything."""
        return 1 + (self.last_post_id if self.platform == "telegram" else self._last_id())

    def next_comment_id(self) -> int:
        """The id of the next comment; in Telegram that of the next message in the discussion group."""
        return 1 + (self.last_comment_id if self.platform == "telegram" else self._last_id())

    def _last_id(self) -> int:
        """The last id given here; only on VK another page gives the same."""
        return max(self.last_post_id, self.last_comment_id, 0 if self.platform == "vk" else self.id * _ROOM)

    def living_posts(self) -> list[int]:
        """Ids of posts that were not deleted, oldest first."""
        return self.order

    def place(self, post: Post) -> None:
        """Put a post on the wall, or beside it."""
        self.posts[post.id] = post
        if post.kind == "wall":
            insort(self.order, post.id)
        self.last_post_id = max(self.last_post_id, post.id)
        if post.root_id is not None:
            self.roots[post.root_id] = post.id
            self.last_comment_id = max(self.last_comment_id, post.root_id)

    def remove(self, post: Post) -> None:
        """Take a post off the wall; its comments stay in the record."""
        _discard(self.order, post.id)

    def attach(self, comment: Comment) -> None:
        """Put a comment, new or restored, where the platform shows it."""
        self.comments[comment.id] = comment
        self.last_comment_id = max(self.last_comment_id, comment.id)
        if comment.guid is not None:
            self.guids[comment.guid] = comment.id
        post = self.posts[comment.post_id]
        post.live += 1
        if comment.root_id is None:
            _put(post.top, comment.id)
            return
        _put(post.threads.setdefault(comment.root_id, []), comment.id)
        _put(post.top, comment.root_id)  # a deleted root is shown again while its thread lives

    def detach(self, comment: Comment) -> None:
        """Take a deleted comment out of sight; a root with living replies stays as a placeholder."""
        post = self.posts[comment.post_id]
        post.live -= 1
        root_id = comment.root_id if comment.root_id is not None else comment.id
        if comment.root_id is not None:
            _discard(post.thread(comment.root_id), comment.id)
        root = self.comments[root_id]
        if (root is comment or root.deleted_at is not None) and not post.thread(root_id):
            _discard(post.top, root_id)

    def thread_of(self, post: Post) -> Iterator[Comment]:
        """Every comment of a post in wall order: each root, then its replies."""
        for root_id in post.top:
            yield self.comments[root_id]
            for reply_id in post.thread(root_id):
                yield self.comments[reply_id]


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A key to a platform's API; `pages` None means every page of the platform."""

    platform: Platform
    kind: str
    token: str
    label: str
    pages: frozenset[str] | None = None
    user_id: int = 0
    username: str = ""
    read_all: bool = False
    admin: bool = False
    rights: frozenset[str] = frozenset()
    """What a MAX bot may do as administrator of its channels."""

    def serves(self, page: Page) -> bool:
        """Whether this token administers the page, or its bot is a member of the discussion group."""
        if page.platform != self.platform or self.user_id in page.outside:
            return False
        return self.pages is None or page.name.lower() in self.pages

    def hears(self, page: Page) -> bool:
        """Whether its bot is told what is written there: as a member, or because it is written to the bot itself."""
        return self.serves(page) or (page.platform == self.platform and page.name.lower() == self.username.lower())


def _put(ids: list[int], item: int) -> None:
    if not ids or ids[-1] < item:
        ids.append(item)
        return
    place = bisect_left(ids, item)
    if ids[place] != item:
        ids.insert(place, item)


def _discard(ids: list[int], item: int) -> None:
    place = bisect_left(ids, item)
    if place < len(ids) and ids[place] == item:
        del ids[place]
