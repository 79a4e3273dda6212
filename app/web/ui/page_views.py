"""What the lists of pages and of notices, and the form of a new appeal, are given: plain frozen values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from urllib.parse import urlencode

from app.sources.facts import Day
from app.web.ui.care_views import CareView
from app.web.ui.views import Choice


@dataclass(frozen=True, kw_only=True, slots=True)
class PageLine:
    """An official page, and how watching it goes: `state` and `problem` are codes. `overdue_s`: late by so much."""

    id: str
    platform: str
    title: str
    url: str
    agency: str
    territory: str
    sphere: str
    members: int | None
    state: str
    polled_at: datetime | None
    failures: int
    problem: str
    official: bool | None = None
    comments_open: bool | None = None
    overdue_s: float = 0.0
    lag_s: float | None = None
    stopped: bool = False
    may_stop: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class PageQuery:
    """What an address of the list asks for, as it stands there."""

    state: str = ""
    order: str = "title"
    q: str = ""
    platform: str = ""
    agency: str = ""
    territory: str = ""
    sphere: str = ""

    @property
    def narrowed(self) -> bool:
        """Whether anything but the order was chosen."""
        return bool(self.state or self.q or self.platform or self.agency or self.territory or self.sphere)

    def at(self, path: str = "/pages", **changed: str) -> str:
        """The address of this list with something changed."""
        told = {name: getattr(self, name) for name in ("state", "order", "q", "platform", "agency", "territory", "sphere")} | changed
        shown = {name: value for name, value in told.items() if value and (name, value) != ("order", "title")}
        return path + (f"?{urlencode(shown)}" if shown else "")


@dataclass(frozen=True, kw_only=True, slots=True)
class StateCount:
    """How many pages are in a state; None: not counted yet."""

    state: str
    count: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class PagesPage:
    """Official pages, what they can be narrowed to, and how many are in which state."""

    rows: tuple[PageLine, ...] = ()
    query: PageQuery = PageQuery()
    states: tuple[StateCount, ...] = ()
    platforms: tuple[Choice, ...] = ()
    agencies: tuple[Choice, ...] = ()
    territories: tuple[Choice, ...] = ()
    spheres: tuple[Choice, ...] = ()
    orders: tuple[Choice, ...] = ()
    may_connect: bool = False
    next_cursor: str | None = None

    @property
    def counted(self) -> bool:
        """Whether the states have been counted."""
        return all(one.count is not None for one in self.states)

    @property
    def total(self) -> int:
        """All states together."""
        return sum(one.count or 0 for one in self.states)


@dataclass(frozen=True, kw_only=True, slots=True)
class Trend:
    """How many follow a page, day by day: a line within `WIDE` by `HIGH`, and the change over the days that are known."""

    points: str
    members: int
    change: int
    since: date


WIDE, HIGH = 160, 36


def trend(days: Sequence[Day]) -> Trend | None:
    """None when fewer than two days are known: there is nothing to compare."""
    known = [(one.day, one.members) for one in days if one.members is not None]
    if len(known) < 2:  # noqa: PLR2004 - a line has two ends
        return None
    first, last = known[0][0], known[-1][0]
    least, most = min(count for _, count in known), max(count for _, count in known)
    wide, high = max((last - first).days, 1), max(most - least, 1)
    points = " ".join(
        f"{(day - first).days / wide * WIDE:.1f},{HIGH / 2 if most == least else HIGH - 2 - (count - least) / high * (HIGH - 4):.1f}"
        for day, count in known
    )
    return Trend(points=points, members=known[-1][1], change=known[-1][1] - known[0][1], since=first)


@dataclass(frozen=True, kw_only=True, slots=True)
class PageCard:
    """One page, whole."""

    line: PageLine
    trend: Trend | None
    connected_at: datetime
    described_at: datetime | None
    care: CareView | None = None
    tried: bool = False
    """Somebody has just said that it is mended."""
    wide: int = WIDE
    high: int = HIGH


@dataclass(frozen=True, kw_only=True, slots=True)
class NoticeLine:
    """A deadline that is near or has passed: of an appeal, or - without a number - of a comment in triage."""

    kind: str
    number: str
    promise: str
    agency: str
    due_at: datetime | None
    occurred_at: datetime
    share: int | None = None
    escalated_to: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class NoticesPage:
    """The newest first; `before` is where the next ones begin."""

    rows: tuple[NoticeLine, ...]
    before: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class LinkView:
    """Where a pasted link led (`state` and `code` as in `appeals.by_link`). With a `comment` the appeal is opened from it, as it stands."""

    state: str
    platform: str
    url: str
    code: str = ""
    comment: str = ""
    author: str = ""
    text: str = ""
    written_at: datetime | None = None
    of_post: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class NewAppealForm:
    """An appeal that somebody takes down. `errors` are sentences by field; `key` makes a second click harmless."""

    key: str
    topics: tuple[Choice, ...]
    agencies: tuple[Choice, ...]
    values: Mapping[str, str] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)
    link: LinkView | None = None
