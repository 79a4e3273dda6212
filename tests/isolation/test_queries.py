"""Every query of the web process, run again in the name of somebody it does not concern: it tells and changes nothing.

The routes are driven by people who may, and each statement is written down with its parameters - a code lock that names
their scopes and all. Then each is run once more in the name of others, as the web role, over two databases: one with
the secret town, one from which everything secret was taken. Whatever differs was learned from what is secret: a row, a
count, an existence. A table that nobody protects, a policy that lets too much through or a door without a scope fails here.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest
from sqlalchemy import event

from app.kernel.db import DatabaseRole
from tests.databases import copy_of, plain
from tests.isolation.asks import demanded, operations, whole_walk
from tests.isolation.conftest import Asker, Grown
from tests.isolation.town import OUTSIDERS, Town
from tests.migrations.test_catalogue import OPEN, READ_BY_ALL

if TYPE_CHECKING:
    from fastapi import FastAPI
    from sqlalchemy.engine import URL

    from app.kernel.db import Database

pytestmark = [pytest.mark.isolation, pytest.mark.timeout(180)]

MOST_OF_ONE_KIND = 2
"""Of the same statement with other parameters, so many are run again."""
WITH_EACH_KIND_OF_SCOPE = ("everything", "operator", "coordinator")
"""The whole region, an agency, a territory: the code lock is written otherwise for each."""
OF_ADMINISTRATORS = re.compile(
    r"\b(feed|publishing_stop|otklik_require_approval|webhook_\w+|audit_entry|otklik_appeal_of_number|otklik_appeal_numbers|otklik_subject_\w+|sla_policy_version|otklik_clock_history"
    r"|otklik_running_clocks|otklik_add_norm|otklik_end_norm|otklik_switch_private|otklik_page_care|otklik_page_aside|notice_rule|notice_letter|notice_delivery)\b"
)
"""What an administrator may know of every agency."""
REFUSALS = frozenset({"42501", "23000"})
"""By a policy, or by a trigger of ours that runs before it: which of the two reaches nobody, since code looks first."""
IN_ANOTHERS_NAME = "refused"
"""Nobody writes the audit trail in another's name: refused whatever is there, so nothing is told."""
FRAME = re.compile(
    r"^\s*(SELECT set_config|SELECT otklik_enter|SELECT CAST\(pg_snapshot_xmin|BEGIN|COMMIT|ROLLBACK|SAVEPOINT|RELEASE)", re.IGNORECASE
)
"""What begins and ends transactions, and the moment from which a stream goes on: it is the whole server's."""
WHO_COMES_IN = re.compile(
    r"\b(otklik_administers|otklik_may_grant|operator|operator_role|operator_session|invitation|api_token|second_factor|recovery_code"
    r"|external_identity)\b"
)
"""What an administrator is there for: people and tokens."""


@dataclass(frozen=True, slots=True)
class Statement:
    """What the web process sent, on behalf of whom, in the transaction of which request."""

    sql: str
    rows: tuple[tuple[Any, ...], ...]


@dataclass(slots=True)
class Recorder:
    """Writes each statement down."""

    found: list[Statement] = field(default_factory=list)
    seen: Counter[str] = field(default_factory=Counter)

    def note(self, _connection: object, _cursor: object, sql: str, parameters: Any, _context: object, many: bool) -> None:  # noqa: FBT001 - SQLAlchemy's event
        if FRAME.match(sql):
            return
        self.seen[sql] += 1
        if self.seen[sql] <= MOST_OF_ONE_KIND:
            self.found.append(Statement(sql, tuple(map(tuple, parameters)) if many else (tuple(parameters),)))


@pytest.fixture
async def recorded(web: FastAPI, web_db: Database, town: Town) -> list[Statement]:
    """All statements of all routes, each used by everybody who may."""
    recorder = Recorder()
    event.listen(web_db.engine.sync_engine, "before_cursor_execute", recorder.note)
    worked = set()
    for who in WITH_EACH_KIND_OF_SCOPE:
        ask_as = Asker(app=web, token=town.tokens[who])
        for ask in whole_walk(web, town):
            answer = await ask_as(ask)
            assert answer.status < 500, (who, ask, answer.text[:500])
            if answer.status < 400:
                worked.add(ask.key)
    unused = {key for key, route in operations(web).items() if demanded(route)} - worked
    assert not unused, f"{sorted(unused)}: nobody got through, so their queries are not asked. Give them a line in tests/isolation/asks.py"
    return recorder.found


@pytest.fixture
async def emptied(cluster: URL, grown: Grown) -> AsyncIterator[URL]:
    """The region's database without anything secret: only what stands on the list of open tables is left."""
    async with copy_of(cluster, grown.name) as url:
        owner = await asyncpg.connect(plain(url))
        await owner.execute("SET session_replication_role = replica")  # histories refuse to be deleted
        for (table,) in await owner.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'"):
            if table not in OPEN and table not in READ_BY_ALL:
                await owner.execute(f'DELETE FROM "{table}"')  # noqa: S608 - our own tables
        await owner.close()
        yield url


@asynccontextmanager
async def as_web(url: URL) -> AsyncIterator[asyncpg.Connection]:
    """A connection as the web process has it; a plan serves everybody, since who asks is no part of it."""
    settings = {"role": DatabaseRole.WEB.value, "timezone": "UTC", "jit": "off", "plan_cache_mode": "force_generic_plan"}
    connection = await asyncpg.connect(plain(url), server_settings=settings)
    yield connection
    await connection.close()


async def outcome(connection: asyncpg.Connection, statement: Statement, operator_id: int | None) -> object:
    """What somebody gets of it: rows, how many were changed, or the code of a refusal. Undone."""
    transaction = connection.transaction()
    await transaction.start()
    try:
        await connection.execute("SELECT otklik_enter($1)", operator_id)
        told = []
        for parameters in statement.rows:
            rows = await connection.fetch(statement.sql, *parameters)
            told.append([_plain(row) for row in rows])
            told.append([await connection.fetchval("SELECT pg_current_xact_id_if_assigned() IS NOT NULL")])
    except asyncpg.PostgresError as error:
        return "refused" if error.sqlstate in REFUSALS else error.sqlstate
    else:
        return told
    finally:
        await transaction.rollback()


def _plain(row: asyncpg.Record) -> list[object]:
    """A row without the database's own moment and counters, which differ between two runs of anything."""
    return ["now" if _passes(name, value) else value for name, value in row.items()]


def _passes(name: str, value: object) -> bool:
    """Whether it is the moment itself: `xmin` is the oldest transaction of the whole server, other databases' included."""
    return name == "xmin" or (isinstance(value, datetime) and abs(value.timestamp() - _NOW) < 86_400)


_NOW = datetime.now().timestamp()  # noqa: DTZ005, TID251 - when the tests run, whatever their clock says


async def test_no_query_tells_or_changes_anything_for_a_stranger(
    recorded: list[Statement], cluster: URL, grown: Grown, emptied: URL, town: Town
) -> None:
    concerned = 0
    async with copy_of(cluster, grown.name) as whole, as_web(whole) as with_secrets, as_web(emptied) as without:
        for statement in recorded:
            nothing = await outcome(without, statement, None)
            administered = OF_ADMINISTRATORS.search(statement.sql)
            for who, operator_id in {"nobody": None, **{who: town.people[who] for who in OUTSIDERS}}.items():
                if who == "administrator" and (administered or WHO_COMES_IN.search(statement.sql)):
                    continue
                told = await outcome(with_secrets, statement, operator_id)
                if told == IN_ANOTHERS_NAME and "INTO audit_entry" in statement.sql:
                    continue
                assert told == nothing, (
                    f"{who} learns of what is not theirs by this query: protect its table by row-level security\n{statement.sql}"
                )
            concerned += await outcome(with_secrets, statement, town.people["everything"]) != nothing
    assert len(recorded) > 150, len(recorded)
    assert concerned > len(recorded) // 3, f"only {concerned} of {len(recorded)} statements concern secrets: the walk asks nonsense"
