"""Holding on to leased feeds while their platform takes its time, and giving them back however it ends."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Self

from sqlalchemy.exc import DBAPIError

from app.kernel.log import logger
from connectors.contract import ConnectorError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from app.flows.polling import Poller
    from app.sources.service import LeasedFeed

RENEWALS = 4
"""So often is a lease renewed within its length."""


class Lost(Exception):  # noqa: N818 - not an error: another worker goes on
    """The lease went to another worker."""


class Guard:
    """Renews the leases while the block runs, and gives the feeds back however it ends.

    Once they have gone to another worker the block is broken off: no page is polled twice at once.
    """

    def __init__(self, poller: Poller, leased: Sequence[LeasedFeed]) -> None:
        self._poller = poller
        self._leased = leased
        self._due_at: datetime | None = None
        self._renewing: asyncio.Task[None] | None = None
        self._over = asyncio.Event()
        self._polling: asyncio.Task[object] | None = None
        self._lost = False

    def done(self, *, due_at: datetime) -> None:
        """All went well: when to come again."""
        self._due_at = due_at

    async def __aenter__(self) -> Self:
        self._polling = asyncio.current_task()
        self._renewing = asyncio.create_task(self._renew())
        return self

    async def _renew(self) -> None:
        every = self._poller.renew_every.total_seconds()
        while not self._over.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self._over.wait(), every)
                return
            held = [one.id for one in self._leased]
            try:
                await self._poller.renew(held)
            except (OSError, DBAPIError) as failed:  # the next one may do better, and storing proves the lease all the same
                logger.warning("lease_not_renewed", feeds=len(held), error=str(failed).partition("\n")[0][:300])
            except Lost:
                if held != [one.id for one in self._leased]:  # some were given back meanwhile
                    continue
                self._lost = not self._over.is_set()
                if self._lost and self._polling is not None:
                    self._polling.cancel()
                return

    async def __aexit__(self, _kind: object, error: BaseException | None, _trace: object) -> bool:
        if self._renewing is not None:
            self._over.set()  # not cancelled: a renewal that is broken off costs a connection
            await asyncio.gather(self._renewing, return_exceptions=True)
        if self._lost and self._polling is not None and isinstance(error, asyncio.CancelledError):
            self._polling.uncancel()
            error = Lost()
        if isinstance(error, Lost):
            logger.info("lease_lost", platform=self._poller.platform, feeds=len(self._leased))
            return True
        if isinstance(error, ConnectorError):
            await self._poller.fail(self._leased, error)
            return True
        if error is None and self._due_at is not None:
            await self._poller.release(self._leased, due_at=self._due_at)
        return False
