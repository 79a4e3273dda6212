"""What routes ask for: who is there and what they may, a transaction in their name, the office, the moment.

Closed by default: a route demands a permission with `requires(...)`, asks only for somebody signed in with
`CurrentAccess`, or stands on the list of public ones in `app.web.app`. A test walks all routes.
"""

from __future__ import annotations

import asyncio
import hmac
import secrets
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Annotated, TypeVar

from fastapi import Depends, Path, Request
from sqlalchemy.exc import DBAPIError
from starlette.responses import Response

from app.appeals.office import Office, OfficeKeeper
from app.appeals.pictures import PictureLimits
from app.audit.reads import ReadTrail
from app.kernel.clock import Clock
from app.kernel.db import Database, ReadSession, WriteSession
from app.kernel.errors import ForbiddenError
from app.kernel.parts import WebParts
from app.media.service import MediaProxy
from app.people.api_tokens import USED_EVERY, note_use
from app.people.queries import OpenSession, session_of, token_of
from app.people.rules import Access, Permission
from app.people.sessions import TOUCHED_EVERY, touch_session
from app.people.tokens import API_TOKEN_PREFIX, token_hash
from app.web.errors import SignInNeededError, UnavailableError

_SESSION, _SEED = "otklik_session", "otklik_seed"
# Sent by our own scripts when a page renews itself: that nobody is there must show.
_UNATTENDED = "x-otklik-unattended"
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_LONGEST_COOKIE = 200
_TOKEN_FRESH = timedelta(seconds=3)
_MOST_TOKENS = 1_000

_Session = TypeVar("_Session")


@dataclass(frozen=True, kw_only=True, slots=True)
class Web:
    """What every request may use: `request.app.state.web`."""

    parts: WebParts
    office: OfficeKeeper
    tokens: TokenCache
    media: MediaProxy
    reads: ReadTrail
    pushes: PushGate
    pictures: PictureLimits


class PushGate:
    """How much of this process platforms may take: a rush of their events must leave the screens their connections."""

    AT_ONCE = 4
    WAITING = 60
    AGAIN_SECONDS = 30
    """When a platform that was not let in may come again."""

    def __init__(self) -> None:
        self._places = asyncio.Semaphore(self.AT_ONCE)
        self._inside = 0

    @property
    def full(self) -> bool:
        """So many wait that whoever comes now had better come later."""
        return self._inside >= self.AT_ONCE + self.WAITING

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """Wait for a turn, and hold it."""
        self._inside += 1
        try:
            async with self._places:
                yield
        finally:
            self._inside -= 1


class TokenCache:
    """Who an API token is, for three seconds: a revoked one is refused no later than that, on every machine.

    Only the reach in code is remembered; row-level security reads roles anew in each transaction.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._known: dict[bytes, tuple[datetime, Access]] = {}

    async def get(self, token: str) -> Access | None:
        """The service with this token, if there is one. Unknown tokens are not remembered."""
        key, now = token_hash(token), self._clock.now()
        found = self._known.get(key)
        if found is not None and timedelta(0) <= now - found[0] < _TOKEN_FRESH:
            return found[1]
        self._known.pop(key, None)
        async with opened(self._database.read()) as session:
            known = await token_of(session, token=token, now=now)
        if known is None:
            return None
        if len(self._known) >= _MOST_TOKENS:
            self._known.clear()
        self._known[key] = (now, known.access)
        if known.last_used_at is None or known.last_used_at <= now - USED_EVERY:
            async with opened(self._database.write(operator_id=known.access.operator_id)) as session:
                await note_use(session, token_id=known.id, now=now)
        return known.access


def web_of(request: Request) -> Web:
    """The parts of this process."""
    web: Web = request.app.state.web
    return web


CurrentWeb = Annotated[Web, Depends(web_of)]


@asynccontextmanager
async def opened(transaction: AbstractAsyncContextManager[_Session]) -> AsyncIterator[_Session]:
    """A transaction; UnavailableError when the database cannot be reached to begin it."""
    try:
        session = await transaction.__aenter__()
    except (OSError, DBAPIError) as error:
        if isinstance(error, DBAPIError) and not error.connection_invalidated:
            state = getattr(error.orig, "sqlstate", None)
            if state is not None and not str(state).startswith(("08", "53", "57", "3D")):
                raise
        raise UnavailableError("unavailable", "The database cannot be reached.") from error
    try:
        yield session
    except BaseException as error:
        if not await transaction.__aexit__(type(error), error, error.__traceback__):
            raise
    else:
        await transaction.__aexit__(None, None, None)


# --- cookies and forgery ---------------------------------------------------------------------------------------


def session_cookie(parts: WebParts) -> str:
    """The name of the cookie; behind https no subdomain can set it."""
    return f"__Host-{_SESSION}" if parts.secure_cookies else _SESSION


def _seed_cookie(parts: WebParts) -> str:
    return f"__Host-{_SEED}" if parts.secure_cookies else _SEED


def set_session(response: Response, parts: WebParts, token: str) -> None:
    """Sign this browser in."""
    response.set_cookie(
        session_cookie(parts),
        token,
        max_age=int(parts.entrance.lasts.total_seconds()),
        path="/",
        secure=parts.secure_cookies,
        httponly=True,
        samesite="lax",
    )


def forget_session(response: Response, parts: WebParts) -> None:
    """Sign this browser out."""
    response.delete_cookie(session_cookie(parts), path="/", secure=parts.secure_cookies, httponly=True, samesite="lax")


def session_token(request: Request) -> str | None:
    """The browser's session token, if it sent one."""
    token = request.cookies.get(session_cookie(web_of(request).parts))
    return token[:_LONGEST_COOKIE] if token else None


def _seed(request: Request) -> str | None:
    """What the anti-forgery token is made of: a secret that only this browser and we know."""
    return session_token(request) or request.cookies.get(_seed_cookie(web_of(request).parts)) or None


def csrf_token(request: Request) -> str:
    """The token that forms and `X-CSRF-Token` carry; empty when the browser holds no secret (see `start_seed`)."""
    seed = _seed(request)
    return "" if seed is None else csrf_of(seed)


def start_seed(request: Request, response: Response) -> str:
    """For a page with a form for people who are not signed in: gives the browser a secret; its anti-forgery token."""
    seed = _seed(request)
    if seed is None:
        seed, parts = secrets.token_urlsafe(24), web_of(request).parts
        response.set_cookie(_seed_cookie(parts), seed, path="/", secure=parts.secure_cookies, httponly=True, samesite="lax")
    return csrf_of(seed)


def csrf_of(seed: str) -> str:
    """The anti-forgery token that goes with a secret of the browser."""
    return hmac.new(seed.encode("utf-8", "surrogatepass"), b"otklik csrf", sha256).hexdigest()


async def csrf_guard(request: Request) -> None:
    """Refuse an unsafe request that did not come from our own page: ForbiddenError `csrf`.

    Public routes with forms name it as a dependency; for people who are signed in by cookie it is checked anyway.
    """
    if request.method in _SAFE_METHODS:
        return
    if request.headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
        raise _forged()
    given: object = request.headers.get("x-csrf-token")
    if given is None and request.headers.get("content-type", "").startswith(("application/x-www-form-urlencoded", "multipart/form-data")):
        given = (await request.form()).get("csrf")
    expected = csrf_token(request)
    if not isinstance(given, str) or not expected or not hmac.compare_digest(given.encode("utf-8", "surrogatepass"), expected.encode()):
        raise _forged()


def _forged() -> ForbiddenError:
    return ForbiddenError("csrf", "The page is out of date: load it again, then send the form.")


# --- who asks --------------------------------------------------------------------------------------------------


async def current_access(request: Request) -> Access:
    """Whoever is signed in by cookie, or the service with the bearer token. SignInNeededError, ForbiddenError `csrf`."""
    web = web_of(request)
    authorization = request.headers.get("authorization")
    access = await _bearer(web, authorization) if authorization is not None else await _browser(web, request)
    request.state.operator_id = access.operator_id
    return access


async def _bearer(web: Web, authorization: str) -> Access:
    scheme, _, token = authorization.partition(" ")
    token = token.strip()
    access = await web.tokens.get(token) if scheme.lower() == "bearer" and token.startswith(API_TOKEN_PREFIX) else None
    if access is None:
        raise SignInNeededError("token", "The token is unknown, expired or revoked: send Authorization: Bearer otk_….")
    return access


async def _browser(web: Web, request: Request) -> Access:
    token = session_token(request)
    if token is None:
        raise SignInNeededError("sign_in", "Sign in first, or send Authorization: Bearer otk_….")
    parts, now = web.parts, web.parts.clock.now()
    async with opened(parts.database.read()) as session:
        found = await live_session(session, parts, token=token, now=now)
    if found is None:
        raise SignInNeededError("sign_in", "The session has ended: sign in again.")
    await csrf_guard(request)
    if found.seen_at <= now - TOUCHED_EVERY and not _unattended(request):
        async with opened(parts.database.write(operator_id=found.access.operator_id)) as session:
            await touch_session(session, session_id=found.id, now=now)
    return found.access


def _unattended(request: Request) -> bool:
    """Whether a page asks by itself: its renewals, and the stream of news that it listens to."""
    return _UNATTENDED in request.headers or request.headers.get("accept") == "text/event-stream"


async def live_session(session: ReadSession, parts: WebParts, *, token: str, now: datetime) -> OpenSession | None:
    """The session of a token, if it still lets in: whoever holds a role that needs a second factor came in with one."""
    found = await session_of(session, token=token, now=now, idle=parts.entrance.idle)
    if found is None or (not found.second_factor and needs_factor(parts, (grant.role for grant in found.access.grants))):
        return None
    return found


def needs_factor(parts: WebParts, roles: Iterable[str]) -> bool:
    """Whether one of these roles needs a second factor."""
    return not parts.entrance.second_factor_roles.isdisjoint(roles)


CurrentAccess = Annotated[Access, Depends(current_access)]


async def current_person(access: CurrentAccess) -> Access:
    """Whoever is signed in, if it is a person. ForbiddenError `access.person` for a service with its token."""
    if access.is_service:
        raise ForbiddenError("access.person", "Only a person does this, signed in by browser: no token goes so far.")
    return access


async def maybe_access(request: Request) -> Access | None:
    """Who is there, if anybody: for public pages that look different then."""
    try:
        return await current_access(request)
    except SignInNeededError:
        return None


MaybeAccess = Annotated[Access | None, Depends(maybe_access)]


@dataclass(frozen=True, slots=True)
class Requires:
    """A dependency that demands a permission; a test looks for it on every route."""

    permission: Permission

    async def __call__(self, access: CurrentAccess) -> Access:
        """Who asks, if they may. ForbiddenError otherwise."""
        access.require(self.permission)
        return access


def requires(permission: Permission) -> Callable[..., object]:
    """For `Annotated[Access, Depends(requires(...))]` or a router's `dependencies`."""
    return Requires(permission)


# --- what they work with ---------------------------------------------------------------------------------------


async def web_parts(request: Request) -> WebParts:
    """The parts of this process."""
    return web_of(request).parts


async def moment(request: Request) -> datetime:
    """Now."""
    return web_of(request).parts.clock.now()


@dataclass(frozen=True, kw_only=True, slots=True)
class Looking:
    """Notes for the audit trail what whoever asks is shown."""

    reads: ReadTrail
    operator_id: int
    now: datetime

    def look(self, subject: str, subject_id: int) -> None:
        """They opened this one. Raises TrailFullError when that cannot be kept."""
        self.reads.look(operator_id=self.operator_id, subject=subject, subject_id=subject_id, at=self.now)

    def looks(self, subject: str, subject_ids: Sequence[int]) -> None:
        """They were shown a list with these. Raises TrailFullError when that cannot be kept."""
        self.reads.looks(operator_id=self.operator_id, subject=subject, subject_ids=subject_ids, at=self.now)


async def looking(request: Request, access: CurrentAccess) -> Looking:
    """For routes that show what citizens wrote."""
    web = web_of(request)
    return Looking(reads=web.reads, operator_id=access.operator_id, now=web.parts.clock.now())


async def office_now(request: Request) -> Office:
    """Directory, rules and promises, at most five seconds old. UnavailableError when they cannot be read."""
    try:
        return await web_of(request).office.get()
    except (OSError, DBAPIError) as error:
        raise UnavailableError("unavailable", "The database cannot be reached.") from error


async def reading(request: Request, access: CurrentAccess) -> AsyncIterator[ReadSession]:
    """A read-only transaction in the name of whoever asks."""
    async with opened(web_of(request).parts.database.read(operator_id=access.operator_id)) as session:
        yield session


async def writing(request: Request, access: CurrentAccess) -> AsyncIterator[WriteSession]:
    """A transaction in the name of whoever asks: committed before the answer begins, so a failing commit is a 500."""
    async with opened(web_of(request).parts.database.write(operator_id=access.operator_id)) as session:
        yield session


RowId = Annotated[int, Path(ge=1, le=2**63 - 1)]
"""The number of a row in a path: one that no row can have is refused before PostgreSQL is asked."""
Parts = Annotated[WebParts, Depends(web_parts)]
Now = Annotated[datetime, Depends(moment)]
CurrentLooking = Annotated[Looking, Depends(looking)]
CurrentOffice = Annotated[Office, Depends(office_now)]
Reading = Annotated[ReadSession, Depends(reading, scope="function")]
Writing = Annotated[WriteSession, Depends(writing, scope="function")]
