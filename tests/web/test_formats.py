"""Moments, spans and figures as people read them."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from app.web.ui.formats import Formats, appeal_number, iso
from app.web.ui.labels import TABLES, Words
from app.web.ui.render import catalogue
from app.web.ui.views import Due, DueState, QueueFilters

NOW = datetime(2026, 3, 4, 9, 30, tzinfo=UTC)
RU, EN = Formats("ru", catalogue("ru")), Formats("en", catalogue("en"))
URAL = ZoneInfo("Asia/Yekaterinburg")


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "0 мин"), (59, "0 мин"), (60, "1 мин"), (3599, "59 мин"), (3600, "1 ч 00 мин"), (8100, "2 ч 15 мин"),
        (172_799, "47 ч 59 мин"), (172_800, "2 д 0 ч"), (187_200, "2 д 4 ч"), (-8100, "2 ч 15 мин"),
    ],
)  # fmt: skip
def test_spans(seconds: int, shown: str) -> None:
    assert RU.span(seconds) == shown


def test_moments_say_as_much_as_is_needed() -> None:
    def shown(moment: datetime) -> str:
        return str(RU.moment(moment, URAL, NOW)).split(">")[1].removesuffix("</time")

    assert shown(NOW) == "14:30"
    assert shown(datetime(2026, 3, 3, 19, 30, tzinfo=UTC)) == "00:30"  # already today in the Urals
    assert shown(datetime(2026, 2, 1, 4, 0, tzinfo=UTC)) == "1 февр., 09:00"
    assert shown(datetime(2025, 2, 1, 4, 0, tzinfo=UTC)) == "1 февр. 2025, 09:00"
    full = str(RU.moment(NOW, URAL, NOW))
    assert 'datetime="2026-03-04T09:30:00Z"' in full
    assert "4 марта 2026, 14:30:00, Екатеринбург (UTC+5)" in full


@pytest.mark.parametrize(
    ("share", "shown"),
    [(None, "–"), (0.0, "0\xa0%"), (0.001, "1\xa0%"), (0.995, "99\xa0%"), (1.0, "100\xa0%"), (0.625, "62\xa0%")],
)
def test_all_and_none_are_said_only_of_all_and_none(share: float | None, shown: str) -> None:
    assert RU.share(share) == shown


def test_hours_in_both_languages() -> None:
    assert (RU.hours(4.25), EN.hours(4.35), RU.hours(0.5), RU.hours(None)) == ("4,2", "4.4", "0,50", "–")
    assert (RU.day(date(2026, 3, 4)), EN.day(date(2026, 3, 4))) == ("ср, 4 мар.", "Wed, 4 Mar")


@pytest.mark.parametrize(
    ("zone", "distance"),
    [
        ("Europe/Kaliningrad", "(UTC+2)"),
        ("Asia/Kamchatka", "(UTC+12)"),
        ("Asia/Kolkata", "(UTC+5:30)"),
        ("America/New_York", "(UTC−5)"),
    ],
)
def test_zones_carry_their_distance(zone: str, distance: str) -> None:
    assert RU.zone_name(ZoneInfo(zone), NOW).endswith(distance)
    assert RU.zone_name(ZoneInfo("UTC"), NOW) == "UTC+0"


def test_numbers_of_appeals() -> None:
    assert [appeal_number(n) for n in (95_962_093, "4829", 482913077)] == ["095\xa0962\xa0093", "4\xa0829", "482\xa0913\xa0077"]
    assert iso(datetime(2026, 3, 4, 12, 30, tzinfo=ZoneInfo("Europe/Moscow"))) == "2026-03-04T09:30:00Z"


def test_a_deadline_turns_at_its_moments() -> None:
    due = Due(due_at=NOW, near_at=datetime(2026, 3, 4, 8, 30, tzinfo=UTC))
    moments = (datetime(2026, 3, 4, 8, 29, 59, tzinfo=UTC), due.near_at, NOW)
    assert [due.state(moment) for moment in moments] == [DueState.CALM, DueState.NEAR, DueState.OVERDUE]


def test_filters_make_addresses() -> None:
    filters = QueueFilters(mine=True, agency="7", q="ямы & лужи")
    assert not QueueFilters().query()
    assert filters.query(without="q") == "?mine=1&agency=7"
    assert filters.query(cursor="a b").endswith("&cursor=a+b")


def test_words_of_codes_never_fail_a_page() -> None:
    words = Words(catalogue("ru").gettext)
    assert words("status", "in_work") == "В работе"
    assert words("status", "unheard_of") == "unheard_of"
    assert words("event", "routed", {"agency": "Дорожная служба"}) == "Передано: Дорожная служба"
    assert words("event", "routed", {}) == "routed"
    for table, codes in TABLES.items():
        for code in codes:
            assert words(table, code)
