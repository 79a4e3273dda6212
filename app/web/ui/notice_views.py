"""What the screens of notices outside are given: plain frozen values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from app.web.ui.views import Choice


@dataclass(frozen=True, kw_only=True, slots=True)
class CarrierView:
    """One way to be told. `step`: "none", "code" (one was asked for) or "used"; `state`: of the last letter, "" before it."""

    name: str
    step: str
    address: str = ""
    state: str = ""
    at: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class HoursForm:
    """Own hours as the form shows them: minutes of the day as HH:MM."""

    limited: bool
    days: frozenset[int]
    opens: str
    closes: str
    zone: str
    breach: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class OwnNoticesPage:
    """How a person is told besides the screen. `hosts`: where a webhook may be; `errors` are sentences by carrier, or of the hours."""

    carriers: tuple[CarrierView, ...]
    hours: HoursForm
    hosts: tuple[str, ...]
    done: str = ""
    values: Mapping[str, str] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class RuleLine:
    """A rule: who, when (an amount of a unit: "percent", "minutes", "hours" or "days" after the deadline), by what.

    `place`: of whose appeals, "" of all; `ours`: the reader may end it.
    """

    id: str
    role: str
    amount: int
    unit: str
    carriers: tuple[str, ...]
    place: str
    ours: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class TroubleLine:
    """A letter that did not arrive, or of which nobody knows."""

    id: str
    name: str
    carrier: str
    state: str
    notices: int
    at: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class NoticeRulesPage:
    """The rules, a form for one more, and what went wrong. `opened`: the carriers that the settings open."""

    rules: tuple[RuleLine, ...]
    troubles: tuple[TroubleLine, ...]
    opened: tuple[str, ...]
    places: tuple[Choice, ...]
    roles: tuple[Choice, ...]
    units: tuple[Choice, ...]
    carriers: tuple[Choice, ...]
    done: str = ""
    values: Mapping[str, str] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)
