"""The reach of whoever asks is computed once a transaction; policies look it up."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from alembic import op
from sqlalchemy.util import await_only

revision = "0004"
down_revision = "incident"
branch_labels = None
depends_on = None

_SQL = Path(__file__).resolve().parent.parent / "sql"
_SCOPES = {
    "{whole}": "(SELECT otklik_sees_whole())",
    "{agencies}": "((SELECT otklik_agency_scope())::bigint[])",
    "{territories}": "((SELECT otklik_territory_scope())::bigint[])",
}
# Tables of rows that belong to an appeal, and the column that says when the row came: as in the first migration.
_CHILDREN = {
    "appeal_event": "recorded_at",
    "appeal_note": "recorded_at",
    "appeal_assignment": "since",
    "reply": "created_at",
    "sla_timer": "recorded_at",
    "sla_pause": "since",
}
_CHILD = """
ALTER POLICY seen ON {table} USING (
  {whole}
  OR EXISTS (SELECT FROM appeal a WHERE a.id = appeal_id AND (a.agency_id = ANY ({agencies}) OR a.territory_id = ANY ({territories})))
  OR ({agencies} <> '{}' AND otklik_held(appeal_id, {moment}, {agencies})));
"""


def upgrade() -> None:
    """Apply."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    children = "".join(_CHILD.replace("{table}", table).replace("{moment}", moment) for table, moment in _CHILDREN.items())
    script = (_SQL / "0004_scope_once.sql").read_text(encoding="utf-8").replace("{children}", children)
    for name, subquery in _SCOPES.items():
        script = script.replace(name, subquery)
    connection: Any = op.get_bind().connection.driver_connection  # asyncpg prepares one statement; its simple protocol takes many
    await_only(connection.execute(script))


def downgrade() -> None:
    """The way back is the backup: programs of before and after it cannot both ask this database."""
    raise RuntimeError("Migrations go forward only: restore the backup made before the upgrade.")
