"""What an address asks of the reports, and the addresses that lead on from there. One question serves a number and its list."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from app.kernel.errors import InvalidError
from app.reports.measures import FIRST_ANSWER, MEASURES, Definition
from app.reports.periods import finest, sensible
from app.reports.rules import Bucket, Filters, Grouping, Period, midnight
from app.web.ui.fields import row_number

if TYPE_CHECKING:
    from collections.abc import Mapping

LAST_DAYS = 30
_LONGEST = 40


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """A report that is asked for. `only`: what it is narrowed to, by grouping; an empty key is what belongs to none."""

    measure: Definition
    period: Period
    group_by: Grouping
    bucket: Bucket
    working: bool | None = None
    """By which time lengths are shown; None: by that of the norm."""
    only: Mapping[Grouping, str] = field(default_factory=dict)
    as_of: date | None = None
    """What was known by the end of this day alone; None: all that is known now."""

    def known_by(self, now: datetime) -> datetime | None:
        """The moment whose knowledge is asked for. A day that is not over says nothing: it is what is known now."""
        moment = None if self.as_of is None else midnight(self.period.zone, self.as_of, days=1)
        return None if moment is None or moment > now else moment

    @property
    def filters(self) -> Filters:
        """For the reports. What cannot be an id fits nothing."""
        ids = {
            f"{one.value}_ids": (row_number(key) or 0,)
            for one, key in self.only.items()
            if key and one is not Grouping.PLATFORM
        }  # fmt: skip
        platform = self.only.get(Grouping.PLATFORM, "")
        nobodys = tuple(one for one, key in self.only.items() if not key)
        return Filters(**ids, platforms=(platform,) if platform else (), nobodys=nobodys)

    def pairs(self, **changed: str) -> dict[str, str]:
        """The address's query. What is chosen by itself is not said."""
        told = {
            "measure": self.measure.code,
            "from": self.period.start.isoformat(),
            "to": self.period.end.isoformat(),
            "group_by": self.group_by.value,
        }
        if self.bucket is not finest(self.period):
            told["bucket"] = self.bucket.value
        if self.working is not None:
            told["working"] = "1" if self.working else "0"
        return {name: value for name, value in (told | self._narrowing() | self._known() | changed).items() if value}

    def here(self, **changed: str) -> str:
        """The page with some of it changed; an empty value leaves a pair out."""
        return "/reports?" + urlencode(self.pairs(**changed))

    def behind(
        self,
        figure: str,
        *,
        key: tuple[Grouping, str] | None = None,
        days: tuple[date, date] | None = None,
        also: Mapping[str, str] | None = None,
    ) -> str:
        """The list of appeals behind a number: of a row (`key`), of a bucket (`days`), of a bin."""
        start, end = days or (self.period.start, self.period.end)
        told = {"measure": self.measure.code, "figure": figure, "from": start.isoformat(), "to": end.isoformat()}
        return "/reports/appeals?" + urlencode(told | self._narrowing(key) | self._known() | dict(also or {}))

    def file(self, form: str) -> str:
        """The table as a file."""
        return "/reports/file?" + urlencode(self.pairs(bucket="", working="", format=form))

    def file_behind(self, figure: str, also: Mapping[str, str]) -> str:
        """The list as a file."""
        told = {"measure": self.measure.code, "figure": figure, "from": self.period.start.isoformat(), "to": self.period.end.isoformat()}
        return "/reports/appeals/file?" + urlencode(told | self._narrowing() | self._known() | dict(also))

    def _known(self) -> dict[str, str]:
        return {} if self.as_of is None else {"as_of": self.as_of.isoformat()}

    def _narrowing(self, key: tuple[Grouping, str] | None = None) -> dict[str, str]:
        only = dict(self.only) | (dict([key]) if key is not None else {})
        named = {one.value: value for one, value in only.items() if value}
        none = [one.value for one, value in only.items() if not value]
        return named | ({"nobody": none[0]} if none else {})


def question_of(query: Mapping[str, str], *, today: date, tz: str) -> Question:
    """The question of an address. InvalidError when it cannot be read."""
    start, end = query.get("from") or "", query.get("to") or ""
    try:
        until = date.fromisoformat(end) if end else today
        since = date.fromisoformat(start) if start else until - timedelta(days=LAST_DAYS - 1)
        known = date.fromisoformat(query["as_of"]) if query.get("as_of") else None
    except ValueError:
        raise InvalidError("report.period", "Give days such as 2026-11-30.", field="from") from None
    try:
        grouping = Grouping(query.get("group_by") or Grouping.AGENCY)
        only = {one: query[one.value][:_LONGEST] for one in Grouping if query.get(one.value)}
        if query.get("nobody"):
            only[Grouping(query["nobody"])] = ""
    except ValueError:
        raise InvalidError("report.grouping", "There is no such grouping.", field="group_by") from None
    period = Period(start=since, end=until, tz=tz)
    measure = MEASURES.get(query.get("measure") or "", FIRST_ANSWER)
    cuts = sensible(period)
    asked = query.get("bucket") or ""
    bucket = Bucket(asked) if asked in {one.value for one in cuts} else finest(period)
    working = {"1": True, "0": False}.get(query.get("working") or "") if measure.has("working_average_s") else None
    if known is not None and known > today:
        raise InvalidError("report.as_of", "Give a moment that has passed, with its time zone.", field="as_of")
    as_of = None if known == today else known
    return Question(measure=measure, period=period, group_by=grouping, bucket=bucket, working=working, only=only, as_of=as_of)
