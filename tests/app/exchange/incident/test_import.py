"""History comes in: where each value goes, what is asked for, and which laws it keeps."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select, text

from app.appeals.rules import Act, Status, replayed
from app.directory.models import Agency
from app.exchange.agencies import import_agencies
from app.exchange.calendars import complete_calendars, import_calendar
from app.exchange.incident.columns import Column
from app.exchange.incident.importing import IncidentImport, import_incidents
from app.exchange.incident.mapping import Mapping, Of, UnknownValuesError, read_mapping, write_mapping
from app.exchange.table import ImportFaultsError
from app.exchange.territories import import_territories
from app.exchange.topics import import_topics
from app.kernel.db import utc_now_of
from app.reports.measures import AGENCY_ANSWER, DETECTION_LAG
from app.reports.rules import Grouping, Period
from app.reports.service import Asked, measured, response_times
from app.reports.verify import verify
from app.reports.working import know_calendars
from tests import factories as make
from tests.app.exchange.incident.sheets import lines, row

if TYPE_CHECKING:
    from app.kernel.clock import FixedClock
    from app.kernel.db import Database

ZONE = "Europe/Moscow"
TERRITORIES = "code,parent,name,timezone\nregion,,Область,Europe/Moscow\ncity,region,Город,\n"
AGENCIES = "code,parent,territory,name\ncity-hall,,city,Администрация города\nwater,,region,Водоканал\n"
TOPICS = "code,parent,name\nroads,,Дороги\nholes,roads,Ямы\nroads-all,roads,Дороги\n"
HOURS = "territory,monday,tuesday,wednesday,thursday,friday,saturday,sunday\nregion" + ",08:30-17:30" * 5 + ",,\n"
YEAR = Period(start=date(2025, 1, 1), end=date(2026, 12, 31), tz=ZONE)


async def region(owner_db: Database, clock: FixedClock) -> None:
    loaders: tuple[tuple[Any, str], ...] = (
        (import_territories, TERRITORIES), (import_agencies, AGENCIES), (import_topics, TOPICS), (import_calendar, HOURS),
    )  # fmt: skip
    for importer, data in loaders:
        async with owner_db.write() as session:
            await importer(session, data.encode(), now=clock.now())
            await complete_calendars(session, now=clock.now())


async def bring(owner_db: Database, clock: FixedClock, *rows: Any, mapping: str = "", dry_run: bool = False) -> IncidentImport:
    given = read_mapping(f"kind,value,ours\n{mapping}".encode())
    async with owner_db.write() as session:
        return await import_incidents(session, lines(*rows), given, timezone=ZONE, now=clock.now(), dry_run=dry_run)


async def faults(owner_db: Database, clock: FixedClock, *rows: Any, mapping: str = "") -> list[tuple[int, str]]:
    with pytest.raises(ImportFaultsError) as refused:
        await bring(owner_db, clock, *rows, mapping=mapping)
    return [(fault.line, fault.text) for fault in refused.value.faults]


async def all_of(owner_db: Database, sql: str) -> list[Any]:
    async with owner_db.read() as session:
        return list((await session.execute(text(sql))).all())


async def test_an_incident_comes_in_whole(owner_db: Database, clock: FixedClock) -> None:
    await region(owner_db, clock)
    result = await bring(owner_db, clock, row())
    assert (result.added, result.same, result.joined, result.differences, result.remarks) == (1, 0, 0, [], [])
    (appeal,) = await all_of(
        owner_db,
        "SELECT a.*, n.code AS agency, t.code AS territory, c.code AS topic, w.text, w.link, u.external_id AS author FROM appeal a "
        "JOIN agency n ON n.id = a.agency_id JOIN territory t ON t.id = a.territory_id JOIN topic c ON c.id = a.topic_id "
        "JOIN appeal_text w ON w.appeal_id = a.id JOIN author u ON u.id = a.author_id",
    )
    assert (appeal.agency, appeal.territory, appeal.topic, appeal.author) == ("city-hall", "city", "holes", "9001")
    assert (appeal.source, appeal.platform, appeal.status, appeal.close_reason) == ("incident", "vk", "closed", "explained")
    assert appeal.written_at == appeal.opened_at == datetime(2025, 12, 1, 16, 30, 30, tzinfo=UTC)
    assert (appeal.answered_at, appeal.closed_at) == (datetime(2025, 12, 2, 7, tzinfo=UTC), datetime(2025, 12, 6, 7, tzinfo=UTC))
    assert (appeal.text, appeal.link, appeal.due_at) == ("Во дворе большая яма", row()[Column.POST_LINK], None)
    events = await all_of(owner_db, "SELECT act, occurred_at, recorded_at, data FROM appeal_event ORDER BY id")
    assert [event.act for event in events] == ["opened", "routed", "reply_queued", "answered_by_hand", "closed"]
    assert events[1].occurred_at == datetime(2025, 12, 2, 5, 45, tzinfo=UTC)
    assert {event.data["system"] for event in events} == {"incident"}
    assert all(event.recorded_at > datetime(2026, 1, 1, tzinfo=UTC) for event in events)
    (reply,) = await all_of(owner_db, "SELECT * FROM reply")
    assert (reply.state, reply.by_hand, reply.text) == ("sent", True, row()[Column.ANSWER])
    assert reply.published_at - reply.created_at == timedelta(minutes=15)
    timers = await all_of(owner_db, "SELECT promise, outcome, elapsed_seconds, working_seconds, stopped_at FROM sla_timer")
    assert [(one.promise, one.outcome, one.elapsed_seconds, one.working_seconds) for one in timers if one.promise == "first_answer"] == [
        ("first_answer", "met", 52_170, 5_400)
    ]
    assert all(one.stopped_at is not None for one in timers)
    (origin,) = await all_of(owner_db, "SELECT external_id, cells FROM appeal_origin")
    assert (origin.external_id, origin.cells["Улица"], origin.cells["Теги"]) == ("1001", "Новая улица", "дороги, двор")
    assert len(origin.cells) == 47


async def test_again_changes_nothing_and_says_what_the_file_says_otherwise(owner_db: Database, clock: FixedClock) -> None:
    await region(owner_db, clock)
    await bring(owner_db, clock, row())
    before = await all_of(owner_db, "SELECT * FROM appeal_event ORDER BY id")
    again = await bring(owner_db, clock, row(), row(ID="1002"))
    assert (again.added, again.same, again.remarks) == (1, 1, [])
    changed = await bring(owner_db, clock, row(TAGS="новое", REMARK="звонили"))
    assert [(number, told.split(": ")[-1]) for number, told in changed.remarks] == [(2, "«Теги», «Примечание».")]
    assert await all_of(owner_db, "SELECT * FROM appeal_event WHERE appeal_id = (SELECT min(id) FROM appeal) ORDER BY id") == before


async def test_a_dry_run_says_the_same_and_leaves_nothing(owner_db: Database, clock: FixedClock) -> None:
    await region(owner_db, clock)
    mapping = "agency,Новое ведомство,new:fresh\n"
    result = await bring(owner_db, clock, row(AGENCY="Новое ведомство", REACTION="0:50:00"), mapping=mapping, dry_run=True)
    assert (result.added, result.written, result.made, len(result.differences)) == (1, False, ["agency fresh"], 1)
    counted = await all_of(
        owner_db,
        "SELECT (SELECT count(*) FROM appeal), (SELECT count(*) FROM appeal_origin), (SELECT count(*) FROM agency WHERE code = 'fresh')",
    )
    assert tuple(counted[0]) == (0, 0, 0)


async def test_calculated_cells_are_recomputed_by_the_regions_hours(owner_db: Database, clock: FixedClock) -> None:
    await region(owner_db, clock)
    result = await bring(owner_db, clock, row(), row(ID="2", TO_ANSWER_WORKING="1:31:00", APPROVAL="-"), row(ID="3", IN_TIME="Нет"))
    assert [(one.line, one.external_id, one.unlike.column, one.unlike.file, one.unlike.ours) for one in result.differences] == [
        (3, "2", Column.TO_ANSWER_WORKING, "1:31:00", "1:30:00"),
        (3, "2", Column.APPROVAL, "-", "0:15:00"),
        (4, "3", Column.IN_TIME, "Нет", "Да"),
    ]


async def test_what_nobody_knows_is_asked_for_once_and_then_mapped(owner_db: Database, clock: FixedClock) -> None:
    await region(owner_db, clock)
    strange = row(
        AGENCY="@ЖКХ",
        TOPIC="Лужи",
        MUNICIPALITY="Село",
        STEP="Ожидание",
        REASON="-",
        OUTCOME="Иное",
        IN_TIME="вовремя",
        FINISHED_AT="-",
        WHOLE="-",
    )
    closed = row(ID="2", AGENCY="-", OUTCOME="Иное", REASON="передумал")
    with pytest.raises(UnknownValuesError) as refused:
        await bring(owner_db, clock, strange, strange | {Column.ID: "3"}, closed)
    written = write_mapping(refused.value.mapping).decode("utf-8-sig")
    assert written.splitlines() == [
        "kind,value,ours", "agency,,", "agency,'@ЖКХ,", "in_time,вовремя,", "reason,передумал,", "step,Ожидание,",
        "territory,Область > Село,", "topic,Дороги > Лужи,",
    ]  # fmt: skip
    assert {fault.line for fault in refused.value.faults} == {2, 4}
    filled = (
        "agency,,water\nagency,'@ЖКХ,new:housing\nin_time,вовремя,yes\nreason,передумал,outcome\noutcome,иное,solved\nstep,ОЖИДАНИЕ,answered\n"
        "territory,Область > Село,new:region/village\ntopic,Дороги > Лужи,new:roads/puddles\n"
    )
    result = await bring(owner_db, clock, strange, strange | {Column.ID: "3"}, closed, mapping=filled)
    assert (result.added, result.made) == (3, ["territory village", "agency housing", "topic puddles"])
    rows = await all_of(
        owner_db,
        "SELECT n.code AS agency, n.name, t.code AS territory, p.code AS parent, c.code AS topic, a.status, a.close_reason FROM appeal a "
        "JOIN agency n ON n.id = a.agency_id JOIN territory t ON t.id = a.territory_id JOIN territory p ON p.id = t.parent_id "
        "JOIN topic c ON c.id = a.topic_id ORDER BY a.id",
    )
    assert [tuple(one) for one in rows] == [
        ("housing", "@ЖКХ", "village", "region", "puddles", "answered", None),
        ("housing", "@ЖКХ", "village", "region", "puddles", "answered", None),
        ("water", "Водоканал", "city", "region", "holes", "closed", "solved"),
    ]


def test_the_mapping_file_keeps_what_a_person_filled_in() -> None:
    mapping = read_mapping("kind,value,ours\nagency,ЖКХ,water\nstep,Пауза,\n".encode())
    mapping.ask(Of.STEP, "пауза", 5)
    mapping.ask(Of.TOPIC, "Дороги", 6)
    assert write_mapping(mapping).decode("utf-8-sig").splitlines() == [
        "kind,value,ours", "agency,ЖКХ,water", "step,Пауза,", "topic,Дороги,",
    ]  # fmt: skip
    assert read_mapping(write_mapping(mapping)).given == {(Of.AGENCY, "жкх"): "water"}
    for wrong in ("colour,красный,red\n", "agency,ЖКХ,a\nagency,жкх,b\n"):
        with pytest.raises(ImportFaultsError):
            read_mapping(f"kind,value,ours\n{wrong}".encode())


async def test_the_whole_file_is_checked_first(owner_db: Database, clock: FixedClock) -> None:
    await region(owner_db, clock)
    found = await faults(
        owner_db, clock, row(), row(ID=""), row(ID="1001"), row(ID="4", CREATED_AT="-"), row(ID="5", WHOLE="скоро"),
        row(ID="6", ANSWERED_AT="2025-11-01 00:00:00", OWN_ANSWERED_AT="-"), row(ID="7", FINISHED_AT="-"),
        row(ID="8", ANSWERED_AT="-", OWN_ANSWERED_AT="-"),
        mapping="agency,Водоканал,none-such\n",
    )  # fmt: skip
    assert [(line, told.split(".")[0].split(":")[0]) for line, told in found] == [
        (3, "ID is empty"),
        (4, "ID '1001' stands in line 2 too"),
        (5, "«Дата создания» is empty"),
        (6, "«Время с начала создания инцидента до окончания» is 'скоро'"),
        (7, "«Общее время первого ответа» is before «Дата создания»"),
        (8, "«Текущий шаг инцидента» is «Готово», «Дата окончания» is «-»"),
        (9, "There is an answer, but «Общее время первого ответа» is empty"),
    ]
    assert await all_of(owner_db, "SELECT 1 FROM appeal") == []
    assert "at most 200 are an ID" in (await faults(owner_db, clock, row(ID="1" * 5000)))[0][1]
    wrong_code = await faults(owner_db, clock, row(AGENCY="Водоканал"), mapping="agency,Водоканал,none-such\n")
    assert "there is no such code" in wrong_code[0][1]
    wrong_new = await faults(owner_db, clock, row(TOPIC="Лужи"), mapping="topic,Дороги > Лужи,new:puddles\n")
    assert "a code for each of the 2 levels" in wrong_new[0][1]


LIVES = (
    row(ID="1"),
    row(ID="2", REASON="Автор доволен", OUTCOME="-"),
    # another department answered first; the last executor was assigned after it, and answered three times
    row(
        ID="3", ASSIGNED_AT="2025-12-02 11:00:00", SUBMITTED_AT="2025-12-02 11:30:00", OWN_ANSWERED_AT="2025-12-02 12:00:00",
        OWN_ANSWER_1="Уточняем.", OWN_ANSWER_2="Засыпали.", OWN_ANSWER_3="Проверили.", RATING_AT="2025-12-04 12:00:00",
    ),
    # closed without an answer; dismissed; open at each step
    row(ID="4", ANSWERED_AT="-", OWN_ANSWERED_AT="-", SUBMITTED_AT="-", ANSWER="", OWN_ANSWER_1="", RATING_AT="-"),
    row(ID="5", ANSWERED_AT="-", OWN_ANSWERED_AT="-", SUBMITTED_AT="-", ANSWER="", OWN_ANSWER_1="", RATING_AT="-", REASON="Спам"),
    row(ID="6", STEP="Назначен", ANSWERED_AT="-", OWN_ANSWERED_AT="-", SUBMITTED_AT="-", ANSWER="", OWN_ANSWER_1="", FINISHED_AT="-"),
    row(ID="7", STEP="Оценка удовлетворённости", FINISHED_AT="-"),
    row(ID="8", STEP="В работе", FINISHED_AT="-"),
    # finished before the answer was published; found without a link, a topic, a place
    row(ID="9", FINISHED_AT="2025-12-02 09:00:00"),
    row(ID="10", POST_LINK="-", PAGE_LINK="-", AUTHOR_LINK="-", TOPIC_GROUP="-", TOPIC="-", REGION="-", MUNICIPALITY="-", ASSIGNED_AT=""),
    # asked again after its answer, and dismissed then
    row(ID="11", REASON="Спам"),
)  # fmt: skip


async def test_every_life_keeps_the_laws(owner_db: Database, clock: FixedClock) -> None:
    await region(owner_db, clock)
    result = await bring(owner_db, clock, *LIVES)
    assert result.added == len(LIVES)
    assert [told for _, told in result.remarks] == [
        "Incident 8 waits at «В работе» although it was answered; since when is not told: it came in as answered.",
        "Incident 11 was dismissed as «Спам» although it was answered: it came in as closed.",
    ]
    appeals = await all_of(
        owner_db, "SELECT a.*, o.external_id FROM appeal a JOIN appeal_origin o ON o.appeal_id = a.id ORDER BY CAST(o.external_id AS int)"
    )
    assert [one.status for one in appeals] == [
        "closed", "closed", "closed", "closed", "dismissed", "new", "answered", "answered", "closed", "closed", "closed",
    ]  # fmt: skip
    for appeal in appeals:
        events = await all_of(owner_db, f"SELECT * FROM appeal_event WHERE appeal_id = {appeal.id} ORDER BY id")  # noqa: S608 - a number
        assert replayed((Act(one.act), one.cycle) for one in events) == (Status(appeal.status), 1)
        assert [one.occurred_at for one in events] == sorted(one.occurred_at for one in events)
        running = await all_of(owner_db, f"SELECT due_at FROM sla_timer WHERE appeal_id = {appeal.id} AND stopped_at IS NULL")  # noqa: S608
        assert (appeal.due_at is None) == (not running)
        assert bool(running) == (appeal.status == "new")
    unknown = await all_of(owner_db, "SELECT occurred_at FROM appeal_event WHERE data ? 'moment'")
    assert [one.occurred_at for one in unknown] == [datetime(2025, 12, 4, 9, tzinfo=UTC)] * 2
    later = clock.now() + timedelta(minutes=5)
    found = await verify(owner_db, period=YEAR, now=later)
    assert (found.differences, found.timers) == ((), len(LIVES))


async def test_the_agencys_own_time_is_the_files_second_clock(owner_db: Database, clock: FixedClock) -> None:
    await region(owner_db, clock)
    await bring(owner_db, clock, row())
    async with owner_db.write() as session:
        await know_calendars(session)  # as the worker does
    async with owner_db.read() as session:
        asked = Asked(measure=AGENCY_ANSWER, access=None, period=YEAR, now=await utc_now_of(session))
        own = (await measured(session, asked, group_by=Grouping.AGENCY)).total
        lag = (await measured(session, replace(asked, measure=DETECTION_LAG), group_by=Grouping.AGENCY)).total
    assert (own.average_s, own.working_average_s) == (3600, 3600)  # 08:45 to 09:45, as «Первая реакция с момента назн. ПИ»
    assert lag.average_s is None  # when the citizen's comment was noticed is not told


async def test_measures_count_what_came_in_but_not_as_of_an_earlier_moment(owner_db: Database, clock: FixedClock) -> None:
    await region(owner_db, clock)
    (row_before,) = await all_of(owner_db, "SELECT now() AS moment")
    await bring(owner_db, clock, *LIVES)
    (row_after,) = await all_of(owner_db, "SELECT now() AS moment")
    async with owner_db.read() as session:
        asked: dict[str, Any] = {"access": None, "period": YEAR, "group_by": Grouping.AGENCY}
        now = (await response_times(session, **asked, now=row_after.moment)).total
        then = (await response_times(session, **asked, now=row_after.moment, as_of=row_before.moment)).total
    assert (now.opened, now.answered, now.waiting, now.closed_unanswered) == (10, 7, 1, 2)
    assert (then.opened, then.answered) == (0, 0)


async def test_a_matter_that_is_an_appeal_here_is_not_opened_twice(owner_db: Database, clock: FixedClock) -> None:
    await region(owner_db, clock)
    async with owner_db.write() as session:
        page = await make.make_page(session, platform="vk", external_id="-501")
        post = await make.make_post(session, page=page, external_id="77")
        comment = await make.make_comment(session, post=post, external_id="80")
        appeal = await make.make_appeal(session, comment=comment)
        await session.execute(
            text("UPDATE comment SET appeal_id = :appeal, fate = 'opened' WHERE id = :id"), {"appeal": appeal.id, "id": comment.id}
        )
    others = [row(ID=str(number), POST_LINK=f"https://vk.com/wall-501_77?reply={number}&thread=79", STEP="Назначен", FINISHED_AT="-",
                  ANSWERED_AT="-", OWN_ANSWERED_AT="-", SUBMITTED_AT="-", ANSWER="", OWN_ANSWER_1="") for number in (81, 82)]  # fmt: skip
    result = await bring(owner_db, clock, row(), *others)
    assert (result.added, result.joined) == (2, 1)
    assert result.remarks == [(2, "Incident 1001 is an appeal here already: its row is kept with it.")]
    found = await all_of(
        owner_db,
        "SELECT o.external_id, a.id, a.page_id, a.post_id, a.root_external_id "
        "FROM appeal_origin o JOIN appeal a ON a.id = o.appeal_id ORDER BY 1",
    )
    assert [(one.external_id, one.page_id, one.post_id, one.root_external_id) for one in found] == [
        ("1001", page.id, post.id, appeal.root_external_id), ("81", page.id, post.id, "79"), ("82", page.id, post.id, None),
    ]  # fmt: skip
    assert found[0].id == appeal.id


async def test_an_erased_person_does_not_come_back_by_a_file(owner_db: Database, clock: FixedClock) -> None:
    await region(owner_db, clock)
    async with owner_db.write() as session:
        gone = await make.make_author(session, external_id="9001")
        await session.execute(
            text(
                "UPDATE author SET mark = otklik_author_mark(platform, external_id), external_id = 'erased:1', name = '', link = NULL, "
                "erased_at = '2025-12-20' WHERE id = :id"
            ),
            {"id": gone.id},
        )
    later = row(ID="2", CREATED_AT="2026-01-12 09:00:00", STEP="Назначен", ASSIGNED_AT="-") | dict.fromkeys(
        (
            Column.ANSWERED_AT,
            Column.OWN_ANSWERED_AT,
            Column.SUBMITTED_AT,
            Column.FINISHED_AT,
            Column.RATING_AT,
            Column.ANSWER,
            Column.OWN_ANSWER_1,
        ),
        "",
    )
    result = await bring(owner_db, clock, row(), later)
    assert result.remarks == [(2, "Incident 1001 came in without words and links: its author asked to be erased.")]
    before, after = await all_of(
        owner_db,
        "SELECT a.author_id, w.text, w.link, o.cells, (SELECT count(*) FROM reply r WHERE r.appeal_id = a.id AND r.text <> '') AS answers "
        "FROM appeal a JOIN appeal_text w ON w.appeal_id = a.id JOIN appeal_origin o ON o.appeal_id = a.id ORDER BY a.id",
    )
    assert (before.author_id, before.text, before.link, before.cells, before.answers) == (gone.id, "", None, {}, 0)
    assert after.author_id != gone.id
    assert after.text
    assert (await bring(owner_db, clock, row())).remarks == []


async def test_a_row_is_seen_with_its_appeal_only(owner_db: Database, web_db: Database, clock: FixedClock) -> None:
    await region(owner_db, clock)
    await bring(owner_db, clock, row(), row(ID="2", AGENCY="Водоканал"))
    async with owner_db.write() as session:
        water = (await session.scalars(select(Agency).where(Agency.code == "water"))).one()
        anna = await make.make_operator(session, scope=water)
    async with web_db.read(operator_id=anna.id) as session:
        assert list(await session.scalars(text("SELECT external_id FROM appeal_origin"))) == ["2"]


def test_an_empty_mapping_knows_nothing() -> None:
    assert Mapping().ours(Of.AGENCY, "ЖКХ") is None
