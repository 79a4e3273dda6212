"""What MAX pushes when something happens: updates by its description. A bot's own acts raise none."""

from collections import deque
from typing import Any

from connectors.sandbox.journal import Event
from connectors.sandbox.max.methods import is_dialogs
from connectors.sandbox.max.objects import bot_user, chat_id, comment_message, dialog_message, post_message, sender
from connectors.sandbox.model import Comment, Page, Token
from connectors.sandbox.state import State
from connectors.sandbox.world import World

Json = dict[str, Any]
_KEPT = 10_000
_POSTS = {"post": "message_created", "edit_post": "message_edited"}
_COMMENTS = {"comment": "comment_created", "edit": "comment_edited"}
_MESSAGES = {"comment": "message_created", "edit": "message_edited"}


class Updates:
    """What happened, for bots that ask (`getUpdates`): kept while the sandbox runs."""

    def __init__(self, world: World) -> None:
        """Nothing has happened yet."""
        self._world = world
        self._kept: deque[tuple[int, Event]] = deque(maxlen=_KEPT)
        self._last = 0
        world.listen(self._hear)

    def _hear(self, event: Event) -> None:
        if event.get("platform") == "max":
            self._last += 1
            self._kept.append((self._last, event))

    def since(self, bot: Token, *, marker: int | None, limit: int, kinds: frozenset[str], base: str) -> Json:
        """What this bot may hear from `marker` on, and the next marker; without one only the last update."""
        found: list[tuple[int, Json]] = []
        for number, event in self._kept:
            page = self._world.state.find("max", event.get("page", ""))
            meant = page is not None and (bot.hears(page) or (event["op"] == "member" and event["bot"] == bot.user_id))
            if page is None or not meant or (marker is not None and number < marker):
                continue
            told = update(self._world.state, event, page, base)
            if told is not None and (not kinds or told["update_type"] in kinds):
                found.append((number, told))
        found = found[-1:] if marker is None else found[:limit]
        return {"updates": [told for _, told in found], "marker": found[-1][0] + 1 if found else marker or self._last + 1}


def update(state: State, event: Event, page: Page, base: str) -> Json | None:
    """The update of one event, if it raises one."""
    op, at = event["op"], int(event["now"]) * 1000
    dialogs = any(is_dialogs(page, bot) for bot in state.bots.values() if bot.platform == "max")
    if op in _POSTS:
        told = {"update_type": _POSTS[op], "message": post_message(page, page.posts[event["id"]], base)}
        return None if dialogs else {**told, "timestamp": at}
    if op == "member":
        return _membership(state, event, page, at)
    if op not in {"comment", "edit", "delete"} or not any(bot.hears(page) for bot in state.bots.values()):
        return None
    comment = page.comments[event["id"]]
    return None if comment.via_api else _of_comment(state, op, at, page, comment, base=base, dialogs=dialogs)


def _membership(state: State, event: Event, page: Page, at: int) -> Json:
    kind = "bot_added" if event["status"] == "member" else "bot_removed"
    bot = bot_user(state.bots[event["bot"]])
    return {"update_type": kind, "timestamp": at, "chat_id": chat_id(page), "user": bot, "is_channel": True}


def _of_comment(  # noqa: PLR0913 - an event's parts
    state: State, op: str, at: int, page: Page, comment: Comment, *, base: str, dialogs: bool
) -> Json:
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
