"""Tables: answers. The table is the outbox: a job only wakes the worker."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    String,
    UniqueConstraint,
    Uuid,
    text as sql,
)
from sqlalchemy.orm import Mapped, mapped_column

from app.kernel.db import Base, moment, row_id, word
from app.replies.amending import AMENDMENT_OPEN, AMENDMENT_TROUBLE, AmendmentState, Change
from app.replies.rules import NEEDS_A_PERSON, AnswerKind, ReplyState

_TROUBLE = ", ".join(repr(state.value) for state in ReplyState if state in NEEDS_A_PERSON)


class Reply(Base):
    """An answer to a comment. `guid` is the same for all attempts; `by_hand`: found on the platform, not sent by us.

    `comment_revision` is the form of the comment that the operator read when answering. `page_id` is the comment's page: the
    database sets it, and refuses a comment that is not a citizen's in the thread of this very appeal.
    `approved_by` let it go out last: its author, whoever approved it or decided to send it again; `limit_waived`: a person let
    it pass the limits.
    An `interim` answer promises a final one, which has a clock of its own.
    """

    __tablename__ = "reply"
    __table_args__ = (
        CheckConstraint(f"state IN ({', '.join(repr(state.value) for state in ReplyState)})", name="state"),
        CheckConstraint(f"kind IN ({', '.join(repr(kind.value) for kind in AnswerKind)})", name="kind"),
        Index("ix_reply_due_at", "due_at", postgresql_where=sql("state = 'queued'")),
        Index("ix_reply_leased_until", "leased_until", postgresql_where=sql("state = 'sending'")),
        Index("ix_reply_appeal_id", "appeal_id"),
        Index("ix_reply_trouble", "id", postgresql_where=sql(f"state IN ({_TROUBLE})")),
        Index("ix_reply_operator_tried", "operator_id", "first_tried_at", postgresql_where=sql("first_tried_at IS NOT NULL")),
        Index("ix_reply_page_tried", "page_id", "first_tried_at", postgresql_where=sql("first_tried_at IS NOT NULL")),
    )

    id: Mapped[int] = row_id()
    appeal_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("appeal.id"))
    comment_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("comment.id"))
    comment_revision: Mapped[int | None] = mapped_column(Integer)
    page_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("page.id"))
    cycle: Mapped[int] = mapped_column(Integer)
    operator_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("operator.id"))
    agency_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("agency.id"))
    approved_by: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("operator.id"))
    limit_waived: Mapped[bool] = mapped_column(server_default=sql("false"))
    kind: Mapped[str] = mapped_column(server_default=sql("'final'"))
    by_hand: Mapped[bool] = mapped_column(server_default=sql("false"))
    text: Mapped[str] = word()
    guid: Mapped[UUID] = mapped_column(Uuid, server_default=sql("gen_random_uuid()"))
    state: Mapped[str] = word()
    created_at: Mapped[datetime] = moment(default_now=True)
    due_at: Mapped[datetime] = moment(default_now=True)
    attempts: Mapped[int] = mapped_column(Integer, server_default=sql("0"))
    first_tried_at: Mapped[datetime | None] = moment(nullable=True)
    leased_by: Mapped[str | None]
    leased_until: Mapped[datetime | None] = moment(nullable=True)
    error_code: Mapped[str | None]
    error_detail: Mapped[str | None]
    external_id: Mapped[str | None]
    link: Mapped[str | None]
    published_at: Mapped[datetime | None] = moment(nullable=True)
    parts: Mapped[list[str]] = mapped_column(ARRAY(String), server_default=sql("'{}'"))
    """The platform's own numbers of what belongs to it besides: the messages of an album."""


class ReplyPicture(Base):
    """A picture of an answer, drawn anew when it came; without an answer yet it is its operator's alone, for a day.

    `content` and `digest` (SHA-256) are empty once it was erased.
    """

    __tablename__ = "reply_picture"
    __table_args__ = (
        UniqueConstraint("reply_id", "place"),
        Index("ix_reply_picture_loose", "operator_id", "created_at", postgresql_where=sql("reply_id IS NULL")),
    )

    id: Mapped[int] = row_id()
    operator_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("operator.id"))
    reply_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("reply.id"))
    place: Mapped[int] = mapped_column(SmallInteger, server_default=sql("0"))
    content: Mapped[bytes | None] = mapped_column(LargeBinary)
    digest: Mapped[bytes | None] = mapped_column(LargeBinary)
    size: Mapped[int] = mapped_column(Integer)
    width: Mapped[int] = mapped_column(Integer)
    height: Mapped[int] = mapped_column(Integer)
    created_at: Mapped[datetime] = moment()


_CHANGE_OPEN = ", ".join(repr(state.value) for state in AmendmentState if state in AMENDMENT_OPEN)
_CHANGE_TROUBLE = ", ".join(repr(state.value) for state in AmendmentState if state in AMENDMENT_TROUBLE)


class Amendment(Base):
    """Something that is done to an answer of ours that stands: `text` is put in its place, it is taken away, or its pictures follow.

    `text_before` is what stood there; `reason` is for colleagues. The database binds it to an answer that stands, and fills
    in whose appeal, page and agency that is.
    """

    __tablename__ = "amendment"
    __table_args__ = (
        CheckConstraint(f"change IN ({', '.join(repr(change.value) for change in Change)})", name="change"),
        CheckConstraint(f"state IN ({', '.join(repr(state.value) for state in AmendmentState)})", name="state"),
        Index("uq_amendment_open", "reply_id", unique=True, postgresql_where=sql(f"state IN ({_CHANGE_OPEN})")),
        Index("ix_amendment_appeal_id", "appeal_id"),
        Index("ix_amendment_due_at", "due_at", postgresql_where=sql("state = 'queued'")),
        Index("ix_amendment_leased_until", "leased_until", postgresql_where=sql("state = 'sending'")),
        Index("ix_amendment_trouble", "id", postgresql_where=sql(f"state IN ({_CHANGE_TROUBLE})")),
        Index("ix_amendment_operator_tried", "operator_id", "first_tried_at", postgresql_where=sql("first_tried_at IS NOT NULL")),
        Index("ix_amendment_page_tried", "page_id", "first_tried_at", postgresql_where=sql("first_tried_at IS NOT NULL")),
    )

    id: Mapped[int] = row_id()
    reply_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("reply.id"))
    appeal_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("appeal.id"))
    page_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("page.id"))
    operator_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("operator.id"))
    agency_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("agency.id"))
    approved_by: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("operator.id"))
    limit_waived: Mapped[bool] = mapped_column(server_default=sql("false"))
    change: Mapped[str] = word()
    text: Mapped[str] = word()
    text_before: Mapped[str] = word()
    reason: Mapped[str] = word()
    state: Mapped[str] = word()
    created_at: Mapped[datetime] = moment(default_now=True)
    due_at: Mapped[datetime] = moment(default_now=True)
    attempts: Mapped[int] = mapped_column(Integer, server_default=sql("0"))
    first_tried_at: Mapped[datetime | None] = moment(nullable=True)
    leased_by: Mapped[str | None]
    leased_until: Mapped[datetime | None] = moment(nullable=True)
    error_code: Mapped[str | None]
    error_detail: Mapped[str | None]
    done_at: Mapped[datetime | None] = moment(nullable=True)


class PublishingStop(Base):
    """Nothing goes out to a page, in the name of an agency with its children, or - both empty - anywhere, until released."""

    __tablename__ = "publishing_stop"
    __table_args__ = (
        CheckConstraint("page_id IS NULL OR agency_id IS NULL", name="one_scope"),
        Index(
            "ix_publishing_stop_standing",
            "page_id",
            "agency_id",
            unique=True,
            postgresql_nulls_not_distinct=True,
            postgresql_where=sql("released_at IS NULL"),
        ),
        Index("ix_publishing_stop_stopped_at", "stopped_at"),
    )

    id: Mapped[int] = row_id()
    page_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("page.id"))
    agency_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("agency.id"))
    reason: Mapped[str] = word()
    stopped_by: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("operator.id"))
    stopped_at: Mapped[datetime] = moment(default_now=True)
    released_by: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("operator.id"))
    released_at: Mapped[datetime | None] = moment(nullable=True)
