"""What VK tells a community of its wall: the same events by the Callback API and by Bots Long Poll, under the same numbers."""

import json
import secrets
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from connectors.sandbox.calls import Calls
from connectors.sandbox.clock import Clock
from connectors.sandbox.faults import Fault
from connectors.sandbox.hub import Hub
from connectors.sandbox.journal import Event
from connectors.sandbox.model import Page
from connectors.sandbox.state import State
from connectors.sandbox.vk.objects import beside_object, comment_object, post_object

Json = dict[str, Any]
KEPT = 1_000
"""Events of a community that can still be asked for; VK does not say how long it keeps them."""
LONGEST_WAIT = 90
_NOWHERE = "sandbox:"
"""Stands in for the sandbox's address until somebody asks: only they know under which one they reach it."""
MISSED, STALE_KEY, LOST = 1, 2, 3
_KINDS = {
    "comment": "wall_reply_new",
    "edit": "wall_reply_edit",
    "restore": "wall_reply_restore",
    "delete": "wall_reply_delete",
    "post": "wall_post_new",
}
_BESIDE = {"photo": "photo_comment", "video": "video_comment", "topic": "board_post"}


@dataclass(slots=True)
class _Line:
    """The events of one community, numbered from one."""

    kept: deque[Json] = field(default_factory=lambda: deque(maxlen=KEPT))
    newest: int = 0
    keys: deque[str] = field(default_factory=lambda: deque(maxlen=16))

    def since(self, ts: int) -> list[Json] | None:
        """Events after `ts`; None when some of them are no longer kept."""
        wanted = self.newest - ts
        return None if wanted > len(self.kept) else list(self.kept)[len(self.kept) - wanted :]


class VkEvents:
    """Listens to the world and keeps each community's events."""

    def __init__(self, state: State, hub: Hub, clock: Clock, calls: Calls) -> None:
        """Nothing has happened."""
        self._state = state
        self._hub = hub
        self._clock = clock
        self._calls = calls
        self._lines: dict[int, _Line] = {}

    def hear(self, event: Event) -> None:
        """Take one event of the world, after it happened."""
        page = self._state.find("vk", event.get("page", "")) if event.get("platform") == "vk" else None
        kind = None if page is None else _kind(page, event)
        if page is None or kind is None:
            return
        line = self._lines.setdefault(page.id, _Line())
        line.newest += 1
        number = secrets.token_hex(20)
        line.kept.append({"type": kind, "group_id": page.id, "event_id": number, "v": "5.199", "object": _told(kind, page, event["id"])})

    def newest(self, page: Page, event: Event, base: str) -> Json | None:
        """What this event of the world was told as, just now."""
        line = self._lines.get(page.id)
        return _at(line.kept[-1], base) if line is not None and _kind(page, event) is not None else None

    def open(self, page: Page, base: str) -> Json:
        """A key to the community's line, and where it stands now."""
        line = self._lines.setdefault(page.id, _Line())
        line.keys.append(secrets.token_hex(20))
        return {"key": line.keys[-1], "server": f"{base}/longpoll/{page.id}", "ts": str(line.newest)}

    async def check(self, group: int, values: dict[str, str], base: str, fault: Fault | None) -> Json:
        """The events after `ts`, waited for; or why there are none."""
        answer = await self._check(group, values, base, fault)
        self._calls.add("vk", "longpoll", str(group), f"failed {answer['failed']}" if "failed" in answer else "ok")
        return answer

    async def _check(self, group: int, values: dict[str, str], base: str, fault: Fault | None) -> Json:
        line = self._lines.get(group)
        if line is None or values.get("key") not in line.keys:
            return {"failed": STALE_KEY}
        if fault is not None and fault.kind == "error":
            if fault.code == STALE_KEY:
                line.keys.clear()
            return {"failed": fault.code or LOST} | ({"ts": str(line.newest)} if fault.code == MISSED else {})
        ts, wait = values.get("ts", ""), values.get("wait", "")
        if not ts.isdecimal() or int(ts) > line.newest:
            return {"failed": LOST}
        deadline = self._clock.monotonic() + min(int(wait) if wait.isdecimal() else 0, LONGEST_WAIT)
        while True:
            found, left = line.since(int(ts)), deadline - self._clock.monotonic()
            if found is None:
                return {"failed": MISSED, "ts": str(line.newest)}
            if found or left <= 0 or self._hub.closing:
                return {"ts": str(line.newest), "updates": [_at(event, base) for event in found]}
            await self._hub.wait(left)


def _kind(page: Page, event: Event) -> str | None:
    """As what VK tells an event of the world; nothing of what is put beside the wall, only of what is written there."""
    kind = _KINDS.get(event["op"])
    if kind is None:
        return None
    place = page.posts[event["id"] if kind == "wall_post_new" else page.comments[event["id"]].post_id].kind
    if place == "wall":
        return kind
    return None if kind == "wall_post_new" else kind.replace("wall_reply", _BESIDE[place])


def _told(kind: str, page: Page, number: int) -> Json:
    if kind == "wall_post_new":
        return post_object(page, page.posts[number], _NOWHERE, can_post=True)
    comment = page.comments[number]
    place = page.posts[comment.post_id].kind
    named = "post" if place == "wall" else place
    if kind.endswith("_delete"):
        told = {"id": comment.id, f"{named}_id": comment.post_id, "deleter_id": comment.author_id}
        return told | {"topic_owner_id" if place == "topic" else "owner_id": -page.id}
    told = comment_object(page, comment, _NOWHERE, likes=False, preview=0)
    if place != "wall":
        told = beside_object(page, comment, _NOWHERE) | {f"{named}_id": comment.post_id}
    return told | {f"{named}_owner_id": -page.id}


def _at(event: Json, base: str) -> Json:
    told: Json = json.loads(json.dumps(event).replace(f'"{_NOWHERE}/', f'"{base}/'))
    return told
