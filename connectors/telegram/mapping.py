"""What Telegram's answers mean: parsed JSON in, snapshots out. No I/O, no clock, no SDK.

A comment is a message of the discussion group in the thread of a post that Telegram forwarded there. Such a message
names the thread's root and what it replies to, not the post; the post is known when it replies to the root itself.
Every update is read on its own: one that is not as described becomes `Unreadable` and the others go on.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from connectors.bots import CREDENTIAL, DIALOGS, hears_private
from connectors.contract import AuthorSnapshot, CommentSnapshot, PageSnapshot, PostSnapshot, Unreadable
from connectors.payload import (
    Json,
    OddError,
    as_int,
    as_list,
    as_moment,
    as_object,
    as_text,
    is_object,
    maybe_int,
    maybe_text,
    to_bytes,
)
from connectors.telegram import errors, links
from connectors.telegram.content import attachments, is_service, is_written, text_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from connectors.contract import PageRef

# The keys of PageRef.options.
GROUP: Final = errors.GROUP
GROUP_NAME: Final = "group_username"
CHANNEL_NAME: Final = "username"
"""Of the bot itself as a page: "yes", and "on" once an administrator has switched private messages on."""
START: Final = "/start"
NO_ACCESS: Final = "no_access"
LOST: Final = frozenset({"left", "kicked", "restricted"})

ANONYMOUS_ADMINISTRATOR: Final = 1087968824
"""GroupAnonymousBot: an administrator who writes in the group's own name."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Watch:
    """What is being listened to: the pages of one bot by the id of their discussion group."""

    pages: dict[int, PageRef]
    bots: frozenset[int]
    observed_at: datetime
    own: PageRef | None = None
    """The bot itself, when its private messages are to be heard."""


@dataclass(kw_only=True, slots=True)
class Told:
    """What a list of updates told."""

    posts: dict[tuple[str, str], PostSnapshot] = field(default_factory=dict)
    comments: list[CommentSnapshot] = field(default_factory=list)
    unreadable: list[Unreadable] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)
    options: dict[str, dict[str, str]] = field(default_factory=dict)
    """What has become of pages' options."""
    plain_member: dict[str, str] = field(default_factory=dict)
    """Groups, and their pages, where the bot is an ordinary member now: whether it hears them says its privacy mode."""
    last: int | None = None
    """The highest update_id."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Thread:
    """The thread that a message stands in."""

    ref: str
    root: Json | None
    """The forwarded post itself, when the message replies to it."""
    parent: int | None
    """The comment that the message replies to."""


def watch(pages: Iterable[PageRef], *, bots: frozenset[int], observed_at: datetime) -> Watch:
    """The pages by their discussion group; a page without one can have no comments."""
    pages = list(pages)
    by_group = {maybe_number(page.options.get(GROUP)): page for page in pages}
    return Watch(
        pages={group: page for group, page in by_group.items() if group is not None},
        bots=bots,
        observed_at=observed_at,
        own=next((page for page in pages if hears_private(page)), None),
    )


def maybe_number(text: str | None) -> int | None:
    """A number written in an option, or None."""
    try:
        return int(text) if text else None
    except ValueError:
        return None


def updates(result: object, seen: Watch) -> Told:
    """The answer of getUpdates. Raises OddError when it is no list, or when not one of its rows has a number.

    Of each form of a comment Telegram says when it was made, to the second, and the numbers of its updates tell which was the later.
    """
    told = Told()
    rows = as_list(result, "updates")
    for row in rows:
        number = maybe_int(row.get("update_id")) if is_object(row) else None
        if number is None or not is_object(row):
            told.unreadable.append(Unreadable(reason="an update without update_id", raw=to_bytes(row)))
            continue
        told.last = number if told.last is None else max(told.last, number)
        before = len(told.comments)
        _update(row, seen, told)
        told.comments[before:] = [
            replace(one, form_at=one.edited_at or one.written_at, form_number=number) for one in told.comments[before:]
        ]
    if rows and told.last is None:
        # Without a number the cursor cannot move and the same answer would come for ever.
        msg = "no update has an update_id"
        raise OddError(msg)
    return told


def _update(row: Json, seen: Watch, told: Told) -> None:
    kinds = [key for key in row if key != "update_id"]
    if kinds == ["my_chat_member"]:
        _rights(row, seen, told)
        return
    if kinds not in (["message"], ["edited_message"]):
        reason = f"an update of an unknown kind: {', '.join(kinds)[:200] or 'empty'}"
        told.unreadable.append(Unreadable(reason=reason, raw=to_bytes(row)))
        return
    page: PageRef | None = None
    try:
        message = as_object(row[kinds[0]], kinds[0])
        chat = as_object(message.get("chat"), "message.chat")
        if chat.get("type") == "private":
            page = seen.own
            _private(message, chat, seen, told)
            return
        number = as_int(chat.get("id"), "message.chat.id")
        page = _moved(message, number, seen, told) or seen.pages.get(number)
        if page is None:
            told.skipped["another chat"] += 1
            return
        _message(message, page, seen, told)
    except OddError as odd:
        where = page.external_id if page else None
        told.unreadable.append(Unreadable(reason=str(odd), raw=to_bytes(row), page_external_id=where))


def _moved(message: Json, chat: int, seen: Watch, told: Told) -> PageRef | None:
    """The page whose group became a supergroup with another number: said once in the old chat and once in the new one."""
    old, new = maybe_int(message.get("migrate_from_chat_id")), maybe_int(message.get("migrate_to_chat_id"))
    before, after = (chat, new) if new is not None else (old, chat)
    page = None if before is None or after == before else seen.pages.get(before)
    if page is None or after is None:
        return None
    seen.pages[after] = replace(page, options={**page.options, GROUP: str(after)})
    told.options.setdefault(page.external_id, {})[GROUP] = str(after)
    return seen.pages[after]


def _rights(row: Json, seen: Watch, told: Told) -> None:
    """What the bot itself may do in a group has changed."""
    try:
        change = as_object(row["my_chat_member"], "my_chat_member")
        chat = as_int(as_object(change.get("chat"), "my_chat_member.chat").get("id"), "chat.id")
        status = as_text(as_object(change.get("new_chat_member"), "new_chat_member").get("status"), "new_chat_member.status")
    except OddError as odd:
        told.unreadable.append(Unreadable(reason=str(odd), raw=to_bytes(row)))
        return
    page = seen.pages.get(chat)
    told.skipped["news of the chat itself" if page else "another chat"] += 1
    if page is None:
        return
    told.options.setdefault(page.external_id, {})[NO_ACCESS] = f"the bot is {status!r} in the discussion group" if status in LOST else ""
    told.plain_member.pop(str(chat), None)
    if status == "member":
        told.plain_member[str(chat)] = page.external_id


def _message(message: Json, page: PageRef, seen: Watch, told: Told) -> None:
    if not is_written(message):
        if not is_service(message):
            msg = f"a message of unknown content: {', '.join(message)[:200]}"
            raise OddError(msg)
        told.skipped["news of the chat itself"] += 1
        return
    if message.get("is_automatic_forward") is True:
        _keep(_post(message, page, seen), told)
        return
    thread = _thread(message)
    if thread is None:
        told.skipped["outside every thread"] += 1
        return
    post = _post(thread.root, page, seen) if thread.root else None
    if post:
        _keep(post, told)
    told.comments.append(_comment(message, thread, post, page, seen))


def _private(message: Json, chat: Json, seen: Watch, told: Told) -> None:
    """A message to the bot itself: the dialog is a post without words, and all of it is one thread."""
    page = seen.own
    if page is None:
        told.skipped["private messages are switched off"] += 1
        return
    if not is_written(message) or text_of(message).split("@")[0].split(" ")[0] == START:
        told.skipped["news of the chat itself"] += 1
        return
    number, dialog, edited = _message_id(message), str(as_int(chat.get("id"), "message.chat.id")), message.get("edit_date")
    reply = message.get("reply_to_message")
    parent = maybe_int(reply.get("message_id")) if is_object(reply) else None
    written_at = as_moment(message.get("date"), "message.date")
    link = links.post_link(page.external_id, page.options.get(CHANNEL_NAME), "").rstrip("/")
    post = PostSnapshot(
        page_external_id=page.external_id, external_id=dialog, text="", published_at=written_at, observed_at=seen.observed_at, link=link,
        raw=b"{}",
    )  # fmt: skip
    told.posts.setdefault((post.page_external_id, post.external_id), post)
    author, by_page = _author(message, page, seen)
    told.comments.append(
        CommentSnapshot(
            page_external_id=page.external_id,
            post_external_id=dialog,
            external_id=str(number),
            text=text_of(message),
            written_at=written_at,
            observed_at=seen.observed_at,
            link=link,
            raw=to_bytes(message),
            author=author,
            by_page=by_page,
            root_external_id=dialog,
            reply_to_external_id=None if parent is None else str(parent),
            edited_at=as_moment(edited, "message.edit_date") if edited else None,
            attachments=attachments(message),
            album=maybe_text(message.get("media_group_id")),
        )
    )


def _keep(post: PostSnapshot, told: Told) -> None:
    told.posts[post.page_external_id, post.external_id] = post


def _thread(message: Json) -> Thread | None:
    """Where a message stands; None when it is ordinary talk of the group."""
    ref = maybe_int(message.get("message_thread_id"))
    reply = message.get("reply_to_message")
    reply_id = maybe_int(reply.get("message_id")) if is_object(reply) else None
    if is_object(reply) and reply.get("is_automatic_forward") is True and reply_id is not None:
        return Thread(ref=str(reply_id), root=reply, parent=None)
    if ref is None or ref == reply_id:
        # A reply to an ordinary message starts a thread as well, but not one under a post.
        return None
    return Thread(ref=str(ref), root=None, parent=reply_id)


def _post(message: Json, page: PageRef, seen: Watch) -> PostSnapshot:
    """A post by its automatic forward."""
    origin = as_object(message.get("forward_origin"), "message.forward_origin")
    channel = as_object(origin.get("chat"), "forward_origin.chat")
    if str(as_int(channel.get("id"), "forward_origin.chat.id")) != page.external_id:
        msg = "an automatic forward of another channel"
        raise OddError(msg)
    number = str(as_int(origin.get("message_id"), "forward_origin.message_id"))
    return PostSnapshot(
        page_external_id=page.external_id,
        external_id=number,
        text=text_of(message),
        published_at=as_moment(origin.get("date", message.get("date")), "forward_origin.date"),
        observed_at=seen.observed_at,
        link=links.post_link(page.external_id, page.options.get(CHANNEL_NAME), number),
        raw=to_bytes(message),
        thread_ref=str(_message_id(message)),
        attachments=attachments(message),
    )


def _comment(message: Json, thread: Thread, post: PostSnapshot | None, page: PageRef, seen: Watch) -> CommentSnapshot:
    number = _message_id(message)
    edited = message.get("edit_date")
    author, by_page = _author(message, page, seen)
    return CommentSnapshot(
        page_external_id=page.external_id,
        post_external_id=post.external_id if post else None,
        external_id=str(number),
        text=text_of(message),
        written_at=as_moment(message.get("date"), "message.date"),
        observed_at=seen.observed_at,
        link=_link(number, thread, post, page),
        raw=to_bytes(message),
        thread_ref=thread.ref,
        author=author,
        by_page=by_page,
        root_external_id=str(number) if thread.parent is None else None,
        reply_to_external_id=str(thread.parent) if thread.parent is not None else None,
        edited_at=as_moment(edited, "message.edit_date") if edited else None,
        attachments=attachments(message),
        album=maybe_text(message.get("media_group_id")),
    )


def _message_id(message: Json) -> int:
    number = as_int(message.get("message_id"), "message.message_id")
    if number <= 0:
        # Telegram gives 0 while a message is only scheduled; its real number comes with another update.
        msg = "message.message_id is not positive"
        raise OddError(msg)
    return number


def _link(number: int, thread: Thread, post: PostSnapshot | None, page: PageRef) -> str:
    if post:
        return links.comment_link(post.link, number)
    group = page.options.get(GROUP, "")
    return links.message_link(group, page.options.get(GROUP_NAME), number, thread.ref)


def _author(message: Json, page: PageRef, seen: Watch) -> tuple[AuthorSnapshot | None, bool]:
    """Who wrote, and whether in the page's own name: the channel, the group itself, or one of our bots."""
    person, chat = message.get("from"), message.get("sender_chat")
    person_id = maybe_int(person.get("id")) if is_object(person) else None
    if is_object(chat) and (chat_id := maybe_int(chat.get("id"))) is not None:
        own = str(chat_id) in {page.external_id, page.options.get(GROUP)} or person_id == ANONYMOUS_ADMINISTRATOR
        name = as_text(chat.get("title"), "sender_chat.title") or f"chat {chat_id}"
        link = links.profile_link(maybe_text(chat.get("username")))
        return AuthorSnapshot(external_id=str(chat_id), name=name, link=link), own
    if not is_object(person) or person_id is None:
        return None, False
    parts = (maybe_text(person.get(key)) for key in ("first_name", "last_name"))
    name = " ".join(part for part in parts if part) or f"id{person_id}"
    link = links.profile_link(maybe_text(person.get("username")))
    by_page = person_id in seen.bots or person_id == ANONYMOUS_ADMINISTRATOR
    return AuthorSnapshot(external_id=str(person_id), name=name, link=link), by_page


def bot_page(me: object, *, credential_key: str) -> PageSnapshot:
    """The bot itself as a page (`getMe`): its private dialogs. Raises OddError."""
    bot = as_object(me, "bot")
    number, username = as_int(bot.get("id"), "bot.id"), as_text(bot.get("username"), "bot.username")
    options = {DIALOGS: "yes", CREDENTIAL: credential_key, CHANNEL_NAME: username}
    title = as_text(bot.get("first_name"), "bot.first_name")
    return PageSnapshot(external_id=f"bot{number}", title=title, link=f"{links.SITE}/{username}", options=options)


def sent(result: object) -> tuple[int, datetime]:
    """Number and moment of a message that sendMessage published. Raises OddError."""
    message = as_object(result, "message")
    return _message_id(message), as_moment(message.get("date"), "message.date")


def numbers(result: object) -> list[int]:
    """The numbers of the messages that sendPhoto (one) or sendMediaGroup (several) published. Raises OddError."""
    listed = result if isinstance(result, list) else [result]
    return [_message_id(as_object(one, "message")) for one in listed]


def page_snapshot(chat: object, group: object, *, credential_key: str) -> PageSnapshot:
    """A channel with its discussion group (None when the bot cannot see it)."""
    channel = as_object(chat, "chat")
    number = as_int(channel.get("id"), "chat.id")
    username = maybe_text(channel.get("username"))
    options = {GROUP: str(as_int(channel.get("linked_chat_id"), "chat.linked_chat_id")), CREDENTIAL: credential_key}
    if username:
        options[CHANNEL_NAME] = username
    if is_object(group) and (group_name := maybe_text(group.get("username"))):
        options[GROUP_NAME] = group_name
    link = f"{links.SITE}/{username}" if username else links.post_link(str(number), None, "1")
    return PageSnapshot(external_id=str(number), title=as_text(channel.get("title"), "chat.title"), link=link, options=options)
