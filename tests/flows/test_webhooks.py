"""Webhooks out: signed, to allowed and public hosts, each thing told until it is heard; every attempt stands in the log."""

from __future__ import annotations

import asyncio
import json
import secrets
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text
from standardwebhooks import Webhook

from app.appeals.rules import Act
from app.flows.webhooks import Teller
from app.kernel.outgoing import Outgoing, parse_hosts
from app.kernel.vault import Vault
from app.notices import webhooks
from tests import factories
from tests.connectors.raw_server import RawServer, http, raw_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from app.kernel.clock import FixedClock
    from app.kernel.db import Database

pytestmark = [pytest.mark.flows, pytest.mark.timeout(60)]

VAULT = Vault(secrets.token_urlsafe(32))


class Told:
    """A target that listens, and an appeal that things happen to."""

    def __init__(self, raw: RawServer, owner: Database, worker: Database, clock: FixedClock, secret: str, number: int) -> None:
        self.raw, self.owner, self.worker, self.clock, self.secret, self.number = raw, owner, worker, clock, secret, number

    def teller(self, name: str = "w", *, hosts: str = "", seconds: float = 5) -> Teller:
        outgoing = Outgoing(parse_hosts(hosts or self.raw.url.removeprefix("http://")), seconds=seconds)
        return Teller(self.worker, VAULT, outgoing, self.clock, worker=name, time_scale=1)

    async def happens(self, act: Act) -> None:
        async with self.owner.write() as session:
            await session.execute(
                text("INSERT INTO appeal_event (appeal_id, act, cycle, occurred_at) SELECT id, :act, 1, :now FROM appeal"),
                {"act": act.value, "now": self.clock.now()},
            )

    async def collected(self, count: int) -> None:
        """News is told only once no older transaction runs anywhere in the cluster: wait for that."""
        for _ in range(200):
            async with self.worker.write() as session:
                await webhooks.collect(session, now=self.clock.now())
            if (await self.rows("SELECT count(*) FROM webhook_delivery"))[0][0] >= count:
                return
            await asyncio.sleep(0.05)

    async def rows(self, sql: str) -> list[tuple[Any, ...]]:
        async with self.owner.read() as session:
            return [tuple(row) for row in await session.execute(text(sql))]

    def heard(self) -> list[tuple[dict[str, str], bytes]]:
        parts = [request.partition(b"\r\n\r\n") for request in self.raw.requests]
        heads = [dict(line.split(": ", 1) for line in head.decode().lower().split("\r\n")[1:]) for head, _, _ in parts]
        return [(head, body) for head, (_, _, body) in zip(heads, parts, strict=True)]


@pytest.fixture
async def told(owner_db: Database, worker_db: Database, clock: FixedClock) -> AsyncIterator[Told]:
    async with raw_server() as raw:
        async with owner_db.write() as session:
            appeal = await factories.make_appeal(session)
        async with owner_db.write() as session:
            _, secret = await webhooks.add_target(
                session, VAULT, name="СЭД", url=f"{raw.url}/in", kinds=list(webhooks.ACTS), now=clock.now()
            )
        raw.plan(http(b"", status="204 No Content"))
        yield Told(raw, owner_db, worker_db, clock, secret, appeal.number)


async def test_what_happened_is_told_once_signed_and_by_ids_alone(told: Told) -> None:
    for act in (Act.NOTED, Act.REPLY_SENT, Act.SLA_BREACHED, Act.CLOSED):
        await told.happens(act)
    await told.collected(3)
    for _ in range(3):
        await told.teller().round()
    heard = told.heard()
    kinds = sorted(json.loads(body)["type"] for _, body in heard)
    assert kinds == ["appeal.answered", "appeal.closed", "appeal.overdue"]
    for head, body in heard:
        expected = Webhook(told.secret).sign(head["webhook-id"], told.clock.now(), body.decode())
        assert head["webhook-signature"] == expected.lower()
        assert head["webhook-timestamp"] == str(int(told.clock.now().timestamp()))
        data = json.loads(body)["data"]
        assert set(data) == {"appeal", "agency", "event"}
        assert data["appeal"] == told.number
    assert {row[0] for row in await told.rows("SELECT outcome FROM webhook_attempt")} == {"delivered"}


async def test_what_is_not_heard_is_told_again_later_under_the_same_id(told: Told) -> None:
    await told.happens(Act.REPLY_SENT)
    await told.collected(1)
    told.raw.plan(http(b"", status="503 Busy"), http(b"", status="200 OK"))
    await told.teller().round()
    await told.teller().round()
    assert await told.rows("SELECT state, attempts FROM webhook_delivery") == [("waiting", 1)]
    told.clock.moment += webhooks.PAUSES[0]
    await told.teller().round()
    first, second = told.heard()
    assert first[0]["webhook-id"] == second[0]["webhook-id"]
    assert first[1] == second[1]
    assert await told.rows("SELECT outcome, status FROM webhook_attempt ORDER BY id") == [("refused", 503), ("delivered", 200)]


async def test_an_unknown_outcome_is_shown_and_not_hidden(told: Told) -> None:
    """It may have been heard: the log says that nobody knows, and it is told again."""
    await told.happens(Act.REPLY_SENT)
    await told.collected(1)
    told.raw.drip = 5
    await told.teller(seconds=0.4).round()
    assert [row[0] for row in await told.rows("SELECT outcome FROM webhook_attempt")] == ["unknown"]
    async with told.worker.write() as session:  # and a sender that dies
        told.clock.moment += webhooks.PAUSES[0]
        (claimed,) = await webhooks.claim(session, worker="dead", now=told.clock.now(), most=8)
    assert claimed.attempts == 2
    told.clock.moment += webhooks.LEASE + timedelta(seconds=1)
    told.raw.drip = 0
    await told.teller("next").round()
    assert [row[0] for row in await told.rows("SELECT outcome FROM webhook_attempt ORDER BY id")] == ["unknown", "unknown", "delivered"]
    async with told.owner.read() as session:
        log = await webhooks.attempts_log(session, target_id=None, most=10)
    assert [(line.outcome, line.state) for line in log] == [("delivered", "delivered"), ("unknown", "delivered"), ("unknown", "delivered")]


async def test_after_the_last_attempt_it_has_failed_and_stays_in_the_log(told: Told) -> None:
    await told.happens(Act.CLOSED)
    await told.collected(1)
    told.raw.plan(http(b"", status="500 Broken"))
    for pause in (*webhooks.PAUSES, timedelta(0)):
        await told.teller().round()
        told.clock.moment += pause
    await told.teller().round()
    assert await told.rows("SELECT state, attempts FROM webhook_delivery") == [("failed", len(webhooks.PAUSES) + 1)]
    assert len(told.raw.requests) == len(webhooks.PAUSES) + 1


async def test_ssrf_a_host_that_is_not_allowed_any_more_is_not_called(told: Told) -> None:
    await told.happens(Act.CLOSED)
    await told.collected(1)
    await told.teller(hosts="example.org").round()
    assert told.raw.requests == []
    ((outcome, detail),) = await told.rows("SELECT outcome, detail FROM webhook_attempt")
    assert outcome == "not_sent"
    assert detail.startswith("host: ")


async def test_ssrf_a_redirect_is_a_refusal(told: Told) -> None:
    await told.happens(Act.CLOSED)
    await told.collected(1)
    told.raw.plan(http(b"", status="307 Elsewhere", headers="Location: http://169.254.169.254/\r\n"))
    await told.teller().round()
    assert [row[0] for row in await told.rows("SELECT outcome FROM webhook_attempt")] == ["refused"]
    assert len(told.raw.requests) == 1


async def test_many_workers_tell_each_thing_once_and_who_was_removed_is_told_nothing(told: Told) -> None:
    for _ in range(6):
        await told.happens(Act.REPLY_SENT)
    await told.collected(6)
    await asyncio.gather(*(told.teller(f"w{number}").round() for number in range(3)))
    while await told.teller().round():
        pass
    numbers = [head["webhook-id"] for head, _ in told.heard()]
    assert len(numbers) == len(set(numbers)) == 6
    async with told.owner.write() as session:
        (line,) = await webhooks.list_targets(session)
        assert (line.delivered, line.waiting, line.failed) == (6, 0, 0)
        assert await webhooks.remove_target(session, target_id=line.id, now=told.clock.now())
        assert not await webhooks.remove_target(session, target_id=line.id, now=told.clock.now())
    await told.happens(Act.CLOSED)
    assert not await told.teller().round()


async def test_the_secret_is_sealed(told: Told) -> None:
    ((stored,),) = await told.rows("SELECT secret FROM webhook_target")
    assert told.secret.encode() not in bytes(stored)
    assert VAULT.open(bytes(stored)) == told.secret
