"""What the mapping file wants made: territories, agencies and topics that are known there and not yet here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import text

from app.exchange.incident.mapping import Of
from app.exchange.table import Fault, ImportFaultsError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from app.exchange.incident.places import Made
    from app.kernel.db import WriteSession

_ORDER = (Of.TERRITORY, Of.AGENCY, Of.TOPIC)
_TREES = {
    of: text(
        f"INSERT INTO {of.value} (code, name, parent_id) "  # noqa: S608 - names of an enum
        f"VALUES (:code, :name, (SELECT id FROM {of.value} WHERE code = :parent)) ON CONFLICT (code) DO NOTHING"
    )
    for of in (Of.TERRITORY, Of.TOPIC)
}
# An agency of which no more is known works for the whole region; `otklik import agencies` says otherwise later.
_AGENCY = text(
    "INSERT INTO agency (code, name, territory_id) SELECT :code, :name, id FROM territory WHERE parent_id IS NULL ORDER BY id LIMIT 1 "
    "ON CONFLICT (code) DO NOTHING RETURNING id"
)


async def make(session: WriteSession, wanted: Iterable[Made]) -> list[str]:
    """Add what is wanted; its kinds and codes. Raises ImportFaultsError when an agency would stand in no territory."""
    ordered = sorted(wanted, key=lambda one: _ORDER.index(one.of))  # stable: parents stay before children
    for one in ordered:
        values = {"code": one.code, "name": one.name, "parent": one.parent}
        if one.of is not Of.AGENCY:
            await session.execute(_TREES[one.of], values)
        elif await session.scalar(_AGENCY, values) is None:
            told = f"The agency {one.code!r} needs a territory: import territories first, or map one with new:."
            raise ImportFaultsError([Fault(line=1, text=told)])
    return [f"{one.of.value} {one.code}" for one in ordered]
