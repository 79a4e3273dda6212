"""The HTTP face of OK's API: `/fb.do`, form or query, always status 200."""

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from connectors.sandbox.faults import Faults, spoiled
from connectors.sandbox.limits import Limits
from connectors.sandbox.ok.api import OkApi
from connectors.sandbox.readings import Visit
from connectors.sandbox.wire import utf8_json

_WRONG_SHAPE: dict[str, Any] = {"discussions": "several", "comments": {"0": None}}


def ok_routes(api: OkApi, faults: Faults, limits: Limits) -> APIRouter:
    """The routes of OK's API."""
    router = APIRouter()

    @router.api_route("/fb.do", methods=["GET", "POST"], include_in_schema=False)
    async def call(request: Request) -> Response:
        values = dict(request.query_params)
        form = await request.form()
        values |= {key: value for key, value in form.items() if isinstance(value, str)}
        token = api.token(values)
        fault = faults.take("ok", values.get("method", ""), token.label if token else None)
        base = str(request.base_url).rstrip("/")
        visit: Visit = request.state.visit
        visit.acts("ok", values.get("method", ""), values)

        async def act() -> tuple[int, bytes]:
            visit.reads("ok", values.get("method", ""), values)
            return 200, utf8_json(api.answer(values, base=base, fault=fault))

        return await spoiled(fault, act, wrong_shape=utf8_json(_WRONG_SHAPE), limits=limits)

    return router
