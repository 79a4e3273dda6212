"""What MAX's answers mean: parsed JSON in, snapshots out. No I/O, no clock.

A message that is not as described becomes `Unreadable`; an answer that is not raises `OddError`.

A channel is a page, its messages are the posts. The bot itself is a page too, if somebody connects it: each private dialog with it is
a post without words, whose comments are the messages, and all of them are one thread.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from connectors.bots import DIALOGS, is_dialogs
from connectors.contract import Attachment, AuthorSnapshot, CommentSnapshot, PageSnapshot, PostSnapshot, Unreadable
from connectors.max.capabilities import COMMENTS
from connectors.max.links import comment_link, page_link
from connectors.payload import (
    Json,
    OddError,
    as_int,
    as_list,
    as_moment_ms,
    as_object,
    as_text,
    is_object,
    maybe_int,
    maybe_link,
    maybe_text,
    to_bytes,
)

if TYPE_CHECKING:
    from datetime import datetime

    from connectors.contract import AttachmentKind, PageRef, PostRef

BOT, LINK = "bot", "link"
"""Of a page's options: our bot's number, the page's address."""
FILES: dict[str, AttachmentKind] = {
    "image": "photo", "video": "video", "audio": "audio", "file": "document", "sticker": "sticker", "share": "link",
}  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class Under:
    """Where the messages of an answer stand and when they were asked for. `link` is the post's address, or the page's."""

    page: PageRef
    post: str
    link: str
    observed_at: datetime

    @property
    def dialog(self) -> bool:
        """Whether it is a private dialog with the bot."""
        return is_dialogs(self.page)


@dataclass(frozen=True, kw_only=True, slots=True)
class CommentsPage:
    """One answer: the newest first, as MAX gives them. `oldest` is the last one's moment in its own milliseconds."""

    comments: tuple[CommentSnapshot, ...]
    unreadable: tuple[Unreadable, ...]
    told: int
    oldest: int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class PostsPage:
    """One answer of posts, the newest first."""

    posts: tuple[PostSnapshot, ...]
    unreadable: tuple[Unreadable, ...]
    told: int
    oldest: int | None


def kind_of_place(post: PostRef) -> str:
    """What `Capability.at` calls the place that a post stands for."""
    return DIALOGS if is_dialogs(post.page) else COMMENTS


def bot_number(answer: object) -> int:
    """The number of the bot that a token belongs to (`getMyInfo`)."""
    return as_int(as_object(answer, "bot").get("user_id"), "bot.user_id")


def bot_page(answer: object) -> tuple[str, PageSnapshot]:
    """The bot's name, and the bot as a page (`getMyInfo`)."""
    bot = as_object(answer, "bot")
    number, name = bot_number(bot), as_text(bot.get("username"), "bot.username")
    link = page_link(None, name)
    title = as_text(bot.get("first_name"), "bot.first_name")
    return name, PageSnapshot(external_id=f"bot{number}", title=title, link=link, options={BOT: str(number), LINK: link, DIALOGS: "yes"})


def channel_page(answer: object, *, bot: int) -> tuple[str, PageSnapshot]:
    """The kind of a chat, and the chat as a page (`getChat`, `getChatByLink`)."""
    chat = as_object(answer, "chat")
    number = str(as_int(chat.get("chat_id"), "chat.chat_id"))
    link = page_link(maybe_text(chat.get("link")), number)
    page = PageSnapshot(
        external_id=number,
        title=as_text(chat.get("title"), "chat.title"),
        link=link,
        members=maybe_int(chat.get("participants_count")),
        options={BOT: str(bot), LINK: link},
    )
    return as_text(chat.get("type"), "chat.type"), page


def rights(answer: object) -> frozenset[str]:
    """What the bot may do there (`getMembership`); an owner may everything that is asked about."""
    member = as_object(answer, "member")
    told = member.get("permissions")
    return frozenset(one for one in told if isinstance(one, str)) if isinstance(told, list) else frozenset()


def posts(answer: object, *, page: PageRef, observed_at: datetime) -> PostsPage:
    """The messages of a channel as posts (`getMessages`)."""
    rows = as_list(as_object(answer, "answer").get("messages"), "messages")
    found: list[PostSnapshot] = []
    unreadable: list[Unreadable] = []
    for row in rows:
        try:
            found.append(post(row, page=page, observed_at=observed_at))
        except OddError as odd:
            unreadable.append(Unreadable(reason=str(odd), raw=to_bytes(row), page_external_id=page.external_id))
    return PostsPage(posts=tuple(found), unreadable=tuple(unreadable), told=len(rows), oldest=_oldest(rows))


def post(row: object, *, page: PageRef, observed_at: datetime) -> PostSnapshot:
    """A channel's message as a post. Its address is also that of its comments, and comes back in `PostRef.thread_ref`."""
    message = as_object(row, "message")
    body = as_object(message.get("body"), "message.body")
    number = _id(body.get("mid"), "body.mid")
    link = maybe_link(message.get("url")) or home(page)
    return PostSnapshot(
        page_external_id=page.external_id,
        external_id=number,
        text=as_text(body.get("text"), "body.text"),
        published_at=as_moment_ms(message.get("timestamp"), "message.timestamp"),
        observed_at=observed_at,
        link=link,
        raw=to_bytes(message),
        thread_ref=maybe_link(message.get("url")),
        attachments=_attachments(body.get("attachments")),
    )


def named_post(comment: CommentSnapshot, *, page: PageRef, post: str) -> PostSnapshot:
    """What an event about a comment tells of its post: that it is there."""
    return PostSnapshot(
        page_external_id=page.external_id, external_id=post, text="", published_at=comment.written_at, observed_at=comment.observed_at,
        link=home(page), raw=b"{}", named_only=True,
    )  # fmt: skip


def dialog_post(row: Json, *, page: PageRef, chat: str, observed_at: datetime) -> PostSnapshot:
    """The dialog that a private message came in: a post without words."""
    return PostSnapshot(
        page_external_id=page.external_id,
        external_id=chat,
        text="",
        published_at=as_moment_ms(row.get("timestamp"), "message.timestamp"),
        observed_at=observed_at,
        link=home(page),
        raw=b"{}",
    )


def comments(answer: object, under: Under) -> CommentsPage:
    """The comments of a post (`getComments`), or the messages of a dialog (`getMessages`)."""
    rows = as_list(as_object(answer, "answer").get("messages"), "messages")
    found: dict[str, CommentSnapshot] = {}
    unreadable: list[Unreadable] = []
    for row in rows:
        try:
            comment = one_comment(row, under)
            found[comment.external_id] = comment
        except OddError as odd:
            unreadable.append(Unreadable(reason=str(odd), raw=to_bytes(row), page_external_id=under.page.external_id))
    return CommentsPage(comments=tuple(found.values()), unreadable=tuple(unreadable), told=len(rows), oldest=_oldest(rows))


def one_comment(row: object, under: Under) -> CommentSnapshot:
    """A comment. Raises OddError."""
    message = as_object(row, "message")
    body = as_object(message.get("body"), "message.body")
    number = _id(body.get("mid"), "body.mid")
    parent = _replied_to(message.get("link"))
    sender = message.get("sender")
    sender = sender if is_object(sender) else None
    ours = under.page.options.get(BOT)
    return CommentSnapshot(
        page_external_id=under.page.external_id,
        post_external_id=under.post,
        external_id=number,
        text=as_text(body.get("text"), "body.text"),
        written_at=as_moment_ms(message.get("timestamp"), "message.timestamp"),
        observed_at=under.observed_at,
        link=comment_link(under.link, number),
        raw=to_bytes(message),
        author=_author(sender),
        # Written as the channel it has no sender; the bot's own answers have the bot.
        by_page=(sender is None and not under.dialog) or (sender is not None and str(maybe_int(sender.get("user_id"))) == ours),
        root_external_id=under.post if under.dialog else None if parent else number,
        reply_to_external_id=parent,
        attachments=_attachments(body.get("attachments")),
    )


def sent(answer: object) -> tuple[str, datetime]:
    """The number of what was published, and when (`sendComment`, `sendMessage`). Raises OddError."""
    message = as_object(as_object(answer, "answer").get("message"), "message")
    body = as_object(message.get("body"), "message.body")
    return _id(body.get("mid"), "body.mid"), as_moment_ms(message.get("timestamp"), "message.timestamp")


def _author(sender: Json | None) -> AuthorSnapshot | None:
    number = None if sender is None else maybe_int(sender.get("user_id"))
    if sender is None or number is None:
        return None
    names = (maybe_text(sender.get("first_name")), maybe_text(sender.get("last_name")))
    return AuthorSnapshot(external_id=str(number), name=" ".join(name for name in names if name) or f"id{number}")


def _replied_to(link: object) -> str | None:
    if not is_object(link) or link.get("type") != "reply":
        return None
    message = link.get("message")
    return maybe_text(message.get("mid")) if is_object(message) else None


def _attachments(told: object) -> tuple[Attachment, ...]:
    rows = [one for one in told if is_object(one)] if isinstance(told, list) else []
    return tuple(_attachment(one, one.get("payload")) for one in rows)


def _attachment(row: Json, payload: object) -> Attachment:
    inner = payload if is_object(payload) else {}
    number = maybe_int(inner.get("photo_id"))
    return Attachment(
        kind=FILES.get(maybe_text(row.get("type")) or "", "other"),
        external_id=None if number is None else str(number),
        url=maybe_link(inner.get("url")),
        title=maybe_text(row.get("filename")) or maybe_text(row.get("title")),
    )


def home(page: PageRef) -> str:
    """Where the page stands."""
    return page.options.get(LINK) or page_link(None, page.external_id)


def _oldest(rows: list[object]) -> int | None:
    """The smallest moment among them, readable or not: from there the next call goes on."""
    moments = [moment for row in rows if is_object(row) and (moment := maybe_int(row.get("timestamp"))) is not None and moment > 0]
    return min(moments, default=None)


def _id(value: object, what: str) -> str:
    found = as_text(value, what)
    if not found:
        raise OddError(f"{what} is empty")
    return found
