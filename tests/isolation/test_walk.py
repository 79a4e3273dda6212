"""Every route, asked by every role about what is not theirs: 403 where the table of permissions says so, else as if it did not exist."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

import httpx
import pytest
from pydantic import BaseModel
from sqlalchemy import text

from app.people.rules import ROLE_PERMISSIONS
from tests.conftest import ROOT
from tests.isolation.asks import NOWHERE, Ask, demanded, operations, whole_walk
from tests.isolation.conftest import MOMENT, Answer, Asker
from tests.isolation.town import INSIDERS, OUTSIDERS, SECRET, Town, their_own

if TYPE_CHECKING:
    from fastapi import FastAPI
    from fastapi.dependencies.models import Dependant

    from app.kernel.db import Database
    from app.people.rules import Permission

pytestmark = [pytest.mark.isolation, pytest.mark.timeout(120)]

FORBIDDEN, NOT_FOUND = 403, 404


@pytest.fixture
def asker(web: FastAPI, town: Town) -> Callable[[str], Asker]:
    """Somebody of the region, by name."""
    return lambda who: Asker(app=web, token=town.tokens[who])


def lacks(web: FastAPI, town: Town, who: str, ask: Ask) -> set[Permission]:
    """What somebody would need and has not, as the table of permissions says."""
    needed = demanded(operations(web)[ask.key]) | ({ask.also} if ask.also else set())
    return set(needed) - {permission for role in town.roles[who] for permission in ROLE_PERMISSIONS[role]}


@pytest.mark.parametrize("who", OUTSIDERS)
async def test_nobody_learns_or_changes_what_is_not_theirs(
    web: FastAPI, town: Town, asker: Callable[[str], Asker], owner_db: Database, who: str
) -> None:
    before = await _everything(owner_db, who)
    ask_as = asker(who)
    for ask in whole_walk(web, town):
        if town.roles[who] & ask.shared:
            continue
        answer = await ask_as(ask)
        label = f"{who}: {ask.method} {ask.address} {dict(ask.query)}"
        assert SECRET not in answer.text, label
        assert answer.status < 500, label
        if lacks(web, town, who, ask):
            # What is asked for inside a route comes after the object is looked for, which is not found.
            assert answer.status in ({FORBIDDEN, NOT_FOUND} if ask.also else {FORBIDDEN}), (label, answer.status)
        elif set(ask.path) & set(NOWHERE):
            assert answer.status == NOT_FOUND, (label, answer.status, answer.text[:300])
            assert _told(ask, answer) == await _of_nothing(ask_as, ask), f"{label}: the answer tells that there is something"
        else:
            assert not _numbers(town) & set(re.findall(r"\d{3}-\d{3}-\d{3}", answer.text)), label
    assert await _everything(owner_db, who) == before


@pytest.mark.parametrize("who", INSIDERS)
async def test_whoever_belongs_there_is_let_in(web: FastAPI, town: Town, asker: Callable[[str], Asker], who: str) -> None:
    """The same requests: without this, a walk that asks nonsense would pass."""
    ask_as, seen = asker(who), 0
    for ask in whole_walk(web, town):
        answer = await ask_as(ask)
        label = (who, ask.method, ask.address, dict(ask.query), answer.status, answer.text[:200])
        if lacks(web, town, who, ask):
            assert answer.status == FORBIDDEN, label
        elif set(ask.path) & set(NOWHERE):
            assert answer.status < 400, label
            seen += SECRET in answer.text
    assert seen >= (0 if who == "administrator" else 3)


def _numbers(town: Town) -> set[str]:
    return {town.number(use) for use in town.appeals}


def _told(ask: Ask, answer: Answer) -> str:
    """The answer without what was asked for, and without the request's own id."""
    plain = re.sub(r"[0-9a-f]{32}|\b\d{3}-?\d{3}-?\d{3}\b|(?<=appeal )\d+\b", "…", answer.text)
    for value in ask.path.values():
        plain = plain.replace(f"/{value}", "/…")
    return plain


async def _of_nothing(ask_as: Asker, ask: Ask) -> str:
    """What is told of an object that does not exist."""
    nothing = replace(ask, path={name: NOWHERE.get(name, value) for name, value in ask.path.items()})
    return _told(nothing, await ask_as(nothing))


async def _everything(owner_db: Database, who: str) -> dict[str, int | str]:
    """A fingerprint of every row that an outsider could have changed."""
    found: dict[str, int | str] = {}
    async with owner_db.read() as session:
        for table in await session.scalars(text("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")):
            if table not in OF_THE_ASKER and not (who == "administrator" and table in OF_ADMINISTRATORS):
                query = f"SELECT md5(coalesce(string_agg(t::text, '|' ORDER BY t::text), '')) FROM {table} t"  # noqa: S608 - our own tables
                found[table] = await session.scalar(text(query)) or ""
    return found


OF_THE_ASKER = frozenset({
    "operator_session", "api_token", "sign_in_attempt", "audit_entry", "operator", "link_lookup", "page_intake", "pgqueuer", "pgqueuer_log",
    "reply_picture",
})  # fmt: skip
"""Where the asker's own coming and going is written down, the links that they have looked up, with the jobs of that, and the pictures that
they have brought."""
OF_ADMINISTRATORS = frozenset({
    "operator_role", "invitation", "second_factor", "recovery_code", "external_identity", "webhook_target", "webhook_delivery",
    "notice_rule", "notice_letter",
})  # fmt: skip
"""What an administrator is there to change."""


# --- what an address or a form can name besides ------------------------------------------------------------------

# Query parameters, fields of bodies and of forms, by what they name. A new one fails the test until it stands here.
NAMES_SECRETS = {
    "comment": "test_an_answer_goes_to_no_foreign_comment",
    "comment_id": "test_an_answer_goes_to_no_foreign_comment",
    "agency": "test_nothing_is_opened_or_found_in_a_foreign_agency",
    "link": "test_a_link_leads_to_no_foreign_comment",
    "operator": "test_a_report_of_a_foreign_operator_is_empty",
    "other": "test_a_merge_reaches_no_foreign_appeal",
    "pictures": "test_an_answer_takes_no_foreign_picture",
    "page": "test_nobody_stops_what_is_not_theirs",
    "subject": "test_nobody_stops_what_is_not_theirs",
    "territory": "test_nothing_is_opened_or_found_in_a_foreign_agency",
}
NAMES_NOTHING_SECRET = frozenset({
    "act", "after", "after_interim", "amount", "applied", "as_of", "author", "author_name", "before", "bucket", "by_law", "change", "code",
    "compare", "cursor", "decision", "figure", "format", "from", "group_by", "interim", "key", "kind", "last_event_id", "limit",
    "also", "also_merged", "measure", "mine", "name", "nobody", "over", "overdue", "platform", "preset_code", "priority", "promise",
    "q", "reason",
    "reroute", "seen", "status", "take", "text", "to", "topic", "trouble", "tz", "unit", "upto", "version", "waiting", "working", "written",
    "published_at", "tried", "written_at", "year",
    # of oneself: codes, passwords, what was done
    "again", "current", "password", "slip",
    # of people and tokens; who may give what to whom is tested in tests/web/ui/test_people.py
    "at_once", "days", "login", "place", "role",
    # of oneself: addresses and hours; of rules and letters, to administrators of the whole region: tests/web/ui/test_notices.py
    "address", "breach", "carrier", "closes", "letter", "limited", "opens", "rule", "warn_shares",
    # of whoever asked: what was asked of a platform about a page to be connected, another's is not found: tests/web/ui/test_connecting.py
    "intake",
    # of systems that are told, to administrators within their scope: tests/web/ui/test_webhooks.py
    "url",
    # whether an agency's answers are approved first
    "needed",
    # of lists of pages, all within reach: tests/app/appeals/test_pages.py
    "fresh", "order", "sphere", "state",
})  # fmt: skip


def test_every_field_that_can_name_something_is_known(web: FastAPI) -> None:
    asked = {name for route in operations(web).values() for name in _fields(route.dependant)} | _fields_of_screens()
    unknown = asked - set(NAMES_SECRETS) - NAMES_NOTHING_SECRET
    assert not unknown, (
        f"{sorted(unknown)}: if a value can name something of another agency, write a test that hands over a foreign one and name it in "
        "NAMES_SECRETS; else put it into NAMES_NOTHING_SECRET"
    )
    for test in NAMES_SECRETS.values():
        assert test in globals(), test


def _fields(dependant: Dependant) -> Iterator[str]:
    for one in (*dependant.query_params, *dependant.body_params, *dependant.header_params, *dependant.cookie_params):
        model = one.field_info.annotation
        if isinstance(model, type) and issubclass(model, BaseModel):
            yield from model.model_fields
        elif one.alias not in {"Idempotency-Key", "last-event-id"}:
            yield one.alias
    for below in dependant.dependencies:
        yield from _fields(below)


def _fields_of_screens() -> set[str]:
    """What the screens read of forms and addresses: they take it by name, wherever it is."""
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "app/web/ui").glob("*.py") if path.name not in OF_PUBLIC_SCREENS]
    pattern = r"\b(?:form|fields|query|query_params|values|chosen)\b(?:\.values)?\.(?:text|number|get)\(\s*\"([a-z_]+)\""
    found = {name for source in sources for name in re.findall(pattern, source)}
    assert {"comment", "decision", "agency"} <= found, "the pattern finds the fields no more"
    return found


OF_PUBLIC_SCREENS = frozenset({"sign_in.py", "second_step.py", "oidc.py", "entry.py", "slips.py", "preferences.py"})


async def test_an_answer_goes_to_no_foreign_comment(town: Town, asker: Callable[[str], Asker], owner_db: Database) -> None:
    """Their own appeal, another's comment: nothing is queued."""
    async with owner_db.write() as session:
        own = await their_own(session, town, MOMENT)
    theirs = f"{own.number:09d}"
    ask_as, foreign = asker("operator elsewhere"), town.comments["read"].id
    by_form = Ask(
        method="POST",
        route="/appeals/{number}/answer",
        path={"number": theirs},
        form={"text": "Да", "comment": str(foreign), "version": "1"},
    )
    by_api = Ask(
        method="POST", route="/api/v1/appeals/{number}/replies", path={"number": theirs}, json={"text": "Да", "comment_id": foreign}
    )
    for ask in (by_form, by_api):
        answer = await ask_as(ask)
        assert 400 <= answer.status < 500, answer
        assert SECRET not in answer.text
    async with owner_db.read() as session:
        assert await session.scalar(text("SELECT count(*) FROM reply WHERE appeal_id = :id"), {"id": own.id}) == 0


async def test_an_answer_takes_no_foreign_picture(town: Town, asker: Callable[[str], Asker], owner_db: Database) -> None:
    """Their own appeal, a picture that a colleague of another agency brought, or put to an answer: as if there were none."""
    async with owner_db.write() as session:
        own = await their_own(session, town, MOMENT)
        loose = "INSERT INTO reply_picture (operator_id, size, width, height, created_at) VALUES (:who, 1, 1, 1, now()) RETURNING id"
        brought = await session.scalar(text(loose), {"who": town.people["operator"]})
        put = await session.scalar(text("SELECT min(id) FROM reply_picture WHERE reply_id IS NOT NULL"))
    told = []
    for picture in (brought, put, 9_007_199_254_740_993):
        path, body = {"number": f"{own.number:09d}"}, {"text": "Да", "pictures": [picture]}
        told.append(await asker("operator elsewhere")(Ask(method="POST", route="/api/v1/appeals/{number}/replies", path=path, json=body)))
        assert (told[-1].status, '"code":"picture.' in told[-1].text) == (422, True), told[-1]
    assert len({re.sub(r"[0-9a-f]{32}", "…", one.text) for one in told}) == 1
    async with owner_db.read() as session:
        assert await session.scalar(text("SELECT count(*) FROM reply WHERE appeal_id = :id"), {"id": own.id}) == 0


async def test_a_merge_reaches_no_foreign_appeal(town: Town, asker: Callable[[str], Asker], owner_db: Database) -> None:
    """Their own appeal with another's, by its number: the same answer as for a number that nobody has (GHSA-v8vc-cmf9-gg2c)."""
    async with owner_db.write() as session:
        own = await their_own(session, town, MOMENT)
    told = []
    for other in (town.number("merge"), NOWHERE["number"]):
        form = {"other": other, "version": "1"}
        ask = Ask(method="POST", route="/appeals/{number}/merge", path={"number": f"{own.number:09d}"}, form=form, part=True)
        told.append(await asker("operator elsewhere")(ask))
        assert told[-1].status == 404
        assert SECRET not in told[-1].text
        assert '"code":"appeal.unknown"' in told[-1].text, "whether it exists is not told"
    async with owner_db.read() as session:
        merged = "SELECT count(*) FROM appeal_event WHERE act IN ('merged', 'joined')"
        assert await session.scalar(text(merged)) == 0


async def test_a_report_of_a_foreign_operator_is_empty(town: Town, asker: Callable[[str], Asker]) -> None:
    """A supervisor of the other town asks for what somebody here did: as if nobody had."""
    for who in ("operator", "everything"):
        query = {"from": "2026-11-01", "to": "2026-11-30", "operator": str(town.people[who])}
        told = []
        for asking in ("supervisor elsewhere", "supervisor"):
            ask = Ask(method="GET", route="/api/v1/reports/{measure}", path={"measure": "backlog"}, query=query)
            told.append(await asker(asking)(ask))
        assert told[0].status == told[1].status == 200, told
        assert SECRET not in told[0].text
        assert not re.search(r'"(waiting|opened|answered)":[1-9]', told[0].text), told[0].text[:500]


async def test_nobody_stops_what_is_not_theirs(town: Town, asker: Callable[[str], Asker], owner_db: Database) -> None:
    """A coordinator of the other town: by its agency, by its page, and everything at once."""
    ask_as = asker("coordinator elsewhere")
    for form in ({"subject": str(town.ours.id)}, {"subject": "page", "page": str(town.post.page_id)}, {"subject": "all"}):
        answer = await ask_as(Ask(method="POST", route="/publishing/stop", form={"reason": "Мешает"} | form))
        assert answer.status in {FORBIDDEN, NOT_FOUND}, (form, answer.status)
    async with owner_db.read() as session:
        assert await session.scalar(text("SELECT count(*) FROM publishing_stop")) == 1


async def test_nothing_is_opened_or_found_in_a_foreign_agency(town: Town, asker: Callable[[str], Asker]) -> None:
    ask_as = asker("operator elsewhere")
    opened = [
        Ask(method="POST", route="/api/v1/appeals", json={"text": "Да", "agency": "ours"}),
        Ask(method="POST", route="/api/v1/appeals", json={"text": "Да", "agency": "ours", "territory": "home"}),
        Ask(method="POST", route="/appeals/new", form={"text": "Да", "agency": str(town.ours.id), "key": "k"}),
    ]
    for ask in opened:
        assert (await ask_as(ask)).status == FORBIDDEN, ask
    for query in ({"agency": "ours"}, {"territory": "home"}, {"territory": "region"}):
        answer = await ask_as(Ask(method="GET", route="/api/v1/appeals", query=query))
        assert not _numbers(town) & set(re.findall(r"\d{3}-\d{3}-\d{3}", answer.text)), query


async def test_no_header_says_who_asks(web: FastAPI, town: Town) -> None:
    """Whatever a proxy would say of who is signed in, from anybody: nobody is."""
    names = ("X-Remote-User", "Remote-User", "X-Forwarded-User", "X-Forwarded-Email", "X-Auth-Request-User", "X-Operator-Id", "From")
    who = str(town.people["everything"])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(web), base_url="http://otklik.example") as http:
        for name in names:
            for value in (who, "everything", "admin"):
                answer = await http.get("/api/v1/appeals", headers={name: value})
                assert answer.status_code == 401, (name, value)


async def test_numbers_tell_nothing_of_how_many_there_are(owner_db: Database) -> None:
    """Neighbours lie far apart, and no number comes twice among many."""
    async with owner_db.read() as session:
        query = "SELECT otklik_appeal_number(n) FROM generate_series(1, 20000) n"
        numbers = list(await session.scalars(text(query)))
    assert len(set(numbers)) == len(numbers)
    near = sum(abs(one - other) < 1_000_000 for one, other in pairwise(numbers))
    assert near < len(numbers) // 100
    assert all(0 <= one < 10**9 for one in numbers)


async def test_a_link_leads_to_no_foreign_comment(town: Town, asker: Callable[[str], Asker]) -> None:
    """Neither to one that is an appeal nor to one that waits; and whoever knows its number opens nothing from it."""
    ask_as = asker("operator elsewhere")
    for comment in (town.comments["read"], town.waiting["read"]):
        link = f"https://vk.com/wall{town.page}_{town.post.external_id}?reply={comment.external_id}"
        answer = await ask_as(Ask(method="POST", route="/api/v1/links", json={"link": link}))
        assert answer.status == 200
        assert '"state":"wanted"' in answer.text
        assert SECRET not in answer.text
        path = {"comment_id": str(comment.id)}
        answer = await ask_as(Ask(method="POST", route="/api/v1/comments/{comment_id}/appeal", path=path, json={"agency": "theirs"}))
        assert answer.status == NOT_FOUND
        form = {"comment": str(comment.id), "agency": str(town.theirs.id), "key": "k" * 20}
        assert (await ask_as(Ask(method="POST", route="/appeals/new", form=form))).status == NOT_FOUND
