"""Tables: what triage decided, and the rules of routing."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import REAL, BigInteger, Boolean, ForeignKey, Index, UniqueConstraint, text as sql
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.kernel.db import Base, moment, row_id, word


class Verdict(Base):
    """What triage decided about a comment, how sure it was and why. A correction is a newer row by an operator."""

    __tablename__ = "verdict"
    __table_args__ = (Index("ix_verdict_comment_id", "comment_id", "id"),)

    id: Mapped[int] = row_id()
    comment_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("comment.id"))
    operator_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("operator.id"))
    classifier: Mapped[str] = word()
    version: Mapped[str] = word()
    kind: Mapped[str] = word()
    is_appeal: Mapped[bool | None] = mapped_column(Boolean)
    topic_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("topic.id"))
    confidence: Mapped[float] = mapped_column(REAL)
    scores: Mapped[dict[str, float]] = mapped_column(JSONB, server_default=sql("'{}'"))
    reasons: Mapped[list[Any]] = mapped_column(JSONB, server_default=sql("'[]'"))
    agency_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("agency.id"))
    rule_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("routing_rule.id"))
    route_reason: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=sql("'{}'"))
    recorded_at: Mapped[datetime] = moment(default_now=True)


class RoutingRule(Base):
    """page × territory × topic → agency; an empty column means any, an empty agency the page's own.

    Retired, never deleted: verdicts name it.
    """

    __tablename__ = "routing_rule"
    __table_args__ = (UniqueConstraint("page_id", "territory_id", "topic_id", "retired_at", postgresql_nulls_not_distinct=True),)

    id: Mapped[int] = row_id()
    page_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("page.id"))
    territory_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("territory.id"))
    topic_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("topic.id"))
    agency_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("agency.id"))
    comment: Mapped[str] = mapped_column(server_default=sql("''"))
    created_at: Mapped[datetime] = moment(default_now=True)
    retired_at: Mapped[datetime | None] = moment(nullable=True)
