"""Tables: pictures that the worker fetched, for a while."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, LargeBinary, SmallInteger, UniqueConstraint, text as sql
from sqlalchemy.orm import Mapped, mapped_column

from app.kernel.db import Base, moment, row_id, word


class Picture(Base):
    """A picture of a comment or a post, made anew by the worker; `wanted` until it has looked. It is kept for some days at most."""

    __tablename__ = "picture"
    __table_args__ = (
        CheckConstraint("(comment_id IS NULL) <> (post_id IS NULL)", name="one_subject"),
        CheckConstraint("state IN ('wanted', 'there', 'refused')", name="state"),
        UniqueConstraint("comment_id", "post_id", "place", postgresql_nulls_not_distinct=True),
        Index("ix_picture_asked_at", "asked_at"),
    )

    id: Mapped[int] = row_id()
    comment_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("comment.id"))
    post_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("post.id"))
    place: Mapped[int] = mapped_column(SmallInteger)
    state: Mapped[str] = word()
    asked_at: Mapped[datetime] = moment()
    content: Mapped[bytes | None] = mapped_column(LargeBinary)
    size: Mapped[int] = mapped_column(BigInteger, server_default=sql("0"))
