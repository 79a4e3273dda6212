"""What we write is what we read: our appeals go out as the table, come into an empty database, and go out alike."""

from __future__ import annotations

import io
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import openpyxl
import pytest
from sqlalchemy import text

from app.appeals.rules import MERGED_REASON, CloseReason, DismissReason, Status
from app.exchange.incident.columns import SHAPES, Column
from app.exchange.incident.exporting import ENDINGS, STEP_WORDS, agencies_of, export_rows
from app.exchange.incident.importing import import_incidents
from app.exchange.incident.mapping import Mapping
from app.exchange.incident.reading import REASONS, STEPS
from app.exchange.incident.values import folded
from app.exchange.incident.workbook import read_rows, write_rows
from app.kernel.errors import InvalidError
from app.replies.rules import ReplyState
from app.reports.rules import Period
from app.reports.verify import verify
from tests import factories as make
from tests.app.exchange.incident.sheets import lines, row
from tests.app.exchange.incident.test_import import LIVES, ZONE, bring, region
from tests.databases import copy_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sqlalchemy.engine import URL

    from app.kernel.clock import FixedClock
    from app.kernel.db import Database, WriteSession
    from tests.databases import Databases

SINCE, UNTIL = datetime(2020, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)
MORNING = datetime(2026, 11, 16, 6, 12, 30, 750_000, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
async def other_db(databases: Databases, cluster: URL, template: str) -> AsyncIterator[Database]:
    """An empty database beside the test's own."""
    async with copy_of(cluster, template) as url, databases.acting(url, None, application="tests other") as database:
        yield database


def bytes_of(path: Path) -> bytes:
    return path.read_bytes()


async def written(database: Database, path: Path, clock: FixedClock, *, agencies: list[int] | None = None) -> list[dict[str, str]]:
    async with database.read() as session:
        rows = export_rows(session, since=SINCE, until=UNTIL, agency_ids=agencies, timezone=ZONE, now=clock.now())
        write_rows(path, [one async for one in rows])
    return [line.cells for line in read_rows(bytes_of(path))]


async def node(session: WriteSession, table: str, code: str) -> Any:
    from app.directory import models  # noqa: PLC0415

    kind = {"agency": models.Agency, "territory": models.Territory, "topic": models.Topic}[table]
    return await session.get_one(kind, await session.scalar(text(f"SELECT id FROM {table} WHERE code = :code"), {"code": code}))  # noqa: S608


async def live(session: WriteSession, number: int, status: Status, *, answers: int = 0, reason: str | None = None, **made: Any) -> None:
    """An appeal as it lives here, with answers of its agency."""
    at = MORNING + number * HOUR
    author = await make.make_author(session, external_id=str(700 + number))
    page = await make.make_page(session, external_id="-501", title="Город") if number == 1 else await node_page(session)
    post = await make.make_post(session, page=page)
    comment = await make.make_comment(session, post=post, author=author, text=f"=Яма {number}\nво дворе ", written_at=at)
    finished = status in {Status.CLOSED, Status.DISMISSED}
    appeal = await make.make_appeal(
        session, comment=comment, status=status, written_at=at, close_reason=reason, closed_at=at + 30 * HOUR if finished else None,
        answered_at=at + HOUR if answers else None, **made,
    )  # fmt: skip
    for answer in range(answers):
        published = at + (answer + 1) * HOUR
        reply = await make.make_reply(
            session, appeal=appeal, state=ReplyState.SENT, published_at=published, text=f"Ответ {answer}", by_hand=number % 2 == 0
        )
        await session.execute(
            text("UPDATE reply SET created_at = :at, agency_id = :agency WHERE id = :id"),
            {"at": published - HOUR / 4, "agency": appeal.agency_id, "id": reply.id},
        )


async def node_page(session: WriteSession) -> Any:
    from app.sources.models import Page  # noqa: PLC0415

    return await session.get_one(Page, await session.scalar(text("SELECT min(id) FROM page")))


async def a_town(owner_db: Database, clock: FixedClock) -> int:
    """Appeals of every state and ending."""
    await region(owner_db, clock)
    async with owner_db.write() as session:
        made = {
            "agency": await node(session, "agency", "city-hall"), "territory": await node(session, "territory", "city"),
            "topic": await node(session, "topic", "holes"), "operator": await make.make_operator(session, name="Анна Пробная"),
        }  # fmt: skip
        await live(session, 1, Status.NEW, **made)
        await live(session, 2, Status.IN_WORK, **made | {"topic": None})
        await live(session, 3, Status.ANSWERED, answers=2, **made)
        for number, reason in enumerate((*CloseReason, *DismissReason), start=4):
            closed = isinstance(reason, CloseReason)
            await live(session, number, Status.CLOSED if closed else Status.DISMISSED, answers=int(closed), reason=reason.value, **made)
        await live(session, 20, Status.DISMISSED, reason=MERGED_REASON, **made)
        await live(session, 21, Status.DISMISSED, answers=1, reason=DismissReason.SPAM.value, **made)  # reopened in between
        await live(session, 22, Status.ANSWERED, answers=1, **made)
        await session.execute(_TOLD_BY_PHONE)
        await session.execute(_WITHOUT_PLACE)
    return 6 + len(CloseReason) + len(DismissReason)


_TOLD_BY_PHONE = text("INSERT INTO appeal_text (appeal_id, text) SELECT max(id), 'Нет света' FROM appeal")
_WITHOUT_PLACE = text(
    """
    UPDATE appeal SET source = 'by_hand', platform = 'by_hand', comment_id = NULL, page_id = NULL, post_id = NULL,
      root_external_id = NULL, author_id = NULL
    WHERE id = (SELECT max(id) FROM appeal)
    """
)


async def test_out_and_in_and_out_gives_the_same_cells(owner_db: Database, other_db: Database, tmp_path: Path, clock: FixedClock) -> None:
    count = await a_town(owner_db, clock)
    first = await written(owner_db, tmp_path / "first.xlsx", clock)
    assert len(first) == count
    answered = first[2]
    assert {answered[Column.AGENCY], answered[Column.EXECUTOR]} == {"Администрация города", "Анна Пробная"}
    assert (answered[Column.CREATED_AT], answered[Column.ANSWERED_AT]) == ("2026-11-16 12:12:30", "2026-11-16 13:12:30")
    assert (answered[Column.TO_ANSWER], answered[Column.APPROVAL], answered[Column.STEP]) == (
        "1:00:00",
        "0:15:00",
        "Оценка удовлетворенности",
    )
    assert (answered[Column.TEXT], answered[Column.OWN_ANSWER_2], answered[Column.TOPIC]) == ("=Яма 3\nво дворе", "Ответ 1", "Ямы")
    await region(other_db, clock)
    async with other_db.write() as session:
        read = read_rows(bytes_of(tmp_path / "first.xlsx"))
        result = await import_incidents(session, read, Mapping(), timezone=ZONE, now=clock.now())
    assert (result.added, result.differences) == (count, [])
    assert [told.split(" ", 2)[2] for _, told in result.remarks] == [
        "was dismissed as «Спам» although it was answered: it came in as closed."
    ]
    assert await written(other_db, tmp_path / "second.xlsx", clock) == first
    year = Period(start=date(2026, 1, 1), end=date(2026, 12, 31), tz=ZONE)
    assert (await verify(other_db, period=year, now=clock.now() + timedelta(days=30))).differences == ()


async def test_into_where_it_came_from_it_changes_nothing(owner_db: Database, tmp_path: Path, clock: FixedClock) -> None:
    """Our own numbers say so, for appeals without any link too; a stranger's number does not, unless its moment agrees."""
    count = await a_town(owner_db, clock)
    first = await written(owner_db, tmp_path / "first.xlsx", clock)
    read = read_rows(bytes_of(tmp_path / "first.xlsx"))
    async with owner_db.write() as session:
        result = await import_incidents(session, read, Mapping(), timezone=ZONE, now=clock.now())
        told = await session.execute(text("SELECT (SELECT count(*) FROM appeal), (SELECT count(*) FROM appeal_origin)"))
    assert (result.added, result.joined, result.same, result.remarks) == (0, 0, count, [])
    assert told.one() == (count, 0)
    assert await written(owner_db, tmp_path / "again.xlsx", clock) == first
    number = first[0][Column.ID]
    assert (await bring(owner_db, clock, row(ID=number, NUMBER=number), dry_run=True)).added == 1


async def test_what_came_in_goes_out_with_all_it_had(owner_db: Database, tmp_path: Path, clock: FixedClock) -> None:
    await region(owner_db, clock)
    await bring(owner_db, clock, *LIVES)
    came = {line[Column.ID]: line.cells for line in lines(*LIVES)}
    for cells in await written(owner_db, tmp_path / "out.xlsx", clock):
        before = came[cells[Column.ID]]
        unlike = {column for column in SHAPES if cells[column].strip("-") != before[column].strip("-") and SHAPES[column].formula is None}
        expected: dict[str, set[Column]] = {
            "7": set(),
            "10": {Column.ASSIGNED_AT, Column.REGION, Column.MUNICIPALITY},  # taken from when it was opened, and from its agency
        }
        assert unlike == expected.get(cells[Column.ID], set()), cells[Column.ID]


async def test_what_happens_here_after_the_import_is_written(owner_db: Database, tmp_path: Path, clock: FixedClock) -> None:
    await region(owner_db, clock)
    await bring(owner_db, clock, row(STEP="Назначен", FINISHED_AT="-", OUTCOME="-", REASON="-"))
    async with owner_db.write() as session:
        await session.execute(
            text("UPDATE appeal SET version = 2, status = 'closed', close_reason = 'solved', closed_at = :at"), {"at": MORNING}
        )
    (cells,) = await written(owner_db, tmp_path / "out.xlsx", clock)
    assert (cells[Column.STEP], cells[Column.OUTCOME], cells[Column.FINISHED_AT]) == ("Готово", "Решено", "2026-11-16 09:12:30")
    assert cells[Column.WHOLE] == "349 days, 13:42:00"


async def test_only_the_agencies_that_were_asked_for(owner_db: Database, tmp_path: Path, clock: FixedClock) -> None:
    await region(owner_db, clock)
    await bring(owner_db, clock, row(), row(ID="2", AGENCY="Водоканал"))
    async with owner_db.read() as session:
        water = await agencies_of(session, ["water"])
        assert await agencies_of(session, []) is None
        with pytest.raises(InvalidError):
            await agencies_of(session, ["none-such"])
    assert [cells[Column.ID] for cells in await written(owner_db, tmp_path / "out.xlsx", clock, agencies=water)] == ["2"]


def test_every_word_that_we_write_is_one_that_we_read() -> None:
    assert set(STEP_WORDS) == set(Status)
    assert all(folded(word) in STEPS for word in STEP_WORDS.values())
    assert set(ENDINGS) == {one.value for one in (*CloseReason, *DismissReason)} | {MERGED_REASON}
    for reason, (_, word) in ENDINGS.items():
        read = DismissReason.DUPLICATE if reason == MERGED_REASON else reason  # elsewhere it has no older one to lie in
        assert not word or REASONS[folded(word)] == read


async def test_a_hostile_text_is_no_formula_in_the_file(owner_db: Database, tmp_path: Path, clock: FixedClock) -> None:
    await region(owner_db, clock)
    await bring(owner_db, clock, row(TEXT="'=cmd()", TAGS="@SUM(A1)"))
    await written(owner_db, tmp_path / "out.xlsx", clock)
    book = openpyxl.load_workbook(io.BytesIO(bytes_of(tmp_path / "out.xlsx")))
    assert all(cell.data_type != "f" for cells in book.active.iter_rows() for cell in cells)
