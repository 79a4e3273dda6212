"""Days off from iCalendar files: whole days are taken, everything else is named; a hostile file costs no more than a refusal."""

from __future__ import annotations

import contextlib
from datetime import date

import pytest
from hypothesis import given, settings, strategies as st

from app.kernel.errors import InvalidError
from app.sla.ical import LARGEST_FILE, MOST_ENTRIES, Read, Why, read_ical

FIRST, LAST = date(2026, 1, 1), date(2029, 12, 31)


def read(*entries: str) -> Read:
    body = "".join(f"BEGIN:VEVENT\r\nUID:{number}\r\n{entry}\r\nEND:VEVENT\r\n" for number, entry in enumerate(entries))
    return read_ical(
        f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\n{body}END:VCALENDAR\r\n".encode(), first=FIRST, last=LAST, timezone="Asia/Omsk"
    )


def days(found: Read) -> list[tuple[str, str]]:
    return [(one.first.isoformat(), one.last.isoformat()) for one in found.spans]


def lines(*properties: str) -> str:
    return "\r\n".join(properties)


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ("DTSTART;VALUE=DATE:20260624", [("2026-06-24", "2026-06-24")]),
        (lines("DTSTART;VALUE=DATE:20260501", "DTEND;VALUE=DATE:20260504"), [("2026-05-01", "2026-05-03")]),
        (lines("DTSTART;VALUE=DATE:20260501", "DURATION:P2D"), [("2026-05-01", "2026-05-02")]),
        # Midnight in Omsk told in UTC, and told without a zone.
        (lines("DTSTART:20260623T180000Z", "DTEND:20260624T180000Z"), [("2026-06-24", "2026-06-24")]),
        ("DTSTART:20260624T000000", [("2026-06-24", "2026-06-24")]),
        ("DTSTART;VALUE=DATE:20200624\r\nRRULE:FREQ=YEARLY", [(f"{year}-06-24", f"{year}-06-24") for year in range(2026, 2030)]),
        ("DTSTART;VALUE=DATE:20260624\r\nRRULE:FREQ=YEARLY;INTERVAL=2;COUNT=2", [("2026-06-24",) * 2, ("2028-06-24",) * 2]),
        ("DTSTART;VALUE=DATE:20200229\r\nRRULE:FREQ=YEARLY", [("2028-02-29",) * 2]),
        ("DTSTART;VALUE=DATE:20260624\r\nRRULE:FREQ=YEARLY;UNTIL=20271231\r\nEXDATE;VALUE=DATE:20260624", [("2027-06-24",) * 2]),
    ],
)  # fmt: skip
def test_whole_days_are_taken(entry: str, expected: list[tuple[str, str]]) -> None:
    found = read(entry)
    assert (days(found), found.left_out) == (expected, ())


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        ("SUMMARY:Без даты", Why.NO_DATE),
        ("DTSTART;VALUE=DATE:20269999", Why.NO_DATE),
        ("DTSTART;VALUE=DATE:20260101\r\nDTSTART;VALUE=DATE:20260102", Why.NO_DATE),
        ("DTSTART:20260624T100000\r\nDTEND:20260624T120000", Why.HOURS),
        ("DTSTART;VALUE=DATE:20260624\r\nDURATION:PT5H", Why.HOURS),
        ("DTSTART;TZID=Mars/Olympus:20260624T000000", Why.ZONE),
        ("DTSTART;VALUE=DATE:20260624\r\nSTATUS:CANCELLED", Why.CANCELLED),
        ("DTSTART;VALUE=DATE:20260101\r\nDTEND;VALUE=DATE:20261231", Why.LONG),
        ("DTSTART;VALUE=DATE:19700101", Why.OUTSIDE),
        ("DTSTART:99991231T235959Z", Why.OUTSIDE),
        ("DTSTART;VALUE=DATE:20260624\r\nRRULE:FREQ=SECONDLY", Why.REPEATS),
        ("DTSTART;VALUE=DATE:20260624\r\nRRULE:FREQ=YEARLY;INTERVAL=0", Why.REPEATS),
        ("DTSTART;VALUE=DATE:20260624\r\nRRULE:FREQ=DAILY;BYMONTH=2;BYMONTHDAY=31", Why.REPEATS),
        ("DTSTART;VALUE=DATE:20260624\r\nRRULE:FREQ=YEARLY\r\nRRULE:FREQ=YEARLY", Why.REPEATS),
        ("DTSTART;VALUE=DATE:20260624\r\nRDATE;VALUE=DATE:20260625", Why.REPEATS),
    ],
)
def test_whatever_is_no_whole_day_is_named_with_its_reason(entry: str, why: Why) -> None:
    """A holiday file held days that are worked, and people called the deadlines wrong (zammad 390)."""
    found = read(f"{entry}\r\nSUMMARY:Мой день" if "SUMMARY" not in entry else entry, "DTSTART;VALUE=DATE:20260624")
    assert days(found) == [("2026-06-24", "2026-06-24")], "the others are taken all the same"
    assert [(one.number, one.why) for one in found.left_out] == [(1, why)]
    assert found.left_out[0].name in {"Мой день", "Без даты"}


@pytest.mark.parametrize(
    "data",
    [b"", b"\x00\xff\xfe", b"PK\x03\x04", b"BEGIN:VCALENDAR\r\n" + b"BEGIN:VEVENT\r\n" * 5_000, b"x" * (LARGEST_FILE + 1),
     b"BEGIN:VCALENDAR\r\n" + b"BEGIN:VEVENT\r\nEND:VEVENT\r\n" * (MOST_ENTRIES + 1) + b"END:VCALENDAR\r\n"],
)  # fmt: skip
def test_what_is_no_such_file_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidError):
        read_ical(data, first=FIRST, last=LAST, timezone="Europe/Moscow")


@settings(max_examples=60)
@given(st.lists(st.sampled_from([
    b"BEGIN:VEVENT", b"END:VEVENT", b"BEGIN:VCALENDAR", b"END:VCALENDAR", b"DTSTART;VALUE=DATE:20260624", b"DTSTART:00010101T000000Z",
    b"DTEND:99991231T235959Z", b"RRULE:FREQ=YEARLY;UNTIL=00010101", b"RRULE:", b"EXDATE:x", b"DURATION:P9999999999D", b"SUMMARY:\xff\x00",
    b"DTSTART;TZID=../../etc/passwd:20260624T000000", b"RRULE:FREQ=YEARLY;COUNT=-1", b"DTEND;VALUE=DATE:10000101",
])))  # fmt: skip
def test_no_file_brings_it_down(pieces: list[bytes]) -> None:
    with contextlib.suppress(InvalidError):
        read_ical(
            b"\r\n".join([b"BEGIN:VCALENDAR", b"BEGIN:VEVENT", *pieces, b"END:VEVENT", b"END:VCALENDAR"]),
            first=FIRST,
            last=LAST,
            timezone="Asia/Kamchatka",
        )
