"""How fast stored comments become appeals, against inserting the same comment rows alone. Prints ratios.

    python bench/intake.py [--comments N] [--batch N]

The floor is what DESIGN section 12 measured systems against: multi-row INSERT … ON CONFLICT of the very same rows, in
the same run, on the same embedded PostgreSQL with its default durability. Texts come from ../shared/data when it is
there (read, never kept), else from a small invented stock.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import itertools
import sys
import time
from datetime import timedelta
from pathlib import Path

from sqlalchemy import text

ROOT = Path(__file__).resolve().parent.parent
sys.path[0] = str(ROOT)  # else the folder of benchmarks shadows modules of the standard library

from app.appeals.office import OfficeKeeper  # noqa: E402
from app.flows import inbound, worker  # noqa: E402
from app.kernel.clock import FixedClock  # noqa: E402
from app.kernel.db import Bulk, Database  # noqa: E402
from app.sources import store  # noqa: E402
from bench.ground import NOW, ground  # noqa: E402
from connectors.contract import AuthorSnapshot, Batch, CommentSnapshot, PostSnapshot  # noqa: E402

ALONE = Bulk(
    """
    INSERT INTO comment_alone (id, page_id, post_id, external_id, root_external_id, by_page, text, link, written_at, observed_at)
    SELECT id, page_id, post_id, external_id, root_external_id, by_page, body, link, written_at, observed_at FROM {rows}
    ON CONFLICT (page_id, post_id, external_id) DO NOTHING
    """,
    id="bigint", page_id="bigint", post_id="bigint", external_id="text", root_external_id="text", by_page="boolean", body="text",
    link="text", written_at="timestamptz", observed_at="timestamptz",
)  # fmt: skip
INVENTED = (
    "Здравствуйте! Когда вывезут мусор с контейнерной площадки на улице Садовой?",
    "Спасибо за праздник!",
    "В доме третий день нет горячей воды, примите меры.",
    "Автобус номер 5 опять не пришёл, сколько можно ждать?",
    "👍👍👍",
    "Почему на детской площадке сломаны качели? Ребёнок упал.",
)


def texts() -> list[str]:
    """Real texts when they are there."""
    source = ROOT.parent / "shared" / "data" / "appeals_by_group.csv"
    if not source.exists():
        return list(INVENTED)
    with source.open(encoding="utf-8-sig", newline="") as lines:
        return [row["text"] for row in csv.DictReader(lines)]


def batches(page: str, posts: list[str], count: int, size: int) -> list[Batch]:
    """Comments of different authors under some posts, cut into batches."""
    words = itertools.cycle(texts())
    rows = [
        CommentSnapshot(
            page_external_id=page, post_external_id=posts[number % len(posts)], external_id=str(1_000 + number), text=next(words),
            written_at=NOW - timedelta(seconds=number % 3_600), observed_at=NOW, link=f"https://example.test/{number}",
            raw=b'{"id": %d, "text": "..."}' % number, author=AuthorSnapshot(external_id=str(number), name=f"Author {number}"),
        )
        for number in range(count)
    ]  # fmt: skip
    return [Batch(comments=tuple(rows[start : start + size])) for start in range(0, count, size)]


async def measure(database: Database, count: int, size: int) -> None:
    """One run; figures on standard output."""
    async with database.read() as session:
        page = (await session.execute(text("SELECT id, platform, external_id FROM page ORDER BY id LIMIT 1"))).one()
    posts = [str(number) for number in range(1, 41)]
    wall = Batch(
        posts=tuple(
            PostSnapshot(
                page_external_id=page.external_id, external_id=post, text="Ремонт улиц", published_at=NOW, observed_at=NOW, link="", raw=b""
            )
            for post in posts
        )
    )
    async with database.write() as session:
        await store.store_batch(session, platform=page.platform, batch=wall, now=NOW)
    given = batches(page.external_id, posts, count, size)

    floor = await floor_of(database, page.id, given)
    began = time.perf_counter()
    for batch in given:
        async with database.write() as session:
            await inbound.take_in(session, platform=page.platform, batch=batch, now=NOW)
    stored = count / (time.perf_counter() - began)
    clock = FixedClock(NOW)
    keeper = OfficeKeeper(database, clock)
    await keeper.get()
    began = time.perf_counter()
    await inbound.open_all(database, keeper, clock)
    opened = count / (time.perf_counter() - began)
    both = 1 / (1 / stored + 1 / opened)
    async with database.read() as session:
        fates = {row.fate: row.n for row in await session.execute(text("SELECT fate, count(*) AS n FROM comment GROUP BY fate"))}
    print(f"comments {count}, batches of {size}; fates {fates}")
    print(f"floor: the comment rows alone        {floor:10,.0f} /s")
    print(f"platform batch to stored comments    {stored:10,.0f} /s   {stored / floor:6.3f} of the floor")
    print(f"stored comments to open appeals      {opened:10,.0f} /s   {opened / floor:6.3f} of the floor   (aim: 0.05 and 2,000 /s)")
    print(f"both                                 {both:10,.0f} /s   {both / floor:6.3f} of the floor")


async def floor_of(database: Database, page_id: int, given: list[Batch]) -> float:
    """The same rows by multi-row INSERT … ON CONFLICT into a twin of the table."""
    async with database.write() as session:
        await session.execute(text("CREATE TABLE comment_alone (LIKE comment INCLUDING ALL EXCLUDING IDENTITY)"))
    async with database.read() as session:
        ids = {row.external_id: row.id for row in await session.execute(text("SELECT id, external_id FROM post"))}
    count = sum(len(batch.comments) for batch in given)
    began = time.perf_counter()
    for batch in given:
        rows = [
            (number, page_id, ids[one.post_external_id], one.external_id, one.external_id, False, one.text, one.link, one.written_at,
             one.observed_at)
            for number, one in enumerate(batch.comments, int(batch.comments[0].external_id))
        ]  # fmt: skip
        async with database.write() as session:
            await ALONE.run(session, rows)
    return count / (time.perf_counter() - began)


async def main() -> None:
    """Build a database, fill the sample region, measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--comments", type=int, default=20_000)
    parser.add_argument("--batch", type=int, default=1_000)
    given = parser.parse_args()
    sys.setswitchinterval(worker.SWITCH_SECONDS)
    async with ground() as (_, database):
        await measure(database, given.comments, given.batch)


if __name__ == "__main__":
    asyncio.run(main())
