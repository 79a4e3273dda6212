"""The sandbox pushes as the platforms do, and repeats what was not heard."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import httpx

from connectors.contract import PageRef, PushRequest, utc_now
from connectors.sandbox.server import running
from connectors.telegram.push import TelegramPush
from connectors.vk.push import VkPush, batch
from tests.connectors.raw_server import RawServer, http, raw_server

if TYPE_CHECKING:
    from collections.abc import Mapping

VK = {"platform": "vk", "page": "town", "id": 77, "title": "Город"}
CHANNEL = {"platform": "telegram", "page": "news", "title": "Новости", "discussion": "talk"}
BOT = {"platform": "telegram", "token": "11:abc", "username": "town_bot", "can_read_all_group_messages": True, "pages": ["news"]}


async def _ask(client: httpx.AsyncClient, path: str, body: Mapping[str, object]) -> dict[str, object]:
    answer = await client.post(path, json=body)
    answer.raise_for_status()
    found: dict[str, object] = answer.json()
    return found


async def _heard(raw: RawServer, count: int) -> list[tuple[dict[str, str], bytes]]:
    for _ in range(200):
        if len(raw.requests) >= count:
            break
        await asyncio.sleep(0.05)
    parts = [request.partition(b"\r\n\r\n") for request in raw.requests]
    heads = [dict(line.split(": ", 1) for line in head.decode().lower().split("\r\n")[1:]) for head, _, _ in parts]
    return [(head, body) for head, (_, _, body) in zip(heads, parts, strict=True)]


async def test_vk_asks_for_the_code_pushes_and_repeats_until_ok() -> None:
    with running() as sandbox:
        async with raw_server() as raw, httpx.AsyncClient(base_url=sandbox.url, trust_env=False) as client:
            await _ask(client, "/world/pages", VK)
            raw.plan(
                http(b"c0de", content_type="text/plain"),
                http(b"busy", status="503 Busy"),
                http(b"full", status="503 Busy", headers="Retry-After: 1\r\n"),
                http(b"ok", content_type="text/plain"),
            )
            hook = {"platform": "vk", "page": "town", "url": f"{raw.url}/hooks/vk/-77", "secret": "made up"}
            assert (await _ask(client, "/world/hooks", hook))["confirmation"] == "c0de"
            post = await _ask(client, "/world/posts", {"platform": "vk", "page": "town", "text": "Дороги"})
            assert post
            await _ask(client, "/world/comments", {"platform": "vk", "page": "town", "author": "Олег", "text": "Когда?"})
            heard = await _heard(raw, 5)
            (line,) = (await client.get("/world/hooks")).json()["hooks"]
    assert (line["refused"], line["waited"]) == ([503, 503], [1])
    assert [head.get("x-retry-counter") for head, _ in heard] == [None, None, "1", "2", None]
    told = [VkPush().read(PushRequest(body=body)) for _, body in heard]
    assert {one.secret for one in told} == {"made up"}
    assert [bool(one.event_id) for one in told] == [False, True, True, True, True]
    assert told[1].event_id == told[2].event_id == told[3].event_id  # not heard, so told again
    page = PageRef(external_id="-77")
    assert len(batch(heard[3][1], page=page, observed_at=utc_now()).posts) == 1
    (comment,) = batch(heard[4][1], page=page, observed_at=utc_now()).comments
    assert comment.text == "Когда?"


async def test_telegram_pushes_the_bot_s_update_with_its_secret() -> None:
    with running() as sandbox:
        async with raw_server() as raw, httpx.AsyncClient(base_url=sandbox.url, trust_env=False) as client:
            await _ask(client, "/world/pages", CHANNEL)
            await _ask(client, "/world/tokens", BOT)
            await _ask(client, "/world/posts", {"platform": "telegram", "page": "news", "text": "Дороги"})
            raw.plan(http(b""))
            await _ask(client, "/world/hooks", {"platform": "telegram", "page": "news", "url": f"{raw.url}/x", "secret": "made up"})
            await _ask(client, "/world/comments", {"platform": "telegram", "page": "news", "author": "Олег", "text": "Когда?"})
            ((head, body), *_) = await _heard(raw, 1)
    told = TelegramPush().read(PushRequest(body=body, headers=head))
    assert told.secret == "made up"
    assert told.event_id.isdigit()
    assert "Когда?" in body.decode()
