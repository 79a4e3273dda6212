"""What keeping the sums of reports costs those who write: lives of appeals with it and without it, turn by turn.

And how soon a report shows what was written.
"""

from __future__ import annotations

import statistics
import time
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import text

from app.appeals import answers, service as appeals
from app.appeals.office import OfficeKeeper
from app.appeals.rules import Act, CloseReason
from app.flows import inbound
from app.kernel.clock import FixedClock
from app.people.queries import access_of_operator
from app.reports import rollup
from app.sources import store
from bench.ground import NOW, on_processor, on_processor_ended
from connectors.contract import AuthorSnapshot, Batch, CommentSnapshot, PostSnapshot

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import Any

    from app.kernel.db import Database, ReadSession
    from app.people.rules import Access
    from app.reports.figures import Figures

COMMENTS = 150
TURNS = 8
AIM = 1.15
FRESH_S = 5.0
_TRIGGERS = (("appeal_event", "queue_lines"), ("sla_timer", "queue_lines_added"), ("sla_timer", "queue_lines_changed"))

# What the outbox does once the platform has answered.
_SENT = text("UPDATE reply SET state = 'sent', published_at = :at, external_id = CAST(id AS text) WHERE id = :id")


async def measure(owner: Database, worker: Database, report: Callable[[], Awaitable[Figures]], *, tz: str) -> None:
    """Comments come in, become appeals, are answered and closed; half of the turns with the sums kept, half without.

    `report` gives the total of a year that holds them. The server does nothing else meanwhile: what it clears would count as theirs.
    """
    await drain(worker, tz)
    await _vacuum(owner, on=False)
    async with owner.read() as session:
        run = await session.scalar(text("SELECT count(*) FROM post WHERE external_id LIKE 'w%'")) or 0
        place = await session.scalar(text("SELECT current_setting('data_directory')"))
    async with worker.read() as session:
        keeping = int(await session.scalar(text("SELECT pg_backend_pid()")) or 0)
    server = int((Path(str(place)) / "postmaster.pid").read_text(encoding="ascii").split()[0])
    spent: dict[bool, list[float]] = {True: [], False: []}
    kept = []
    for turn in range(TURNS + 1):  # the first warms up
        keeps = turn % 2 == 1
        await _switch(owner, on=keeps)
        began = time.process_time() * 1000 + on_processor_ended(server)
        await _lives(owner, f"w{run}-{turn}")
        if turn:
            spent[keeps].append(time.process_time() * 1000 + on_processor_ended(server) - began)
        if keeps:
            began = time.process_time() * 1000 + on_processor(keeping)
            await drain(worker, tz)
            kept.append(time.process_time() * 1000 + on_processor(keeping) - began)
    await _switch(owner, on=True)
    _told(spent[False], spent[True], kept)
    await _fresh(owner, worker, report, f"w{run}-fresh", tz)
    await _vacuum(owner, on=True)


async def drain(worker: Database, tz: str) -> None:
    """Until nothing is queued, and what was being built is."""
    while (done := await rollup.refresh(worker, tz=tz)).appeals or done.more:
        pass


def _told(without: list[float], queued: list[float], keeping: list[float]) -> None:
    plain, triggered, kept = (statistics.median(one) for one in (without, queued, keeping))
    print(
        f"\n{COMMENTS:,} lives of appeals (comment, appeal, answer, close) by the program's own services; processor time, median of turns"
    )
    print(f"without sums                       {plain / 1000:8.2f} s   from {min(without) / 1000:.2f} to {max(without) / 1000:.2f}")
    print(f"with the queue of sums             {triggered / 1000:8.2f} s   {triggered / plain - 1:+7.1%}")
    print(f"and the worker's keeping of them   {kept / 1000:8.2f} s   {kept / plain:+7.1%}")
    held = "held" if triggered + kept <= plain * AIM else "MISSED"
    print(f"together                           {(triggered + kept) / plain - 1:+21.1%}   aim {AIM - 1:.0%}: {held}")


async def _fresh(owner: Database, worker: Database, report: Callable[[], Awaitable[Figures]], mark: str, tz: str) -> None:
    """From the last commit until a report shows all of them, while they are queued; then the worker's part."""
    before = (await report()).answered
    count = await _lives(owner, mark)
    written = time.perf_counter()
    while (shown := (await report()).answered) < before + count:
        if time.perf_counter() - written > FRESH_S * 10:
            raise SystemExit(f"Of {count} answers a report shows {shown - before}.")
    took = time.perf_counter() - written
    began = time.perf_counter()
    await drain(worker, tz)
    kept = time.perf_counter() - began
    held = "held" if took <= FRESH_S else "MISSED"
    print(f"{count} answers written: a report of the year shows them {took:.2f} s later; aim {FRESH_S:.0f}: {held}")
    print(f"the worker, who looks every two seconds, keeps them in {kept:.2f} s; then a report is as fast as ever")


async def _vacuum(owner: Database, *, on: bool) -> None:
    async with owner.engine.connect() as connection:
        settled = await connection.execution_options(isolation_level="AUTOCOMMIT")
        await settled.execute(text(f"ALTER SYSTEM SET autovacuum = {'on' if on else 'off'}"))
        await settled.execute(text("SELECT pg_reload_conf()"))


async def _switch(owner: Database, *, on: bool) -> None:
    async with owner.write() as session:
        for table, trigger in _TRIGGERS:
            await session.execute(text(f"ALTER TABLE {table} {'ENABLE' if on else 'DISABLE'} TRIGGER {trigger}"))


async def _lives(owner: Database, mark: str) -> int:
    """How many there were."""
    async with owner.read() as session:
        page = (await session.execute(text("SELECT id, platform, external_id FROM page ORDER BY id LIMIT 1"))).one()
        person = await _coordinator(session)
    await _take_in(owner, page, mark)
    keeper = OfficeKeeper(owner, FixedClock(NOW))
    await inbound.open_all(owner, keeper, FixedClock(NOW))
    async with owner.read() as session:
        rows = await session.execute(
            text("SELECT a.id, a.number FROM appeal a JOIN comment c ON c.id = a.comment_id WHERE c.external_id LIKE :like ORDER BY a.id"),
            {"like": f"{mark}-%"},
        )
        opened = rows.all()
    for appeal in opened:
        at = NOW + timedelta(minutes=30)
        async with owner.write(operator_id=person.operator_id) as session:
            reply = await appeals.answer(session, person, number=appeal.number, words="Исправим.", text_limits={}, now=at)
        async with owner.write() as session:
            await session.execute(_SENT, {"id": reply, "at": at})
            await answers.record_answer(
                session, appeal_id=appeal.id, act=Act.REPLY_SENT, reply_id=reply, published_at=at, operator_id=person.operator_id, now=at
            )
        async with owner.write(operator_id=person.operator_id) as session:
            await appeals.close(session, person, number=appeal.number, reason=CloseReason.EXPLAINED, seen_version=None, now=at)
    return len(opened)


async def _coordinator(session: ReadSession) -> Access:
    operator_id = await session.scalar(text("SELECT operator_id FROM operator_role WHERE role = 'coordinator' ORDER BY id LIMIT 1"))
    access = await access_of_operator(session, operator_id=int(operator_id or 0))
    if access is None:
        raise SystemExit("The bench has no coordinator.")
    return access


async def _take_in(owner: Database, page: Any, mark: str) -> None:  # noqa: ANN401 - a typed row
    posts = tuple(
        PostSnapshot(
            page_external_id=page.external_id,
            external_id=f"{mark}-{number}",
            text="Ремонт улиц",
            published_at=NOW,
            observed_at=NOW,
            link="",
            raw=b"",
        )
        for number in range(10)
    )
    async with owner.write() as session:
        await store.store_batch(session, platform=page.platform, batch=Batch(posts=posts), now=NOW)
    comments = tuple(
        CommentSnapshot(
            page_external_id=page.external_id, post_external_id=f"{mark}-{number % 10}", external_id=f"{mark}-{number}",
            text="Когда вывезут мусор с контейнерной площадки?", written_at=NOW - timedelta(seconds=number), observed_at=NOW,
            link="", raw=b"{}", author=AuthorSnapshot(external_id=f"{mark}-{number}", name="Автор"),
        )
        for number in range(COMMENTS)
    )  # fmt: skip
    async with owner.write() as session:
        await inbound.take_in(session, platform=page.platform, batch=Batch(comments=comments), now=NOW)
