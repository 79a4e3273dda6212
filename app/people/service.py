"""Coming in: sign-in by password, links for choosing one, changing it.

Argon2 takes a tenth of a second, so what hashes gets the database instead of a session: it hashes with no transaction
open, and a failed sign-in stays counted although the request ends in an error.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import TYPE_CHECKING

from sqlalchemy import text

from app.audit.service import record
from app.kernel.errors import InvalidError
from app.people.attempts import AttemptKind, address_key, count_attempt, forget_attempts
from app.people.passwords import check_password, hash_password, password_fits
from app.people.sessions import close_other_sessions
from app.people.tokens import token_hash

if TYPE_CHECKING:
    from app.kernel.db import Database, ReadSession, WriteSession
    from app.people.sessions import CameBy

_LONGEST_LOGIN = 100


@dataclass(frozen=True, kw_only=True, slots=True)
class SignedIn:
    """Who has come in, or has taken the first step. `mark` changes with the password; `has_factor`: a code is asked next."""

    operator_id: int
    login: str
    name: str
    locale: str
    mark: str = ""
    has_factor: bool = False
    roles: frozenset[str] = frozenset()
    kind: str = ""


async def authenticate(database: Database, *, login: str, password: str, address: str, now: datetime) -> SignedIn:
    """The person with this password.

    Raises InvalidError `sign_in.refused` (one word for every reason), ForbiddenError `sign_in.wait` with `seconds`.
    """
    login, address = normal_login(login), address_key(address)
    async with database.write() as session:
        await count_attempt(session, kind=AttemptKind.PASSWORD, login=login, address=address, now=now)
        row = (await session.execute(_BY_LOGIN, {"login": login})).one_or_none()
    fits = await password_fits(password, row.password_hash if row is not None else None)
    if row is None or not fits:
        async with database.write() as session:  # of a name that nobody has, the trail keeps nothing: it may be a password
            await record(session, operator_id=None, act="sign_in_refused", subject="operator", subject_id=None if row is None else row.id)
        raise InvalidError("sign_in.refused", "The sign-in name or the password is wrong.")
    async with database.write(operator_id=row.id) as session:
        person = await first_step(session, operator_id=row.id)
        if not person.has_factor:  # else wrong codes would be forgotten by whoever knows the password
            await forget_attempts(session, login=login, address=address, now=now)
    return person


async def first_step(session: ReadSession, *, operator_id: int) -> SignedIn:
    """A person as they stand now, in a transaction of their own. InvalidError `sign_in.refused` when they have left."""
    row = (await session.execute(_PERSON, {"id": operator_id})).one_or_none()
    if row is None:
        raise InvalidError("sign_in.refused", "The sign-in name or the password is wrong.")
    return SignedIn(
        operator_id=row.id,
        login=row.login,
        name=row.name,
        locale=row.locale,
        mark=_mark(row.password_hash),
        has_factor=row.has_factor,
        roles=frozenset(row.roles),
    )


async def note_sign_in(session: WriteSession, *, operator_id: int, came_by: CameBy, second_factor: bool) -> None:
    """Into the trail: somebody has come in, all steps taken."""
    data = {"by": came_by.value, "second_factor": second_factor}
    await record(session, operator_id=operator_id, act="sign_in", subject="operator", subject_id=operator_id, data=data)


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
    """Whom a link is for. Raises InvalidError `invitation.gone` when it is used, expired or unknown."""
    row = (await session.execute(_INVITED, {"hash": token_hash(token), "now": now})).one_or_none()
    if row is None:
        raise _gone()
    return SignedIn(operator_id=row.id, login=row.login, name=row.name, locale=row.locale, kind=row.kind)


async def accept(database: Database, *, token: str, password: str, now: datetime) -> SignedIn:
    """Choose a password by a link: once. Ends the person's open sessions; a second factor stays and is asked next.

    Raises InvalidError `invitation.gone` or `password.*`.
    """
    async with database.read() as reading:
        person = await invited(reading, token=token, now=now)
    check_password(password, login=person.login)
    hashed = await hash_password(password)
    async with database.write(operator_id=person.operator_id) as session:
        await use_link(session, token=token, now=now)  # another click may have been faster while we hashed
        await _set_password(session, operator_id=person.operator_id, password_hash=hashed, now=now, token=None)
        return await first_step(session, operator_id=person.operator_id)


async def use_link(session: WriteSession, *, token: str, now: datetime) -> int:
    """Use a link up, whose it is. InvalidError `invitation.gone` when somebody has."""
    used = (await session.execute(_USE, {"hash": token_hash(token), "now": now})).one_or_none()
    if used is None:
        raise _gone()
    operator_id: int = used.operator_id
    return operator_id


async def prove_password(database: Database, *, operator_id: int, password: str, address: str, now: datetime) -> None:
    """Whoever changes how they come in says their password again; a person without one has nothing to say.

    Raises InvalidError `password.wrong`, ForbiddenError `sign_in.wait`.
    """
    address = address_key(address)
    async with database.write(operator_id=operator_id) as session:
        row = (await session.execute(_PASSWORD, {"id": operator_id})).one()
        if row.password_hash is None:
            return
        await count_attempt(session, kind=AttemptKind.PASSWORD, login=row.login, address=address, now=now)
    if not await password_fits(password, row.password_hash):
        raise InvalidError("password.wrong", "This is not your present password.", field="current")
    async with database.write(operator_id=operator_id) as session:
        await forget_attempts(session, login=row.login, address=address, now=now)


async def has_password(session: ReadSession, *, operator_id: int) -> bool:
    """Whether a person signs in by a password at all."""
    return (await session.execute(_PASSWORD, {"id": operator_id})).one().password_hash is not None


async def change_password(database: Database, *, operator_id: int, login: str, password: str, token: str | None, now: datetime) -> None:
    """Another password, by the person; every session but that of `token` ends. InvalidError `password.*`."""
    check_password(password, login=login)
    hashed = await hash_password(password)
    async with database.write(operator_id=operator_id) as session:
        await _set_password(session, operator_id=operator_id, password_hash=hashed, now=now, token=token)


async def _set_password(session: WriteSession, *, operator_id: int, password_hash: str, now: datetime, token: str | None) -> None:
    await session.execute(_SET_PASSWORD, {"id": operator_id, "password_hash": password_hash})
    await session.execute(_END_LINKS, {"id": operator_id, "now": now})  # a link for the password before this one
    await close_other_sessions(session, operator_id=operator_id, token=token, now=now)
    await record(session, operator_id=operator_id, act="password_set", subject="operator", subject_id=operator_id)


def normal_login(login: str) -> str:
    """The form in which sign-in names are stored and compared."""
    return "".join(char for char in login.strip().lower() if char.isprintable())[:_LONGEST_LOGIN]


def _mark(password_hash: str | None) -> str:
    return sha256((password_hash or "").encode()).hexdigest()[:16]


def _gone() -> InvalidError:
    return InvalidError("invitation.gone", "This link is used up or has expired. Ask the administrator for a new one.")


_BY_LOGIN = text("SELECT id, password_hash FROM operator WHERE login = :login AND deactivated_at IS NULL AND NOT is_service")
_PERSON = text(
    "SELECT o.id, o.login, o.name, o.locale, o.password_hash, "
    "EXISTS (SELECT FROM second_factor f WHERE f.operator_id = o.id) AS has_factor, "
    "ARRAY(SELECT DISTINCT r.role FROM operator_role r WHERE r.operator_id = o.id AND r.until IS NULL) AS roles "
    "FROM operator o WHERE o.id = :id AND o.deactivated_at IS NULL AND NOT o.is_service"
)
_PASSWORD = text("SELECT login, password_hash FROM operator WHERE id = :id")
_INVITED = text(
    "SELECT o.id, o.login, o.name, o.locale, i.kind FROM invitation i JOIN operator o ON o.id = i.operator_id "
    "WHERE i.token_hash = :hash AND i.used_at IS NULL AND i.expires_at > :now AND o.deactivated_at IS NULL"
)
_USE = text("UPDATE invitation SET used_at = :now WHERE token_hash = :hash AND used_at IS NULL AND expires_at > :now RETURNING operator_id")
_SET_PASSWORD = text("UPDATE operator SET password_hash = :password_hash WHERE id = :id")
_END_LINKS = text("UPDATE invitation SET expires_at = :now WHERE operator_id = :id AND used_at IS NULL AND expires_at > :now")
