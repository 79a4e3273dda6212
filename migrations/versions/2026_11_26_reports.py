"""Measures at scale: lines and sums of appeals, approved reports."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from alembic import op
from sqlalchemy.util import await_only

revision = "reports"
down_revision = "0004"
branch_labels = None
depends_on = None

_SQL = Path(__file__).resolve().parent.parent / "sql"
_SCOPES = {
    "{whole}": "(SELECT otklik_sees_whole())",
    "{agencies}": "((SELECT otklik_agency_scope())::bigint[])",
    "{territories}": "((SELECT otklik_territory_scope())::bigint[])",
}


def upgrade() -> None:
    """Apply."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    script = (_SQL / "reports.sql").read_text(encoding="utf-8")
    for name, subquery in _SCOPES.items():
        script = script.replace(name, subquery)
    connection: Any = op.get_bind().connection.driver_connection  # asyncpg prepares one statement; its simple protocol takes many
    await_only(connection.execute(script))


def downgrade() -> None:
    """Undo."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    for table, trigger in (("appeal_event", "queue_lines"), ("sla_timer", "queue_lines_added"), ("sla_timer", "queue_lines_changed")):
        op.execute(f"DROP TRIGGER {trigger} ON {table}")
    op.execute("DROP FUNCTION otklik_queue_lines()")
    op.execute("DROP FUNCTION otklik_worked(bigint, timestamptz, timestamptz)")
    op.execute("DROP FUNCTION otklik_bin(integer)")
    op.execute("DROP INDEX ix_appeal_event_reopened")
    op.execute("DROP TABLE report_line, report_cell, report_queue, report_state, working_span, approved_report")
