"""What each figure means, said once: screen, API, export and command line print these words beside the figures.

Titles and meanings are msgids, in English; the edge translates them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from app.reports.queries import Clock


def N_(msgid: str) -> str:  # noqa: N802 - the name under which gettext's tools look for such marks
    """Mark a text for the catalogue; it is translated where it is shown."""
    return msgid


class Unit(StrEnum):
    """What a figure counts."""

    COUNT = "count"
    SECONDS = "seconds"
    SHARE = "share"
    MARK = "mark"


@dataclass(frozen=True, slots=True)
class Measure:
    """One figure. `code` is its name in the API and the name of its attribute in `figures.Figures`."""

    code: str
    title: str
    meaning: str
    unit: Unit


@dataclass(frozen=True, kw_only=True, slots=True)
class Definition:
    """What a report counts, from when to when, and its figures, the chief one first.

    `clocked`: the clock of a line that is measured. `dismissed`: dismissed appeals are counted beside.
    """

    code: str
    title: str
    population: str
    clock: str
    attribution: str
    chief: str
    measures: tuple[Measure, ...]
    clocked: Clock = Clock.FIRST
    dismissed: bool = False

    def has(self, code: str) -> bool:
        """Whether a figure belongs to it."""
        return any(one.code == code for one in self.measures)


_COUNTS = {
    one.code: one
    for one in (
        Measure("opened", N_("Appeals"), N_("All of them: answered, waiting and closed without an answer."), Unit.COUNT),
        Measure("answered", N_("Answered"), N_("Appeals that got an answer, in time or late."), Unit.COUNT),
        Measure("in_time", N_("Answered in time"), N_("Answered by the deadline; its own moment is still in time."), Unit.COUNT),
        Measure("late", N_("Answered late"), N_("Answered after the deadline. They are in the average."), Unit.COUNT),
        Measure(
            "unpromised",
            N_("Answered without a deadline"),
            N_("Answered although no deadline had been promised. They are in the average, neither in time nor late."),
            Unit.COUNT,
        ),
        Measure(
            "unanswered",
            N_("Unanswered"),
            N_("Those that wait and those closed without an answer. They stand beside the average, never in it."),
            Unit.COUNT,
        ),
        Measure("waiting", N_("Waiting"), N_("Unanswered appeals that are neither closed nor dismissed."), Unit.COUNT),
        Measure("overdue", N_("Overdue"), N_("Waiting appeals whose deadline has passed."), Unit.COUNT),
        Measure("closed_unanswered", N_("Closed without an answer"), N_("Appeals closed although nobody answered."), Unit.COUNT),
        Measure(
            "reopened",
            N_("Reopened"),
            N_("Answered appeals that were taken up again: the citizen asked on, or a colleague did."),
            Unit.COUNT,
        ),
        Measure(
            "repeated",
            N_("Repeated"),
            N_("Appeals whose author had written on the same topic in the 30 days before."),
            Unit.COUNT,
        ),
        Measure("rating", N_("Mean mark"), N_("The mean of the marks, from 1 to 5."), Unit.MARK),
        Measure("rated", N_("Rated"), N_("Answered appeals whose author gave a mark; the last one counts."), Unit.COUNT),
        Measure("rated_share", N_("Rated, share"), N_("Of the answered appeals, the share whose author gave a mark."), Unit.SHARE),
        Measure("mark_1", N_("Mark 1"), N_("Answers that were given a 1."), Unit.COUNT),
        Measure("mark_2", N_("Mark 2"), N_("Answers that were given a 2."), Unit.COUNT),
        Measure("mark_3", N_("Mark 3"), N_("Answers that were given a 3."), Unit.COUNT),
        Measure("mark_4", N_("Mark 4"), N_("Answers that were given a 4."), Unit.COUNT),
        Measure("mark_5", N_("Mark 5"), N_("Answers that were given a 5."), Unit.COUNT),
        Measure("dismissed", N_("Dismissed"), N_("Spam, abuse, thanks, not a question, duplicates, matters of others."), Unit.COUNT),
        Measure(
            "oldest_unanswered_age_s",
            N_("Oldest waits"),
            N_("The age of the longest waiting appeal: calendar time since the citizen wrote."),
            Unit.SECONDS,
        ),
        Measure(
            "in_time_share",
            N_("In time"),
            N_(
                "The share answered by the deadline among all appeals whose fate is decided: "
                "answered, overdue, or closed without an answer."
            ),
            Unit.SHARE,
        ),
        Measure("overdue_share", N_("Overdue of those waiting"), N_("Of the appeals that wait, the share past its deadline."), Unit.SHARE),
        Measure("reopened_share", N_("Reopened, share"), N_("Of the answered appeals, the share that was taken up again."), Unit.SHARE),
        Measure("repeated_share", N_("Repeated, share"), N_("Of all appeals, the share that repeats an earlier one."), Unit.SHARE),
        Measure(
            "dismissed_share",
            N_("Dismissed, share"),
            N_("Of all that came, the dismissed ones among them, the share dismissed."),
            Unit.SHARE,
        ),
    )
}
_TIMES = (
    Measure("average_s", N_("Average"), N_("The mean calendar time."), Unit.SECONDS),
    Measure("median_s", N_("Median"), N_("Half took no longer than this calendar time."), Unit.SECONDS),
    Measure("p90_s", N_("Nine of ten within"), N_("Nine of ten took no longer than this calendar time."), Unit.SECONDS),
    Measure("p99_s", N_("99 of 100 within"), N_("99 of 100 took no longer than this calendar time."), Unit.SECONDS),
)
_WORKING = (
    Measure("working_average_s", N_("Average, working time"), N_("The mean working time."), Unit.SECONDS),
    Measure("working_median_s", N_("Median, working time"), N_("Half took no longer than this working time."), Unit.SECONDS),
    Measure(
        "working_p90_s", N_("Nine of ten within, working time"), N_("Nine of ten took no longer than this working time."), Unit.SECONDS
    ),
    Measure("working_p99_s", N_("99 of 100 within, working time"), N_("99 of 100 took no longer than this working time."), Unit.SECONDS),
)


def _counts(*codes: str) -> tuple[Measure, ...]:
    return tuple(_COUNTS[code] for code in codes)


_APPEALS = N_(
    "Appeals, and each reopening of one, for which the citizen wrote within the period. "
    "Dismissed ones (spam, abuse, thanks, not a question) are not counted."
)
_PROMISED = N_(
    "Appeals, and each reopening of one, for which the citizen wrote within the period and to which this answer was promised. "
    "Dismissed ones are not counted."
)
_HOLDER = N_(
    "An answer belongs to the agency that held the appeal when it was answered and to the operator who wrote it; "
    "an appeal without an answer, to the agency and the operator that hold it."
)
_TO_PUBLICATION = N_(
    "From the moment the citizen wrote on the platform to the moment the platform published the first answer, "
    "written here or by hand on the platform, without pauses. Calendar time runs round the clock; "
    "working time runs by the calendar that the deadline was set with."
)
_PROMISE_FIGURES = _counts(
    "opened", "answered", "in_time", "late", "unpromised", "unanswered", "waiting", "overdue", "closed_unanswered",
    "oldest_unanswered_age_s", "in_time_share",
)  # fmt: skip
_WHEN_COUNTED = N_("Counted at the moment of the report; ages are calendar time since the citizen wrote.")

FIRST_ANSWER = Definition(
    code="first-answer",
    title=N_("Time to first answer"),
    population=_APPEALS,
    clock=_TO_PUBLICATION,
    attribution=_HOLDER,
    chief="average_s",
    measures=(*_PROMISE_FIGURES, *_counts("reopened", "repeated"), *_TIMES, *_WORKING),
)
INTERIM_ANSWER = Definition(
    code="interim-answer",
    title=N_("Time to interim answer"),
    population=_PROMISED,
    clock=N_("From the start of the interim promise to the moment the platform published that answer, without pauses."),
    attribution=_HOLDER,
    chief="average_s",
    measures=(*_PROMISE_FIGURES, *_TIMES, *_WORKING),
    clocked=Clock.INTERIM,
)
FINAL_ANSWER = Definition(
    code="final-answer",
    title=N_("Time to final answer"),
    population=_PROMISED,
    clock=N_("From the start of the promise of a final answer to the moment the platform published that answer, without pauses."),
    attribution=_HOLDER,
    chief="average_s",
    measures=(*_PROMISE_FIGURES, *_TIMES, *_WORKING),
    clocked=Clock.FINAL,
)
AGENCY_ANSWER = Definition(
    code="agency-answer",
    title=N_("The agency's own time"),
    population=N_(
        "Appeals, and each reopening of one, for which the citizen wrote within the period and the agency handed in a draft. "
        "Dismissed ones are not counted."
    ),
    clock=N_(
        "From the moment the appeal was last given to the agency to the moment its draft was handed in, without pauses: "
        "neither the way to the agency nor the way to the platform counts against it."
    ),
    attribution=_HOLDER,
    chief="average_s",
    measures=(*_counts("answered"), *_TIMES, *_WORKING),
    clocked=Clock.AGENCY,
)
APPROVAL = Definition(
    code="approval",
    title=N_("Time to approval"),
    population=N_(
        "Appeals, and each reopening of one, for which the citizen wrote within the period and whose answer another person approved. "
        "Dismissed ones are not counted."
    ),
    clock=N_("From the moment the answer was handed in to the moment it was approved; one that was returned before is not counted."),
    attribution=_HOLDER,
    chief="average_s",
    measures=(*_counts("answered"), *_TIMES, *_WORKING),
    clocked=Clock.APPROVAL,
)
DETECTION_LAG = Definition(
    code="detection-lag",
    title=N_("Time until we notice"),
    population=N_("Appeals that came from a platform and whose citizen wrote within the period. Dismissed ones are not counted."),
    clock=N_(
        "From the moment the citizen wrote on the platform to the moment the comment was stored here. "
        "Machines do not keep hours: calendar time."
    ),
    attribution=_HOLDER,
    chief="average_s",
    measures=(*_counts("answered"), *_TIMES),
    clocked=Clock.DETECTION,
)
TRIAGE_LAG = Definition(
    code="triage-lag",
    title=N_("Time in triage"),
    population=N_("Appeals that came from a platform and whose citizen wrote within the period. Dismissed ones are not counted."),
    clock=N_("From the moment the comment was stored here to the moment it became an appeal of an agency."),
    attribution=_HOLDER,
    chief="average_s",
    measures=(*_counts("answered"), *_TIMES, *_WORKING),
    clocked=Clock.TRIAGE,
)
IN_TIME = Definition(
    code="in-time",
    title=N_("Answered in time"),
    population=_APPEALS,
    clock=_TO_PUBLICATION,
    attribution=_HOLDER,
    chief="in_time_share",
    measures=_counts("in_time_share", "in_time", "late", "overdue", "closed_unanswered", "unpromised", "opened"),
)
OVERDUE = Definition(
    code="overdue",
    title=N_("Overdue now"),
    population=_APPEALS,
    clock=_WHEN_COUNTED,
    attribution=N_("An appeal belongs to the agency and the operator that hold it."),
    chief="overdue",
    measures=_counts("overdue", "waiting", "overdue_share", "oldest_unanswered_age_s"),
)
REOPENED = Definition(
    code="reopened",
    title=N_("Reopened appeals"),
    population=_APPEALS,
    clock=N_("Whether a further cycle was begun after the answer, whenever it was."),
    attribution=_HOLDER,
    chief="reopened_share",
    measures=_counts("reopened_share", "reopened", "answered", "opened"),
)
DISMISSED = Definition(
    code="dismissed",
    title=N_("Dismissed appeals"),
    population=N_("Everything that became an appeal and whose citizen wrote within the period; here the dismissed ones are counted too."),
    clock=N_("Whether it was dismissed, whenever it was."),
    attribution=_HOLDER,
    chief="dismissed_share",
    measures=_counts("dismissed_share", "dismissed", "opened"),
    dismissed=True,
)
REPEATED = Definition(
    code="repeated",
    title=N_("Repeated appeals"),
    population=_APPEALS,
    clock=N_("Whether the same author wrote on the same topic in the 30 days before."),
    attribution=_HOLDER,
    chief="repeated_share",
    measures=_counts("repeated_share", "repeated", "opened"),
)
RATING = Definition(
    code="rating",
    title=N_("Rating of answers"),
    population=_APPEALS,
    clock=N_(
        "The last mark from 1 to 5 that the appeal's own author wrote under the answer, whenever it was. "
        "Answers without a mark are counted beside, never in the mean."
    ),
    attribution=_HOLDER,
    chief="rating",
    measures=_counts("rating", "rated", "rated_share", "mark_1", "mark_2", "mark_3", "mark_4", "mark_5", "answered"),
)
LOAD = Definition(
    code="load",
    title=N_("Load"),
    population=_APPEALS,
    clock=_WHEN_COUNTED,
    attribution=_HOLDER,
    chief="opened",
    measures=_counts("opened", "answered", "waiting", "overdue", "closed_unanswered", "oldest_unanswered_age_s"),
)
BACKLOG = Definition(
    code="backlog",
    title=N_("Backlog by day"),
    population=N_(
        "Appeals, and each reopening of one, that were waiting for their first answer at the end of the day, whenever the citizen wrote."
    ),
    clock=N_("Counted at the last moment of each local day; of the day that has not ended yet, at the moment of the report."),
    attribution=_HOLDER,
    chief="waiting",
    measures=_counts("waiting"),
)

MEASURES: dict[str, Definition] = {
    one.code: one
    for one in (
        FIRST_ANSWER, IN_TIME, OVERDUE, INTERIM_ANSWER, FINAL_ANSWER, AGENCY_ANSWER, APPROVAL, DETECTION_LAG, TRIAGE_LAG, REOPENED,
        REPEATED, RATING, DISMISSED, LOAD, BACKLOG,
    )
}  # fmt: skip
