"""Notices outside the screen: who is to be told, what goes out together, one attempt each, what is known afterwards."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

from app.appeals.filters import format_number
from app.flows.couriers import MAX_URL, TELEGRAM_URL, HookCourier, MailCourier, MaxCourier, Parcel, TelegramCourier
from app.flows.greeting import SEND_SECONDS, calls_to
from app.kernel import metrics
from app.kernel.errors import SetupError
from app.kernel.log import logger
from app.kernel.mail import Mailer
from app.kernel.outgoing import Outgoing, parse_hosts
from app.notices import letters, outside
from app.notices.digest import Storm
from app.notices.letters import Known, Outcome
from app.notices.rules import Carrier, Kind
from app.notices.wording import Item, Writer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from app.appeals.office import OfficeKeeper
    from app.flows.couriers import Courier
    from app.kernel.clock import Clock
    from app.kernel.db import Database
    from app.kernel.parts import NoticeParts
    from app.kernel.vault import Vault
    from app.notices.letters import Line
    from app.notices.wording import Wording

AT_ONCE = 8
MOST_ANSWER_BYTES = 100_000


def build_couriers(parts: NoticeParts) -> dict[Carrier, Courier]:
    """The carriers that the settings open."""
    couriers: dict[Carrier, Courier] = {}
    if parts.mail is not None:
        couriers[Carrier.EMAIL] = MailCourier(Mailer(parts.mail, seconds=SEND_SECONDS))
    if parts.telegram_token:
        url = parts.telegram_url or TELEGRAM_URL
        couriers[Carrier.TELEGRAM] = TelegramCourier(calls_to(url, most_bytes=MOST_ANSWER_BYTES), url=url, token=parts.telegram_token)
    if parts.max_token:
        url = parts.max_url or MAX_URL
        couriers[Carrier.MAX] = MaxCourier(calls_to(url, most_bytes=MOST_ANSWER_BYTES), url=url, token=parts.max_token)
    if (hosts := parse_hosts(parts.webhook_hosts)).names:
        couriers[Carrier.WEBHOOK] = HookCourier(Outgoing(hosts, seconds=SEND_SECONDS, most_bytes=MOST_ANSWER_BYTES))
    return couriers


class Notifier:
    """The work of one worker; any number may run."""

    def __init__(
        self,
        database: Database,
        keeper: OfficeKeeper,
        clock: Clock,
        vault: Vault,
        *,
        parts: NoticeParts,
        worker: str,
        time_scale: float,
        couriers: Mapping[Carrier, Courier] | None = None,
    ) -> None:
        self._database = database
        self._keeper = keeper
        self._clock = clock
        self._vault = vault
        self._parts = parts
        self._worker = worker
        self._time_scale = time_scale
        self._couriers = build_couriers(parts) if couriers is None else couriers
        self._storm = Storm(over=parts.digest_over, window=timedelta(minutes=parts.digest_minutes))

    async def round(self) -> bool:
        """One step of each kind; whether there may be more to do at once."""
        office = await self._keeper.get()
        now = self._clock.now()
        async with self._database.write() as session:
            planned = await outside.plan_due(session, office.desk.directory, carriers=self._couriers, now=now)
        async with self._database.write() as session:
            gathered = await outside.gather_due(session, storm=self._storm, now=now)
        async with self._database.write() as session:
            for carrier in await letters.abandon(session, now=now):
                metrics.NOTICE_LETTERS.labels(carrier=carrier, outcome=Outcome.UNKNOWN.value).inc()
            claimed = await letters.claim(session, worker=self._worker, carriers=list(self._couriers), now=now, most=AT_ONCE)
        await asyncio.gather(*(self._send(one) for one in claimed))
        return bool(planned >= outside.AT_ONCE or gathered.letters or claimed)

    async def _send(self, letter: letters.Outgoing) -> None:
        try:
            wording, secret = await self._written(letter)
        except SetupError as error:  # the key was changed: nothing was sent, and the others are told
            known = Known(outcome=Outcome.LATER, detail=error.detail)
        else:
            parcel = Parcel(address=letter.address, wording=wording, guid=letter.guid.hex, at=self._clock.now(), secret=secret)
            known = await self._couriered(letter, parcel)
        metrics.NOTICE_LETTERS.labels(carrier=letter.carrier, outcome=known.outcome.value).inc()
        if known.outcome is not Outcome.DELIVERED:
            logger.warning(
                "notice_not_delivered", letter=letter.id, carrier=letter.carrier, outcome=known.outcome.value, detail=known.detail
            )
        async with self._database.write() as session:
            await letters.settle(session, letter, known, now=self._clock.now(), time_scale=self._time_scale)

    async def _couriered(self, letter: letters.Outgoing, parcel: Parcel) -> Known:
        try:
            return await self._couriers[Carrier(letter.carrier)].carry(parcel)
        except Exception as error:  # noqa: BLE001 - a fault of ours: it may have been sent before it
            logger.exception("notice_courier_failed", letter=letter.id, carrier=letter.carrier)
            return Known(outcome=Outcome.UNKNOWN, detail=type(error).__name__)

    async def _written(self, letter: letters.Outgoing) -> tuple[Wording, str | None]:
        """The wording in its reader's language, and what signs it."""
        writer = Writer(
            self._parts.catalogue(letter.locale), language=letter.locale, timezone=letter.timezone or self._parts.timezone,
            address=self._parts.address,
        )  # fmt: skip
        if letter.kind == "code":
            async with self._database.write() as session:
                code, secret = await letters.new_code(session, letter, self._vault, now=self._clock.now())
            return writer.code(code), secret
        signs = None if letter.sealed is None else self._vault.open(letter.sealed)
        items = [_item(line) for line in letter.lines]
        return (writer.single(items[0]) if letter.kind == "single" else writer.digest(items)), signs


def _item(line: Line) -> Item:
    return Item(
        kind=Kind(line.kind), number="" if line.number is None else format_number(line.number), comment_id=line.comment_id,
        promise=line.promise, due_at=line.due_at, raised=line.stage > 0,
    )  # fmt: skip
