"""The world as the events tell it: events in, pages and comments out, nothing else."""

from base64 import b64decode
from collections.abc import Callable, Iterator

from connectors.sandbox.authors import Authors
from connectors.sandbox.journal import Event
from connectors.sandbox.model import Author, Comment, Page, Platform, Post, Stray, Token


class UnknownEventError(Exception):
    """The journal holds an event that this version does not know."""


class State:
    """Pages, authors and tokens with the indexes that keep every call independent of the world's size."""

    def __init__(self) -> None:
        """Begin with an empty world."""
        self.pages: dict[tuple[Platform, str], Page] = {}
        self.by_id: dict[tuple[Platform, int], Page] = {}
        self.chats: dict[int, Page] = {}
        self.moved: dict[int, int] = {}
        """Telegram's groups that became supergroups: their new number by the old one."""
        self.groups: dict[str, Page] = {}
        self.tokens: dict[tuple[Platform, str], Token] = {}
        self.bots: dict[int, Token] = {}
        self.authors = Authors()
        self.record: list[tuple[Page, Comment]] = []
        self.uploads: dict[str, bytes] = {}
        """Pictures that came through an API, by the name under which they are shown."""
        self._apply: dict[str, Callable[[Event], None]] = {
            "page": self._page,
            "token": self._token,
            "revoke": self._revoke,
            "post": self._post,
            "edit_post": self._edit_post,
            "delete_post": self._delete_post,
            "open": self._open,
            "comment": self._comment,
            "edit": self._edit,
            "delete": self._delete,
            "restore": self._restore,
            "stray": self._stray,
            "upload": self._upload,
            "move": self._move,
            "member": self._member,
            # Telegram's queues listen for these two; the world itself does not change.
            "offset": _nothing,
            "allowed": _nothing,
        }

    def apply(self, event: Event) -> None:
        """Let one event happen. Raises UnknownEventError."""
        change = self._apply.get(event["op"])
        if change is None:
            raise UnknownEventError(event["op"])
        change(event)

    def find(self, platform: Platform, name: str) -> Page | None:
        """A page by screen name; on VK also by its number, with or without minus, or `club123`."""
        page = self.pages.get(key(platform, name))
        if page is None and platform == "vk":
            digits = name.removeprefix("-").removeprefix("club").removeprefix("public")
            if digits.isdecimal() and len(digits) < 16:  # noqa: PLR2004 - longer is no id and costly to parse
                page = self.by_id.get((platform, int(digits)))
        return page

    def of(self, platform: Platform) -> Iterator[Page]:
        """Every page of a platform in order of creation."""
        return (page for page in self.pages.values() if page.platform == platform)

    def _target(self, event: Event) -> Page:
        return self.pages[key(event["platform"], event["page"])]

    def _page(self, event: Event) -> None:
        page = Page(
            platform=event["platform"],
            name=event["page"],
            id=event["id"],
            title=event["title"],
            members=event["members"],
            about=event["about"],
            verified=event["verified"],
            links_forbidden=event["links_forbidden"],
            discussion=event["discussion"],
            discussion_id=event["discussion_id"],
        )
        self.pages[key(page.platform, page.name)] = page
        self.by_id[page.platform, page.id] = page
        if page.platform == "telegram":
            self.chats[page.chat_id] = page
            if page.discussion is not None:
                self.chats[page.group_chat_id] = page
                self.groups[page.discussion.lower()] = page

    def _token(self, event: Event) -> None:
        pages = event["pages"]
        token = Token(
            platform=event["platform"],
            kind=event["kind"],
            token=event["token"],
            label=event["label"],
            pages=None if pages is None else frozenset(name.lower() for name in pages),
            user_id=event["user_id"],
            username=event["username"],
            read_all=event["read_all"],
            admin=event["admin"],
            rights=frozenset(event.get("rights", ())),
        )
        self.tokens[token.platform, token.token] = token
        if token.kind == "bot":
            self.bots[token.user_id] = token
        elif token.kind == "user":
            self.authors.remember(token.platform, Author(token.user_id, token.label))

    def _revoke(self, event: Event) -> None:
        token = self.tokens.pop((event["platform"], event["token"]), None)
        if token is not None and token.kind == "bot":
            self.bots.pop(token.user_id, None)

    def _post(self, event: Event) -> None:
        self._target(event).place(
            Post(
                id=event["id"],
                text=event["text"],
                written_at=event["written_at"],
                root_id=event["root_id"],
                photo=event["photo"],
                kind=event.get("kind", "wall"),
            )
        )

    def _edit_post(self, event: Event) -> None:
        post = self._target(event).posts[event["id"]]
        post.text, post.edited_at = event["text"], event["at"]

    def _delete_post(self, event: Event) -> None:
        page = self._target(event)
        post = page.posts[event["id"]]
        post.deleted_at = event["at"]
        page.remove(post)

    def _open(self, event: Event) -> None:
        self._target(event).posts[event["id"]].comments_open = event["open"]

    def _comment(self, event: Event) -> None:
        page = self._target(event)
        if event["voice"] == "citizen":
            self.authors.remember(page.platform, Author(event["author_id"], event["author"]))
        comment = Comment(
            id=event["id"],
            post_id=event["post_id"],
            voice=event["voice"],
            author_id=event["author_id"],
            text=event["text"],
            written_at=event["written_at"],
            reply_to=event["reply_to"],
            root_id=event["root_id"],
            photo=event["photo"],
            more=tuple(event.get("more", ())),
            album=event.get("album"),
            via_api=event["via_api"],
            guid=event["guid"],
        )
        page.attach(comment)
        self.record.append((page, comment))

    def _edit(self, event: Event) -> None:
        comment = self._target(event).comments[event["id"]]
        comment.text, comment.edited_at = event["text"], event["at"]
        if (pictures := event.get("pictures")) is not None:
            comment.photo, comment.more = (pictures[0], tuple(pictures[1:])) if pictures else (None, ())

    def _upload(self, event: Event) -> None:
        self.uploads[event["name"]] = b64decode(event["content"])

    def _move(self, event: Event) -> None:
        page = self._target(event)
        old = page.group_chat_id
        self.chats.pop(old)
        page.discussion_id = event["id"]
        self.moved[old] = page.group_chat_id
        self.chats[page.group_chat_id] = page

    def _member(self, event: Event) -> None:
        page = self._target(event)
        page.outside.pop(event["bot"], None)
        if event["status"] != "member":
            page.outside[event["bot"]] = event["status"]

    def _delete(self, event: Event) -> None:
        page = self._target(event)
        comment = page.comments[event["id"]]
        comment.deleted_at = event["at"]
        page.detach(comment)

    def _restore(self, event: Event) -> None:
        page = self._target(event)
        comment = page.comments[event["id"]]
        comment.deleted_at = None
        page.attach(comment)

    def _stray(self, event: Event) -> None:
        page = self._target(event)
        stray = Stray(event["id"], event["bot_id"], event["text"], event["at"], event["reply_to"])
        page.strays[stray.id] = stray
        page.last_comment_id = max(page.last_comment_id, stray.id)


def key(platform: Platform, name: str) -> tuple[Platform, str]:
    """Under what a page is kept: names compare without case."""
    return platform, name.lower().removeprefix("@")


def _nothing(_event: Event) -> None:
    """The world does not change."""
