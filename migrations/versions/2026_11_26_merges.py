"""Two appeals of one matter become one: the younger names the older that it was merged into."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from alembic import op
from sqlalchemy.util import await_only

revision = "merges"
down_revision = "notices"
branch_labels = None
depends_on = None

_SQL = Path(__file__).resolve().parent.parent / "sql"


def upgrade() -> None:
    """Apply."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    connection: Any = op.get_bind().connection.driver_connection
    await_only(connection.execute((_SQL / "2026_11_26_merges.sql").read_text(encoding="utf-8")))


def downgrade() -> None:
    """What was merged would be forgotten: restore a backup instead."""
    raise RuntimeError("Migrations go forward only: restore the backup instead.")
