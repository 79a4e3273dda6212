"""`otklik import topics`: the tree of what appeals are about, with the words by which they are recognised."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.exchange.result import Imported, compare, parents_first
from app.exchange.table import Faults, read_table
from app.exchange.trees import check_tree, stored_tree
from app.kernel.db import Bulk
from app.triage.vocabulary import KeywordError, parse_keywords

if TYPE_CHECKING:
    from datetime import datetime

    from app.exchange.table import Line
    from app.kernel.db import WriteSession

REQUIRED, OPTIONAL = ("code", "parent", "name"), ("weight", "keywords")
DEFAULT_WEIGHT = 1
HEAVIEST = 100


async def import_topics(session: WriteSession, data: bytes, *, now: datetime, dry_run: bool = False) -> Imported:  # noqa: ARG001 - one shape for all
    """Add and change topics by code. Raises ImportFaultsError with every fault; nothing is written then."""
    lines = read_table(data, required=REQUIRED, optional=OPTIONAL)
    there = await stored_tree(session, "topic", ", t.weight, t.terms")
    faults = Faults()
    rows = check_tree(lines, {code: row.parent for code, row in there.items()}, faults)
    weights = {code: _weight(line, faults) for code, line in rows.items()}
    for line in rows.values():
        try:
            parse_keywords(line["keywords"])
        except KeywordError as error:
            faults.add(line, f"keywords: {error}.")
    faults.stop()
    wanted = {code: (line["name"], line["parent"] or None, weights[code], line["keywords"]) for code, line in rows.items()}
    known = {code: (row.name, row.parent, row.weight, row.terms) for code, row in there.items()}
    result, keys = compare("topics", wanted, known, dry_run=dry_run)
    if not dry_run:
        for layer in parents_first({code: line["parent"] for code, line in rows.items()}, keys):
            await _UPSERT.run(session, [(code, *wanted[code]) for code in layer])
    return result


def _weight(line: Line, faults: Faults) -> int:
    given = line["weight"]
    if not given:
        return DEFAULT_WEIGHT
    if not (given.isascii() and given.isdigit() and 1 <= int(given[:9]) <= HEAVIEST):
        faults.add(line, f"weight {given!r}: a whole number from 1 to {HEAVIEST} is needed, or nothing.")
        return DEFAULT_WEIGHT
    return int(given)


_UPSERT = Bulk(
    """
    INSERT INTO topic (code, name, parent_id, weight, terms)
    SELECT r.code, r.name, p.id, r.weight, r.terms FROM {rows} LEFT JOIN topic p ON p.code = r.parent
    ON CONFLICT (code) DO UPDATE SET name = excluded.name, parent_id = excluded.parent_id, weight = excluded.weight, terms = excluded.terms
    """,
    code="text", name="text", parent="text", weight="int", terms="text",
)  # fmt: skip
