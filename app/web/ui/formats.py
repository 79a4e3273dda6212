"""Moments, spans and numbers as people read them, in one language. Times are shown in the screen's zone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_datetime, format_time, get_day_names, get_timezone_location
from babel.numbers import format_decimal, format_percent
from babel.support import NullTranslations
from jinja2 import pass_context
from jinja2.runtime import Context
from markupsafe import Markup

from app.sla.calendar import Ranges, format_hours

_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
_DAYS_FROM = 2 * _DAY  # below that, hours say more


class Formats:
    """The filters of one language."""

    def __init__(self, language: str, translations: NullTranslations) -> None:
        self.language = language
        self._gettext = translations.gettext

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Their names in templates."""
        return {
            "moment": pass_context(lambda context, value, zone=None: self.moment(value, *_screen(context, zone))),
            "clock": pass_context(lambda context, value, zone=None: self.clock(value, _screen(context, zone)[0])),
            "day": self.day,
            "weekday": self.weekday,
            "ranges": ranges,
            "month_name": self.month_name,
            "period": self.period,
            "slice": self.slice,
            "iso": iso,
            "span": self.span,
            "hours": self.hours,
            "share": self.share,
            "number": self.number,
            "mark": self.mark,
            "appeal_number": appeal_number,
            "browser": browser,
            "zone_name": self.zone_name,
        }

    def moment(self, value: datetime, zone: ZoneInfo, now: datetime) -> Markup:
        """A `<time>`: the hour today, the day and the hour this year, with the year before; the whole in its title."""
        local, today = value.astimezone(zone), now.astimezone(zone).date()
        pattern = "HH:mm" if local.date() == today else "d MMM, HH:mm"
        if local.year != today.year:
            pattern = "d MMM yyyy, HH:mm"
        return Markup('<time datetime="{}" title="{}">{}</time>').format(
            iso(value),
            f"{format_datetime(local, 'd MMMM yyyy, HH:mm:ss', locale=self.language)}, {self.zone_name(zone, value)}",
            format_datetime(local, pattern, locale=self.language),
        )

    def clock(self, value: datetime, zone: ZoneInfo) -> str:
        """Hours and minutes."""
        return format_time(value.astimezone(zone), "HH:mm", locale=self.language)

    def day(self, value: date) -> str:
        """A day with its weekday."""
        return format_date(value, "EEE, d MMM", locale=self.language)

    def weekday(self, number: int) -> str:
        """A weekday in short, 0 is Monday."""
        return str(get_day_names("abbreviated", "stand-alone", self.language)[number])

    def month_name(self, value: date) -> str:
        """The month of a day by itself, without its year."""
        return format_date(value, "LLLL", locale=self.language)

    def period(self, start: date, end: date, kind: str | None = None) -> str:
        """A run of days by its name: "November 2026", "4th quarter 2026", "1 Nov 2026 – 9 Nov 2026"."""
        patterns = {"day": "d MMMM yyyy", "month": "LLLL yyyy", "quarter": "QQQQ yyyy", "year": "yyyy"}
        if kind in patterns:
            return format_date(start, patterns[kind], locale=self.language)
        first = "d MMM" if start.year == end.year else "d MMM yyyy"
        return f"{format_date(start, first, locale=self.language)} – {format_date(end, 'd MMM yyyy', locale=self.language)}"

    def slice(self, start: date, end: date, kind: str) -> str:
        """A part of a period, short: "3 Nov", "3–9 Nov", "Nov 2026"."""
        patterns = {"day": "d MMM", "month": "LLL yyyy", "quarter": "QQQ yyyy", "year": "yyyy"}
        if kind in patterns or start == end:
            return format_date(start, patterns.get(kind, "d MMM"), locale=self.language)
        first = "d" if start.month == end.month else "d MMM"
        return f"{format_date(start, first, locale=self.language)}–{format_date(end, 'd MMM', locale=self.language)}"

    def span(self, seconds: float, in_hours: bool = False) -> str:  # noqa: FBT001, FBT002 - a filter's argument
        """A length of time in its two largest units, never negative: "2 d 4 h", "3 h 05 min", "12 min".

        `in_hours`: of working time, whose day is not of 24 hours.
        """
        whole = int(abs(seconds))
        day, hour, minute = self._gettext("d"), self._gettext("h"), self._gettext("min")
        if whole >= _DAYS_FROM and not in_hours:
            return f"{whole // _DAY} {day} {whole % _DAY // _HOUR} {hour}"
        if whole >= _HOUR:
            return f"{whole // _HOUR} {hour} {whole % _HOUR // _MINUTE:02d} {minute}"
        return f"{whole // _MINUTE} {minute}"

    def mark(self, value: float) -> str:
        """A mean mark, with two decimals."""
        return format_decimal(value, "0.00", locale=self.language)

    def hours(self, value: float | None) -> str:
        """Hours with one decimal; two below one hour; a dash when there are none."""
        if value is None:
            return "–"
        return format_decimal(value, "#,##0.00" if value < 1 else "#,##0.0", locale=self.language)

    def share(self, value: float | None) -> str:
        """A share of 1 in whole per cent; rounded towards the middle, so that 100 % means all and 0 % none."""
        if value is None:
            return "–"
        per_cent = round(value * 100)
        if 0 < value < 1:
            per_cent = min(max(per_cent, 1), 99)
        return format_percent(per_cent / 100, locale=self.language)

    def number(self, value: float) -> str:
        """A number with the language's separators."""
        return format_decimal(value, locale=self.language)

    def zone_name(self, zone: ZoneInfo, at: datetime) -> str:
        """A zone's city and its distance from UTC at a moment, such as "Moscow (UTC+3)"."""
        offset = at.astimezone(zone).utcoffset()
        minutes = int(offset.total_seconds() // _MINUTE) if offset else 0
        sign, hours, rest = "−" if minutes < 0 else "+", *divmod(abs(minutes), 60)
        distance = f"UTC{sign}{hours}" + (f":{rest:02d}" if rest else "")
        name = get_timezone_location(zone, locale=self.language, return_city=True)
        return distance if name.startswith(("UTC", "GMT")) else f"{name} ({distance})"


def iso(value: datetime) -> str:
    """For machines: UTC, to the second."""
    return value.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def ranges(hours: Ranges) -> str:
    """Working hours of a day: "09:00–13:00, 14:00–18:00"; "" for none."""
    return ", ".join(one.replace("-", "–") for one in format_hours(hours))


def appeal_number(number: str | int) -> str:
    """An appeal's number in groups of three that do not break over lines."""
    digits = f"{number:09d}" if isinstance(number, int) else number
    if not digits.isdigit():
        return digits
    first = len(digits) % 3 or 3
    groups = [digits[:first], *(digits[i : i + 3] for i in range(first, len(digits), 3))]
    return "\u00a0".join(groups)


# In this order: most browsers also call themselves Chrome, and all of those Safari.
_BROWSERS = (
    ("YaBrowser/", "Yandex"),
    ("Edg/", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("Version/", "Safari"),
)
_SYSTEMS = (("Windows", "Windows"), ("Android", "Android"), ("iPhone", "iPhone"), ("iPad", "iPad"), ("Mac OS", "macOS"), ("Linux", "Linux"))


def browser(agent: str) -> str:
    """What people call a browser that calls itself so: "Firefox 145, Windows"; the beginning of a strange name."""
    for mark, name in _BROWSERS:
        _, found, rest = agent.partition(mark)
        if found:
            system = next((name for mark, name in _SYSTEMS if mark in agent), "")
            version = rest.split(".", 1)[0].split(" ", 1)[0][:6]
            return f"{name} {version}" + (f", {system}" if system else "")
    return agent[:60]


def _screen(context: Context, zone: ZoneInfo | None) -> tuple[ZoneInfo, datetime]:
    screen = context["screen"]
    return zone or screen.zone, screen.now
