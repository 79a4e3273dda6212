"""A guest book over HTTP: one address and one key, both in the credential. All I/O is here."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING

import httpx

from connectors.contract import AccessLost, OutcomeUnknown, Rejected, TryLater, UnknownPayload
from connectors.payload import readable_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from connectors.contract import ConnectorError, Credential, Options

PAUSE = timedelta(seconds=5)
REFUSALS: dict[int, tuple[type[AccessLost | Rejected], str]] = {
    401: (AccessLost, "reauthorise"),
    403: (AccessLost, "no_right"),
    404: (Rejected, "gone"),
    409: (Rejected, "comments_closed"),
    422: (Rejected, "bad_text"),
}


class GuestbookClient:
    """The calls of one book. A site's address stands before the key: `https://town.example KEY`."""

    def __init__(self, options: Options, credential: Credential) -> None:
        address, _, secret = credential.secret.rpartition(" ")
        self.credential = credential
        self._http = httpx.AsyncClient(
            base_url=address or options.api_url or "", headers={"X-Key": secret}, timeout=options.timeout, trust_env=False
        )
        self._scale = options.time_scale

    async def get(self, path: str, **query: str | int) -> tuple[object, bytes]:
        """A reading: the parsed answer and its bytes."""
        return await self._call("GET", path, query=query)

    async def post(self, path: str, body: Mapping[str, object]) -> object:
        """A sending, tried once."""
        return (await self._call("POST", path, body=body))[0]

    async def close(self) -> None:
        """Release the sockets."""
        await self._http.aclose()

    async def _call(
        self, method: str, path: str, *, query: Mapping[str, str | int] | None = None, body: Mapping[str, object] | None = None
    ) -> tuple[object, bytes]:
        try:
            answer = await self._http.request(method, path, params=query, json=body)
        except httpx.ConnectError as error:
            raise TryLater("network", type(error).__name__, after=self._pause()) from None
        except httpx.HTTPError as error:
            raise self._unclear(method, "network", type(error).__name__) from None
        if answer.status_code == httpx.codes.TOO_MANY_REQUESTS:
            raise TryLater("rate", "", after=self._pause(), credential_key=self.credential.key)
        if answer.status_code in REFUSALS:
            kind, code = REFUSALS[answer.status_code]
            raise kind(code, answer.text[:200], credential_key=self.credential.key)
        if answer.is_error:
            raise self._unclear(method, "server", f"HTTP {answer.status_code}")
        try:
            return json.loads(readable_json(answer.content)), answer.content
        except (ValueError, RecursionError):
            if method == "POST":
                raise OutcomeUnknown("malformed", "not JSON") from None
            raise UnknownPayload("malformed", "not JSON", raw=answer.content) from None

    def _unclear(self, method: str, code: str, detail: str) -> ConnectorError:
        """A sending that got no answer may have been carried out; a reading is tried again."""
        return OutcomeUnknown(code, detail) if method == "POST" else TryLater(code, detail, after=self._pause())

    def _pause(self) -> timedelta:
        return PAUSE / self._scale
