"""The HTTP face of VK's API: `/method/<name>`, form or query, always status 200."""

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from connectors.sandbox.faults import Faults, spoiled
from connectors.sandbox.limits import Limits
from connectors.sandbox.readings import Visit
from connectors.sandbox.vk.api import VkApi
from connectors.sandbox.wire import utf8_json

_WRONG_SHAPE: dict[str, Any] = {"response": {"count": "several", "items": {"0": None}}}


def vk_routes(api: VkApi, faults: Faults, limits: Limits) -> APIRouter:
    """The routes of VK's API."""
    router = APIRouter()

    @router.api_route("/method/{method}", methods=["GET", "POST"], include_in_schema=False)
    async def call(request: Request, method: str) -> Response:
        values = await _values(request)
        fault = faults.take("vk", method, api.token_label(values))
        base = str(request.base_url).rstrip("/")
        visit: Visit = request.state.visit
        visit.acts("vk", method, values)

        async def act() -> tuple[int, bytes]:
            return 200, utf8_json(api.answer(method, values, base=base, fault=fault, visit=visit))

        scripted = method == "execute"
        return await spoiled(fault, act, wrong_shape=utf8_json(_WRONG_SHAPE), limits=limits, scripted=scripted)

    @router.post("/upload/vk/{group}", include_in_schema=False)
    async def upload(request: Request, group: int) -> Response:
        fault = faults.take("vk", "upload", None)
        content = await _file(request)

        async def act() -> tuple[int, bytes]:
            return 200, utf8_json(api.brought(group, content))

        return await spoiled(fault, act, wrong_shape=b'{"server": [], "photo": {}}', limits=limits)

    @router.get("/longpoll/{group}", include_in_schema=False)
    async def long_poll(request: Request, group: int) -> Response:
        fault = faults.take("vk", "longpoll", None)
        base = str(request.base_url).rstrip("/")

        async def act() -> tuple[int, bytes]:
            return 200, utf8_json(await api.events.check(group, dict(request.query_params), base, fault))

        return await spoiled(fault, act, wrong_shape=b'{"ts": [], "updates": {}}', limits=limits)

    return router


async def _file(request: Request) -> bytes:
    """The picture of an upload; nothing where none came."""
    async with request.form() as form:
        file = form.get("photo")
        return b"" if file is None or isinstance(file, str) else await file.read()


async def _values(request: Request) -> dict[str, str]:
    values = dict(request.query_params)
    if request.method == "POST":
        form = await request.form()
        values |= {key: value for key, value in form.items() if isinstance(value, str)}
    return values
