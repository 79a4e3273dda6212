"""Sealed notes that a browser carries between two steps of coming in. They open here alone, for a few minutes.

A slip proves a step that was taken; no permission hangs on it, and no session exists before the last step.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import orjson
from fastapi import Request
from starlette.responses import Response

from app.kernel.errors import SetupError
from app.kernel.parts import WebParts
from app.kernel.vault import Vault

LASTS = timedelta(minutes=10)
_LONGEST = 4_000


def seal(vault: Vault, kind: str, now: datetime, **content: str | int) -> str:
    """A slip of a kind."""
    note = {"kind": kind, "until": int((now + LASTS).timestamp()), **content}
    return vault.seal(orjson.dumps(note).decode()).decode("ascii")


def unseal(vault: Vault, kind: str, now: datetime, slip: str | None) -> Mapping[str, Any] | None:
    """What is in a slip; None when it is not ours, of another kind, or too old."""
    if not slip or len(slip) > _LONGEST or not slip.isascii():
        return None
    try:
        note: dict[str, Any] = orjson.loads(vault.open(slip.encode("ascii")))
    except (SetupError, orjson.JSONDecodeError):
        return None
    return note if note.get("kind") == kind and int(note.get("until", 0)) > now.timestamp() else None


def carry(response: Response, parts: WebParts, kind: str, slip: str) -> None:
    """Give the browser a slip."""
    response.set_cookie(
        _name(parts, kind), slip, max_age=int(LASTS.total_seconds()), path="/", secure=parts.secure_cookies, httponly=True, samesite="lax"
    )


def carried(request: Request, parts: WebParts, kind: str, now: datetime) -> Mapping[str, Any] | None:
    """The slip that the browser brings back."""
    return unseal(parts.entrance.vault, kind, now, request.cookies.get(_name(parts, kind)))


def drop(response: Response, parts: WebParts, kind: str) -> None:
    """Take a slip back."""
    response.delete_cookie(_name(parts, kind), path="/", secure=parts.secure_cookies, httponly=True, samesite="lax")


def _name(parts: WebParts, kind: str) -> str:
    return f"__Host-otklik_{kind}" if parts.secure_cookies else f"otklik_{kind}"
