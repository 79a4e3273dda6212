"""The live channel: server-sent events that say which appeals changed, never what is in them.

A browser that comes back after a gap goes on from its cursor, so nothing is missed. Each look at the database is short;
between two looks a stream holds no connection.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated

import orjson
from fastapi import APIRouter, Depends, Header, Query, Request
from starlette.responses import Response, StreamingResponse

from app.appeals.feed import LiveCursor, changes_since, live_cursor_now
from app.appeals.waiting import triage_waiting
from app.kernel.live import Waiter
from app.kernel.log import logger
from app.kernel.parts import WebParts
from app.notices.queries import count_notices
from app.people.rules import Access, Permission
from app.replies.stops import standing_stops
from app.web.deps import CurrentAccess, Parts, live_session, opened, requires, session_token
from app.web.errors import UnavailableError
from app.web.ui.queue_view import number_text
from app.web.ui.visit import notice_count

router = APIRouter(include_in_schema=False, dependencies=[Depends(requires(Permission.APPEAL_READ))])

HEARTBEAT_SECONDS = 15.0
GATHER_SECONDS = 0.4
"""News comes in bursts: so long it is gathered before one look."""
LOOK_AGAIN_SECONDS = (0.5, 2.0, 5.0)
"""News of a transaction is told only once no older one runs, and nobody says when that is: after each wake we look again."""
_MOST_NUMBERS = 200


@router.get("/live")
async def live(
    request: Request,
    access: CurrentAccess,
    parts: Parts,
    after: Annotated[str | None, Query(max_length=60)] = None,
    last_event_id: Annotated[str | None, Header(max_length=60)] = None,
) -> Response:
    """The stream, from `Last-Event-ID` or `after` on; InvalidError for a cursor that is none."""
    given = last_event_id or after
    cursor = LiveCursor.parse(given) if given else None
    stream = Stream(parts, access, token=session_token(request))
    return StreamingResponse(
        stream.events(cursor), media_type="text/event-stream", headers={"X-Accel-Buffering": "no", "Cache-Control": "no-store"}
    )


class Stream:
    """One browser's stream. It ends when the session does; the browser then asks again and is told so."""

    def __init__(
        self,
        parts: WebParts,
        access: Access,
        *,
        token: str | None,
        heartbeat: float = HEARTBEAT_SECONDS,
        again: tuple[float, ...] = LOOK_AGAIN_SECONDS,
    ) -> None:
        """`heartbeat`: seconds between signs of life; `again`: the pauses before the looks that follow a wake."""
        self._parts = parts
        self._access = access
        self._token = token
        self._cursor: LiveCursor | None = None
        self._counts: bytes = b""
        self._heartbeat = heartbeat
        self._again = again

    async def events(self, cursor: LiveCursor | None) -> AsyncIterator[bytes]:
        """Events until the session ends or the database stays away."""
        self._cursor = cursor
        yield b"retry: 2000\n\n"
        with self._parts.live.listening() as waiter:
            try:
                async for told in self._told(waiter):
                    yield told
            except UnavailableError as error:  # the browser comes back with its cursor
                logger.warning("live_stream_ended", error=error.code)

    async def _told(self, waiter: Waiter) -> AsyncIterator[bytes]:
        again = self._again
        yield await self._look(everything=True)
        while True:
            kinds = await waiter.wait(again[0] if again else self._heartbeat)
            if kinds:
                again = self._again
                await asyncio.sleep(GATHER_SECONDS)
                kinds |= await waiter.wait(0)
            else:
                again, beat = again[1:], not again
                if beat and not await self._still_there():
                    return
                if beat:
                    yield b": still here\n\n"
            news = await self._look(everything=bool(kinds - {"appeals"}) or not again)
            if news:
                yield news

    async def _look(self, *, everything: bool) -> bytes:
        """What is new, as events; nothing when nothing is."""
        async with opened(self._parts.database.read(operator_id=self._access.operator_id)) as session:
            numbers: list[int] = []
            if self._cursor is None:
                self._cursor = await live_cursor_now(session)
            else:
                numbers, self._cursor = await changes_since(session, self._access, cursor=self._cursor)
            counts = self._counts
            if everything or numbers:
                triage = await triage_waiting(session, self._access) if self._access.may(Permission.TRIAGE_WORK) else None
                notices = notice_count(await count_notices(session, self._access))
                stops = "".join(f"{one.id}," for one in await standing_stops(session))
                counts = orjson.dumps({"triage": triage, "overdue": notices.overdue, "near": notices.near, "stops": stops})
        events = b""
        if numbers:
            many = len(numbers) > _MOST_NUMBERS
            events += self._event("appeals", orjson.dumps({"all": True} if many else {"numbers": [number_text(one) for one in numbers]}))
        if counts != self._counts:
            self._counts = counts
            events += self._event("counts", counts)
        return events

    def _event(self, name: str, data: bytes) -> bytes:
        return b"event: %s\nid: %s\ndata: %s\n\n" % (name.encode(), str(self._cursor).encode(), data)

    async def _still_there(self) -> bool:
        """Whether the session still is one, and reaches as far as it did; a service's token is asked by nobody here."""
        if self._token is None:
            return False
        async with opened(self._parts.database.read()) as session:
            found = await live_session(session, self._parts, token=self._token, now=self._parts.clock.now())
        return found is not None and found.access == self._access
