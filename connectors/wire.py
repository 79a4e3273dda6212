"""One HTTP exchange that trusts nobody: bounded in time and size, never redirected, failures told apart."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache
from typing import TYPE_CHECKING, Final

import httpx

from connectors import meanings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from connectors.contract import ConnectorError

LARGEST_ANSWER: Final = 64 * 1024 * 1024
FIRST_REDIRECT, FIRST_REFUSAL = 300, 400
# The connection was never made, or never even begun: nothing can have been done.
NEVER_LEFT: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol, httpx.LocalProtocolError)


@dataclass(frozen=True, kw_only=True, slots=True)
class Heard:
    """An HTTP answer: its status, its bytes, the platform's own time of answering."""

    status: int
    body: bytes
    date: datetime | None


class Wire:
    """The HTTP way to one origin. Nothing else can be reached through it, and no setting of the environment changes it."""

    def __init__(self, base_url: str, timeout: float) -> None:
        self._timeout = timeout
        self._http = httpx.AsyncClient(base_url=base_url, timeout=timeout, verify=_trust(), trust_env=False, follow_redirects=False)

    async def ask(  # noqa: PLR0913 - the parts of a request
        self,
        method: str,
        path: str,
        *,
        scene: meanings.Scene,
        query: Mapping[str, str | int] | None = None,
        form: Mapping[str, str] | None = None,
        files: Mapping[str, tuple[str, bytes, str]] | None = None,
        json: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> Heard:
        """One exchange, tried once, whole within the time-out. Raises the contract's errors; a status raises nothing.

        `files`: (name, bytes, media type) by field.
        """
        request = self._http.build_request(method, path, params=query, data=form, files=files, json=json, headers=headers)
        # Never chained: an error of httpx carries the request, and the request a token.
        try:
            async with asyncio.timeout(self._timeout):
                return await self._exchange(request, scene)
        except NEVER_LEFT as error:
            raise meanings.unreachable(type(error).__name__, left=False, scene=scene) from None
        except (httpx.HTTPError, TimeoutError) as error:
            raise meanings.unreachable(type(error).__name__, left=True, scene=scene) from None

    async def _exchange(self, request: httpx.Request, scene: meanings.Scene) -> Heard:
        response = await self._http.send(request, stream=True)
        try:
            parts: list[bytes] = []
            size = 0
            async for part in response.aiter_bytes():
                parts.append(part)
                size += len(part)
                if size > LARGEST_ANSWER:
                    raise _too_large(scene)
        finally:
            await response.aclose()
        body = b"".join(parts)
        if FIRST_REDIRECT <= response.status_code < FIRST_REFUSAL:
            raise meanings.unreadable("redirect", "the platform's address redirects elsewhere", raw=body, scene=scene)
        return Heard(status=response.status_code, body=body, date=_date(response.headers.get("Date")))

    async def close(self) -> None:
        """Release the sockets."""
        await self._http.aclose()


@cache
def _trust() -> ssl.SSLContext:
    """Whom we believe to be who they say: read from disk once, for it takes longer than a call."""
    return httpx.create_ssl_context(trust_env=False)


def _too_large(scene: meanings.Scene) -> ConnectorError:
    return meanings.unreadable("too_large", f"an answer past {LARGEST_ANSWER} bytes", raw=b"", scene=scene)


def _date(header: str | None) -> datetime | None:
    try:
        moment = parsedate_to_datetime(header) if header else None
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment and moment.utcoffset() is None else moment
