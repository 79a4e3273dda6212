"""Cells know how many lines they hold: which pages and people have most is read from an index."""

from __future__ import annotations

from alembic import op

revision = "largest"
down_revision = "page_intake"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply. The table is written anew: half a minute where there are ten million appeals; reports wait."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("ALTER TABLE report_cell ADD COLUMN lines bigint GENERATED ALWAYS AS (opened + dismissed) STORED")
    op.execute("CREATE INDEX ix_report_cell_lines ON report_cell (dim, level, start, lines) WHERE dim >= 5")


def downgrade() -> None:
    """Migrations go forward only."""
    raise RuntimeError("Migrations go forward only: the way back is the backup.")
