"""The administrators' screen of notices: who is told when by what, and letters whose outcome nobody knows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from http import HTTPStatus

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from app.kernel.errors import ForbiddenError, InvalidError
from app.notices.letters import Trouble, decide, troubles
from app.notices.rulebook import RuleRow, add_rule, end_rule, rules_for
from app.notices.rules import TOLD_ROLES, Carrier, Rule
from app.people import administration
from app.people.rules import Grant, Permission, Role
from app.web.deps import current_person, requires
from app.web.ui.fields import Fields, Form
from app.web.ui.notice_views import NoticeRulesPage, RuleLine, TroubleLine
from app.web.ui.places import WHOLE, place_choices, place_of
from app.web.ui.views import Choice
from app.web.ui.visit import CurrentVisit, Visit, see_other, visit_of

router = APIRouter(
    include_in_schema=False,
    dependencies=[Depends(visit_of), Depends(current_person), Depends(requires(Permission.CONFIGURE))],
)

PATH = "/administration/notices"
_DONE = frozenset({"added", "ended", "again", "aside"})
_PERCENT = "percent"
_UNITS = {"minutes": timedelta(minutes=1), "hours": timedelta(hours=1), "days": timedelta(days=1)}
"""How long after the deadline; the other unit is a share of the term."""
_LARGEST = 100_000


@router.get(PATH)
async def rules_screen(visit: CurrentVisit, request: Request) -> Response:
    """The rules, and what went wrong."""
    return await _page(visit, done=next((name for name in request.query_params if name in _DONE), ""))


@router.post(f"{PATH}/rules")
async def add(visit: CurrentVisit, form: Form) -> Response:
    """One more rule, of a place within the administrator's own scope."""
    try:
        agency_id, territory_id = place_of(visit.office.desk.directory, form)
        rule = replace(_rule(form), agency_id=agency_id, territory_id=territory_id)
        place = Grant(role=Role.ADMINISTRATOR, agency_id=agency_id, territory_id=territory_id)
        async with visit.writing() as session:
            await administration.require_grants(session, grants=[place])
            await add_rule(session, visit.access, rule, now=visit.now)
    except (InvalidError, ForbiddenError) as error:
        where = str(error.params.get("field", "amount" if isinstance(error, InvalidError) else "place"))
        return await _page(
            visit, values=form.values, errors={where: visit.words("fault", error.code, error.params, otherwise=error.detail)}
        )
    return see_other(f"{PATH}?added=1")


@router.post(f"{PATH}/rules/end")
async def end(visit: CurrentVisit, form: Form) -> Response:
    """Nobody is told by it any more."""
    async with visit.writing() as session:
        await end_rule(session, visit.access, form.number("rule") or 0, now=visit.now)
    return see_other(f"{PATH}?ended=1")


@router.post(f"{PATH}/letters")
async def decide_letter(visit: CurrentVisit, form: Form) -> Response:
    """Send it again, or put it aside."""
    again = form.text("act") == "again"
    async with visit.writing() as session:
        await decide(session, visit.access, form.number("letter") or 0, again=again, now=visit.now)
    return see_other(f"{PATH}?{'again' if again else 'aside'}=1")


def _rule(form: Fields) -> Rule:
    """The rule of the form. InvalidError that names the field."""
    role, unit, words = form.text("role"), form.text("unit"), form.text("amount")
    if role not in TOLD_ROLES:
        raise InvalidError("notice_rule.role", "Choose who is to be told.", field="role")
    carriers = frozenset(one for one in Carrier if form.text(one.value) == "1")
    amount = int(words) if words.isascii() and words.isdigit() and len(words) < len(str(_LARGEST)) else -1
    if unit == _PERCENT:
        return Rule(role=Role(role), carriers=carriers, share=max(amount, 0))
    return Rule(role=Role(role), carriers=carriers, after=_UNITS.get(unit, timedelta(days=-1)) * amount)


def _line(row: RuleRow) -> RuleLine:
    rule = row.rule
    amount, unit = rule.share or 0, _PERCENT
    if rule.after is not None:
        unit = next(name for name in ("days", "hours", "minutes") if not rule.after % _UNITS[name] or name == "minutes")
        amount = rule.after // _UNITS[unit]
    carriers = tuple(one.value for one in Carrier if one in rule.carriers)
    return RuleLine(
        id=str(row.id), role=rule.role.value, amount=amount, unit=unit, carriers=carriers, place=row.place, ours=row.ours
    )  # fmt: skip


def _trouble(row: Trouble) -> TroubleLine:
    return TroubleLine(id=str(row.id), name=row.name, carrier=row.carrier, state=row.state, notices=row.notices, at=row.at)


async def _page(
    visit: Visit, *, done: str = "", values: Mapping[str, str] | None = None, errors: Mapping[str, str] | None = None
) -> Response:
    given = {one.value: "1" for one in Carrier} | {"unit": "hours", "place": WHOLE} if values is None else values
    async with visit.reading() as session:
        frame = await visit.frame(session)
        rules = await rules_for(session)
        wrong = await troubles(session)

    def choices(kind: str, names: list[str], chosen: str = "") -> tuple[Choice, ...]:
        return tuple(Choice(value=name, label=visit.words(kind, name), chosen=name == chosen) for name in names)

    view = NoticeRulesPage(
        rules=tuple(map(_line, rules)),
        troubles=tuple(map(_trouble, wrong)),
        opened=() if visit.parts.notices is None else visit.parts.notices.open_carriers,
        places=place_choices(visit.office.desk.directory, visit.access, visit.words, given.get("place", "")),
        roles=choices("told_role", [role.value for role in TOLD_ROLES], given.get("role", "")),
        units=choices("notice_unit", [_PERCENT, *_UNITS], given.get("unit", "")),
        carriers=tuple(
            Choice(value=one.value, label=visit.words("carrier", one.value), chosen=given.get(one.value) == "1") for one in Carrier
        ),
        done=done,
        values=given,
        errors=errors or {},
    )
    return visit.page("notice_rules.html", {"page": view}, frame, status=HTTPStatus.UNPROCESSABLE_ENTITY if errors else HTTPStatus.OK)
