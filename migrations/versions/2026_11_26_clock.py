"""Interim answers, pauses and extensions of deadlines, and who may set norms and calendars."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from alembic import op
from sqlalchemy.util import await_only

revision = "clock"
down_revision = "privacy"
branch_labels = None
depends_on = None

_SQL = Path(__file__).resolve().parent.parent / "sql"

# Each scope as a scalar subquery: PostgreSQL computes it once per statement, not once per row.
_SCOPES = {
    "{whole}": "(SELECT otklik_sees_whole())",
    "{agencies}": "((SELECT otklik_agency_scope())::bigint[])",
    "{territories}": "((SELECT otklik_territory_scope())::bigint[])",
}


def upgrade() -> None:
    """Apply."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    script = (_SQL / "0004_clock.sql").read_text(encoding="utf-8")
    for name, subquery in _SCOPES.items():
        script = script.replace(name, subquery)
    connection: Any = op.get_bind().connection.driver_connection
    await_only(connection.execute(script))  # many statements at once: asyncpg's simple protocol


def downgrade() -> None:
    """Answers told apart and pauses would be lost: restore a backup instead."""
    raise RuntimeError("Going back would lose interim answers and extensions: restore a backup instead.")
