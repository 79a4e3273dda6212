"""What a search finds elsewhere goes before a person, once, with its source; a search that may not be made holds no wall up."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text

from app.appeals.office import OfficeKeeper
from app.flows import inbound
from app.flows.polling import Poller
from app.sources.service import connect_page
from connectors.contract import AccessLost, AuthorSnapshot, Batch, CommentSnapshot, PageSnapshot, PostSnapshot
from tests.flows.conftest import PIT, settle

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Sequence
    from datetime import datetime

    from app.kernel.clock import FixedClock
    from app.kernel.db import Database
    from connectors.contract import PageRef, PostCount, PostRef

    Rows = Callable[[str], Awaitable[list[Any]]]

pytestmark = [pytest.mark.flows, pytest.mark.timeout(60)]


@dataclass
class Searching:
    """A platform with empty walls, and finds as a test plans them."""

    finds: dict[str, Batch | Exception] = field(default_factory=dict)
    asked: list[tuple[str, frozenset[str]]] = field(default_factory=list)
    listed: list[str] = field(default_factory=list)
    probe_limit: int = 100

    async def discover(self, page: PageRef, *, limit: int) -> Batch:  # noqa: ARG002 - the contract's
        """Nothing."""
        self.listed.append(page.external_id)
        return Batch()

    async def mentions(self, page_external_id: str, *, limit: int, own: Collection[str]) -> Batch:  # noqa: ARG002 - the contract's
        """As planned."""
        self.asked.append((page_external_id, frozenset(own)))
        found = self.finds.get(page_external_id, Batch())
        if isinstance(found, Exception):
            raise found
        return found

    async def probe(self, posts: Sequence[PostRef]) -> Sequence[PostCount]:  # noqa: ARG002 - the contract's
        """Nothing is told of posts elsewhere."""
        return ()

    async def read_thread(self, post: PostRef, *, root_external_id: str | None, cursor: str | None) -> Batch:
        """Never asked."""
        raise AssertionError((post, root_external_id, cursor))


def _found(page: str, words: str, at: datetime, *, post: str = "-9_1", comment: str = "post") -> Batch:
    place: dict[str, Any] = {"page_external_id": page, "observed_at": at, "link": f"https://vk.com/wall{post}", "raw": b"{}"}
    author = AuthorSnapshot(external_id="5", name="Инна Павлова")
    return Batch(
        posts=(PostSnapshot(external_id=post, text="Подслушано", published_at=at, **place),),
        comments=(
            CommentSnapshot(
                post_external_id=post, external_id=comment, text=words, written_at=at, author=author, root_external_id=comment, **place
            ),
        ),
    )


async def test_finds_go_before_a_person_once_and_a_refused_search_holds_up_no_wall(
    owner_db: Database, worker_db: Database, web_db: Database, clock: FixedClock, rows: Rows
) -> None:
    now = clock.now()
    first, second, refused = "search:-1:яма", "search:-1:дорога", "mentions:-1"
    search = PageSnapshot(external_id=first, title="«яма»", link="https://vk.com/search#1", elsewhere=True)
    office = await settle(owner_db, web_db, platform="vk", snapshot=search, now=now)
    async with owner_db.write() as session:
        territory = (await session.execute(text("SELECT territory_id FROM page"))).scalar_one()
        for number, elsewhere in ((second, True), (refused, True), ("-1", False)):
            await connect_page(
                session, platform="vk", snapshot=PageSnapshot(external_id=number, title=number, link=number, elsewhere=elsewhere),
                agency_id=office.agency_id, territory_id=territory, sphere_id=None, watched_since=now - timedelta(hours=24), now=now,
            )  # fmt: skip
    old = _found(first, PIT, now - timedelta(days=3), post="-9_2")
    new = _found(first, "Спасибо!", now)
    both = Batch(posts=(*old.posts, *new.posts), comments=(*old.comments, *new.comments))
    connector = Searching(finds={first: both, second: AccessLost("later"), refused: AccessLost("token_kind", "needs a user token")})
    poller = Poller(worker_db, "vk", connector, clock, worker="w1", time_scale=1)  # type: ignore[arg-type]  # only what polling asks of it

    async def round_of(seconds: float) -> None:
        clock.moment += timedelta(seconds=seconds)
        await poller.round()
        await inbound.open_all(worker_db, OfficeKeeper(worker_db, clock), clock)

    await round_of(1)
    assert connector.listed == ["-1"]
    assert {page for page, _ in connector.asked} == {first, second, refused}
    assert connector.asked[0][1] == {first, second, refused, "-1"}
    told = {row.key: row.error_code for row in await rows("SELECT key, error_code FROM feed")}
    assert told == {first: None, second: "later", refused: "token_kind", "-1": None}
    connector.finds = {second: _found(second, "Спасибо!", now)}  # the same mention
    await round_of(60)
    assert len(connector.asked) == 3  # a search has a pause of its own
    await round_of(250)
    assert len(connector.asked) == 6
    shown = await rows(
        "SELECT c.text, c.fate, c.fate_reason, c.triage_due_at, g.external_id, p.text AS source FROM comment c "
        "JOIN page g ON g.id = c.page_id JOIN post p ON p.id = c.post_id"
    )
    (one,) = shown
    assert (one.text, one.fate, one.fate_reason, one.external_id, one.source) == ("Спасибо!", "in_triage", "elsewhere", first, "Подслушано")
    assert one.triage_due_at is not None
    assert await rows("SELECT 1 FROM appeal") == []
