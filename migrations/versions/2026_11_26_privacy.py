"""What is stored of a person ends after its term, or when the person asks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from alembic import op
from sqlalchemy.util import await_only

revision = "privacy"
down_revision = "reports"
branch_labels = None
depends_on = None

_SQL = Path(__file__).resolve().parent.parent / "sql"


def upgrade() -> None:
    """Apply."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    connection: Any = op.get_bind().connection.driver_connection
    await_only(connection.execute((_SQL / "2026_11_26_privacy.sql").read_text(encoding="utf-8")))


def downgrade() -> None:
    """What was erased does not come back: the way back is the backup."""
    raise RuntimeError("Migrations go forward only: restore the backup instead.")
