"""The worker process: polling, triage, the outbox, deadlines. Any number may run; they meet only in PostgreSQL."""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from sqlalchemy.exc import DBAPIError

from app.appeals.office import OfficeKeeper
from app.appeals.reapply import apply_everywhere
from app.audit.seals import MOST_ENTRIES, seal_next
from app.flows import connecting, deadlines, facts, inbound, looking_up, mending, pictures, pushing
from app.flows.amending import Amending
from app.flows.gauges import Gauges
from app.flows.greeting import Greeter, build_bots
from app.flows.listening import Ears
from app.flows.outbound import Outbound
from app.flows.polling import Poller
from app.flows.seeking import Seeker
from app.flows.telling import Notifier
from app.flows.webhooks import Teller
from app.kernel import jobs
from app.kernel.agreed import AGREE_SECONDS, AgreedClock
from app.kernel.log import logger
from app.kernel.outgoing import Outgoing, parse_hosts
from app.media import shelf
from app.privacy.keeping import Keeping
from app.replies import pictures as reply_pictures
from app.replies.rules import Limits, parse_limits
from app.reports import rollup
from app.sources import lookups
from app.sources.facts import forget_days
from app.sources.hooks import forget_events
from app.sources.intakes import forget_intakes
from connectors.contract import Listens

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from app.kernel.parts import WorkerParts

AGAIN_SECONDS = 1.0
CALLS_SECONDS = 0.5
"""So soon does a worker that has just begun get its part of what the tokens allow."""
GAUGES_SECONDS = 15.0
SEAL_SECONDS = 30.0
KEEPING_SECONDS = 15.0
WEBHOOKS_SECONDS = 2.0
NOTICES_SECONDS = 2.0
GREETING_SECONDS = 5.0
TIDY_SECONDS = 600.0
FACTS_SECONDS = 30.0
SWITCH_SECONDS = 0.0001
"""How long triage, which computes in a thread, may keep the interpreter from the loop that talks to PostgreSQL. With
Python's own 5 ms each statement of a batch waits so long for its turn: a third fewer appeals a second."""
REPORTS_SECONDS = 2.0
"""Reports are exact at any moment: what is not kept yet they compute themselves, so little should wait."""


async def run(parts: WorkerParts, stop: asyncio.Event) -> None:
    """Work until `stop` is set. A lost database pauses a part; it goes on when the database is back."""
    sys.setswitchinterval(SWITCH_SECONDS)
    keeper = OfficeKeeper(parts.database, parts.clock)
    limits = Limits(author=parse_limits(parts.author_answer_limits), page=parse_limits(parts.page_answer_limits))
    outbound = Outbound(parts.database, parts.connectors, parts.clock, worker=parts.name, time_scale=parts.time_scale, limits=limits)

    amending = Amending(parts.database, parts.connectors, parts.clock, worker=parts.name, time_scale=parts.time_scale, limits=limits)

    async def triage(_payload: Mapping[str, Any]) -> None:
        await inbound.open_all(parts.database, keeper, parts.clock)

    seeker = Seeker(
        database=parts.database,
        connectors=parts.connectors,
        clock=parts.clock,
        decide=lambda: inbound.open_all(parts.database, keeper, parts.clock),
        time_scale=parts.time_scale,
    )

    async def send(_payload: Mapping[str, Any]) -> None:
        await outbound.send_due()
        await amending.round()
        await seeker.seek()

    async def push(_payload: Mapping[str, Any]) -> None:
        await pushing.take_pushed(parts.database, parts.connectors, parts.clock)

    async def serve_jobs() -> None:
        await jobs.run(
            parts.jobs_url,
            {
                jobs.INBOUND_TRIAGE: triage,
                jobs.INBOUND_PUSH: push,
                jobs.OUTBOUND_SEND: send,
                jobs.NORMS_APPLY: partial(_apply_norms, parts),
                jobs.MEDIA_FETCH: partial(_fetch_picture, parts),
                jobs.LINK_FETCH: partial(_look_up, parts),
                jobs.PAGES_ASK: partial(_take_intakes, parts),
                jobs.PAGES_AGAIN: partial(_try_again, parts),
            },
            role=parts.jobs_role,
            heartbeat=parts.heartbeat,
            stop=stop,
        )

    async def sweep() -> bool:
        """What no job woke us for: retries that have become due, senders that died, a job that was held."""
        sent = await outbound.send_due()
        looked_up = await outbound.look_up_interrupted() + await amending.round() + await seeker.seek()
        pushed = await pushing.take_pushed(parts.database, parts.connectors, parts.clock)
        decided = await inbound.open_all(parts.database, keeper, parts.clock)
        return bool(sent or looked_up or pushed or decided)

    keeping = Keeping(parts.database, parts.clock, parts.terms)

    series = Gauges(parts)

    async def gauges() -> bool:
        await series.read()
        await _pause(stop, GAUGES_SECONDS)
        return True

    ears = _ears(parts)
    async with asyncio.TaskGroup() as group:
        for name, act, idle in (*_polling(parts), *((f"listening.{one.platform}", one.round, AGAIN_SECONDS) for one in ears)):
            group.create_task(_forever(name, act, stop, idle=idle))
        group.create_task(_forever("calls", partial(_share_calls, parts), stop, idle=CALLS_SECONDS))
        group.create_task(_forever("clock", partial(_agree, parts), stop, idle=AGREE_SECONDS))
        group.create_task(_forever("jobs", _always(serve_jobs), stop, idle=AGAIN_SECONDS))
        group.create_task(_forever("sweep", sweep, stop, idle=AGAIN_SECONDS))
        group.create_task(_forever("reports", lambda: keep_reports(parts), stop, idle=REPORTS_SECONDS))
        group.create_task(_forever("keeping", keeping.step, stop, idle=KEEPING_SECONDS))
        group.create_task(
            _forever("facts", partial(facts.round_of_facts, parts.database, parts.connectors, parts.clock), stop, idle=FACTS_SECONDS)
        )
        group.create_task(_forever("tidy", partial(_tidy, parts), stop, idle=TIDY_SECONDS))
        group.create_task(_forever("seal", partial(_seal, parts), stop, idle=SEAL_SECONDS))
        if (teller := _teller(parts)) is not None:
            group.create_task(_forever("webhooks", teller.round, stop, idle=WEBHOOKS_SECONDS))
        for name, act, idle in _outside(parts, keeper):
            group.create_task(_forever(name, act, stop, idle=idle))
        group.create_task(_forever("gauges", gauges, stop, idle=GAUGES_SECONDS))
        group.create_task(deadlines.run(parts.database, parts.clock, stop))
    await asyncio.gather(*(one.close() for one in ears))
    await asyncio.gather(*(connector.close() for connector in parts.connectors.values()))
    await _leave_calls(parts)


def _polling(parts: WorkerParts) -> list[tuple[str, Callable[[], Awaitable[bool]], float]]:
    """Who reads each platform."""
    return [
        (
            f"polling.{platform}",
            Poller(
                parts.database,
                platform,
                connector,
                parts.clock,
                worker=f"{parts.name}:{platform}",
                time_scale=parts.time_scale,
                timezone=parts.timezone,
            ).round,
            0.5 / parts.time_scale,
        )
        for platform, connector in parts.connectors.items()
    ]


def _ears(parts: WorkerParts) -> list[Ears]:
    """Who waits for the news of single pages, where a platform lets them."""
    return [
        Ears(parts.database, platform, connector, parts.clock, worker=f"{parts.name}:{platform}", time_scale=parts.time_scale)
        for platform, connector in parts.connectors.items()
        if isinstance(connector, Listens)
    ]


async def _share_calls(parts: WorkerParts) -> bool:
    return parts.shared_calls is not None and await parts.shared_calls.beat()


async def _agree(parts: WorkerParts) -> bool:
    if isinstance(parts.clock, AgreedClock):
        await parts.clock.agree(parts.database)
    return False


async def _leave_calls(parts: WorkerParts) -> None:
    """Others need not wait until our part's time is over; without a database it ends by itself."""
    if parts.shared_calls is not None:
        with suppress(OSError, DBAPIError):
            await parts.shared_calls.leave()


def _teller(parts: WorkerParts) -> Teller | None:
    """Who tells other systems; nobody where no host is allowed."""
    hosts = parse_hosts(parts.webhook_hosts)
    if parts.webhook_vault is None or not hosts.names:
        return None
    outgoing = Outgoing(hosts, seconds=15, most_bytes=100_000)
    return Teller(parts.database, parts.webhook_vault, outgoing, parts.clock, worker=parts.name, time_scale=parts.time_scale)


def _outside(parts: WorkerParts, keeper: OfficeKeeper) -> list[tuple[str, Callable[[], Awaitable[bool]], float]]:
    """Who tells people outside the screen and the bots that answer them, with their pauses; nobody where no channel is open."""
    notices, vault = parts.notices, parts.webhook_vault
    if notices is None or vault is None or not notices.open_carriers:
        return []
    notifier = Notifier(parts.database, keeper, parts.clock, vault, parts=notices, worker=parts.name, time_scale=parts.time_scale)
    greeters = [(bot.name, Greeter(bot, outgoing, parts.clock, parts=notices)) for bot, outgoing in build_bots(notices)]
    return [
        ("notices", notifier.round, NOTICES_SECONDS),
        *((f"greeting.{name}", greeter.round, GREETING_SECONDS) for name, greeter in greeters),
    ]


async def _fetch_picture(parts: WorkerParts, payload: Mapping[str, Any]) -> None:
    await pictures.fetch(parts.database, parts.connectors, picture_id=int(payload["picture"]))


async def _look_up(parts: WorkerParts, payload: Mapping[str, Any]) -> None:
    await looking_up.look_up(parts.database, parts.connectors, parts.clock, lookup_id=int(payload["lookup"]))


async def _take_intakes(parts: WorkerParts, _payload: Mapping[str, Any]) -> None:
    await connecting.take_intakes(parts.database, parts.connectors, parts.clock, context=parts.context)


async def _try_again(parts: WorkerParts, payload: Mapping[str, Any]) -> None:
    await mending.try_again(parts.database, parts.connectors, parts.clock, page_id=payload["page"])


async def _tidy(parts: WorkerParts) -> bool:
    async with parts.database.write() as session:
        forgotten = await forget_events(session, now=parts.clock.now())
        forgotten += await forget_days(session, now=parts.clock.now()) + await forget_intakes(session, now=parts.clock.now())
        dropped = await shelf.tidy(session, now=parts.clock.now(), most_bytes=parts.media_cache_mb * 1_000_000)
        over = await lookups.tidy(session, now=parts.clock.now())
        over += await reply_pictures.tidy(session, now=parts.clock.now())
        return bool(await jobs.forget(session) + forgotten + dropped + over)


async def _seal(parts: WorkerParts) -> bool:
    """What the audit trail holds by now; a hash in the log stands outside the database."""
    async with parts.database.write() as session:
        link = await seal_next(session, now=parts.clock.now())
    if link is not None:
        logger.info("audit_sealed", number=link.number, entries=len(link.ids), hash=link.hash.hex())
    return link is not None and len(link.ids) == MOST_ENTRIES


def _always(act: Callable[[], Awaitable[None]]) -> Callable[[], Awaitable[bool]]:
    async def wrapped() -> bool:
        await act()
        return False

    return wrapped


async def _forever(name: str, act: Callable[[], Awaitable[bool]], stop: asyncio.Event, *, idle: float) -> None:
    """Do it again and again; at once when there was something to do. Whatever goes wrong is said and tried again."""
    while not stop.is_set():
        try:
            busy = await _unless_stopped(act, stop)
        except (OSError, DBAPIError) as error:
            logger.warning("part_waits", part=name, error=str(error).partition("\n")[0][:300])
            busy = False
        except Exception:  # noqa: BLE001 - a part goes on whatever one round did; the log says what
            logger.exception("part_failed", part=name)
            busy = False
        if not busy:
            await _pause(stop, idle)


async def _unless_stopped(act: Callable[[], Awaitable[bool]], stop: asyncio.Event) -> bool:
    """Run it, but do not wait for a long poll when the process is to end: what it stored stays, the rest rolls back."""
    working = asyncio.ensure_future(act())
    ending = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({working, ending}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            await asyncio.wait({working}, timeout=3)
        if not working.done():
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)
            return False
        return working.result()
    finally:
        ending.cancel()


async def _apply_norms(parts: WorkerParts, payload: Mapping[str, Any]) -> None:
    """Today's norms for appeals that wait, as somebody asked."""
    await apply_everywhere(parts.database, parts.clock, operator_id=payload["operator"], territories=payload["territories"])


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return


async def keep_reports(parts: WorkerParts) -> bool:
    """What reports stand on follows the history."""
    return (await rollup.refresh(parts.database, tz=parts.timezone)).more
