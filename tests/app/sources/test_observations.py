"""Of several things told of one comment the newest stands; what is hostile in it breaks nothing and leaks nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import permutations

import pytest
from sqlalchemy import text

from app.kernel.db import Database
from app.sources.store import store_batch
from connectors.contract import Batch, Deletion, Unreadable, WholeThread
from tests.app.sources.test_store import NOW, POST, comment, put, read, ready  # noqa: F401 - a fixture

pytestmark = pytest.mark.usefixtures("ready")

TEXTS = "SELECT external_id, text, revision FROM comment ORDER BY external_id"


async def test_two_edits_told_of_at_one_moment_are_two_revisions(worker_db: Database) -> None:
    """After a standstill a stream tells a comment and its edits in one answer; again, it changes nothing."""
    forms = tuple(comment(1, words, seen=60, edited_at=None if at is None else NOW + timedelta(seconds=at)) for words, at in _FORMS)
    await put(worker_db, Batch(posts=(POST,), comments=forms))
    for _ in range(2):
        await put(worker_db, Batch(comments=forms))
    assert [(row.text, row.revision) for row in await read(worker_db, TEXTS)] == [("третье", 3)]
    revisions = await read(worker_db, "SELECT text FROM comment_revision ORDER BY revision")
    assert [row.text for row in revisions] == ["первое", "второе", "третье"]


_FORMS = (("первое", None), ("второе", 10), ("третье", 20))


async def test_a_comment_told_of_with_its_deletion_is_deleted(worker_db: Database) -> None:
    gone = Deletion(page_external_id="-1", post_external_id="10", external_id="1", observed_at=NOW)
    for _ in range(2):
        await put(worker_db, Batch(posts=(POST,), comments=(comment(1),), deletions=(gone,)))
    assert [row.deleted_at for row in await read(worker_db, "SELECT deleted_at FROM comment")] == [NOW]


@pytest.mark.parametrize("order", list(permutations(range(3))))
async def test_a_chain_of_replies_has_one_top_in_whatever_order_it_comes(worker_db: Database, order: tuple[int, ...]) -> None:
    """Where only the parent is told: each in a batch of its own."""
    chain = [comment(1), comment(2, reply_to_external_id="1"), comment(3, reply_to_external_id="2")]
    await put(worker_db, Batch(posts=(POST,)))
    for number in order:
        await put(worker_db, Batch(comments=(chain[number],)))
    assert {row.root_external_id for row in await read(worker_db, "SELECT root_external_id FROM comment")} == {"1"}


async def test_a_chain_of_thousands_and_a_ring_of_replies_are_stored(worker_db: Database) -> None:
    """A hostile platform may tell any depth, and replies that reply to each other."""
    deep = [comment(number, reply_to_external_id=str(number - 1) if number > 1 else None) for number in range(1, 3_001)]
    ring = [comment(9_001, reply_to_external_id="9002"), comment(9_002, reply_to_external_id="9001")]
    await put(worker_db, Batch(posts=(POST,), comments=(*reversed(deep), *ring)))
    roots = await read(worker_db, "SELECT root_external_id, count(*) AS n FROM comment GROUP BY 1 ORDER BY n")
    assert [row.n for row in roots] == [2, 3_000]


async def test_nothing_is_written_in_the_future(worker_db: Database) -> None:
    """A platform's clock that runs ahead must not start ours where nobody has been yet."""
    ahead = NOW + timedelta(days=365_000)
    await put(worker_db, Batch(posts=(POST,), comments=(comment(1, written_at=ahead, edited_at=ahead, seen=5),)))
    await put(worker_db, Batch(comments=(comment(1, "Иначе", written_at=ahead, edited_at=ahead, seen=9),)))
    (row,) = await read(worker_db, "SELECT written_at, edited_at, text FROM comment")
    assert (row.written_at, row.edited_at, row.text) == (NOW + timedelta(seconds=5), NOW + timedelta(seconds=9), "Иначе")


async def test_a_clock_that_runs_ahead_keeps_no_later_form_out(worker_db: Database) -> None:
    """Also where the platform itself says when a form came to be."""
    ahead = NOW + timedelta(days=365_000)
    for second in (5, 10):
        await put(worker_db, Batch(posts=(POST,), comments=(comment(1, f"в {second}", seen=second, form_at=ahead, form_number=second),)))
    await put(worker_db, Batch(comments=(comment(1, "в 15", seen=15),)))
    assert [(row.text, row.revision) for row in await read(worker_db, TEXTS)] == [("в 15", 3)]


async def test_ids_that_no_row_can_have_delete_nothing_and_stop_nothing(worker_db: Database, owner_db: Database) -> None:
    odd = Deletion(page_external_id="-1", post_external_id="10", external_id="1\0", observed_at=NOW + timedelta(seconds=9))
    whole = WholeThread(page_external_id="-1", post_external_id="10\ud800", observed_at=NOW + timedelta(seconds=9))
    unreadable = Unreadable(reason="odd \0 \ud800" + "x" * 9_000, raw=b"?", page_external_id="-1\0")
    deletions = (odd, replace(odd, post_external_id="\0"))
    await put(worker_db, Batch(posts=(POST,), comments=(comment(1),), deletions=deletions, complete_for=(whole,), unreadable=(unreadable,)))
    assert [row.deleted_at for row in await read(worker_db, "SELECT deleted_at FROM comment")] == [None]
    (aside,) = await read(owner_db, "SELECT reason FROM set_aside")
    assert aside.reason == "odd \ufffd \ufffd" + "x" * 493


async def test_a_reason_tells_nothing_of_what_was_written(worker_db: Database, owner_db: Database) -> None:
    """Reasons stand in lists and logs; a citizen's words do not."""
    secret = "Мой телефон 8 900 000-00-00"
    long_id = "".join(f"{number:x}" for number in range(20_000))
    await put(worker_db, Batch(posts=(POST,), comments=(comment(1, secret), comment(2, secret, external_id=long_id))))
    reasons = [row.reason for row in await read(owner_db, "SELECT reason FROM set_aside")]
    assert len(reasons) == 1
    assert reasons[0].startswith("database: ")
    assert "телефон" not in reasons[0]
    assert long_id[:20] not in reasons[0]


async def test_only_new_comments_count_for_the_lag(owner_db: Database, worker_db: Database) -> None:
    """Neither a thread that is read again nor what was written before the page was connected looks as if it had been noticed late."""
    async with owner_db.write() as session:
        await session.execute(text("UPDATE page SET connected_at = :at"), {"at": NOW})
    await put(worker_db, Batch(posts=(POST,), comments=(comment(1), comment(2))))
    later = NOW + timedelta(seconds=60)
    async with worker_db.write() as session:
        new = (comment(3, written_at=later - timedelta(seconds=20), seen=60), comment(4, written_at=NOW - timedelta(days=1), seen=60))
        stored = await store_batch(session, platform="vk", batch=Batch(comments=(comment(1, seen=60), *new)), now=later)
    assert len(stored.new) == 2
    assert [lag.seconds for lag in stored.lags] == [20.0]
