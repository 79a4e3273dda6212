"""Coming in and going out: sign-in with its limits, sessions, accepting an invitation.

Argon2 takes a tenth of a second, so `authenticate` and `accept` get the database instead of a session: they hash with
no transaction open, and a failed sign-in stays counted although the request ends in an error.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import text

from app.audit.service import record
from app.kernel.errors import ForbiddenError, InvalidError
from app.people.passwords import check_password, hash_password, password_fits
from app.people.tokens import new_token, token_hash

if TYPE_CHECKING:
    from app.kernel.db import Database, ReadSession, WriteSession

WINDOW = timedelta(minutes=15)
# Counted per account *and* address: whoever guesses at an account stops nobody who comes from elsewhere.
FAILURES_PER_PAIR = 10
# Many accounts tried from one place. High enough for an office behind one address.
FAILURES_PER_ADDRESS = 100
_LONGEST_LOGIN = 100


@dataclass(frozen=True, kw_only=True, slots=True)
class SignedIn:
    """Who has come in."""

    operator_id: int
    login: str
    name: str
    locale: str


async def authenticate(database: Database, *, login: str, password: str, address: str, now: datetime) -> SignedIn:
    """The person with this password.

    Raises InvalidError `sign_in.refused` (one word for every reason), ForbiddenError `sign_in.wait` with `seconds`.
    """
    login, address = normal_login(login), address_key(address)
    async with database.write() as session:
        await _count_attempt(session, login, address, now)
        row = (await session.execute(_BY_LOGIN, {"login": login})).one_or_none()
    fits = await password_fits(password, row.password_hash if row is not None else None)
    if row is None or not fits:
        async with database.write() as session:  # of a name that nobody has, the trail keeps nothing: it may be a password
            await record(session, operator_id=None, act="sign_in_refused", subject="operator", subject_id=None if row is None else row.id)
        raise InvalidError("sign_in.refused", "The sign-in name or the password is wrong.")
    async with database.write(operator_id=row.id) as session:
        await session.execute(_FORGET_ATTEMPTS, {"login": login, "address": address, "old": now - WINDOW})
        await record(session, operator_id=row.id, act="sign_in", subject="operator", subject_id=row.id)
    return SignedIn(operator_id=row.id, login=login, name=row.name, locale=row.locale)


async def open_session(session: WriteSession, *, operator_id: int, now: datetime, hours: int) -> str:
    """A new browser session; its token is told only here."""
    token, stored = new_token()
    await session.execute(_OPEN, {"hash": stored, "operator_id": operator_id, "now": now, "expires_at": now + timedelta(hours=hours)})
    return token


async def close_session(session: WriteSession, *, token: str, now: datetime) -> None:
    """End a browser session, if it is one."""
    ended = (await session.execute(_CLOSE, {"hash": token_hash(token), "now": now})).one_or_none()
    if ended is not None:
        await record(session, operator_id=ended.operator_id, act="sign_out", subject="operator", subject_id=ended.operator_id)


async def close_other_sessions(session: WriteSession, *, operator_id: int, token: str | None, now: datetime) -> None:
    """End every session of a person but this one."""
    await session.execute(_CLOSE_OTHERS, {"operator_id": operator_id, "hash": token_hash(token or ""), "now": now})


async def save_preferences(session: WriteSession, *, operator_id: int, locale: str, letters: bool) -> None:
    """The language of the screens, and whether single letters are commands. InvalidError for another language."""
    if locale not in {"ru", "en"}:
        raise InvalidError("preferences.locale", "The screens speak Russian (ru) and English (en).", field="locale")
    await session.execute(
        text("UPDATE operator SET locale = :locale, letters = :letters WHERE id = :id"),
        {"locale": locale, "letters": letters, "id": operator_id},
    )
    await record(session, operator_id=operator_id, act="preferences", subject="operator", subject_id=operator_id)


async def invited(session: ReadSession, *, token: str, now: datetime) -> SignedIn:
    """Whom an invitation is for. Raises InvalidError `invitation.gone` when it is used, expired or unknown."""
    row = (await session.execute(_INVITED, {"hash": token_hash(token), "now": now})).one_or_none()
    if row is None:
        raise _gone()
    return SignedIn(operator_id=row.id, login=row.login, name=row.name, locale=row.locale)


async def accept(database: Database, *, token: str, password: str, now: datetime) -> SignedIn:
    """Choose a password by an invitation: once. Ends the person's open sessions.

    Raises InvalidError `invitation.gone` or `password.*`.
    """
    async with database.read() as reading:
        person = await invited(reading, token=token, now=now)
    check_password(password, login=person.login)
    hashed = await hash_password(password)
    async with database.write(operator_id=person.operator_id) as session:
        used = await session.execute(_USE, {"hash": token_hash(token), "now": now})
        if used.one_or_none() is None:  # another click was faster while we hashed
            raise _gone()
        await session.execute(_SET_PASSWORD, {"id": person.operator_id, "password_hash": hashed})
        await close_other_sessions(session, operator_id=person.operator_id, token=None, now=now)
        await record(session, operator_id=person.operator_id, act="password_set", subject="operator", subject_id=person.operator_id)
    return person


def normal_login(login: str) -> str:
    """The form in which sign-in names are stored and compared."""
    return "".join(char for char in login.strip().lower() if char.isprintable())[:_LONGEST_LOGIN]


def address_key(address: str) -> str:
    """What the limits count: an IPv4 address, or the /64 that one IPv6 subscriber owns."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return "unknown"
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)


async def _count_attempt(session: WriteSession, login: str, address: str, now: datetime) -> None:
    """Count before looking at the password, so that a hundred attempts at once are a hundred attempts."""
    await session.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:address, 73))"), {"address": address})
    row = (await session.execute(_FAILURES, {"login": login, "address": address, "since": now - WINDOW, "now": now})).one()
    until = max(
        (
            oldest + WINDOW
            for count, limit, oldest in (
                (row.of_pair, FAILURES_PER_PAIR, row.pair_since),
                (row.of_address, FAILURES_PER_ADDRESS, row.address_since),
            )
            if count >= limit
        ),
        default=None,
    )
    if until is not None:
        seconds = max(1, int((until - now).total_seconds()))
        raise ForbiddenError("sign_in.wait", f"Too many wrong passwords. Try again in {seconds} seconds.", seconds=seconds)
    await session.execute(_ATTEMPT, {"login": login, "address": address, "now": now})


def _gone() -> InvalidError:
    return InvalidError("invitation.gone", "This invitation is used up or has expired. Ask the administrator for a new one.")


_FAILURES = text(
    "SELECT count(*) AS of_address, min(at) AS address_since, count(*) FILTER (WHERE login = :login) AS of_pair, "
    "min(at) FILTER (WHERE login = :login) AS pair_since "
    "FROM sign_in_attempt WHERE address = :address AND at > :since AND at <= :now"
)
_ATTEMPT = text("INSERT INTO sign_in_attempt (login, address, at) VALUES (:login, :address, :now)")
_FORGET_ATTEMPTS = text("DELETE FROM sign_in_attempt WHERE (login = :login AND address = :address) OR at < :old")
_BY_LOGIN = text("SELECT id, name, locale, password_hash FROM operator WHERE login = :login AND deactivated_at IS NULL AND NOT is_service")
_OPEN = text(
    "INSERT INTO operator_session (token_hash, operator_id, created_at, seen_at, expires_at) "
    "VALUES (:hash, :operator_id, :now, :now, :expires_at)"
)
_CLOSE = text("UPDATE operator_session SET ended_at = :now WHERE token_hash = :hash AND ended_at IS NULL RETURNING operator_id")
_CLOSE_OTHERS = text(
    "UPDATE operator_session SET ended_at = :now WHERE operator_id = :operator_id AND token_hash <> :hash AND ended_at IS NULL"
)
_INVITED = text(
    "SELECT o.id, o.login, o.name, o.locale FROM invitation i JOIN operator o ON o.id = i.operator_id "
    "WHERE i.token_hash = :hash AND i.used_at IS NULL AND i.expires_at > :now AND o.deactivated_at IS NULL"
)
_USE = text("UPDATE invitation SET used_at = :now WHERE token_hash = :hash AND used_at IS NULL AND expires_at > :now RETURNING operator_id")
_SET_PASSWORD = text("UPDATE operator SET password_hash = :password_hash WHERE id = :id")
