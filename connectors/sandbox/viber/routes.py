"""The HTTP face of Viber's API; the token stands in the header `X-Viber-Auth-Token`."""

import json
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from connectors.sandbox.faults import Faults, spoiled
from connectors.sandbox.limits import Limits
from connectors.sandbox.viber.api import METHODS, Asked, ViberApi
from connectors.sandbox.wire import ascii_json

_WRONG_SHAPE: dict[str, Any] = {"status": 0, "status_message": "ok", "id": ["pa"], "message_token": {}}


def viber_routes(api: ViberApi, faults: Faults, limits: Limits) -> APIRouter:
    """The routes of Viber's API."""
    router = APIRouter()

    @router.post("/pa/{method}", include_in_schema=False)
    async def call(request: Request, method: str) -> Response:
        if method not in METHODS:
            return Response(status_code=404)
        token = request.headers.get("x-viber-auth-token", "")
        bot = api.bot(token)
        fault = faults.take("viber", method, bot.label if bot else None)

        async def act() -> tuple[int, bytes]:
            raw = await request.body()
            asked = Asked(token=token, body=_object(raw), size=len(raw), base=str(request.base_url).rstrip("/"))
            return 200, ascii_json(await api.answer(method, asked, fault))

        return await spoiled(fault, act, wrong_shape=ascii_json(_WRONG_SHAPE), limits=limits)

    return router


def _object(raw: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
