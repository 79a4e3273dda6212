"""Updates: what each bot is told, in order, until it confirms."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from connectors.sandbox.journal import Event
from connectors.sandbox.model import Comment, Page, Token
from connectors.sandbox.state import State
from connectors.sandbox.telegram.objects import (
    channel_message,
    forwarded,
    group_message,
    membership_changed,
    migrations,
    private_message,
)

KINDS = ("message", "edited_message", "channel_post", "edited_channel_post", "my_chat_member")
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

    def push(self, kind: str, payload: dict[str, Any], happened_at: int) -> list[Update]:
        """Tell the bot something, if it wants to hear of such things: what it was told."""
        if kind not in self.allowed:
            return []
        self.waiting.append(Update(self.next_id, happened_at, kind, payload))
        self.next_id += 1
        return [self.waiting[-1]]

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
        self.fresh: list[Update] = []
        """What the last event has told bots."""

    def queue(self, bot_id: int) -> Queue:
        """The queue of a bot."""
        return self._queues.setdefault(bot_id, Queue())

    def hear(self, event: Event) -> None:
        """Take one event of the world, after it happened."""
        op = event["op"]
        self.fresh = []
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
        if op in {"member", "move"}:
            self._tell_of_group(page, event, now)
        elif op in {"post", "edit_post"}:
            self._tell_post(page, event["id"], now, edited=op == "edit_post")
        elif op in {"comment", "edit"}:
            comment = page.comments[event["id"]]
            kind = "message" if op == "comment" else "edited_message"
            own = next((bot for bot in self._state.bots.values() if bot.username.lower() == page.name.lower()), None)
            if own is not None and comment.voice == "citizen":
                self._push(own, kind, private_message(self._state, page, comment), now)
            for bot in self._members(page):
                if may_see(bot, page, comment):
                    self._push(bot, kind, group_message(self._state, page, comment), now)

    def _tell_of_group(self, page: Page, event: Event, now: int) -> None:
        if event["op"] == "member" and (bot := self._state.bots.get(event["bot"])) is not None:
            self._push(bot, "my_chat_member", membership_changed(bot, page, event), now)
        for bot in self._members(page) if event["op"] == "move" else ():
            for message in migrations(page, event):
                self._push(bot, "message", message, now)

    def _tell_post(self, page: Page, post_id: int, now: int, *, edited: bool) -> None:
        post = page.posts[post_id]
        for bot in self._members(page):
            if bot.admin:
                self._push(bot, "edited_channel_post" if edited else "channel_post", channel_message(page, post), now)
            if post.root_id is not None and (bot.read_all or bot.admin):
                payload = forwarded(page, post)
                if edited:
                    payload["edit_date"] = post.edited_at
                self._push(bot, "edited_message" if edited else "message", payload, now)

    def _push(self, bot: Token, kind: str, payload: dict[str, Any], now: int) -> None:
        self.fresh += self.queue(bot.user_id).push(kind, payload, now)

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
