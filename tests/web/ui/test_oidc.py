"""Coming in by an OIDC provider: a real one over HTTP, honest and lying."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import OctKey
from joserfc.jws import JWSRegistry
from pydantic import ValidationError
from sqlalchemy import text

from app.kernel.errors import InvalidError
from app.kernel.parts import OidcClient
from app.people import identities, staff
from app.people.oidc import _encryption
from app.people.rules import Grant, Role
from app.settings import Settings
from app.web.app import create_app
from app.web.deps import session_cookie
from tests.web.entrance import make_entrance
from tests.web.provider import CLIENT_ID, CLIENT_SECRET, Provider, key_of, running_provider
from tests.web.ui.conftest import Browser

if TYPE_CHECKING:
    from app.kernel.clock import FixedClock
    from app.kernel.db import Database
    from app.kernel.parts import WebParts

HOME = "http://otklik.example"


@pytest.fixture
def provider(clock: FixedClock) -> Iterator[Provider]:
    with running_provider(clock.now) as running:
        running.client.redirect_uri = f"{HOME}/sign-in/oidc/callback"
        yield running


@pytest.fixture
def with_provider(parts: WebParts, provider: Provider) -> WebParts:
    oidc = OidcClient(issuer=provider.address, client_id=CLIENT_ID, client_secret=CLIENT_SECRET, name="Госвход")
    return replace(parts, entrance=make_entrance(oidc=oidc))


@pytest.fixture
async def browser(with_provider: WebParts) -> AsyncIterator[Browser]:
    app = create_app(with_provider)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=HOME) as http:
        yield Browser(http=http)


@pytest.fixture
async def anna(owner_db: Database, clock: FixedClock, provider: Provider) -> int:
    """Somebody whom an administrator has linked with the provider's 4711."""
    async with owner_db.write() as session:
        sent = await staff.invite(session, login="anna", name="Анна", grants=[Grant(role=Role.OPERATOR)], now=clock.now())
        await identities.link_identity(
            session, operator_id=sent.operator_id, issuer=provider.address, subject="4711", now=clock.now(), by=None
        )
    return sent.operator_id


async def at_provider(url: str) -> str:
    """The browser at the provider: the address that it is sent back to."""
    async with httpx.AsyncClient(verify=_encryption()) as http:
        answer = await http.get(url)
    assert answer.status_code == 302, answer.text
    return answer.headers["location"].removeprefix(HOME)


async def come_in(browser: Browser, after: str = "/queue") -> httpx.Response:
    begun = await browser.get(f"/sign-in/oidc?after={after}")
    assert begun.status_code == 303, begun.text
    return await browser.get(await at_provider(begun.headers["location"]))


def is_in(browser: Browser, parts: WebParts) -> bool:
    return session_cookie(parts) in browser.http.cookies


async def test_a_person_comes_in_by_the_provider(
    browser: Browser, with_provider: WebParts, provider: Provider, anna: int, owner_db: Database
) -> None:
    assert "Войти через Госвход" in (await browser.get("/sign-in")).text
    entered = await come_in(browser, "/queue%3Fmine%3D1")
    assert (entered.status_code, entered.headers["location"]) == (303, "/queue?mine=1")
    assert "Анна" in (await browser.get("/queue")).text
    asked = provider.token_requests[0]
    assert asked["redirect_uri"] == f"{HOME}/sign-in/oidc/callback"
    assert len(asked["code_verifier"]) >= 43
    assert "client_secret" not in asked, "by Basic, which it offers"
    async with owner_db.read() as session:
        row = (
            await session.execute(text("SELECT came_by, second_factor FROM operator_session WHERE operator_id = :id"), {"id": anna})
        ).one()
        told = (await session.execute(text("SELECT data FROM audit_entry WHERE act = 'operator.sign_in'"))).scalar_one()
    assert tuple(row) == ("oidc", False)
    assert told == {"by": "oidc", "second_factor": False}
    assert is_in(browser, with_provider)


async def test_a_secret_goes_in_the_body_where_the_provider_wants_it_there(
    browser: Browser, with_provider: WebParts, provider: Provider, anna: int
) -> None:
    provider.description = {"token_endpoint_auth_methods_supported": ["client_secret_post"]}
    await come_in(browser)
    assert anna
    assert provider.token_requests[0]["client_secret"] == CLIENT_SECRET
    assert is_in(browser, with_provider)


async def test_a_name_or_address_at_the_provider_is_nobody_here(
    browser: Browser, with_provider: WebParts, owner_db: Database, clock: FixedClock
) -> None:
    """The provider's stranger calls themselves `administrator`, as somebody here is called."""
    async with owner_db.write() as session:
        await staff.invite(session, login="administrator", name="Главная", grants=[Grant(role=Role.ADMINISTRATOR)], now=clock.now())
    refused = await come_in(browser)
    assert refused.headers["location"] == "/sign-in?oidc_unknown=1"
    assert not is_in(browser, with_provider)
    assert "попросите у администратора ссылку" in (await browser.get("/sign-in?oidc_unknown=1")).text.lower()


async def test_an_identity_is_the_pair_and_who_left_stays_out(
    browser: Browser, with_provider: WebParts, provider: Provider, owner_db: Database, anna: int
) -> None:
    async with owner_db.write() as session:
        await session.execute(text("UPDATE external_identity SET issuer = 'https://other.example'"))
    assert (await come_in(browser)).headers["location"] == "/sign-in?oidc_unknown=1"
    async with owner_db.write() as session:
        await session.execute(text("UPDATE external_identity SET issuer = :issuer"), {"issuer": provider.address})
        await session.execute(text("UPDATE operator SET deactivated_at = now() WHERE id = :id"), {"id": anna})
    assert (await come_in(browser)).headers["location"] == "/sign-in?oidc_unknown=1"
    assert not is_in(browser, with_provider)


def _unsigned(_provider: Provider, claims: dict[str, Any]) -> str:
    return jwt.encode({"alg": "none"}, claims, OctKey.import_key("x"), registry=JWSRegistry(algorithms=["none"]))


def _by_our_secret(_provider: Provider, claims: dict[str, Any]) -> str:
    return jwt.encode({"alg": "HS256"}, claims, OctKey.import_key(CLIENT_SECRET), registry=JWSRegistry(algorithms=["HS256"]))


def _by_the_public_key(provider: Provider, claims: dict[str, Any]) -> str:
    public = provider.key.as_pem(private=False)
    return jwt.encode({"alg": "HS256", "kid": "one"}, claims, OctKey.import_key(public), registry=JWSRegistry(algorithms=["HS256"]))


def _by_another_key(_provider: Provider, claims: dict[str, Any]) -> str:
    return jwt.encode({"alg": "RS256", "kid": "one"}, claims, key_of("three"))


LIES: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "another issuer": lambda claims: claims | {"iss": "https://evil.example"},
    "no issuer": lambda claims: {name: value for name, value in claims.items() if name != "iss"},
    "for somebody else": lambda claims: claims | {"aud": ["another"]},
    "for many, given to another": lambda claims: claims | {"aud": [CLIENT_ID, "another"], "azp": "another"},
    "another nonce": lambda claims: claims | {"nonce": "guess"},
    "no nonce": lambda claims: {name: value for name, value in claims.items() if name != "nonce"},
    "expired": lambda claims: claims | {"exp": claims["exp"] - 3600},
    "from the future": lambda claims: claims | {"iat": claims["iat"] + 3600},
    "no subject": lambda claims: {name: value for name, value in claims.items() if name != "sub"},
    "an empty subject": lambda claims: claims | {"sub": ""},
    "a subject that is no text": lambda claims: claims | {"sub": 4711},
}


async def _refused(browser: Browser, parts: WebParts, provider: Provider, why: str) -> None:
    """Nobody gets in by what the provider says now; and by the truth, the very same person does."""
    asked = len(provider.token_requests)
    refused = await come_in(browser)
    assert (refused.headers["location"], is_in(browser, parts)) == ("/sign-in?oidc=1", False), why
    assert len(provider.token_requests) == asked + 1, "it came as far as the token"
    provider.change, provider.encode = lambda claims: claims, None
    await come_in(browser)
    assert is_in(browser, parts), why
    browser.http.cookies.clear()


@pytest.mark.timeout(60)
async def test_a_claim_that_is_not_as_it_must_be_lets_nobody_in(
    browser: Browser, with_provider: WebParts, provider: Provider, anna: int
) -> None:
    assert anna
    for why, lie in LIES.items():
        provider.change = lie
        await _refused(browser, with_provider, provider, why)


async def test_a_signature_that_is_not_the_providers_lets_nobody_in(
    browser: Browser, with_provider: WebParts, provider: Provider, anna: int
) -> None:
    assert anna
    for encode in (_unsigned, _by_our_secret, _by_the_public_key, _by_another_key):
        provider.encode = encode
        await _refused(browser, with_provider, provider, encode.__name__)


async def test_a_provider_that_changes_its_keys_is_understood_again(
    browser: Browser, with_provider: WebParts, provider: Provider, anna: int
) -> None:
    await come_in(browser)
    browser.http.cookies.clear()
    provider.key = key_of("two")
    await come_in(browser)
    assert is_in(browser, with_provider)
    assert anna


async def test_a_description_that_cannot_be_trusted_begins_nothing(browser: Browser, provider: Provider) -> None:
    for description in (
        {"issuer": "https://evil.example"},
        {"authorization_endpoint": "http://evil.example/authorize"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"jwks_uri": "http://evil.example/keys"},
        {"jwks_uri": None},
    ):
        provider.description = description
        assert (await browser.get("/sign-in/oidc")).headers["location"] == "/sign-in?oidc=1", description
    provider.description = {}
    assert (await browser.get("/sign-in/oidc")).headers["location"].startswith(f"{provider.address}/authorize?")


async def test_an_answer_counts_only_in_the_browser_that_asked_and_once(
    browser: Browser, with_provider: WebParts, provider: Provider, anna: int
) -> None:
    begun = await browser.get("/sign-in/oidc")
    back = await at_provider(begun.headers["location"])
    kept = dict(browser.http.cookies)
    browser.http.cookies.clear()
    assert (await browser.get(back)).headers["location"] == "/sign-in?oidc=1", "another browser: somebody sent this link"
    assert not provider.token_requests
    browser.http.cookies.update(kept)
    forged = back.replace("state=", "state=x")
    assert (await browser.get(forged)).headers["location"] == "/sign-in?oidc=1"
    for name, value in kept.items():
        browser.http.cookies.set(name, value)
    assert (await browser.get(f"{back}&iss=https%3A%2F%2Fevil.example")).headers["location"] == "/sign-in?oidc=1", "RFC 9207"
    for name, value in kept.items():
        browser.http.cookies.set(name, value)
    assert (await browser.get(back)).headers["location"] == "/"
    assert is_in(browser, with_provider)
    browser.http.cookies.clear()
    browser.http.cookies.update(kept)
    assert (await browser.get(back)).headers["location"] == "/sign-in?oidc=1", "the code is used up"
    assert anna


async def test_an_attempt_is_too_old_after_ten_minutes(browser: Browser, clock: FixedClock, anna: int) -> None:
    begun = await browser.get("/sign-in/oidc")
    back = await at_provider(begun.headers["location"])
    clock.moment += timedelta(minutes=11)
    assert (await browser.get(back)).headers["location"] == "/sign-in?oidc=1"
    assert anna


async def test_the_link_of_an_invitation_makes_the_first_link_and_is_used_up(
    browser: Browser, with_provider: WebParts, owner_db: Database, clock: FixedClock
) -> None:
    async with owner_db.write() as session:
        sent = await staff.invite(session, login="vera", name="Вера", grants=[Grant(role=Role.OPERATOR)], now=clock.now())
    path = f"/invitation/{sent.token}"
    assert f'action="{path}/oidc"' in (await browser.get(path)).text
    begun = await browser.post(f"{path}/oidc")
    assert begun.status_code == 200
    url = begun.text.split('content="0;url=')[1].split('"')[0].replace("&amp;", "&")
    entered = await browser.get(await at_provider(url))
    assert entered.headers["location"] == "/"
    assert is_in(browser, with_provider)
    browser.http.cookies.clear()
    assert (await browser.get(path)).status_code == 404
    assert (await browser.post(f"{path}/oidc")).headers["location"] == path
    entered = await come_in(browser)
    assert "Вера" in (await browser.get("/queue")).text

    browser.http.cookies.clear()
    browser.csrf = ""
    async with owner_db.write() as session:
        other = await staff.invite(session, login="ivan", name="Иван", grants=[Grant(role=Role.OPERATOR)], now=clock.now())
    await browser.get(f"/invitation/{other.token}")
    begun = await browser.post(f"/invitation/{other.token}/oidc")
    url = begun.text.split('content="0;url=')[1].split('"')[0].replace("&amp;", "&")
    taken = await browser.get(await at_provider(url))
    assert taken.headers["location"] == "/sign-in?oidc_taken=1", "an identity is one person's"
    assert (await browser.get(f"/invitation/{other.token}")).status_code == 200, "and the link is not lost by it"


async def test_nobody_is_led_to_link_themselves_with_a_link_of_somebody_else(
    browser: Browser, owner_db: Database, clock: FixedClock
) -> None:
    """A page elsewhere that sends the form: refused, else one's identity would open a stranger's account."""
    async with owner_db.write() as session:
        sent = await staff.invite(session, login="eve", name="Ева", grants=[], now=clock.now())
    refused = await browser.http.post(f"/invitation/{sent.token}/oidc", data={"csrf": "guess"})
    assert refused.status_code == 403


async def test_the_second_step_is_asked_after_the_provider_unless_the_provider_asked_for_it(
    parts: WebParts, with_provider: WebParts, provider: Provider, anna: int
) -> None:
    needing = replace(with_provider, entrance=replace(with_provider.entrance, second_factor_roles=frozenset({"operator"})))
    app = create_app(needing)
    for methods, goes in ((["pwd"], "/sign-in/second-factor"), (["pwd", "mfa"], "/queue")):
        provider.amr = methods
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=HOME) as http:
            browser = Browser(http=http)
            assert (await come_in(browser)).headers["location"] == goes
            assert is_in(browser, parts) == (goes == "/queue")
    assert anna


async def test_it_is_off_unless_it_is_set(stranger: Browser) -> None:
    assert "/sign-in/oidc" not in (await stranger.get("/sign-in")).text
    assert (await stranger.get("/sign-in/oidc")).status_code == 404
    assert (await stranger.get("/sign-in/oidc/callback?code=x&state=y")).status_code == 404


async def test_people_are_sent_back_to_our_own_address_whatever_host_a_request_names(browser: Browser) -> None:
    begun = await browser.get("/sign-in/oidc", headers={"Host": "evil.example", "X-Forwarded-Host": "evil.example"})
    asked = parse_qs(urlsplit(begun.headers["location"]).query)
    assert asked["redirect_uri"] == [f"{HOME}/sign-in/oidc/callback"]
    assert asked["code_challenge_method"] == ["S256"]


@pytest.mark.parametrize(
    "given",
    [
        {"oidc_issuer": "https://sso.example"},
        {"oidc_client_id": "otklik", "oidc_client_secret": "s"},
        {"oidc_issuer": "https://sso.example", "oidc_client_id": "otklik", "oidc_client_secret": "s"},
        {
            "oidc_issuer": "http://sso.example",
            "oidc_client_id": "otklik",
            "oidc_client_secret": "s",
            "public_url": "https://otklik.example",
        },
        {"second_factor_roles": "administrator,chief"},
    ],
)
def test_settings_that_would_be_unsafe_stop_the_start(given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Settings(**given)


async def test_a_subject_must_be_one(owner_db: Database, clock: FixedClock, anna: int) -> None:
    for subject in ("", "x" * 256, "a\nb"):
        with pytest.raises(InvalidError):
            async with owner_db.write() as session:
                await identities.link_identity(session, operator_id=anna, issuer="i", subject=subject, now=clock.now(), by=None)
