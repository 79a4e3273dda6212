"""Real input through the real connectors: what thousands of citizens wrote is stored once, and each gets a fate."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from connectors.sandbox.replay import Options, Row, read_rows, replay
from tests.conftest import shared
from tests.harness import FATES, System, differences, read_ledger, running_system, seeded_database

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from sqlalchemy.engine import URL

pytestmark = [pytest.mark.flows, pytest.mark.timeout(240)]

SCALE = 20.0
APPEALS, COMMENTS = 3_726, 5_197
# The two pages of the comment stream go to one page of each platform, the appeals to all pages in turn.
STREAM_PAGES = frozenset({"svetloozersk_adm", "priozerye_live"})
TAKE_IN_SECONDS = 150.0


@pytest.fixture
async def system(cluster: URL, template: str, tmp_path: Path) -> AsyncIterator[System]:
    """The sample region with its sandbox; nothing reads it yet."""
    async with seeded_database(cluster, template) as url, running_system(url, tmp_path, time_scale=SCALE) as running:
        yield running


def _rows(name: str, expected: int) -> list[Row]:
    rows = read_rows(shared(f"data/{name}"))
    assert len(rows) == expected
    return rows


async def test_all_that_was_written_is_stored_once_and_has_a_fate(system: System, capsys: pytest.CaptureFixture[str]) -> None:
    """The database agrees with the world to the last comment; the fates add up; nothing is without an owner."""
    appeals, comments = _rows("appeals_by_group.csv", APPEALS), _rows("page_comments.csv", COMMENTS)
    await system.start(workers=1)
    began = time.monotonic()
    placed = 0
    for rows, options in (
        (appeals, Options(url=system.sandbox_url)),
        (comments, Options(url=system.sandbox_url, pages=STREAM_PAGES)),
    ):
        summary = await replay(rows, options)
        assert summary.skipped == {}
        assert set(summary.sent) == {"vk", "telegram"}
        placed += len(summary.placed)
    wrote = time.monotonic() - began
    assert placed == APPEALS + COMMENTS
    written = len((await system.truth())["comments"])

    async def all_decided() -> bool:
        (row,) = await system.rows("SELECT count(*) AS stored, count(fate) AS decided FROM comment")
        return bool(row.stored >= written and row.decided == row.stored)

    took = await system.until("every comment stored and decided", all_decided, seconds=TAKE_IN_SECONDS)
    ledger = await read_ledger(system)
    with capsys.disabled():
        fates = ", ".join(f"{fate} {ledger.fates[fate]}" for fate in FATES)
        print(f"\n{written} comments written in {wrote:.0f} s, the last decided {took:.1f} s later: {fates}")  # noqa: T201
    assert differences(ledger) == []
    assert sum(ledger.fates[fate] for fate in FATES) == len(ledger.comments) == written
    assert len(ledger.appeals) == ledger.fates["opened"] > 0
    calls = await system.ask("GET", "/calls")
    assert [one for one in calls["rates"] if one["exceeded"]] == []
