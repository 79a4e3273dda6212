"""A norm as a form: from its fields to promises, and back to what the screen shows."""

from __future__ import annotations

import hashlib
from contextlib import nullcontext, suppress
from typing import TYPE_CHECKING

from app.kernel.errors import InvalidError
from app.sla.norms import Norm
from app.sla.policy import MOST_WARNINGS, WARN_SHARES, Term
from app.sla.rules import Promise
from app.web.ui.choices import agency_choices, topic_choices
from app.web.ui.norm_views import NormForm, TermView
from app.web.ui.queue_view import sorting
from app.web.ui.views import Choice

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from app.web.ui.fields import Fields
    from app.web.ui.visit import Visit

PRIORITIES = ("ordinary", "urgent")
_DAYS = 0
_UNITS = {
    "working_hours": (3600, True),
    "hours": (3600, False),
    "working_days": (_DAYS, True),
    "days": (_DAYS, False),
    "working_minutes": (60, True),
    "minutes": (60, False),
}
"""Name → seconds (0: whole days), and whether working time is meant."""
_LARGEST = {3600: 87_000, _DAYS: 3_660, 60: 5_000_000}


def norm_of(form: Fields, code: str, *, lenient: bool = False) -> Norm:
    """The norm that a form describes. InvalidError that names the field; `lenient` leaves out what cannot be read instead."""
    promises: dict[Promise, Term | None] = {}
    for promise in Promise:
        state = form.text(f"{promise.value}_unit")
        if state == "none":
            promises[promise] = None
        elif state in _UNITS:
            with suppress(InvalidError) if lenient else nullcontext():
                promises[promise] = _term(form, promise, state)
    shares: tuple[float, ...] = WARN_SHARES
    with suppress(InvalidError) if lenient else nullcontext():
        shares = _shares(form.text("warn_shares"))
    return Norm(
        code=code,
        name=form.text("name"),
        topic_id=form.number("topic"),
        agency_id=form.number("agency"),
        territory_id=form.number("territory"),
        platform=form.text("platform") or None,
        priority=form.text("priority") or None,
        promises=promises,
        warn_shares=shares,
    )


def _shares(words: str) -> tuple[float, ...]:
    """Percents by comma or space, in any order; none at all is no warning."""
    percents = [word.removesuffix("%") for word in words.replace(",", " ").replace(";", " ").split() if word != "%"]
    if not all(word.isdecimal() and word.isascii() for word in percents):
        raise InvalidError("norm.shares", "Write percents of the term.", field="warn_shares", most=MOST_WARNINGS)
    return tuple(sorted({int(word) / 100 for word in percents}))


def shares_text(shares: Iterable[float]) -> str:
    """As a person writes them: 50, 80."""
    return ", ".join(f"{share * 100:g}" for share in shares)


def _term(form: Fields, promise: Promise, unit: str) -> Term:
    amount = form.number(f"{promise.value}_amount")
    seconds, working = _UNITS[unit]
    if amount is None or amount > _LARGEST[seconds]:
        raise InvalidError("norm.amount", "Say how many hours or days: a whole number from 1 on, up to ten years.", field=promise.value)
    after_interim = promise is Promise.FINAL_ANSWER and form.text("after_interim") == "1"
    if seconds == _DAYS:
        return Term(days=amount, working=working, after_interim=after_interim)
    return Term(seconds=amount * seconds, working=working, after_interim=after_interim)


def digest(norm: Norm) -> str:
    """Names the very values of a norm: what is saved must be what was tried."""
    where = (norm.code, norm.topic_id, norm.agency_id, norm.territory_id, norm.platform, norm.priority)
    told = repr((*where, sorted(norm.promises.items()), norm.warn_shares))
    return hashlib.sha256(told.encode()).hexdigest()[:32]


def terms_of(promises: Mapping[Promise, Term | None]) -> tuple[TermView, ...]:
    """Every promise in its place, those that the norm does not speak of too."""
    return tuple(_view(promise, promises) for promise in Promise)


def _view(promise: Promise, promises: Mapping[Promise, Term | None]) -> TermView:
    if promise not in promises:
        return TermView(promise=promise.value, state="open", after_interim=promise is Promise.FINAL_ANSWER)
    term = promises[promise]
    if term is None:
        return TermView(promise=promise.value, state="none")
    size = _DAYS if term.days else 3600 if term.seconds % 3600 == 0 else 60
    unit = next(name for name, kind in _UNITS.items() if kind == (size, term.working))
    amount = term.days or -(-term.seconds // size)
    return TermView(promise=promise.value, state="term", amount=amount, unit=unit, working=term.working, after_interim=term.after_interim)


def form_of(visit: Visit, norm: Norm, *, version: int = 0) -> NormForm:
    """The form with its lists."""
    directory = visit.office.desk.directory
    places = sorted(directory.territories.values(), key=lambda node: (sorting(node.name), node.id))
    return NormForm(
        code=norm.code,
        name=norm.name,
        terms=terms_of(norm.promises),
        territories=tuple(Choice(value=str(one.id), label=one.name, chosen=one.id == norm.territory_id) for one in places),
        agencies=agency_choices(directory, str(norm.agency_id or "")),
        topics=topic_choices(directory, str(norm.topic_id or ""), whole=visit.words("hint", "whole_group")),
        platforms=tuple(
            Choice(value=one, label=visit.words("platform", one), chosen=one == norm.platform) for one in sorted(visit.parts.plugins)
        ),
        priorities=tuple(Choice(value=one, label=visit.words("priority", one), chosen=one == norm.priority) for one in PRIORITIES),
        version=version,
        warn_shares=shares_text(norm.warn_shares),
    )
