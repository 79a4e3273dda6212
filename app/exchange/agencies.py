"""`otklik import agencies`: who answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.directory.queries import ids_of_codes
from app.exchange.result import Imported, compare, parents_first
from app.exchange.table import Faults, read_table
from app.exchange.trees import check_tree, stored_tree
from app.kernel.db import Bulk

if TYPE_CHECKING:
    from datetime import datetime

    from app.kernel.db import WriteSession

REQUIRED = ("code", "parent", "territory", "name")


async def import_agencies(session: WriteSession, data: bytes, *, now: datetime, dry_run: bool = False) -> Imported:  # noqa: ARG001 - one shape for all
    """Add and change agencies by code. Raises ImportFaultsError with every fault; nothing is written then."""
    lines = read_table(data, required=REQUIRED)
    there = await stored_tree(session, "agency", ", (SELECT code FROM territory WHERE id = t.territory_id) AS territory")
    faults = Faults()
    rows = check_tree(lines, {code: row.parent for code, row in there.items()}, faults)
    territories = await ids_of_codes(session, "territory", [line["territory"] for line in rows.values()])
    for line in rows.values():
        if line["territory"] not in territories:
            faults.add(line, f"territory {line['territory']!r} is unknown. Import territories first, or mend the code.")
    faults.stop()
    wanted = {code: (line["name"], line["parent"] or None, line["territory"]) for code, line in rows.items()}
    result, keys = compare(
        "agencies", wanted, {code: (row.name, row.parent, row.territory) for code, row in there.items()}, dry_run=dry_run
    )
    if not dry_run:
        for layer in parents_first({code: line["parent"] for code, line in rows.items()}, keys):
            await _UPSERT.run(session, [(code, *wanted[code]) for code in layer])
    return result


_UPSERT = Bulk(
    """
    INSERT INTO agency (code, name, parent_id, territory_id)
    SELECT r.code, r.name, p.id, t.id FROM {rows} JOIN territory t ON t.code = r.territory LEFT JOIN agency p ON p.code = r.parent
    ON CONFLICT (code) DO UPDATE SET name = excluded.name, parent_id = excluded.parent_id, territory_id = excluded.territory_id
    """,
    code="text", name="text", parent="text", territory="text",
)  # fmt: skip
