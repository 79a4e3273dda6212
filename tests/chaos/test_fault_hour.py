"""An hour of a region's traffic while one call in twenty goes wrong, in every way there is: both sides agree, no limit is exceeded.

Each kind of fault strikes on each platform that has it, and is counted only when the answer was another for it. One token is really
taken away for a while. What waits for a condition waits long: a busy machine makes the hour longer, never wrong.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import re
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
import pytest_asyncio

from app.appeals.filters import format_number
from app.cli.sample import WORLD
from app.kernel.clock import SystemClock
from app.people.rules import Role
from app.sources import hooks
from connectors.sandbox.standing import KINDS_OF
from tests.harness import Colleague, Desk, System, Traffic, colleague_of, differences, read_ledger, running_system, seeded_database
from tests.harness.words import comment

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from sqlalchemy.engine import URL

    from connectors.sandbox.faults import FaultKind
    from connectors.sandbox.model import Platform
    from tests.harness.ledger import Ledger

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(900), pytest.mark.asyncio(loop_scope="module")]

SCALE = 240.0
"""An hour in fifteen seconds."""
LATENCY = 0.02
SHARE = 0.05
READ: tuple[Platform, ...] = ("vk", "ok", "telegram", "max")
"""Whose pages have comments; Viber has private dialogs alone."""
SENDINGS: dict[Platform, str] = {
    "vk": "wall.createComment",
    "ok": "discussions.addDiscussionComment",
    "telegram": "sendMessage",
    "max": "sendComment",
}
SENDING_SHARE = 0.1
"""Of sendings so many more go wrong: they are few beside the readings, and the most may be lost or doubled by them."""
LOSING: Platform = "max"
"""Where everything depends on one token, which is lost for a while."""
COMMENTS = 400
ANSWERS = 80
FEW_PAGES = frozenset({"ok", "max"})
"""Platforms of which the sample region has one page: it gets three times its traffic."""
PUSHED = (("vk", "svetloozersk_adm"), ("vk", "priozerye_region"), ("max", "priozerye_max"))
LOST = "reauthorise"
PART_SECONDS = 240.0
LOOK_SECONDS = 0.5
IDLE_LOOKS = 60
"""So many looks in a row, and something is overdue and nobody asks for it: a call that gets no answer takes a tenth of that."""
MALFORMED = "malformed"
LIMITED = {("vk", "second"), ("vk", "wall.get a day"), ("ok", "second"), ("max", "second")} | {
    ("telegram", scope) for scope in ("second", "minute", "burst")
}
"""What the sandbox counts for the platforms of the hour."""
_LATE = re.compile(r"(?:lease_lost|_taken_over) .*platform=(\w+)")
OVER = {"vk": {"6", "29"}, "ok": {"11"}}
"""How they refuse whoever exceeds a limit, where no fault looks alike."""


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


async def stand(system: System, platforms: set[Platform], seed: int) -> None:
    """From now on some calls of these platforms go wrong, in every way they have."""
    for platform in sorted(platforms):
        for method, share in (("*", SHARE), (SENDINGS[platform], SENDING_SHARE)):
            await system.ask("POST", "/faults", {"platform": platform, "method": method, "share": share, "seed": seed})


async def struck(system: System) -> dict[str, Counter[str]]:
    """Faults that struck so far, by platform and kind."""
    found: dict[str, Counter[str]] = {platform: Counter() for platform in READ}
    for one in (await system.ask("GET", "/calls"))["faults"]:
        found[one["platform"]][one["kind"]] += one["count"]
    return found


@dataclass(kw_only=True)
class Watch:
    """Looks all the time whether pages wait by their plan and nobody asks their platform anything."""

    system: System
    over: bool = False
    waited: Counter[str] = field(default_factory=Counter)
    """Looks that found something overdue."""
    longest: Counter[str] = field(default_factory=Counter)
    """The most of them in a row between which nothing was asked."""

    async def work(self) -> None:
        """Until the hour is over."""
        idle: Counter[str] = Counter()
        before: Counter[str] = Counter()
        while not self.over:
            late = await self.system.rows("SELECT DISTINCT platform FROM feed WHERE page_id IS NOT NULL AND due_at < clock_timestamp()")
            asked = await calls_made(self.system)
            overdue = {row.platform for row in late} & set(READ)
            self.waited.update(overdue)
            idle = Counter({platform: idle[platform] + 1 for platform in overdue if asked[platform] == before[platform]})
            self.longest |= idle
            before = asked
            await asyncio.sleep(LOOK_SECONDS)


async def calls_made(system: System) -> Counter[str]:
    """By platform, those counted that a fault kept from being carried out."""
    told = await system.ask("GET", "/calls")
    made: Counter[str] = Counter()
    for one in told["methods"]:
        made[one["platform"]] += one["calls"]
    for one in told["faults"]:
        made[one["platform"]] += one["count"] * (one["kind"] in {"http_500", "timeout_before"})
    return made


async def lose_a_token(system: System, colleague: Colleague, desk: Desk, platform: Platform) -> None:
    """All calls of a platform are refused, and people are told; when it has its token again, one word of a person mends all of it."""
    (token,) = (one for one in json.loads(WORLD.read_text(encoding="utf-8"))["tokens"] if one["platform"] == platform)
    colleague.broken = platform
    ours: list[str] = []

    async def somebody_waits() -> bool:
        ours.extend(number for number in await unanswered(system, platform) if number not in desk.begun)
        return bool(ours)

    await system.until("somebody waits there", somebody_waits, seconds=PART_SECONDS)
    desk.begun.add(ours[0])
    await system.ask("DELETE", f"/world/tokens/{platform}/{quote(token['token'])}")
    refused = await desk.answer(ours[0])
    (page,) = await system.rows("SELECT page_id FROM reply WHERE id = :reply", reply=refused)
    lost = {"platform": platform, "reply": refused, "lost": LOST}

    async def told() -> bool:
        found = await system.rows("SELECT 1 FROM reply WHERE id = :reply AND state = 'failed' AND error_code = :lost", **lost)
        others = "SELECT 1 FROM feed WHERE platform = :platform AND page_id IS NOT NULL AND error_code IS DISTINCT FROM :lost"
        return bool(found) and not await system.rows(others, **lost)

    async def well() -> bool:
        unwell = "SELECT 1 FROM feed WHERE platform = :platform AND error_code IS NOT NULL"
        unsent = "SELECT 1 FROM reply WHERE id = :reply AND state <> 'sent' AND coalesce(error_code, :lost) = :lost"
        return not await system.rows(f"{unwell} UNION ALL {unsent}", **lost)

    await system.until("people are told that the token is lost", told, seconds=PART_SECONDS)
    await system.ask("POST", "/world/tokens", token)
    await colleague.say_mended(page.page_id)
    await system.until("all of it is mended", well, seconds=PART_SECONDS)
    colleague.broken = ""


async def unanswered(system: System, platform: Platform) -> list[str]:
    """Numbers of a platform's appeals that nobody has answered, the oldest first: their citizens stand by their words."""
    found = await system.rows(
        "SELECT number FROM appeal a WHERE platform = :platform AND status IN ('new', 'in_work')"
        " AND NOT EXISTS (SELECT FROM reply r WHERE r.appeal_id = a.id) ORDER BY id",
        platform=platform,
    )
    return [format_number(row.number) for row in found]


async def test_an_hour_with_faults_of_every_kind(system: System, capsys: pytest.CaptureFixture[str]) -> None:
    """Truth and database agree as far as platforms tell; each answer stands once, or is uncertain before a person; no limit is exceeded."""
    seed = random.getrandbits(32)
    with capsys.disabled():
        print(f"\nfault hour: seed {seed} (the run's --randomly-seed makes it again)")  # noqa: T201
    token = await system.token(Role.OPERATOR)
    pages = sorted(page for page in await system.page_ids() if page[0] in READ)
    pages += [page for page in pages if page[0] in FEW_PAGES] * 2
    traffic = Traffic(system=system, chance=random.Random(seed), pages=pages, comments=COMMENTS)
    desk = Desk(system=system, token=token, chance=random.Random(seed + 1), answers=ANSWERS, at_once=4, pause=0.5)
    watch, moments = Watch(system=system), [time.monotonic()]
    async with colleague_of(system, token, random.Random(seed + 2)) as colleague:
        async with asyncio.TaskGroup() as office:
            office.create_task(colleague.work())
            office.create_task(watch.work())
            await pass_the_hour(system, traffic, desk, colleague, seed)
            moments.append(time.monotonic())
            await order_the_missing(system)
            await system.until("every kind of fault has struck", lambda: every_kind_struck(system, traffic), seconds=PART_SECONDS)
            faults, made = await struck(system), await calls_made(system)
            await system.ask("DELETE", "/faults")
            colleague.over = watch.over = True
        moments.append(time.monotonic())
        await drain(system, colleague, traffic)
    found = await agreed(system, traffic)
    with capsys.disabled():
        tell(traffic, desk, colleague, faults, found)
        tell_calls(made, watch, [*moments, time.monotonic()])
    check(found, desk, traffic)
    assert sum(one.total() for one in faults.values()) > 0.8 * SHARE * made.total()
    assert max(watch.longest.values(), default=0) < IDLE_LOOKS
    check_calls(system, await system.ask("GET", "/calls"))


async def pass_the_hour(system: System, traffic: Traffic, desk: Desk, colleague: Colleague, seed: int) -> None:
    """Citizens write, operators answer, calls fail, and one platform's token is away for a while."""
    await stand(system, set(READ) - {LOSING}, seed)
    async with asyncio.TaskGroup() as group:
        group.create_task(desk.work())
        group.create_task(traffic.run(SCALE))
        await lose_a_token(system, colleague, desk, LOSING)
        await stand(system, {LOSING}, seed)


async def missing(system: System) -> dict[Platform, list[FaultKind]]:
    """Kinds of faults that have not struck on a platform yet."""
    found = await struck(system)
    left = {platform: [kind for kind in KINDS_OF[platform] if not found[platform][kind]] for platform in READ}
    return {platform: kinds for platform, kinds in left.items() if kinds}


async def order_the_missing(system: System) -> None:
    """What chance has not brought in the hour comes with the next calls; flood control last, for a long rest follows it."""
    for platform, kinds in (await missing(system)).items():
        for kind in sorted(kinds, key=lambda one: one == "flood"):
            await system.ask("POST", "/faults", {"platform": platform, "method": "*", "kind": kind})


async def every_kind_struck(system: System, traffic: Traffic) -> bool:
    """Whether each kind has struck on each platform. Where one is missing citizens write on: an answer without rows has none to repeat."""
    left = await missing(system)
    for platform in left:
        page = traffic.chance.choice([page for one, page in traffic.pages if one == platform])
        for _ in range(2):
            author = f"Прохожий {traffic.chance.getrandbits(32)}"
            await system.write(page, comment(traffic.chance), platform=platform, author=author)
    return not left


def check_calls(system: System, calls: dict[str, Any]) -> None:
    """No limit that the sandbox counts was exceeded, no page was read by two at once."""
    assert [one for one in calls["rates"] if one["exceeded"]] == []
    assert {(one["platform"], one["scope"].partition(" in ")[0]) for one in calls["rates"]} >= LIMITED
    assert [one for one in calls["methods"] if one["outcomes"].keys() & OVER.get(one["platform"], set())] == []
    # A worker that the machine stopped for longer than its lease is late: what it still reads there is stored by nobody, and whoever
    # took over looks for what it may have sent.
    said = "".join(worker.log.read_text(encoding="utf-8") for worker in system.workers)
    late = set(_LATE.findall(said))
    assert [one for one in calls["readings"]["overlaps"] if one["what"].split()[0] not in late] == []
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
        await system.until("both sides agree", agree, seconds=PART_SECONDS, pause=1.0)
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


def tell(traffic: Traffic, desk: Desk, colleague: Colleague, faults: dict[str, Counter[str]], ledger: Ledger) -> None:
    """The figures."""
    states = Counter(row.state for row in ledger.replies if not row.by_hand)
    told = (
        _counts(traffic.done),
        f"faults: {_counts(sum(faults.values(), Counter()))} ({_counts({name: one.total() for name, one in faults.items()})})",
        f"{len(desk.promised)} answers promised: {_counts(states)}; {colleague.changed} of them changed",
    )
    print("; ".join(told))  # noqa: T201


def tell_calls(made: Counter[str], watch: Watch, moments: list[float]) -> None:
    """The figures of the platforms."""
    hour, kinds, rest = (after - before for before, after in itertools.pairwise(moments))
    print(  # noqa: T201
        f"{made.total()} calls ({_counts(made)}); {LOSING} lost its token; looks that found something overdue: {_counts(watch.waited)},"
        f" without a call between them at most {_counts(watch.longest)};"
        f" the hour took {hour:.0f} s, the last kinds of faults {kinds:.0f}, the rest {rest:.0f}"
    )


def _counts(found: Mapping[str, int]) -> str:
    return ", ".join(f"{what} {count}" for what, count in sorted(found.items()))
