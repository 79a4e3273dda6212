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
from app.kernel.errors import ConflictError
from app.kernel.outgoing import Hosts, Outgoing, parse_hosts
from app.kernel.vault import Vault
from app.notices import targets, webhooks
from tests import factories
from tests.connectors.raw_server import RawServer, http, raw_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from app.kernel.clock import FixedClock
    from app.kernel.db import Database

pytestmark = [pytest.mark.flows, pytest.mark.timeout(60)]

VAULT = Vault(secrets.token_urlsafe(32))


def hosts_of(raw: RawServer) -> Hosts:
    """Only this server may be told."""
    return parse_hosts(raw.url.removeprefix("http://"))


class Told:
    """A target that listens, and an appeal that things happen to."""

    def __init__(self, raw: RawServer, owner: Database, worker: Database, clock: FixedClock, secret: str, number: int) -> None:
        self.raw, self.owner, self.worker, self.clock, self.secret, self.number = raw, owner, worker, clock, secret, number

    def teller(self, name: str = "w", *, hosts: str = "", seconds: float = 5) -> Teller:
        outgoing = Outgoing(parse_hosts(hosts) if hosts else hosts_of(self.raw), seconds=seconds)
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
            _, secret = await targets.add_target(
                session, VAULT, hosts_of(raw), name="СЭД", url=f"{raw.url}/in", kinds=list(webhooks.ACTS), now=clock.now()
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


async def test_that_a_deadline_is_missed_no_more_is_told_to_whoever_was_told_that_it_was(told: Told) -> None:
    """A norm that is applied may undo a breach: the other system would count it for ever."""
    async with told.owner.write() as session:
        await targets.add_target(
            session, VAULT, hosts_of(told.raw), name="b", url=f"{told.raw.url}/b", kinds=["appeal.closed"], now=told.clock.now()
        )
    for act in (Act.SLA_BREACHED, Act.SLA_BREACH_WITHDRAWN):
        await told.happens(act)
    await told.collected(2)
    assert await told.rows("SELECT t.name, d.kind FROM webhook_delivery d JOIN webhook_target t ON t.id = d.target_id ORDER BY d.id") == [
        ("СЭД", "appeal.overdue"),
        ("СЭД", "appeal.overdue_withdrawn"),
    ]


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
        log = await targets.attempts_log(session, target_id=None, most=10)
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


async def test_a_target_is_told_only_of_appeals_in_its_scope(told: Told) -> None:
    """The agency above it and its territory hear of the appeal; another agency, another territory and who is below do not."""
    async with told.owner.write() as session:
        ((ours, home),) = (await session.execute(text("SELECT agency_id, territory_id FROM appeal"))).all()
        above = await factories.make_agency(session, code="above")
        below = await factories.make_agency(session, code="below")
        elsewhere = await factories.make_territory(session, code="elsewhere")
        await session.flush()
        await session.execute(text("UPDATE agency SET parent_id = :above WHERE id = :id"), {"above": above.id, "id": ours})
        await session.execute(text("UPDATE agency SET parent_id = :ours WHERE id = :id"), {"ours": ours, "id": below.id})
        await session.execute(text("UPDATE webhook_target SET revoked_at = now()"))
        for name, scope in {
            "above": {"agency_id": above.id}, "home": {"territory_id": home},
            "below": {"agency_id": below.id}, "elsewhere": {"territory_id": elsewhere.id},
        }.items():  # fmt: skip
            await targets.add_target(
                session, VAULT, hosts_of(told.raw), name=name, url=f"{told.raw.url}/{name}", kinds=["appeal.closed"],
                now=told.clock.now(), **scope,
            )  # fmt: skip
    await told.happens(Act.CLOSED)
    for _ in range(200):  # news is told only once no older transaction runs anywhere in the cluster
        await told.teller().round()
        if len(told.raw.requests) >= 2:
            break
        await asyncio.sleep(0.05)
    await told.teller().round()
    assert {request.split(b" ")[1] for request in told.raw.requests} == {b"/above", b"/home"}


async def test_a_test_and_what_failed_go_out_when_somebody_asks(told: Told) -> None:
    """A telling that is sent again keeps its number, its body and its log."""
    async with told.owner.write() as session:
        (line,) = await targets.list_targets(session)
        await targets.tell_test(session, target_id=line.id, now=told.clock.now(), by=None)
    told.raw.plan(http(b"", status="500 Broken"))
    for pause in (*webhooks.PAUSES, timedelta(0)):
        await told.teller().round()
        told.clock.moment += pause
    async with told.owner.write() as session:
        (failed,) = await targets.deliveries(session, target_id=line.id, failed=True, most=10)
        await targets.send_again(session, target_id=line.id, delivery_id=failed.id, now=told.clock.now(), by=None)
        with pytest.raises(ConflictError):
            await targets.send_again(session, target_id=line.id, delivery_id=failed.id, now=told.clock.now(), by=None)
    told.raw.plan(http(b"", status="204 No Content"))
    await told.teller().round()
    first, *_, last = told.heard()
    assert first[0]["webhook-id"] == last[0]["webhook-id"]
    assert first[1] == last[1]
    assert json.loads(last[1]) == {"type": "test", "timestamp": failed.created_at.isoformat(), "data": {}}
    async with told.owner.read() as session:
        (delivered,) = await targets.deliveries(session, target_id=line.id, failed=False, most=10)
    assert delivered.state == "delivered"
    assert [one.outcome for one in delivered.attempts] == ["delivered", *["refused"] * (len(webhooks.PAUSES) + 1)]


async def test_a_secret_of_another_key_stops_nobody_else(told: Told) -> None:
    """The key of the installation was changed: the log says so, and the worker goes on."""
    async with told.owner.write() as session:
        other = Vault(secrets.token_urlsafe(32)).seal(told.secret)
        await session.execute(text("UPDATE webhook_target SET secret = :other"), {"other": other})
    await told.happens(Act.CLOSED)
    await told.collected(1)
    await told.teller().round()
    ((outcome, detail),) = await told.rows("SELECT outcome, detail FROM webhook_attempt")
    assert outcome == "not_sent"
    assert "OTKLIK_SECRET_KEY" in detail


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
        (line,) = await targets.list_targets(session)
        assert (line.delivered, line.waiting, line.failed) == (6, 0, 0)
        assert await targets.remove_target(session, target_id=line.id, now=told.clock.now())
        assert not await targets.remove_target(session, target_id=line.id, now=told.clock.now())
    await told.happens(Act.CLOSED)
    assert not await told.teller().round()


async def test_the_secret_is_sealed(told: Told) -> None:
    ((stored,),) = await told.rows("SELECT secret FROM webhook_target")
    assert told.secret.encode() not in bytes(stored)
    assert VAULT.open(bytes(stored)) == told.secret
