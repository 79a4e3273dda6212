"""Norms to begin with: what regions and the law have set (public orders and press). They differ, so they are only rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from app.sla.policy import Term
from app.sla.rules import Promise

_HOUR = 3600


@dataclass(frozen=True, kw_only=True, slots=True)
class Preset:
    """A norm that can be taken over as it is: its promises, and the priority it is for, if for one only."""

    code: str
    name: str
    name_en: str
    promises: Mapping[Promise, Term | None]
    priority: str | None = None


_WEEK_AFTER_INTERIM = Term(days=7, working=True, after_interim=True)

PRESETS: tuple[Preset, ...] = (
    Preset(
        code="day",
        name="Сутки на первый ответ",
        name_en="A day to the first answer",
        promises={Promise.FIRST_ANSWER: Term(seconds=24 * _HOUR), Promise.FINAL_ANSWER: _WEEK_AFTER_INTERIM},
    ),
    Preset(
        code="nine-hours",
        name="9 рабочих часов, после промежуточного ответа 7 рабочих дней",
        name_en="9 working hours, 7 working days after an interim answer",
        promises={Promise.FIRST_ANSWER: Term(seconds=9 * _HOUR, working=True), Promise.FINAL_ANSWER: _WEEK_AFTER_INTERIM},
    ),
    Preset(
        code="four-hours-urgent",
        name="Срочные: 4 рабочих часа, после промежуточного ответа 7 рабочих дней",
        name_en="Urgent: 4 working hours, 7 working days after an interim answer",
        promises={Promise.FIRST_ANSWER: Term(seconds=4 * _HOUR, working=True), Promise.FINAL_ANSWER: _WEEK_AFTER_INTERIM},
        priority="urgent",
    ),
    Preset(
        code="eight-hours",
        name="8 часов на первый ответ",
        name_en="8 hours to the first answer",
        promises={Promise.FIRST_ANSWER: Term(seconds=8 * _HOUR), Promise.FINAL_ANSWER: _WEEK_AFTER_INTERIM},
    ),
    Preset(
        code="formal",
        name="Официальное обращение: 30 дней",
        name_en="A formal appeal: 30 days",
        promises={Promise.FIRST_ANSWER: Term(days=30), Promise.FINAL_ANSWER: Term(days=30)},
    ),
)


def preset(code: str) -> Preset | None:
    """The preset of this code."""
    return next((one for one in PRESETS if one.code == code), None)
