"""Private messages to a bot that is connected as a page: off until an administrator switches them on, since the law may forbid it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import text

from app.audit import service as audit
from app.kernel.errors import NotFoundError

if TYPE_CHECKING:
    from app.kernel.db import ReadSession, WriteSession


@dataclass(frozen=True, kw_only=True, slots=True)
class Bot:
    """A bot that is watched, and whether its private messages are heard."""

    id: int
    platform: str
    title: str
    link: str
    agency_name: str
    active: bool
    is_on: bool


async def bots(session: ReadSession) -> list[Bot]:
    """All of them, in the order in which they were connected."""
    rows = await session.execute(
        text(
            """
            SELECT g.id, g.platform, g.title, g.link, a.name AS agency_name, g.active,
              coalesce(g.options ->> 'private' = 'on', false) AS is_on
            FROM page g JOIN agency a ON a.id = g.agency_id WHERE g.options ->> 'dialogs' = 'yes' ORDER BY g.id
            """
        )
    )
    return [Bot(**row._mapping) for row in rows]  # noqa: SLF001 - SQLAlchemy's documented name


async def switch(session: WriteSession, *, operator_id: int, page_id: int, is_on: bool) -> None:
    """On or off; what is so already stays. What was written while it was off is not brought in. NotFoundError for no bot of ours."""
    known = await session.scalar(text("SELECT true FROM page WHERE id = :id AND options ->> 'dialogs' = 'yes'"), {"id": page_id})
    if not known:
        raise NotFoundError("private.unknown", "There is no such bot.")
    changed = await session.scalar(text("SELECT otklik_switch_private(:page, :on)"), {"page": page_id, "on": is_on})
    if changed:
        act = "private.switched_on" if is_on else "private.switched_off"
        await audit.record(session, operator_id=operator_id, act=act, subject="page", subject_id=page_id)
