"""Tables: the trail of acts and reads. Append-only; ids only, never a citizen's words."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, text as sql
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.kernel.db import Base, moment, row_id, word


class AuditEntry(Base):
    """Somebody did or read something."""

    __tablename__ = "audit_entry"
    __table_args__ = (Index("ix_audit_entry_recorded_at", "recorded_at"),)

    id: Mapped[int] = row_id()
    operator_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("operator.id"))
    act: Mapped[str] = word()
    subject: Mapped[str] = word()
    subject_id: Mapped[int | None] = mapped_column(BigInteger)
    data: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=sql("'{}'"))
    recorded_at: Mapped[datetime] = moment(default_now=True)
