"""Cells of a table that a person opens in a spreadsheet: none may be taken for a formula."""

from __future__ import annotations

# What spreadsheets take for the beginning of a formula, also in full width; a tab or a line break may hide it.
_BEGINS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠", "|", "%")


def safe_cell(value: str) -> str:
    """The text as it is, or behind an apostrophe, which makes it text; NUL, which breaks files, is shown."""
    shown = value.replace("\x00", "\ufffd")
    bare = shown.lstrip(" \u00a0\u200b\ufeff")
    return f"'{shown}" if bare.startswith(_BEGINS) else shown
