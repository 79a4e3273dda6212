"""Bots Long Poll: waiting for a community's events, with the community's own token.

The cursor is VK's `ts` alone. The key to the line lives in this process: another one asks for its own and goes on from the
same `ts`. A line that stays silent longer than it was asked to wait is left, and so is an old one: VK's sometimes go deaf.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from connectors.contract import Heard, HeardEvent, PushRequest, TryLater, UnknownPayload
from connectors.payload import Json, OddError, as_list, as_object, as_text, maybe_int, to_bytes
from connectors.servers import Place, Servers, own_place
from connectors.vk.calls import Call
from connectors.vk.capabilities import LISTENERS
from connectors.vk.push import VkPush

if TYPE_CHECKING:
    from connectors.contract import Options
    from connectors.vk.client import VkClient

MISSED, STALE_KEY, LOST = 1, 2, 3
"""Under `failed`: some events are gone; the key is too old; both key and `ts` are worth nothing any more."""
MARGIN: Final = 10.0
"""Past the wait that was asked for: a line that says nothing by then is dead."""
DOOR_SECONDS: Final = 3600.0
"""So old a line is left even if it speaks. Not sooner: asking for lines too often is what VK refuses (error 29)."""
OURS: Final = ("vk.com", "vk.ru")


@dataclass(frozen=True, slots=True)
class Door:
    """The way to a community's line: its server, key, and until when (in this process' time) it is used."""

    place: Place
    key: str
    until: float


class Listener:
    """All long polls of one connector."""

    def __init__(self, client: VkClient, options: Options, base_url: str, wait: float) -> None:
        """`wait`: seconds in VK's time that an empty line is held open."""
        self._client = client
        self._options = options
        self._base_url = base_url
        self._wait = max(1, round(wait / options.time_scale))
        self._patience = self._wait + max(MARGIN / options.time_scale, min(1.0, options.timeout))
        self._doors: dict[str, Door] = {}
        self._servers = Servers(what="long poll", timeout=self._patience, time_scale=options.time_scale)

    async def listen(self, page: str, cursor: str | None) -> Heard:
        """The events after `cursor`; see the contract."""
        door = self._doors.get(page)
        if door is None or cursor is None or time.monotonic() > door.until:
            door, newest = await self._open(page)
            if cursor is None:
                return Heard(events=(), cursor=newest)
        try:
            answer = await self._check(door, cursor)
        except (TryLater, UnknownPayload):
            self._doors.pop(page, None)
            raise
        if (failed := maybe_int(answer.get("failed"))) is not None:
            return self._failed(page, failed, answer, cursor)
        try:
            updates = as_list(answer.get("updates"), "updates")
            newest = _ts(answer)
        except OddError as odd:
            self._doors.pop(page, None)
            raise UnknownPayload("malformed", f"long poll: {odd}", raw=to_bytes(answer)) from odd
        return Heard(events=tuple(_event(update) for update in updates), cursor=newest)

    def _failed(self, page: str, failed: int, answer: Json, cursor: str) -> Heard:
        """What to do next: a new `ts` is in the answer, a new key is fetched at the next call, or both are."""
        if failed == MISSED and answer.get("ts") is not None:
            return Heard(events=(), cursor=_ts(answer), missed=True)
        self._doors.pop(page, None)
        if failed == STALE_KEY:
            return Heard(events=(), cursor=cursor)
        return Heard(events=(), cursor=None, missed=True)

    async def _open(self, page: str) -> tuple[Door, str]:
        """A new line, and where it stands."""
        call = Call(
            method="groups.getLongPollServer",
            params={"group_id": page.lstrip("-")},
            kinds=LISTENERS,
            page=page,
        )
        answer = await self._client.call(call)
        try:
            told = as_object(answer.value, "response")
            server, key, newest = as_text(told.get("server"), "server"), as_text(told.get("key"), "key"), _ts(told)
            door = self._door(server, key)
        except ValueError as odd:  # OddError is one, and so is an address that is none
            # Without its bytes: a key to a community's events stands in them.
            raise UnknownPayload("malformed", f"groups.getLongPollServer: {odd}", raw=b"") from None
        self._doors[page] = door
        return door, newest

    def _door(self, server: str, key: str) -> Door:
        until = time.monotonic() + DOOR_SECONDS / self._options.time_scale
        return Door(own_place(server, OURS, base_url=self._base_url), key, until)

    async def _check(self, door: Door, cursor: str) -> Json:
        """One wait. A silence past its time is `network`: the line is left."""
        query: dict[str, str | int] = {"act": "a_check", "key": door.key, "ts": cursor, "wait": self._wait}
        return await self._servers.ask("GET", door.place, query=query)

    async def close(self) -> None:
        """Release the sockets."""
        await self._servers.close()


def _ts(told: Json) -> str:
    """VK tells it as a text or as a number."""
    ts = told.get("ts")
    return str(ts) if isinstance(ts, int) and not isinstance(ts, bool) else as_text(ts, "ts")


def _event(update: object) -> HeardEvent:
    """An update under its own number; one without a number goes by its content: it is not lost, and not taken twice."""
    body = to_bytes(update)
    try:
        pushed = VkPush().read(PushRequest(body=body))
    except UnknownPayload:
        return HeardEvent(event_id=f"sha256:{sha256(body).hexdigest()}", body=body)
    return HeardEvent(event_id=pushed.event_id, body=body, happened_at=pushed.happened_at)
