"""How answers leave the sandbox: JSON as the platform writes it, and the ways in which an answer can fail to come."""

import asyncio
import json
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

_DRIP_SECONDS = 0.1


def utf8_json(value: Any) -> bytes:
    """JSON as raw UTF-8, escaped only where a lone surrogate leaves no other way."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    try:
        return text.encode()
    except UnicodeEncodeError:
        return ascii_json(value)


def ascii_json(value: Any) -> bytes:
    """JSON in which everything beyond ASCII is escaped."""
    return json.dumps(value, separators=(",", ":")).encode("ascii")


def json_response(body: bytes, status: int = 200) -> Response:
    """An HTTP answer that carries JSON."""
    return Response(body, status_code=status, media_type="application/json; charset=utf-8")


def truncated(body: bytes) -> Response:
    """An answer whose JSON stops half way although HTTP says that it is whole."""
    return json_response(body[: len(body) // 2])


def server_error() -> Response:
    """A gateway's error page, as a client meets it when a platform is down."""
    page = b"<html><head><title>500 Internal Server Error</title></head><body><h1>500</h1></body></html>"
    return Response(page, status_code=500, media_type="text/html")


class Silence(Response):
    """No answer at all: the connection stays open until the client gives up or `seconds` have passed."""

    def __init__(self, seconds: float) -> None:
        """Keep silent for at most `seconds`."""
        super().__init__()
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI
        """Wait for the client to go; else close the connection in the middle of an answer."""
        try:
            async with asyncio.timeout(self._seconds):
                while (await receive())["type"] != "http.disconnect":
                    pass
        except TimeoutError:
            # An announced body that never comes makes the server drop the connection: the nearest to silence HTTP has.
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"1")]})


class Drip(Response):
    """The answer comes, a byte at a time and too slowly for anybody's patience; after `seconds` the rest is not sent."""

    def __init__(self, body: bytes, seconds: float) -> None:
        """Spread `body` over more time than there is."""
        super().__init__()
        self._bytes = body
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI
        """A byte every tenth of a second, until the client gives up."""
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(self._bytes)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        gone = asyncio.create_task(self._gone(receive))
        try:
            async with asyncio.timeout(self._seconds):
                for number in range(len(self._bytes) - 1):
                    if gone.done():
                        return
                    await send({"type": "http.response.body", "body": self._bytes[number : number + 1], "more_body": True})
                    await asyncio.wait({gone}, timeout=_DRIP_SECONDS)  # whoever has gone is read to no longer
        except TimeoutError:
            return
        finally:
            gone.cancel()

    @staticmethod
    async def _gone(receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass


class Cut(Response):
    """The connection breaks in the middle of the answer's body."""

    def __init__(self, body: bytes) -> None:
        """Send the first half of `body`."""
        super().__init__()
        self._bytes = body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI
        """Announce the whole body and send half of it."""
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(self._bytes)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": self._bytes[: len(self._bytes) // 2], "more_body": True})
