"""What VK, or whoever stands where VK should be, may answer: each a clear error or state, nothing else lost."""

from __future__ import annotations

import asyncio
import json
import socket
from typing import TYPE_CHECKING, Any

import pytest

from connectors.conformance.stage import caught
from connectors.contract import (
    AccessLost,
    Batch,
    CommentSnapshot,
    Credential,
    Options,
    OutcomeUnknown,
    Outgoing,
    PageRef,
    PostRef,
    TryLater,
    UnknownPayload,
    utc_now,
)
from connectors.vk.connector import VkConnector
from tests.connectors.raw_server import RawServer, http, raw_server
from tests.connectors.strategies import fixtures

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

RECORDED: dict[str, Any] = fixtures("vk")
POST = PostRef(page=PageRef(external_id="-500"), external_id="3")
READER = Credential(key="reader", kind="service", secret="secret-r")
WRITER = Credential(key="writer", kind="community", secret="secret-w", page_external_id="500")
ANSWER = Outgoing(guid="g1", post=POST, reply_to_external_id="11", root_external_id="11", text="Ответ", first_tried_at=utc_now())


@pytest.fixture
async def server() -> AsyncIterator[RawServer]:
    async with raw_server() as raw:
        yield raw


@pytest.fixture
async def vk(server: RawServer) -> AsyncIterator[VkConnector]:
    connector = VkConnector(Options(api_url=server.url, credentials=(READER, WRITER), time_scale=100, timeout=1.5), server.url)
    yield connector
    await connector.close()


async def read(vk: VkConnector) -> Batch:
    return await vk.read_thread(POST, root_external_id=None, cursor=None)


def answer_with(text: str) -> bytes:
    recorded = json.loads(json.dumps(RECORDED["wall.getComments"]))
    recorded["items"][0]["text"] = text
    return json.dumps({"response": recorded}, ensure_ascii=False).encode("utf-8", "surrogatepass")


def first(batch: Batch) -> CommentSnapshot:
    return batch.comments[0]


@pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "application/json", "text/html; charset=cp1251"])
async def test_text_is_utf8_whatever_the_header_says(vk: VkConnector, server: RawServer, content_type: str) -> None:
    server.plan(http(answer_with("Ёж и ëж"), content_type=content_type))
    assert first(await read(vk)).text == "Ёж и ëж"


async def test_broken_utf8_spoils_only_its_own_bytes(vk: VkConnector, server: RawServer) -> None:
    body = answer_with("до МЕСТО после").replace("МЕСТО".encode(), b"\xff\xfe\xd0")
    server.plan(http(body))
    batch = await read(vk)
    assert first(batch).text == "до \udcff\udcfe\udcd0 после"
    assert b"\\udcff" in first(batch).raw
    assert len(batch.comments) == 7


async def test_ten_megabytes_of_text(vk: VkConnector, server: RawServer) -> None:
    text = "я" * 5_000_000
    server.plan(http(answer_with(text)))
    batch = await read(vk)
    assert first(batch).text == text
    assert len(batch.comments) == 7


@pytest.mark.parametrize(
    "text",
    ["нуль \0", "\ud800", "\u202eсправа налево", "\u200b\u200d\ufeff", "<script>alert(1)</script>", "\\u0000", '"}]}'],
)
async def test_odd_characters_arrive_as_they_are(vk: VkConnector, server: RawServer, text: str) -> None:
    body = json.dumps({"response": json.loads(json.dumps(RECORDED["wall.getComments"]))})
    value = json.loads(body)
    value["response"]["items"][0]["text"] = text
    server.plan(http(json.dumps(value).encode()))
    assert first(await read(vk)).text == text


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"5",
        b"[]",
        b"{}",
        b'{"error":5}',
        b'{"error":{"error_msg":"no number"}}',
        b'{"error":{"error_code":"six"}}',
        b'{"response":null}',
        b'{"response":{"count":1}}',
        b'{"response":{"count":"1","items":[]}}',
        b"<html>maintenance</html>",
        b'{"response":{"count":1,"items":[{"id"',
        b"[" * 100_000,
        b'{"response":' + b"[" * 900 + b"]" * 900 + b"}",
        b"\x00\x01\x02",
        b'{"response":{"count":' + b"9" * 5000 + b',"items":[]}}',
    ],
)
async def test_what_is_no_answer_is_set_aside_whole(vk: VkConnector, server: RawServer, body: bytes) -> None:
    server.plan(http(body))
    error = await caught(read(vk))
    assert isinstance(error, UnknownPayload)
    assert error.code == "malformed"
    assert error.raw == body
    sending = await caught(vk.send(ANSWER))
    assert isinstance(sending, OutcomeUnknown)


async def test_a_redirect_is_not_followed(vk: VkConnector, server: RawServer) -> None:
    elsewhere = f"Location: {server.url}/elsewhere\r\n"
    server.plan(http(b"", status="307 Temporary Redirect", headers=elsewhere))
    error = await caught(read(vk))
    assert isinstance(error, UnknownPayload)
    assert error.code == "redirect"
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("status", "kind", "code"),
    [
        ("502 Bad Gateway", TryLater, "server"),
        ("429 Too Many Requests", TryLater, "rate"),
        ("403 Forbidden", AccessLost, "no_right"),
        ("418 I'm a teapot", UnknownPayload, "http_status"),
    ],
)
async def test_a_gateway_s_words(vk: VkConnector, server: RawServer, status: str, kind: type, code: str) -> None:
    server.plan(http(b"<html>", status=status, content_type="text/html"))
    error = await caught(read(vk))
    assert type(error) is kind
    assert error.code == code


async def test_an_answer_that_drips_is_given_up_in_time(vk: VkConnector, server: RawServer) -> None:
    server.plan(http(answer_with("x" * 3000)))
    server.drip = 0.02
    started = asyncio.get_running_loop().time()
    error = await caught(read(vk))
    assert isinstance(error, TryLater)
    assert asyncio.get_running_loop().time() - started < 5


async def test_nobody_listens() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
    vk = VkConnector(Options(api_url=url, credentials=(READER, WRITER), timeout=1), url)
    for attempt in (read(vk), vk.send(ANSWER)):
        error = await caught(attempt)
        assert isinstance(error, TryLater)
        assert error.code == "network"
    await vk.close()


async def test_the_sent_answer_stands_although_its_time_cannot_be_read(vk: VkConnector, server: RawServer) -> None:
    sent = http(b'{"response":{"comment_id":77}}', headers="Date: Tue, 17 Nov 2026 07:00:05 GMT\r\n")
    server.plan(sent, http(b"nonsense"))
    told = await vk.send(ANSWER)
    assert (told.external_id, told.published_at.isoformat()) == ("77", "2026-11-17T07:00:05+00:00")
    server.plan(http(b'{"response":{"comment_id":78}}'), http(b"nonsense"))
    assert abs((await vk.send(ANSWER)).published_at - utc_now()).total_seconds() < 10


async def test_the_platform_s_own_time_of_publishing_counts(vk: VkConnector, server: RawServer) -> None:
    item = {
        "id": 77,
        "from_id": -500,
        "date": 1793009999,
        "text": "Ответ",
        "reply_to_comment": 11,
        "parents_stack": [11],
    }
    back = json.dumps({"response": {"count": 1, "items": [item]}}).encode()
    server.plan(http(b'{"response":{"comment_id":77}}'), http(back))
    assert int((await vk.send(ANSWER)).published_at.timestamp()) == 1793009999


async def test_no_secret_and_no_cookie_leaks(vk: VkConnector, server: RawServer) -> None:
    server.plan(http(answer_with("x"), headers="Set-Cookie: track=1; Path=/\r\n"))
    await read(vk)
    await read(vk)
    assert all(b"track=1" not in request for request in server.requests)
    assert all(b"secret" not in request.split(b"\r\n")[0] for request in server.requests)


async def test_with_a_community_token_alone_nothing_can_be_read(server: RawServer) -> None:
    vk = VkConnector(Options(api_url=server.url, credentials=(WRITER,)), server.url)
    error = await caught(read(vk))
    assert isinstance(error, AccessLost)
    assert error.code == "token_kind"
    assert server.requests == []
    await vk.close()


async def test_a_wall_ends_where_its_total_says_and_calls_overlap(server: RawServer, vk: VkConnector) -> None:
    """VK leaves rows out of a call; what is deleted between two calls moves all below it up."""

    def wall(numbers: range, total: int) -> bytes:
        items = [{"id": number, "owner_id": -500, "date": 1763362800 + number, "text": ""} for number in numbers]
        return http(json.dumps({"response": {"count": total, "items": items}}).encode())

    server.plan(wall(range(300, 205, -1), 300), wall(range(203, 103, -1), 298))
    told = await vk.discover(PageRef(external_id="-500"), limit=200)
    assert told.reached == told.posts[-1].published_at
    assert [b"offset=95" in request for request in server.requests] == [False, True]
    server.plan(wall(range(300, 290, -1), 10))
    assert (await vk.discover(PageRef(external_id="-500"), limit=50)).reached is None
