"""Webhooks in: only who knows a page's secret is heard, once; everybody else gets one and the same answer."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from sqlalchemy import text

from app.sources import hooks
from app.web.deps import PushGate
from tests import factories

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from fastapi import FastAPI

    from app.kernel.clock import FixedClock
    from app.kernel.db import Database

COMMUNITY, CODE = "-77", "c0de77"


@pytest.fixture
async def secret(owner_db: Database, clock: FixedClock) -> str:
    """Of a VK community that may push; a Telegram channel may too, a second community may not."""
    async with owner_db.write() as session:
        page = await factories.make_page(session)
        page.external_id = COMMUNITY
        other = await factories.make_page(session)
        other.external_id = "-78"
        await session.flush()
        return await hooks.add_hook(session, page_id=page.id, confirmation=CODE, now=clock.now())


@pytest.fixture
async def platform(web: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(web), base_url="http://otklik.example") as http:
        yield http


def event(secret: object, *, number: str = "e1", group: int = 77, at: int | None = None, kind: str = "wall_reply_new") -> bytes:
    told = {"id": 9, "from_id": 5, "post_id": 3, "post_owner_id": -group, "date": at or 1763362800, "text": "Когда?"}
    return json.dumps({"type": kind, "group_id": group, "event_id": number, "secret": secret, "object": told}).encode()


async def rows(owner_db: Database) -> list[Any]:
    async with owner_db.read() as session:
        return list((await session.execute(text("SELECT event_id, body, handled_at FROM pushed_event ORDER BY id"))).all())


@pytest.fixture
def fresh(clock: FixedClock) -> int:
    return int(clock.now().timestamp()) - 60


async def test_an_event_is_in_the_inbox_before_the_answer_and_once(
    platform: httpx.AsyncClient, secret: str, owner_db: Database, fresh: int
) -> None:
    body = event(secret, at=fresh)
    for _ in range(3):
        answered = await platform.post(f"/hooks/vk/{COMMUNITY}", content=body)
        assert (answered.status_code, answered.text) == (200, "ok")
    (stored,) = await rows(owner_db)
    assert (stored.event_id, stored.handled_at) == ("e1", None)
    told = json.loads(body)
    assert told.pop("secret") == secret
    assert json.loads(stored.body) == told  # no copy of the secret is kept
    async with owner_db.read() as session:
        assert await session.scalar(text("SELECT count(*) FROM pgqueuer WHERE entrypoint = 'inbound.push'")) == 1


async def test_the_confirmation_code_is_told_to_who_knows_the_secret(platform: httpx.AsyncClient, secret: str) -> None:
    asked = {"type": "confirmation", "group_id": 77, "secret": secret}
    assert (await platform.post(f"/hooks/vk/{COMMUNITY}", json=asked)).text == CODE
    assert (await platform.post(f"/hooks/vk/{COMMUNITY}", json=asked | {"secret": "?"})).status_code == 403


async def test_identity_spoofing_every_refusal_is_the_same(
    platform: httpx.AsyncClient, secret: str, owner_db: Database, fresh: int
) -> None:
    """Wrong or missing secret, unknown or unhooked page, unknown platform, another community's event, no event at all."""
    good = event(secret, at=fresh)
    refused = [
        (f"/hooks/vk/{COMMUNITY}", event("wrong", at=fresh)),
        (f"/hooks/vk/{COMMUNITY}", event("", at=fresh)),
        (f"/hooks/vk/{COMMUNITY}", event(None, at=fresh)),
        (f"/hooks/vk/{COMMUNITY}", event(["a"], at=fresh)),
        (f"/hooks/vk/{COMMUNITY}", event(secret, group=78, at=fresh)),
        ("/hooks/vk/-78", good),
        ("/hooks/vk/-78", event(secret, group=78, at=fresh)),
        ("/hooks/vk/-999", event(secret, group=999, at=fresh)),
        ("/hooks/telegram/-77", good),
        ("/hooks/nothing/-77", good),
        ("/hooks/vk/%00", good),
        (f"/hooks/vk/{COMMUNITY}", b""),
        (f"/hooks/vk/{COMMUNITY}", b"\xff\xfe{"),
        (f"/hooks/vk/{COMMUNITY}", b"[" * 50_000),
        (f"/hooks/vk/{COMMUNITY}", good + b" " * hooks.BODY_LIMIT),
        (f"/hooks/vk/{COMMUNITY}", event(secret, number="", at=fresh)),
    ]
    answers = set()
    for path, body in refused:
        answered = await platform.post(path, content=body)
        headers = tuple(sorted((name, value) for name, value in answered.headers.items() if name != "x-request-id"))
        answers.add((answered.status_code, answered.text, headers))
    assert {(status, words) for status, words, _ in answers} == {(403, "Refused.\n")}
    assert len(answers) == 1
    assert await rows(owner_db) == []


async def test_what_is_no_news_is_acknowledged_and_not_taken(
    platform: httpx.AsyncClient, secret: str, owner_db: Database, clock: FixedClock
) -> None:
    """The replay window: an event from before it cannot come back once its number is forgotten."""
    for number, at in (("old", clock.now() - hooks.NEWS - timedelta(minutes=1)), ("future", clock.now() + timedelta(hours=2))):
        answered = await platform.post(f"/hooks/vk/{COMMUNITY}", content=event(secret, number=number, at=int(at.timestamp())))
        assert (answered.status_code, answered.text) == (200, "ok")
    assert await rows(owner_db) == []
    assert hooks.NEWS < hooks.REMEMBERED


async def test_a_new_secret_ends_the_old_one_and_a_removed_hook_refuses(
    platform: httpx.AsyncClient, secret: str, owner_db: Database, clock: FixedClock, fresh: int
) -> None:
    async with owner_db.write() as session:
        page_id = await session.scalar(text("SELECT id FROM page WHERE external_id = :id"), {"id": COMMUNITY})
        newer = await hooks.add_hook(session, page_id=page_id, confirmation="", now=clock.now())
        assert [line.external_id for line in await hooks.list_hooks(session)] == [COMMUNITY]
    assert (await platform.post(f"/hooks/vk/{COMMUNITY}", content=event(secret, at=fresh))).status_code == 403
    assert (await platform.post(f"/hooks/vk/{COMMUNITY}", content=event(newer, at=fresh))).status_code == 200
    asked = {"type": "confirmation", "group_id": 77, "secret": newer}
    assert (await platform.post(f"/hooks/vk/{COMMUNITY}", json=asked)).status_code == 403  # there is no code to tell
    async with owner_db.write() as session:
        assert await hooks.remove_hook(session, page_id=page_id, now=clock.now())
        assert not await hooks.remove_hook(session, page_id=page_id, now=clock.now())
    assert (await platform.post(f"/hooks/vk/{COMMUNITY}", content=event(newer, number="e2", at=fresh))).status_code == 403


async def test_the_secret_is_stored_nowhere(secret: str, owner_db: Database, web_db: Database) -> None:
    async with owner_db.read() as session:
        (found,) = (await session.execute(text("SELECT CAST(h AS text) FROM page_hook h"))).scalars()
        assert secret not in found
    async with owner_db.write() as session:
        operator = await factories.make_operator(session)
    async with web_db.read(operator_id=operator.id) as session:  # whoever is signed in sees no hash to guess at
        assert await session.scalar(text("SELECT count(*) FROM page_hook")) == 0


async def test_a_rush_is_told_to_come_later_and_nothing_of_it_is_lost(
    platform: httpx.AsyncClient, secret: str, owner_db: Database, fresh: int
) -> None:
    """503 with Retry-After, less than the three hours that VK heeds; what was acknowledged is in the inbox, once, and later the rest."""
    waiting = [event(secret, number=f"e{number}", at=fresh) for number in range(3 * PushGate.WAITING)]
    statuses: list[int] = []
    for _ in range(8):
        answers = await asyncio.gather(*(platform.post(f"/hooks/vk/{COMMUNITY}", content=body) for body in waiting))
        statuses += [answer.status_code for answer in answers]
        assert all(0 < int(answer.headers["retry-after"]) < 3 * 3600 for answer in answers if answer.status_code == 503)
        waiting = [body for body, answer in zip(waiting, answers, strict=True) if answer.text != "ok"]
    assert waiting == []
    assert set(statuses) == {200, 503}
    assert sorted(row.event_id for row in await rows(owner_db)) == sorted(f"e{number}" for number in range(3 * PushGate.WAITING))
