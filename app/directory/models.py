"""Tables: where, who answers, about what, and the calendars they work by."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, Integer, UniqueConstraint, text as sql
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.kernel.db import Base, moment, row_id, word


class Territory(Base):
    """A place, inside another one. What is set for a territory holds below it until set again."""

    __tablename__ = "territory"

    id: Mapped[int] = row_id()
    parent_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("territory.id"), index=True)
    code: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str] = word()
    timezone: Mapped[str | None]


class Sphere(Base):
    """What kind of body a page belongs to: culture, education, health."""

    __tablename__ = "sphere"

    id: Mapped[int] = row_id()
    code: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str] = word()


class Agency(Base):
    """Who answers. `approval_required`: its answers, and those of all below it, are approved by another person first."""

    __tablename__ = "agency"

    id: Mapped[int] = row_id()
    parent_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("agency.id"), index=True)
    territory_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("territory.id"), index=True)
    code: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str] = word()
    approval_required: Mapped[bool] = mapped_column(server_default=sql("false"))


class Topic(Base):
    """What an appeal is about: group, topic, fact. `terms` are the words the keyword classifier looks for."""

    __tablename__ = "topic"

    id: Mapped[int] = row_id()
    parent_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("topic.id"), index=True)
    territory_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("territory.id"))
    code: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str] = word()
    weight: Mapped[int] = mapped_column(Integer, server_default=sql("1"))
    terms: Mapped[str] = mapped_column(server_default=sql("''"))


class CalendarVersion(Base):
    """The working hours of a territory from `valid_from` on; immutable, a change is a new version.

    `definition` is what `app.sla.calendar.to_json` gives. `operator_id` set it; empty when a command or the program did.
    """

    __tablename__ = "calendar_version"
    __table_args__ = (
        UniqueConstraint("territory_id", "agency_id", "version", postgresql_nulls_not_distinct=True),
        Index("ix_calendar_version_territory_id_valid_from", "territory_id", "valid_from"),
    )

    id: Mapped[int] = row_id()
    territory_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("territory.id"))
    agency_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("agency.id"))
    version: Mapped[int]
    definition: Mapped[dict[str, Any]] = mapped_column(JSONB)
    valid_from: Mapped[datetime] = moment()
    recorded_at: Mapped[datetime] = moment(default_now=True)
    operator_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("operator.id"))
