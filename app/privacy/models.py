"""Tables: requests to erase a person, and the key of the marks that stay of them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Index, LargeBinary, text as sql
from sqlalchemy.orm import Mapped, mapped_column

from app.kernel.db import Base, moment, row_id, word


class Erasure(Base):
    """Somebody asked that what is stored of them be erased. It waits while an appeal of theirs is open."""

    __tablename__ = "erasure"
    __table_args__ = (Index("ix_erasure_waiting", "id", postgresql_where=sql("done_at IS NULL")),)

    id: Mapped[int] = row_id()
    author_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("author.id"), index=True)
    reason: Mapped[str] = word()
    requested_by: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("operator.id"))
    requested_at: Mapped[datetime] = moment()
    done_at: Mapped[datetime | None] = moment(nullable=True)


class ErasureKey(Base):
    """One row: by it an erased person's id is recognised and not read. Only `otklik_author_mark` reads it."""

    __tablename__ = "erasure_key"

    key: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
