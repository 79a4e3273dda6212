"""OK's REST API over HTTP: signs, paces, tries once, and tells failures apart."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from connectors import meanings
from connectors.contract import AccessLost
from connectors.ok import signing
from connectors.ok.errors import from_number
from connectors.pacing import metered, paced, shared
from connectors.payload import is_object, maybe_int, readable_json
from connectors.wire import FIRST_REFUSAL, Wire

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from connectors.contract import Credential, Options

PATH: Final = "/fb.do"
DEFAULT_LIMITS: Final[Mapping[str, float]] = {"calls_per_second": 3}
"""A guess of PLATFORMS.md: OK publishes none."""
# Another token may do what this one may not.
ANOTHER_TOKEN: Final = frozenset({"reauthorise", "no_right", "validation", "captcha", "app_off", "quota", "restricted"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What OK answered, its bytes, and its own time of answering."""

    value: object
    raw: bytes
    date: datetime | None


class OkClient:
    """All calls to OK of one connector."""

    def __init__(self, options: Options, base_url: str) -> None:
        self._options = options
        self._wire = Wire(base_url, options.timeout)
        self.per_second = max(1, int({**DEFAULT_LIMITS, **options.limits}["calls_per_second"]))
        """Of one token, in OK's own time."""
        self._windows = {c.key: shared(self.per_second, 1 / options.time_scale, c.key, options.budget) for c in options.credentials}

    async def close(self) -> None:
        """Release the sockets."""
        await self._wire.close()

    def tokens(self, page: str | None) -> list[Credential]:
        """The tokens for a page: its own first, then those of no page in particular."""
        fitting = [c for c in self._options.credentials if page is None or c.page_external_id in {None, page}]
        return sorted(fitting, key=lambda credential: credential.page_external_id is None)

    async def read(self, method: str, params: Mapping[str, str], *, page: str | None) -> Answer:
        """A reading; a token that may not is passed over for the next. Raises the contract's errors."""
        tokens = self._some(method, page)
        for credential in tokens[:-1]:
            try:
                return await self.call(credential, method, params)
            except AccessLost as error:
                if error.code not in ANOTHER_TOKEN:
                    raise
        return await self.call(tokens[-1], method, params)

    async def send(self, method: str, params: Mapping[str, str], *, page: str) -> Answer:
        """A sending, with one token, once. Raises the contract's errors."""
        return await self.call(self._some(method, page)[0], method, params, sending=True)

    def _some(self, method: str, page: str | None) -> list[Credential]:
        tokens = self.tokens(page)
        if not tokens:
            raise AccessLost("token_kind", f"{method} needs a token of somebody who administers the group; none is configured")
        return tokens

    async def call(self, credential: Credential, method: str, params: Mapping[str, str], *, sending: bool = False) -> Answer:
        """One call with one token."""
        with metered(self._options.meter, method):
            return await self._called(credential, method, params, sending=sending)

    async def _called(self, credential: Credential, method: str, params: Mapping[str, str], *, sending: bool) -> Answer:
        keys = signing.keys(credential.secret)
        if keys is None:
            detail = "the secret is not: APPLICATION_KEY APPLICATION_SECRET_KEY ACCESS_TOKEN"
            raise AccessLost("reauthorise", detail, credential_key=credential.key)
        scene = meanings.Scene(sending=sending, credential_key=credential.key, time_scale=self._options.time_scale)
        async with paced(self._windows[credential.key], patience=self._options.timeout):
            heard = await self._wire.ask("POST", PATH, form=signing.signed({**params, "method": method}, keys), scene=scene)
        try:
            value: object = json.loads(readable_json(heard.body))
        except (ValueError, RecursionError):
            if heard.status >= FIRST_REFUSAL:
                raise meanings.from_status(heard.status, raw=heard.body, scene=scene) from None
            raise meanings.unreadable("malformed", "not JSON", raw=heard.body, scene=scene) from None
        number = maybe_int(value.get("error_code")) if is_object(value) else None
        if number is not None and is_object(value):
            raise from_number(number, str(value.get("error_msg", ""))[:500], raw=heard.body, scene=scene)
        if heard.status >= FIRST_REFUSAL:
            raise meanings.from_status(heard.status, raw=heard.body, scene=scene)
        return Answer(value=value, raw=heard.body, date=heard.date)
