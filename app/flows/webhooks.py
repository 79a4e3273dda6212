"""Telling other systems what happened: collect from the history, claim, send with no transaction open, write the attempt down."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from standardwebhooks import Webhook

from app.kernel.errors import SetupError
from app.kernel.log import logger
from app.kernel.outgoing import Outgoing, RefusedError
from app.notices import webhooks
from app.notices.webhooks import Outcome

if TYPE_CHECKING:
    from app.kernel.clock import Clock
    from app.kernel.db import Database
    from app.kernel.vault import Vault
    from app.notices.webhooks import Delivery

AT_ONCE = 8
_GOOD = range(200, 300)


class Teller:
    """Signs by Standard Webhooks and calls only allowed, public hosts."""

    def __init__(self, database: Database, vault: Vault, outgoing: Outgoing, clock: Clock, *, worker: str, time_scale: float) -> None:
        self._database = database
        self._vault = vault
        self._outgoing = outgoing
        self._clock = clock
        self._worker = worker
        self._time_scale = time_scale

    async def round(self) -> bool:
        """Collect what is new for every target, tell what is due; whether there was anything."""
        collected = await self._collect()
        async with self._database.write() as session:
            due = await webhooks.claim(session, worker=self._worker, now=self._clock.now(), most=AT_ONCE)
        await asyncio.gather(*(self._tell(one) for one in due))
        return bool(collected or due)

    async def _collect(self) -> int:
        collected, past = 0, None
        while True:
            async with self._database.write() as session:
                target, told, more = await webhooks.collect(session, now=self._clock.now(), past=past)
            collected += told
            if target is None:
                return collected
            past = past if more else target

    async def _tell(self, delivery: Delivery) -> None:
        outcome, status, detail = await self._attempt(delivery)
        if outcome is not Outcome.DELIVERED:
            logger.warning("webhook_not_delivered", delivery=delivery.id, outcome=outcome.value, status=status, detail=detail)
        async with self._database.write() as session:
            await webhooks.settle(
                session, delivery, outcome=outcome, status=status, detail=detail, now=self._clock.now(), time_scale=self._time_scale
            )

    async def _attempt(self, delivery: Delivery) -> tuple[Outcome, int | None, str]:
        body, at, number = delivery.body(), self._clock.now(), f"msg_{delivery.guid.hex}"
        try:
            signature = Webhook(self._vault.open(delivery.sealed)).sign(number, at, body.decode())
        except SetupError as error:  # the key was changed: of this target, the others are told
            return Outcome.NOT_SENT, None, error.detail
        headers = {
            "Content-Type": "application/json",
            "webhook-id": number,
            "webhook-timestamp": str(int(at.timestamp())),
            "webhook-signature": signature,
        }
        try:
            answer = await self._outgoing.call("POST", delivery.url, headers=headers, body=body)
        except RefusedError as error:
            if error.code == "redirect":
                return Outcome.REFUSED, None, error.detail
            return (Outcome.UNKNOWN if error.sent else Outcome.NOT_SENT), None, f"{error.code}: {error.detail}"
        good = answer.status in _GOOD
        return (Outcome.DELIVERED if good else Outcome.REFUSED), answer.status, ""
