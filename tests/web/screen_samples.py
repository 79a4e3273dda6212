"""Invented views for tests of the screens: each template, with everything a template can show."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date, timedelta

from app.sources.rules import News
from app.web.ui import amendment_words, calendar_words, labels
from app.web.ui.clock_views import DeadlineLine, DeadlineView, ExtensionView, PauseView, ShareView
from app.web.ui.permissions import HeldRole, permissions_page
from app.web.ui.publishing import PublishingPage
from app.web.ui.reply_views import AmendmentView, FormerWords, ReplyView
from app.web.ui.report_views import Problem, SignInForm
from app.web.ui.stop_views import StopView
from app.web.ui.triage_views import ActionForm, Suggestion, TriagePage, TriageRow
from app.web.ui.views import (
    AppealCard,
    Attachment,
    Choice,
    Due,
    EarlierAppeal,
    Facet,
    FacetCounts,
    HistoryLine,
    NoteView,
    PostView,
    QueueFilters,
    QueuePage,
    QueueRow,
    Reason,
    Revision,
    Screen,
    ThreadComment,
    VerdictView,
    Viewer,
)
from tests.web import page_samples, report_samples
from tests.web.screen_bits import HOSTILE, NOW, ZONE, ago

EVERYTHING = (
    "take", "route", "topic", "dismiss", "close", "reopen", "pause", "resume", "extend", "answer", "interim", "note", "merge", "unmerge",
)  # fmt: skip


def due(hours: float) -> Due:
    """A deadline so many hours away, near two hours before it."""
    return Due(due_at=NOW + timedelta(hours=hours), near_at=NOW + timedelta(hours=hours - 2))


def screen(language: str = "ru", *, signed_in: bool = True, keys_on: bool = True, here: str = "/queue") -> Screen:
    """A coordinator's screen, or nobody's."""
    viewer = Viewer(name=HOSTILE, role="coordinator", scope="Заозёрск", key="17", keys_on=keys_on) if signed_in else None
    return Screen(
        language=language,
        zone=ZONE,
        now=NOW,
        csrf="token",
        here=here,
        viewer=viewer,
        pages=("queue", "triage", "reports") if signed_in else (),
        triage_waiting=3,
        live_cursor="5:8" if signed_in else None,
        stops=stops() if signed_in else (),
        may_stop=signed_in,
    )


def stops() -> tuple[StopView, ...]:
    """Publishing is stopped in every way."""
    return tuple(
        StopView(
            id=str(place), kind=kind, name=HOSTILE, reason=HOSTILE, stopped_by=HOSTILE if place else "", stopped_at=ago(1),
            released_by="Анна Лунина", released_at=NOW, may_release=bool(place),
        )
        for place, kind in enumerate(("all", "agency", "page"))
    )  # fmt: skip


def publishing(*, empty: bool = False) -> PublishingPage:
    """The page of the switch."""
    if empty:
        return PublishingPage(standing=(), past=(), agencies=())
    agencies = (Choice(value="5", label=HOSTILE, hint="Заозёрск", chosen=True),)
    return PublishingPage(
        standing=stops(), past=stops(), agencies=agencies, page_id="3", page_title=HOSTILE, page_agency=HOSTILE, everywhere=True,
        values={"reason": HOSTILE}, error="Так нельзя",
    )  # fmt: skip


def facets(filters: QueueFilters) -> FacetCounts:
    """All five filters."""
    values = {"status": "new", "agency": "1", "platform": "vk", "topic": "9", "territory": "2"}
    choices = {
        name: (Choice(value=value, label=HOSTILE, count=4, group="Г", chosen=getattr(filters, name) == value),)
        for name, value in values.items()
    }
    return FacetCounts(mine=2, overdue=1, facets=tuple(Facet(name=name, choices=found) for name, found in choices.items()))


def queue(*, filters: QueueFilters | None = None, empty: bool = False) -> QueuePage:
    """A page with a row for each state of a deadline and of an answer."""
    filters = filters or QueueFilters()
    rows = tuple(
        QueueRow(
            number=str(100 + place),
            platform=platform,
            page=HOSTILE,
            snippet=HOSTILE if place else "",
            status=status,
            topic="" if place == 1 else "Тротуары",
            agency="Дорожная служба",
            due=due(hours) if hours is not None else None,
            opened_at=ago(3),
            assignee="Пётр Ильин" if place % 2 else "",
            mine=place == 1,
            reply_state=reply,
            comments=place + 1,
        )
        for place, (platform, status, hours, reply) in enumerate(
            (
                ("vk", "new", -3, "failed"),
                ("telegram", "in_work", 1, "uncertain"),
                ("ok", "in_work", 30, "queued"),
                ("unheard-of", "answered", None, "sent"),
            )
        )
    )
    return QueuePage(rows=() if empty else rows, filters=filters, facets=facets(filters), next_cursor=None if empty else "a=b&c")


DECISIONS = {
    "failed": ("posted", "resend", "withdraw"),
    "uncertain": ("found", "resend", "withdraw"),
    "queued": ("withdraw",),
}


def no_rows(news: News) -> Callable[[], Mapping[str, object]]:
    """An empty queue, and why."""
    return lambda: {"queue": replace(queue(empty=True), news=news)}


def amendments() -> tuple[AmendmentView, ...]:
    """A change in each state, with everything that it may show."""
    return tuple(
        AmendmentView(
            id=str(100 + place),
            change="edit" if place % 2 else "delete",
            state=state,
            text=HOSTILE,
            reason=HOSTILE,
            operator=HOSTILE,
            at=ago(1),
            problem="unheard_of" if state == "failed" else "",
            problem_detail=HOSTILE if state == "failed" else "",
            next_attempt_at=NOW if state == "queued" else None,
            decisions=("approve", "again", "withdraw"),
        )
        for place, state in enumerate(amendment_words.AMENDMENT_STATE)
    )


def replies() -> tuple[ReplyView, ...]:
    """An answer in each state."""
    return tuple(
        ReplyView(
            id=str(place),
            state=state,
            text=HOSTILE,
            operator="Пётр Ильин",
            at=ago(1),
            to_comment="2",
            url="https://vk.invalid/wall-1_2?reply=3" if state == "sent" else "",
            problem="unheard_of" if state == "failed" else "",
            problem_detail=HOSTILE if state == "failed" else "",
            next_attempt_at=NOW if state == "queued" else None,
            decisions=DECISIONS.get(state, ()),
            former=(FormerWords(text=HOSTILE, until=ago(1), operator=HOSTILE, reason=HOSTILE),) if state == "sent" else (),
            amendments=amendments() if state == "sent" else (),
            changes={"edit": None, "delete": NOW} if state == "sent" else {},
            unapproved=state == "sent",
            over={"edit": ago(1), "delete": ago(1)} if state == "withdrawn" else {},
            only_there=state == "removed",
        )
        for place, state in enumerate(labels.REPLY_STATE)
    )


def comments() -> tuple[ThreadComment, ...]:
    """A thread with every voice, an edit, a deletion and attachments."""
    files = tuple(Attachment(kind=kind, title=HOSTILE, url="https://vk.invalid/1") for kind in (*labels.ATTACHMENT, "new"))
    revisions = (Revision(text=HOSTILE, observed_at=ago(4)),)
    return (
        ThreadComment(id="1", author=HOSTILE, voice="other", text=HOSTILE, written_at=ago(6)),
        ThreadComment(
            id="2",
            author=HOSTILE,
            voice="citizen",
            text=HOSTILE,
            written_at=ago(5),
            edited_at=ago(4),
            revisions=revisions,
            attachments=files,
            replies=replies(),
            url="https://vk.invalid/2",
        ),
        ThreadComment(id="3", author="", voice="citizen", text="", written_at=ago(3), depth=1, revisions=revisions, unheard=True),
        ThreadComment(id="4", author="Страница", voice="page", text="Передали", written_at=ago(2), depth=4),
        ThreadComment(id="5", author=HOSTILE, voice="other", text=HOSTILE, written_at=ago(400), deleted_at=ago(1)),
    )


def deadlines() -> tuple[DeadlineView, ...]:
    """A running deadline with its arithmetic, and one that was kept."""
    lines = (
        DeadlineLine(day=date(2026, 3, 3), seconds=7200, spans=((ago(22), ago(20)),), kind="short", note="counted"),
        DeadlineLine(day=date(2026, 3, 4), seconds=0, kind="holiday", note="day_off", name="День города"),
        DeadlineLine(day=date(2026, 3, 5), seconds=0, kind="weekend", note="day_off"),
        DeadlineLine(day=date(2026, 3, 6), seconds=0, kind="workday", note="outside_hours"),
    )
    running = DeadlineView(
        promise="first_answer",
        due=due(1),
        started_at=ago(22),
        term_seconds=28_800,
        working=True,
        zone=ZONE,
        policy="Норматив области, версия 2",
        policy_reasons=(Reason(code="unheard_of"),),
        lines=lines,
    )
    kept = DeadlineView(
        promise="final_answer",
        due=due(9),
        started_at=ago(5),
        term_seconds=86_400,
        working=False,
        zone=ZONE,
        policy="Норматив области, версия 2",
        stopped_at=ago(1),
        outcome="met",
        pauses=tuple(
            PauseView(since=ago(4), until=ago(3), reason=reason, actor=HOSTILE, seconds=3600) for reason in calendar_words.PAUSE_REASON
        ),
        extensions=(ExtensionView(due_before=ago(1), due_after=due(9).due_at, reason=HOSTILE, actor=HOSTILE, at=ago(4)),),
        shares=(ShareView(agency="", seconds=60), ShareView(agency=HOSTILE, seconds=7_200, working_seconds=3_600)),
    )
    standing = replace(kept, stopped_at=None, outcome="", paused=True, pauses=(PauseView(since=ago(4), until=None, reason="unheard_of"),))
    return (running, kept, standing)


def card(*, corrected: bool = False, bare: bool = False) -> AppealCard:
    """An appeal with everything; `bare`: with nothing that can be missing."""
    filled = Reason(code="close_call", params={"first": HOSTILE, "second": "Дворы"})
    verdict = VerdictView(
        topic="Тротуары",
        group="Дороги",
        confidence=0.82,
        reasons=(filled, Reason(code="close_call")),
        classifier="keywords 1",
        decided_at=ago(5),
        corrected_by="Анна Лунина" if corrected else "",
        routing=(Reason(code="rule", params={"rule": "Заозёрск × Дороги"}),),
        others=(("Дворы", 0.1),),
    )
    history = tuple(
        HistoryLine(
            kind=kind,
            occurred_at=ago(5),
            recorded_at=ago(4),
            actor="Анна Лунина",
            params={"agency": HOSTILE, "topic": HOSTILE, "reason": HOSTILE},
        )
        for kind in (*labels.EVENT, "unheard_of")
    )
    return AppealCard(
        number="482913077",
        version=3,
        status="closed" if bare else "in_work",
        platform="vk",
        page=HOSTILE,
        author=HOSTILE,
        territory="Заозёрск",
        topic="" if bare else "Тротуары",
        agency="Дорожная служба",
        opened_at=ago(5),
        post=None if bare else PostView(text=HOSTILE * 20, published_at=ago(9), url="https://vk.invalid/1", gone=corrected),
        comments=() if bare else comments(),
        deadlines=() if bare else deadlines(),
        verdict=None if bare else verdict,
        history=() if bare else history,
        answer_key="key",
        outcome="solved" if bare else "",
        assignee="" if bare else "Пётр Ильин",
        notes=() if bare else (NoteView(author="Анна Лунина", at=ago(2), text=HOSTILE),),
        earlier=() if bare else (EarlierAppeal(number="1234", topic="", opened_at=ago(9000), status="closed"),),
        actions=frozenset() if bare else frozenset(EVERYTHING),
    )


def form(action: str) -> ActionForm:
    """A dialog with a long list to choose from."""
    many = tuple(Choice(value=str(n), label=f"{HOSTILE} {n}", group="Г" if n % 2 else "", hint="х") for n in range(12))
    return ActionForm(
        action=action,
        post_to=f"/appeals/1/{action}",
        back_to="/appeals/1",
        subject=HOSTILE,
        version=2,
        choices=many,
        agencies=many,
    )


def triage(*, empty: bool = False) -> TriagePage:
    """A comment with suggestions and one without."""
    suggestion = Suggestion(topic="t", topic_label=HOSTILE, agency="a", agency_label="Дорожная служба")
    rows = tuple(
        TriageRow(
            comment_id=str(place),
            version=1,
            platform="telegram",
            page=HOSTILE,
            author=HOSTILE if place else "",
            text=HOSTILE,
            written_at=ago(1),
            reasons=(Reason(code="weak"),),
            post=HOSTILE,
            url="https://t.invalid/1",
            due=due(place - 1),
            suggestions=(suggestion,) * (place * 3),
            attachments=(Attachment(kind="photo"),),
        )
        for place in range(2)
    )
    kinds = (Choice(value="thanks", label="Благодарность"),)
    return TriagePage(rows=() if empty else rows, kinds=kinds, total=0 if empty else 1234, next_cursor=None if empty else "&<")


VIEWS: Mapping[str, tuple[str, Callable[[], Mapping[str, object]]]] = {
    **page_samples.VIEWS,
    "queue": ("workplace.html", lambda: {"queue": queue(), "card": None}),
    "queue, filtered": (
        "workplace.html",
        lambda: {
            "queue": queue(filters=QueueFilters(mine=True, overdue=True, status="new", agency="1", topic="9", q=HOSTILE)),
            "card": None,
        },
    ),
    "queue, nothing": ("workplace.html", lambda: {"queue": queue(empty=True), "card": None}),
    "appeal": ("workplace.html", lambda: {"queue": queue(), "card": card()}),
    "appeal, corrected": ("workplace.html", lambda: {"queue": queue(), "card": card(corrected=True)}),
    "appeal, bare": ("workplace.html", lambda: {"queue": queue(), "card": card(bare=True)}),
    "route": ("action.html", lambda: {"form": form("route")}),
    "topic": ("action.html", lambda: {"form": form("topic")}),
    "dismiss": ("action.html", lambda: {"form": form("dismiss")}),
    "close": ("action.html", lambda: {"form": form("close")}),
    "reopen": ("action.html", lambda: {"form": form("reopen")}),
    "pause": ("action.html", lambda: {"form": form("pause")}),
    "extend": ("action.html", lambda: {"form": form("extend")}),
    "merge": ("action.html", lambda: {"form": form("merge")}),
    "decide": ("action.html", lambda: {"form": form("triage")}),
    "triage": ("triage.html", lambda: {"page": triage()}),
    "triage, nothing": ("triage.html", lambda: {"page": triage(empty=True)}),
    "publishing": ("publishing.html", lambda: {"page": publishing()}),
    "publishing, nothing": ("publishing.html", lambda: {"page": publishing(empty=True)}),
    "permissions": ("permissions.html", lambda: {"page": permissions_page((HeldRole(role="coordinator", place=HOSTILE),))}),
    "permissions, none": ("permissions.html", lambda: {"page": permissions_page(())}),
    "report": ("report.html", lambda: {"report": report_samples.report()}),
    "report, nothing": ("report.html", lambda: {"report": report_samples.report(empty=True)}),
    "approved": ("approved.html", lambda: {"page": report_samples.approved(changed=False)}),
    "approved, changed": ("approved.html", lambda: {"page": report_samples.approved(changed=True)}),
    "approved ones": ("approved_list.html", lambda: {"rows": (report_samples.approved_line(),)}),
    "behind a number": ("report_appeals.html", lambda: {"page": report_samples.behind()}),
    "behind a number, nothing": ("report_appeals.html", lambda: {"page": report_samples.behind(empty=True)}),
    "problem": ("problem.html", lambda: {"problem": Problem(status=404, reference="8f")}),
    "problem, rare": ("problem.html", lambda: {"problem": Problem(status=418, detail=HOSTILE)}),
    "sign-in": ("sign_in.html", lambda: {"form": SignInForm(problem="wrong", login=HOSTILE)}),
}
FRAGMENTS: Mapping[str, tuple[str, Callable[[], Mapping[str, object]]]] = {
    "rows": ("queue_rows.html", lambda: {"queue": queue()}),
    **{f"no rows, {news}": ("queue_rows.html", no_rows(news)) for news in News},
    "facets": ("queue_facets.html", lambda: {"queue": queue()}),
    "stops": ("stops.html", lambda: {"stops": stops()}),
    "card": ("appeal_fragment.html", lambda: {"card": card()}),
    "dialog": ("action_form.html", lambda: {"form": form("route")}),
    "triage rows": ("triage_rows.html", lambda: {"page": triage()}),
}
ALL = {**VIEWS, **FRAGMENTS}
