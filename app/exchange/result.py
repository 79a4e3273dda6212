"""What an import did."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from app.audit.service import record
from app.exchange.table import Fault

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from app.kernel.db import WriteSession


@dataclass(frozen=True, kw_only=True, slots=True)
class Imported:
    """How many rows were new, differed, or were there already; `written` is false for a dry run.

    `left_out`: lines that stayed out, each with its reason.
    """

    kind: str
    added: int
    changed: int
    same: int
    written: bool
    left_out: tuple[Fault, ...] = ()


async def note_import(session: WriteSession, result: Imported) -> None:
    """Have it in the audit trail."""
    counts = {"added": result.added, "changed": result.changed, "same": result.same}
    await record(session, operator_id=None, act="imported", subject=result.kind, data=counts)


def compare(kind: str, wanted: Mapping[str, object], there: Mapping[str, object], *, dry_run: bool) -> tuple[Imported, list[str]]:
    """The count, and the keys that have to be written."""
    added = [key for key in wanted if key not in there]
    changed = [key for key in wanted if key in there and wanted[key] != there[key]]
    same = len(wanted) - len(added) - len(changed)
    return Imported(kind=kind, added=len(added), changed=len(changed), same=same, written=not dry_run), added + changed


def parents_first(parents: Mapping[str, str], codes: Iterable[str]) -> list[list[str]]:
    """The codes in layers, so that a parent stands in an earlier layer than its children. `parents` has no circles."""
    depth: dict[str, int] = {}

    def deep(code: str) -> int:
        if code not in depth:
            parent = parents.get(code, "")
            depth[code] = deep(parent) + 1 if parent in parents else 0
        return depth[code]

    layers: dict[int, list[str]] = {}
    for code in codes:
        layers.setdefault(deep(code), []).append(code)
    return [layers[level] for level in sorted(layers)]
