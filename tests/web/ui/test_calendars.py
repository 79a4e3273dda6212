"""Working hours on the screen: looked at before they are saved, every version kept, a file of days off read with suspicion."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from app.appeals.reapply import apply_everywhere
from app.sla.calendar import from_json
from app.sla.own_hours import Hours, typed_hours
from app.web.ui.calendar_form import digest
from tests import factories

if TYPE_CHECKING:
    import httpx

    from app.kernel.clock import FixedClock
    from app.kernel.db import Database
    from tests.web.ui.conftest import Browser, Enter, Town

HERE = "/administration/calendars"
WEEK: dict[str, Any] = {f"week_{number}": "9:00-13:00, 14:00–18:00" for number in range(5)}


async def rows(db: Database, statement: str) -> list[Any]:
    async with db.read() as session:
        return list((await session.execute(text(statement))).all())


def hidden(page: str, name: str) -> str:
    found = re.search(rf'name="{name}"\s+value="([^"]*)"', page)
    assert found, name
    return found[1]


async def tried(browser: Browser, **fields: Any) -> httpx.Response:
    return await browser.post(f"{HERE}/save", at=HERE, act="try", **fields)


async def saved(browser: Browser, page: httpx.Response, **fields: Any) -> httpx.Response:
    seen, version = hidden(page.text, "seen"), hidden(page.text, "version")
    return await browser.post(f"{HERE}/save", at=HERE, act="save", **(fields | {"seen": seen, "version": version}))


async def test_an_exception_is_shown_saved_as_a_version_and_moves_only_what_it_is_applied_to(
    coordinator: Browser, town: Town, owner_db: Database, worker_db: Database, clock: FixedClock
) -> None:
    before = await rows(owner_db, "SELECT id, due_at, calendar_version_id FROM sla_timer ORDER BY id")
    fields: dict[str, Any] = {"territory": town.place.id, "version": 1, "year": 2026, **WEEK}
    fields |= {"first_0": "2026-11-18", "last_0": "2026-11-19", "name_0": "День области", "first_1": "2026-12-30", "hours_1": "9:00-12:00"}
    page = await tried(coordinator, **fields)
    assert page.status_code == 200
    words = " ".join(re.sub(r"<[^>]+>", " ", page.text).split())
    assert "ср, 18 нояб. – чт, 19 нояб. : выходной, День области" in words
    assert "изменятся 3 дня" in words
    assert len(await rows(owner_db, "SELECT 1 FROM calendar_version")) == 1
    other = await saved(coordinator, page, **(fields | {"last_0": "2026-11-20"}))
    assert other.status_code == 200, "what was looked at is not what is sent now"
    done = await saved(coordinator, page, **fields)
    assert done.status_code == 303
    first, second = await rows(owner_db, "SELECT * FROM calendar_version ORDER BY version")
    assert (second.version, second.operator_id, second.valid_from) == (2, town.people["coordinator"].id, clock.now())
    calendar = from_json(second.definition, id="", version=2)
    assert {day.isoformat(): value.kind.value for day, value in calendar.days.items()} == {
        "2026-11-18": "exception", "2026-11-19": "exception", "2026-12-30": "exception",
    }  # fmt: skip
    assert first.definition["days"] == {}
    assert await rows(owner_db, "SELECT id, due_at, calendar_version_id FROM sla_timer ORDER BY id") == before, "what was promised stays"
    shown = (await coordinator.get(done.headers["location"])).text
    assert "Тимур Ясенев" in shown
    assert "Версия 2." in shown
    # Somebody who had the page open before saves nothing over it.
    assert (await saved(coordinator, page, **fields | {"name_1": ""})).status_code in {200, 409}
    assert len(await rows(owner_db, "SELECT 1 FROM calendar_version")) == 2
    clock.moment += timedelta(minutes=1)
    await apply_everywhere(worker_db, clock, operator_id=None, territories=None)
    events = await rows(owner_db, "SELECT data FROM appeal_event WHERE act = 'policy_applied'")
    assert {event.data["calendar"] for event in events} == {second.id}, "applied, each with an event"


async def test_nothing_to_save_is_said(coordinator: Browser, town: Town) -> None:
    page = await tried(coordinator, territory=town.place.id, version=1, **WEEK)
    assert "сохранять нечего" in page.text
    assert 'value="save"' not in page.text


MISTAKES: tuple[tuple[dict[str, Any], str], ...] = (
    ({"week_0": "9 to 6"}, "Запишите часы так"),
    ({"week_0": "18:00-09:00"}, "Запишите часы так"),
    ({"first_0": "2026-02-30"}, "Укажите день"),
    ({"name_0": "Без дня"}, "Укажите день"),
    ({"first_0": "2026-02-10", "last_0": "2026-02-01"}, "Последний день раньше"),
    ({"first_0": "2026-02-10", "hours_0": "до обеда"}, "Запишите часы так"),
)


async def test_a_mistake_is_told_where_it_was_made(coordinator: Browser, town: Town) -> None:
    for fields, sentence in MISTAKES:
        page = await tried(coordinator, territory=town.place.id, version=1, **(WEEK | fields))
        assert page.status_code == 422, fields
        assert sentence in page.text, fields
        assert 'value="save"' not in page.text


async def test_a_file_of_days_off_is_read_into_the_form(coordinator: Browser, town: Town, owner_db: Database) -> None:
    await coordinator.get(HERE)
    entries = ("DTSTART;VALUE=DATE:20261208\r\nSUMMARY:<b>Праздник</b>", "DTSTART:20261209T100000\r\nSUMMARY:Концерт")
    body = "".join(f"BEGIN:VEVENT\r\nUID:{entry[-4:]}\r\n{entry}\r\nEND:VEVENT\r\n" for entry in entries)
    file = f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\n{body}END:VCALENDAR\r\n".encode()
    data = {"csrf": coordinator.csrf, "territory": str(town.place.id), "version": "1", "act": "read", **WEEK}
    where = {"Referer": f"http://otklik.example{HERE}"}
    page = await coordinator.http.post(f"{HERE}/save", data=data, files={"file": ("days.ics", file, "text/calendar")}, headers=where)
    assert page.status_code == 200
    assert 'value="2026-12-08"' in page.text
    assert "&lt;b&gt;Праздник" in page.text
    assert "Концерт" in page.text
    assert "указано время" in page.text
    assert 'value="save"' in page.text, "its effect is shown at once"
    for wrong in (b"", b"%PDF", b"x" * 400_000):
        page = await coordinator.http.post(f"{HERE}/save", data=data, files={"file": ("days.ics", wrong, "text/calendar")}, headers=where)
        assert page.status_code == 422
        assert 'id="wrong-file"' in page.text
    assert len(await rows(owner_db, "SELECT 1 FROM calendar_version")) == 1


async def test_hours_are_set_by_whoever_may_and_in_their_own_territory(
    enter: Enter, coordinator: Browser, town: Town, owner_db: Database, web_db: Database
) -> None:
    async with owner_db.write() as session:
        elsewhere = await factories.make_territory(session, name="Дальний")
    foreign = await coordinator.get(f"{HERE}/of?territory={elsewhere.id}")
    assert foreign.status_code == 200, "known to everybody"
    assert 'name="week_0"' not in foreign.text
    office = Hours(week=(typed_hours(WEEK["week_0"], ""),) * 5 + ((), ()), by_law=False)
    seen = digest(office, (elsewhere.id, None), 0)  # as if the form had been there
    refused = await coordinator.post(f"{HERE}/save", at=HERE, act="save", territory=elsewhere.id, seen=seen, **WEEK)
    assert refused.status_code == 403
    for who in ("operator", "supervisor"):
        browser = await enter(who)
        assert (await browser.get(HERE)).status_code == 403
        assert (await tried(browser, territory=town.place.id, **WEEK)).status_code == 403
    agency = await tried(coordinator, agency=town.ours.id, version=0, **(WEEK | {"week_0": "10:00-12:00"}))
    assert (await saved(coordinator, agency, agency=town.ours.id, **(WEEK | {"week_0": "10:00-12:00"}))).status_code == 303
    assert [(row.agency_id, row.version) for row in await rows(owner_db, "SELECT * FROM calendar_version ORDER BY id")] == [
        (None, 1), (town.ours.id, 1),
    ]  # fmt: skip
    assert "Управа Заречья" in (await coordinator.get(HERE)).text
    # The second lock: through the door, another territory's agency has no hours in one's own.
    async with web_db.write(operator_id=town.people["coordinator"].id) as session:
        statement = text("SELECT otklik_add_calendar(:place, :agency, 1, '{}', now())")
        assert await session.scalar(statement, {"place": elsewhere.id, "agency": None}) is None
        stranger = await session.scalar(statement, {"place": town.place.id, "agency": 987654})
    assert stranger is None
