"""However the forms of a comment are delivered, the newest stands: by the platform's own order, and only then by ours."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, Phase, given, settings, strategies as st

from app.kernel.db import Database, DatabaseRole
from connectors.contract import Batch, Deletion
from tests.app.sources.test_store import NOW, POST, comment, put, read, ready  # noqa: F401 - a fixture
from tests.factories import make_page

if TYPE_CHECKING:
    from connectors.contract import CommentSnapshot
    from tests.databases import Databases

TEXTS = "SELECT external_id, text, deleted_at IS NULL AS living FROM comment ORDER BY external_id"


def form(place: int, second: int) -> CommentSnapshot:
    """A form of comment 1 as a platform tells it that says of each when it was made, and numbers what it tells."""
    made = NOW + timedelta(seconds=second)
    return comment(1, f"форма {place}", edited_at=made if place else None, form_at=made, form_number=100 + place)


@st.composite
def deliveries(draw: st.DrawFn) -> tuple[str, list[list[CommentSnapshot]]]:
    """The newest form's text, and all forms in any order, repeated, each delivery later than the one before; some in one batch."""
    seconds = sorted(draw(st.lists(st.integers(0, 4), min_size=2, max_size=5)))  # several within a second
    forms = [form(place, second) for place, second in enumerate(seconds)]
    order = draw(st.permutations(forms + draw(st.lists(st.sampled_from(forms), max_size=4))))
    told = [replace(one, observed_at=NOW + timedelta(seconds=10 + late)) for late, one in enumerate(order)]
    cuts = sorted(draw(st.sets(st.integers(1, len(told) - 1), max_size=3)))
    return forms[-1].text, [told[start:stop] for start, stop in pairwise([0, *cuts, len(told)])]


@given(deliveries())
@settings(max_examples=30, deadline=None, phases=[Phase.explicit, Phase.generate], suppress_health_check=list(HealthCheck))
@pytest.mark.timeout(120)
async def test_any_order_and_repetition_ends_in_the_newest_form(
    databases: Databases, delivered: tuple[str, list[list[CommentSnapshot]]]
) -> None:
    newest, parts = delivered
    url = await databases.shared()
    acting = databases.acting
    async with acting(url, None, application="tests") as owner, acting(url, DatabaseRole.WORKER, application="tests") as worker:
        async with owner.write() as session:
            await make_page(session, external_id="-1")
        await put(worker, *(Batch(posts=(POST,), comments=tuple(part)) for part in parts))
        assert [row.text for row in await read(worker, TEXTS)] == [newest]
        forms = [row.text for row in await read(worker, "SELECT text FROM comment_revision ORDER BY revision")]
        assert forms[-1] == newest
        assert forms == sorted(set(forms))


@pytest.mark.usefixtures("ready")
async def test_a_first_form_that_comes_late_brings_back_nothing(worker_db: Database) -> None:
    """It is as old as it says: what was read, or deleted, since then is newer, whenever it came."""
    first = [replace(comment(number, "первое"), form_at=NOW) for number in (1, 2)]
    gone = Deletion(page_external_id="-1", post_external_id="10", external_id="2", observed_at=NOW + timedelta(seconds=40))
    await put(
        worker_db, Batch(posts=(POST,), comments=(first[1],)), Batch(comments=(comment(1, "исправлено", seen=30),), deletions=(gone,))
    )
    await put(worker_db, Batch(comments=tuple(replace(one, observed_at=NOW + timedelta(seconds=50)) for one in first)))
    assert [tuple(row) for row in await read(worker_db, TEXTS)] == [("1", "исправлено", True), ("2", "первое", False)]
    # What is read after that is newer again.
    await put(worker_db, Batch(comments=(comment(1, "ещё раз", seen=60), comment(2, "первое", seen=60))))
    assert [tuple(row) for row in await read(worker_db, TEXTS)] == [("1", "ещё раз", True), ("2", "первое", True)]


@pytest.mark.usefixtures("ready")
async def test_of_two_forms_of_one_moment_the_later_told_stands_where_nothing_else_is_known(worker_db: Database) -> None:
    """A platform that counts in seconds and numbers nothing leaves no more than this."""
    made = NOW + timedelta(seconds=5)
    one, two = (comment(1, words, seen=seen, edited_at=made, form_at=made) for words, seen in (("раз", 10), ("два", 11)))
    await put(worker_db, Batch(posts=(POST,), comments=(two,)), Batch(comments=(one,)))
    assert [row.text for row in await read(worker_db, TEXTS)] == ["два"]
