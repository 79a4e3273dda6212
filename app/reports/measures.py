"""What each figure means, said once: screen, API, export and command line print these words beside the figures.

Titles and meanings are msgids, in English; the edge translates them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


def N_(msgid: str) -> str:  # noqa: N802 - the name under which gettext's tools look for such marks
    """Mark a text for the catalogue; it is translated where it is shown."""
    return msgid


class Unit(StrEnum):
    """What a figure counts."""

    COUNT = "count"
    SECONDS = "seconds"
    SHARE = "share"


@dataclass(frozen=True, slots=True)
class Measure:
    """One figure. `code` is its name in the API and the name of its attribute in `figures.Figures`."""

    code: str
    title: str
    meaning: str
    unit: Unit


@dataclass(frozen=True, slots=True)
class Definition:
    """What a report counts, from when to when, and its figures."""

    code: str
    title: str
    population: str
    clock: str
    attribution: str
    measures: tuple[Measure, ...]


_COUNTS = (
    Measure(
        "opened",
        N_("Appeals"),
        N_("All of them: answered, waiting and closed without an answer."),
        Unit.COUNT,
    ),
    Measure("answered", N_("Answered"), N_("Appeals that got a first answer, in time or late."), Unit.COUNT),
    Measure("in_time", N_("Answered in time"), N_("Answered by the deadline; its own moment is still in time."), Unit.COUNT),
    Measure("late", N_("Answered late"), N_("Answered after the deadline. They are in the average."), Unit.COUNT),
    Measure(
        "unanswered",
        N_("Unanswered"),
        N_("Those that wait and those closed without an answer. They stand beside the average, never in it."),
        Unit.COUNT,
    ),
    Measure("waiting", N_("Waiting"), N_("Unanswered appeals whose clock is running."), Unit.COUNT),
    Measure("overdue", N_("Overdue"), N_("Waiting appeals whose deadline has passed."), Unit.COUNT),
    Measure("closed_unanswered", N_("Closed without an answer"), N_("Appeals closed although nobody answered."), Unit.COUNT),
    Measure(
        "oldest_unanswered_age_s",
        N_("Oldest waits"),
        N_("The age of the longest waiting appeal: calendar time since the citizen wrote."),
        Unit.SECONDS,
    ),
)
_TIMES = (
    Measure("average_s", N_("Average"), N_("The mean calendar time to the first answer."), Unit.SECONDS),
    Measure("median_s", N_("Median"), N_("Half of the answers came within this calendar time."), Unit.SECONDS),
    Measure("p90_s", N_("Nine of ten within"), N_("Nine of ten answers came within this calendar time."), Unit.SECONDS),
    Measure("working_average_s", N_("Average, working time"), N_("The mean working time to the first answer."), Unit.SECONDS),
    Measure(
        "working_median_s",
        N_("Median, working time"),
        N_("Half of the answers came within this working time."),
        Unit.SECONDS,
    ),
    Measure(
        "working_p90_s",
        N_("Nine of ten within, working time"),
        N_("Nine of ten answers came within this working time."),
        Unit.SECONDS,
    ),
    Measure(
        "in_time_share",
        N_("In time"),
        N_("The share answered by the deadline among all appeals whose fate is decided: answered, overdue, or closed without an answer."),
        Unit.SHARE,
    ),
)

RESPONSE_TIMES = Definition(
    code="response_times",
    title=N_("Time to first answer"),
    population=N_(
        "Appeals, and each reopening of one, for which the citizen wrote within the period. "
        "Dismissed ones (spam, abuse, thanks, not a question) are not counted."
    ),
    clock=N_(
        "From the moment the citizen wrote on the platform to the moment the platform published the first answer, "
        "written here or by hand on the platform, without pauses. Calendar time runs round the clock; "
        "working time runs by the calendar that the deadline was set with."
    ),
    attribution=N_(
        "An answer belongs to the agency that held the appeal when it was answered and to the operator who wrote it; "
        "an appeal without an answer, to the agency and the operator that hold it."
    ),
    measures=_COUNTS + _TIMES,
)
