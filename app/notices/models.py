"""Tables: who is told what. `key` is unique, so each is told once."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    UniqueConstraint,
    Uuid,
    text as sql,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.kernel.db import Base, Xid8, moment, row_id, word
from app.notices.rules import Kind


class Notice(Base):
    """A warning or a breach, shown on the screens of those who hold the matter until it is settled.

    Of an appeal: its timer and the appeal; of a comment that waits in triage: the comment. `agency_id` and
    `territory_id` say who holds it and follow the appeal when it is handed on. `settled_at`: the timer stopped, the
    comment was decided, or a later notice of the same deadline stands in its place. `share`: of the term, in percent.
    `stage_at`: when somebody is next to be told of it outside; `stage`: the seconds after it that were seen to last
    (-1: none); `escalated_to`: the role that was given a notice last since nobody had answered.
    """

    __tablename__ = "notice"
    __table_args__ = (
        CheckConstraint(f"kind IN ({', '.join(repr(kind.value) for kind in Kind)})", name="kind"),
        CheckConstraint("(appeal_id IS NULL) = (timer_id IS NULL) AND (appeal_id IS NULL) <> (comment_id IS NULL)", name="one_subject"),
        Index("ix_notice_agency_id", "agency_id", "id", postgresql_where=sql("settled_at IS NULL")),
        Index("ix_notice_comment_id", "comment_id", postgresql_where=sql("settled_at IS NULL AND comment_id IS NOT NULL")),
        Index("ix_notice_stage_at", "stage_at", postgresql_where=sql("settled_at IS NULL AND stage_at IS NOT NULL")),
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
    share: Mapped[int | None] = mapped_column(Integer)
    stage_at: Mapped[datetime | None] = moment(nullable=True)
    stage: Mapped[int] = mapped_column(Integer, server_default=sql("-1"))
    escalated_to: Mapped[str | None]


class NoticeRule(Base):
    """Who is told outside, when, by which carriers: from a share of the term on (percent), or so long after it has passed.

    Of an agency or a territory with its children, or - both empty - of all. A rule is never changed: it ends, and another
    one stands in its place.
    """

    __tablename__ = "notice_rule"
    __table_args__ = (
        CheckConstraint("role IN ('operator', 'coordinator', 'supervisor')", name="role"),
        CheckConstraint("(share IS NULL) <> (after_seconds IS NULL) AND share BETWEEN 1 AND 99 OR after_seconds >= 0", name="moment"),
        CheckConstraint("agency_id IS NULL OR territory_id IS NULL", name="one_scope"),
    )

    id: Mapped[int] = row_id()
    role: Mapped[str] = word()
    share: Mapped[int | None] = mapped_column(Integer)
    after_seconds: Mapped[int | None] = mapped_column(Integer)
    carriers: Mapped[list[Any]] = mapped_column(JSONB)
    created_at: Mapped[datetime] = moment(default_now=True)
    ended_at: Mapped[datetime | None] = moment(nullable=True)
    agency_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("agency.id"))
    territory_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("territory.id"))


class NoticeAddress(Base):
    """Where a person wants to be told besides the screen. Used once `proved_at`: they typed the code that was sent to it.

    Of the code only a hash is kept. `secret` signs what goes to a webhook; sealed with the worker's vault.
    """

    __tablename__ = "notice_address"
    __table_args__ = (
        CheckConstraint("carrier IN ('email', 'telegram', 'max', 'webhook')", name="carrier"),
        Index("uq_notice_address_in_use", "operator_id", "carrier", unique=True, postgresql_where=sql("ended_at IS NULL")),
    )

    id: Mapped[int] = row_id()
    operator_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("operator.id"))
    carrier: Mapped[str] = word()
    address: Mapped[str] = word()
    secret: Mapped[bytes | None] = mapped_column(LargeBinary)
    code_hash: Mapped[bytes | None] = mapped_column(LargeBinary)
    code_until: Mapped[datetime | None] = moment(nullable=True)
    code_tries: Mapped[int] = mapped_column(Integer, server_default=sql("0"))
    created_at: Mapped[datetime] = moment(default_now=True)
    proved_at: Mapped[datetime | None] = moment(nullable=True)
    ended_at: Mapped[datetime | None] = moment(nullable=True)


class NoticeHours(Base):
    """A person's own hours for carriers outside: days of the week (1 Monday … 7), minutes of the day, `closes` may be the next day's.

    Who has no row is told at any time. `breach_any_time`: that a deadline has passed is told at once nevertheless.
    """

    __tablename__ = "notice_hours"
    __table_args__ = (CheckConstraint("opens BETWEEN 0 AND 1439 AND closes BETWEEN 1 AND 1440 AND opens <> closes", name="minutes"),)

    operator_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("operator.id"), primary_key=True, autoincrement=False)
    days: Mapped[list[Any]] = mapped_column(JSONB)
    opens: Mapped[int] = mapped_column(Integer)
    closes: Mapped[int] = mapped_column(Integer)
    timezone: Mapped[str] = word()
    breach_any_time: Mapped[bool] = mapped_column(Boolean)


class NoticeLetter(Base):
    """What goes out as one: a notice, a digest of several, or a code that proves an address. `guid` is the same for every attempt.

    `unknown`: it may have arrived; it is not sent again unless an administrator says so. `void`: nothing in it was true any more.
    """

    __tablename__ = "notice_letter"
    __table_args__ = (
        CheckConstraint("kind IN ('single', 'digest', 'code')", name="kind"),
        CheckConstraint("state IN ('waiting', 'sending', 'delivered', 'failed', 'unknown', 'void')", name="state"),
        Index("ix_notice_letter_due_at", "due_at", postgresql_where=sql("state = 'waiting'")),
        Index("ix_notice_letter_leased_until", "leased_until", postgresql_where=sql("state = 'sending'")),
        Index("ix_notice_letter_address_id", "address_id", "created_at"),
        Index("ix_notice_letter_trouble", "id", postgresql_where=sql("state IN ('failed', 'unknown')")),
        Index("ix_notice_letter_settled_at", "settled_at", postgresql_where=sql("settled_at IS NOT NULL")),
    )

    id: Mapped[int] = row_id()
    operator_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("operator.id"))
    address_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("notice_address.id"))
    carrier: Mapped[str] = word()
    kind: Mapped[str] = word()
    guid: Mapped[UUID] = mapped_column(Uuid, server_default=sql("gen_random_uuid()"))
    state: Mapped[str] = mapped_column(server_default=sql("'waiting'"))
    attempts: Mapped[int] = mapped_column(Integer, server_default=sql("0"))
    detail: Mapped[str] = mapped_column(server_default=sql("''"))
    due_at: Mapped[datetime] = moment(default_now=True)
    leased_by: Mapped[str | None]
    leased_until: Mapped[datetime | None] = moment(nullable=True)
    created_at: Mapped[datetime] = moment(default_now=True)
    settled_at: Mapped[datetime | None] = moment(nullable=True)


class NoticeDelivery(Base):
    """One notice at one stage for one person by one carrier. It goes into one message, or is void when it is true no more."""

    __tablename__ = "notice_delivery"
    __table_args__ = (
        UniqueConstraint("notice_id", "stage", "address_id"),
        CheckConstraint("letter_id IS NULL OR void_at IS NULL", name="one_end"),
        Index("ix_notice_delivery_due_at", "due_at", postgresql_where=sql("letter_id IS NULL AND void_at IS NULL")),
    )

    id: Mapped[int] = row_id()
    notice_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("notice.id", ondelete="CASCADE"))
    stage: Mapped[int] = mapped_column(Integer)
    operator_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("operator.id"))
    address_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("notice_address.id"))
    letter_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("notice_letter.id", ondelete="CASCADE"), index=True)
    due_at: Mapped[datetime] = moment(default_now=True)
    created_at: Mapped[datetime] = moment(default_now=True)
    void_at: Mapped[datetime | None] = moment(nullable=True)


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
