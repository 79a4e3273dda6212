"""The mark of texts for the catalogue, where they stand in tables and are translated later."""

from __future__ import annotations


def N_(msgid: str) -> str:  # noqa: N802 - the name under which gettext's tools look for such marks
    """Mark a text for the catalogue; it is translated where it is used."""
    return msgid
