"""What MAX's answers are made of: users, chats, messages, by its published description."""

from typing import Any
from urllib.parse import quote
from zlib import crc32

from connectors.sandbox.model import Author, Comment, Page, Post, Token
from connectors.sandbox.state import State

Json = dict[str, Any]


def chat_id(page: Page) -> int:
    """The number of a channel: negative."""
    return -page.id


def moment(written_at: int, number: int) -> int:
    """Milliseconds; those of one second stay apart in the order of their numbers."""
    return written_at * 1000 + number % 1000


def bot_user(bot: Token) -> Json:
    """The bot as a user."""
    return _user(bot.user_id, bot.label, None, bot.username, is_bot=True)


def person(author: Author) -> Json:
    """A citizen as a user."""
    first, _, last = (author.name or "Удалённый аккаунт").partition(" ")
    return _user(author.id, first, last or None, None, is_bot=False)


def _user(number: int, first: str, last: str | None, username: str | None, *, is_bot: bool) -> Json:
    name = f"{first} {last}" if last else first
    user: Json = {"user_id": number, "first_name": first, "username": username, "is_bot": is_bot, "last_activity_time": 0, "name": name}
    return user if is_bot else user | {"last_name": last}


def chat(page: Page) -> Json:
    """A channel."""
    return {
        "chat_id": chat_id(page),
        "type": "channel",
        "status": "active",
        "title": page.title,
        "icon": None,
        "last_event_time": 0,
        "participants_count": page.members,
        "is_public": True,
        "link": f"https://max.ru/{page.name}",
        "description": page.about or None,
    }


def post_message(page: Page, post: Post, base: str) -> Json:
    """A post as a message of its channel."""
    return {
        "recipient": {"chat_id": chat_id(page), "chat_type": "channel", "user_id": None},
        "timestamp": moment(post.written_at, post.id),
        "link": None,
        "body": {
            "mid": str(post.id),
            "seq": post.id,
            "text": post.text,
            "attachments": _picture(post.photo, base),
        },
        "stat": {"views": page.members},
        "url": f"https://max.ru/{page.name}/{post.id}",
    }


def comment_message(state: State, page: Page, comment: Comment) -> Json:
    """A comment; written as the channel it has no sender."""
    message: Json = {
        "sender": sender(state, page, comment),
        "recipient": {"chat_id": chat_id(page), "chat_type": "channel", "post_id": str(comment.post_id)},
        "timestamp": moment(comment.written_at, comment.id),
        "body": _body(comment),
    }
    return message | {"link": _reply(state, page, comment)}


def dialog_message(state: State, page: Page, comment: Comment, base: str) -> Json:
    """A message of a private dialog, whose number is that of the sandbox's post."""
    return {
        "sender": sender(state, page, comment),
        "recipient": {"chat_id": comment.post_id, "chat_type": "dialog", "user_id": None},
        "timestamp": moment(comment.written_at, comment.id),
        "body": {**_body(comment), "attachments": [one for photo in comment.pictures for one in _picture(photo, base)]},
        "link": _reply(state, page, comment),
    }


def sender(state: State, page: Page, comment: Comment) -> Json | None:
    """Who wrote it."""
    if comment.voice == "bot":
        bot = state.bots.get(comment.author_id)
        return bot_user(bot) if bot else None
    author = state.authors.get(page.platform, comment.author_id) if comment.voice == "citizen" else None
    return person(author) if author else None


def _body(comment: Comment) -> Json:
    return {"mid": str(comment.id), "seq": comment.id, "text": comment.text}


def _reply(state: State, page: Page, comment: Comment) -> Json | None:
    if comment.reply_to is None:
        return None
    parent = page.comments[comment.reply_to]
    link: Json = {"type": "reply", "message": _body(parent)}
    by = sender(state, page, parent)
    return link | ({"sender": by} if by else {})


def _picture(photo: str | None, base: str) -> list[Json]:
    if photo is None:
        return []
    address = photo if photo.startswith(("https://", "http://")) else f"{base}/pictures/{quote(photo, safe='', errors='replace')}.png"
    number = crc32(photo.encode("utf-8", "surrogatepass"))
    return [{"type": "image", "payload": {"photo_id": number, "token": f"{number:08x}", "url": address}}]
