"""What samples of screens are made of: a moment, a zone, and text that is nobody's friend."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

NOW = datetime(2026, 3, 4, 9, 30, tzinfo=UTC)
ZONE = ZoneInfo("Asia/Yekaterinburg")
HOSTILE = "<script>alert(1)</script> \u202eлов\u202c \"' onmouseover=x </textarea></option> {{ 7 * 7 }} \x00"


def ago(hours: float) -> datetime:
    """A moment before NOW."""
    return NOW - timedelta(hours=hours)
