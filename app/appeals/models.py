"""Tables: appeals, their append-only history, who held them when."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, Integer, LargeBinary, Text, UniqueConstraint, text as sql
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.appeals.rules import OPEN, WAITING, Status
from app.kernel.db import Base, Xid8, moment, row_id, word

_WHERE_OPEN = f"status IN ({', '.join(sorted(repr(status.value) for status in OPEN))})"
_WHERE_WAITING = f"status IN ({', '.join(sorted(repr(status.value) for status in WAITING))})"


class Appeal(Base):
    """The citizen's matter. Written only by `app.appeals.service`, always with an event, under `version`.

    Its key while open: (page, post, root comment, author). `number` is what people say aloud: nine digits that
    tell nothing of how many there are. `written_at` is the citizen's own time, `opened_at` ours. `due_at` is the
    nearest running deadline (empty when none runs).
    """

    __tablename__ = "appeal"
    __table_args__ = (
        CheckConstraint(f"status IN ({', '.join(repr(status.value) for status in Status)})", name="status"),
        Index(
            "uq_appeal_open_key", "page_id", "post_id", "root_external_id", "author_id",
            unique=True, postgresql_where=sql(_WHERE_OPEN),
        ),
        Index("ix_appeal_key", "post_id", "root_external_id", "author_id"),
        Index("ix_appeal_queue", "due_at", "id", postgresql_where=sql(_WHERE_WAITING)),
        Index("ix_appeal_agency_queue", "agency_id", "due_at", "id", postgresql_where=sql(_WHERE_WAITING)),
        Index("ix_appeal_operator_queue", "operator_id", "due_at", "id", postgresql_where=sql(_WHERE_WAITING)),
        Index("ix_appeal_agency_id_id", "agency_id", "id"),
        Index("ix_appeal_territory_id_id", "territory_id", "id"),
        Index("ix_appeal_author_id", "author_id"),
        Index("ix_appeal_written_at", "written_at"),
        Index("ix_appeal_merged_into", "merged_into", postgresql_where=sql("merged_into IS NOT NULL")),
    )  # fmt: skip

    id: Mapped[int] = row_id()
    number: Mapped[int] = mapped_column(BigInteger, unique=True, server_default=sql("otklik_appeal_number(nextval('appeal_number_seq'))"))
    source: Mapped[str] = word()
    platform: Mapped[str] = word()
    page_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("page.id"))
    post_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("post.id"))
    root_external_id: Mapped[str | None]
    author_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("author.id"))
    comment_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("comment.id", use_alter=True))
    status: Mapped[str] = word()
    agency_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("agency.id"))
    territory_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("territory.id"))
    topic_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("topic.id"))
    operator_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("operator.id"))
    priority: Mapped[str] = mapped_column(server_default=sql("'ordinary'"))
    cycle: Mapped[int] = mapped_column(Integer, server_default=sql("1"))
    version: Mapped[int] = mapped_column(Integer, server_default=sql("1"))
    written_at: Mapped[datetime] = moment()
    opened_at: Mapped[datetime] = moment()
    due_at: Mapped[datetime | None] = moment(nullable=True)
    touched_at: Mapped[datetime] = moment()
    answered_at: Mapped[datetime | None] = moment(nullable=True)
    closed_at: Mapped[datetime | None] = moment(nullable=True)
    close_reason: Mapped[str | None]
    merged_into: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("appeal.id"))


class AppealText(Base):
    """The words of an appeal that was taken down by hand or by another system: erasable, like a comment's."""

    __tablename__ = "appeal_text"
    __table_args__ = (
        Index("ix_appeal_text_link", "link", postgresql_using="hash", postgresql_where=sql("link IS NOT NULL")),  # a link may be long
    )

    appeal_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("appeal.id"), primary_key=True, autoincrement=False)
    text: Mapped[str] = mapped_column(Text)
    author_name: Mapped[str | None]
    link: Mapped[str | None]


class AppealEvent(Base):
    """One thing that happened. Append-only: a trigger refuses UPDATE and DELETE. `data` holds ids and codes only.

    `xid` is the transaction that wrote it: feeds resume by (xid, id) below the oldest running transaction,
    since identity numbers alone commit out of order.
    """

    __tablename__ = "appeal_event"
    __table_args__ = (
        Index("ix_appeal_event_appeal_id", "appeal_id", "id"),
        Index("ix_appeal_event_feed", "xid", "id"),
        Index("ix_appeal_event_recorded_at", "recorded_at", postgresql_using="brin"),
        Index("ix_appeal_event_reopened", "occurred_at", postgresql_where=sql("act = 'reopened'")),
    )

    id: Mapped[int] = row_id()
    xid: Mapped[int] = mapped_column(Xid8, server_default=sql("pg_current_xact_id()"))
    appeal_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("appeal.id"))
    act: Mapped[str] = word()
    cycle: Mapped[int] = mapped_column(Integer)
    operator_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("operator.id"))
    occurred_at: Mapped[datetime] = moment()
    recorded_at: Mapped[datetime] = moment(default_now=True)
    data: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=sql("'{}'"))


class AppealAssignment(Base):
    """Who held an appeal, from when to when. A former agency keeps its own period readable."""

    __tablename__ = "appeal_assignment"
    __table_args__ = (
        Index("ix_appeal_assignment_appeal_id", "appeal_id", "id"),
        Index("ix_appeal_assignment_agency_id", "agency_id", postgresql_where=sql("until IS NOT NULL")),
        Index("uq_appeal_assignment_current", "appeal_id", unique=True, postgresql_where=sql("until IS NULL")),
    )

    id: Mapped[int] = row_id()
    appeal_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("appeal.id"))
    agency_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("agency.id"))
    operator_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("operator.id"))
    since: Mapped[datetime] = moment()
    until: Mapped[datetime | None] = moment(nullable=True)


class AppealNote(Base):
    """What colleagues tell each other; the citizen never sees it."""

    __tablename__ = "appeal_note"

    id: Mapped[int] = row_id()
    appeal_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("appeal.id"), index=True)
    operator_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("operator.id"))
    text: Mapped[str] = word()
    recorded_at: Mapped[datetime] = moment(default_now=True)


class IdempotencyKey(Base):
    """A request of the API that was already done: the same key answers the same, another body is refused."""

    __tablename__ = "idempotency_key"
    __table_args__ = (UniqueConstraint("operator_id", "key"),)

    id: Mapped[int] = row_id()
    operator_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("operator.id"))
    key: Mapped[str] = word()
    request_hash: Mapped[bytes] = mapped_column(LargeBinary)
    appeal_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("appeal.id"))
    reply_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("reply.id"))
    recorded_at: Mapped[datetime] = moment(default_now=True)


class AppealOrigin(Base):
    """The row of another system from which an appeal was brought in, as it was: erasable with the words in it.

    What has a place of its own here was put there; the rest is kept only here, and nothing was dropped.
    """

    __tablename__ = "appeal_origin"
    __table_args__ = (UniqueConstraint("system", "external_id"), Index("ix_appeal_origin_appeal_id", "appeal_id"))

    id: Mapped[int] = row_id()
    appeal_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("appeal.id"))
    system: Mapped[str] = word()
    external_id: Mapped[str] = word()
    cells: Mapped[dict[str, Any]] = mapped_column(JSONB)
    recorded_at: Mapped[datetime] = moment(default_now=True)
