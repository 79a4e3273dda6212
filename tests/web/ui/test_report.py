"""The supervisor's pages: every number leads to a list of as many appeals; pictures have their tables; scope is kept."""

from __future__ import annotations

import html
import io
import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import openpyxl
import pytest

from app.appeals.rules import Act, Status
from app.people.rules import Role
from app.reports.measures import MEASURES
from tests import factories

if TYPE_CHECKING:
    from app.kernel.clock import FixedClock
    from app.kernel.db import Database
    from tests.web.ui.conftest import Browser, Enter, Town

ZONE = "Europe/Moscow"
PERIOD = "from=2026-11-01&to=2026-11-17"
CELL = re.compile(r'data-v="([0-9.]+)"><a href="(/reports/appeals[^"]*)">(\d+)<')
"""Of a number of appeals: of times and shares the text is another than the value."""


@pytest.fixture
async def answered(town: Town, owner_db: Database, clock: FixedClock) -> None:
    """Answers of both agencies, some late, over a week; one belongs to no topic."""
    now = clock.now()
    async with owner_db.write() as session:
        policy = await factories.make_policy(session, code="day")
        for place, hours in enumerate((1, 2, 3, 4, 30, 40)):
            made = await factories.make_appeal(
                session, agency=town.theirs if place % 2 else town.ours, territory=town.place, topic=town.roads if place else None,
                status=Status.ANSWERED, written_at=now - timedelta(days=place + 2),
            )  # fmt: skip
            await factories.make_timer(session, appeal=made, policy=policy, stopped_at=made.written_at + timedelta(hours=hours))


async def count_behind(browser: Browser, href: str) -> int:
    page = await browser.get(html.unescape(href))
    assert page.status_code == 200, href
    found = re.search(r'data-total="(\d+)"', page.text)
    assert found is not None
    total = int(found[1])
    assert page.text.count("<tr data-appeal>") == min(total, 50)
    return total


@pytest.mark.usefixtures("answered")
async def test_every_number_on_the_page_is_as_long_as_its_list(enter: Enter) -> None:
    """Large figures, points, bins, tiles, cells and lines of the table alike."""
    supervisor, checked = await enter("supervisor"), 0
    for query in ("measure=load&group_by=topic", "measure=first-answer&group_by=operator&working=0", "measure=backlog&bucket=week"):
        page = await supervisor.get(f"/reports?{PERIOD}&{query}")
        counts = {html.unescape(href): int(told) for value, href, told in CELL.findall(page.text) if value == told}
        for href, value in counts.items():
            assert await count_behind(supervisor, href) == value, href
        checked += len(counts)
    assert checked > 15
    assert "nobody=topic" in (await supervisor.get(f"/reports?{PERIOD}&measure=load&group_by=topic")).text


@pytest.mark.usefixtures("answered")
async def test_each_measure_has_its_page_its_words_and_its_pictures(enter: Enter) -> None:
    supervisor = await enter("supervisor")
    for code in MEASURES:
        page = await supervisor.get(f"/reports?{PERIOD}&measure={code}")
        assert page.status_code == 200
        assert f'<option value="{code}" selected>' in page.text
        pictures = re.findall(r'data-picture="(\w+)"', page.text)
        assert pictures[0] == "trend"
        assert page.text.count('<details class="picture-table">') == len(pictures), "every picture has its table"
    first = (await supervisor.get(f"/reports?{PERIOD}")).text
    assert re.findall(r'data-picture="(\w+)"', first) == ["trend", "bins", "heat"]  # one territory compares nothing
    assert "data-norm" in first


@pytest.mark.usefixtures("answered")
async def test_a_report_is_narrowed_and_its_lists_with_it(enter: Enter, town: Town) -> None:
    supervisor = await enter("supervisor")
    page = (await supervisor.get(f"/reports?{PERIOD}&measure=load&agency={town.ours.id}")).text
    assert "Ведомство: Управа Заречья" in page
    links = [html.unescape(href) for _, href, _ in CELL.findall(page)]
    assert links
    assert all(f"agency={town.ours.id}" in href for href in links)
    listed = await supervisor.get(next(href for href in links if "figure=opened" in href))
    assert "Управа Заречья" in listed.text
    assert "Водоканал" not in listed.text
    assert "Ведомство: Управа Заречья" in listed.text


@pytest.mark.usefixtures("answered")
async def test_nobody_counts_or_lists_beyond_their_scope(enter: Enter, town: Town, owner_db: Database) -> None:
    """A supervisor of one agency; the other one's number in the address changes nothing."""
    async with owner_db.write() as session:
        town.people["theirs"] = await factories.make_operator(session, role=Role.SUPERVISOR, scope=town.theirs, name="Лев Мостов")
    narrow, wide = await enter("theirs"), await enter("supervisor")
    for only, expected in (("", 4), (f"&agency={town.ours.id}", 0)):
        address = f"/reports/appeals?{PERIOD}&measure=load&figure=opened{only}"
        assert await count_behind(narrow, address) == expected
        assert await count_behind(wide, address) > expected
    assert (await narrow.get("/reports/appeals?figure=nonsense")).status_code == 422
    assert await count_behind(wide, f"/reports/appeals?{PERIOD}&figure=answered&over=7200&agency={town.ours.id}") == 2
    assert await count_behind(wide, f"/reports/appeals?{PERIOD}&measure=backlog&territory={town.place.id}") > 0


@pytest.mark.usefixtures("answered")
async def test_what_is_saved_from_the_page_is_in_the_readers_words(enter: Enter) -> None:
    """Headings, names of lines and outcomes, and the sheet of definitions; the API's own files keep their names for programs."""
    supervisor = await enter("supervisor")
    page = html.unescape((await supervisor.get(f"/reports?{PERIOD}&group_by=platform")).text)
    (address,) = re.findall(r'href="(/reports/file[^"]*format=xlsx)"', page)
    book = openpyxl.load_workbook(io.BytesIO((await supervisor.get(address)).content))
    assert book.sheetnames == ["Показатели", "Что посчитано"]
    figures = [[cell.value for cell in row] for row in book["Показатели"].iter_rows()]
    assert figures[0][:3] == ["Площадка", "Обращения", "Ответ дан"]
    assert [row[0] for row in figures[1:]] == ["ВКонтакте", "Всего"]
    words = {row[0].value: row[1].value for row in book["Что посчитано"].iter_rows()}
    assert {"Показатель", "Период", "Часовой пояс", "Обращения"} <= words.keys()
    assert not [cell for row in (*figures[:1], *words.items()) for cell in row if re.search(r"[A-Za-z]{3}", str(cell).replace(ZONE, ""))]
    (listed,) = re.findall(r'href="(/reports/appeals/file[^"]*)"', html.unescape((await supervisor.get(f"/reports/appeals?{PERIOD}")).text))
    told = (await supervisor.get(f"{listed}&format=csv")).text.splitlines()
    assert told[0].startswith("\ufeff№,Цикл,Написано,Срок,")
    assert "ждёт ответа,,,ВКонтакте,Управа Заречья" in told[1]
    assert (await supervisor.get(f"/reports/file?{PERIOD}&measure=backlog")).status_code == 422


async def test_a_report_is_shown_as_it_was_known_on_an_evening(enter: Enter, town: Town, owner_db: Database, clock: FixedClock) -> None:
    """Answered on the 14th and heard of on the 17th: on the evening of the 15th it waited, in numbers, lists and files alike."""
    wrote = clock.now() - timedelta(days=3)
    async with owner_db.write() as session:
        made = await factories.make_taken_down_appeal(session, written_at=wrote, agency=town.ours)
        await factories.make_timer(session, appeal=made, stopped_at=wrote + timedelta(hours=1))
        heard = clock.now() - timedelta(hours=1)
        await factories.make_event(
            session, appeal=made, act=Act.ANSWERED_BY_HAND, occurred_at=wrote + timedelta(hours=1), recorded_at=heard
        )  # fmt: skip
    supervisor = await enter("supervisor")
    days = "from=2026-11-14&to=2026-11-14&measure=load"
    page = html.unescape((await supervisor.get(f"/reports?{days}&as_of=2026-11-15")).text)
    assert re.search(r'class="narrowed"[^>]*>по данным на конец [^<]*15', page), page[:9000]
    (waiting,) = {href for _, href, told in CELL.findall(page) if "figure=waiting" in href and told == "1"}
    assert "as_of=2026-11-15" in waiting
    assert await count_behind(supervisor, waiting) == 1
    assert await count_behind(supervisor, waiting.replace("&as_of=2026-11-15", "")) == 0
    saved = (await supervisor.get(f"/reports/file?{days}&as_of=2026-11-15&format=csv")).text
    assert "По состоянию на,2026-11-16 00:00:00" in saved
    assert (await supervisor.get(f"/reports?{days}&as_of=2027-01-01")).status_code == 422


async def test_a_period_is_stepped_through(enter: Enter) -> None:
    supervisor = await enter("supervisor")
    page = (await supervisor.get("/reports?from=2026-10-01&to=2026-10-31")).text
    assert "октябрь 2026" in page
    assert "from=2026-09-01&amp;to=2026-09-30" in page
    assert "from=2026-11-01&amp;to=2026-11-30" in page
    assert "Период ещё не закончился" not in page
    assert "Период ещё не закончился" in (await supervisor.get("/reports")).text


async def test_a_supervisor_approves_and_the_figures_stay(enter: Enter, town: Town, owner_db: Database, clock: FixedClock) -> None:
    october: dict[str, Any] = {"measure": "load", "from": "2026-10-01", "to": "2026-10-31", "group_by": "agency"}
    supervisor = await enter("supervisor")
    page = await supervisor.get("/reports?measure=load&from=2026-10-01&to=2026-10-31")
    assert 'action="/reports/approve"' in page.text
    assert 'action="/reports/approve"' not in (await supervisor.get("/reports?measure=load")).text  # not over
    sent = await supervisor.post("/reports/approve", at="/reports", **october)
    assert sent.status_code == 303
    shown = await supervisor.get(sent.headers["location"])
    assert "Утвердил(а) Нина Озерова" in shown.text
    assert "Ничего: при пересчёте все значения те же." in shown.text
    async with owner_db.write() as session:
        late = await factories.make_appeal(session, agency=town.ours, territory=town.place, written_at=clock.now() - timedelta(days=30))
        await factories.make_timer(session, appeal=late)
    shown = await supervisor.get(sent.headers["location"])
    assert "Управа Заречья" in shown.text
    assert "Ничего: при пересчёте" not in shown.text
    assert sent.headers["location"] in (await supervisor.get("/reports/approved")).text
    told = (await supervisor.get(f"/api/v1{sent.headers['location']}")).json()
    assert (told["report"]["total"]["opened"], told["approved_by"], told["whole"]) == (0, "Нина Озерова", True)
    changes = (await supervisor.get(f"/api/v1{sent.headers['location']}/changes")).json()
    assert {"figure": "opened", "then": 0, "now": 1}.items() <= next(one for one in changes if one["total"]).items()
    assert (await supervisor.post("/reports/approve", at="/reports", **(october | {"to": "2026-11-17"}))).status_code == 422
    assert (await (await enter("operator")).post("/reports/approve", **october)).status_code == 403
