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

pytestmark = [pytest.mark.flows, pytest.mark.timeout(400)]

SCALE = 20.0
APPEALS, COMMENTS = 3_726, 5_197
# The two pages of the comment stream go to one page of each platform, the appeals to all pages in turn.
STREAM_PAGES = frozenset({"svetloozersk_adm", "priozerye_live"})
TAKE_IN_SECONDS = 240.0
CHANGES_SECONDS = 40.0


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
        assert {"vk", "telegram"} <= set(summary.sent)  # the stream goes to one page of each of these two
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
    assert_agreed(differences(ledger))
    assert sum(ledger.fates[fate] for fate in FATES) == len(ledger.comments) == written
    assert len(ledger.appeals) == ledger.fates["opened"] > 0
    calls = await system.ask("GET", "/calls")
    assert [one for one in calls["rates"] if one["exceeded"]] == []
    await change_their_minds(system)
    agreed = await system.until("edits and deletions have come in", lambda: agrees(system), seconds=CHANGES_SECONDS, pause=1)
    with capsys.disabled():
        print(f"edits and deletions were in after {agreed:.1f} s")  # noqa: T201


async def agrees(system: System) -> bool:
    """Whether both sides are alike now."""
    return not differences(await read_ledger(system))


def assert_agreed(found: list[str]) -> None:
    """No difference; the first ones in words."""
    assert not found, f"{len(found)} differences:\n" + "\n".join(found[:20])


async def change_their_minds(system: System) -> None:
    """Citizens edit and delete, as far as the platforms tell: a VK thread is read again when its number of comments changed."""
    truth = (await system.truth())["comments"]
    mine = {
        name: [one for one in truth if one["platform"] == name and not one["by_page"] and one["author"] is not None]
        for name in ("vk", "telegram")
    }
    for one in mine["telegram"][-40::10]:
        await system.ask("PATCH", _path(one), {"text": f"{one['text']} (поправлено)"})
    edited, deleted = mine["vk"][-1], next(one for one in reversed(mine["vk"]) if one["post_id"] != mine["vk"][-1]["post_id"])
    await system.ask("PATCH", _path(edited), {"text": f"{edited['text']} (поправлено)"})
    await system.write(edited["page"], "А когда ответите?", post_id=int(edited["post_id"]))
    await system.ask("DELETE", _path(deleted))


def _path(one: dict[str, str]) -> str:
    return f"/world/comments/{one['platform']}/{one['page']}/{one['post_id']}/{one['id']}"
