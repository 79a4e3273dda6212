"""Tables: who is told what. `key` is unique, so each is told once."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, Integer, LargeBinary, UniqueConstraint, Uuid, text as sql
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.kernel.db import Base, Xid8, moment, row_id, word
from app.notices.rules import Kind


class Notice(Base):
    """A warning or a breach, shown on the screens of those who hold the matter until it is settled.

    Of an appeal: its timer and the appeal; of a comment that waits in triage: the comment. `agency_id` and
    `territory_id` say who holds it and follow the appeal when it is handed on. `settled_at`: the timer stopped, the
    comment was decided, or a later notice of the same deadline stands in its place.
    """

    __tablename__ = "notice"
    __table_args__ = (
        CheckConstraint(f"kind IN ({', '.join(repr(kind.value) for kind in Kind)})", name="kind"),
        CheckConstraint("(appeal_id IS NULL) = (timer_id IS NULL) AND (appeal_id IS NULL) <> (comment_id IS NULL)", name="one_subject"),
        Index("ix_notice_agency_id", "agency_id", "id", postgresql_where=sql("settled_at IS NULL")),
        Index("ix_notice_comment_id", "comment_id", postgresql_where=sql("settled_at IS NULL AND comment_id IS NOT NULL")),
    )

    id: Mapped[int] = row_id()
    key: Mapped[str] = mapped_column(unique=True)
    kind: Mapped[str] = word()
    appeal_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("appeal.id"), index=True)
    timer_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("sla_timer.id"))
    comment_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("comment.id"))
    agency_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("agency.id"))
    territory_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("territory.id"))
    occurred_at: Mapped[datetime] = moment()
    recorded_at: Mapped[datetime] = moment(default_now=True)
    settled_at: Mapped[datetime | None] = moment(nullable=True)


class WebhookTarget(Base):
    """An address that is told what happens to appeals: of an agency or a territory with its children, or - both empty - of all.

    `after_xid` and `after_id`: how far the history has been looked at for it.
    """

    __tablename__ = "webhook_target"
    __table_args__ = (CheckConstraint("agency_id IS NULL OR territory_id IS NULL", name="one_scope"),)

    id: Mapped[int] = row_id()
    name: Mapped[str] = word()
    url: Mapped[str] = word()
    secret: Mapped[bytes] = mapped_column(LargeBinary)
    kinds: Mapped[list[Any]] = mapped_column(JSONB)
    agency_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("agency.id"))
    territory_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("territory.id"))
    after_xid: Mapped[int] = mapped_column(Xid8, server_default=sql("pg_snapshot_xmax(pg_current_snapshot())"))
    after_id: Mapped[int] = mapped_column(BigInteger, server_default=sql("0"))
    created_at: Mapped[datetime] = moment(default_now=True)
    revoked_at: Mapped[datetime | None] = moment(nullable=True)


class WebhookDelivery(Base):
    """One thing to tell one target, once; `guid`, `data` and `occurred_at` are the same for every attempt. A test is of no event."""

    __tablename__ = "webhook_delivery"
    __table_args__ = (
        UniqueConstraint("target_id", "appeal_event_id"),
        CheckConstraint("state IN ('waiting', 'sending', 'delivered', 'failed')", name="state"),
        CheckConstraint("(kind = 'test') = (appeal_event_id IS NULL)", name="of_an_event"),
        Index("ix_webhook_delivery_due_at", "due_at", postgresql_where=sql("state = 'waiting'")),
        Index("ix_webhook_delivery_leased_until", "leased_until", postgresql_where=sql("state = 'sending'")),
    )

    id: Mapped[int] = row_id()
    target_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("webhook_target.id"))
    appeal_event_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("appeal_event.id"))
    kind: Mapped[str] = word()
    data: Mapped[dict[str, Any]] = mapped_column(JSONB)
    occurred_at: Mapped[datetime] = moment()
    guid: Mapped[UUID] = mapped_column(Uuid, server_default=sql("gen_random_uuid()"))
    state: Mapped[str] = word()
    attempts: Mapped[int] = mapped_column(Integer, server_default=sql("0"))
    due_at: Mapped[datetime] = moment(default_now=True)
    leased_by: Mapped[str | None]
    leased_until: Mapped[datetime | None] = moment(nullable=True)
    created_at: Mapped[datetime] = moment(default_now=True)
    settled_at: Mapped[datetime | None] = moment(nullable=True)


class WebhookAttempt(Base):
    """What is known of one attempt; append-only."""

    __tablename__ = "webhook_attempt"
    __table_args__ = (
        CheckConstraint("outcome IN ('delivered', 'refused', 'not_sent', 'unknown')", name="outcome"),
        Index("ix_webhook_attempt_delivery_id", "delivery_id"),
    )

    id: Mapped[int] = row_id()
    delivery_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("webhook_delivery.id"))
    at: Mapped[datetime] = moment()
    outcome: Mapped[str] = word()
    status: Mapped[int | None] = mapped_column(Integer)
    detail: Mapped[str] = mapped_column(server_default=sql("''"))
