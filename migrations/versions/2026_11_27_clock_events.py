"""What was known of a clock is told to whoever held its appeal then."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from alembic import op
from sqlalchemy.util import await_only

revision = "clock_events"
down_revision = "private_since"
branch_labels = None
depends_on = None

_SQL = Path(__file__).resolve().parent.parent / "sql"


def upgrade() -> None:
    """Apply: the file as a whole, through asyncpg's simple protocol."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    connection: Any = op.get_bind().connection.driver_connection
    await_only(connection.execute((_SQL / "clock_events.sql").read_text(encoding="utf-8")))


def downgrade() -> None:
    """Migrations go forward only."""
    raise RuntimeError("Migrations go forward only: the way back is the backup.")
