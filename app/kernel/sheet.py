"""Cells of a table that a person opens in a spreadsheet: none may be taken for a formula."""

from __future__ import annotations

# What spreadsheets take for the beginning of a formula, also in full width; a tab or a line break may hide it.
_BEGINS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠", "|", "%")


def safe_cell(value: str) -> str:
    """The text as it is, or behind an apostrophe, which makes it text; NUL, which breaks files, is shown."""
    shown = value.replace("\x00", "\ufffd")
    return f"'{shown}" if _begins_formula(shown) else shown


def plain_cell(cell: str) -> str:
    """What `safe_cell` was given: of a text behind an apostrophe that kept it from being a formula, the text."""
    return cell[1:] if cell.startswith("'") and _begins_formula(cell) else cell


def _begins_formula(text: str) -> bool:
    """Also behind apostrophes of its own: so many as there were come back."""
    return text.lstrip("'").lstrip(" \u00a0\u200b\ufeff").startswith(_BEGINS)
