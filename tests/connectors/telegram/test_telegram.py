"""Telegram's rules that the suite does not know: confirming by offset, rights of a bot, limits, hostile answers."""

from __future__ import annotations

import asyncio
import json
import socket
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from connectors.conformance.stage import caught
from connectors.contract import (
    AccessLost,
    CannotTell,
    ConnectorError,
    Credential,
    Feed,
    Options,
    OutcomeUnknown,
    Outgoing,
    PageRef,
    PostRef,
    PushedInstead,
    Rejected,
    TryLater,
    UnknownPayload,
    utc_now,
)
from connectors.sandbox.server import running
from connectors.telegram.connector import TelegramConnector
from tests.connectors.raw_server import http, raw_server
from tests.connectors.staging import World
from tests.connectors.strategies import fixtures

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

RECORDED: dict[str, Any] = fixtures("telegram")
SCALE = 20.0
TOKEN = "4200:AAF-never-a-real-one_0123456789abcd"
BOT = Credential(key="bot", kind="bot", secret=TOKEN)
PAGE = PageRef(external_id="-1001500", options={"linked_chat_id": "-1001600", "username": "sadovoye"})
FEED = Feed(key="bot", credential_key="bot", pages=(PAGE,))


class Town:
    """A channel in a sandbox and a connector with one bot."""

    def __init__(self, world: World, **limits: float) -> None:
        self.world = world
        self.options = Options(
            api_url=world.url,
            credentials=(BOT,),
            time_scale=SCALE,
            timeout=10,
            limits={"poll_seconds": 0.0, **limits},
        )
        self.telegram = TelegramConnector(self.options, world.url)

    async def page(self) -> PageRef:
        described = await self.telegram.describe_page("@sadovoye")
        return PageRef(external_id=described.external_id, options=described.options)

    async def write(self, what: str, text: str, **more: object) -> str:
        told = await self.world.post(f"/world/{what}", platform="telegram", page="sadovoye", text=text, **more)
        return str(told["id"])


@asynccontextmanager
async def town(*, reads_all: bool = True, discussion: bool = True, **limits: float) -> AsyncIterator[Town]:
    with running(time_scale=SCALE) as sandbox:
        world = World(sandbox.url)
        group = "sadovoye_chat" if discussion else None
        await world.post("/world/pages", platform="telegram", page="sadovoye", title="Село Садовое", members=1200, discussion=group)
        await world.post(
            "/world/tokens",
            platform="telegram",
            token=TOKEN,
            username="sadovoye_bot",
            can_read_all_group_messages=reads_all,
            pages=["sadovoye"],
        )
        here = Town(world, **limits)
        try:
            yield here
        finally:
            await here.telegram.close()
            await world.close()


def outgoing(page: PageRef, post: str, comment: str, text: str = "Ответ") -> Outgoing:
    return Outgoing(
        guid=text,
        post=PostRef(page=page, external_id=post),
        reply_to_external_id=comment,
        root_external_id=comment,
        text=text,
        first_tried_at=utc_now(),
    )


async def test_a_chat_that_is_to_be_left_alone_is_left_alone_by_all_answers() -> None:
    """Telegram would count each further try."""
    async with town() as here:
        page = await here.page()
        post = await here.write("posts", "Пост")
        comment = await here.write("comments", "Вопрос", author="Вера")
        await here.world.post("/faults", platform="telegram", method="sendMessage", kind="flood", retry_after=2)
        first = await caught(here.telegram.send(outgoing(page, post, comment)))
        second = await caught(here.telegram.send(outgoing(page, post, comment, "Другой")))
        assert [type(one) for one in (first, second)] == [TryLater, TryLater]
        assert isinstance(second, TryLater)
        assert second.after is not None
        calls = [one for one in (await here.world.get("/calls"))["methods"] if one["method"] == "sendMessage"]
        assert [one["outcomes"] for one in calls] == [{"429": 1}]
        await asyncio.sleep(second.after.total_seconds())
        assert (await here.telegram.send(outgoing(page, post, comment))).external_id


async def test_a_channel_says_how_many_follow_it_and_is_taken_without() -> None:
    async with town() as here:
        assert (await here.telegram.describe_page("@sadovoye")).members == 1200
        await here.world.post("/faults", platform="telegram", method="getChatMemberCount", kind="error", code=400)
        assert (await here.telegram.describe_page("@sadovoye")).members is None


async def test_what_was_not_stored_comes_again() -> None:
    async with town() as here:
        feed = here.telegram.feeds([await here.page()])[0]
        post = await here.write("posts", "Пост")
        await here.write("comments", "Раз", post_id=post, author="Инна")
        first = await here.telegram.poll(feed, None)
        again = await here.telegram.poll(feed, None)
        assert [one.external_id for one in again.comments] == [one.external_id for one in first.comments]
        after = await here.telegram.poll(feed, first.cursor)
        assert after.comments == ()
        assert after.cursor == first.cursor
        # Now it is confirmed, and Telegram has forgotten it.
        assert (await here.telegram.poll(feed, None)).comments == ()


async def test_a_poll_waits_for_news() -> None:
    async with town(poll_seconds=60) as here:
        feed = here.telegram.feeds([await here.page()])[0]
        post = await here.write("posts", "Пост")
        cursor = (await here.telegram.poll(feed, None)).cursor
        waiting = asyncio.create_task(here.telegram.poll(feed, cursor))
        await asyncio.sleep(0.2)
        assert not waiting.done()
        await here.write("comments", "Новость", post_id=post, author="Инна")
        assert [one.text for one in (await waiting).comments] == ["Новость"]


async def test_two_pollers_of_one_bot_conflict() -> None:
    async with town(poll_seconds=200) as here:
        feed = here.telegram.feeds([await here.page()])[0]
        first = asyncio.create_task(here.telegram.poll(feed, None))
        await asyncio.sleep(0.3)
        second = asyncio.create_task(here.telegram.poll(feed, None))
        await asyncio.sleep(0.3)
        await here.write("posts", "Пост")
        error = await caught(first)
        assert isinstance(error, TryLater)
        assert error.code == "conflict"
        assert len((await second).posts) == 1


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("https://otklik.example/app/hooks/telegram/-1001500", "otklik.example/hooks/telegram/-1001500"),
        (f"https://bots.example:8443/{TOKEN}?key={TOKEN}", "bots.example"),
    ],
)
async def test_a_bot_that_is_pushed_for_says_whereto_and_no_secret(url: str, address: str) -> None:
    async with town() as here:
        feed = here.telegram.feeds([await here.page()])[0]
        await here.world.post(f"/bot{TOKEN}/setWebhook", url=url)
        error = await caught(here.telegram.poll(feed, None))
        assert isinstance(error, PushedInstead)
        assert (error.code, error.address, error.complaint) == ("webhook", address, "")
        assert TOKEN not in str(error) + repr(error) + str(error.__cause__)
        await here.world.post(f"/bot{TOKEN}/deleteWebhook")
        await here.telegram.poll(feed, None)


async def test_a_bot_that_cannot_hear_is_told_at_once() -> None:
    async with town(reads_all=False) as here:
        error = await caught(here.telegram.describe_page("@sadovoye"))
        assert isinstance(error, AccessLost)
        assert error.code == "no_right"


async def test_a_channel_without_comments() -> None:
    async with town(discussion=False) as here:
        error = await caught(here.telegram.describe_page("https://t.me/sadovoye"))
        assert isinstance(error, Rejected)
        assert error.code == "comments_closed"


@pytest.mark.parametrize(("link", "code"), [("@nobody_is_here", "gone"), ("@sadovoye_chat", "not_a_page"), ("две улицы", "not_a_page")])
async def test_a_link_that_leads_to_no_channel(link: str, code: str) -> None:
    async with town() as here:
        error = await caught(here.telegram.describe_page(link))
        assert isinstance(error, Rejected)
        assert error.code == code


async def test_an_answer_to_an_answer_and_to_a_deleted_comment() -> None:
    async with town() as here:
        page = await here.page()
        post = await here.write("posts", "Пост")
        comment = await here.write("comments", "Вопрос", post_id=post, author="Инна")
        reply = await here.write("comments", "И мне", post_id=post, author="Олег", reply_to=comment)
        sent = await here.telegram.send(outgoing(page, post, reply))
        assert sent.link == f"https://t.me/sadovoye/{post}?comment={sent.external_id}"
        (answer,) = (await here.world.get("/truth"))["answers"]
        assert (answer["reply_to"], answer["id"]) == (reply, sent.external_id)
        await here.world.delete(f"/world/comments/telegram/sadovoye/{post}/{comment}")
        error = await caught(here.telegram.send(outgoing(page, post, comment)))
        assert isinstance(error, Rejected)
        assert error.code == "gone"
        assert isinstance(await here.telegram.find_sent(outgoing(page, post, comment)), CannotTell)


async def test_the_pace_of_answers_is_kept() -> None:
    async with town() as here:
        page = await here.page()
        post = await here.write("posts", "Пост")
        comment = await here.write("comments", "Вопрос", post_id=post, author="Инна")
        sending = [here.telegram.send(outgoing(page, post, comment, f"Ответ {number}")) for number in range(25)]
        await asyncio.gather(*sending)
        calls = await here.world.get("/calls")
        (sends,) = [row for row in calls["methods"] if row["method"] == "sendMessage"]
        assert sends["outcomes"] == {"ok": 25}
        assert not any(rate["exceeded"] for rate in calls["rates"])


async def test_impatience_is_told_rather_than_waited_out() -> None:
    async with town(group_per_minute=1) as here:
        page = await here.page()
        post = await here.write("posts", "Пост")
        comment = await here.write("comments", "Вопрос", post_id=post, author="Инна")
        hasty = TelegramConnector(replace(here.options, timeout=0.5), here.world.url)
        await hasty.send(outgoing(page, post, comment, "Первый"))
        error = await caught(hasty.send(outgoing(page, post, comment, "Второй")))
        assert isinstance(error, TryLater)
        assert error.code == "rate"
        assert len((await here.world.get("/truth"))["answers"]) == 1
        await hasty.close()


def test_pages_go_to_the_bot_that_sees_them() -> None:
    bots = (BOT, Credential(key="other", kind="bot", secret="4300:AAG-never-a-real-one_0123456789abcd"))
    telegram = TelegramConnector(Options(api_url=None, credentials=bots), "https://api.telegram.example")
    described = PageRef(external_id="-1", options={"credential_key": "other", "linked_chat_id": "-2"})
    feeds = {feed.credential_key: [page.external_id for page in feed.pages] for feed in telegram.feeds([PAGE, described])}
    assert feeds == {"bot": ["-1001500"], "other": ["-1"]}
    assert telegram.feeds([]) == []


@asynccontextmanager
async def raw(body: bytes, status: str = "200 OK") -> AsyncIterator[TelegramConnector]:
    async with raw_server() as server:
        server.plan(http(body, status=status))
        telegram = TelegramConnector(Options(api_url=server.url, credentials=(BOT,), timeout=1.5), server.url)
        try:
            yield telegram
        finally:
            await telegram.close()


def answered(text: str) -> bytes:
    recorded = json.loads(json.dumps(RECORDED["message__comment"]))
    recorded["result"][0]["message"]["text"] = text
    return json.dumps(recorded, ensure_ascii=False).encode("utf-8", "surrogatepass")


@pytest.mark.parametrize("text", ["\u202eсправа налево", "\u200b\ufeff", "<script>", "я" * 5_000_000, "нуль \\u0000"])
async def test_odd_texts_arrive_as_they_are(text: str) -> None:
    async with raw(answered(text)) as telegram:
        assert (await telegram.poll(FEED, None)).comments[0].text == text


async def test_broken_utf8_spoils_only_its_own_bytes() -> None:
    async with raw(answered("до МЕСТО после").replace("МЕСТО".encode(), b"\xff\xd0")) as telegram:
        assert (await telegram.poll(FEED, None)).comments[0].text == "до \udcff\udcd0 после"


@pytest.mark.parametrize("escape", [b"\\ud800", b"\\u0000"])
async def test_escapes_of_what_is_no_character(escape: bytes) -> None:
    async with raw(answered("МЕСТО").replace("МЕСТО".encode(), escape)) as telegram:
        assert (await telegram.poll(FEED, None)).comments[0].text == json.loads(b'"' + escape + b'"')


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b'{"ok":true}',
        b'{"ok":"perhaps","result":[]}',
        b'{"ok":true,"result":{}}',
        b'{"ok":true,"result":[{"message":{}}]}',
        b'{"ok":false,"description":5}',
        b"<html>",
        b'{"ok":true,"result":[{"upd',
        b"[" * 100_000,
    ],
)
async def test_what_is_no_answer_is_set_aside_whole(body: bytes) -> None:
    async with raw(body) as telegram:
        error = await caught(telegram.poll(FEED, None))
        assert isinstance(error, UnknownPayload)
        sending = await caught(telegram.send(outgoing(PAGE, "9", "41")))
        assert isinstance(sending, OutcomeUnknown)


@pytest.mark.parametrize(
    ("status", "body", "kind", "code"),
    [
        ("302 Found", b"", UnknownPayload, "malformed"),
        ("503 Service Unavailable", b"<html>", TryLater, "server"),
        ("429 Too Many Requests", b'{"ok":false,"description":"slow"}', TryLater, "rate"),
        (
            "429 Too Many Requests",
            b'{"ok":false,"description":"slow","parameters":{"retry_after":99999999999999}}',
            TryLater,
            "rate",
        ),
        (
            "400 Bad Request",
            b'{"ok":false,"description":"upgraded","parameters":{"migrate_to_chat_id":-100777}}',
            TryLater,
            "moved",
        ),
    ],
)
async def test_other_refusals(status: str, body: bytes, kind: type[ConnectorError], code: str) -> None:
    async with raw(body, status) as telegram:
        error = await caught(telegram.poll(FEED, None))
        assert (type(error), error.code) == (kind, code)
        assert TOKEN not in repr(error)
        assert error.__cause__ is None


async def test_nobody_listens() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
    telegram = TelegramConnector(Options(api_url=url, credentials=(BOT,), timeout=1), url)
    for attempt in (telegram.poll(FEED, None), telegram.send(outgoing(PAGE, "9", "41"))):
        error = await caught(attempt)
        assert isinstance(error, TryLater)
        assert error.code == "network"
    await telegram.close()


async def test_what_is_no_token() -> None:
    bad = Credential(key="bot", kind="bot", secret="not a token")
    telegram = TelegramConnector(Options(api_url=None, credentials=(bad,)), "http://127.0.0.1:9")
    for attempt in (telegram.poll(FEED, None), telegram.send(outgoing(PAGE, "9", "41"))):
        error = await caught(attempt)
        assert isinstance(error, AccessLost)
        assert error.code == "reauthorise"
        assert "not a token" not in str(error)
    strange = await caught(telegram.poll(replace(FEED, credential_key="nobody"), None))
    assert isinstance(strange, AccessLost)
    await telegram.close()
