"""Tables: promises and running deadlines."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, Integer, UniqueConstraint, text as sql
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.kernel.db import Base, moment, row_id, word


class SlaPolicyVersion(Base):
    """An immutable version of a policy. `promises`: {promise: {"seconds": n, "working": bool}}; `warn_shares`: [0.5, 0.8].

    The newest version of a code that is in force at a moment counts; empty columns mean any.
    """

    __tablename__ = "sla_policy_version"
    __table_args__ = (UniqueConstraint("code", "version"),)

    id: Mapped[int] = row_id()
    code: Mapped[str] = word()
    version: Mapped[int] = mapped_column(Integer)
    name: Mapped[str] = word()
    topic_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("topic.id"))
    agency_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("agency.id"))
    territory_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("territory.id"))
    platform: Mapped[str | None]
    priority: Mapped[str | None]
    promises: Mapped[dict[str, Any]] = mapped_column(JSONB)
    warn_shares: Mapped[list[Any]] = mapped_column(JSONB, server_default=sql("'[0.5, 0.8]'"))
    valid_from: Mapped[datetime] = moment()
    valid_until: Mapped[datetime | None] = moment(nullable=True)
    recorded_at: Mapped[datetime] = moment(default_now=True)


class SlaTimer(Base):
    """One running deadline: an appeal, a cycle, a promise.

    `started_at` is the citizen's time, `stopped_at` the platform's publish time. `due_at` is the deadline as it stands:
    whoever ends a pause moves it. `warn_at` is the next warning still to give; empty when there is none. `breached_at`
    is set when the deadline passed while it ran. Without `calendar_version_id` working time is plain time.
    """

    __tablename__ = "sla_timer"
    __table_args__ = (
        UniqueConstraint("appeal_id", "cycle", "promise"),
        Index("ix_sla_timer_warn_at", "warn_at", postgresql_where=sql("stopped_at IS NULL AND warn_at IS NOT NULL")),
        Index("ix_sla_timer_recorded_at", "recorded_at", postgresql_using="brin"),
        Index("ix_sla_timer_due_at", "due_at", postgresql_where=sql("stopped_at IS NULL AND breached_at IS NULL")),
        Index("ix_sla_timer_started_at", "started_at", postgresql_where=sql("promise = 'first_answer'")),
    )

    id: Mapped[int] = row_id()
    appeal_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("appeal.id"))
    cycle: Mapped[int] = mapped_column(Integer)
    promise: Mapped[str] = word()
    policy_version_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("sla_policy_version.id"))
    calendar_version_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("calendar_version.id"))
    choice: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=sql("'{}'"))
    term: Mapped[dict[str, Any]] = mapped_column(JSONB)
    started_at: Mapped[datetime] = moment()
    recorded_at: Mapped[datetime] = moment(default_now=True)
    due_at: Mapped[datetime] = moment()
    warnings: Mapped[list[Any]] = mapped_column(JSONB, server_default=sql("'[]'"))
    warn_at: Mapped[datetime | None] = moment(nullable=True)
    breached_at: Mapped[datetime | None] = moment(nullable=True)
    stopped_at: Mapped[datetime | None] = moment(nullable=True)
    outcome: Mapped[str | None]
    agency_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("agency.id"))
    elapsed_seconds: Mapped[int | None] = mapped_column(Integer)
    working_seconds: Mapped[int | None] = mapped_column(Integer)


class SlaPause(Base):
    """A span in which an appeal's clock stood still, and why; at most one is open."""

    __tablename__ = "sla_pause"
    __table_args__ = (
        CheckConstraint("until >= since", name="order"),
        Index("uq_sla_pause_open", "appeal_id", unique=True, postgresql_where=sql("until IS NULL")),
    )

    id: Mapped[int] = row_id()
    appeal_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("appeal.id"), index=True)
    since: Mapped[datetime] = moment()
    until: Mapped[datetime | None] = moment(nullable=True)
    reason: Mapped[str] = word()
    operator_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("operator.id"))


class SlaExtension(Base):
    """A deadline that a coordinator put off, and why: the one before stays readable. Append-only."""

    __tablename__ = "sla_extension"
    __table_args__ = (CheckConstraint("due_after > due_before", name="order"),)

    id: Mapped[int] = row_id()
    appeal_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("appeal.id"), index=True)
    timer_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("sla_timer.id"))
    due_before: Mapped[datetime] = moment()
    due_after: Mapped[datetime] = moment()
    reason: Mapped[str] = word()
    operator_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("operator.id"))
    recorded_at: Mapped[datetime] = moment(default_now=True)
