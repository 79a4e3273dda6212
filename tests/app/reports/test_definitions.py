"""Every figure has its words, every word its figure; periods that make no sense are refused."""

from __future__ import annotations

from dataclasses import fields
from datetime import UTC, date, datetime

import pytest

from app.kernel.errors import InvalidError
from app.reports.figures import Figures
from app.reports.measures import MEASURES, Unit
from app.reports.rules import Period


def test_what_is_shown_is_defined_once() -> None:
    told = {measure.code for definition in MEASURES.values() for measure in definition.measures}
    assert {one.name for one in fields(Figures)} <= told, "no figure without words"
    figures = Figures(opened=4, answered=2, in_time=1, late=1, waiting=1, closed_unanswered=1)
    for definition in MEASURES.values():
        codes = [measure.code for measure in definition.measures]
        assert len(codes) == len(set(codes))
        assert definition.has(definition.chief)
        assert all((definition.title, definition.population, definition.clock, definition.attribution))
        for measure in definition.measures:
            value = getattr(figures, measure.code)
            assert isinstance(value, int) == (measure.unit is Unit.COUNT), measure.code
            assert all((measure.title, measure.meaning))
    assert (figures.unanswered, figures.in_time_of, figures.in_time_share) == (2, 3, 1 / 3)


@pytest.mark.parametrize(
    ("start", "end", "tz", "code"),
    [
        (date(2026, 2, 1), date(2026, 1, 31), "UTC", "report.period"),
        (date(1999, 12, 31), date(2000, 1, 1), "UTC", "report.period"),
        (date(2099, 1, 1), date(2100, 1, 1), "UTC", "report.period"),
        (date(2010, 1, 1), date(2026, 1, 1), "UTC", "report.period"),
        (date(2026, 1, 1), date(2026, 1, 1), "Europe/Atlantis", "report.time_zone"),
        (date(2026, 1, 1), date(2026, 1, 1), "", "report.time_zone"),
        (date(2026, 1, 1), date(2026, 1, 1), "../etc/passwd", "report.time_zone"),
        (date(2026, 1, 1), date(2026, 1, 1), "Europe", "report.time_zone"),
        (date(2026, 1, 1), date(2026, 1, 1), "a\0b", "report.time_zone"),
    ],
)
def test_periods_that_make_no_sense_are_refused(start: date, end: date, tz: str, code: str) -> None:
    with pytest.raises(InvalidError) as refused:
        Period(start=start, end=end, tz=tz)
    assert refused.value.code == code


def test_a_period_is_its_local_days() -> None:
    """In Moscow the clock stood still for good in October 2014: a day of 25 hours."""
    day = Period(start=date(2014, 10, 26), end=date(2014, 10, 26), tz="Europe/Moscow")
    assert day.since == datetime(2014, 10, 25, 20, tzinfo=UTC)
    assert day.until == datetime(2014, 10, 26, 21, tzinfo=UTC)
