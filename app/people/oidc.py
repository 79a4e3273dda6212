"""Sign-in by any OIDC provider: the code flow with PKCE, and every check of what comes back.

Nothing is believed that is not signed by the provider for us, for this very attempt. Authlib checks the claims; the
algorithms are ours to choose, not the token's.
"""

from __future__ import annotations

import hmac
import secrets
import ssl
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any
from urllib.parse import quote

import httpx
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet
from joserfc.jws import JWSRegistry

from app.kernel.addresses import safe_address
from app.kernel.errors import ForbiddenError
from app.kernel.parts import OidcClient

# Signatures by a key of the provider's alone: "none" and secrets shared with us are refused, whatever it says it offers.
ALGORITHMS = ("RS256", "PS256", "ES256", "RS384", "PS384", "ES384", "RS512", "PS512", "ES512", "Ed25519", "EdDSA")
_SCOPE = "openid"
_SECONDS = 10.0
_LARGEST = 512 * 1024
_KNOWN_FOR = timedelta(minutes=10)
_LEEWAY = 60


class OidcError(ForbiddenError):
    """The provider did not let somebody in, or what it said cannot be believed. `detail` is for the log."""

    def __init__(self, detail: str) -> None:
        super().__init__("oidc.refused", detail)


@dataclass(frozen=True, kw_only=True, slots=True)
class Start:
    """An attempt: where to send the browser, and what only this attempt knows."""

    url: str
    state: str
    nonce: str
    verifier: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Identity:
    """Who somebody is at the provider. `second_factor`: the provider says that it asked for more than one."""

    issuer: str
    subject: str
    second_factor: bool


class Provider:
    """One provider. Its description and keys are read when first needed and kept for ten minutes."""

    def __init__(self, client: OidcClient, *, redirect_uri: str) -> None:
        self.issuer = client.issuer
        self._client = client
        self._redirect_uri = redirect_uri
        self._known: tuple[datetime, dict[str, Any], KeySet] | None = None

    async def start(self, *, now: datetime) -> Start:
        """Begin an attempt. OidcError when the provider cannot be reached or describes itself wrongly."""
        description, _ = await self._provider(now)
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        url = prepare_grant_uri(
            _endpoint(description, "authorization_endpoint"), self._client.client_id, "code", redirect_uri=self._redirect_uri,
            scope=_SCOPE, state=state, nonce=nonce, code_challenge=create_s256_code_challenge(verifier), code_challenge_method="S256",
        )  # fmt: skip
        return Start(url=url, state=state, nonce=nonce, verifier=verifier)

    async def finish(self, *, code: str, issuer: str | None, nonce: str, verifier: str, now: datetime) -> Identity:
        """Exchange the code and check what it brings. OidcError when anything about it is not as it must be.

        `issuer`: what the answer itself says it comes from (RFC 9207), if it does.
        """
        if issuer is not None and not hmac.compare_digest(issuer.encode(), self.issuer.encode()):
            raise OidcError("the answer names another issuer")
        description, keys = await self._provider(now)
        answer = await self._exchange(description, code, verifier)
        token = answer.get("id_token")
        if not isinstance(token, str):
            raise OidcError("the answer has no id_token")
        try:
            decoded = _decode(token, keys)
        except InvalidKeyIdError:  # the provider has changed its keys meanwhile
            self._known = None
            _, keys = await self._provider(now)
            decoded = _checked(token, keys)
        except JoseError as error:
            raise OidcError(f"the id_token's signature: {error.error}") from error
        return self._identity(decoded, nonce=nonce, access_token=answer.get("access_token"), now=now)

    def _identity(self, decoded: jwt.Token, *, nonce: str, access_token: object, now: datetime) -> Identity:
        claims = CodeIDToken(
            decoded.claims,
            decoded.header,
            {
                "iss": {"essential": True, "value": self.issuer},
                "aud": {"essential": True, "value": self._client.client_id},
                "sub": {"essential": True},
                "exp": {"essential": True},
                "iat": {"essential": True},
                "nonce": {"essential": True},
            },
            {"nonce": nonce, "client_id": self._client.client_id, "access_token": access_token},
        )
        try:
            claims.validate(now=int(now.timestamp()), leeway=_LEEWAY)
        except (JoseError, ValueError, TypeError) as error:
            raise OidcError(f"the id_token's claims: {error}") from error
        subject, methods = claims.get("sub"), claims.get("amr")
        if not isinstance(subject, str) or not subject:
            raise OidcError("the id_token has no subject")
        return Identity(issuer=self.issuer, subject=subject, second_factor=isinstance(methods, list) and "mfa" in methods)

    async def _exchange(self, description: dict[str, Any], code: str, verifier: str) -> dict[str, Any]:
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": self._redirect_uri, "code_verifier": verifier}
        offered = description.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        auth: tuple[str, str] | None = None
        if "client_secret_basic" in offered:
            auth = (quote(self._client.client_id, safe=""), quote(self._client.client_secret, safe=""))
        else:
            form |= {"client_id": self._client.client_id, "client_secret": self._client.client_secret}
        return await _json("POST", _endpoint(description, "token_endpoint"), data=form, auth=auth)

    async def _provider(self, now: datetime) -> tuple[dict[str, Any], KeySet]:
        if self._known is not None and timedelta(0) <= now - self._known[0] < _KNOWN_FOR:
            return self._known[1], self._known[2]
        description = await _json("GET", f"{self.issuer.rstrip('/')}/.well-known/openid-configuration")
        if description.get("issuer") != self.issuer:
            raise OidcError("the description is of another issuer")
        for name in ("authorization_endpoint", "token_endpoint"):
            _endpoint(description, name)  # nothing is kept that could not be used
        try:
            keys = KeySet.import_key_set(await _json("GET", _endpoint(description, "jwks_uri")))  # type: ignore[arg-type] # checked by it
        except (JoseError, KeyError, ValueError, TypeError) as error:
            raise OidcError("the provider's keys cannot be read") from error
        self._known = (now, description, keys)
        return description, keys


def _endpoint(description: dict[str, Any], name: str) -> str:
    url = description.get(name)
    if not isinstance(url, str) or not safe_address(url):
        raise OidcError(f"the description's {name} is no https address")
    return url


def _decode(token: str, keys: KeySet) -> jwt.Token:
    return jwt.decode(token, keys, registry=JWSRegistry(algorithms=list(ALGORITHMS), strict_check_header=False))


def _checked(token: str, keys: KeySet) -> jwt.Token:
    try:
        return _decode(token, keys)
    except JoseError as error:
        raise OidcError(f"the id_token's signature: {error.error}") from error


@cache
def _encryption() -> ssl.SSLContext:
    """The machine's own authorities; reading them takes a while."""
    return ssl.create_default_context()


async def _json(method: str, url: str, *, data: dict[str, str] | None = None, auth: tuple[str, str] | None = None) -> dict[str, Any]:
    """The JSON object at an address: no redirects, no proxies of the environment, bounded in time and size."""
    try:
        async with (
            httpx.AsyncClient(timeout=_SECONDS, follow_redirects=False, trust_env=False, verify=_encryption()) as http,
            http.stream(method, url, data=data, auth=auth, headers={"Accept": "application/json"}) as response,
        ):
            body = b""
            async for piece in response.aiter_bytes():
                body += piece
                if len(body) > _LARGEST:
                    raise OidcError("the provider's answer is too large")
            if response.status_code != httpx.codes.OK:
                raise OidcError(f"the provider answers {response.status_code}")
            found = httpx.Response(response.status_code, content=body).json()
    except (httpx.HTTPError, ValueError) as error:
        raise OidcError(f"the provider cannot be understood: {type(error).__name__}") from error
    if not isinstance(found, dict):
        raise OidcError("the provider's answer is no object")
    return found
