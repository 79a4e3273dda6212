"""What platforms say of pages, day by day."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from alembic import op
from sqlalchemy.util import await_only

revision = "page_facts"
down_revision = "private_messages"
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
    script = (_SQL / "page_facts.sql").read_text(encoding="utf-8")
    for name, subquery in _SCOPES.items():
        script = script.replace(name, subquery)
    connection: Any = op.get_bind().connection.driver_connection  # asyncpg prepares one statement; its simple protocol takes many
    await_only(connection.execute(script))


def downgrade() -> None:
    """Migrations go forward only."""
    raise RuntimeError("Migrations go forward only: the way back is the backup.")
