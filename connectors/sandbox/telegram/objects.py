"""Telegram's objects as the Bot API describes them, made from the sandbox's world."""

from typing import Any
from zlib import crc32

from connectors.sandbox.model import Author, Comment, Page, Post, Stray, Token
from connectors.sandbox.state import State

Json = dict[str, Any]

# Telegram's own accounts: who forwards a channel's posts, and who speaks for channels in groups.
TELEGRAM = {"id": 777000, "is_bot": False, "first_name": "Telegram"}
CHANNEL_BOT = {"id": 136817688, "is_bot": True, "first_name": "Channel", "username": "Channel_Bot"}


def channel(page: Page) -> Json:
    """The channel as a Chat."""
    return {"id": page.chat_id, "title": page.title, "username": page.name, "type": "channel"}


def group(page: Page) -> Json:
    """The linked discussion group as a Chat."""
    return {
        "id": page.group_chat_id,
        "title": f"{page.title} Chat",
        "username": page.discussion or "",
        "type": "supergroup",
    }


def full_chat(chat: Json, *, linked: int | None, about: str) -> Json:
    """ChatFullInfo of a channel or a group."""
    item = {
        **chat,
        "accent_color_id": abs(chat["id"]) % 7,
        "max_reaction_count": 11,
        "accepted_gift_types": {
            "unlimited_gifts": False,
            "limited_gifts": False,
            "unique_gifts": False,
            "premium_subscription": False,
            "gifts_from_channels": False,
        },
        "active_usernames": [chat["username"]],
    }
    if linked is not None:
        item["linked_chat_id"] = linked
    if about:
        item["description"] = about
    if chat["type"] == "supergroup":
        item["permissions"] = {"can_send_messages": True, "can_send_photos": True}
        item["join_to_send_messages"] = False
    return item


def person(author: Author) -> Json:
    """A citizen as a User; a deleted account has no name."""
    first, _, last = (author.name or "").partition(" ")
    user: Json = {"id": author.id, "is_bot": False, "first_name": first}
    if last:
        user["last_name"] = last
    return user


def bot_user(token: Token) -> Json:
    """A bot as a User."""
    return {"id": token.user_id, "is_bot": True, "first_name": token.label, "username": token.username}


def me(token: Token) -> Json:
    """The bot as getMe shows it."""
    return bot_user(token) | {
        "can_join_groups": True,
        "can_read_all_group_messages": token.read_all,
        "supports_inline_queries": False,
        "can_connect_to_business": False,
        "has_main_web_app": False,
    }


def gone_member(user: Json, status: str) -> Json:
    """A ChatMember who is outside."""
    return {"status": status, "user": user} | ({"until_date": 0} if status == "kicked" else {})


def membership_changed(bot: Token, page: Page, event: Json) -> Json:
    """ChatMemberUpdated: the bot was sent away from the discussion group, or let in again."""
    user = bot_user(bot)

    def member(status: str) -> Json:
        return {"status": "member", "user": user} if status == "member" else gone_member(user, status)

    return {
        "chat": group(page), "from": CHANNEL_BOT, "date": event["now"], "old_chat_member": member(event["before"]),
        "new_chat_member": member(event["status"]),
    }  # fmt: skip


def migrations(page: Page, event: Json) -> tuple[Json, Json]:
    """The two service messages by which a group becomes a supergroup: the last of the old one, the first of the new one."""
    common = {"message_id": page.last_comment_id + 1, "date": event["now"], "from": CHANNEL_BOT}
    old = group(page) | {"id": event["old"], "type": "group"}
    return common | {"chat": old, "migrate_to_chat_id": page.group_chat_id}, common | {
        "chat": group(page),
        "migrate_from_chat_id": event["old"],
    }


def channel_message(page: Page, post: Post) -> Json:
    """A post in its channel."""
    item: Json = {
        "message_id": post.id,
        "sender_chat": channel(page),
        "chat": channel(page),
        "date": post.written_at,
    }
    if post.edited_at is not None:
        item["edit_date"] = post.edited_at
    return item | _content(post.text, post.photo)


def forwarded(page: Page, post: Post) -> Json:
    """The automatic forward of a post in the discussion group: the root of its comments."""
    return {
        "message_id": post.root_id,
        "from": TELEGRAM,
        "sender_chat": channel(page),
        "chat": group(page),
        "date": post.written_at,
        "forward_origin": {
            "type": "channel",
            "chat": channel(page),
            "message_id": post.id,
            "date": post.written_at,
        },
        "is_automatic_forward": True,
    } | _content(post.text, post.photo)


def group_message(state: State, page: Page, comment: Comment, *, nested: bool = True) -> Json:
    """A comment: a message of the discussion group in the thread of the forwarded post.

    The message replied to is shown without the one it replies to, as the Bot API does.
    """
    post = page.posts[comment.post_id]
    item: Json = {"message_id": comment.id, **_sender(state, page, comment)}
    item |= {"chat": group(page), "date": comment.written_at, "message_thread_id": post.root_id}
    if comment.edited_at is not None:
        item["edit_date"] = comment.edited_at
    if nested:
        target = None if comment.reply_to is None else page.comments[comment.reply_to]
        if target is None:
            item["reply_to_message"] = forwarded(page, post)
        elif target.deleted_at is None:
            item["reply_to_message"] = group_message(state, page, target, nested=False)
    return item | _album(comment) | _content(comment.text, comment.photo)


def private_message(state: State, page: Page, comment: Comment, *, nested: bool = True) -> Json:
    """A message of a private dialog with the bot, whose page has the bot's name; the dialog's number is the chat's."""
    sender = _sender(state, page, comment)
    item: Json = {"message_id": comment.id, **sender, "chat": {"id": comment.post_id, "type": "private"}, "date": comment.written_at}
    if comment.edited_at is not None:
        item["edit_date"] = comment.edited_at
    if nested and comment.reply_to is not None:
        item["reply_to_message"] = private_message(state, page, page.comments[comment.reply_to], nested=False)
    return item | _album(comment) | _content(comment.text, comment.photo)


def stray_message(state: State, page: Page, stray: Stray) -> Json:
    """A bot's message in the group outside the threads."""
    bot = state.bots.get(stray.bot_id)
    item: Json = {"message_id": stray.id, "chat": group(page), "date": stray.written_at}
    if bot is not None:
        item["from"] = bot_user(bot)
    return item | _content(stray.text, None)


def photo_file(photo: str) -> str:
    """The file id that stands for a picture."""
    return f"sandbox-{crc32(photo.encode('utf-8', 'surrogatepass')):08x}"


def _sender(state: State, page: Page, comment: Comment) -> Json:
    if comment.voice == "page":
        return {"from": CHANNEL_BOT, "sender_chat": channel(page)}
    if comment.voice == "bot":
        bot = state.bots.get(comment.author_id)
        revoked = {"id": comment.author_id, "is_bot": True, "first_name": "bot"}
        return {"from": bot_user(bot) if bot else revoked}
    author = state.authors.get("telegram", comment.author_id) or Author(comment.author_id, None)
    return {"from": person(author)}


def _album(comment: Comment) -> Json:
    return {} if comment.album is None else {"media_group_id": comment.album}


def _content(text: str, photo: str | None) -> Json:
    if photo is None:
        return {"text": text}
    file_id = photo_file(photo)
    sizes = [
        {"file_id": f"{file_id}-{width}", "file_unique_id": f"u{file_id}-{width}", "width": width, "height": height}
        for width, height in ((90, 67), (320, 240))
    ]
    return {"photo": sizes, **({"caption": text} if text else {})}
