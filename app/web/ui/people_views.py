"""What the administrator's screens of people are given: plain frozen values."""

from __future__ import annotations

from dataclasses import dataclass

from app.people.queries import OperatorLine


@dataclass(frozen=True, kw_only=True, slots=True)
class PeoplePage:
    """Everybody who may come in, by name."""

    rows: tuple[OperatorLine, ...]
