"""Every screen renders for each role, in both languages, soundly; its statements are counted."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from tests.databases import hearing
from tests.web.test_screens import Page
from tests.web.ui.conftest import PART

if TYPE_CHECKING:
    from collections.abc import Iterator

    from app.kernel.db import Database
    from tests.web.ui.conftest import Browser, Enter, Town

READS = {"operator", "coordinator", "supervisor"}
PAGES: dict[str, set[str]] = {
    "/queue": READS,
    "/queue?status=all&q=фонари&mine=1&overdue=1&trouble=1&agency=1&topic=x&territory=3&platform=vk": READS,
    "/appeals/{number}": READS,
    "/appeals/{hostile}?status=all": READS,
    "/appeals/{number}/route": {"operator", "coordinator"},
    "/appeals/{number}/topic": {"operator", "coordinator"},
    "/appeals/{number}/dismiss": {"operator", "coordinator"},
    "/appeals/{number}/close": {"operator", "coordinator"},
    "/appeals/new": {"operator", "coordinator"},
    "/triage": {"coordinator"},
    "/triage/{waiting}": {"coordinator"},
    "/reports": {"coordinator", "supervisor"},
    "/reports?from=2026-01-01&to=2026-11-17&group_by=platform": {"coordinator", "supervisor"},
    "/reports/appeals?figure=opened&from=2026-01-01&to=2026-11-17": {"coordinator", "supervisor"},
    "/reports/approved": {"coordinator", "supervisor"},
    "/pages": {*READS, "administrator"},
    "/pages/connect": {"coordinator", "administrator"},
    "/notices": READS,
    "/publishing": {"coordinator", "administrator"},
    "/permissions": {*READS, "administrator"},
    "/administration/people": {"administrator"},
    "/administration/people/new": {"administrator"},
    "/administration/tokens": {"administrator"},
    "/account": {*READS, "administrator"},
    "/account/second-factor": {*READS, "administrator"},
    "/administration/audit": {"administrator"},
    "/administration/subjects": {"administrator"},
    "/administration/audit?person=а&act=appeal.read&subject=comment&number=7&from=2026-01-01&to=2026-11-17": {"administrator"},
}
FRAGMENTS: dict[str, set[str]] = {
    "/queue/rows?take=30": READS,
    "/queue/facets": READS,
    "/appeals/{hostile}": READS,
    "/appeals/{number}/topic": {"operator", "coordinator"},
    "/triage/rows": {"coordinator"},
    "/publishing/banner": {*READS, "administrator"},
    "/triage/{waiting}": {"coordinator"},
}
PEOPLE = ("operator", "coordinator", "supervisor", "administrator")


def filled(path: str, town: Town) -> str:
    return path.format(number=town.number, hostile=town.hostile_number, waiting=town.waiting.id)


@pytest.mark.parametrize("who", PEOPLE)
async def test_every_page_is_sound_for_whoever_may_see_it(enter: Enter, town: Town, who: str) -> None:
    browser = await enter(who)
    for path, allowed in PAGES.items():
        response = await browser.get(filled(path, town))
        page = Page(response.text)
        assert response.status_code == (200 if who in allowed else 403), path
        assert page.wrong == [], path
        assert [repeated for repeated, times in page.ids.items() if times > 1] == [], path
        assert page.tags["h1"] == 1, path
        assert '<html lang="ru"' in response.text, path
        assert response.headers["cache-control"] == "no-store"
        assert response.headers["vary"] == "HX-Request, HX-Request-Type"
        assert "script-src" not in response.headers["content-security-policy"]  # nothing is allowed beyond ourselves


@pytest.mark.parametrize("who", PEOPLE)
async def test_every_part_is_sound_for_whoever_may_see_it(enter: Enter, town: Town, who: str) -> None:
    browser = await enter(who)
    for path, allowed in FRAGMENTS.items():
        response = await browser.get(filled(path, town), part=True)
        if who not in allowed:
            assert response.status_code == 403, path
            assert response.json()["detail"] == "Ваша роль этого не позволяет."
            continue
        page = Page(response.text)
        assert response.status_code == 200, path
        assert page.wrong == [], path
        assert page.tags["html"] == 0, path


async def test_pages_speak_the_readers_language(enter: Enter, town: Town, owner_db: Database) -> None:
    async with owner_db.write() as session:
        await session.execute(text("UPDATE operator SET locale = 'en'"))
    browsers = {who: await enter(who) for who in PEOPLE}
    for path, allowed in PAGES.items():
        response = await browsers[min(allowed)].get(filled(path, town))
        ours = re.sub(r"<bdi.*?</bdi>|<option.*?</option>|<textarea.*?</textarea>", "", response.text, flags=re.DOTALL)
        assert '<html lang="en"' in response.text, path
        assert "Sign out" in ours, path
        assert not re.search(r"Очередь|Выйти|Ответ|Срок|Показать|Отмена", ours), path


async def test_words_of_citizens_never_act(coordinator: Browser, town: Town) -> None:
    for path in ("/queue", "/appeals/{hostile}", "/triage", "/notices", "/queue/rows", "/reports?group_by=operator"):
        for part in (False, True):
            response = await coordinator.get(filled(path, town) + ("" if "?" in path else "?status=all"), part=part)
            shown = response.text
            assert response.status_code == 200, path
            assert "alert(1)" not in shown.replace("&lt;script&gt;alert(1)&lt;/script&gt;", ""), path
            assert not re.search(r"<img|<[^>]*\sonerror=", shown), path
            assert not re.search("[\u200b\u202a-\u202e\u2066-\u2069]", shown), path
            if "alert(1)" in shown:
                assert "{{ 7 * 7 }}" in html.unescape(shown), path


async def test_hidden_characters_are_shown_by_name(operator: Browser, town: Town) -> None:
    shown = (await operator.get(f"/appeals/{town.hostile_number}")).text
    assert re.search(r'<span class="invisible-char" title="U\+202E [^"]+">RLO</span>', shown)
    assert re.search(r'<span class="invisible-char" title="U\+200B [^"]+">ZWSP</span>', shown)


async def test_the_arithmetic_of_a_deadline_adds_up_for_whoever_reads_it(operator: Browser, town: Town, owner_db: Database) -> None:
    """A citizen writes at some second of a minute; what is shown is whole minutes, and their sum is the reader's sum."""
    told = """
      UPDATE sla_timer SET started_at = '2026-11-24 11:17:42+03', due_at = '2026-11-25 12:17:42+03',
        term = jsonb_set(term, '{working}', 'true') WHERE appeal_id = :appeal
    """
    async with owner_db.write() as session:
        await session.execute(text(told), {"appeal": town.appeal.id})
    card = (await operator.get(f"/appeals/{town.number}")).text
    days = re.findall(r'<tr class="counted">.*?<td>(.*?)</td>\s*<td class="num">(.*?)</td>', card, flags=re.DOTALL)
    assert len(days) == 2
    for spans, length in days:
        ends = [int(hour) * 60 + int(minute) for hour, minute in re.findall(r"(\d\d):(\d\d)", spans)]
        hours, minutes = map(int, re.findall(r"\d+", length))
        assert sum(ends[1::2]) - sum(ends[::2]) == hours * 60 + minutes, (spans, length)


@pytest.mark.usefixtures("town")
async def test_a_page_says_whether_it_was_read(enter: Enter, owner_db: Database) -> None:
    """Nobody is told that reading works before anything was read, or after it stopped."""
    administrator = await enter("administrator")
    assert "ещё не читалась" in (await administrator.get("/pages")).text
    read = "INSERT INTO feed (platform, key, page_id, polled_at) SELECT platform, 'page:' || id, id, now() FROM page ORDER BY id LIMIT 1"
    async with owner_db.write() as session:
        await session.execute(text(read))
    assert re.search(r"</svg>\s*читается", (await administrator.get("/pages")).text)
    async with owner_db.write() as session:
        await session.execute(text("UPDATE feed SET error_code = 'reauthorise', failures = 3"))
    shown = (await administrator.get("/pages")).text
    assert "Токен больше не действует" in shown
    assert not re.search(r"</svg>\s*читается", shown)


@pytest.mark.usefixtures("town")
async def test_the_list_of_pages_is_handed_out_and_a_page_has_a_card(enter: Enter, owner_db: Database) -> None:
    coordinator = await enter("coordinator")
    shown = (await coordinator.get("/pages?order=read&q=Заречье")).text
    counted = re.search(r'hx-get="(/pages/states[^"]*)"', shown)
    assert counted is not None
    assert re.findall(r"<b>(\d+)</b>", (await coordinator.get(html.unescape(counted[1]))).text) == ["1", "1"], "all, and those that are so"
    handed = await coordinator.get("/pages/file?platform=vk")
    assert handed.headers["content-type"].startswith("text/csv")
    assert handed.text.startswith("\ufeffplatform,link,external_id,title,agency,territory,sphere\r\n")
    card = re.search(r'href="(/pages/(\d+))"', shown)
    assert card is not None
    members = "INSERT INTO page_day (page_id, day, members) VALUES (:page, '2026-11-10', 100), (:page, '2026-11-17', 107)"
    async with owner_db.write() as session:
        await session.execute(text(members), {"page": int(card[2])})
    told = (await coordinator.get(card[1])).text
    assert "+7 с " in told
    assert "<polyline" in told
    assert (await (await enter("other")).get(card[1])).status_code == 404


async def test_people_arrive_where_their_work_is(enter: Enter) -> None:
    for who, path in {"operator": "/queue", "coordinator": "/queue", "supervisor": "/reports", "administrator": "/pages"}.items():
        response = await (await enter(who)).get("/")
        assert (response.status_code, response.headers["location"]) == (303, path)


async def test_strangers_are_sent_to_sign_in_and_come_back(stranger: Browser) -> None:
    for path in ("/", "/queue?mine=1", "/appeals/000000001", "/reports", "/triage", "/pages", "/appeals/new"):
        response = await stranger.get(path)
        assert response.status_code == 303, path
        assert response.headers["location"].startswith("/sign-in?after=/"), path
    part = await stranger.get("/queue/rows", part=True, headers={"HX-Current-URL": "http://otklik.example/queue?mine=1"})
    assert part.status_code == 401
    assert part.headers["hx-redirect"] == "/sign-in?after=/queue%3Fmine%3D1"


# --- one screen, one set of statements --------------------------------------------------------------------------


@pytest.fixture
def statements(web_db: Database) -> Iterator[list[str]]:
    """What is asked of the database, but who is asking."""
    asked: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_more: object) -> None:
        if "set_config" not in statement and "operator_session" not in statement:
            asked.append(" ".join(statement.split()))

    with hearing(web_db, "before_cursor_execute", note):
        yield asked


async def test_statements_do_not_grow(coordinator: Browser, town: Town, statements: list[str]) -> None:
    """The queue takes five, however many rows; the card twelve at most, a report with five pictures 18; the counts, loaded apart, one."""
    await coordinator.get("/queue")  # the directory is read once
    figures = {}
    for name, path, part in (
        ("queue", "/queue?status=all", False),
        ("rows", "/queue/rows", True),
        ("facets", "/queue/facets", True),
        ("card", f"/appeals/{town.hostile_number}", True),
        ("triage", "/triage/rows", True),
        ("report", "/reports", False),
    ):
        statements.clear()
        response = await coordinator.get(path, part=part)
        assert response.status_code == 200
        figures[name] = len(statements)
    assert figures["queue"] <= 5
    assert figures["rows"] == 1
    assert figures["facets"] == 1
    assert figures["card"] <= 12
    assert figures["triage"] <= 2
    assert figures["report"] <= 18


async def test_parts_and_pages_are_told_apart(operator: Browser, town: Town) -> None:
    whole = await operator.http.get(f"/appeals/{town.number}", headers={"HX-Request": "true", "HX-Request-Type": "full"})
    part = await operator.http.get(f"/appeals/{town.number}", headers=PART)
    assert "<html" in whole.text
    assert "<html" not in part.text
    assert '<hx-partial hx-target="#context"' in part.text


async def test_the_administration_leads_to_its_first_section_and_only_who_may_open_one_sees_the_way(enter: Enter) -> None:
    administrator = await enter("administrator")
    arrived = await administrator.get("/administration")
    assert (arrived.status_code, arrived.headers["location"]) == (303, "/administration/people")
    page = await administrator.get("/administration/people")
    assert re.findall(r'<a href="(/administration/people)" aria-current="page">', page.text) == ["/administration/people"]
    assert 'href="/administration"' in page.text
    supervisor = await enter("supervisor")
    assert 'href="/administration"' not in (await supervisor.get("/reports")).text
    assert (await supervisor.get("/administration")).status_code == 403
