"""What territories, agencies and topics have in common: codes, parents, no circles."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from app.exchange.table import Faults, Line, unique

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from app.kernel.db import ReadSession

LONGEST_NAME = 300
_CODE = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


def check_tree(lines: Sequence[Line], there: Mapping[str, str | None], faults: Faults) -> dict[str, Line]:
    """Rows by code; notes bad codes, empty names, unknown parents and circles. `there` maps stored codes to parents."""
    rows = unique(lines, "code", faults)
    for code, line in rows.items():
        check_code_and_name(code, line, faults)
        parent = line["parent"]
        if parent and parent not in rows and parent not in there:
            faults.add(line, f"parent {parent!r} is neither in this file nor imported before. Add its row or mend the code.")
    merged = {code: parent or "" for code, parent in there.items()} | {code: line["parent"] for code, line in rows.items()}
    for code, line in rows.items():
        if _circular(code, merged):
            faults.add(line, f"{code!r} is its own ancestor. Mend the column parent.")
    return rows


def check_code_and_name(code: str, line: Line, faults: Faults) -> None:
    """Note a code that is not of our letters, and a name that is missing or too long."""
    if not _CODE.fullmatch(code):
        faults.add(line, f"code {code!r}: use a-z, 0-9, dot, dash and underscore, at most 64 characters.")
    if not line["name"]:
        faults.add(line, "name is empty. People read it everywhere.")
    elif len(line["name"]) > LONGEST_NAME:
        faults.add(line, f"name has {len(line['name'])} characters, at most {LONGEST_NAME} are allowed.")


def _circular(code: str, parents: Mapping[str, str]) -> bool:
    seen = set()
    node = code
    while node:
        if node in seen:
            return node == code
        seen.add(node)
        node = parents.get(node, "")
    return False


async def stored_tree(session: ReadSession, table: str, columns: str = "") -> dict[str, Any]:
    """Stored rows by code: id, name, the parent's code as `parent`, and further columns of `t`."""
    rows = await session.execute(
        text(f"SELECT t.id, t.code, t.name, p.code AS parent{columns} FROM {table} t LEFT JOIN {table} p ON p.id = t.parent_id")  # noqa: S608 - our own names
    )
    return {row.code: row for row in rows}
