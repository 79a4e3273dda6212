"""`otklik import rules`: page × territory × topic → agency."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import text

from app.directory.queries import ids_of_codes
from app.exchange.page_names import PageNames
from app.exchange.result import Imported, compare
from app.exchange.table import Faults, Line, read_table
from app.kernel.db import Bulk

if TYPE_CHECKING:
    from datetime import datetime

    from app.kernel.db import ReadSession, WriteSession

REQUIRED, OPTIONAL = ("page", "territory", "topic", "agency"), ("comment",)
OWN_AGENCY = "@page"
"""In the column agency: whoever owns the page."""

Key = tuple[int | None, int | None, int | None]
"""(page, territory, topic)."""


async def import_rules(session: WriteSession, data: bytes, *, now: datetime, dry_run: bool = False, replace: bool = False) -> Imported:
    """Add rules and change those for the same page, territory and topic; with `replace` retire all others.

    A changed rule is retired and a new row takes its place, since verdicts name the rule that they followed.
    Raises ImportFaultsError with every fault; nothing is written then.
    """
    lines = read_table(data, required=REQUIRED, optional=OPTIONAL)
    faults = Faults()
    wanted = await _wanted(session, lines, faults)
    faults.stop()
    rows = (
        await session.execute(
            text("SELECT id, page_id, territory_id, topic_id, agency_id, comment FROM routing_rule WHERE retired_at IS NULL")
        )
    ).all()
    known = {(row.page_id, row.territory_id, row.topic_id): (row.agency_id, row.comment) for row in rows}
    result, changed = compare(
        "rules", {str(key): value for key, value in wanted.items()}, {str(key): value for key, value in known.items()}, dry_run=dry_run
    )
    if not dry_run:
        write = [key for key in wanted if str(key) in set(changed)]
        gone = {*write, *((key for key in known if key not in wanted) if replace else ())}
        await session.execute(
            text("UPDATE routing_rule SET retired_at = :now WHERE id = ANY (:ids)"),
            {"now": now, "ids": [row.id for row in rows if (row.page_id, row.territory_id, row.topic_id) in gone]},
        )
        await _INSERT.run(session, [(*key, *wanted[key]) for key in write], now=now)
    return result


async def _wanted(session: ReadSession, lines: list[Line], faults: Faults) -> dict[Key, tuple[int | None, str]]:
    known = {
        table: await ids_of_codes(session, table, sorted({line[table] for line in lines})) for table in ("territory", "topic", "agency")
    }
    pages = await PageNames.load(session)
    wanted: dict[Key, tuple[int | None, str]] = {}
    places: dict[Key, int] = {}
    for line in lines:
        for column in ("territory", "topic"):
            if line[column] and line[column] not in known[column]:
                faults.add(line, f"{column} {line[column]!r} is unknown. Import it first, or mend the code.")
        if line["agency"] != OWN_AGENCY and line["agency"] not in known["agency"]:
            faults.add(
                line, f"agency {line['agency']!r} is unknown. Give the code of an agency, or {OWN_AGENCY} for the one that owns the page."
            )
        page_id = pages.find(line["page"]) if line["page"] else None
        if line["page"] and page_id is None:
            faults.add(line, f"page {line['page']!r} is not watched. Import pages first; write it as vk:screen_name or as its link.")
        key = (page_id, known["territory"].get(line["territory"]), known["topic"].get(line["topic"]))
        if key in wanted and not faults.found:
            faults.add(line, f"The same page, territory and topic stand in line {places[key]} too. Keep one.")
        wanted[key] = (known["agency"].get(line["agency"]), line["comment"])
        places.setdefault(key, line.number)
    return wanted


_INSERT = Bulk(
    """
    INSERT INTO routing_rule (page_id, territory_id, topic_id, agency_id, comment, created_at)
    SELECT page_id, territory_id, topic_id, agency_id, comment, CAST(:now AS timestamptz) FROM {rows}
    """,
    page_id="bigint", territory_id="bigint", topic_id="bigint", agency_id="bigint", comment="text",
)  # fmt: skip
