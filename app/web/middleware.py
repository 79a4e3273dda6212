"""The edge: everything that holds for each request, in one pass. Pure ASGI, so that streams flow and nothing is copied.

A request gets its id, a body of bounded size, the security headers, a measure and a line in the log. What nobody
expected ends here as a 500 that tells nothing but the id.
"""

from __future__ import annotations

import re
import time
from http import HTTPStatus
from typing import TYPE_CHECKING
from uuid import uuid4

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request

from app.kernel import metrics
from app.kernel.log import logger
from app.web.errors import answer

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

BODY_LIMIT = 1024 * 1024
_UPLOADS = re.compile(r"/appeals/[^/]+/answer|/api/v1/pictures")
"""Where pictures come: to whoever may answer, and nothing of it is read before that is known."""
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_GIVEN_ID = re.compile(rb"[A-Za-z0-9_-]{8,64}")
_CLIENT_GONE = 499

# No inline script, no inline style, nothing from elsewhere. Tabler's arrows are data: pictures in its style sheet. Markup becomes
# elements only through two named policies (decision 0014): `otklik`, by which htmx writes our own answers, and ECharts' empty one.
POLICY = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types otklik default"
)
_HEADERS = (
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
)
_SECURE_HEADERS = ((b"strict-transport-security", b"max-age=31536000; includeSubDomains"),)
_NO_STORE = (b"cache-control", b"no-store")


class Edge:
    """Wraps the whole application."""

    def __init__(self, app: ASGIApp, *, secure: bool, body_limit: int = BODY_LIMIT, upload_limit: int = BODY_LIMIT) -> None:
        """`secure`: people come by https, so browsers are told never to come otherwise. `upload_limit`: where pictures come."""
        self.app = app
        self._headers = _HEADERS + (_SECURE_HEADERS if secure else ())
        self._body_limit = body_limit
        self._upload_limit = upload_limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        state = scope.setdefault("state", {})
        state["request_id"] = _request_id(scope)
        outcome = _Exchange(scope, send, self._headers)
        try:
            await self.app(scope, self._bounded(scope, receive), outcome.send)
        except ClientDisconnect:
            outcome.status = _CLIENT_GONE
        except Exception as error:
            if outcome.status:  # the answer has begun: all that is left is to break it off
                logger.exception("response_failed", path=scope["path"])
                raise
            response = await answer(Request(scope, receive), error)
            await response(scope, receive, outcome.send)
        finally:
            outcome.finish()

    def _bounded(self, scope: Scope, receive: Receive) -> Receive:
        """Refuse a body that is too large: at once if it says so itself, else as soon as it is."""
        limit = self._upload_limit if _UPLOADS.fullmatch(scope["path"]) else self._body_limit
        declared = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
        too_large = HTTPException(
            status_code=HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            detail=f"The body is larger than {limit} bytes.",
            headers={"Connection": "close"},
        )
        if declared.isdigit() and int(declared) > limit:

            async def refuse() -> Message:
                raise too_large

            return refuse
        taken = 0

        async def count() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > limit:
                raise too_large
            return message

        return count


class _Exchange:
    """One answer on its way out: headers are added, and it is measured and logged once."""

    def __init__(self, scope: Scope, send: Send, headers: tuple[tuple[bytes, bytes], ...]) -> None:
        self.status = 0
        self._scope = scope
        self._send = send
        self._headers = headers
        self._started = time.perf_counter()
        self._finished = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = [*message.get("headers", ()), *self._headers]
            headers.append((b"x-request-id", self._scope["state"]["request_id"].encode()))
            names = {name.lower() for name, _ in headers}
            if b"cache-control" not in names:
                headers.append(_NO_STORE)
            message["headers"] = headers
            if (b"content-type", b"text/event-stream") in {(name, value.split(b";")[0]) for name, value in headers}:
                self.finish()  # a stream lasts for hours: what counts is how soon it began
        await self._send(message)

    def finish(self) -> None:
        """Measure and log."""
        if self._finished:
            return
        self._finished = True
        seconds = time.perf_counter() - self._started
        status = self.status or _CLIENT_GONE
        scope = self._scope
        route = getattr(scope.get("route"), "path", None) or "unmatched"
        method = scope["method"] if scope["method"] in _METHODS else "other"
        metrics.REQUEST_SECONDS.series.labels(method=method, route=route, outcome=f"{status // 100}xx").observe(seconds)
        state = scope["state"]
        # The query is left out: it may hold what somebody searched for.
        logger.info(
            "request",
            method=method,
            path=path_to_log(scope["path"], route),
            status=status,
            ms=round(seconds * 1000, 1),
            id=state["request_id"],
            operator=state.get("operator_id"),
            problem=state.get("problem"),
        )


def path_to_log(path: str, route: str) -> str:
    """The path that is logged: of a link its route alone, since its token opens an account."""
    return route if "{token}" in route else path[:300]


def _request_id(scope: Scope) -> str:
    """The id that a proxy in front gave, if it is a sane one; else a new one."""
    given = next((value for name, value in scope["headers"] if name == b"x-request-id"), b"")
    return given.decode("ascii") if _GIVEN_ID.fullmatch(given) else uuid4().hex
