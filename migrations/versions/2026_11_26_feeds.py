"""How the watching of a page goes is seen by its own agency only."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from alembic import op
from sqlalchemy.util import await_only

revision = "0002"
down_revision = "0001"
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
    script = (_SQL / "0002_feeds.sql").read_text(encoding="utf-8")
    for name, subquery in _SCOPES.items():
        script = script.replace(name, subquery)
    connection: Any = op.get_bind().connection.driver_connection  # asyncpg prepares one statement; its simple protocol takes many
    await_only(connection.execute(script))


def downgrade() -> None:
    """Undo."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("DROP POLICY seen ON feed")
    op.execute("ALTER TABLE feed DISABLE ROW LEVEL SECURITY")
    op.execute("DROP INDEX ix_feed_page_id")
    op.execute("REVOKE SELECT (page_id, polled_at, failures, error_code) ON feed FROM otklik_web")
    op.execute("GRANT SELECT ON feed TO otklik_web")
    op.execute("DROP FUNCTION otklik_configures()")
