"""The list of pages as a table that `otklik import pages` takes back, whatever stands in their titles."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

from app.kernel.sheet import safe_cell

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from app.appeals.pages import PageRow

FILE_NAME = "pages.csv"
COLUMNS = ("platform", "link", "external_id", "title", "agency", "territory", "sphere")
_BOM = "\ufeff"


async def csv_lines(parts: AsyncIterator[Sequence[PageRow]]) -> AsyncIterator[str]:
    """The file, some rows at a time. Spreadsheets know UTF-8 by its mark."""
    yield _BOM + _lines([COLUMNS])
    async for rows in parts:
        yield _lines([_cells(row) for row in rows])


def _cells(row: PageRow) -> tuple[str, ...]:
    """A title with characters that no table should hold is left out: an import then keeps the one that is known."""
    title = row.title if row.title.isprintable() and row.title == row.title.strip() else ""
    return (row.platform, row.link, row.external_id, title, row.agency_code, row.territory_code, row.sphere_code or "")


def _lines(rows: Sequence[Sequence[str]]) -> str:
    table = io.StringIO()
    csv.writer(table, lineterminator="\r\n").writerows([safe_cell(cell) for cell in row] for row in rows)
    return table.getvalue()
