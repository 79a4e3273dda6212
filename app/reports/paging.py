"""Rows of a report in their order, page by page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from app.kernel.errors import InvalidError
from app.reports.figures import Row
from app.reports.rules import Grouping

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


def flat_page(lines: Sequence[Any], limit: int, group_by: Grouping) -> tuple[list[Row], str | None]:
    """Pages of flat groups: the largest first. `lines` hold one more than asked for when there are more."""
    shown = sorted(lines, key=lambda line: (-line.figures["opened"], line.key_text or ""))[:limit]
    named = group_by is Grouping.PLATFORM
    rows = [
        Row(
            key=line.key_text if named or line.key_text is None else int(line.key_text),
            label=line.label or "",
            platform=line.platform,
            **line.figures,
        )
        for line in shown
    ]
    last = shown[-1] if len(lines) > limit else None
    return rows, None if last is None else f"{last.figures['opened']}.{last.key_text or ''}"


def read_cursor(cursor: str | None) -> tuple[int | None, str]:
    """The number and the key after which a flat page begins. InvalidError `report.cursor`."""
    if cursor is None:
        return None, ""
    opened, dot, key = cursor.partition(".")
    if not dot or not opened.isascii() or not opened.isdigit() or len(opened) > 15 or "\0" in key:  # noqa: PLR2004 - fits a bigint
        raise _bad_cursor()
    return int(opened), key


def tree_page(lines: Sequence[Any], limit: int, cursor: str | None) -> tuple[list[Row], str | None]:
    """Pages of a tree, in its order."""
    rows = _in_tree_order(lines)
    start = 0
    if cursor is not None:
        keys = [_tree_cursor(row) for row in rows]
        if cursor not in keys:
            raise _bad_cursor()
        start = keys.index(cursor) + 1
    page = rows[start : start + limit]
    return page, _tree_cursor(page[-1]) if start + limit < len(rows) else None


def _tree_cursor(row: Row) -> str:
    return "none" if row.key is None else str(row.key)


def _bad_cursor() -> InvalidError:
    return InvalidError("report.cursor", "This is no cursor of this report: begin without one.", field="cursor")


def _in_tree_order(lines: Iterable[Any]) -> list[Row]:
    """Each node before those below it, siblings by name; what belongs to no node comes last.

    A node with nothing shown above it stands at the top.
    """
    nodes = {int(line.key_text): line for line in lines if line.key_text is not None}
    below: dict[int | None, list[int]] = {}
    for key, line in nodes.items():
        if line.shown:
            below.setdefault(_shown_above(line.parent_id, nodes), []).append(key)
    for children in below.values():
        children.sort(key=lambda key: ((nodes[key].label or "").lower().replace("ё", "е"), key))
    rows: list[Row] = []
    waiting: list[tuple[int, int | None, int]] = [(key, None, 0) for key in reversed(below.get(None, []))]
    while waiting:
        key, parent, depth = waiting.pop()
        line = nodes[key]
        rows.append(Row(key=key, label=line.label or "", parent_key=parent, depth=depth, **line.figures))
        waiting.extend((child, key, depth + 1) for child in reversed(below.get(key, [])))
    rows.extend(Row(key=None, **line.figures) for line in lines if line.key_text is None)
    return rows


def _shown_above(key: int | None, nodes: Mapping[int, Any]) -> int | None:
    """The nearest shown node from `key` upwards; None when there is none in sight."""
    while key is not None and key in nodes:
        if nodes[key].shown:
            return key
        key = nodes[key].parent_id
    return None
