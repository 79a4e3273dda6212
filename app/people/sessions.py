"""Browser sessions: opened with a new token each time, listed, ended. The cookie's value is told once and never stored."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from sqlalchemy import text

from app.audit.service import record
from app.kernel.errors import NotFoundError
from app.people.attempts import address_key
from app.people.tokens import new_token, token_hash

if TYPE_CHECKING:
    from app.kernel.db import ReadSession, WriteSession

TOUCHED_EVERY = timedelta(minutes=1)
_LONGEST_AGENT = 200
_LISTED = 100


class CameBy(StrEnum):
    """How a session began."""

    PASSWORD = "password"  # noqa: S105 - a word of the vocabulary, not a secret
    LINK = "link"
    OIDC = "oidc"


@dataclass(frozen=True, kw_only=True, slots=True)
class Browser:
    """What a session remembers of the browser: its address, and what it calls itself."""

    address: str = ""
    agent: str = ""


NO_BROWSER = Browser()


@dataclass(frozen=True, kw_only=True, slots=True)
class SessionLine:
    """A session in a list. `here`: the one that asks."""

    id: int
    created_at: datetime
    seen_at: datetime
    address: str
    agent: str
    came_by: str
    second_factor: bool
    here: bool


async def open_session(
    session: WriteSession,
    *,
    operator_id: int,
    now: datetime,
    lasts: timedelta,
    came_by: CameBy = CameBy.PASSWORD,
    second_factor: bool = False,
    browser: Browser = NO_BROWSER,
    instead_of: str | None = None,
) -> str:
    """A new session; its token is told only here. The session of the token that it stands `instead_of` ends."""
    if instead_of is not None:
        await close_session(session, token=instead_of, now=now)
    token, stored = new_token()
    await session.execute(
        _OPEN,
        {
            "hash": stored,
            "operator_id": operator_id,
            "now": now,
            "expires_at": now + lasts,
            "address": address_key(browser.address),
            "agent": "".join(char for char in browser.agent if char.isprintable())[:_LONGEST_AGENT],
            "came_by": came_by.value,
            "second_factor": second_factor,
        },
    )
    return token


async def rotate_session(
    session: WriteSession, *, token: str, now: datetime, second_factor: bool | None = None, others_end: bool = False
) -> str | None:
    """A new token for a session whose person may now do more, or less; the old one stops working. None: there is none.

    It expires when the old one would have: nobody stays longer by changing something.
    """
    fresh, stored = new_token()
    row = (
        await session.execute(_ROTATE, {"old": token_hash(token), "hash": stored, "now": now, "second_factor": second_factor})
    ).one_or_none()
    if row is None:
        return None
    await close_session(session, token=token, now=now)
    if others_end:
        await close_other_sessions(session, operator_id=row.operator_id, token=fresh, now=now)
    return fresh


async def touch_session(session: WriteSession, *, session_id: int, now: datetime) -> None:
    """Somebody is there: at most once a minute for each session."""
    await session.execute(_TOUCH, {"id": session_id, "now": now, "before": now - TOUCHED_EVERY})


async def close_session(session: WriteSession, *, token: str, now: datetime) -> None:
    """End a browser session, if it is one."""
    await session.execute(_CLOSE, {"hash": token_hash(token), "now": now})


async def sign_out(session: WriteSession, *, token: str, now: datetime) -> None:
    """End a browser session by its person's wish."""
    ended = (await session.execute(_CLOSE, {"hash": token_hash(token), "now": now})).one_or_none()
    if ended is not None:
        await record(session, operator_id=ended.operator_id, act="sign_out", subject="operator", subject_id=ended.operator_id)


async def close_other_sessions(session: WriteSession, *, operator_id: int, token: str | None, now: datetime) -> int:
    """End every session of a person but this one; how many ended."""
    ended = await session.execute(_CLOSE_OTHERS, {"operator_id": operator_id, "hash": token_hash(token or ""), "now": now})
    return len(ended.all())


async def close_session_by_id(session: WriteSession, *, operator_id: int, session_id: int, now: datetime) -> None:
    """End one session of a person. NotFoundError when it is not theirs, or has ended."""
    ended = await session.execute(_CLOSE_ONE, {"operator_id": operator_id, "id": session_id, "now": now})
    if ended.one_or_none() is None:
        raise NotFoundError("session.unknown", "This session has ended already.")


async def list_sessions(
    session: ReadSession, *, operator_id: int, now: datetime, idle: timedelta, token: str | None = None
) -> list[SessionLine]:
    """The open sessions of a person, the one that asks first."""
    values = {"operator_id": operator_id, "now": now, "seen_since": now - idle, "hash": token_hash(token or ""), "most": _LISTED}
    return [SessionLine(**row._mapping) for row in await session.execute(_LIST, values)]  # noqa: SLF001 - SQLAlchemy's documented name


_OPEN = text(
    "INSERT INTO operator_session (token_hash, operator_id, created_at, seen_at, expires_at, address, agent, came_by, second_factor) "
    "VALUES (:hash, :operator_id, :now, :now, :expires_at, :address, :agent, :came_by, :second_factor)"
)
_ROTATE = text(
    "INSERT INTO operator_session (token_hash, operator_id, created_at, seen_at, expires_at, address, agent, came_by, second_factor) "
    "SELECT :hash, operator_id, created_at, :now, expires_at, address, agent, came_by, "
    "coalesce(CAST(:second_factor AS boolean), second_factor) "
    "FROM operator_session WHERE token_hash = :old AND ended_at IS NULL RETURNING operator_id"
)
_TOUCH = text("UPDATE operator_session SET seen_at = :now WHERE id = :id AND seen_at < :before AND ended_at IS NULL")
_CLOSE = text("UPDATE operator_session SET ended_at = :now WHERE token_hash = :hash AND ended_at IS NULL RETURNING operator_id")
_CLOSE_OTHERS = text(
    "UPDATE operator_session SET ended_at = :now WHERE operator_id = :operator_id AND token_hash <> :hash AND ended_at IS NULL RETURNING id"
)
_CLOSE_ONE = text(
    "UPDATE operator_session SET ended_at = :now WHERE operator_id = :operator_id AND id = :id AND ended_at IS NULL RETURNING id"
)
_LIST = text(
    "SELECT id, created_at, seen_at, address, agent, came_by, second_factor, token_hash = :hash AS here FROM operator_session "
    "WHERE operator_id = :operator_id AND ended_at IS NULL AND expires_at > :now AND seen_at > :seen_since "
    "ORDER BY here DESC, seen_at DESC, id DESC LIMIT :most"
)
