"""The HTTP face of VK's API: `/method/<name>`, form or query, always status 200."""

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from connectors.sandbox.faults import Faults, after_act, before_act
from connectors.sandbox.limits import Limits
from connectors.sandbox.vk.api import VkApi
from connectors.sandbox.wire import json_response, utf8_json

_WRONG_SHAPE: dict[str, Any] = {"response": {"count": "several", "items": {"0": None}}}


def vk_routes(api: VkApi, faults: Faults, limits: Limits) -> APIRouter:
    """The routes of VK's API."""
    router = APIRouter()

    @router.api_route("/method/{method}", methods=["GET", "POST"], include_in_schema=False)
    async def call(request: Request, method: str) -> Response:
        values = await _values(request)
        fault = faults.take("vk", method, api.token_label(values))
        if (spoilt := before_act(fault, limits.silence)) is not None:
            return spoilt
        answer = api.answer(method, values, base=str(request.base_url).rstrip("/"), fault=fault)
        if fault is not None and fault.kind == "malformed":
            answer = _WRONG_SHAPE
        body = utf8_json(answer)
        return after_act(fault, body, limits.silence) or json_response(body)

    return router


async def _values(request: Request) -> dict[str, str]:
    values = dict(request.query_params)
    if request.method == "POST":
        form = await request.form()
        values |= {key: value for key, value in form.items() if isinstance(value, str)}
    return values
