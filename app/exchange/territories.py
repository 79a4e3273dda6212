"""`otklik import territories` and `otklik import spheres`: places with their time zones, kinds of bodies."""

from __future__ import annotations

from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from sqlalchemy import text

from app.exchange.result import Imported, compare, parents_first
from app.exchange.table import Faults, Line, read_table, unique
from app.exchange.trees import check_code_and_name, check_tree, stored_tree
from app.kernel.db import Bulk

if TYPE_CHECKING:
    from datetime import datetime

    from app.kernel.db import WriteSession

REQUIRED, OPTIONAL = ("code", "parent", "name"), ("timezone",)


async def import_territories(session: WriteSession, data: bytes, *, now: datetime, dry_run: bool = False) -> Imported:  # noqa: ARG001 - one shape for all
    """Add and change territories by code. Raises ImportFaultsError with every fault; nothing is written then."""
    lines = read_table(data, required=REQUIRED, optional=OPTIONAL)
    there = await stored_tree(session, "territory", ", t.timezone")
    faults = Faults()
    rows = check_tree(lines, {code: row.parent for code, row in there.items()}, faults)
    for line in rows.values():
        _check_zone(line, is_root=not line["parent"], faults=faults)
    faults.stop()
    wanted = {code: (line["name"], line["parent"] or None, line["timezone"] or None) for code, line in rows.items()}
    known = {code: (row.name, row.parent, row.timezone) for code, row in there.items()}
    result, keys = compare("territories", wanted, known, dry_run=dry_run)
    if not dry_run:
        for layer in parents_first({code: line["parent"] for code, line in rows.items()}, keys):
            await _UPSERT.run(session, [(code, *wanted[code]) for code in layer])
    return result


async def import_spheres(session: WriteSession, data: bytes, *, now: datetime, dry_run: bool = False) -> Imported:  # noqa: ARG001 - one shape for all
    """Add and change spheres by code. Raises ImportFaultsError with every fault; nothing is written then."""
    lines = read_table(data, required=("code", "name"))
    faults = Faults()
    rows = unique(lines, "code", faults)
    for code, line in rows.items():
        check_code_and_name(code, line, faults)
    faults.stop()
    wanted = {code: line["name"] for code, line in rows.items()}
    known = {row.code: row.name for row in await session.execute(text("SELECT code, name FROM sphere"))}
    result, keys = compare("spheres", wanted, known, dry_run=dry_run)
    if not dry_run:
        await _UPSERT_SPHERE.run(session, [(code, wanted[code]) for code in keys])
    return result


def _check_zone(line: Line, *, is_root: bool, faults: Faults) -> None:
    name = line["timezone"]
    if not name:
        if is_root:
            faults.add(line, "timezone is empty: a territory without parent needs one, such as Europe/Moscow.")
        return
    try:
        ZoneInfo(name)
    except (OSError, ValueError, LookupError):
        faults.add(line, f"timezone {name!r} is unknown. Use a name such as Europe/Moscow or Asia/Yekaterinburg.")


_UPSERT = Bulk(
    """
    INSERT INTO territory (code, name, parent_id, timezone)
    SELECT r.code, r.name, p.id, r.timezone FROM {rows} LEFT JOIN territory p ON p.code = r.parent
    ON CONFLICT (code) DO UPDATE SET name = excluded.name, parent_id = excluded.parent_id, timezone = excluded.timezone
    """,
    code="text", name="text", parent="text", timezone="text",
)  # fmt: skip
_UPSERT_SPHERE = Bulk(
    "INSERT INTO sphere (code, name) SELECT code, name FROM {rows} ON CONFLICT (code) DO UPDATE SET name = excluded.name",
    code="text", name="text",
)  # fmt: skip
