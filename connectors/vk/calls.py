"""A call to VK and its answer, as the client carries them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """One call. `kinds`: the tokens it takes, the preferred first. `page`: whose token it must be, if it matters."""

    method: str
    params: Mapping[str, str | int]
    kinds: tuple[str, ...]
    page: str | None = None
    sending: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What stands under `response`, its bytes, and the platform's own time of answering."""

    value: object
    raw: bytes
    date: datetime | None
