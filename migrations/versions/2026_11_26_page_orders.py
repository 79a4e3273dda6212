"""The orders of the list of pages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from alembic import op
from sqlalchemy.util import await_only

revision = "page_orders"
down_revision = "reply_pictures"
branch_labels = None
depends_on = None

_SQL = Path(__file__).resolve().parent.parent / "sql"


def upgrade() -> None:
    """Apply."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    script = (_SQL / "page_orders.sql").read_text(encoding="utf-8")
    connection: Any = op.get_bind().connection.driver_connection  # asyncpg prepares one statement; its simple protocol takes many
    await_only(connection.execute(script))


def downgrade() -> None:
    """Migrations go forward only."""
    raise RuntimeError("Migrations go forward only: the way back is the backup.")
