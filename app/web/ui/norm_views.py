"""What the screens of norms are given: plain frozen values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from app.web.ui.views import Choice


@dataclass(frozen=True, kw_only=True, slots=True)
class TermView:
    """What a norm promises: an amount of "hours" or "days"; `state` is "term", "none" (no promise) or "open" (left to others)."""

    promise: str
    state: str
    amount: int = 0
    unit: str = "hours"
    working: bool = False
    after_interim: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class NormLine:
    """A norm in the list. `where` are the names of what it is for, in their order; none: for everything."""

    code: str
    name: str
    version: int
    terms: tuple[TermView, ...]
    where: tuple[str, ...]
    holds: bool
    mine: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class PresetLine:
    """A norm to begin with."""

    code: str
    name: str
    terms: tuple[TermView, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class NormsPage:
    """All norms, what to begin with, and how many appeals wait. `applied`: the counting anew was asked for a moment ago."""

    rows: tuple[NormLine, ...]
    presets: tuple[PresetLine, ...]
    waiting: int | None
    applied: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class ApplyPage:
    """What applying today's norms would do to appeals that wait; `everywhere`: to those of all territories, else of the reader's alone."""

    waiting: int
    moved: int
    late: int
    late_no_more: int
    capped: bool
    everywhere: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class EffectLine:
    """One promise over the last month's matters, by the norms in force and with the change."""

    promise: str
    before: Mapping[str, int]
    after: Mapping[str, int]
    better: int
    worse: int


@dataclass(frozen=True, kw_only=True, slots=True)
class EffectView:
    """`capped`: only the newest so many were judged. `everywhere`: appeals of all territories were; else of the reader's alone."""

    judged: int
    lines: tuple[EffectLine, ...]
    capped: bool = False
    everywhere: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class NormForm:
    """A norm being set. `effect` is there once it was tried; `seen` says of which values, so that what is saved was looked at."""

    code: str
    name: str
    terms: tuple[TermView, ...]
    territories: tuple[Choice, ...]
    agencies: tuple[Choice, ...]
    topics: tuple[Choice, ...]
    platforms: tuple[Choice, ...]
    priorities: tuple[Choice, ...]
    seen: str = ""
    effect: EffectView | None = None
    errors: Mapping[str, str] = field(default_factory=dict)
    version: int = 0
    warn_shares: str = ""
