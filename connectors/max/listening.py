"""MAX's long poll: the updates of a bot after a marker, as events for the inbox of what is pushed."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

from connectors.contract import Heard, HeardEvent, PushRequest, UnknownPayload
from connectors.max.push import KINDS, MaxPush
from connectors.payload import OddError, as_list, as_object, maybe_int, to_bytes

if TYPE_CHECKING:
    from connectors.contract import Credential
    from connectors.max.client import MaxClient

MOST: Final = 100
LISTEN_SECONDS: Final = 15.0
LONGEST_PAUSE: Final = 1.0


async def listen(client: MaxClient, bot: Credential, cursor: str | None, *, seconds: float) -> Heard:
    """What came after the marker; waits so long for the first, by MAX's patience or our own. Without a marker MAX tells only the last."""
    began = time.monotonic()
    query: dict[str, str | int] = {"limit": MOST, "timeout": int(seconds), "types": ",".join(sorted(KINDS))}
    answer = await client.get(bot, "/updates", **query | ({} if cursor is None else {"marker": cursor}))
    try:
        told = as_object(answer.value, "answer")
        rows = as_list(told.get("updates"), "updates")
    except OddError as odd:
        raise UnknownPayload("malformed", str(odd), raw=answer.raw) from odd
    marker = maybe_int(told.get("marker"))
    if not rows:
        await asyncio.sleep(max(0.0, min(LONGEST_PAUSE, seconds - (time.monotonic() - began))))
    return Heard(events=tuple(map(_event, rows)), cursor=cursor if marker is None else str(marker))


def _event(row: object) -> HeardEvent:
    """As it would be pushed. One that cannot be read goes into the inbox too, to be set aside there with its bytes."""
    body = to_bytes(row)
    try:
        pushed = MaxPush().read(PushRequest(body=body))
    except UnknownPayload:
        return HeardEvent(event_id=MaxPush.number(body), body=body)
    return HeardEvent(event_id=pushed.event_id, body=body, happened_at=pushed.happened_at)
