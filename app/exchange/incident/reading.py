"""What a row of the table says, checked: moments, durations, how it stands, how it ended. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, TypeVar

from app.appeals.rules import CloseReason, DismissReason
from app.exchange.incident.calculated import Told
from app.exchange.incident.columns import DURATIONS, MOMENTS, Column
from app.exchange.incident.mapping import Of
from app.exchange.incident.values import folded, is_absent, read_duration, read_moment

if TYPE_CHECKING:
    from collections.abc import Mapping as ReadOnly
    from datetime import datetime, timedelta
    from zoneinfo import ZoneInfo

    from app.exchange.incident.mapping import Mapping
    from app.exchange.table import Faults, Line


OWN_ANSWERS = (Column.OWN_ANSWER_1, Column.OWN_ANSWER_2, Column.OWN_ANSWER_3)
_T = TypeVar("_T")


class Step(StrEnum):
    """How far an incident is."""

    WAITING = "waiting"
    ANSWERED = "answered"
    CLOSED = "closed"


STEPS = {
    "новый": Step.WAITING, "создан": Step.WAITING, "назначен": Step.WAITING, "в работе": Step.WAITING,
    "подготовка ответа": Step.WAITING, "согласование": Step.WAITING, "на согласовании": Step.WAITING,
    "оценка удовлетворенности": Step.ANSWERED, "готово": Step.CLOSED,
}  # fmt: skip
OUTCOMES = {"разъяснено": CloseReason.EXPLAINED, "решено": CloseReason.SOLVED}
BY_OUTCOME = "outcome"
"""A reason of closing that says nothing of the matter: the outcome does."""
REASONS: dict[str, CloseReason | DismissReason | str] = {
    "": BY_OUTCOME, "нет ответа от автора": BY_OUTCOME, "1": BY_OUTCOME, "2": BY_OUTCOME, "3": BY_OUTCOME, "4": BY_OUTCOME,
    "5": BY_OUTCOME, "автор доволен": CloseReason.AUTHOR_SATISFIED,
    "дальнейший диалог нецелесообразен": CloseReason.NO_FURTHER_DIALOGUE,
    "ответ на площадке невозможен": CloseReason.CANNOT_REPLY, "спам": DismissReason.SPAM, "оскорбления": DismissReason.ABUSE,
    "благодарность": DismissReason.GRATITUDE, "не вопрос": DismissReason.NOT_A_QUESTION, "дубликат": DismissReason.DUPLICATE,
    "не в нашем ведении": DismissReason.NOT_OURS,
}  # fmt: skip
IN_TIME = {"да": True, "уложились": True, "нет": False, "не уложились": False}
_IN_TIME_OURS = {"yes": True, "no": False}
_REASONS_OURS: dict[str, CloseReason | DismissReason | str] = {
    BY_OUTCOME: BY_OUTCOME, **{one.value: one for one in CloseReason}, **{one.value: one for one in DismissReason},
}  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """A row whose cells could be read. `reason` is set when it is finished."""

    line: Line
    told: Told
    step: Step
    reason: CloseReason | DismissReason | None

    @property
    def moments(self) -> ReadOnly[Column, datetime]:
        """Its raw moments."""
        return self.told.moments

    @property
    def end(self) -> CloseReason | DismissReason | None:
        """How it ends here: whatever was answered was an appeal, so it is closed although the table dismisses it."""
        if isinstance(self.reason, DismissReason) and Column.ANSWERED_AT in self.moments:
            return CloseReason.NO_FURTHER_DIALOGUE
        return self.reason


def read_row(line: Line, mapping: Mapping, zone: ZoneInfo, faults: Faults) -> Row | None:
    """The row; None when it is at fault or asks for something unknown, which is noted."""
    before = (len(faults.found), sum(len(rows) for rows in mapping.asked.values()))
    moments = _moments(line, zone, faults)
    durations = _durations(line, faults)
    in_time = _known(line, Of.IN_TIME, Column.IN_TIME, IN_TIME, _IN_TIME_OURS, mapping, faults)
    step = _known(line, Of.STEP, Column.STEP, STEPS, {one.value: one for one in Step}, mapping, faults) or Step.WAITING
    reason = _reason(line, mapping, faults) if step is Step.CLOSED else None
    _check(line, moments, step, faults)
    if (len(faults.found), sum(len(rows) for rows in mapping.asked.values())) != before:
        return None
    return Row(line=line, told=Told(moments=moments, durations=durations, in_time=in_time), step=step, reason=reason)


def _moments(line: Line, zone: ZoneInfo, faults: Faults) -> dict[Column, datetime]:
    found = {}
    for column in MOMENTS:
        try:
            moment = read_moment(line[column], zone)
        except ValueError as error:
            faults.add(line, f"«{column}» is {line[column][:60]!r}: {error}.")
            continue
        if moment is not None:
            found[column] = moment
    return found


def _durations(line: Line, faults: Faults) -> dict[Column, timedelta]:
    found = {}
    for column in DURATIONS:
        try:
            duration = read_duration(line[column])
        except ValueError as error:
            faults.add(line, f"«{column}» is {line[column][:60]!r}: {error}.")
            continue
        if duration is not None:
            found[column] = duration
    return found


def _known(
    line: Line, of: Of, column: Column, words: ReadOnly[str, _T], ours: ReadOnly[str, _T], mapping: Mapping, faults: Faults
) -> _T | None:
    """What a word of the table means: by the mapping file, else as it is known; None when the cell is empty or unknown."""
    value = "" if is_absent(line[column]) else line[column]
    given = mapping.ours(of, value)
    if given is not None:
        if given not in ours:
            faults.add(line, f"The mapping file says {given!r} for {of.value} {value!r}. Known are: {', '.join(ours)}.")
        return ours.get(given)
    found = words.get(folded(value))
    if found is None and value:
        mapping.ask(of, value, line.number)
    return found


def _reason(line: Line, mapping: Mapping, faults: Faults) -> CloseReason | DismissReason | None:
    reason = _known(line, Of.REASON, Column.REASON, REASONS, _REASONS_OURS, mapping, faults)
    if reason is None or isinstance(reason, CloseReason | DismissReason):
        return reason
    known = {one.value: one for one in OUTCOMES.values()}
    outcome = _known(line, Of.OUTCOME, Column.OUTCOME, OUTCOMES, known, mapping, faults)
    if outcome is None and is_absent(line[Column.OUTCOME]) and mapping.ours(Of.OUTCOME, "") is None:
        mapping.ask(Of.OUTCOME, "", line.number)
    return outcome


def _check(line: Line, moments: ReadOnly[Column, datetime], step: Step, faults: Faults) -> None:
    """Note what no appeal can have lived through."""
    created = moments.get(Column.CREATED_AT)
    if created is None:
        if is_absent(line[Column.CREATED_AT]):
            faults.add(line, f"«{Column.CREATED_AT}» is empty. Every clock begins there.")
        return
    for column, moment in moments.items():
        if moment < created:
            faults.add(line, f"«{column}» is before «{Column.CREATED_AT}». Mend one of them.")
    first, own = moments.get(Column.ANSWERED_AT), moments.get(Column.OWN_ANSWERED_AT)
    if own is not None and (first is None or own < first):
        faults.add(
            line, f"«{Column.OWN_ANSWERED_AT}» is set, so «{Column.ANSWERED_AT}» is that moment or an earlier one. Mend one of them."
        )
    if first is None and any(not is_absent(line[column]) for column in (Column.ANSWER, *OWN_ANSWERS)):
        faults.add(line, f"There is an answer, but «{Column.ANSWERED_AT}» is empty. Say when it was published.")
    if step is Step.ANSWERED and first is None:
        faults.add(line, f"«{Column.STEP}» says that it is answered, but «{Column.ANSWERED_AT}» is empty. Mend one of them.")
    if (step is Step.CLOSED) != (Column.FINISHED_AT in moments):
        faults.add(
            line, f"«{Column.STEP}» is «{line[Column.STEP]}», «{Column.FINISHED_AT}» is «{line[Column.FINISHED_AT]}». Mend one of them."
        )
