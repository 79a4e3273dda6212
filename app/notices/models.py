"""Tables: who is told what. `key` is unique, so each is told once."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, text as sql
from sqlalchemy.orm import Mapped, mapped_column

from app.kernel.db import Base, moment, row_id, word
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
