"""Who may touch what, as a table; history that nobody changes; roles that exist once."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from uuid import uuid4

import asyncpg
import pytest

from app.kernel.db import DatabaseRole
from app.kernel.embedded import prepare
from app.kernel.errors import SetupError
from tests.databases import plain

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sqlalchemy.engine import URL

pytestmark = pytest.mark.migrations

# Table → (web, worker): S select, I insert, U update, D delete; small letters: only some columns.
GRANTS = {
    "agency": ("S", "S"),
    "alembic_version": ("S", "S"),
    "amendment": ("SIu", "Siu"),
    "api_token": ("Siu", ""),
    "appeal": ("SIU", "SIU"),
    "appeal_assignment": ("SIu", "SI"),
    "appeal_event": ("SI", "SI"),
    "appeal_note": ("SI", ""),
    "appeal_origin": ("S", ""),
    "appeal_text": ("SI", ""),
    "audit_entry": ("SI", "SI"),
    "audit_seal": ("S", "SI"),
    "approved_report": ("SI", ""),
    "author": ("S", "SIU"),
    "calendar_version": ("S", "S"),
    "call_quota": ("", "SID"),
    "call_share": ("", "SID"),
    "comment": ("Su", "SIU"),
    "comment_revision": ("S", "SI"),
    "credential": ("", "S"),
    "erasure": ("SI", "Su"),
    "erasure_key": ("", ""),
    "external_identity": ("SID", ""),
    "feed": ("s", "SIU"),
    "idempotency_key": ("SIu", ""),
    "invitation": ("Siu", ""),
    "notice": ("S", "SIU"),
    "notice_address": ("Siu", "Su"),
    "notice_delivery": ("Su", "SIU"),
    "notice_hours": ("SIUD", "S"),
    "notice_letter": ("Siu", "SIU"),
    "notice_rule": ("Siu", "S"),
    "operator": ("Siu", "s"),
    "operator_role": ("Siu", "s"),
    "operator_session": ("SIu", ""),
    "page": ("S", "SIu"),
    "page_day": ("S", "SIUD"),
    "page_intake": ("Siu", "SuD"),
    "page_hook": ("S", "s"),
    "page_listener": ("", "Su"),
    "pgqueuer": ("SI", "SIUD"),
    "pgqueuer_log": ("I", "SIUD"),
    "pgqueuer_schedules": ("", "SIUD"),
    "pgqueuer_statistics": ("", "SIUD"),
    "picture": ("Si", "SuD"),
    "link_lookup": ("Si", "SuD"),
    "post": ("S", "SIU"),
    "pushed_event": ("I", "SIuD"),
    "publishing_stop": ("SIu", "S"),
    "recovery_code": ("SIuD", ""),
    "reply": ("SIu", "SIu"),
    "reply_picture": ("Siu", "S"),
    "report_cell": ("S", "SIUD"),
    "report_line": ("S", "SIUD"),
    "report_queue": ("S", "SID"),
    "report_shape": ("S", "SIUD"),
    "report_state": ("S", "SIUD"),
    "routing_rule": ("S", "S"),
    "second_factor": ("SIuD", ""),
    "set_aside": ("", "sIu"),
    "sign_in_attempt": ("SID", ""),
    "sla_extension": ("SI", "S"),
    "sla_pause": ("SIU", "Su"),
    "sla_policy_version": ("S", "S"),
    "sla_timer": ("SIU", "SIU"),
    "sphere": ("S", "S"),
    "territory": ("S", "S"),
    "topic": ("S", "S"),
    "webhook_attempt": ("S", "I"),
    "webhook_delivery": ("Siu", "SIU"),
    "webhook_target": ("siu", "Su"),
    "verdict": ("SI", "SI"),
    "working_span": ("S", "SI"),
}

APPEND_ONLY = (
    "approved_report", "appeal_event", "audit_entry", "calendar_version", "verdict", "sla_policy_version", "sla_extension",
)  # fmt: skip


@pytest.fixture
async def owner(database_url: URL) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(plain(database_url))
    yield connection
    await connection.close()


async def _granted(owner: asyncpg.Connection, table: str, role: str) -> str:
    letters = ""
    for letter, right in (("S", "SELECT"), ("I", "INSERT"), ("U", "UPDATE"), ("D", "DELETE")):
        if await owner.fetchval("SELECT has_table_privilege($1, $2, $3)", role, table, right):
            letters += letter
        elif right != "DELETE" and await owner.fetchval("SELECT has_any_column_privilege($1, $2, $3)", role, table, right):
            letters += letter.lower()
    return letters


async def test_each_role_may_do_what_the_table_says(owner: asyncpg.Connection) -> None:
    tables = [row["tablename"] for row in await owner.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]
    found = {
        table: (await _granted(owner, table, DatabaseRole.WEB), await _granted(owner, table, DatabaseRole.WORKER))
        for table in sorted(tables)
    }
    assert found == GRANTS


async def test_nobody_else_may_do_anything(owner: asyncpg.Connection) -> None:
    for right in ("TRUNCATE", "REFERENCES", "TRIGGER"):
        for table in GRANTS:
            for role in DatabaseRole:
                assert not await owner.fetchval("SELECT has_table_privilege($1, $2, $3)", role, table, right), (role, table, right)
    to_all = "SELECT count(*) FROM information_schema.role_table_grants WHERE grantee = 'PUBLIC' AND table_schema = 'public'"
    assert await owner.fetchval(to_all) == 0
    for role in DatabaseRole:
        assert not await owner.fetchval("SELECT has_schema_privilege($1, 'public', 'CREATE')", role)


async def test_the_worker_reads_no_passwords(owner: asyncpg.Connection) -> None:
    assert not await owner.fetchval("SELECT has_column_privilege($1, 'operator', 'password_hash', 'SELECT')", DatabaseRole.WORKER)


async def test_the_web_role_gives_fates_and_writes_no_words(owner: asyncpg.Connection) -> None:
    changeable = await owner.fetch(
        "SELECT attname FROM pg_attribute "
        "WHERE attrelid = 'comment'::regclass AND attnum > 0 AND has_column_privilege($1, attrelid, attnum, 'UPDATE')",
        DatabaseRole.WEB,
    )
    assert {row["attname"] for row in changeable} == {"fate", "fate_reason", "appeal_id", "triage_due_at", "triage_warn_at"}


async def test_row_level_security_binds_the_web_role_alone(owner: asyncpg.Connection) -> None:
    roles = {row["rolname"]: row for row in await owner.fetch("SELECT * FROM pg_roles WHERE rolname LIKE 'otklik_%'")}
    assert not roles[DatabaseRole.WEB]["rolbypassrls"]
    assert roles[DatabaseRole.WORKER]["rolbypassrls"]
    for role in DatabaseRole:
        assert not roles[role]["rolsuper"]
        assert not roles[role]["rolcanlogin"]


async def test_no_function_is_open_to_all(owner: asyncpg.Connection) -> None:
    """Whoever else has a login in this database runs nothing of ours; the doors themselves are reviewed in test_catalogue.py."""
    query = "SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND has_function_privilege('public', oid, 'EXECUTE')"
    assert await owner.fetch(query) == []


@pytest.mark.parametrize("table", APPEND_ONLY)
async def test_history_refuses_even_its_owner(owner: asyncpg.Connection, table: str) -> None:
    """UPDATE and DELETE of a row that is there, and TRUNCATE of the whole."""
    await _one_row(owner, table)
    for statement in (f"UPDATE {table} SET recorded_at = now()", f"DELETE FROM {table}", f"TRUNCATE {table} CASCADE"):  # noqa: S608 - a constant
        with pytest.raises(asyncpg.RestrictViolationError, match="append-only"):
            await owner.execute(statement)
    assert await owner.fetchval(f"SELECT count(*) FROM {table}") == 1  # noqa: S608 - a constant


async def _one_row(owner: asyncpg.Connection, table: str) -> None:
    """A row, without what it would hang on: keys are not what is asked here."""
    columns = {
        "approved_report": "(measure, period_start, period_end, tz, group_by, as_of, body, digest, whole, agency_ids, territory_ids, "
        "approved_by) VALUES ('first-answer', now(), now(), 'UTC', 'agency', now(), '{}', '', true, '{}', '{}', 1)",
        "appeal_event": "(appeal_id, act, cycle, occurred_at) VALUES (1, 'opened', 1, now())",
        "audit_entry": "(act, subject) VALUES ('appeal.opened', 'appeal')",
        "calendar_version": "(territory_id, version, definition, valid_from) VALUES (1, 1, '{}', now())",
        "verdict": "(comment_id, classifier, version, kind, confidence) VALUES (1, 'keywords', '1', 'appeal', 1)",
        "sla_extension": (
            "(appeal_id, timer_id, due_before, due_after, reason, operator_id) VALUES (1, 1, now(), now() + interval '1 day', 'Ждём', 1)"
        ),
        "sla_policy_version": "(code, version, name, promises, valid_from) VALUES ('default', 1, 'Обычный', '{}', now())",
    }
    await owner.execute("SET session_replication_role = replica")
    await owner.execute(f"INSERT INTO {table} {columns[table]}")
    await owner.execute("SET session_replication_role = origin")


async def test_a_policy_may_end(owner: asyncpg.Connection) -> None:
    await _one_row(owner, "sla_policy_version")
    await owner.execute("UPDATE sla_policy_version SET valid_until = now()")


async def test_roles_exist_once_under_parallel_starts(cluster: URL) -> None:
    """Many processes start at once on a fresh cluster: none fails, and each role is there once."""
    name = f"t_{uuid4().hex[:16]}"
    admin = await asyncpg.connect(plain(cluster))
    try:
        await asyncio.gather(*(prepare(cluster, name=name) for _ in range(8)))
        assert await admin.fetchval("SELECT count(*) FROM pg_roles WHERE rolname = ANY ($1)", [role.value for role in DatabaseRole]) == 2
        assert await admin.fetchval("SELECT count(*) FROM pg_database WHERE datname = $1", name) == 1
    finally:
        await admin.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        await admin.close()


async def test_an_owner_without_rights_is_told_what_to_do(cluster: URL) -> None:
    """Roles that an administrator has made are enough; without them and without the right to make them, one clear line."""
    admin = await asyncpg.connect(plain(cluster))
    login = f"t_{uuid4().hex[:16]}"
    await admin.execute(f"CREATE ROLE {login} LOGIN PASSWORD 'made up'")
    theirs = cluster.set(username=login, password="made up")
    try:
        with pytest.raises(SetupError, match="BYPASSRLS"):
            await prepare(theirs)
        await admin.execute(f"GRANT {DatabaseRole.WEB}, {DatabaseRole.WORKER} TO {login}")
        assert await prepare(theirs) == theirs
    finally:
        await admin.execute(f"DROP ROLE {login}")
        await admin.close()
