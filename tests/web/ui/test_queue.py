"""The queue's filters, search, pages and counts; the lists of triage, deadlines and pages; the report."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from app.appeals.rules import Status
from app.notices.rules import Kind as NoticeKind
from app.notices.service import Told, tell
from app.sources.queries import news
from app.sources.rules import News
from app.web.ui.queue_view import number_text
from tests import factories

if TYPE_CHECKING:
    from app.kernel.clock import FixedClock
    from app.kernel.db import Database
    from tests.web.ui.conftest import Browser, Enter, Town


def numbers(response_text: str) -> list[str]:
    return re.findall(r'data-row data-number="(\d+)"', response_text)


async def rows(browser: Browser, query: str) -> list[str]:
    response = await browser.get(f"/queue/rows{query}", part=True)
    assert response.status_code == 200
    return numbers(response.text)


async def test_each_person_sees_their_own(enter: Enter, town: Town) -> None:
    seen = {who: set(await rows(await enter(who), "")) for who in ("operator", "other", "coordinator", "supervisor")}
    ours = {town.number, town.hostile_number}
    assert seen == {
        "operator": ours,
        "other": {town.foreign_number},
        "coordinator": {*ours, town.foreign_number},
        "supervisor": {*ours, town.foreign_number},
    }


async def test_filters(coordinator: Browser, town: Town, owner_db: Database) -> None:
    await coordinator.post(f"/appeals/{town.number}/take")
    both, all_three = [town.hostile_number, town.number], {town.number, town.hostile_number, town.foreign_number}
    assert await rows(coordinator, "?mine=1") == [town.number]
    assert await rows(coordinator, "?overdue=1") == [town.hostile_number]
    assert await rows(coordinator, "?trouble=1") == [town.hostile_number]
    assert await rows(coordinator, "?status=new") == [town.foreign_number]
    assert set(await rows(coordinator, "?status=in_work")) == set(both)
    assert await rows(coordinator, f"?agency={town.ours.id}") == both  # the nearest deadline first
    assert set(await rows(coordinator, "?platform=vk")) == all_three
    assert await rows(coordinator, "?platform=telegram") == []
    group = town.lights.parent_id
    assert set(await rows(coordinator, f"?topic={group}")) == all_three  # a group holds its topics
    assert await rows(coordinator, f"?topic={town.roads.id}") == []
    assert set(await rows(coordinator, f"?territory={town.place.id}")) == all_three
    assert await rows(coordinator, "?agency=999999") == []
    assert await rows(coordinator, "?agency=ours") == []
    assert set(await rows(coordinator, "?status=nonsense&agency=&q=")) == all_three
    async with owner_db.write() as session:
        await session.execute(text("UPDATE appeal SET status = 'closed' WHERE id = :id"), {"id": town.foreign.id})
    assert town.foreign_number not in await rows(coordinator, "?status=open")
    assert town.foreign_number in await rows(coordinator, "?status=all")


async def test_search_finds_words_and_numbers_within_reach(enter: Enter, town: Town) -> None:
    coordinator, operator = await enter("coordinator"), await enter("operator")
    assert await rows(coordinator, "?q=фонарь") == [town.number]
    assert await rows(coordinator, "?q=ржавой водой") == [town.foreign_number]
    assert await rows(operator, "?q=ржавой водой") == []
    spaced = f"{town.number[:3]}-{town.number[3:6]}-{town.number[6:]}"
    assert await rows(operator, f"?q={spaced}") == [town.number]
    assert await rows(operator, f"?q={town.foreign_number}") == []
    for hostile in ("'", "%", "\\", "a & | !", "<script>", "\u202e", "я" * 500):
        assert (await operator.get("/queue", part=True)).status_code == 200
        assert await rows(operator, f"?q={hostile.replace('&', '%26').replace('%', '%25') if hostile != 'a & | !' else 'a %26 | !'}") == []


async def test_new_filters_go_into_the_address_and_an_open_appeal_stays(operator: Browser, town: Town) -> None:
    at_queue = await operator.get("/queue/rows?mine=1", part=True, headers={"HX-Current-URL": "http://otklik.example/queue"})
    assert at_queue.headers["hx-replace-url"] == "/queue?mine=1"
    at_card = await operator.get(
        "/queue/rows?mine=1", part=True, headers={"HX-Current-URL": f"http://otklik.example/appeals/{town.number}?overdue=1"}
    )
    assert at_card.headers["hx-replace-url"] == f"/appeals/{town.number}?mine=1"
    refresh = await operator.get("/queue/rows?mine=1&take=30", part=True)
    assert "hx-replace-url" not in refresh.headers


async def test_more_rows_come_without_gaps_or_repeats(operator: Browser, town: Town, owner_db: Database, clock: FixedClock) -> None:
    async with owner_db.write() as session:
        page = await factories.make_page(session, agency=town.ours, territory=town.place)
        post = await factories.make_post(session, page=page)
        for hours in range(40):
            comment = await factories.make_comment(session, post=post, text=f"Вопрос {hours}")
            due = clock.now() + timedelta(hours=hours // 2) if hours % 3 else None
            await factories.make_appeal(session, comment=comment, due_at=due)
    first = await operator.get("/queue")
    more = re.findall(r'<li class="more" id="more"><a href="([^"]+)"\s+hx-get="([^"]+)"', first.text)
    assert len(more) == 1
    found = numbers(first.text)
    part = await operator.get(more[0][1].replace("&amp;", "&"), part=True)
    assert "<ol" not in part.text
    found += numbers(part.text)
    assert len(found) == len(set(found)) == 42
    whole = await operator.get(more[0][0].replace("&amp;", "&"))  # the same link without scripts
    assert numbers(whole.text) == numbers(part.text)
    assert "<ol" in whole.text
    again = await operator.get("/queue/rows?take=42", part=True)
    assert numbers(again.text) == found
    for bad in ("x", "!!!", "aS4xLjI"):
        refused = await operator.get(f"/queue/rows?cursor={bad}", part=True)
        assert (refused.status_code, refused.json()["code"]) == (422, "cursor")


async def test_counts_say_what_a_click_would_show(coordinator: Browser, town: Town) -> None:
    shown = (await coordinator.get(f"/queue/facets?agency={town.ours.id}", part=True)).text
    assert re.search(r'name="overdue".*?<b class="num overdue">1</b>', shown, re.DOTALL)
    assert re.search(r'name="trouble".*?<b class="num">1</b>', shown, re.DOTALL)
    options = {}
    for name in ("agency", "topic"):
        select = re.search(rf'<select[^>]* name="{name}".*?</select>', shown, re.DOTALL)
        assert select
        options[name] = re.findall(r'<option value="(\d+)"[^>]*>([^<]*)</option>', select[0])
    assert options == {
        "agency": [(str(town.theirs.id), "Водоканал · 1"), (str(town.ours.id), "Управа Заречья · 2")],
        "topic": [(str(town.lights.parent_id), "Благоустройство · 2"), (str(town.lights.id), "Освещение · 2")],
    }


async def test_a_row_tells_its_state_in_words(operator: Browser, town: Town) -> None:
    shown = (await operator.get("/queue")).text
    hostile = shown[shown.index(f'id="row-{town.hostile_number}"') : shown.index(f'id="row-{town.number}"')]
    assert 'data-state="overdue"' in hostile
    assert "просрочено на" in hostile
    assert any(words in hostile for words in ("Ответ не опубликован", "Проверьте, опубликован ли ответ", "Ответ задержан"))


# --- deadlines, pages --------------------------------------------------------------------------------------------


async def test_the_bell_and_its_list(enter: Enter, town: Town, owner_db: Database, clock: FixedClock) -> None:
    async with owner_db.write() as session:
        timers = {row.appeal_id: row.id for row in await session.execute(text("SELECT id, appeal_id FROM sla_timer"))}
        told = [
            Told(
                key=f"k{kind}",
                kind=kind,
                agency_id=appeal.agency_id,
                territory_id=appeal.territory_id,
                occurred_at=clock.now(),
                appeal_id=appeal.id,
                timer_id=timers[appeal.id],
            )
            for kind, appeal in ((NoticeKind.SLA_BREACH, town.hostile), (NoticeKind.SLA_WARNING, town.foreign))
        ]
        waits = Told(
            key="t", kind=NoticeKind.TRIAGE_WARNING, agency_id=town.ours.id, territory_id=town.place.id, occurred_at=clock.now(),
            comment_id=town.waiting.id,
        )  # fmt: skip
        await tell(session, [*told, waits], now=clock.now())
    listed = {}
    for who in ("operator", "coordinator"):
        browser = await enter(who)
        page = (await browser.get("/notices")).text
        listed[who] = re.findall(r'class="notice-kind" data-kind="(\w+)"', page)
        assert f'href="/appeals/{town.hostile_number}"' in page
    assert sorted(listed["operator"]) == ["sla_breach"]
    assert sorted(listed["coordinator"]) == ["sla_breach", "sla_warning", "triage_warning"]
    page = (await (await enter("coordinator")).get("/queue")).text
    assert re.search(r'data-count="overdue"[^>]*>1</span>', page)
    assert re.search(r'data-count="near"[^>]*>2</span>', page)


async def test_pages_tell_how_reading_them_goes(enter: Enter, town: Town, owner_db: Database) -> None:
    async with owner_db.write() as session:
        page_id = (await session.execute(text("SELECT page_id FROM appeal WHERE id = :id"), {"id": town.appeal.id})).scalar_one()
        await session.execute(
            text(
                "INSERT INTO feed (platform, key, page_id, failures, error_code, polled_at) "
                "VALUES ('vk', 'x', :page, 3, 'reauthorise', now())"
            ),
            {"page": page_id},
        )
    administrator = await enter("administrator")
    shown = (await administrator.get("/pages")).text
    assert "Токен больше не действует: администратор поставит на его место новый" in shown
    assert "3 попытки подряд" in shown
    assert "Заречье официально" not in (await (await enter("other")).get("/pages")).text


# --- triage ------------------------------------------------------------------------------------------------------


async def test_a_suggestion_is_accepted_with_one_click(coordinator: Browser, town: Town, owner_db: Database) -> None:
    page = (await coordinator.get("/triage")).text
    assert "Наконец-то!" in page
    form = page[page.index(f'action="/triage/{town.waiting.id}"') :]
    fields = dict(re.findall(r'name="(version|act|topic|agency)" value="([^"]*)"', form[: form.index("</form>")]))
    assert fields == {"version": "1", "act": "open", "topic": str(town.roads.id), "agency": str(town.theirs.id)}
    part = await coordinator.post(f"/triage/{town.waiting.id}", part=True, at="/triage", **fields)
    assert part.status_code == 200
    assert "Наконец-то!" not in part.text
    assert 'data-total="0"' in part.text
    async with owner_db.read() as session:
        row = (
            await session.execute(
                text("SELECT c.fate, a.agency_id, a.topic_id FROM comment c JOIN appeal a ON a.id = c.appeal_id WHERE c.id = :id"),
                {"id": town.waiting.id},
            )
        ).one()
    assert tuple(row) == ("opened", town.theirs.id, town.roads.id)
    late = await coordinator.post(f"/triage/{town.waiting.id}", part=True, at="/triage", **fields)
    assert (late.status_code, late.json()["code"]) == (409, "triage.decided")


async def test_a_comment_needs_no_answer(coordinator: Browser, town: Town, owner_db: Database) -> None:
    response = await coordinator.post(f"/triage/{town.waiting.id}", at="/triage", version=1, act="dismiss", kind="chatter")
    assert (response.status_code, response.headers["location"]) == (303, "/triage")
    async with owner_db.read() as session:
        row = (await session.execute(text("SELECT fate, fate_reason FROM comment WHERE id = :id"), {"id": town.waiting.id})).one()
    assert tuple(row) == ("not_appeal", "chatter")
    assert "Решать пока нечего" in (await coordinator.get("/triage")).text


async def test_triage_refuses_in_words_and_keeps_the_choice(coordinator: Browser, town: Town, owner_db: Database) -> None:
    path = f"/triage/{town.waiting.id}"
    for fields, code in (
        ({"act": "open", "topic": town.lights.id}, "triage.agency"),
        ({"act": "open", "topic": 999_999, "agency": town.ours.id}, "appeal.topic"),
        ({"act": "dismiss", "kind": ""}, "triage.kind"),
        ({"act": "dismiss", "kind": "appeal"}, "triage.kind"),
        ({"act": "dismiss", "kind": "chatter", "version": 7}, "triage.edited"),
        ({"act": "dismiss", "kind": "chatter", "version": "x"}, "request.version"),
    ):
        part = await coordinator.post(path, part=True, at="/triage", **({"version": 1} | fields))
        assert part.json()["code"] == code
        assert re.search("[а-я]", part.json()["detail"])
    page = await coordinator.post(path, at="/triage", version=1, act="open", topic=town.lights.id)
    assert page.status_code == 422
    assert re.search(rf'name="topic" value="{town.lights.id}" checked', page.text)
    async with owner_db.read() as session:
        fate = (await session.execute(text("SELECT fate FROM comment WHERE id = :id"), {"id": town.waiting.id})).scalar_one()
    assert fate == "in_triage"


@pytest.mark.parametrize("who", ["operator", "supervisor", "administrator"])
async def test_only_coordinators_decide(enter: Enter, town: Town, who: str) -> None:
    browser = await enter(who)
    for path in ("/triage", "/triage/rows", f"/triage/{town.waiting.id}"):
        assert (await browser.get(path)).status_code == 403
    assert (await browser.post(f"/triage/{town.waiting.id}", version=1, act="dismiss", kind="chatter")).status_code == 403


# --- the report --------------------------------------------------------------------------------------------------


async def test_the_supervisors_figures(enter: Enter, town: Town, owner_db: Database, clock: FixedClock) -> None:
    now = clock.now()
    async with owner_db.write() as session:
        for hours in (1, 2, 3, 4, 10):
            made = await factories.make_appeal(
                session,
                agency=town.ours,
                territory=town.place,
                topic=town.roads,
                status=Status.ANSWERED,
                written_at=now - timedelta(hours=20),
            )
            await factories.make_timer(session, appeal=made, stopped_at=made.written_at + timedelta(hours=hours))
    supervisor = await enter("supervisor")
    for group_by in ("agency", "topic", "platform", "page", "territory", "operator"):
        page = await supervisor.get(f"/reports?group_by={group_by}&from=2026-11-01&to=2026-11-17")
        assert page.status_code == 200
        total = re.findall(r'<dd class="num">(?:<a[^>]*>)?([^<]*)', page.text)
        assert [value.strip() for value in total[:4]] == ["4,0", "3,0", "7,6", "67\xa0%"], group_by  # one of six is overdue, one late
        assert "Europe/Moscow" in page.text or "Москва (UTC+3)" in page.text
    by_agency = (await supervisor.get("/reports?from=2026-11-01&to=2026-11-17")).text
    assert re.search(r'>Управа Заречья</a>.*?data-v="14400(?:\.0)?".*?data-v="10800(?:\.0)?"', by_agency, re.DOTALL)


async def test_a_period_that_cannot_be_counted_is_said_so(enter: Enter) -> None:
    supervisor = await enter("supervisor")
    for query in ("from=2026-11-10&to=2026-11-01", "from=yesterday", "from=1999-01-01", "group_by=colour", "from=2000-01-01&to=2026-01-01"):
        page = await supervisor.get(f"/reports?{query}")
        assert page.status_code == 422, query
        assert 'class="form-error" role="alert"' in page.text
        assert "Время до первого ответа" in page.text


async def test_numbers_keep_their_leading_zeros() -> None:
    assert number_text(42) == "000000042"


async def test_an_empty_queue_can_say_why_it_is_empty(web_db: Database, owner_db: Database) -> None:
    """No page at all; pages, of which nothing was read yet; something came in."""
    for expected, arrives in ((News.NO_PAGES, factories.make_page), (News.READING, factories.make_post), (News.READ, None)):
        async with web_db.read() as session:
            assert await news(session) is expected
        if arrives is not None:
            async with owner_db.write() as session:
                await arrives(session)
