"""A thousand comments and their answers while worker and web die and platforms misbehave: nothing is lost, nothing doubled."""

from __future__ import annotations

import asyncio
import random
import signal
import time
from collections import Counter
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from app.flows.polling import LEASE, SHORTEST_LEASE
from app.people.rules import Role
from connectors.sandbox.replay import Options, Row, replay
from tests.harness import FATES, Desk, Program, System, differences, read_ledger, running_system, seeded_database
from tests.harness.words import comment, question

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sqlalchemy.engine import URL

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(400), pytest.mark.asyncio(loop_scope="module")]

SCALE = 10.0
COMMENTS = 1_000
COMMENTS_A_SECOND = 30.0
PAGES = 12
POSTS_A_PAGE = 4
ANSWERS = 150
READY_SECONDS = 90.0
BLOWS_SECONDS = 40.0
SETTLE_SECONDS = 100.0
SEEN_HELD = 200
"""So many leases of pages are looked at before their shares are told."""
READINGS = {
    "vk": ("wall.get", "wall.getById", "wall.getComments"),
    "ok": ("discussions.getList", "discussions.getDiscussionCommentsCount", "discussions.getComments"),
    "telegram": ("getUpdates",),
    "max": ("getMessages", "getComments"),
}
SENDINGS = {"vk": "wall.createComment", "ok": "discussions.addDiscussionComment", "telegram": "sendMessage", "max": "sendComment"}
SPOILT = ("http_500", "truncated", "disconnect", "malformed")
SPOILT_ROWS = (*SPOILT, "duplicated", "reordered")
MALFORMED = "malformed"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def system(cluster: URL, template: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[System]:
    """The sample region with its sandbox, a web process and two workers that have decided all that was there."""
    home = tmp_path_factory.mktemp("chaos")
    async with seeded_database(cluster, template) as url, running_system(url, home, time_scale=SCALE) as running:
        await running.start(workers=2, web=True)
        await running.until("both workers work", lambda: is_settled(running), seconds=READY_SECONDS)
        yield running


def stream(chance: random.Random) -> list[Row]:
    """Comments in turn to all pages; citizens answer each other, and some of them themselves."""
    rows = []
    last: dict[int, str] = {}
    for number in range(COMMENTS):
        place = number % PAGES
        is_reply = place in last and chance.random() < 0.3
        author = last[place] if is_reply and chance.random() < 0.5 else f"Горожанин {number}"
        post = f"п{number * POSTS_A_PAGE // COMMENTS}"
        rows.append(Row(number=number + 1, text=f"{comment(chance)} ({number})", author=author, post_id=post, is_reply=is_reply))
        if not is_reply:
            last[place] = author
    return rows


async def blows(system: System, chance: random.Random) -> list[str]:
    """Kill, cut, spoil, start again, at random moments; what was done."""
    targets = ["web", "database", "platforms", "platforms", *(worker.name for worker in system.workers)]
    done: list[str] = []
    until = time.monotonic() + BLOWS_SECONDS
    while time.monotonic() < until:
        await asyncio.sleep(chance.uniform(0.5, 4.0))
        target = targets[len(done)] if len(done) < len(targets) else chance.choice(targets)
        if target == "database":
            await cut_connections(system)
        elif target == "platforms":
            await spoil(system, chance)
        else:
            target += await end(next(one for one in (system.web, *system.workers) if one.name == target), chance)
        done.append(target)
    await system.ask("DELETE", "/faults")
    return done


async def end(program: Program, chance: random.Random) -> str:
    """Kill a process, or now and then ask it to end in the middle of its work; then start it again. What was done."""
    if chance.random() < 0.2:
        code = await asyncio.to_thread(program.stop)
        assert code != -signal.SIGKILL, f"{program.name} did not end when it was asked to"
        program.start()
        return " (asked to end)"
    program.kill()
    await asyncio.sleep(chance.uniform(0.0, 1.0))
    program.start()
    return ""


async def spoil(system: System, chance: random.Random) -> None:
    """The next answers of all platforms are refusals or nonsense, of a sending also after it was done."""
    for platform, readings in READINGS.items():
        for method, kinds in ((SENDINGS[platform], SPOILT), (chance.choice(readings), SPOILT_ROWS)):
            await system.ask("POST", "/faults", {"platform": platform, "method": method, "kind": chance.choice(kinds), "count": 2})


async def cut_connections(system: System) -> int:
    """End every other connection to our own database, in the middle of whatever it does; how many there were."""
    (row,) = await system.rows(
        "SELECT count(pg_terminate_backend(pid)) AS n FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    return int(row.n)


async def test_nothing_is_lost_and_nothing_is_doubled(system: System, capsys: pytest.CaptureFixture[str]) -> None:
    """Every comment once, every promised answer once on the platform or uncertain before a person."""
    seed = random.getrandbits(32)
    with capsys.disabled():
        print(f"\nchaos: seed {seed} (the run's --randomly-seed makes it again)")  # noqa: T201
    chance = random.Random(seed)
    desk = Desk(system=system, token=await system.token(Role.OPERATOR), chance=random.Random(seed + 1), answers=ANSWERS)
    began = time.monotonic()
    async with asyncio.TaskGroup() as group:
        group.create_task(desk.work())
        writing = group.create_task(replay(stream(chance), Options(url=system.sandbox_url, rate=COMMENTS_A_SECOND)))
        beating = group.create_task(blows(system, random.Random(seed + 2)))
    assert len(writing.result().placed) == COMMENTS
    settled = await system.until("all is decided and sent", lambda: is_settled(system), seconds=SETTLE_SECONDS)
    ledger = await read_ledger(system)
    uncertain = [row for row in ledger.replies if row.state == "uncertain"]
    with capsys.disabled():
        print(  # noqa: T201
            f"{', '.join(beating.result())} were hit; {len(desk.promised)} answers promised ({desk.refusals} calls unanswered), "
            f"{len(ledger.answers)} on the platforms, {len(uncertain)} uncertain; "
            f"{', '.join(f'{fate} {ledger.fates[fate]}' for fate in FATES)}; "
            f"{time.monotonic() - began:.0f} s, the last {settled:.0f} to settle"
        )
    assert differences(ledger, aside=MALFORMED) == []
    assert ledger.fates["opened"] > 100 < ledger.fates["not_appeal"]
    assert ledger.fates["appended"] > 0
    given = {row.id: row for row in ledger.replies if not row.by_hand}
    assert sorted(given) == sorted(desk.promised.values())
    assert len(given) == len(desk.promised) >= ANSWERS
    assert {row.platform for row in uncertain} <= {"telegram"}  # all others can be asked
    calls = await system.ask("GET", "/calls")
    assert sum(one["calls"] for one in calls["methods"] if one["method"] in SENDINGS.values()) >= len(ledger.answers) >= 50


async def is_settled(system: System) -> bool:
    """Everything written is stored and decided, no answer is under way, and the answers have come back, where a platform tells of them."""
    truth = await system.truth()
    expected = len(truth["comments"]) + sum(one["platform"] != "telegram" for one in truth["answers"])
    (row,) = await system.rows(
        "SELECT count(*) AS stored, count(fate) AS decided,"
        " (SELECT count(*) FROM reply WHERE state IN ('queued', 'sending')) AS under_way FROM comment"
    )
    return bool(row.stored >= expected and row.decided == row.stored and row.under_way == 0)


async def test_two_workers_share_the_pages_and_one_takes_over(system: System, capsys: pytest.CaptureFixture[str]) -> None:
    """Both read; when one is killed while it holds the pages, the other goes on with them. Nobody set anything for the second one."""
    seen: Counter[str] = Counter()

    async def both_read() -> bool:
        held = await system.rows(
            "SELECT split_part(leased_by, ':', 2) AS pid, count(*) AS n FROM feed WHERE leased_by IS NOT NULL AND platform = 'vk'"
            " GROUP BY 1"
        )
        for row in held:
            seen[row.pid] += row.n
        return set(seen) >= {str(worker.pid) for worker in system.workers} and seen.total() >= SEEN_HELD

    await system.until("both workers hold pages in turn", both_read, seconds=60, pause=0.02)
    chance = random.Random(1)
    await system.until("a worker holds the pages when it is killed", lambda: _kill_a_holder(system), seconds=30, pause=0.01)
    killed = time.monotonic()
    living = [str(worker.pid) for worker in system.workers if worker.alive()]
    before = await system.rows("SELECT count(*) AS n FROM comment")
    pages = [page for platform, page in await system.page_ids() if platform == "vk"]
    for number in range(30):
        await system.write(pages[number % len(pages)], question(chance), author=f"Житель {number}")

    async def all_stored() -> bool:
        (row,) = await system.rows("SELECT count(*) AS n, count(fate) AS decided FROM comment")
        return bool(row.n >= before[0].n + 30 and row.decided == row.n)

    await system.until("no page waits for the dead", lambda: _none_held_by_others(system, living), seconds=30, pause=0.05)
    taken_over = time.monotonic() - killed
    took = await system.until("the other worker brings the comments in", all_stored, seconds=30)
    shares = " : ".join(f"{100 * count / seen.total():.0f} %" for _, count in sorted(seen.items()))
    with capsys.disabled():
        print(  # noqa: T201
            f"\nof {seen.total()} leases of pages seen the two workers held {shares}; a killed worker's pages were taken over after "
            f"{taken_over:.1f} s (time runs {SCALE:g} times faster, the lease is {max(LEASE / SCALE, SHORTEST_LEASE).total_seconds():g} s "
            f"instead of {LEASE.total_seconds():g}), its comments were in {took:.1f} s later"
        )
    assert differences(await read_ledger(system), aside=MALFORMED) == []
    for worker in system.workers:
        if not worker.alive():
            worker.start()


async def _none_held_by_others(system: System, living: list[str]) -> bool:
    held = await system.rows(
        "SELECT 1 FROM feed WHERE leased_by IS NOT NULL AND split_part(leased_by, ':', 2) <> ALL (:living)", living=living
    )
    return not held


async def _kill_a_holder(system: System) -> bool:
    held = await system.rows(
        "SELECT split_part(leased_by, ':', 2) AS pid FROM feed WHERE leased_by IS NOT NULL AND platform = 'vk' LIMIT 1"
    )
    for worker in system.workers:
        if held and str(worker.pid) == held[0].pid:
            worker.kill()
            return True
    return False
