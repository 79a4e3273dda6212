"""What Viber's answers and events are made of, as its documentation shows them."""

import struct
from base64 import b64decode, b64encode
from typing import Any
from urllib.parse import quote

from connectors.sandbox.model import Comment, Page, Post
from connectors.sandbox.state import State

Json = dict[str, Any]
HOST = "SN-CHAT-05_"
EVENTS = ("message", "subscribed", "unsubscribed")
_PEOPLE = struct.Struct(">QQ")
_FIRST_NEWS = 10**15
"""Numbers of news that is no message: beyond those of comments."""


def account_id(page: Page) -> str:
    """The number of a bot."""
    return f"pa:{page.id}"


def person_id(page: Page, post: Post) -> str:
    """The number of the person in a dialog: towards each bot another one."""
    return b64encode(_PEOPLE.pack(page.id, post.id)).decode()


def dialog_of(page: Page, person: str) -> Post | None:
    """The dialog with a person."""
    try:
        number, post_id = _PEOPLE.unpack(b64decode(person.encode(), validate=True))
    except (ValueError, struct.error):
        return None
    post = page.posts.get(post_id) if number == page.id else None
    return None if post is None or post.deleted_at is not None else post


def account(page: Page, webhook: str) -> Json:
    """The bot itself."""
    return {
        "id": account_id(page),
        "chat_hostname": HOST,
        "name": page.title,
        "uri": page.name,
        "icon": "",
        "background": "",
        "category": "Government",
        "subcategory": "Public service",
        "location": {"lat": 0, "lon": 0},
        "country": "RU",
        "webhook": webhook,
        "event_types": list(EVENTS) if webhook else [],
        "subscribers_count": page.members,
        "members": [],
    }


def message(state: State, page: Page, comment: Comment, base: str) -> Json:
    """What a person wrote."""
    post = page.posts[comment.post_id]
    author = state.authors.get(page.platform, comment.author_id)
    told: Json = {"type": "text", "text": comment.text}
    if comment.photo is not None:
        foreign = comment.photo.startswith(("https://", "http://"))
        address = comment.photo if foreign else f"{base}/pictures/{quote(comment.photo, safe='', errors='replace')}.png"
        told |= {"type": "picture", "media": address, "thumbnail": address, "file_name": "picture.png"}
    sender = {
        "id": person_id(page, post),
        "name": (author and author.name) or "Subscriber",
        "country": "RU",
        "language": "ru",
        "api_version": 10,
    }
    return {
        **_envelope("message", comment.id, comment.written_at * 1000 + comment.id % 1000),
        "sender": sender,
        "message": told,
        "silent": False,
    }


def subscription(page: Page, post: Post, *, is_on: bool, number: int, at: int) -> Json:
    """A person has left, or is back."""
    person = person_id(page, post)
    told: Json = {"user": {"id": person, "name": "Subscriber"}} if is_on else {"user_id": person}
    return _envelope("subscribed" if is_on else "unsubscribed", _FIRST_NEWS + number, at * 1000) | told


def greeting(number: int, at: int) -> Json:
    """What an address is asked before it becomes the webhook."""
    return _envelope("webhook", _FIRST_NEWS + number, at * 1000)


def _envelope(event: str, token: int, milliseconds: int) -> Json:
    return {"event": event, "timestamp": milliseconds, "chat_hostname": HOST, "message_token": token}
