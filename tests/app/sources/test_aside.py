"""A comment whose post is not known waits aside, and comes in by itself as soon as the post is."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import text

from app.kernel.db import Database
from app.sources.aside import RAW_BYTES
from connectors.contract import Attachment, Batch, Unreadable
from tests.app.sources.test_store import NOW, POST, comment, put, read, ready  # noqa: F401 - a fixture

pytestmark = pytest.mark.usefixtures("ready")

ASIDE = "SELECT reason, times, resolved_at IS NULL AS waits, snapshot IS NULL AS done FROM set_aside"
COMMENTS = """
    SELECT c.post_id, c.root_external_id, c.text, c.text_altered, c.written_at, c.edited_at, c.attachments, c.form_at, c.form_number,
      r.raw, u.name
    FROM comment c JOIN comment_revision r ON r.comment_id = c.id JOIN author u ON u.id = c.author_id ORDER BY c.id
"""
IN_A_THREAD = replace(
    comment(
        1, "а\0б\ud800в", reply_to_external_id="7", attachments=(Attachment(kind="photo", external_id="f1"),), form_at=NOW, form_number=3
    ),
    post_external_id=None,
    thread_ref="t10",
    edited_at=NOW + timedelta(seconds=1),
)


async def test_a_comment_that_came_before_its_post_comes_in_with_it(worker_db: Database, owner_db: Database) -> None:
    """Character for character, once; and what is met under an unknown post again is said again."""
    other = replace(comment(2, "Другое"), post_external_id=None, thread_ref="t11")
    await put(worker_db, Batch(comments=(IN_A_THREAD, other)), Batch(comments=(IN_A_THREAD,)))
    assert sorted(tuple(row) for row in await read(owner_db, ASIDE)) == [("unknown_post", 1, True, False), ("unknown_post", 2, True, False)]
    done = await put(worker_db, Batch(posts=(POST,)))
    assert len(done.new) == 1
    for _ in range(2):
        await put(worker_db, Batch(posts=(POST,), comments=(IN_A_THREAD,)))
    await put(worker_db, Batch(comments=(replace(IN_A_THREAD, external_id="3"),)))  # what comes at once
    late, once = await read(worker_db, COMMENTS)
    assert tuple(late) == tuple(once)
    assert sorted(tuple(row) for row in await read(owner_db, ASIDE)) == [("unknown_post", 1, True, False), ("unknown_post", 2, False, True)]


async def test_of_a_huge_answer_the_beginning_is_kept(worker_db: Database, owner_db: Database) -> None:
    """It may have tens of megabytes, and differ by a byte each time it is asked for; a comment in it is whole all the same."""
    told = [Unreadable(reason="malformed", raw=b"x" * RAW_BYTES * 2 + end, page_external_id="-1") for end in (b"1", b"2", b"2")]
    long = replace(IN_A_THREAD, text="слово" * RAW_BYTES, raw=b"y" * RAW_BYTES * 2)
    await put(worker_db, Batch(unreadable=tuple(told), comments=(long,)), Batch(posts=(POST,)))
    kept = await read(owner_db, "SELECT reason, length(raw) AS n, times FROM set_aside ORDER BY reason, times")
    assert [(row.reason, row.n, row.times) for row in kept] == [
        ("malformed", RAW_BYTES, 1), ("malformed", RAW_BYTES, 2), ("unknown_post", RAW_BYTES, 1),
    ]  # fmt: skip
    assert [row.n for row in await read(worker_db, "SELECT length(text) AS n FROM comment")] == [5 * RAW_BYTES]


async def test_what_waits_ends_with_its_bytes(worker_db: Database, owner_db: Database) -> None:
    """What is told again after that is a thing of its own: it waits with its bytes, and ends as well."""
    await put(worker_db, Batch(comments=(IN_A_THREAD,)))
    for met in (True, False):
        async with worker_db.write() as session:
            assert await session.scalar(text("SELECT otklik_drop_raw(:before, 0, 0)"), {"before": NOW + timedelta(days=1)}) == 1
        assert await read(owner_db, "SELECT 1 FROM set_aside") == []
        if met:
            await put(worker_db, Batch(comments=(IN_A_THREAD,)))
    await put(worker_db, Batch(posts=(POST,)))
    assert await read(worker_db, "SELECT 1 FROM comment") == []
