"""The first version of every table, of the job queue, and of who may touch what."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from alembic import op
from sqlalchemy.util import await_only

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_SQL = Path(__file__).resolve().parent.parent / "sql"

# Each scope as a scalar subquery: PostgreSQL computes it once per statement, not once per row.
_SCOPES = {
    "{whole}": "(SELECT otklik_sees_whole())",
    "{agencies}": "((SELECT otklik_agency_scope())::bigint[])",
    "{territories}": "((SELECT otklik_territory_scope())::bigint[])",
}

# Tables of rows that belong to an appeal, and the column that says when the row came.
_CHILDREN = {
    "appeal_event": "recorded_at",
    "appeal_note": "recorded_at",
    "appeal_assignment": "since",
    "reply": "created_at",
    "sla_timer": "recorded_at",
    "sla_pause": "since",
}

_CHILD = """
ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;
CREATE POLICY seen ON {table} FOR SELECT TO otklik_web USING (
  {whole}
  OR EXISTS (SELECT FROM appeal a WHERE a.id = appeal_id AND (a.agency_id = ANY ({agencies}) OR a.territory_id = ANY ({territories})))
  OR otklik_held(appeal_id, {moment}, {agencies}));
CREATE POLICY added ON {table} FOR INSERT TO otklik_web WITH CHECK (
  {whole}
  OR EXISTS (SELECT FROM appeal a WHERE a.id = appeal_id AND (a.agency_id = ANY ({agencies}) OR a.territory_id = ANY ({territories}))));
CREATE POLICY worked ON {table} FOR UPDATE TO otklik_web USING (
  {whole}
  OR EXISTS (SELECT FROM appeal a WHERE a.id = appeal_id AND (a.agency_id = ANY ({agencies}) OR a.territory_id = ANY ({territories}))));
"""


def _run(script: str) -> None:
    """Many statements at once: asyncpg prepares only one, so they go through its simple protocol."""
    connection: Any = op.get_bind().connection.driver_connection
    await_only(connection.execute(script))


def upgrade() -> None:
    """Apply."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    _run((_SQL / "0001_jobs.sql").read_text(encoding="utf-8"))
    _run((_SQL / "0001_tables.sql").read_text(encoding="utf-8"))
    children = "".join(_CHILD.replace("{table}", table).replace("{moment}", moment) for table, moment in _CHILDREN.items())
    access = (_SQL / "0001_access.sql").read_text(encoding="utf-8").replace("{children}", children)
    for name, subquery in _SCOPES.items():
        access = access.replace(name, subquery)
    _run(access)


def downgrade() -> None:
    """There is nothing before the first version: drop the database instead."""
    raise RuntimeError("There is no version before the first: drop the database instead.")
