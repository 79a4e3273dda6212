"""What reports stand on is built step by step."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from alembic import op
from sqlalchemy.util import await_only

revision = "steps"
down_revision = "lookups"
branch_labels = None
depends_on = None

_SQL = Path(__file__).resolve().parent.parent / "sql" / "steps.sql"


def upgrade() -> None:
    """Apply."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    script = _SQL.read_text(encoding="utf-8")
    connection: Any = op.get_bind().connection.driver_connection  # asyncpg prepares one statement; its simple protocol takes many
    await_only(connection.execute(script))


def downgrade() -> None:
    """Undo."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("DELETE FROM report_state WHERE stage <> 'done'")
    op.execute(
        "ALTER TABLE report_state DROP COLUMN stage, DROP COLUMN lines_kept, DROP COLUMN lines_wanted, DROP COLUMN after,"
        " DROP COLUMN month, DROP COLUMN lines"
    )
