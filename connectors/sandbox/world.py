"""The world's commands: check, write down, let it happen, tell who listens."""

from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from zlib import crc32

from connectors.sandbox.clock import Clock
from connectors.sandbox.journal import Event, Journal
from connectors.sandbox.limits import Limits
from connectors.sandbox.model import Comment, Page, Platform, Post, Stray, Token, Voice
from connectors.sandbox.pictures import picture_type
from connectors.sandbox.state import State, key

Listener = Callable[[Event], None]


class WorldError(Exception):
    """What was asked cannot be; the text says why. `status` is the HTTP status that fits."""

    def __init__(self, text: str, status: int = 400) -> None:
        """Carry the reason and the status."""
        super().__init__(text)
        self.status = status


@dataclass(frozen=True, slots=True, kw_only=True)
class NewComment:
    """A comment about to be written; `author` None with voice citizen is a deleted account."""

    text: str
    voice: Voice = "citizen"
    author: str | None = None
    author_id: int | None = None
    reply_to: int | None = None
    photo: str | None = None
    more: tuple[str, ...] = ()
    album: str | None = None
    written_at: int | None = None
    via_api: bool = False
    guid: str | None = None


class World:
    """Everything that exists in the sandbox, changed only through these commands."""

    def __init__(self, *, journal: Journal, clock: Clock, limits: Limits) -> None:
        """Take over what the journal remembers."""
        self.state = State()
        self.limits = limits
        self.clock = clock
        self.sequence = 0
        self._journal = journal
        self._listeners: list[Listener] = []
        self._pretended: int | None = None

    def listen(self, listener: Listener) -> None:
        """Hear of every event from now on, the replayed ones included."""
        self._listeners.append(listener)

    def replay(self) -> int:
        """Let the remembered events happen again; returns how many there were."""
        for event in self._journal.replay():
            self._happen(event)
        return self.sequence

    def commit(self, event: Event) -> None:
        """Write an event down, then let it happen."""
        event.setdefault("now", self.now())
        self._journal.append(event)
        self._happen(event)

    def now(self) -> int:
        """The present second, or the one that `at` pretends."""
        return int(self.clock.time()) if self._pretended is None else self._pretended

    @contextmanager
    def at(self, moment: int) -> Iterator[None]:
        """Let what follows happen at an earlier moment: the history of a new world."""
        self._pretended = moment
        try:
            yield
        finally:
            self._pretended = None

    def close(self) -> None:
        """Let go of the journal."""
        self._journal.close()

    def page(self, platform: Platform, name: str) -> Page:
        """The page with this name. Raises WorldError(404)."""
        page = self.state.find(platform, name)
        if page is None:
            message = f"no page {name!r} on {platform}"
            raise WorldError(message, 404)
        return page

    def post(self, page: Page, post_id: int | None) -> Post:
        """A living post, the latest when no id is given. Raises WorldError(404)."""
        if post_id is None:
            if not page.order:
                message = f"page {page.name!r} on {page.platform} has no posts yet"
                raise WorldError(message, 404)
            return page.posts[page.order[-1]]
        post = page.posts.get(post_id)
        if post is None or post.deleted_at is not None:
            message = f"no post {post_id} on page {page.name!r}"
            raise WorldError(message, 404)
        return post

    def comment(self, page: Page, comment_id: int, post_id: int | None = None) -> Comment:
        """A comment, deleted or not. Raises WorldError(404)."""
        comment = page.comments.get(comment_id)
        if comment is None or (post_id is not None and comment.post_id != post_id):
            message = f"no comment {comment_id} on page {page.name!r}"
            raise WorldError(message, 404)
        return comment

    def add_page(self, event: Event) -> Page:
        """Create a page from a checked event without ids. Raises WorldError(409) when the name is taken."""
        platform: Platform = event["platform"]
        name = event["page"]
        if key(platform, name) in self.state.pages:
            message = f"page {name!r} exists on {platform}"
            raise WorldError(message, 409)
        page_id = event.pop("id", None)
        event["id"] = self._free_id(platform, name) if page_id is None else page_id
        if (platform, event["id"]) in self.state.by_id:
            message = f"page id {event['id']} is taken on {platform}"
            raise WorldError(message, 409)
        event["discussion_id"] = 0
        if event["discussion"] is not None:
            event["discussion_id"] = self._free_id(platform, f"{name} discussion")
        self.commit({"op": "page", **event})
        return self.state.pages[key(platform, name)]

    def add_token(self, event: Event) -> Token:
        """Issue a token from a checked event. Raises WorldError(409) when it exists."""
        if (event["platform"], event["token"]) in self.state.tokens:
            message = "this token exists"
            raise WorldError(message, 409)
        if event["kind"] == "user":
            event["user_id"] = self.state.authors.of(event["platform"], event["label"]).id
        self.commit({"op": "token", **event})
        return self.state.tokens[event["platform"], event["token"]]

    def add_post(self, page: Page, text: str, *, written_at: int | None = None, photo: str | None = None, kind: str = "wall") -> Post:
        """Publish a post; in Telegram the channel's discussion group gets the automatic forward at once."""
        post_id = page.next_post_id()
        has_group = page.platform == "telegram" and page.discussion is not None
        self.commit(
            {
                "op": "post",
                "platform": page.platform,
                "page": page.name,
                "id": post_id,
                "root_id": page.last_comment_id + 1 if has_group else None,
                "text": text,
                "photo": photo,
                "written_at": self.now() if written_at is None else written_at,
                "kind": kind,
            }
        )
        return page.posts[post_id]

    def add_comment(self, page: Page, post: Post, new: NewComment) -> Comment:
        """Write a comment. Raises WorldError when the platform would not take it."""
        self._admit(page, post, new)
        parent = None if new.reply_to is None else self.comment(page, new.reply_to, post.id)
        if parent is not None and parent.deleted_at is not None:
            message = f"comment {parent.id} is deleted: nobody can reply to it"
            raise WorldError(message, 409)
        comment_id = page.next_comment_id()
        author_id = new.author_id
        if author_id is None:
            author_id = self.state.authors.of(page.platform, new.author).id if new.voice == "citizen" else 0
        self.commit(
            {
                "op": "comment",
                "platform": page.platform,
                "page": page.name,
                "post_id": post.id,
                "id": comment_id,
                "voice": new.voice,
                "author": new.author,
                "author_id": author_id,
                "text": new.text,
                "photo": new.photo,
                "more": list(new.more),
                "album": new.album,
                "written_at": self.now() if new.written_at is None else new.written_at,
                "reply_to": new.reply_to,
                "root_id": None if parent is None else parent.root_id or parent.id,
                "via_api": new.via_api,
                "guid": new.guid,
            }
        )
        return page.comments[comment_id]

    def add_stray(self, page: Page, text: str, *, bot_id: int, reply_to: int | None) -> Stray:
        """A bot's message in the discussion group outside every thread; it stands under no post."""
        message_id = page.next_comment_id()
        self._on(page, "stray", message_id, bot_id=bot_id, text=text, reply_to=reply_to)
        return page.strays[message_id]

    def upload(self, content: bytes) -> str:
        """Keep a picture that came through an API; its name. Raises WorldError(415) for what is none."""
        if picture_type(content) is None:
            message = "this is no picture"
            raise WorldError(message, 415)
        name = f"upload-{len(self.state.uploads) + 1}"
        self.commit({"op": "upload", "name": name, "content": b64encode(content).decode("ascii")})
        return name

    def edit_comment(self, page: Page, comment: Comment, text: str, *, pictures: Sequence[str] | None = None) -> None:
        """Change a comment's text, and its pictures unless they are None. Raises WorldError for a deleted comment or a text too long."""
        if comment.deleted_at is not None:
            message = f"comment {comment.id} is deleted"
            raise WorldError(message, 409)
        stands = comment.pictures if pictures is None else tuple(pictures)
        self._check_text(page, text, stands[0] if stands else None)
        self._on(page, "edit", comment.id, post_id=comment.post_id, text=text, pictures=list(stands))

    def delete_comment(self, page: Page, comment: Comment) -> None:
        """Delete a comment; deleting twice is no change."""
        if comment.deleted_at is None:
            self._on(page, "delete", comment.id, post_id=comment.post_id)

    def restore_comment(self, page: Page, comment: Comment) -> None:
        """Bring a deleted comment back. Raises WorldError: Telegram knows no way back."""
        if page.platform in {"telegram", "max", "viber"}:
            message = f"{page.platform} cannot restore a deleted message"
            raise WorldError(message, 409)
        if comment.deleted_at is not None:
            self._on(page, "restore", comment.id, post_id=comment.post_id)

    def edit_post(self, page: Page, post: Post, text: str) -> None:
        """Change a post's text."""
        self._on(page, "edit_post", post.id, text=text)

    def revoke_token(self, token: Token) -> None:
        """Make a token invalid."""
        self.commit({"op": "revoke", "platform": token.platform, "token": token.token})

    def move_group(self, page: Page) -> None:
        """Telegram's discussion group becomes a supergroup with another number. Raises WorldError where there is none."""
        if page.discussion is None:
            message = f"page {page.name!r} has no discussion group"
            raise WorldError(message, 409)
        self._on(page, "move", self._free_id(page.platform, f"{page.discussion} {page.discussion_id}"), old=page.group_chat_id)

    def set_member(self, page: Page, bot: Token, status: str) -> None:
        """A bot is sent away from a channel or its group, or let in again."""
        self._on(page, "member", 0, bot=bot.user_id, status=status, before=page.outside.get(bot.user_id, "member"))

    def delete_post(self, page: Page, post: Post) -> None:
        """Take a post off the wall."""
        if post.deleted_at is None:
            self._on(page, "delete_post", post.id)

    def open_comments(self, page: Page, post: Post, *, is_open: bool) -> None:
        """Open or close a post for comments."""
        if post.comments_open != is_open:
            self._on(page, "open", post.id, open=is_open)

    def author_name(self, page: Page, comment: Comment) -> str | None:
        """The name under a comment: the citizen's, the page's title, the bot's; None for a deleted account."""
        if comment.voice == "page":
            return page.title
        if comment.voice == "bot":
            bot = self.state.bots.get(comment.author_id)
            return bot.label if bot else page.title
        author = self.state.authors.get(page.platform, comment.author_id)
        return author.name if author else None

    def _on(self, page: Page, op: str, item: int, **more: object) -> None:
        self.commit({"op": op, "platform": page.platform, "page": page.name, "id": item, "at": self.now(), **more})

    def _happen(self, event: Event) -> None:
        self.state.apply(event)
        self.sequence += 1
        for listener in self._listeners:
            listener(event)

    def _admit(self, page: Page, post: Post, new: NewComment) -> None:
        private = any(bot.username.lower() == page.name.lower() for bot in self.state.bots.values())
        if page.platform == "telegram" and post.root_id is None and not private:
            message = f"channel {page.name!r} has no discussion group: nobody can comment"
            raise WorldError(message, 409)
        if not post.comments_open:
            message = f"comments are closed under post {post.id}"
            raise WorldError(message, 409)
        self._check_text(page, new.text, new.photo)

    def _check_text(self, page: Page, text: str, photo: str | None) -> None:
        if not text and photo is None:
            message = "a comment needs a text or a photo"
            raise WorldError(message)
        limit = self.limits.text(page.platform)
        if page.platform == "telegram" and photo is not None:
            limit = self.limits.telegram_caption
        if len(text) > limit:
            message = f"the text has {len(text)} characters, {page.platform} takes {limit}"
            raise WorldError(message, 422)

    def _free_id(self, platform: Platform, name: str) -> int:
        candidate = 200_000_000 + crc32(name.encode()) % 600_000_000
        taken = {page.discussion_id for page in self.state.of(platform)}
        while (platform, candidate) in self.state.by_id or candidate in taken:
            candidate += 1
        return candidate
