"""A platform's HTTP API with tokens: each call kept within the token's rate, counted, made once, its failures told apart."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from connectors import meanings
from connectors.pacing import metered, paced, shared
from connectors.payload import readable_json
from connectors.wire import Wire

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from connectors.contract import ConnectorError, Credential, Options

RATE_LIMIT: Final = "calls_per_second"


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """What is asked. `name` is the method's, for metrics: it holds no id. `acts`: it changes something on the platform."""

    name: str
    method: str
    path: str
    acts: bool
    query: Mapping[str, str | int] | None = None
    form: Mapping[str, str] | None = None
    json: object = None
    headers: Mapping[str, str] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What the platform answered: its status, its value (None when it was no JSON), its bytes, its own time of answering."""

    status: int
    value: object
    raw: bytes
    date: datetime | None


class HttpApi:
    """All calls of one connector. `refusal` tells the error that an answer stands for, None when it is none."""

    def __init__(
        self,
        options: Options,
        base_url: str,
        *,
        per_second: float,
        refusal: Callable[[Answer, meanings.Scene], ConnectorError | None],
    ) -> None:
        self._options = options
        self._refusal = refusal
        self._wire = Wire(base_url, options.timeout)
        self.per_second = max(1, int(options.limits.get(RATE_LIMIT, per_second)))
        """Of one token, in the platform's own time."""
        self._windows = {one.key: shared(self.per_second, 1 / options.time_scale, one.key, options.budget) for one in options.credentials}

    async def close(self) -> None:
        """Release the sockets."""
        await self._wire.close()

    async def call(self, credential: Credential, request: Request) -> Answer:
        """One call with one token, once. Raises the contract's errors."""
        with metered(self._options.meter, request.name):
            return await self._called(credential, request)

    async def _called(self, credential: Credential, request: Request) -> Answer:
        scene = meanings.Scene(sending=request.acts, credential_key=credential.key, time_scale=self._options.time_scale)
        async with paced(self._windows[credential.key], patience=self._options.timeout):
            heard = await self._wire.ask(
                request.method,
                request.path,
                query=request.query,
                form=request.form,
                json=request.json,
                headers=request.headers,
                scene=scene,
            )
        try:
            value: object = json.loads(readable_json(heard.body))
        except (ValueError, RecursionError):
            value = None
        answer = Answer(status=heard.status, value=value, raw=heard.body, date=heard.date)
        error = self._refusal(answer, scene)
        if error is not None:
            raise error
        if value is None:
            raise meanings.unreadable("malformed", "not JSON", raw=heard.body, scene=scene)
        return answer
