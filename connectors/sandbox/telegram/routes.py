"""The HTTP face of the Bot API: `/bot<token>/<method>` and the files of pictures."""

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from connectors.sandbox.faults import Faults, spoiled
from connectors.sandbox.limits import Limits
from connectors.sandbox.pictures import picture
from connectors.sandbox.readings import Visit
from connectors.sandbox.telegram.api import TelegramApi, parse_json
from connectors.sandbox.telegram.errors import TelegramError
from connectors.sandbox.wire import ascii_json

_WRONG_SHAPE: dict[str, Any] = {"ok": True, "result": {"nobody": "expected this"}}


def telegram_routes(api: TelegramApi, faults: Faults, limits: Limits) -> APIRouter:
    """The routes of Telegram's Bot API."""
    router = APIRouter()

    @router.api_route("/bot{token}/{method}", methods=["GET", "POST"], include_in_schema=False)
    async def call(request: Request, token: str, method: str) -> Response:
        bot = api.bot(token)
        fault = faults.take("telegram", method, bot.label if bot else None)
        visit: Visit = request.state.visit

        async def act() -> tuple[int, bytes]:
            try:
                values = await _values(request)
            except TelegramError as error:
                return error.status, ascii_json(error.body())
            base = str(request.base_url).rstrip("/")
            visit.reads("telegram", method, {"bot": bot.label if bot else ""})
            status, answer = await api.answer(token, method, values, base=base, fault=fault)
            return status, ascii_json(answer)

        return await spoiled(fault, act, wrong_shape=ascii_json(_WRONG_SHAPE), limits=limits)

    @router.get("/file/bot{token}/photos/{name}.png", include_in_schema=False)
    async def file(token: str, name: str) -> Response:
        if api.bot(token) is None:
            return Response(status_code=404)
        return Response(picture(name), media_type="image/png")

    return router


async def _values(request: Request) -> dict[str, Any]:
    values: dict[str, Any] = dict(request.query_params)
    if request.method == "POST":
        if request.headers.get("content-type", "").startswith("application/json"):
            return values | parse_json(await request.body())
        async with request.form() as form:
            values |= {key: value if isinstance(value, str) else await value.read() for key, value in form.items()}
    return values
