"""OK's REST API over HTTP: signs, paces, tries once, and tells failures apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from connectors.contract import AccessLost
from connectors.http_api import HttpApi, Request
from connectors.ok import signing
from connectors.ok.errors import from_answer
from connectors.tokens import Tokens

if TYPE_CHECKING:
    from collections.abc import Mapping

    from connectors.contract import Credential, Options
    from connectors.http_api import Answer

PATH: Final = "/fb.do"
PER_SECOND: Final = 3
"""A guess of PLATFORMS.md: OK publishes none."""
# Another token may do what this one may not.
ANOTHER_TOKEN: Final = frozenset({"reauthorise", "no_right", "validation", "captcha", "app_off", "quota", "restricted"})


class OkClient:
    """All calls to OK of one connector."""

    def __init__(self, options: Options, base_url: str) -> None:
        self._tokens = Tokens(options.credentials)
        self._api = HttpApi(options, base_url, per_second=PER_SECOND, refusal=from_answer)

    @property
    def per_second(self) -> int:
        """Calls of one token, in OK's own time."""
        return self._api.per_second

    async def close(self) -> None:
        """Release the sockets."""
        await self._api.close()

    def tokens(self, page: str | None) -> list[Credential]:
        """The tokens for a page: its own first, then those of no page in particular."""
        return sorted(self._tokens.serving(page), key=lambda credential: credential.page_external_id is None)

    async def read(self, method: str, params: Mapping[str, str], *, page: str | None) -> Answer:
        """A reading; a token that may not is passed over for the next. Raises the contract's errors."""
        tokens = self.some(method, page)
        for credential in tokens[:-1]:
            try:
                return await self.call(credential, method, params)
            except AccessLost as error:
                if error.code not in ANOTHER_TOKEN:
                    raise
        return await self.call(tokens[-1], method, params)

    async def send(self, method: str, params: Mapping[str, str], *, page: str) -> Answer:
        """A sending, with one token, once. Raises the contract's errors."""
        return await self.call(self.some(method, page)[0], method, params, sending=True)

    def some(self, method: str, page: str | None) -> list[Credential]:
        """The same, at least one. Raises AccessLost `token_kind`."""
        tokens = self.tokens(page)
        if not tokens:
            raise AccessLost("token_kind", f"{method} needs a token of somebody who administers the group; none is configured")
        return tokens

    async def call(self, credential: Credential, method: str, params: Mapping[str, str], *, sending: bool = False) -> Answer:
        """One call with one token."""
        keys = signing.keys(credential.secret)
        if keys is None:
            detail = "the secret is not: APPLICATION_KEY APPLICATION_SECRET_KEY ACCESS_TOKEN"
            raise AccessLost("reauthorise", detail, credential_key=credential.key)
        form = signing.signed({**params, "method": method}, keys)
        return await self._api.call(credential, Request(name=method, method="POST", path=PATH, acts=sending, form=form))
