"""Tables: the trail of acts and reads, and its seals. Append-only; ids only, never a citizen's words."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ARRAY, BigInteger, CheckConstraint, ForeignKey, Index, LargeBinary, text as sql
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.kernel.db import Base, Xid8, moment, row_id, word


class AuditEntry(Base):
    """Somebody did or read something. `xid` is the transaction that wrote it: seals follow (xid, id), as feeds do."""

    __tablename__ = "audit_entry"
    __table_args__ = (
        Index("ix_audit_entry_feed", "xid", "id"),
        Index("ix_audit_entry_recorded_at", "recorded_at", "id"),
        Index("ix_audit_entry_operator_id", "operator_id", "recorded_at", "id"),
        Index("ix_audit_entry_act", "act", "recorded_at", "id"),
        Index("ix_audit_entry_subject", "subject", "subject_id", "recorded_at", "id", postgresql_where=sql("subject_id IS NOT NULL")),
        Index(
            "ix_audit_entry_listed",
            sql("(data -> 'ids')"),
            postgresql_using="gin",
            postgresql_where=sql("data ? 'ids'"),
        ),
    )

    id: Mapped[int] = row_id()
    xid: Mapped[int] = mapped_column(Xid8, server_default=sql("pg_current_xact_id()"))
    operator_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("operator.id"))
    act: Mapped[str] = word()
    subject: Mapped[str] = word()
    subject_id: Mapped[int | None] = mapped_column(BigInteger)
    data: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=sql("'{}'"))
    recorded_at: Mapped[datetime] = moment(default_now=True)


class AuditSeal(Base):
    """A link of the chain: which entries it holds (`ids` with their `digests`), and the hash of it all with the link before.

    (`upto_xid`, `upto_id`) is where the next one goes on; `top_id` the highest id so far. `floor_id`: after a restore into
    another cluster transactions are counted anew; ids up to there belong to the count before. `dropped_at`: the entries have
    gone after their term, the digests stay.
    """

    __tablename__ = "audit_seal"
    __table_args__ = (
        CheckConstraint("octet_length(digests) = 32 * cardinality(ids)", name="whole"),
        Index("ix_audit_seal_last_at", "last_at", postgresql_where=sql("dropped_at IS NULL")),
    )

    number: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    previous: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    hash: Mapped[bytes] = mapped_column(LargeBinary)
    upto_xid: Mapped[int] = mapped_column(Xid8)
    upto_id: Mapped[int] = mapped_column(BigInteger)
    floor_id: Mapped[int] = mapped_column(BigInteger)
    top_id: Mapped[int] = mapped_column(BigInteger)
    ids: Mapped[list[int]] = mapped_column(ARRAY(BigInteger))
    digests: Mapped[bytes] = mapped_column(LargeBinary)
    first_at: Mapped[datetime] = moment()
    last_at: Mapped[datetime] = moment()
    sealed_at: Mapped[datetime] = moment()
    dropped_at: Mapped[datetime | None] = moment(nullable=True)
