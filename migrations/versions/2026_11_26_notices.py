"""Notices outside: shares of a term by norm, rules, people's channels and hours, messages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from alembic import op
from sqlalchemy.util import await_only

revision = "notices"
down_revision = "approval"
branch_labels = None
depends_on = None

_SQL = Path(__file__).resolve().parent.parent / "sql" / "2026_11_26_notices.sql"


def upgrade() -> None:
    """Apply."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    connection: Any = op.get_bind().connection.driver_connection  # asyncpg prepares one statement; its simple protocol takes many
    await_only(connection.execute(_SQL.read_text(encoding="utf-8")))


def downgrade() -> None:
    """Migrations go forward only."""
    raise RuntimeError("Migrations go forward only: the way back is the backup.")
