"""What the supervisor's page, sign-in and error pages are given: plain frozen values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from app.reports.measures import Definition
from app.web.ui.views import Choice


@dataclass(frozen=True, kw_only=True, slots=True)
class MeasureRow:
    """One line of the response-time report. Hours are calendar hours unless `working`; None where nothing was answered.

    `small` marks a line whose figures rest on too few answers to compare.
    """

    label: str
    answered: int
    average_hours: float | None
    median_hours: float | None
    p90_hours: float | None
    in_time: int
    in_time_of: int
    unanswered: int
    unanswered_overdue: int
    oldest_hours: float | None
    working_average_hours: float | None = None
    small: bool = False
    key: str = ""
    depth: int = 0

    @property
    def share_in_time(self) -> float | None:
        """0..1, or None when nothing has come to its term."""
        return self.in_time / self.in_time_of if self.in_time_of else None


@dataclass(frozen=True, kw_only=True, slots=True)
class ReportView:
    """The response-time report. The period is [since, until], both days included, in `zone`."""

    since: date
    until: date
    zone: ZoneInfo
    group_by: str
    groupings: tuple[Choice, ...]
    presets: tuple[Choice, ...]  # value is "YYYY-MM-DD/YYYY-MM-DD"
    rows: tuple[MeasureRow, ...]
    total: MeasureRow
    as_of: datetime
    small_below: int
    definition: Definition
    error: str = ""
    more: bool = False

    def query(self, **changed: str) -> str:
        """The address's query of this report, with some of it changed."""
        pairs = {"from": self.since.isoformat(), "to": self.until.isoformat(), "group_by": self.group_by}
        return "?" + urlencode(pairs | changed)


@dataclass(frozen=True, kw_only=True, slots=True)
class SignInForm:
    """The sign-in page. `problem` is a code, `after` the address to go to, `provider` the name of an OIDC provider."""

    after: str = "/"
    login: str = ""
    problem: str = ""
    provider: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class InvitationForm:
    """The page on which a password is chosen. `problem` is a code with its parameters; `gone`: the link is used up.

    `reset`: for somebody who has come in before.
    """

    login: str
    name: str
    least: int
    problem: str = ""
    params: Mapping[str, str | int] = field(default_factory=dict)
    gone: bool = False
    reset: bool = False
    provider: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """An error page: the HTTP status, a code for the words, and where to go back to."""

    status: int
    code: str = ""
    detail: str = ""
    back_to: str = "/"
    reference: str = ""
