"""A small OIDC provider on Authlib, over real HTTP on this machine: what sign-in is tested against.

It keeps the protocol (client authentication, PKCE, one use of a code), and can be told to lie about one thing.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any
from urllib.parse import parse_qsl

import uvicorn
from authlib.oauth2.rfc6749 import AuthorizationServer, OAuth2Request
from authlib.oauth2.rfc6749.grants import AuthorizationCodeGrant
from authlib.oauth2.rfc6749.requests import BasicOAuth2Payload
from authlib.oauth2.rfc6750 import BearerTokenGenerator
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oidc.core import UserInfo
from authlib.oidc.core.grants import OpenIDCode
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

CLIENT_ID, CLIENT_SECRET = "otklik", "a secret/of:the+client"

Claims = dict[str, Any]


@cache
def key_of(kid: str) -> RSAKey:
    """A key of the provider's; making one takes a while."""
    return RSAKey.generate_key(2048, {"kid": kid, "use": "sig", "alg": "RS256"})


class _Client:
    """Us, as the provider knows us."""

    redirect_uri = ""

    def get_client_id(self) -> str:
        return CLIENT_ID

    def get_allowed_scope(self, scope: str) -> str:
        return scope

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        return redirect_uri == self.redirect_uri

    def check_client_secret(self, secret: str) -> bool:
        return secret == CLIENT_SECRET

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return endpoint == "token" and method in {"client_secret_basic", "client_secret_post"}

    def check_response_type(self, response_type: str) -> bool:
        return response_type == "code"

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type == "authorization_code"


@dataclass(kw_only=True)
class _Code:
    """An authorization code that nobody has used yet."""

    code: str
    subject: str
    redirect_uri: str
    nonce: str
    code_challenge: str
    code_challenge_method: str
    scope: str

    def get_redirect_uri(self) -> str:
        return self.redirect_uri

    def get_scope(self) -> str:
        return self.scope

    def get_nonce(self) -> str:
        return self.nonce

    def get_auth_time(self) -> None:
        return None

    def get_acr(self) -> None:
        return None

    def get_amr(self) -> None:
        return None


@dataclass(kw_only=True)
class Provider:
    """The provider: who signs in next (`subject`, `amr`), and what it lies about."""

    address: str
    now: Callable[[], datetime]
    subject: str = "4711"
    amr: list[str] = field(default_factory=lambda: ["pwd"])
    key: RSAKey = field(default_factory=lambda: key_of("one"))
    change: Callable[[Claims], Claims] = lambda claims: claims
    encode: Callable[[Provider, Claims], str] | None = None
    description: Claims = field(default_factory=dict)
    client: _Client = field(default_factory=_Client)
    codes: dict[str, _Code] = field(default_factory=dict)
    token_requests: list[dict[str, str]] = field(default_factory=list)

    def sign(self, claims: Claims) -> str:
        """An id_token as it ought to be."""
        return jwt.encode({"alg": "RS256", "kid": self.key.kid}, claims, self.key)


class _OpenId(OpenIDCode):  # type: ignore[misc] # authlib has no types
    provider: Provider

    def exists_nonce(self, nonce: str, _request: OAuth2Request) -> bool:
        return any(code.nonce == nonce for code in self.provider.codes.values())

    def generate_user_info(self, user: str, _scope: str) -> UserInfo:
        return UserInfo(sub=user, amr=self.provider.amr, email="administrator", preferred_username="administrator")

    def get_client_claims(self, _client: _Client) -> Claims:
        moment = int(self.provider.now().timestamp())
        return {"iss": self.provider.address, "aud": [CLIENT_ID], "iat": moment, "exp": moment + 300, "auth_time": moment}

    def encode_id_token(self, token: Claims, request: OAuth2Request) -> str:
        claims = self.get_compatible_claims(request) | self.get_authorization_code_claims(request.authorization_code)
        claims = self.provider.change(claims | dict(self.generate_user_info(request.user, token["scope"])))
        return self.provider.encode(self.provider, claims) if self.provider.encode else self.provider.sign(claims)


def _grant(provider: Provider) -> type[AuthorizationCodeGrant]:
    class Grant(AuthorizationCodeGrant):  # type: ignore[misc] # authlib has no types
        TOKEN_ENDPOINT_AUTH_METHODS = ("client_secret_basic", "client_secret_post")

        def save_authorization_code(self, code: str, request: OAuth2Request) -> None:
            data = request.payload.data
            provider.codes[code] = _Code(
                code=code, subject=request.user, redirect_uri=data["redirect_uri"], nonce=data.get("nonce", ""), scope=data["scope"],
                code_challenge=data["code_challenge"], code_challenge_method=data["code_challenge_method"],
            )  # fmt: skip

        def query_authorization_code(self, code: str, _client: _Client) -> _Code | None:
            return provider.codes.get(code)

        def delete_authorization_code(self, authorization_code: _Code) -> None:
            del provider.codes[authorization_code.code]

        def authenticate_user(self, authorization_code: _Code) -> str:
            return authorization_code.subject

    return Grant


class _Request(OAuth2Request):  # type: ignore[misc] # authlib has no types
    def __init__(self, method: str, path: str, fields: dict[str, str], headers: dict[str, str]) -> None:
        super().__init__(method, f"https://provider.example{path}", headers=headers)  # it knows no loopback
        self.payload = BasicOAuth2Payload(fields)
        self._fields = fields

    @property
    def form(self) -> dict[str, str]:
        return self._fields

    @property
    def args(self) -> dict[str, str]:
        return self._fields


class _Server(AuthorizationServer):  # type: ignore[misc] # authlib has no types
    def __init__(self, provider: Provider) -> None:
        super().__init__()
        self.provider = provider
        openid = _OpenId(require_nonce=True)
        openid.provider = provider
        self.register_grant(_grant(provider), [CodeChallenge(required=True), openid])
        self.register_token_generator("default", BearerTokenGenerator(lambda *_a, **_k: "access", None, lambda *_a: 300))

    def query_client(self, client_id: str) -> _Client | None:
        return self.provider.client if client_id == CLIENT_ID else None

    def save_token(self, token: Claims, request: OAuth2Request) -> None:
        pass

    def send_signal(self, name: str, *args: Any, **kwargs: Any) -> None:
        pass

    def create_oauth2_request(self, request: OAuth2Request) -> OAuth2Request:
        return request

    def handle_response(self, status: int, body: Any, headers: list[tuple[str, str]]) -> Response:
        kept = {name: value for name, value in headers if name.lower() != "content-type"}
        return JSONResponse(body or {}, status_code=status, headers=kept)


def _app(provider: Provider) -> Starlette:
    server = _Server(provider)

    async def describe(_request: Request) -> Response:
        told = {
            "issuer": provider.address,
            "authorization_endpoint": f"{provider.address}/authorize",
            "token_endpoint": f"{provider.address}/token",
            "jwks_uri": f"{provider.address}/keys",
            "id_token_signing_alg_values_supported": ["RS256", "none", "HS256"],
        }
        return JSONResponse(told | provider.description)

    async def keys(_request: Request) -> Response:
        return JSONResponse(KeySet([provider.key]).as_dict(private=False))

    async def authorize(request: Request) -> Response:
        asked = _Request("GET", "/authorize", dict(request.query_params), dict(request.headers))
        grant = server.get_consent_grant(asked, provider.subject)
        answer: Response = server.create_authorization_response(asked, grant_user=provider.subject, grant=grant)
        return answer

    async def token(request: Request) -> Response:
        fields = dict(parse_qsl((await request.body()).decode()))
        provider.token_requests.append(fields)
        headers = {name.title(): value for name, value in request.headers.items()}
        answer: Response = server.create_token_response(_Request("POST", "/token", fields, headers))
        return answer

    return Starlette(
        routes=[
            Route("/.well-known/openid-configuration", describe),
            Route("/keys", keys),
            Route("/authorize", authorize),
            Route("/token", token, methods=["POST"]),
        ]
    )


@contextmanager
def running_provider(now: Callable[[], datetime]) -> Iterator[Provider]:
    """The provider on a free port of this machine, in a thread of its own."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        provider = Provider(address=f"http://127.0.0.1:{listening.getsockname()[1]}", now=now)
        server = uvicorn.Server(uvicorn.Config(_app(provider), log_level="error", lifespan="off"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.01)
        try:
            yield provider
        finally:
            server.should_exit = True
            thread.join(timeout=5)
