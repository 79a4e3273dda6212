"""Distributions of times as numbers that add up; waiting lines by index alone; repetitions the same for every reader."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from alembic import op
from sqlalchemy.util import await_only

revision = "sketches"
down_revision = "calendars"
branch_labels = None
depends_on = None

_SQL = Path(__file__).resolve().parent.parent / "sql" / "sketches.sql"
_SCOPES = {
    "{whole}": "(SELECT otklik_sees_whole())",
    "{agencies}": "((SELECT otklik_agency_scope())::bigint[])",
    "{territories}": "((SELECT otklik_territory_scope())::bigint[])",
}
_SHAPES = [f"{clock}_{shape}" for clock in ("first", "final", "agency", "triage", "detection") for shape in ("h", "wh")]


def upgrade() -> None:
    """Apply."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    script = _SQL.read_text(encoding="utf-8")
    for name, subquery in _SCOPES.items():
        script = script.replace(name, subquery)
    connection: Any = op.get_bind().connection.driver_connection  # asyncpg prepares one statement; its simple protocol takes many
    await_only(connection.execute(script))


def downgrade() -> None:
    """Undo. What reports stand on is queued to be computed by the version before."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("DROP TABLE report_shape")
    op.execute("DROP FUNCTION otklik_sketch(integer)")
    op.execute("DROP FUNCTION otklik_repeated(bigint, timestamptz)")
    op.execute("DROP FUNCTION otklik_topic_then(bigint, timestamptz)")
    op.execute("DROP INDEX ix_report_line_first_waiting, ix_report_line_final_waiting")
    op.execute("CREATE INDEX ix_report_line_overdue ON report_line (first_due_at) WHERE first_outcome IS NULL")
    op.execute("CREATE INDEX ix_report_line_waiting ON report_line (started_at) WHERE first_outcome IS NULL")
    for name in _SHAPES:
        op.execute(f"ALTER TABLE report_cell ADD COLUMN {name} bytea NOT NULL DEFAULT ''")
        op.execute(f"ALTER TABLE report_cell ALTER COLUMN {name} SET STORAGE EXTERNAL")
    for table in ("report_line", "report_cell", "report_queue", "report_state"):
        op.execute(f"DELETE FROM {table}")  # noqa: S608 - names of this file
    op.execute("INSERT INTO report_queue (appeal_id) SELECT id FROM appeal")
