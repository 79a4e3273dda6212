"""When a citizen wrote: the platform's moment, whatever the time of the call that told it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from app.kernel.db import Database
from app.sources.store import store_batch
from connectors.contract import Batch, CommentSnapshot, PostSnapshot
from tests.factories import make_page

ASKED = datetime(2026, 11, 17, 7, 0, tzinfo=UTC)
STORED = ASKED + timedelta(seconds=2)


@pytest.mark.parametrize(
    ("written_at", "expected"),
    [
        (ASKED - timedelta(hours=1), ASKED - timedelta(hours=1)),
        (ASKED + timedelta(seconds=1), ASKED + timedelta(seconds=1)),  # while the platform answered
        (ASKED + timedelta(minutes=5), STORED),  # its clock runs ahead: ours must not start in the future
    ],
)
async def test_a_comment_keeps_its_moment_unless_it_lies_in_the_future(
    owner_db: Database, worker_db: Database, written_at: datetime, expected: datetime
) -> None:
    """What was observed is dated by when we asked; the answer may know of later comments."""
    async with owner_db.write() as session:
        await make_page(session, external_id="-1")
    post = PostSnapshot(page_external_id="-1", external_id="10", text="", published_at=ASKED, observed_at=ASKED, link="", raw=b"{}")
    comment = CommentSnapshot(
        page_external_id="-1",
        post_external_id="10",
        external_id="1",
        text="Когда?",
        written_at=written_at,
        observed_at=ASKED,
        link="",
        raw=b"",
    )
    async with worker_db.write() as session:
        await store_batch(session, platform="vk", batch=Batch(posts=(post,), comments=(comment,)), now=STORED)
    async with worker_db.read() as session:
        assert (await session.execute(text("SELECT written_at FROM comment"))).scalar_one() == expected
