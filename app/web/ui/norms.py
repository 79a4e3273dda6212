"""The screens of norms: what is promised to whom, what a change would have done, saving it, applying it to what waits."""

from __future__ import annotations

from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING

from fastapi import APIRouter, Depends
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from app.appeals.foreseen import foresee, running_clocks
from app.appeals.reopening import load_promises
from app.audit import service as audit
from app.kernel.errors import InvalidError, NotFoundError
from app.kernel.jobs import NORMS_APPLY, enqueue
from app.people.rules import Permission
from app.sla.effect import JUDGED
from app.sla.norms import LOOKED_BACK, MOST_JUDGED, Norm, NormRow, checked, effect_of, end_norm, list_norms, past_matters, save_norm
from app.sla.presets import PRESETS, preset
from app.sla.replace import count_open
from app.sla.service import load_book
from app.web.deps import requires
from app.web.ui.fields import Form
from app.web.ui.norm_form import digest, form_of, norm_of, terms_of
from app.web.ui.norm_views import ApplyPage, EffectLine, EffectView, NormForm, NormLine, NormsPage, PresetLine
from app.web.ui.queue_view import sorting
from app.web.ui.visit import CurrentVisit, Visit, see_other, visit_of

if TYPE_CHECKING:
    from app.kernel.db import ReadSession
    from app.sla.effect import Effect

HERE = "/administration/norms"

router = APIRouter(include_in_schema=False, dependencies=[Depends(visit_of), Depends(requires(Permission.NORM_EDIT))])


@router.get(HERE)
async def norms_screen(visit: CurrentVisit, applied: str = "") -> Response:
    """All norms in their newest version, those in force first."""
    async with visit.reading() as session:
        frame = await visit.frame(session)
        rows = await list_norms(session)
        waiting = await count_open(session, None) if visit.access.may(Permission.APPEAL_READ) else None
    lines = sorted((_line(visit, row) for row in rows), key=lambda line: (not line.holds, sorting(line.name)))
    presets = tuple(PresetLine(code=one.code, name=one.name, terms=terms_of(one.promises)) for one in PRESETS)
    if visit.language == "en":
        presets = tuple(PresetLine(code=one.code, name=one.name_en, terms=terms_of(one.promises)) for one in PRESETS)
    page = NormsPage(rows=tuple(lines), presets=presets, waiting=waiting, applied=applied == "1")
    return visit.page("norms.html", {"page": page}, frame)


@router.get(HERE + "/new")
async def new_norm(visit: CurrentVisit, preset_code: str = "") -> Response:
    """A form with a preset filled in, or an empty one."""
    chosen = preset(preset_code)
    norm = Norm(name="", promises={}) if chosen is None else Norm(name=chosen.name, priority=chosen.priority, promises=chosen.promises)
    return await _shown(visit, form_of(visit, norm))


@router.get(HERE + "/apply")
async def ask_to_apply(visit: CurrentVisit) -> Response:
    """The second question: how many appeals that wait would move, and what would become of them."""
    async with visit.reading() as session:
        frame = await visit.frame(session)
        rows = await running_clocks(session)
        promises = await load_promises(session, now=visit.now)
    told = await run_in_threadpool(foresee, rows, promises, now=visit.now)
    page = ApplyPage(
        waiting=told.waiting, moved=told.moved, late=told.late, late_no_more=told.late_no_more, capped=told.capped,
        everywhere=_territories(visit) is None,
    )  # fmt: skip
    return visit.page("norms_apply.html", {"page": page}, frame)


@router.get(HERE + "/{code}")
async def one_norm(visit: CurrentVisit, code: str) -> Response:
    """The form with the newest version filled in: saving makes another one."""
    async with visit.reading() as session:
        row = await _norm(session, code)
    return await _shown(visit, form_of(visit, row.norm, version=row.version))


@router.post(HERE + "/save")
async def save(visit: CurrentVisit, form: Form) -> Response:
    """Try it on the last month; once that was looked at, save it as a new version."""
    code, seen = form.text("code"), form.text("seen")
    try:
        norm = norm_of(form, code)
        mark = digest(norm)
        async with visit.writing() as session:
            directory = visit.office.desk.directory
            clean = checked(norm, directory)
            if form.text("act") == "save" and seen == mark:
                await save_norm(session, visit.access, clean, directory, now=visit.now)
                await audit.record(session, operator_id=visit.access.operator_id, act="norm.saved", subject="norm", subject_id=0)
                return see_other(HERE)
            told = await _effect(visit, session, clean)
    except InvalidError as error:
        shown = replace(
            form_of(visit, norm_of(form, code, lenient=True)), errors={str(error.params.get("field", "name")): _sentence(visit, error)}
        )
        return await _shown(visit, shown, status=HTTPStatus.UNPROCESSABLE_ENTITY)
    return await _shown(visit, replace(form_of(visit, norm), effect=told, seen=mark))


@router.post(HERE + "/end")
async def end(visit: CurrentVisit, form: Form) -> Response:
    """It sets no clock from now on."""
    async with visit.writing() as session:
        await end_norm(session, visit.access, form.text("code"), now=visit.now)
        await audit.record(session, operator_id=visit.access.operator_id, act="norm.ended", subject="norm", subject_id=0)
    return see_other(HERE)


@router.post(HERE + "/apply")
async def apply(visit: CurrentVisit, form: Form) -> Response:
    """The worker counts the deadlines of waiting appeals anew, once it was asked twice; each change is an event of its appeal."""
    if form.text("act") != "apply":
        return see_other(f"{HERE}/apply")
    async with visit.writing() as session:
        await enqueue(session, NORMS_APPLY, {"operator": visit.access.operator_id, "territories": _territories(visit)})
        await audit.record(session, operator_id=visit.access.operator_id, act="norm.applied", subject="territory", subject_id=0)
    return see_other(f"{HERE}?applied=1")


def _territories(visit: Visit) -> list[int] | None:
    """Where the person sets norms; None is everywhere."""
    grants = [grant for grant in visit.access.grants if grant.role.value in {"coordinator", "administrator"}]
    if any(grant.territory_id is None and grant.agency_id is None for grant in grants):
        return None
    directory = visit.office.desk.directory
    return sorted({one for grant in grants if grant.territory_id is not None for one in directory.territories_under(grant.territory_id)})


async def _norm(session: ReadSession, code: str) -> NormRow:
    rows = await list_norms(session, code=code)
    if not rows or not rows[0].mine:
        raise NotFoundError("norm.unknown", "There is no such norm in force that you may end.")
    return rows[0]


async def _shown(visit: Visit, form: NormForm, *, status: int = HTTPStatus.OK) -> Response:
    async with visit.reading() as session:
        frame = await visit.frame(session)
    return visit.page("norm.html", {"form": form}, frame, status=status)


async def _effect(visit: Visit, session: ReadSession, norm: Norm) -> EffectView:
    found = await past_matters(session, visit.office.desk.directory, since=visit.now - LOOKED_BACK, until=visit.now)
    book = await load_book(session, now=visit.now)
    # Some seconds for twenty thousand matters: others are answered meanwhile.
    told = await run_in_threadpool(effect_of, norm, book, found, now=visit.now)
    return effect_view(visit, told, most=MOST_JUDGED)


def effect_view(visit: Visit, told: Effect, *, most: int) -> EffectView:
    """An effect for the screen; of more matters than `most` only the newest were judged."""
    return EffectView(judged=told.judged, lines=_lines(told), capped=told.judged >= most, everywhere=_territories(visit) is None)


def _lines(told: Effect) -> tuple[EffectLine, ...]:
    return tuple(
        EffectLine(
            promise=one.value,
            before={standing.value: number for standing, number in told.before[one].items()},
            after={standing.value: number for standing, number in told.after[one].items()},
            better=told.better.get(one, 0),
            worse=told.worse.get(one, 0),
        )
        for one in JUDGED
        if any(standing.value != "not_promised" for side in (told.before[one], told.after[one]) for standing in side)
    )


def _line(visit: Visit, row: NormRow) -> NormLine:
    directory, norm = visit.office.desk.directory, row.norm
    names = (
        visit.words("priority", norm.priority) if norm.priority else "",
        *(
            node.name if node else ""
            for node in (
                directory.topics.get(norm.topic_id or 0),
                directory.agencies.get(norm.agency_id or 0),
                directory.territories.get(norm.territory_id or 0),
            )
        ),
        visit.words("platform", norm.platform) if norm.platform else "",
    )
    return NormLine(
        code=norm.code,
        name=norm.name,
        version=row.version,
        terms=tuple(one for one in terms_of(norm.promises) if one.state != "open"),
        where=tuple(name for name in names if name),
        holds=row.holds(visit.now),
        mine=row.mine,
    )


def _sentence(visit: Visit, error: InvalidError) -> str:
    return visit.words("fault", error.code, error.params, otherwise=error.detail)
