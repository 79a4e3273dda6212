"""The 47 columns of the table, in its order: the Russian name, what a cell holds, and of a calculated one its formula. Pure.

Raw moments are four of the incident - created, first answered by whoever it was, finished, asked for a rating - and
three of the last executor: when it was assigned, when its first answer was handed in for approval, when that answer was
published. Every calculated column is one of these formulas over them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What a cell holds."""

    TEXT = "text"
    MOMENT = "moment"
    DURATION = "duration"
    YES_NO = "yes_no"


class Column(StrEnum):
    """A column by its name in the file."""

    CABINET = "Кабинет"
    ID = "ID"
    NUMBER = "Номер инцидента"
    AGENCY = "Отдел"
    EXECUTOR = "Исполнитель"
    ANSWERED_AT = "Общее время первого ответа"
    ANSWER = "Общий текст первого ответа"
    TO_ANSWER = "Время с даты создания инцидента до времени первого ответа"
    TO_ANSWER_WORKING = "Время с даты создания инцидента до времени первого ответа, рабочее время"
    ASSIGNED_AT = "Время назначения последнего исполнителя"
    OWN_ANSWERED_AT = "Время 1го ответа ПИ"
    REACTION = "Первая реакция с момента назн. ПИ"
    IN_TIME = "Уложились или нет после назн. ПИ"
    WHOLE = "Время с начала создания инцидента до окончания"
    SUBMITTED_AT = "Время отправки первого ответа ПИ на согласование"
    APPROVAL = "Время, которое первый ответ ПИ находился на согласовании"
    STEP = "Текущий шаг инцидента"
    CREATED_AT = "Дата создания"
    FINISHED_AT = "Дата окончания"
    TOPIC_GROUP = "Группа тем"
    TOPIC = "Тема"
    REGION = "Регион"
    MUNICIPALITY = "Муниципалитет"
    SETTLEMENT = "Населенный пункт"
    STREET = "Улица"
    HOUSE = "Дом"
    OLD_OBJECT = "Объект старый"
    OBJECT = "Объект"
    TYPE = "Тип инцидента"
    OUTCOME = "Итог"
    ANSWER_HAS_MEDIA = "Есть медиафайл в ответе"
    TEXT_HAS_MEDIA = "Есть медиафайл в сообщении"
    POST_LINK = "Урл поста"
    PAGE_LINK = "Урл блога"
    TEXT = "Текст инцидента"
    OWN_ANSWER_1 = "1ый ответ ПИ"
    OWN_ANSWER_2 = "2ой ответ ПИ"
    OWN_ANSWER_3 = "3ий ответ ПИ"
    REASON = "Причина закрытия"
    AUDIENCE = "Аудитория"
    ENGAGEMENT = "Вовлеченность"
    AUTHOR_LINK = "URL автора"
    ANSWER_ACCOUNT = "Аккаунт публикации ответа"
    TAGS = "Теги"
    REMARK = "Примечание"
    RATING_AT = "Время попадания на шаг оценка удовлетворенности"
    POLL_SENT = "Опрос отправлен"


class Clock(StrEnum):
    """How time between two moments is counted."""

    CALENDAR = "calendar"
    """Round the clock, exactly."""
    WORKING = "working"
    """By the working hours of the agency or its territory, rounded to the nearest minute, half a minute up."""


@dataclass(frozen=True, slots=True)
class Between:
    """Formula: the time from one moment to another; absent when one of them is."""

    since: Column
    until: Column
    clock: Clock = Clock.CALENDAR


@dataclass(frozen=True, slots=True)
class WithinTerm:
    """Formula: whether a moment came by the deadline of the first answer, its term counted from another moment."""

    since: Column
    until: Column


@dataclass(frozen=True, slots=True)
class Shape:
    """What stands in a column: raw, or calculated by a formula."""

    kind: Kind
    formula: Between | WithinTerm | None = None


_SHAPES = {
    Column.ANSWERED_AT: Shape(Kind.MOMENT),
    Column.TO_ANSWER: Shape(Kind.DURATION, Between(Column.CREATED_AT, Column.ANSWERED_AT)),
    Column.TO_ANSWER_WORKING: Shape(Kind.DURATION, Between(Column.CREATED_AT, Column.ANSWERED_AT, Clock.WORKING)),
    Column.ASSIGNED_AT: Shape(Kind.MOMENT),
    Column.OWN_ANSWERED_AT: Shape(Kind.MOMENT),
    Column.REACTION: Shape(Kind.DURATION, Between(Column.ASSIGNED_AT, Column.SUBMITTED_AT)),
    Column.IN_TIME: Shape(Kind.YES_NO, WithinTerm(Column.ASSIGNED_AT, Column.SUBMITTED_AT)),
    Column.WHOLE: Shape(Kind.DURATION, Between(Column.CREATED_AT, Column.FINISHED_AT)),
    Column.SUBMITTED_AT: Shape(Kind.MOMENT),
    Column.APPROVAL: Shape(Kind.DURATION, Between(Column.SUBMITTED_AT, Column.OWN_ANSWERED_AT)),
    Column.CREATED_AT: Shape(Kind.MOMENT),
    Column.FINISHED_AT: Shape(Kind.MOMENT),
    Column.RATING_AT: Shape(Kind.MOMENT),
}
SHAPES: dict[Column, Shape] = {column: _SHAPES.get(column, Shape(Kind.TEXT)) for column in Column}
"""Every column in the order of the file."""
CALCULATED = {column: shape.formula for column, shape in SHAPES.items() if shape.formula is not None}
MOMENTS = tuple(column for column, shape in SHAPES.items() if shape.kind is Kind.MOMENT)
DURATIONS = tuple(column for column, shape in SHAPES.items() if shape.kind is Kind.DURATION)
