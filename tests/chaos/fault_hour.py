"""An hour of a region's traffic while one call in twenty goes wrong, in every way there is: both sides agree, no limit is exceeded.

On demand (`make fault-hour`): it is no part of `make test`.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import pytest_asyncio
from sqlalchemy.exc import DBAPIError

from app.appeals import amending, outcomes
from app.kernel.clock import SystemClock
from app.kernel.errors import ConflictError
from app.people.queries import token_of
from app.people.rules import Role
from app.sources import hooks
from connectors.sandbox.faults import KINDS
from connectors.sandbox.standing import KINDS_OF
from tests.harness import Desk, System, Traffic, differences, read_ledger, running_system, seeded_database

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

    from sqlalchemy.engine import URL

    from app.kernel.db import WriteSession
    from app.people.rules import Access
    from connectors.sandbox.model import Platform
    from tests.harness.ledger import Ledger

pytestmark = [pytest.mark.timeout(900), pytest.mark.asyncio(loop_scope="module")]

SCALE = 180.0
"""An hour in twenty seconds."""
LATENCY = 0.02
SHARE = 0.05
READ: tuple[Platform, ...] = ("vk", "ok", "telegram", "max")
"""Whose pages have comments; Viber has private dialogs alone."""
COMMENTS = 450
ANSWERS = 80
CHANGED = 12
PUSHED = (("vk", "svetloozersk_adm"), ("vk", "priozerye_region"), ("max", "priozerye_max"))
PART_SECONDS = 180.0
MALFORMED = "malformed"
FLOODED: dict[str, tuple[str, dict[str, int]]] = {
    "vk": ("wall.createComment", {"code": 223}),
    "ok": ("discussions.addDiscussionComment", {}),
}
"""There flood control means an hour of rest: it strikes answers, for a reading that met it would rest for all of ours."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def system(cluster: URL, template: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[System]:
    """The sample region, two workers and a web process to which some pages push."""
    home = tmp_path_factory.mktemp("hour")
    async with seeded_database(cluster, template) as url, running_system(url, home, time_scale=SCALE, latency=LATENCY) as running:
        await running.start(workers=2, web=True)
        for platform, page in PUSHED:
            await push(running, platform, page)
        yield running


async def push(system: System, platform: str, page: str) -> None:
    """Let a platform push a page's news to the web process."""
    external = (await system.page_ids())[platform, page]
    (row,) = await system.rows("SELECT id FROM page WHERE platform = :platform AND external_id = :page", platform=platform, page=external)
    async with system.owner.write() as session:
        secret = await hooks.add_hook(session, page_id=row.id, confirmation="c0de", now=SystemClock().now())
    url = f"{system.web_url}/hooks/{platform}/{external}"
    told = await system.ask("POST", "/world/hooks", {"platform": platform, "page": page, "url": url, "secret": secret})
    assert platform != "vk" or told["confirmation"] == "c0de"


@dataclass(kw_only=True)
class Colleague:
    """A person before whom failed answers come: sends them again, takes back what has nobody to be told, changes some that stand."""

    system: System
    access: Access
    http: httpx.AsyncClient
    chance: random.Random
    changed: int = 0
    over: bool = False

    async def work(self) -> None:
        """Until the hour is over."""
        while not self.over:
            await self.mend()
            if self.changed < CHANGED:
                await self.change()
            await asyncio.sleep(0.5)

    async def mend(self) -> int:
        """What failed is tried again, or taken back where there is nobody to be told any more; how much that was."""
        replies = await self.system.rows("SELECT id, error_code FROM reply WHERE state = 'failed'")
        amended = await self.system.rows("SELECT id FROM amendment WHERE state IN ('failed', 'uncertain')")
        told: dict[str, Any] = {"access": self.access, "now": SystemClock().now()}
        for row in replies:
            decision = "withdraw" if row.error_code == "gone" else "resend"
            await self._decide(partial(outcomes.decide_reply, reply_id=row.id, decision=decision, **told))
        for row in amended:
            await self._decide(partial(amending.decide, amendment_id=row.id, decision="again", **told))
        return len(replies) + len(amended)

    async def _decide(self, act: Callable[[WriteSession], Awaitable[int]]) -> None:
        """One act; what a worker settles at this very moment is looked at again."""
        with suppress(ConflictError, DBAPIError):
            async with self.system.owner.write(operator_id=self.access.operator_id) as session:
                await act(session)

    async def change(self) -> None:
        """Other words for one answer that stands, through the API."""
        standing = await self.system.rows(
            "SELECT id FROM reply r WHERE state = 'sent' AND NOT by_hand AND NOT EXISTS (SELECT FROM amendment a WHERE a.reply_id = r.id)"
            " ORDER BY id"
        )
        if not standing:
            return
        reply = self.chance.choice(standing).id
        body = {"change": "edit", "text": f"Уточняем ответ {reply}: работы начаты.", "reason": "Стало известно больше"}
        answer = await self.http.post(f"/api/v1/replies/{reply}/amendments", json=body)
        assert answer.status_code in {httpx.codes.ACCEPTED, httpx.codes.CONFLICT, httpx.codes.SERVICE_UNAVAILABLE}, answer.text
        self.changed += answer.status_code == httpx.codes.ACCEPTED


@asynccontextmanager
async def colleague_of(system: System, token: str, chance: random.Random) -> AsyncIterator[Colleague]:
    """A person with this token."""
    async with system.owner.read() as session:
        known = await token_of(session, token=token, now=SystemClock().now())
    assert known is not None
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(base_url=system.web_url, headers=headers, timeout=60, trust_env=False) as http:
        yield Colleague(system=system, access=known.access, http=http, chance=chance)


def kinds_of(platform: Platform) -> list[str]:
    """What goes wrong in any call of a platform."""
    return [kind for kind in KINDS_OF[platform] if kind != "flood" or platform not in FLOODED]


async def stand(system: System, seed: int) -> None:
    """From now on one call in twenty goes wrong on each platform, in every way it has."""
    for platform in READ:
        await system.ask("POST", "/faults", {"platform": platform, "share": SHARE, "kinds": kinds_of(platform), "seed": seed})
    for flooded, (method, more) in FLOODED.items():
        await system.ask("POST", "/faults", {"platform": flooded, "method": method, "kind": "flood", **more})


async def struck(system: System) -> dict[str, Counter[str]]:
    """Faults that struck so far, by platform and kind."""
    found: dict[str, Counter[str]] = {platform: Counter() for platform in READ}
    for one in (await system.ask("GET", "/calls"))["faults"]:
        found[one["platform"]][one["kind"]] += one["count"]
    return found


async def every_kind_struck(system: System) -> bool:
    """Whether the hour proves something of each kind, and of each platform."""
    found = await struck(system)
    return all(found.values()) and set().union(*found.values()) == set(KINDS)


async def test_an_hour_with_faults_of_every_kind(system: System, capsys: pytest.CaptureFixture[str]) -> None:
    """Truth and database agree as far as platforms tell; each answer stands once, or is uncertain before a person; no limit is exceeded."""
    seed = random.getrandbits(32)
    with capsys.disabled():
        print(f"\nfault hour: seed {seed} (the run's --randomly-seed makes it again)")  # noqa: T201
    began, token = time.monotonic(), await system.token(Role.OPERATOR)
    pages = sorted(page for page in await system.page_ids() if page[0] in READ)
    traffic = Traffic(system=system, chance=random.Random(seed), pages=pages, comments=COMMENTS)
    desk = Desk(system=system, token=token, chance=random.Random(seed + 1), answers=ANSWERS, at_once=2, pause=0.5)
    await stand(system, seed)
    async with colleague_of(system, token, random.Random(seed + 2)) as colleague:
        async with asyncio.TaskGroup() as office:
            office.create_task(colleague.work())
            async with asyncio.TaskGroup() as group:
                group.create_task(desk.work())
                group.create_task(traffic.run(SCALE))
            hour = time.monotonic() - began
            await system.until("every kind of fault has struck", lambda: every_kind_struck(system), seconds=PART_SECONDS)
            await system.ask("DELETE", "/faults")
            colleague.over = True
        await drain(system, colleague, traffic)
    found = await agreed(system, traffic)
    with capsys.disabled():
        tell(traffic, desk, colleague, await struck(system), found, hour=hour, drained=time.monotonic() - began - hour)
    check(found, desk, traffic)
    calls = await system.ask("GET", "/calls")
    assert [one for one in calls["rates"] if one["exceeded"]] == []
    # A worker that the machine stopped for longer than its lease is late: what it still reads is stored by nobody.
    late = sum(worker.log.read_text(encoding="utf-8").count("lease_lost") for worker in system.workers)
    assert late or calls["readings"]["overlaps"] == []
    assert set(calls["readings"]["served"]) == {worker.name for worker in system.workers}


async def drain(system: System, colleague: Colleague, traffic: Traffic) -> None:
    """With the faults gone all comes in: what failed is mended, each wall looked at, and one comment more has every thread read again."""
    (row,) = await system.rows("SELECT clock_timestamp() AS now")

    async def looked_at() -> bool:
        left = await system.rows(
            "SELECT 1 FROM post p JOIN page g ON g.id = p.page_id WHERE g.platform <> 'telegram' AND p.gone_at IS NULL"
            " AND (p.heat_at IS NULL OR p.heat_at < :off) LIMIT 1",
            off=row.now,
        )
        return not left

    async def mended() -> bool:
        (under_way,) = await system.rows(
            "SELECT (SELECT count(*) FROM reply WHERE state IN ('queued', 'sending'))"
            " + (SELECT count(*) FROM amendment WHERE state IN ('queued', 'doing')) AS n"
        )
        return await colleague.mend() == 0 and under_way.n == 0

    await system.until("what failed is mended", mended, seconds=PART_SECONDS)
    await system.until("every wall is looked at", looked_at, seconds=PART_SECONDS)
    for number, (platform, page, post) in enumerate(traffic.posts):
        await system.write(page, "Спасибо!", platform=platform, post_id=post, author=f"Сосед {number}")


async def agreed(system: System, traffic: Traffic) -> Ledger:
    """Both sides once they agree, or as they are when time is over."""
    pages = await system.page_ids()
    former = {(platform, pages[platform, page], number): texts for (platform, page, number), texts in traffic.versions().items()}
    returned = {(platform, pages[platform, page], number) for platform, page, number in traffic.returned()}
    latest: list[Ledger] = []
    found: list[str] = []

    async def agree() -> bool:
        latest[:] = [await read_ledger(system)]
        found[:] = differences(latest[0], aside=MALFORMED, former=former, returned=returned)
        return not found

    try:
        await system.until("both sides agree", agree, seconds=PART_SECONDS, pause=0.5)
    except AssertionError:
        pytest.fail(f"{len(found)} differences:\n" + "\n".join(found[:30]) + "\n" + await system.state())
    return latest[0]


def check(ledger: Ledger, desk: Desk, traffic: Traffic) -> None:
    """What the ledger's own comparison does not say."""
    given = {row.id: row for row in ledger.replies if not row.by_hand}
    assert sorted(given) == sorted(desk.promised.values())
    standing = {(one["platform"], one["page"], one["reply_to"], one["text"]) for one in ledger.answers if one["platform"] != "telegram"}
    uncertain = {(row.platform, row.page, row.reply_to, row.text) for row in given.values() if row.state == "uncertain"}
    assert uncertain & standing == set()  # read again, it settles itself where the platform shows it
    assert traffic.done["written"] == COMMENTS
    assert min(traffic.done[what] for what in ("edited", "deleted", "restored")) > 0
    matters = Counter((row.platform, row.page, row.post_id, row.root, row.author_id) for row in ledger.comments if row.fate == "opened")
    assert [matter for matter, count in matters.items() if count > 1] == []
    assert ledger.fates["opened"] > 100 < ledger.fates["not_appeal"]


def tell(
    traffic: Traffic, desk: Desk, colleague: Colleague, faults: dict[str, Counter[str]], ledger: Ledger, *, hour: float, drained: float
) -> None:
    """The figures."""
    states = Counter(row.state for row in ledger.replies if not row.by_hand)
    told = (
        _counts(traffic.done),
        f"faults: {_counts(sum(faults.values(), Counter()))} ({_counts({name: one.total() for name, one in faults.items()})})",
        f"{len(desk.promised)} answers promised: {_counts(states)}; {colleague.changed} of them changed",
        f"the hour took {hour:.0f} s, the rest {drained:.0f} s",
    )
    print("; ".join(told))  # noqa: T201


def _counts(found: Mapping[str, int]) -> str:
    return ", ".join(f"{what} {count}" for what, count in sorted(found.items()))
