"""How each route is used by somebody who may, with what is secret as its object. Those who may not ask the very same.

A route without an object needs no line here: it is asked as it is. A route with one must have a line, or the walk fails.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from fastapi.routing import APIRoute

from app.people.rules import Permission, Role
from app.replies.rules import ReplyState
from app.web.app import PUBLIC
from app.web.deps import Requires
from tests.app.media.test_pictures import picture
from tests.isolation.town import AUTHOR

if TYPE_CHECKING:
    from fastapi import FastAPI
    from fastapi.dependencies.models import Dependant

    from tests.isolation.town import Town

UNSAFE = frozenset({"POST", "PUT", "PATCH", "DELETE"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Ask:
    """One request. `path` fills the route's parameters; `also`: a permission that is asked for inside the route.

    `shared`: whose matter it is wherever it lies.
    """

    method: str
    route: str
    path: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, Any] = field(default_factory=dict)
    form: Mapping[str, str] | None = None
    json: Mapping[str, Any] | None = None
    content: bytes | None = None
    part: bool = False
    also: Permission | None = None
    shared: frozenset[Role] = frozenset()

    @property
    def address(self) -> str:
        """The path that is asked."""
        address = self.route
        for name, value in self.path.items():
            address = address.replace(f"{{{name}}}", value)
        return address

    @property
    def key(self) -> tuple[str, str]:
        """The operation."""
        return self.method, self.route


# Parameters of an address that name something secret, and values that name nothing at all.
NOWHERE = {"number": "999-999-937", "comment_id": "9007199254740993", "reply_id": "9007199254740993", "stop_id": "9007199254740993"}
NOWHERE |= {"report_id": "9007199254740993", "row": "9007199254740993", "page_id": "9007199254740993"}
NOWHERE |= {"amendment_id": "9007199254740993"}
# Parameters of an address that name nothing secret.
HARMLESS = frozenset({"action", "of", "place", "size", "code"})

DIALOGS = {
    "route": ("route", Permission.APPEAL_ROUTE),
    "topic": ("topic", Permission.APPEAL_WORK),
    "dismiss": ("dismiss", Permission.APPEAL_WORK),
    "close": ("close", Permission.APPEAL_WORK),
    "reopen": ("reopen", Permission.APPEAL_WORK),
    "pause": ("pause", Permission.APPEAL_WORK),
    "extend": ("extend", Permission.APPEAL_EXTEND),
    "merge": ("merge", Permission.APPEAL_WORK),
    "posted": ("posted", Permission.APPEAL_WORK),
}


def asks(town: Town) -> list[Ask]:
    """All of them, reads before acts."""
    return [*_reads(town), *_acts(town), *_administration(town)]


def _reads(town: Town) -> Iterable[Ask]:
    number = town.number("read")
    ours, home, topic = str(town.ours.id), str(town.home.id), str(town.topic.id)
    for query in _filters({"agency": ours, "territory": home, "topic": topic}):
        yield Ask(method="GET", route="/queue", query=query)
        yield Ask(method="GET", route="/queue/rows", query=query, part=True)
        yield Ask(method="GET", route="/queue/facets", query=query, part=True)
    for query in _filters({"agency": "ours", "territory": "home", "topic": "lights"}):
        yield Ask(method="GET", route="/api/v1/appeals", query=query)
    yield Ask(method="GET", route="/api/v1/appeals", query={"q": number})
    yield Ask(method="GET", route="/api/v1/appeals/{number}", path={"number": number})
    yield Ask(method="GET", route="/appeals/{number}", path={"number": number})
    yield Ask(method="GET", route="/appeals/{number}", path={"number": number}, part=True)
    for action, (use, permission) in DIALOGS.items():
        path = {"number": town.number(use), "action": action}
        yield Ask(method="GET", route="/appeals/{number}/{action}", path=path, also=permission, part=True)
    yield Ask(method="GET", route="/triage/{comment_id}", path={"comment_id": str(town.waiting["read"].id)})
    yield from _reports(ours, home)
    yield from _approved(town)
    path = {"of": "comment", "row": str(town.comments["read"].id), "place": "0", "size": "small"}
    yield Ask(method="GET", route="/media/{of}/{row}/{place}/{size}", path=path)
    path = {"of": "reply", "row": str(town.replies[ReplyState.SENT]), "place": "0", "size": "large"}
    yield Ask(method="GET", route="/media/{of}/{row}/{place}/{size}", path=path)
    yield Ask(method="GET", route="/administration/norms/{code}", path={"code": town.policy.code})
    yield Ask(method="GET", route="/administration/calendars/of", query={"territory": str(town.home.id)})
    yield Ask(method="GET", route="/live", query={"after": "0.0"})
    yield from _pages(town, ours, home)


def _pages(town: Town, ours: str, home: str) -> Iterable[Ask]:
    for query in ({}, {"agency": ours, "territory": home}, {"state": "fine", "q": "а"}, {"order": "read"}, {"order": "lag", "sphere": "1"}):
        yield Ask(method="GET", route="/pages", query=query)
    yield Ask(method="GET", route="/pages/states", query={"agency": ours}, part=True)
    yield Ask(method="GET", route="/pages/file", query={"agency": ours})
    yield Ask(method="POST", route="/pages/connect", form={"platform": "vk", "link": "https://vk.com/ours"})
    yield Ask(method="POST", route="/pages/connect/agency", form={"agency": ours}, shared=frozenset({Role.ADMINISTRATOR}))
    administrators = frozenset({Role.ADMINISTRATOR})
    yield Ask(method="GET", route="/pages/{page_id}", path={"page_id": str(town.post.page_id)}, shared=administrators)
    yield Ask(method="POST", route="/pages/{page_id}/again", path={"page_id": str(town.post.page_id)}, shared=administrators)


def _reports(ours: str, home: str) -> Iterable[Ask]:
    period = {"from": "2026-11-01", "to": "2026-11-30"}
    for grouping in ("agency", "territory", "topic", "page", "platform", "operator"):
        yield Ask(method="GET", route="/reports", query=period | {"group_by": grouping})
        yield Ask(method="GET", route="/reports/file", query=period | {"group_by": grouping, "format": "csv"})
        for as_of in ({}, {"as_of": "2026-11-17T07:00:00Z"}):
            yield Ask(method="GET", route="/api/v1/reports/response-times", query=period | {"group_by": grouping} | as_of)
    for only in ({"figure": "opened"}, {"figure": "answered", "agency": ours, "over": "60"}, {"measure": "backlog", "territory": home}):
        yield Ask(method="GET", route="/reports/appeals", query=period | only)
        yield Ask(method="GET", route="/reports/appeals/file", query=period | only)
    for measure in ("first-answer", "agency-answer", "dismissed"):
        yield Ask(method="GET", route="/api/v1/reports/{measure}", path={"measure": measure}, query=period)
    yield Ask(method="GET", route="/api/v1/reports/{measure}", path={"measure": "backlog"}, query=period)
    first = {"measure": "first-answer"}
    for working in ({}, {"working": "true"}):
        yield Ask(method="GET", route="/api/v1/reports/{measure}/distribution", path=first, query=period | working)
    for grouping in ("agency", "territory", "topic"):
        yield Ask(method="GET", route="/api/v1/reports/{measure}/grid", path=first, query=period | {"group_by": grouping})
    for only in ({}, {"agency": ours}, {"nobody": "topic"}, {"over": "1"}):
        yield Ask(method="GET", route="/api/v1/reports/{measure}/appeals", path=first, query=period | only)
    yield Ask(method="GET", route="/api/v1/reports/{measure}/appeals", path={"measure": "backlog"}, query=period)


def _approved(town: Town) -> Iterable[Ask]:
    path, route = {"report_id": str(town.approved)}, "/reports/approved/{report_id}"
    yield Ask(method="GET", route=route, path=path)
    yield Ask(method="GET", route=f"{route}/file", path=path)
    yield Ask(method="GET", route=f"/api/v1{route}", path=path)
    yield Ask(method="GET", route=f"/api/v1{route}/changes", path=path)
    october = {"measure": "load", "from": "2026-10-01", "to": "2026-10-31", "group_by": "agency"}
    yield Ask(method="POST", route="/reports/approve", form=october, shared=frozenset({Role.COORDINATOR, Role.SUPERVISOR}))


def _filters(ids: Mapping[str, str]) -> Iterable[Mapping[str, str]]:
    yield {}
    yield ids
    for one in ({"mine": "true"}, {"overdue": "true"}, {"trouble": "true"}, {"status": "closed"}, {"q": "фонари"}, {"platform": "vk"}):
        yield {name: "1" if value == "true" and ids["agency"].isdigit() else value for name, value in one.items()}


def _acts(town: Town) -> Iterable[Ask]:
    def act(use: str, **form: str) -> Ask:
        path = {"number": town.number(use)}
        return Ask(method="POST", route=f"/appeals/{{number}}/{use}", path=path, form={"version": "1"} | form, part=True)

    path = {"reply_id": str(town.replies[ReplyState.AWAITING])}
    word = {"decision": "return", "text": "короче.", "version": "1"}
    yield Ask(method="POST", route="/replies/{reply_id}/approve", path=path, form=word, part=True)
    yield act("take")
    yield act("route", agency=str(town.theirs.id), text="примите.")
    yield act("topic", topic=str(town.topic.id), reroute="1")
    yield act("dismiss", reason="spam")
    yield act("close", reason="solved")
    yield act("reopen")
    yield act("note", text="позвонила.")
    yield act("answer", text="починим.", comment=str(town.comments["answer"].id), key="k-answer")
    yield act("posted", text="вывезли.", link="https://example.org/5")
    path = {"number": town.number("api_answered")}
    yield Ask(method="POST", route="/api/v1/appeals/{number}/answered", path=path, json={"text": "вывезли."})
    yield from _by_link(town)
    yield act("pause", reason="other", text="ждём.")
    yield act("resume")
    yield act("extend", promise="first_answer", amount="2", unit="hours", text="ждём.")
    yield act("merge", other=town.number("merge_with"))
    yield act("unmerge")
    setters = frozenset({Role.COORDINATOR, Role.ADMINISTRATOR})  # each of their own territories
    yield Ask(method="POST", route="/administration/norms/apply", form={}, shared=setters)
    norm = {"name": "Быстро", "act": "try", "first_answer_amount": "1", "first_answer_unit": "hours"}
    yield Ask(method="POST", route="/administration/norms/save", form=norm)
    hours = {"territory": str(town.home.id), "week_0": "10:00-12:00", "version": "0", "act": "try"}
    yield Ask(method="POST", route="/administration/calendars/save", form=hours)
    yield Ask(method="POST", route="/administration/norms/end", form={"code": town.policy.code}, shared=frozenset({Role.ADMINISTRATOR}))
    yield Ask(
        method="POST", route="/api/v1/appeals/{number}/replies", path={"number": town.number("api_answer")},
        json={"text": "починим.", "comment_id": town.comments["api_answer"].id},
    )  # fmt: skip
    for state, decision in ((ReplyState.FAILED, "resend"), (ReplyState.UNCERTAIN, "found"), (ReplyState.QUEUED, "withdraw")):
        path = {"reply_id": str(town.replies[state])}
        yield Ask(method="POST", route="/replies/{reply_id}/resolve", path=path, form={"decision": decision}, part=True)
    yield from _amends(town)
    asked = {"agency": str(town.ours.id), "needed": "1"}
    yield Ask(method="POST", route="/publishing/approval", form=asked, shared=frozenset({Role.ADMINISTRATOR}))
    yield Ask(
        method="POST",
        route="/publishing/stop",
        form={"subject": str(town.ours.id), "reason": "Проверяем"},
        shared=frozenset({Role.ADMINISTRATOR}),
    )
    path = {"stop_id": str(town.stop_id)}
    yield Ask(method="POST", route="/publishing/{stop_id}/release", path=path, form={}, shared=frozenset({Role.ADMINISTRATOR}))
    author = str(town.comments["read"].author_id)
    administrators = frozenset({Role.ADMINISTRATOR})
    yield Ask(method="POST", route="/administration/subjects/export", form={"author": author}, shared=administrators)
    found = {"platform": "vk", "q": AUTHOR, "author": author, "reason": "Просьба жителя"}
    yield Ask(method="POST", route="/administration/subjects/erase", form=found, shared=administrators)
    made = {"agency": str(town.ours.id), "topic": str(town.topic.id), "text": "по телефону.", "key": "k-new"}
    yield Ask(method="POST", route="/appeals/new", form=made)
    yield Ask(method="POST", route="/api/v1/appeals", json={"agency": "ours", "topic": "lights", "text": "письмо."})
    chosen = {"version": "1", "act": "open", "topic": str(town.topic.id), "agency": str(town.ours.id)}
    yield Ask(method="POST", route="/triage/{comment_id}", path={"comment_id": str(town.waiting["open"].id)}, form=chosen, part=True)
    none = {"version": "1", "act": "dismiss", "kind": "thanks"}
    yield Ask(method="POST", route="/triage/{comment_id}", path={"comment_id": str(town.waiting["dismiss"].id)}, form=none, part=True)


def _by_link(town: Town) -> Iterable[Ask]:
    """By the address of a secret comment."""
    there = town.waiting["read"]
    link = f"https://vk.com/wall{town.page}_{town.post.external_id}?reply={there.external_id}"
    yield Ask(method="POST", route="/appeals/new/link", form={"link": link}, part=True)
    yield Ask(method="POST", route="/api/v1/links", json={"link": link})
    form = {"comment": str(town.waiting["link"].id), "agency": str(town.ours.id), "key": "k-link"}
    yield Ask(method="POST", route="/appeals/new", form=form)
    path = {"comment_id": str(town.waiting["api_link"].id)}
    yield Ask(method="POST", route="/api/v1/comments/{comment_id}/appeal", path=path, json={"agency": "ours"})


def _amends(town: Town) -> Iterable[Ask]:
    """What is done to answers that stand."""
    yield Ask(method="POST", route="/api/v1/pictures", content=picture("PNG"))
    form = {"change": "edit", "text": "исправили.", "reason": "срок", "version": "1"}
    yield Ask(method="POST", route="/replies/{reply_id}/amend", path={"reply_id": str(town.standing["amend"])}, form=form, part=True)
    path, body = {"reply_id": str(town.standing["api_amend"])}, {"change": "delete", "reason": "не туда"}
    yield Ask(method="POST", route="/api/v1/replies/{reply_id}/amendments", path=path, json=body)
    path, form = {"amendment_id": str(town.amendments["awaiting"])}, {"decision": "return", "text": "короче.", "version": "1"}
    yield Ask(method="POST", route="/amendments/{amendment_id}/approve", path=path, form=form, part=True)
    path = {"amendment_id": str(town.amendments["failed"])}
    yield Ask(method="POST", route="/amendments/{amendment_id}/resolve", path=path, form={"decision": "withdraw"}, part=True)


def _administration(town: Town) -> Iterable[Ask]:
    """What administrators do about people and tokens; who may touch whom is tested where people are."""
    path, people = {"operator_id": str(town.newcomer)}, "/administration/people"
    grant = {"role": "operator", "place": f"agency:{town.ours.id}"}
    yield Ask(method="GET", route=f"{people}/{{operator_id}}", path=path)
    yield Ask(method="POST", route=f"{people}/new", form=grant | {"login": "ivan", "name": "Иван"})
    yield Ask(method="POST", route=f"{people}/{{operator_id}}/roles", path=path, form=grant | {"role": "coordinator"})
    yield Ask(
        method="POST", route=f"{people}/{{operator_id}}/roles/{{role_id}}/end", path=path | {"role_id": str(town.newcomer_role)}, form={}
    )
    yield Ask(method="POST", route=f"{people}/{{operator_id}}/link", path=path, form={})
    for act in ("reset_factor", "unlink", "end_sessions", "leave"):
        yield Ask(method="POST", route=f"{people}/{{operator_id}}/act", path=path, form={"act": act})
    yield Ask(method="POST", route=f"{people}/{{operator_id}}/come-back", path=path, form={})
    made = grant | {"name": "СЭД", "days": "30", "appeal.read": "1"}
    yield Ask(method="POST", route="/administration/tokens", form=made)
    for act, token in zip(("rotate", "revoke"), town.service_tokens, strict=True):
        yield Ask(method="POST", route=f"/administration/tokens/{{token_id}}/{act}", path={"token_id": str(token)}, form={})
    path, webhooks = {"target_id": str(town.webhook)}, "/administration/webhooks"
    made = {"name": "СЭД", "url": "https://sed.example/in", "place": f"agency:{town.ours.id}", "appeal.closed": "1"}
    yield Ask(method="POST", route=webhooks, form=made)
    yield Ask(method="GET", route=f"{webhooks}/{{target_id}}", path=path)
    yield Ask(method="POST", route=f"{webhooks}/{{target_id}}/test", path=path, form={})
    failed = path | {"delivery_id": str(town.webhook_failed)}
    yield Ask(method="POST", route=f"{webhooks}/{{target_id}}/deliveries/{{delivery_id}}/again", path=failed, form={})
    yield Ask(method="POST", route=f"{webhooks}/{{target_id}}/revoke", path=path, form={})
    rule = {"role": "coordinator", "amount": "3", "unit": "hours", "email": "1", "place": f"agency:{town.ours.id}"}
    yield Ask(method="POST", route="/administration/notices/rules", form=rule)
    yield Ask(method="POST", route="/administration/notices/rules/end", form={"rule": str(town.rule)})
    yield Ask(method="POST", route="/administration/notices/letters", form={"letter": str(town.letter), "act": "again"})
    yield Ask(
        method="POST",
        route="/administration/private",
        form={"page": str(town.bot), "decision": "on"},
        shared=frozenset({Role.ADMINISTRATOR}),
    )
    yield Ask(method="POST", route="/account/sessions/{session_id}/end", path={"session_id": str(town.newcomer_session)}, form={})


# --- the routes themselves -------------------------------------------------------------------------------------


def operations(app: FastAPI) -> dict[tuple[str, str], APIRoute]:
    """Every operation that is not public, by method and path."""
    return {
        (method, route.path): route
        for route in app.routes
        if isinstance(route, APIRoute) and route.path not in PUBLIC
        for method in (route.methods or set()) - {"HEAD", "OPTIONS"}
    }


def demanded(route: APIRoute) -> frozenset[Permission]:
    """The permissions that stand before a route."""
    return frozenset(one.permission for one in _calls(route.dependant) if isinstance(one, Requires))


def _calls(dependant: Dependant) -> Iterable[Callable[..., Any] | None]:
    for one in dependant.dependencies:
        yield one.call
        yield from _calls(one)


def whole_walk(app: FastAPI, town: Town) -> list[Ask]:
    """What stands above, and every other route as it is. AssertionError for a route whose object nobody has named."""
    told = asks(town)
    known = {ask.key for ask in told}
    found = operations(app)
    gone = known - set(found)
    assert not gone, f"{sorted(gone)}: no such routes any more, strike their lines in tests/isolation/asks.py"
    more = []
    for (method, path), route in sorted(found.items()):
        if (method, path) in known:
            continue
        named = set(route.param_convertors) - HARMLESS
        assert not named, (
            f"{method} {path} names an object ({', '.join(sorted(named))}). Give it a line in tests/isolation/asks.py with a secret one, "
            "made in tests/isolation/town.py, and an id of nothing in NOWHERE; or, if everybody may know all of them, name it in HARMLESS."
        )
        more.append(Ask(method=method, route=path, form={} if method in UNSAFE else None))
    return told + sorted(more, key=lambda ask: ask.route == "/sign-out")  # whoever signs out asks nothing more
