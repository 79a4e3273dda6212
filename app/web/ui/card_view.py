"""From the rows of one appeal to what its screen shows."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from app.appeals.card_rows import Card, EarlierRow, EventRow, ReplyRow, TimerRow, VerdictRow
from app.appeals.rules import WAITING, Act, Status, possible
from app.kernel.log import logger
from app.people.rules import Permission
from app.replies.amending import ASKED, Change, Leave, lacking, leave
from app.sla.calendar import CalendarError, WorkingCalendar, explain_between
from app.sla.queries import EXPLAINED_UP_TO, calendars_of
from app.web.ui.clock_parts import clock_parts
from app.web.ui.clock_views import DeadlineLine, DeadlineView
from app.web.ui.formats import appeal_number
from app.web.ui.queue_view import number_text
from app.web.ui.reasons import policy_reasons, route_reasons, triage_reasons
from app.web.ui.thread_view import May, answerable, merged_view, post_view, thread_view
from app.web.ui.views import (
    AppealCard,
    Draft,
    Due,
    EarlierAppeal,
    HistoryLine,
    NoteView,
    PictureField,
    QueueFilters,
    ThreadComment,
    VerdictView,
)

if TYPE_CHECKING:
    from app.kernel.db import ReadSession
    from app.people.rules import Access
    from app.web.ui.visit import Visit

DEFAULT_LIMIT = 4_000
_OTHERS = 3
_ACTS = {
    "route": (Act.ROUTED, Permission.APPEAL_ROUTE),
    "topic": (Act.TOPIC_SET, Permission.APPEAL_WORK),
    "dismiss": (Act.DISMISSED, Permission.APPEAL_WORK),
    "close": (Act.CLOSED, Permission.APPEAL_WORK),
    "reopen": (Act.REOPENED, Permission.APPEAL_WORK),
    "note": (Act.NOTED, Permission.APPEAL_NOTE),
    "pause": (Act.PAUSED, Permission.APPEAL_WORK),
    "extend": (Act.EXTENDED, Permission.APPEAL_EXTEND),
    "merge": (Act.MERGED, Permission.APPEAL_WORK),
    "unmerge": (Act.UNMERGED, Permission.APPEAL_WORK),
}


async def card_view(
    session: ReadSession, visit: Visit, found: Card, *, filters: QueueFilters, draft: Draft | None = None, error: str = ""
) -> AppealCard:
    """The card; one statement more than `found` took: the calendars that its deadlines were counted by."""
    appeal, plugin = found.appeal, visit.parts.plugins.get(found.appeal.platform)
    timers = [timer for timer in found.timers if timer.cycle == appeal.cycle]
    calendars = await calendars_of(session, [timer.calendar_version_id for timer in timers])
    return AppealCard(
        number=number_text(appeal.number),
        version=appeal.version,
        status=appeal.status.value,
        platform=appeal.platform,
        page=appeal.page_title or "",
        author=appeal.author_name or "",
        territory=appeal.territory_name,
        topic=appeal.topic_name or "",
        agency=appeal.agency_name,
        opened_at=appeal.opened_at,
        post=post_view(found, visit.media),
        comments=_thread(visit, found),
        deadlines=tuple(_deadline(visit, found, timer, calendars.get(timer.calendar_version_id or 0)) for timer in timers),
        verdict=_verdict(visit, found),
        history=tuple(_history(visit, event) for event in found.events),
        assignee=appeal.operator_name or "",
        mine=appeal.operator_id == visit.access.operator_id,
        notes=tuple(NoteView(author=note.operator_name, at=note.recorded_at, text=note.text) for note in found.notes),
        earlier=tuple(map(_earlier, found.earlier_appeals)),
        actions=_actions(visit, found),
        reply_limit=DEFAULT_LIMIT if plugin is None else plugin.text_limit,
        outcome=appeal.close_reason or "",
        filters=filters,
        earlier_comments=found.earlier_comments,
        held_until=found.held_until,
        draft=draft,
        error=error,
        approved_first=visit.office.desk.directory.approves_first(appeal.agency_id),
        merged_into="" if appeal.merged_into is None else number_text(appeal.merged_into),
        merged=merged_view(found),
        pictures=_pictures(visit, found),
    )


def _pictures(visit: Visit, found: Card) -> PictureField | None:
    """Only where the platform takes them, and a token is there that may bring them."""
    taken = visit.pictures.taken(visit.parts.plugins).get(found.appeal.platform)
    most = 0 if taken is None else taken.most(None if found.post is None else found.post.ref, found.appeal.token_kinds)
    if most == 0:
        return None
    return PictureField(most=most, megabytes=max(visit.pictures.most_bytes // (1024 * 1024), 1))


def _earlier(one: EarlierRow) -> EarlierAppeal:
    return EarlierAppeal(number=number_text(one.number), topic=one.topic_name or "", opened_at=one.opened_at, status=one.status.value)


def _thread(visit: Visit, found: Card) -> tuple[ThreadComment, ...]:
    access = visit.access
    place = {"agency_id": found.appeal.agency_id, "territory_id": found.appeal.territory_id}
    here = found.held_until is None
    post = None if found.post is None else found.post.ref
    may = May(
        operator_id=access.operator_id,
        work=here and access.may(Permission.APPEAL_WORK),
        release=access.reaches(Permission.PUBLISHING_STOP, **place),
        approve=here and access.reaches(Permission.ANSWER_APPROVE, **place),
        now=visit.now,
        mend_at=f"/pages/{found.appeal.page_id}#trouble"
        if found.appeal.page_id and access.reaches(Permission.PAGE_CONNECT, **place)
        else "",
        lacking=lacking(visit.parts.plugins.get(found.appeal.platform), post, token_kinds=found.appeal.token_kinds),
        amend=partial(_amendable, visit, found),
    )
    return thread_view(found, visit.media, may)


def _amendable(visit: Visit, found: Card, reply: ReplyRow) -> Mapping[str, Leave]:
    """What the platform would let be done to an answer where it stands, if it is ours to do.

    The one that a colleague ended by reopening is not deleted.
    """
    appeal, plugin = found.appeal, visit.parts.plugins.get(found.appeal.platform)
    own = reply.agency_id in {None, appeal.agency_id} or visit.access.reaches(
        Permission.APPEAL_WORK, agency_id=reply.agency_id, territory_id=appeal.territory_id
    )
    if not own:
        return {}
    post = None if found.post is None else found.post.ref
    anew = any(one.act is Act.REOPENED and one.cycle > reply.cycle and "comment" not in one.data for one in found.events)
    may = {change: leave(change, plugin, post, token_kinds=appeal.token_kinds, published_at=reply.published_at) for change in ASKED}
    return {change.value: one for change, one in may.items() if one is not None and not (anew and change is Change.DELETE)}


def _actions(visit: Visit, found: Card) -> frozenset[str]:
    """What may be done by state and role, and by the norms: an interim answer needs one that says when the final is due."""
    names = actions(visit.access, found)
    if "answer" in names and found.appeal.status in WAITING and visit.office.promises.final(found.appeal, visit.now):
        names |= {"interim"}
    if "extend" in names and not extendable(found, visit.now):
        names -= {"extend"}
    return names


def extendable(found: Card, now: datetime) -> list[TimerRow]:
    """The deadlines that can still be put off."""
    if any(pause.until is None for pause in found.pauses):
        return []
    running = (timer for timer in found.timers if timer.cycle == found.appeal.cycle and timer.stopped_at is None)
    return [timer for timer in running if timer.breached_at is None and now < timer.due_at]


def actions(access: Access, found: Card) -> frozenset[str]:
    """What this person may do with it now, by the last word of the act's address."""
    if found.held_until is not None:
        return frozenset()
    can = possible(found.appeal.status)
    names = {name for name, (act, permission) in _ACTS.items() if act in can and access.may(permission)}
    if found.appeal.merged_into is None:
        names -= {"unmerge"}
    if found.appeal.merged_count:
        names -= {"merge"}
    if "pause" in names:
        if any(pause.until is None for pause in found.pauses):
            names = names - {"pause"} | {"resume"}
        elif not any(timer.stopped_at is None for timer in found.timers):
            names.remove("pause")
    if access.may(Permission.APPEAL_WORK):
        mine = found.appeal.operator_id == access.operator_id
        if Act.TAKEN in can and (not mine or found.appeal.status is Status.NEW):
            names.add("take")
        if Act.REPLY_QUEUED in can:
            names |= _answering(found)
    return frozenset(names)


def _answering(found: Card) -> set[str]:
    """Under a comment we publish; where there is none and no page, a person answers and says so."""
    if any(answerable(comment) for comment in found.comments):
        return {"answer"}
    return {"posted"} if found.appeal.page_id is None and found.appeal.comment_id is None else set()


# --- deadlines -------------------------------------------------------------------------------------------------


def _deadline(visit: Visit, found: Card, timer: TimerRow, calendar: WorkingCalendar | None) -> DeadlineView:
    directory = visit.office.desk.directory
    zone = calendar.timezone if calendar is not None else directory.timezone_of(found.appeal.territory_id)
    working = bool(timer.term.get("working"))
    days = int(timer.term.get("days", 0))
    return DeadlineView(
        promise=timer.promise,
        due=Due(due_at=timer.due_at, near_at=timer.near_at or timer.due_at),
        started_at=timer.started_at,
        term_seconds=float(timer.term.get("seconds", 0)) or days * timedelta(days=1).total_seconds(),
        term_days=days,
        since="interim" if timer.term.get("after") else "again" if timer.cycle > 1 else "",
        working=working,
        zone=ZoneInfo(zone),
        policy=timer.policy_name,
        policy_reasons=policy_reasons(timer.choice.get("reasons", ()), code=timer.policy_code, name=timer.policy_name),
        lines=_arithmetic(visit.language, timer, calendar) if working and calendar is not None else (),
        stopped_at=timer.stopped_at,
        outcome=timer.outcome or "",
        **clock_parts(found, timer, calendar, now=visit.now),
    )


def _arithmetic(language: str, timer: TimerRow, calendar: WorkingCalendar) -> tuple[DeadlineLine, ...]:
    """Which hours of which day counted; nothing for terms too long to tell.

    Between whole minutes, as the moments are shown: else the reader's own sum would be a minute short.
    """
    if not timedelta(0) <= timer.due_at - timer.started_at <= EXPLAINED_UP_TO:
        return ()
    try:
        rows = explain_between(calendar, *(moment.replace(second=0, microsecond=0) for moment in (timer.started_at, timer.due_at))).rows
    except CalendarError as error:  # a moment that the calendar does not reach
        logger.error("calendar_unusable", calendar_version=timer.calendar_version_id, error=str(error))
        return ()
    return tuple(
        DeadlineLine(
            day=row.date,
            seconds=row.counted.total_seconds(),
            spans=row.spans,
            kind=row.day.kind.value,
            note=str(row.note),
            name=(row.day.name_en if language == "en" else "") or row.day.name,
        )
        for row in rows
    )


# --- verdict and history ---------------------------------------------------------------------------------------


def _verdict(visit: Visit, found: Card) -> VerdictView | None:
    verdict = found.verdict
    if verdict is None:
        return None
    directory = visit.office.desk.directory
    topic = None if verdict.topic_id is None else directory.topics.get(verdict.topic_id)
    group = None if topic is None else directory.topics[topic.lineage[-1]]
    return VerdictView(
        topic=verdict.topic_name or "",
        group=group.name if group is not None and group.id != verdict.topic_id else "",
        confidence=min(max(float(verdict.confidence), 0.0), 1.0),
        reasons=triage_reasons(verdict.reasons, directory),
        classifier=f"{verdict.classifier} {verdict.version}",
        decided_at=verdict.recorded_at,
        corrected_by=(verdict.operator_name or "–") if verdict.operator_id is not None else "",
        routing=route_reasons(verdict.route_reason, directory, found.appeal.page_title or ""),
        others=_others(visit, verdict),
    )


def _others(visit: Visit, verdict: VerdictRow) -> tuple[tuple[str, float], ...]:
    directory = visit.office.desk.directory
    scores = sorted(verdict.scores.items(), key=lambda item: (-item[1], item[0]))
    ids = [(directory.topic_id(code), score) for code, score in scores]
    return tuple((directory.topics[key].name, score) for key, score in ids if key is not None and key != verdict.topic_id)[:_OTHERS]


def _history(visit: Visit, event: EventRow) -> HistoryLine:
    directory, data = visit.office.desk.directory, event.data
    agency, topic = directory.agencies.get(_id(data, "agency")), directory.topics.get(_id(data, "topic"))
    reasons = {Act.DISMISSED: "dismiss_reason", Act.CLOSED: "close_reason", Act.PAUSED: "pause_reason"}.get(event.act)
    return HistoryLine(
        kind=event.act.value,
        occurred_at=event.occurred_at,
        recorded_at=event.recorded_at,
        actor=event.operator_name or "",
        params={
            "agency": agency.name if agency else "–",
            "topic": topic.name if topic else "–",
            "reason": visit.words(reasons, str(data.get("reason", "–"))) if reasons else "",
            "promise": visit.words("promise", str(data.get("promise", ""))),
            "mark": str(data.get("mark", "–")),
            "number": appeal_number(number_text(number)) if isinstance(number := data.get("number"), int) else "–",
        },
        approver=event.approver_name or "",
        brought="system" in data,
    )


def _id(data: Mapping[str, object], name: str) -> int:
    value = data.get(name)
    return value if isinstance(value, int) else 0
