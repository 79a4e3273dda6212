"""`otklik appeals …`: what an appeal was at a past moment, told by its history alone."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer
from sqlalchemy import text

from app.appeals.filters import parse_number
from app.appeals.past import Told, rebuilt
from app.appeals.rules import Act
from app.audit import service as audit
from app.cli import show
from app.cli.owner import owner, run
from app.kernel.errors import InvalidError, NotFoundError

if TYPE_CHECKING:
    from app.appeals.past import Past
    from app.kernel.db import ReadSession

appeals = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Appeals, as their history tells them.")
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]

_EVENTS = text("SELECT e.act, e.cycle, e.operator_id, e.recorded_at, e.data FROM appeal_event e WHERE e.appeal_id = :id ORDER BY e.id")
_NAMES = text(
    """
    SELECT (SELECT code FROM agency WHERE id = :agency) AS agency, (SELECT code FROM territory WHERE id = :territory) AS territory,
      (SELECT code FROM topic WHERE id = :topic) AS topic, (SELECT login FROM operator WHERE id = :operator) AS operator,
      (SELECT number FROM appeal WHERE id = :into) AS merged_into
    """
)


@appeals.callback()
def group() -> None:
    """Appeals, as their history tells them."""


@appeals.command("at")
def at(
    number: Annotated[str, typer.Argument(help="Number of the appeal.")],
    moment: Annotated[str, typer.Argument(help="Moment with its time zone, such as 2026-11-17T12:00+03:00.")],
    *,
    json: Json = False,
) -> None:
    """What was recorded of an appeal by a moment: its state, who held it, what it was about."""
    when = _moment(moment)

    async def work() -> dict[str, Any]:
        async with owner() as administrator, administrator.database.write() as session:
            found = await session.scalar(text("SELECT id FROM appeal WHERE number = :number"), {"number": parse_number(number)})
            if found is None:
                raise NotFoundError("appeal.unknown", f"There is no appeal {number}.")
            await audit.record(session, operator_id=None, act="appeal.read", subject="appeal", subject_id=found)
            events = [Told(**{**row._mapping, "act": Act(row.act)}) for row in await session.execute(_EVENTS, {"id": found})]  # noqa: SLF001
            past = rebuilt(events, at=when)
            if past is None:
                raise NotFoundError("appeal.not_yet", f"Nothing was recorded of appeal {number} by then.")
            known = [one for one in events if one.recorded_at <= when]
            return await _told(session, past) | {"events": len(known), "last": known[-1].act.value}

    told = run(work())
    if json:
        show.as_json(told)
    else:
        show.table(("what", "then"), [(name, "" if value is None else str(value)) for name, value in told.items()])


async def _told(session: ReadSession, past: Past) -> dict[str, Any]:
    ids = {
        "agency": past.agency_id, "territory": past.territory_id, "topic": past.topic_id, "operator": past.operator_id,
        "into": past.merged_into,
    }  # fmt: skip
    names = (await session.execute(_NAMES, ids)).one()
    return {"status": past.status.value, "cycle": past.cycle, **names._mapping, "close_reason": past.close_reason}  # noqa: SLF001


def _moment(text_: str) -> datetime:
    try:
        when = datetime.fromisoformat(text_)
    except ValueError:
        when = None
    if when is None or when.tzinfo is None:
        raise InvalidError("appeal.moment", "Give a moment with its time zone, such as 2026-11-17T12:00+03:00.")
    return when
