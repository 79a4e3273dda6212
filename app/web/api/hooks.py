"""Where platforms push. Whoever does not prove to know a page's secret gets one answer, whatever the reason."""

from __future__ import annotations

from functools import partial

from fastapi import APIRouter, Request
from starlette.requests import ClientDisconnect
from starlette.responses import PlainTextResponse, Response

from app.kernel.log import logger
from app.sources.hooks import BODY_LIMIT, admitted, admitted_by_signature, take_event
from app.web.deps import Now, Parts, PushGate, opened
from connectors.contract import ChecksSignatures, Pushed, PushRequest, UnknownPayload

router = APIRouter(include_in_schema=False)

_REFUSED = "Refused.\n"
_BUSY = "Too much at once: send it again later.\n"


@router.post("/hooks/{platform}/{page}")
async def push(request: Request, parts: Parts, now: Now, platform: str, page: str) -> Response:
    """Take an event: it is stored before the answer, and the worker makes comments of it."""
    body = await _body(request)
    plugin = parts.plugins.get(platform)
    reader = plugin.push if plugin is not None else None
    pushed: Pushed | None = None
    told = PushRequest(body=body or b"", headers=dict(request.headers))
    if reader is not None and body is not None:
        try:
            pushed = reader.read(told)
        except UnknownPayload:
            pushed = None
    pushes: PushGate = request.app.state.web.pushes
    if pushes.full:
        logger.warning("hook_busy", platform=platform[:40])
        return PlainTextResponse(_BUSY, status_code=503, headers={"Retry-After": str(pushes.AGAIN_SECONDS)})
    async with pushes.place(), opened(parts.database.write()) as session:
        if isinstance(reader, ChecksSignatures):
            hook = await admitted_by_signature(
                session, parts.token_vault, platform=platform, page=page, is_genuine=partial(reader.is_genuine, told)
            )
        else:
            hook = await admitted(session, platform=platform, page=page, pushed=pushed)
        if hook is None or pushed is None or reader is None or (not pushed.event_id and not hook.confirmation):
            logger.info("hook_refused", platform=platform[:40])
            return PlainTextResponse(_REFUSED, status_code=403)
        if pushed.event_id:
            kept = (body or b"") if pushed.kept is None else pushed.kept
            taken = await take_event(session, hook, event_id=pushed.event_id, body=kept, happened_at=pushed.happened_at, now=now)
            if not taken:
                logger.info("hook_repeated", page=hook.page_id)
    return PlainTextResponse(reader.answer(pushed, confirmation=hook.confirmation))


async def _body(request: Request) -> bytes | None:
    """At most `BODY_LIMIT` bytes; None for more, or for half of it."""
    taken = bytearray()
    try:
        async for part in request.stream():
            taken += part
            if len(taken) > BODY_LIMIT:
                return None
    except ClientDisconnect:
        return None
    return bytes(taken)
