"""The HTTP face of MAX's Bot API; the token stands in the header `Authorization`."""

import json
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from connectors.sandbox.faults import Faults, spoiled
from connectors.sandbox.limits import Limits
from connectors.sandbox.max.api import Asked, MaxApi
from connectors.sandbox.readings import Visit
from connectors.sandbox.wire import ascii_json

_WRONG_SHAPE: dict[str, Any] = {"messages": "several", "message": {"body": None}}
# Method and path of each operation of the description that the sandbox has.
OPERATIONS: tuple[tuple[str, str, str], ...] = (
    ("GET", "/me", "getMyInfo"),
    ("GET", "/chats/{chat}", "getChat"),
    ("GET", "/chats/{chat}/members/me", "getMembership"),
    ("GET", "/messages", "getMessages"),
    ("POST", "/messages", "sendMessage"),
    ("PUT", "/messages", "editMessage"),
    ("DELETE", "/messages", "deleteMessage"),
    ("GET", "/messages/{message}", "getMessageById"),
    ("GET", "/messages/{message}/comments", "getComments"),
    ("POST", "/messages/{message}/comments", "sendComment"),
    ("PUT", "/messages/{message}/comments", "editComment"),
    ("DELETE", "/messages/{message}/comments", "deleteComment"),
    ("GET", "/messages/{message}/comments/{comment}", "getCommentById"),
    ("POST", "/uploads", "getUploadUrl"),
    ("GET", "/updates", "getUpdates"),
    ("GET", "/subscriptions", "getSubscriptions"),
    ("POST", "/subscriptions", "subscribe"),
    ("DELETE", "/subscriptions", "unsubscribe"),
)


def max_routes(api: MaxApi, faults: Faults, limits: Limits) -> APIRouter:
    """The routes of MAX's API."""
    router = APIRouter()
    for verb, path, operation in OPERATIONS:
        _add(router, verb, path, operation, api, faults, limits)

    @router.post("/upload/max", include_in_schema=False)
    async def upload(request: Request) -> Response:
        fault = faults.take("max", "upload", None)
        async with request.form() as form:
            file = form.get("data")
            content = b"" if file is None or isinstance(file, str) else await file.read()

        async def act() -> tuple[int, bytes]:
            status, answer = api.brought(content)
            return status, ascii_json(answer)

        return await spoiled(fault, act, wrong_shape=b'{"photos": []}', limits=limits)

    return router


def _add(  # noqa: PLR0913 - an operation and where it is carried out
    router: APIRouter, verb: str, path: str, operation: str, api: MaxApi, faults: Faults, limits: Limits
) -> None:
    async def call(request: Request) -> Response:
        token = request.headers.get("authorization", "")
        bot = api.bot(token)
        fault = faults.take("max", operation, bot.label if bot else None)
        visit: Visit = request.state.visit
        said = {**request.query_params, **{name: str(value) for name, value in request.path_params.items()}}
        visit.acts("max", operation, said)

        async def act() -> tuple[int, bytes]:
            visit.reads("max", operation, said)
            asked = Asked(
                path={name: str(value) for name, value in request.path_params.items()},
                query=dict(request.query_params),
                body=await _body(request),
                base=str(request.base_url).rstrip("/"),
            )
            status, answer = api.answer(token, operation, asked, fault)
            return status, ascii_json(answer)

        return await spoiled(fault, act, wrong_shape=ascii_json(_WRONG_SHAPE), limits=limits)

    router.add_api_route(path, call, methods=[verb], include_in_schema=False, response_model=None)


async def _body(request: Request) -> dict[str, Any] | None:
    """The JSON object of a request, empty when it has none; None for anything else."""
    raw = await request.body()
    try:
        value = json.loads(raw or b"{}")
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
