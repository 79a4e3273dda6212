"""What is stored of people ends: after its term and on request. Every figure stays, and what was erased does not come back."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text

from app.appeals.rules import Status
from app.kernel.errors import ConflictError, InvalidError
from app.privacy import subjects
from app.privacy.keeping import Keeping
from app.replies.rules import ReplyState
from app.reports.rules import Grouping, Period
from app.reports.service import response_times
from app.reports.verify import verify
from app.sources.rules import Fate
from app.sources.store import store_batch
from connectors.contract import AuthorSnapshot, Batch, CommentSnapshot
from tests import factories

if TYPE_CHECKING:
    from datetime import datetime

    from app.kernel.clock import FixedClock
    from app.kernel.db import Database

YEAR = timedelta(days=365)
WORDS = "Во дворе третий день не горят фонари."
NAME = "Пётр Кузнецов"
PERSONAL = (
    "SELECT string_agg(concat_ws('|', u.external_id, u.name, u.link), '|') FROM author u",
    "SELECT string_agg(concat_ws('|', c.text, c.link, c.attachments), '|') FROM comment c WHERE NOT c.by_page",
    "SELECT string_agg(concat_ws('|', r.text, r.attachments, convert_from(r.raw, 'UTF8')), '|') FROM comment_revision r",
    "SELECT string_agg(concat_ws('|', r.text, r.link), '|') FROM reply r",
    "SELECT string_agg(convert_from(i.content, 'UTF8'), '|') FROM reply_picture i",
    "SELECT string_agg(n.text, '|') FROM appeal_note n",
)


class Told:
    """A citizen with two matters, answered and closed years ago, or still open."""

    def __init__(self, ids: dict[str, int], snapshot: CommentSnapshot) -> None:
        self.ids = ids
        self.snapshot = snapshot


async def tell(owner_db: Database, now: datetime, *, status: Status = Status.CLOSED) -> Told:
    written = now - 6 * YEAR
    async with owner_db.write() as session:
        place = await factories.make_territory(session)
        agency = await factories.make_agency(session, territory=place)
        page = await factories.make_page(session, agency=agency, territory=place)
        post = await factories.make_post(session, page=page)
        author = await factories.make_author(session, name=NAME)
        person = await factories.make_operator(session, scope=agency)
        policy = await factories.make_policy(session, term=factories.NINE_HOURS)
        calendar = await factories.make_calendar(session, territory=place)
        comment = await factories.make_comment(session, post=post, author=author, text=WORDS, written_at=written)
        closed = status is Status.CLOSED
        appeal = await factories.make_appeal(session, comment=comment, agency=agency, territory=place, status=status, opened_at=written)
        appeal.closed_at = written + timedelta(days=3) if closed else None
        timer = await factories.make_timer(session, appeal=appeal, policy=policy, calendar=calendar, due_at=written + timedelta(hours=9))
        if closed:
            timer.stopped_at, timer.outcome = written + timedelta(hours=2), "met"
            timer.elapsed_seconds = timer.working_seconds = 7200
        await session.flush()
        reply = await factories.make_reply(session, appeal=appeal, comment=comment, state=ReplyState.SENT, text=f"{NAME}, починим.")
        await factories.make_reply_picture(session, reply_id=reply.id, operator=person, content=NAME.encode())
        await session.execute(
            text("INSERT INTO appeal_note (appeal_id, operator_id, text) VALUES (:a, :o, :words)"),
            {"a": appeal.id, "o": person.id, "words": f"Звонила: {NAME}"},
        )
        await session.execute(text("UPDATE comment SET recorded_at = :at"), {"at": written})
        await session.execute(text("UPDATE comment_revision SET recorded_at = :at"), {"at": written})
        ids = {"author": author.id, "comment": comment.id, "appeal": appeal.id, "page": page.id}
        snapshot = CommentSnapshot(
            page_external_id=page.external_id, post_external_id=post.external_id, external_id=comment.external_id,
            root_external_id=comment.external_id, author=AuthorSnapshot(external_id=author.external_id, name=NAME, link="https://vk.invalid/id1"),
            by_page=False, text=WORDS, link="https://vk.invalid/1", written_at=written, observed_at=now, raw=NAME.encode(),
        )  # fmt: skip
        return Told(ids, snapshot)


async def kept(database: Database) -> str:
    """Everything personal that is stored, in one text."""
    async with database.read() as session:
        return "|".join([str(await session.scalar(text(one)) or "") for one in PERSONAL])


async def figures(database: Database, now: datetime) -> Any:
    """What is counted, and what a recount of it finds."""
    period = Period(start=(now - 6 * YEAR - timedelta(days=2)).date(), end=(now - 6 * YEAR + timedelta(days=9)).date(), tz="Europe/Moscow")
    async with database.read() as session:
        reports = [await response_times(session, access=None, period=period, group_by=one, now=now) for one in Grouping]
    checked = await verify(database, period=period, now=now)
    return [(one.rows, one.total) for one in reports], checked.differences


def keeping(database: Database, clock: FixedClock, **days: int) -> Keeping:
    return Keeping(database, clock, {kind: timedelta(days=term) for kind, term in days.items()})


async def all_of(work: Keeping) -> None:
    while await work.step():
        pass


async def test_words_and_names_end_after_their_term_and_every_figure_stays(
    owner_db: Database, worker_db: Database, clock: FixedClock
) -> None:
    await tell(owner_db, clock.now())
    before = await figures(owner_db, clock.now())
    assert before[0][0][1].answered == 1
    assert NAME in await kept(owner_db)
    await all_of(keeping(worker_db, clock, text=1825))
    left = await kept(owner_db)
    assert NAME not in left
    assert "фонари" not in left
    assert "vk.invalid" not in left
    assert await figures(owner_db, clock.now()) == before
    async with owner_db.read() as session:
        told = (await session.execute(text("SELECT data FROM audit_entry WHERE act = 'privacy.term_passed'"))).scalars().all()
    assert told == [{"comments": 1, "authors": 1, "appeals": 1}]


@pytest.mark.parametrize("days", [0, 3000])
async def test_what_is_within_its_term_stays(owner_db: Database, worker_db: Database, clock: FixedClock, days: int) -> None:
    await tell(owner_db, clock.now())
    before = await kept(owner_db)
    await all_of(keeping(worker_db, clock, **({"text": days} if days else {})))
    assert await kept(owner_db) == before


async def test_an_open_appeal_is_never_erased(owner_db: Database, worker_db: Database, clock: FixedClock) -> None:
    await tell(owner_db, clock.now(), status=Status.IN_WORK)
    before = await kept(owner_db)
    await all_of(keeping(worker_db, clock, text=1))
    assert await kept(owner_db) == before


async def test_the_platform_s_bytes_end_before_the_words(owner_db: Database, worker_db: Database, clock: FixedClock) -> None:
    await tell(owner_db, clock.now())
    async with owner_db.write() as session:
        await session.execute(text("UPDATE comment_revision SET raw = 'x'"))
    await all_of(keeping(worker_db, clock, raw=180))
    async with owner_db.read() as session:
        assert (await session.execute(text("SELECT DISTINCT raw FROM comment_revision"))).scalars().all() in ([b""], [])
        assert await session.scalar(text("SELECT text FROM comment WHERE NOT by_page")) == WORDS


async def test_sign_ins_sessions_and_notices_end(owner_db: Database, worker_db: Database, clock: FixedClock) -> None:
    old, young = clock.now() - YEAR, clock.now() - timedelta(days=1)
    async with owner_db.write() as session:
        person = await factories.make_operator(session)
        for at in (old, young):
            await session.execute(text("INSERT INTO sign_in_attempt (login, address, at) VALUES ('a', '1.2.3.4', :at)"), {"at": at})
            for table in ("operator_session", "invitation"):
                await session.execute(
                    text(
                        f"INSERT INTO {table} (token_hash, operator_id, expires_at) "  # noqa: S608 - a constant
                        "VALUES (sha256(CAST(:at AS text)::bytea), :id, :when)"
                    ),
                    {"at": at.isoformat(), "id": person.id, "when": at},
                )
    await all_of(keeping(worker_db, clock, sign_in=90, notice=365))
    async with owner_db.read() as session:
        for table in ("sign_in_attempt", "operator_session", "invitation"):
            assert await session.scalar(text(f"SELECT count(*) FROM {table}")) == 1, table  # noqa: S608 - a constant


# --- on request --------------------------------------------------------------------------------------------------


async def ask(database: Database, clock: FixedClock, author: int, reason: str = "Запрос № 17") -> int:
    async with database.write() as session:
        return await subjects.ask_to_erase(session, None, author_id=author, reason=reason, now=clock.now())


async def test_a_person_is_found_handed_out_and_erased(owner_db: Database, worker_db: Database, clock: FixedClock) -> None:
    told = await tell(owner_db, clock.now())
    assert told.snapshot.author is not None
    async with owner_db.write() as session:
        found = await subjects.find(session, None, platform="vk", said=told.snapshot.author.external_id)
        assert found is not None
        assert (found.comments, found.appeals, list(found.open_numbers)) == (1, 1, [])
        data = await subjects.hand_out(session, None, author_id=found.id)
    assert data["comments"][0]["text"] == WORDS
    assert data["appeals"][0]["answers"][0]["text"] == f"{NAME}, починим."
    await ask(owner_db, clock, found.id)
    with pytest.raises(ConflictError):
        await ask(owner_db, clock, found.id)
    before = await figures(owner_db, clock.now())
    await all_of(keeping(worker_db, clock))
    assert NAME not in await kept(owner_db)
    assert await figures(owner_db, clock.now()) == before
    async with owner_db.read() as session:
        assert await session.scalar(text("SELECT done_at FROM erasure")) == clock.now()
        assert await subjects.find(session, None, platform="vk", said=told.snapshot.author.external_id) is None


async def test_an_open_appeal_holds_an_erasure_up_until_it_is_closed(owner_db: Database, worker_db: Database, clock: FixedClock) -> None:
    told = await tell(owner_db, clock.now(), status=Status.IN_WORK)
    await ask(owner_db, clock, told.ids["author"])
    work = keeping(worker_db, clock)
    await all_of(work)
    assert NAME in await kept(owner_db)
    async with owner_db.write() as session:
        await session.execute(text("UPDATE appeal SET status = 'closed', closed_at = :now"), {"now": clock.now()})
    await all_of(work)
    assert NAME not in await kept(owner_db)


@pytest.mark.parametrize("reason", ["", "  \n", "x" * 301])
async def test_an_erasure_says_why(owner_db: Database, clock: FixedClock, reason: str) -> None:
    told = await tell(owner_db, clock.now())
    with pytest.raises(InvalidError):
        await ask(owner_db, clock, told.ids["author"], reason)


# --- what was erased does not come back ----------------------------------------------------------------------------


async def store(database: Database, *comments: CommentSnapshot, now: datetime) -> None:
    async with database.write() as session:
        await store_batch(session, platform="vk", batch=Batch(comments=comments), now=now)


@pytest.mark.parametrize("how", ["asked", "term"])
async def test_reading_the_platform_again_brings_nothing_back(owner_db: Database, worker_db: Database, clock: FixedClock, how: str) -> None:
    """The very comment again, its edit, and an older comment of theirs that was never seen before."""
    told = await tell(owner_db, clock.now())
    if how == "asked":
        await ask(owner_db, clock, told.ids["author"])
    await all_of(keeping(worker_db, clock, **({"text": 1825} if how == "term" else {})))
    later = clock.now() + timedelta(days=1)
    again = replace(told.snapshot, observed_at=later)
    edited = replace(again, text=f"{WORDS} Это {NAME}.", edited_at=later, observed_at=later + timedelta(minutes=1))
    unseen = replace(again, external_id="older", root_external_id="older", written_at=told.snapshot.written_at + timedelta(hours=1))
    for batch in ((again,), (edited,), (unseen,), (again, edited, unseen)):
        await store(worker_db, *batch, now=later)
    left = await kept(owner_db)
    assert NAME not in left
    assert "фонари" not in left
    assert "vk.invalid" not in left
    async with owner_db.read() as session:
        assert (await session.execute(text("SELECT count(*) FROM author"))).scalar_one() == 1
        assert (await session.execute(text("SELECT DISTINCT author_id FROM comment"))).scalars().all() == [told.ids["author"]]


async def test_whoever_writes_anew_is_heard_anew(owner_db: Database, worker_db: Database, clock: FixedClock) -> None:
    """A comment written after the erasure is a new matter of somebody new to us; a second erasure ends it too."""
    told = await tell(owner_db, clock.now())
    await ask(owner_db, clock, told.ids["author"])
    work = keeping(worker_db, clock)
    await all_of(work)
    later = clock.now() + timedelta(days=1)
    anew = replace(told.snapshot, external_id="new", root_external_id="new", text="Снова темно.", written_at=later, observed_at=later)
    await store(worker_db, anew, told.snapshot, now=later)
    assert "Снова темно." in await kept(owner_db)
    async with owner_db.write() as session:
        await session.execute(text("UPDATE comment SET fate = :fate WHERE fate IS NULL"), {"fate": Fate.NOT_APPEAL.value})
        second = await session.scalar(text("SELECT id FROM author WHERE erased_at IS NULL"))
    clock.moment = later + timedelta(days=1)
    await ask(owner_db, clock, second)
    await all_of(work)
    await store(worker_db, anew, told.snapshot, now=clock.now())
    left = await kept(owner_db)
    assert "Снова" not in left
    assert NAME not in left


async def test_the_mark_is_keyed(owner_db: Database, worker_db: Database, web_db: Database, clock: FixedClock) -> None:
    """Without the key, which no process may read, nobody can try ids one after another."""
    told = await tell(owner_db, clock.now())
    await ask(owner_db, clock, told.ids["author"])
    await all_of(keeping(worker_db, clock))
    async with owner_db.read() as session:
        mark = await session.scalar(text("SELECT mark FROM author"))
        plain = await session.scalar(text("SELECT encode(sha256(convert_to('vk:' || :id, 'UTF8')), 'hex')"), {"id": "x"})
    assert len(mark) == len(plain) == 64
    for database in (worker_db, web_db):
        with pytest.raises(Exception, match="permission denied"):
            async with database.read() as session:
                await session.execute(text("SELECT key FROM erasure_key"))
