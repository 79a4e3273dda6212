"""A change of the key that seals secrets at rest: everything is sealed anew, a part at a time, and stays readable throughout.

Whoever runs it has put the new key before the old ones (OTKLIK_SECRET_KEY, by comma): the first seals, all open. So a run
that ends in the middle leaves every secret readable, and the next one goes on where it stopped.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import text

from app.audit.service import record
from app.kernel.db import Bulk
from app.kernel.vault import PLATFORM_TOKENS, SIGN_IN, WEBHOOKS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from app.kernel.db import Database, WriteSession
    from app.kernel.vault import Vault

AT_ONCE = 500
"""Rows that are sealed anew in one transaction."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sealed:
    """A column of secrets: what it holds, for which purpose they are sealed, and how a row is named."""

    what: str
    purpose: str
    table: str
    key: str = "id"


SEALED = (
    Sealed(what="platform tokens", purpose=PLATFORM_TOKENS, table="credential"),
    Sealed(what="second factors", purpose=SIGN_IN, table="second_factor", key="operator_id"),
    Sealed(what="webhook secrets", purpose=WEBHOOKS, table="webhook_target"),
    Sealed(what="notice secrets", purpose=WEBHOOKS, table="notice_address"),
)
"""Every column `secret` of the database: a test compares."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Count:
    """The secrets of one kind: sealed with the first key, with an older one, or with none that we hold; and how many were changed."""

    what: str
    first: int
    older: int
    unreadable: int
    resealed: int = 0


async def count_sealed(database: Database, vaults: Mapping[str, Vault]) -> list[Count]:
    """How much is sealed with which key."""
    return [await _go_through(database, vaults[one.purpose], one, write=False) for one in SEALED]


async def reseal_all(database: Database, vaults: Mapping[str, Vault]) -> list[Count]:
    """Seal everything with the first key. What no key opens is counted and left as it is."""
    counts = [await _go_through(database, vaults[one.purpose], one, write=True) for one in SEALED]
    async with database.write() as session:
        data = {count.what.replace(" ", "_"): count.resealed for count in counts}
        await record(session, operator_id=None, act="keys.rotated", subject="keys", data=data)
    return counts


async def _go_through(database: Database, vault: Vault, kind: Sealed, *, write: bool) -> Count:
    first = older = unreadable = resealed = after = 0
    while True:
        async with database.write() as session:
            rows = (await session.execute(_NEXT[kind.what], {"after": after, "most": AT_ONCE})).all()
            if not rows:
                break
            places = [(row.id, row.secret, vault.key_of(row.secret)) for row in rows]
            if write:
                resealed += await _reseal(session, vault, kind, [(key, secret) for key, secret, place in places if place])
        first += sum(place == 0 for _, _, place in places)
        older += sum(bool(place) for _, _, place in places)
        unreadable += sum(place is None for _, _, place in places)
        after = rows[-1].id
    if write:
        first, older = first + resealed, older - resealed
    return Count(what=kind.what, first=first, older=older, unreadable=unreadable, resealed=resealed)


async def _reseal(session: WriteSession, vault: Vault, kind: Sealed, rows: list[tuple[int, bytes]]) -> int:
    if rows:
        await _KEEP[kind.what].run(session, [(key, vault.reseal(secret)) for key, secret in rows])
    return len(rows)


def _statements() -> Iterator[tuple[str, str, str]]:
    for one in SEALED:
        read = (
            f"SELECT {one.key} AS id, secret FROM {one.table} WHERE secret IS NOT NULL AND {one.key} > :after "  # noqa: S608 - names above
            f"ORDER BY {one.key} LIMIT :most FOR UPDATE"
        )
        keep = f"UPDATE {one.table} t SET secret = r.secret FROM {{rows}} WHERE t.{one.key} = r.id"  # noqa: S608 - names above
        yield one.what, read, keep


# A row is locked from its reading to its writing: a token that is replaced meanwhile is not overwritten by the old one.
_NEXT = {what: text(read) for what, read, _ in _statements()}
_KEEP = {what: Bulk(keep, id="bigint", secret="bytea") for what, _, keep in _statements()}  # noqa: S106 - a type's name
