"""Updates: what each bot is told, in order, until it confirms."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from connectors.sandbox.journal import Event
from connectors.sandbox.model import Comment, Page, Token
from connectors.sandbox.state import State
from connectors.sandbox.telegram.objects import channel_message, forwarded, group_message, private_message

KINDS = ("message", "edited_message", "channel_post", "edited_channel_post")
_FIRST_UPDATE = 100_000_001


@dataclass(frozen=True, slots=True)
class Update:
    """One update and the second in which it happened."""

    id: int
    happened_at: int
    kind: str
    payload: dict[str, Any]

    def body(self) -> dict[str, Any]:
        """The update as getUpdates gives it."""
        return {"update_id": self.id, self.kind: self.payload}


@dataclass(slots=True)
class Queue:
    """The updates of one bot that it has not confirmed."""

    waiting: deque[Update] = field(default_factory=deque)
    next_id: int = _FIRST_UPDATE
    allowed: frozenset[str] = frozenset(KINDS)
    turn: int = 0

    def push(self, kind: str, payload: dict[str, Any], happened_at: int) -> None:
        """Tell the bot something, if it wants to hear of such things."""
        if kind in self.allowed:
            self.waiting.append(Update(self.next_id, happened_at, kind, payload))
            self.next_id += 1

    def confirm(self, offset: int) -> None:
        """Forget every update before `offset`."""
        while self.waiting and self.waiting[0].id < offset:
            self.waiting.popleft()

    def expire(self, before: int) -> None:
        """Forget what happened before a moment: Telegram keeps nothing longer."""
        while self.waiting and self.waiting[0].happened_at < before:
            self.waiting.popleft()

    def first(self, limit: int) -> list[Update]:
        """The oldest updates."""
        return [update for update, _ in zip(self.waiting, range(limit), strict=False)]


class Updates:
    """Turns the world's events into updates for the bots that may see them."""

    def __init__(self, state: State) -> None:
        """Watch over a world."""
        self._state = state
        self._queues: dict[int, Queue] = {}

    def queue(self, bot_id: int) -> Queue:
        """The queue of a bot."""
        return self._queues.setdefault(bot_id, Queue())

    def hear(self, event: Event) -> None:
        """Take one event of the world, after it happened."""
        op = event["op"]
        if op == "offset":
            self.queue(event["bot"]).confirm(event["offset"])
        elif op == "allowed":
            self.queue(event["bot"]).allowed = frozenset(event["kinds"])
        elif event.get("platform") == "telegram":
            self._tell(op, event)

    def _tell(self, op: str, event: Event) -> None:
        page = self._state.pages.get(("telegram", event.get("page", "")))
        if page is None:
            return
        now = event["now"]
        if op in {"post", "edit_post"}:
            self._tell_post(page, event["id"], now, edited=op == "edit_post")
        elif op in {"comment", "edit"}:
            comment = page.comments[event["id"]]
            kind = "message" if op == "comment" else "edited_message"
            own = next((bot for bot in self._state.bots.values() if bot.username.lower() == page.name.lower()), None)
            if own is not None and comment.voice == "citizen":
                self.queue(own.user_id).push(kind, private_message(self._state, page, comment), now)
            for bot in self._members(page):
                if may_see(bot, page, comment):
                    self.queue(bot.user_id).push(kind, group_message(self._state, page, comment), now)

    def _tell_post(self, page: Page, post_id: int, now: int, *, edited: bool) -> None:
        post = page.posts[post_id]
        for bot in self._members(page):
            queue = self.queue(bot.user_id)
            if bot.admin:
                queue.push("edited_channel_post" if edited else "channel_post", channel_message(page, post), now)
            if post.root_id is not None and (bot.read_all or bot.admin):
                payload = forwarded(page, post)
                if edited:
                    payload["edit_date"] = post.edited_at
                queue.push("edited_message" if edited else "message", payload, now)

    def _members(self, page: Page) -> Iterator[Token]:
        return (bot for bot in self._state.bots.values() if bot.serves(page))


def may_see(bot: Token, page: Page, comment: Comment) -> bool:
    """Whether a bot is told of a comment: never of bots' messages, and in privacy mode only of what is meant for it."""
    if comment.voice == "bot":
        return False
    if bot.read_all or bot.admin:
        return True
    parent = None if comment.reply_to is None else page.comments.get(comment.reply_to)
    to_bot = parent is not None and parent.voice == "bot" and parent.author_id == bot.user_id
    return to_bot or comment.text.startswith("/") or f"@{bot.username}".lower() in comment.text.lower()
