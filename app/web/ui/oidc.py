"""Coming in by an OIDC provider. Off unless the settings name one; no header of a request is ever believed instead."""

from __future__ import annotations

import hmac
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from app.kernel.errors import InvalidError, NotFoundError
from app.kernel.log import logger
from app.kernel.parts import WebParts
from app.people import service
from app.people.identities import link_identity, operator_of
from app.people.oidc import Identity, OidcError, Provider
from app.people.service import SignedIn
from app.people.sessions import CameBy, close_other_sessions
from app.web.deps import Now, Parts, csrf_guard, opened
from app.web.ui import slips
from app.web.ui.entry import after_path, door_page, proceed
from app.web.ui.visit import see_other

router = APIRouter(include_in_schema=False)

START_PATH, CALLBACK_PATH = "/sign-in/oidc", "/sign-in/oidc/callback"
_ATTEMPT = "oidc"
_FAILED, _UNKNOWN = "/sign-in?oidc=1", "/sign-in?oidc_unknown=1"
_LONGEST = 200
_LONGEST_CODE = 2_000


def make_provider(parts: WebParts) -> Provider | None:
    """The provider of the settings. It sends people back to our own address, never to one that a request names."""
    oidc = parts.entrance.oidc
    return None if oidc is None else Provider(oidc, redirect_uri=parts.entrance.address + CALLBACK_PATH)


async def provider_of(request: Request) -> Provider:
    """The provider. NotFoundError `oidc.off` when none is set."""
    provider: Provider | None = request.app.state.oidc
    if provider is None:
        raise NotFoundError("oidc.off", "No OIDC provider is set: OTKLIK_OIDC_ISSUER.")
    return provider


CurrentProvider = Annotated[Provider, Depends(provider_of)]


@router.get(START_PATH)
async def start(request: Request, provider: CurrentProvider, parts: Parts, now: Now) -> Response:
    """To the provider."""
    return await _begin(provider, parts, now, after=after_path(request.query_params.get("after")))


@router.post("/invitation/{token}/oidc", dependencies=[Depends(csrf_guard)])
async def start_by_link(request: Request, token: str, provider: CurrentProvider, parts: Parts, now: Now) -> Response:
    """To the provider, to be linked with the person whom this link is for.

    A form's answer may not lead elsewhere (form-action), so a page of ours goes on by itself.
    """
    async with opened(parts.database.read()) as session:
        try:
            await service.invited(session, token=token[:_LONGEST], now=now)
        except InvalidError:
            return see_other(f"/invitation/{token[:_LONGEST]}")
    begun = await _begin(provider, parts, now, after="/", link=token[:_LONGEST])
    if begun.headers["location"] == _FAILED:
        return begun
    response = door_page(request, parts, now, "oidc_onward.html", {"url": begun.headers["location"]})
    for value in begun.headers.getlist("set-cookie"):
        response.headers.append("set-cookie", value)
    return response


@router.get(CALLBACK_PATH)
async def callback(request: Request, provider: CurrentProvider, parts: Parts, now: Now) -> Response:
    """Back from the provider: believed only as the answer to what this very browser began."""
    note = slips.carried(request, parts, _ATTEMPT, now)
    query = request.query_params
    state, code = query.get("state", ""), query.get("code", "")
    if note is None or not code or len(code) > _LONGEST_CODE or not hmac.compare_digest(state.encode(), str(note["state"]).encode()):
        logger.warning("oidc_refused", reason="no such attempt" if note is None or not state else str(query.get("error", "state"))[:60])
        return _back(parts, _FAILED)
    try:
        identity = await provider.finish(
            code=code, issuer=query.get("iss"), nonce=str(note["nonce"]), verifier=str(note["verifier"]), now=now
        )
    except OidcError as error:
        logger.warning("oidc_refused", reason=error.detail[:200])
        return _back(parts, _FAILED)
    try:
        person = await _linked(parts, now, identity, str(note["link"])) if note["link"] else await _known(parts, identity)
    except InvalidError as error:
        return _back(parts, "/sign-in?oidc_taken=1" if error.code == "identity.taken" else "/sign-in?gone=1")
    if person is None:
        return _back(parts, _UNKNOWN)
    response = await proceed(
        request, parts, now, person=person, came_by=CameBy.OIDC, after=after_path(note["after"]), proved=identity.second_factor
    )
    slips.drop(response, parts, _ATTEMPT)
    return response


async def _begin(provider: Provider, parts: WebParts, now: datetime, *, after: str, link: str = "") -> Response:
    try:
        begun = await provider.start(now=now)
    except OidcError as error:
        logger.warning("oidc_refused", reason=error.detail[:200])
        return see_other(_FAILED)
    response = see_other(begun.url)
    note = {"state": begun.state, "nonce": begun.nonce, "verifier": begun.verifier, "after": after, "link": link}
    slips.carry(response, parts, _ATTEMPT, slips.seal(parts.entrance.vault, _ATTEMPT, now, **note))
    return response


async def _known(parts: WebParts, identity: Identity) -> SignedIn | None:
    async with opened(parts.database.read()) as session:
        operator_id = await operator_of(session, issuer=identity.issuer, subject=identity.subject)
    if operator_id is None:
        return None
    async with opened(parts.database.read(operator_id=operator_id)) as session:
        return await service.first_step(session, operator_id=operator_id)


async def _linked(parts: WebParts, now: datetime, identity: Identity, link: str) -> SignedIn:
    """The link's person, who comes in by this identity from now on; the link is used up."""
    async with opened(parts.database.read()) as session:
        invited = await service.invited(session, token=link, now=now)
    async with opened(parts.database.write(operator_id=invited.operator_id)) as session:
        operator_id = await service.use_link(session, token=link, now=now)
        await link_identity(session, operator_id=operator_id, issuer=identity.issuer, subject=identity.subject, now=now, by=operator_id)
        await close_other_sessions(session, operator_id=operator_id, token=None, now=now)
        return await service.first_step(session, operator_id=operator_id)


def _back(parts: WebParts, path: str) -> Response:
    response = see_other(path)
    slips.drop(response, parts, _ATTEMPT)
    return response
