"""Tables: who is told what. `key` is unique, so each is told once."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Index, text as sql
from sqlalchemy.orm import Mapped, mapped_column

from app.kernel.db import Base, moment, row_id, word


class Notice(Base):
    """A warning or a breach, shown on the screens of those who hold the matter."""

    __tablename__ = "notice"
    __table_args__ = (
        Index("ix_notice_agency_id", "agency_id", "id", postgresql_where=sql("settled_at IS NULL")),
    )

    id: Mapped[int] = row_id()
    key: Mapped[str] = mapped_column(unique=True)
    kind: Mapped[str] = word()
    appeal_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("appeal.id"), index=True)
    comment_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("comment.id"))
    agency_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("agency.id"))
    territory_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("territory.id"))
    occurred_at: Mapped[datetime] = moment()
    recorded_at: Mapped[datetime] = moment(default_now=True)
    settled_at: Mapped[datetime | None] = moment(nullable=True)
