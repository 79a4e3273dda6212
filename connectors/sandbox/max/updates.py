"""What MAX pushes when something happens: updates by its description. A bot's own acts raise none."""

from typing import Any

from connectors.sandbox.journal import Event
from connectors.sandbox.max.methods import is_dialogs
from connectors.sandbox.max.objects import chat_id, comment_message, dialog_message, post_message, sender
from connectors.sandbox.model import Page
from connectors.sandbox.state import State

Json = dict[str, Any]
_POSTS = {"post": "message_created", "edit_post": "message_edited"}
_COMMENTS = {"comment": "comment_created", "edit": "comment_edited"}
_MESSAGES = {"comment": "message_created", "edit": "message_edited"}


def update(state: State, event: Event, page: Page, base: str) -> Json | None:
    """The update of one event, if it raises one."""
    op, at = event["op"], int(event["now"]) * 1000
    dialogs = any(is_dialogs(page, bot) for bot in state.bots.values() if bot.platform == "max")
    if op in _POSTS:
        told = {"update_type": _POSTS[op], "message": post_message(page, page.posts[event["id"]], base)}
        return None if dialogs else {**told, "timestamp": at}
    if op not in {"comment", "edit", "delete"}:
        return None
    comment = page.comments[event["id"]]
    if comment.via_api:
        return None
    if op == "delete":
        who = sender(state, page, comment)
        return {
            "update_type": "message_removed" if dialogs else "comment_removed",
            "timestamp": at,
            "message_id": str(comment.id),
            "chat_id": comment.post_id if dialogs else chat_id(page),
            "user_id": 0 if who is None else who["user_id"],
            **({} if dialogs else {"post_id": str(comment.post_id)}),
        }
    if dialogs:
        return {"update_type": _MESSAGES[op], "timestamp": at, "message": dialog_message(state, page, comment, base)}
    return {"update_type": _COMMENTS[op], "timestamp": at, "message": comment_message(state, page, comment)}
