"""Second factors, identities of other providers, narrower tokens; administrators take people on as the web role."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from alembic import op
from sqlalchemy.util import await_only

revision = "sign_in"
down_revision = "webhooks"
branch_labels = None
depends_on = None

_SQL = Path(__file__).resolve().parent.parent / "sql" / "2026_11_26_sign_in.sql"


def upgrade() -> None:
    """Apply."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    connection: Any = op.get_bind().connection.driver_connection  # asyncpg prepares one statement; its simple protocol takes many
    await_only(connection.execute(_SQL.read_text(encoding="utf-8")))


def downgrade() -> None:
    """Second factors would be lost, and with them what keeps strangers out: restore the backup instead."""
    raise RuntimeError("This migration is not undone: restore the backup of the version before.")
