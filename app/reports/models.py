"""Tables: one line per appeal and cycle, sums of lines by day, month and year, reports that were approved."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Computed,
    Date,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    Numeric,
    SmallInteger,
    String,
    Table,
    text as sql,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.appeals.marks import HIGHEST, LOWEST
from app.kernel.db import Base, moment, row_id, word

PROMISES = ("first", "interim", "final")
"""Of each a line keeps the deadline and what became of it."""
CELL_PROMISES = ("first", "final")
CELL_TIMES = ("first", "final", "agency", "triage", "detection", "approval")
"""Times of which cells keep number, sum and distribution, by calendar and by working time."""
MARKS = tuple(f"mark_{mark}" for mark in range(LOWEST, HIGHEST + 1))
CELL_COUNTS = (
    "opened", "dismissed", "reopened", "repeated", "ended", *MARKS,
    *(f"{promise}_{what}" for promise in CELL_PROMISES for what in ("population", "met", "late", "unpromised", "unanswered")),
)  # fmt: skip
CELL_SUMS = tuple(f"{time}_{what}" for time in CELL_TIMES for what in ("n", "s", "wn", "ws"))

_WAITING = ("agency_id", "territory_id", "topic_id", "page_id", "operator_id", "platform", "appeal_id")


def _promise(name: str) -> list[Column[Any]]:
    return [
        Column(f"{name}_due_at", DateTime(timezone=True)),
        Column(f"{name}_stopped_at", DateTime(timezone=True)),
        Column(f"{name}_outcome", String),
        Column(f"{name}_seconds", Integer),
        Column(f"{name}_working", Integer),
    ]


# What an appeal's history says of one cycle, computed by `lines.py` and nothing else. It can be thrown away and computed
# anew. Ids only: no words, no names, so that forgetting a person changes no figure.
report_line = Table(
    "report_line",
    Base.metadata,
    Column("appeal_id", BigInteger, primary_key=True, autoincrement=False),
    Column("cycle", Integer, primary_key=True, autoincrement=False),
    Column("started_at", DateTime(timezone=True), nullable=False),
    Column("agency_id", BigInteger, nullable=False),
    Column("territory_id", BigInteger, nullable=False),
    Column("topic_id", BigInteger),
    Column("page_id", BigInteger),
    Column("operator_id", BigInteger),
    Column("platform", String, nullable=False),
    *(column for promise in PROMISES for column in _promise(promise)),
    Column("agency_seconds", Integer),
    Column("agency_working", Integer),
    Column("triage_seconds", Integer),
    Column("triage_working", Integer),
    Column("detection_seconds", Integer),
    Column("reopened", Boolean, nullable=False),
    Column("repeated", Boolean, nullable=False),
    Column("dismissed", Boolean, nullable=False),
    Column("approval_seconds", Integer),
    Column("approval_working", Integer),
    Column("mark", SmallInteger),
    Index("ix_report_line_started_at", "started_at"),
    Index("ix_report_line_agency_id", "agency_id", "started_at"),
    Index("ix_report_line_territory_id", "territory_id", "started_at"),
    # Those that wait are few and asked for by every report: their index alone answers.
    Index(
        "ix_report_line_first_waiting", "started_at", postgresql_where=sql("first_outcome IS NULL"),
        postgresql_include=["first_due_at", *_WAITING],
    ),
    Index(
        "ix_report_line_final_waiting", "started_at", postgresql_where=sql("final_outcome IS NULL AND final_due_at IS NOT NULL"),
        postgresql_include=["final_due_at", *_WAITING],
    ),
)  # fmt: skip

# Sums of lines whose citizen wrote in a local day, month or year (`level`), by one dimension. `ended` alone belongs to
# the day on which the clock stopped.
report_cell = Table(
    "report_cell",
    Base.metadata,
    Column("dim", SmallInteger, primary_key=True, autoincrement=False),
    Column("level", SmallInteger, primary_key=True, autoincrement=False),
    Column("start", Date, primary_key=True),
    Column("key", String, primary_key=True),
    *(Column(name, BigInteger, nullable=False, server_default=sql("0")) for name in (*CELL_COUNTS, *CELL_SUMS)),
    Column("lines", BigInteger, Computed("opened + dismissed", persisted=True)),
    # Which pages and people have most, without looking at all.
    Index("ix_report_cell_lines", "dim", "level", "start", "lines", postgresql_where=sql("dim >= 5")),
)

# How one kind of time is distributed in a cell, by the calendar and in working time: numbers that add up, see `sketch.py`.
# Apart from the sums: a report of pages looks at every page's sums, and at the distributions of fifty.
report_shape = Table(
    "report_shape",
    Base.metadata,
    Column("dim", SmallInteger, primary_key=True, autoincrement=False),
    Column("level", SmallInteger, primary_key=True, autoincrement=False),
    Column("clock", String, primary_key=True),
    Column("start", Date, primary_key=True),
    Column("key", String, primary_key=True),
    Column("calendar", Numeric, nullable=False),
    Column("working", Numeric, nullable=False),
)


class ReportQueue(Base):
    """Appeals whose lines are to be computed anew. Triggers on the history and the clocks write it."""

    __tablename__ = "report_queue"

    id: Mapped[int] = row_id()
    appeal_id: Mapped[int] = mapped_column(BigInteger)


class ReportState(Base):
    """One row: the zone whose days the cells are cut by, and how far the building of lines and cells has come (`build.py`).

    `after` and `month`: the next step begins there. `lines_wanted`: lines are to be computed anew too; `lines_kept`: they are complete.
    """

    __tablename__ = "report_state"
    __table_args__ = (
        CheckConstraint("id = 1", name="one"),
        CheckConstraint("stage IN ('clearing', 'lines', 'cells', 'done')", name="stage"),
    )

    id: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    tz: Mapped[str] = word()
    built_at: Mapped[datetime] = moment()
    stage: Mapped[str] = mapped_column(String, server_default=sql("'done'"))
    lines_kept: Mapped[bool] = mapped_column(Boolean, server_default=sql("true"))
    lines_wanted: Mapped[bool] = mapped_column(Boolean, server_default=sql("false"))
    after: Mapped[int] = mapped_column(BigInteger, server_default=sql("0"))
    month: Mapped[date | None] = mapped_column(Date)
    lines: Mapped[int] = mapped_column(BigInteger, server_default=sql("0"))


class WorkingSpan(Base):
    """A stretch of working time of a calendar, and how much of it (in microseconds) lies before: working time in SQL."""

    __tablename__ = "working_span"

    calendar_version_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("calendar_version.id"), primary_key=True, autoincrement=False)
    opens_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), primary_key=True)
    closes_at: Mapped[datetime] = moment()
    before: Mapped[int] = mapped_column(BigInteger)


class ApprovedReport(Base):
    """A report as somebody signed it: its figures stay, whatever is learnt later. Append-only.

    `whole`, or `agency_ids` and `territory_ids`: how far the one saw who approved it; whoever sees as far may read it.
    """

    __tablename__ = "approved_report"
    __table_args__ = (Index("ix_approved_report_recorded_at", "recorded_at"),)

    id: Mapped[int] = row_id()
    measure: Mapped[str] = word()
    period_start: Mapped[date] = mapped_column(Date)
    period_end: Mapped[date] = mapped_column(Date)
    tz: Mapped[str] = word()
    group_by: Mapped[str] = word()
    as_of: Mapped[datetime] = moment()
    body: Mapped[dict[str, Any]] = mapped_column(JSONB)
    digest: Mapped[str] = word()
    whole: Mapped[bool] = mapped_column(Boolean)
    agency_ids: Mapped[list[int]] = mapped_column(ARRAY(BigInteger))
    territory_ids: Mapped[list[int]] = mapped_column(ARRAY(BigInteger))
    approved_by: Mapped[int] = mapped_column(BigInteger, ForeignKey("operator.id"))
    recorded_at: Mapped[datetime] = moment(default_now=True)
