"""Whole days, weeks, months, quarters and years, as people choose them. Pure."""

from __future__ import annotations

from datetime import date, timedelta

from app.reports.rules import FIRST_DAY, LAST_DAY, Bucket, Period, slices

_ONE = timedelta(days=1)
_LONGEST_BY_DAY, _LONGEST_BY_WEEK = 45, 200
_FEWEST, _MOST = 2, 120


def whole(kind: Bucket, day: date) -> tuple[date, date]:
    """The first and the last day of the calendar's day, week, month, quarter or year in which a day lies."""
    if kind is Bucket.DAY:
        return day, day
    if kind is Bucket.WEEK:
        monday = day - timedelta(days=day.weekday())
        return monday, monday + timedelta(days=6)
    months = {Bucket.MONTH: 1, Bucket.QUARTER: 3, Bucket.YEAR: 12}[kind]
    first = (day.month - 1) // months * months + 1
    after = day.year * 12 + first - 1 + months
    return date(day.year, first, 1), date(after // 12, after % 12 + 1, 1) - _ONE


def kind_of(period: Period) -> Bucket | None:
    """Which kind of whole a period is; None for any other run of days."""
    return next((kind for kind in Bucket if whole(kind, period.start) == (period.start, period.end)), None)


def following(period: Period) -> Period | None:
    """The next period of the same kind: as `before`, the other way. None beyond the days that can be asked for."""
    day = period.end + _ONE
    kind = kind_of(period)
    if kind is not None:
        start, end = whole(kind, day)
    elif period.start.day == 1 and day.day == 1:
        months = (period.end.year - period.start.year) * 12 + period.end.month - period.start.month + 1
        last = day.year * 12 + day.month - 1 + months
        start, end = day, date(last // 12, last % 12 + 1, 1) - _ONE
    else:
        start, end = day, day + (period.end - period.start)
    return None if end > LAST_DAY or start < FIRST_DAY else Period(start=start, end=end, tz=period.tz)


def finest(period: Period) -> Bucket:
    """Into what a period is cut so that a picture of it can be read: days of a month, weeks of half a year, months of more."""
    days = (period.end - period.start).days + 1
    if days <= _LONGEST_BY_DAY:
        return Bucket.DAY
    return Bucket.WEEK if days <= _LONGEST_BY_WEEK else Bucket.MONTH


def sensible(period: Period) -> tuple[Bucket, ...]:
    """The cuts that make more than one point of a period and not too many; of a day, the day."""
    able = tuple(kind for kind in Bucket if _FEWEST <= len(slices(period, kind)) <= _MOST)
    return able or (finest(period),)
