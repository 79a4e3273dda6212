"""Limits of guessing: per account and address; and, where that account has never signed in, per address and per account.

Counted before a password or code is looked at, so that a hundred attempts at once are a hundred attempts. Whoever guesses
from a thousand places, or from the next desk, is stopped; a person at a place where they have signed in before is bound
by their own mistakes there alone, so that a stranger's guesses lock nobody out.
"""

from __future__ import annotations

import ipaddress
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from sqlalchemy import text

from app.kernel.errors import ForbiddenError

if TYPE_CHECKING:
    from app.kernel.db import WriteSession

WINDOW = timedelta(minutes=15)
CODES_WINDOW = timedelta(hours=24)
FAMILIAR_FOR = timedelta(days=90)
# Counted per account *and* address: whoever guesses at an account stops nobody who comes from elsewhere.
FAILURES_PER_PAIR = 10
# Many accounts tried from one place. High enough for an office behind one address.
FAILURES_PER_ADDRESS = 100
# One account tried from many places, none of which it has signed in from.
FAILURES_PER_ACCOUNT = 100
# Codes are asked only of whoever knows the password, and three of a million fit: twenty guesses a day.
CODES_PER_ACCOUNT = 20


class AttemptKind(StrEnum):
    """What was tried."""

    PASSWORD = "password"  # noqa: S105 - a word of the vocabulary, not a secret
    CODE = "code"


async def count_attempt(session: WriteSession, *, kind: AttemptKind, login: str, address: str, now: datetime) -> None:
    """Count one more try. ForbiddenError `sign_in.wait` with `seconds` when there were too many."""
    for lock, key in ((73, address), (74, login)):  # in this order always, so that two never wait for each other
        await session.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:key, :lock))"), {"key": key, "lock": lock})
    values = {
        "login": login,
        "address": address,
        "kind": kind.value,
        "now": now,
        "since": now - WINDOW,
        "account_since": now - (CODES_WINDOW if kind is AttemptKind.CODE else WINDOW),
        "familiar_since": now - FAMILIAR_FOR,
    }
    row = (await session.execute(_FAILURES, values)).one()
    of_account, window = (CODES_PER_ACCOUNT, CODES_WINDOW) if kind is AttemptKind.CODE else (FAILURES_PER_ACCOUNT, WINDOW)
    waits = [
        oldest + span
        for count, limit, oldest, span, binds in (
            (row.of_pair, FAILURES_PER_PAIR, row.pair_since, WINDOW, True),
            (row.of_address, FAILURES_PER_ADDRESS, row.address_since, WINDOW, not row.familiar),
            (row.of_account, of_account, row.account_since, window, not row.familiar),
        )
        if binds and count >= limit
    ]
    if waits:
        seconds = max(1, int((max(waits) - now).total_seconds()))
        raise ForbiddenError("sign_in.wait", f"Too many wrong attempts. Try again in {seconds} seconds.", seconds=seconds)
    await session.execute(_ATTEMPT, values)


async def forget_attempts(session: WriteSession, *, login: str, address: str, now: datetime) -> None:
    """After a whole sign-in: what this account got wrong at this address, and whatever is too old to count."""
    await session.execute(_FORGET, {"login": login, "address": address, "old": now - WINDOW, "codes_old": now - CODES_WINDOW})


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


_FAILURES = text(
    "WITH here AS ("
    "  SELECT count(*) AS of_address, min(at) AS address_since, count(*) FILTER (WHERE login = :login) AS of_pair, "
    "    min(at) FILTER (WHERE login = :login) AS pair_since "
    "  FROM sign_in_attempt WHERE address = :address AND at > :since AND at <= :now), "
    "everywhere AS ("
    "  SELECT count(*) AS of_account, min(at) AS account_since FROM sign_in_attempt "
    "  WHERE login = :login AND kind = :kind AND at > :account_since AND at <= :now) "
    "SELECT here.*, everywhere.*, EXISTS ("
    "  SELECT FROM operator_session s JOIN operator o ON o.id = s.operator_id "
    "  WHERE o.login = :login AND s.address = :address AND s.created_at > :familiar_since) AS familiar "
    "FROM here, everywhere"
)
_ATTEMPT = text("INSERT INTO sign_in_attempt (login, address, kind, at) VALUES (:login, :address, :kind, :now)")
_FORGET = text(
    "DELETE FROM sign_in_attempt WHERE (login = :login AND address = :address) OR at < :codes_old OR (at < :old AND kind = 'password')"
)
