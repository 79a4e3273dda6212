"""The directory in lists to choose from: trees in display order, and a scope with its children."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.kernel.db import ReadSession


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """One line of a picker: children follow their parent, `depth` says how far in they stand."""

    id: int
    code: str
    name: str
    parent_id: int | None
    depth: int


async def territory_choices(session: ReadSession) -> list[Choice]:
    """All territories as a tree, by name."""
    return await _tree(session, "territory")


async def agency_choices(session: ReadSession) -> list[Choice]:
    """All agencies as a tree, by name."""
    return await _tree(session, "agency")


async def topic_choices(session: ReadSession) -> list[Choice]:
    """All topics under their groups, by name."""
    return await _tree(session, "topic")


async def sphere_choices(session: ReadSession) -> list[Choice]:
    """All spheres by name."""
    rows = await session.execute(text("SELECT id, code, name FROM sphere ORDER BY replace(lower(name), 'ё', 'е'), id"))
    return [Choice(id=row.id, code=row.code, name=row.name, parent_id=None, depth=0) for row in rows]


async def agencies_with_children(session: ReadSession, agency_ids: Sequence[int]) -> list[int]:
    """These agencies and all below them."""
    return await _expand(session, "agency", agency_ids)


async def territories_with_children(session: ReadSession, territory_ids: Sequence[int]) -> list[int]:
    """These territories and all below them."""
    return await _expand(session, "territory", territory_ids)


async def topics_with_children(session: ReadSession, topic_ids: Sequence[int]) -> list[int]:
    """These topics and all below them."""
    return await _expand(session, "topic", topic_ids)


async def ids_of_codes(session: ReadSession, table: str, codes: Sequence[str]) -> dict[str, int]:
    """The ids of those codes that exist. `table` is territory, agency, topic or sphere."""
    rows = await session.execute(_BY_CODE[table], {"codes": list(codes)})
    return {row.code: row.id for row in rows}


_TABLES = ("territory", "agency", "topic")
# A path of sorting keys keeps children under their parent. The built-in collation sorts by code points, in which
# ё stands after я: the keys fold it. The id makes the order total.
_TREE = {
    table: text(
        f"""
        WITH RECURSIVE tree AS (
          SELECT id, code, name, parent_id, 0 AS depth, ARRAY[replace(lower(name), 'ё', 'е'), id::text] AS way
          FROM {table} WHERE parent_id IS NULL
          UNION ALL
          SELECT c.id, c.code, c.name, c.parent_id, t.depth + 1, t.way || ARRAY[replace(lower(c.name), 'ё', 'е'), c.id::text]
          FROM {table} c JOIN tree t ON c.parent_id = t.id)
        SELECT id, code, name, parent_id, depth FROM tree ORDER BY way
        """  # noqa: S608 - names above
    )
    for table in _TABLES
}
_EXPAND = {
    table: text(
        f"WITH RECURSIVE held(id) AS (SELECT id FROM {table} WHERE id = ANY (CAST(:ids AS bigint[])) "  # noqa: S608 - names above
        f"UNION SELECT c.id FROM {table} c JOIN held ON c.parent_id = held.id) SELECT id FROM held ORDER BY id"
    )
    for table in _TABLES
}
_BY_CODE = {
    table: text(f"SELECT id, code FROM {table} WHERE code = ANY (CAST(:codes AS text[]))")  # noqa: S608 - names above
    for table in (*_TABLES, "sphere")
}


async def _tree(session: ReadSession, table: str) -> list[Choice]:
    return [Choice(**row._mapping) for row in await session.execute(_TREE[table])]  # noqa: SLF001 - SQLAlchemy's documented name


async def _expand(session: ReadSession, table: str, ids: Sequence[int]) -> list[int]:
    return list((await session.execute(_EXPAND[table], {"ids": list(ids)})).scalars())
