"""The Bot API through the real aiogram."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import pytest
from aiogram import Bot
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer
from aiogram.exceptions import (
    ClientDecodeError,
    TelegramAPIError,
    TelegramBadRequest,
    TelegramConflictError,
    TelegramForbiddenError,
    TelegramMigrateToChat,
    TelegramNetworkError,
    TelegramRetryAfter,
    TelegramServerError,
    TelegramUnauthorizedError,
)
from aiogram.types import ReplyParameters

from connectors.sandbox.limits import Limits
from tests.connectors.sandbox.clients import BOT, Client

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from aiogram.types import Message, Update

    from connectors.sandbox.server import Running

TALK = "@town_talk"


def write(http: Client, text: str, **more: Any) -> int:
    """A citizen's comment under the channel's latest post; its message id in the group."""
    spec = {"platform": "telegram", "page": "town_news", "author": "Вера Цветова", "text": text} | more
    return int(http.post("/world/comments", spec)["id"])


async def drained(bot: Bot) -> int:
    """Confirm everything so far; the offset to go on from."""
    updates = await bot.get_updates()
    offset = updates[-1].update_id + 1
    assert await bot.get_updates(offset=offset) == []
    return offset


def told(update: Update) -> Message:
    """The message of an update."""
    message = update.message or update.edited_message
    assert message is not None
    return message


def other_bot(url: str, token: str) -> Bot:
    """One more bot."""
    return Bot(token, session=AiohttpSession(api=TelegramAPIServer.from_base(url)))


async def test_who_the_bot_is_and_where_the_discussion_is(bot: Bot) -> None:
    me = await bot.get_me()
    assert (me.id, me.username, me.can_read_all_group_messages) == (5001, "priozersk_bot", True)
    channel = await bot.get_chat("@town_news")
    group = await bot.get_chat(channel.linked_chat_id or 0)
    assert (group.type, group.username, group.linked_chat_id) == ("supergroup", "town_talk", channel.id)
    assert (await bot.get_chat_member(group.id, me.id)).status == "member"
    with pytest.raises(TelegramBadRequest, match="chat not found"):
        await bot.get_chat("@nowhere")


async def test_a_post_is_forwarded_and_comments_stand_under_it(bot: Bot, http: Client) -> None:
    root, comment = [told(update) for update in await bot.get_updates()]
    assert root.is_automatic_forward
    assert root.sender_chat is not None
    assert root.sender_chat.username == "town_news"
    assert root.forward_origin is not None
    assert getattr(root.forward_origin, "message_id", None) == 1
    assert comment.message_thread_id == root.message_id
    assert comment.reply_to_message is not None
    assert comment.reply_to_message.message_id == root.message_id
    assert comment.from_user is not None
    assert comment.from_user.full_name == "Антон Гусев"
    offset = await drained(bot)
    reply = write(http, "И у нас!", reply_to=comment.message_id)
    (update,) = await bot.get_updates(offset=offset)
    message = told(update)
    assert (message.message_id, message.message_thread_id, message.text) == (reply, root.message_id, "И у нас!")
    assert message.reply_to_message is not None
    assert message.reply_to_message.message_id == comment.message_id
    assert message.reply_to_message.reply_to_message is None
    assert not message.is_topic_message


async def test_edits_are_told_and_deletions_are_not(bot: Bot, http: Client) -> None:
    offset = await drained(bot)
    made = write(http, "Где вода?")
    http.patch(f"/world/comments/telegram/town_news/1/{made}", {"text": "Где горячая вода?"})
    http.delete(f"/world/comments/telegram/town_news/1/{made}")
    first, second = await bot.get_updates(offset=offset)
    assert first.message is not None
    assert first.message.text == "Где вода?"
    assert second.edited_message is not None
    assert second.edited_message.edit_date is not None
    assert second.edited_message.text == "Где горячая вода?"
    assert http.post(f"/world/comments/telegram/town_news/1/{made}/restore", {}, status=409)["error"]


async def test_a_group_moves_and_a_bot_is_sent_away_and_let_in_again(bot: Bot, http: Client) -> None:
    offset = await drained(bot)
    old = (await bot.get_chat(TALK)).id
    new = http.post("/world/pages/telegram/town_news/move", {}, status=200)["discussion_chat_id"]
    root = write(http, "Вот яма", photo="pit", album="A")
    left, came, picture = await bot.get_updates(offset=offset)
    assert (told(left).chat.id, told(left).migrate_to_chat_id, told(came).chat.id, told(came).migrate_from_chat_id) == (old, new, new, old)
    assert (told(picture).chat.id, told(picture).media_group_id) == (new, "A")
    with pytest.raises(TelegramMigrateToChat) as moved:
        await bot.send_message(old, "Ответ", reply_parameters=ReplyParameters(message_id=root))
    assert moved.value.migrate_to_chat_id == new
    for status in ("kicked", "member"):
        http.post("/world/pages/telegram/town_news/members", {"bot": "priozersk_bot", "status": status}, status=200)
        assert (await bot.get_chat_member(new, 5001)).status == status
        if status == "kicked":
            write(http, "Не слышно")
            with pytest.raises(TelegramForbiddenError, match="kicked"):
                await bot.send_message(new, "Ответ", reply_parameters=ReplyParameters(message_id=root))
    changes = [update.my_chat_member for update in await bot.get_updates(offset=picture.update_id + 1)]
    assert [change and (change.old_chat_member.status, change.new_chat_member.status) for change in changes] == [
        ("member", "kicked"), ("kicked", "member"),
    ]  # fmt: skip
    assert "status one of" in http.post("/world/pages/telegram/town_news/members", {"bot": "x", "status": "owner"}, status=400)["error"]


async def test_updates_wait_until_confirmed_and_come_in_portions(bot: Bot, http: Client) -> None:
    offset = await drained(bot)
    made = [write(http, f"Вопрос {number}") for number in range(7)]
    first = await bot.get_updates(offset=offset, limit=3)
    assert [told(update).message_id for update in first] == made[:3]
    assert [update.update_id for update in await bot.get_updates(limit=2)] == [offset, offset + 1]
    rest = await bot.get_updates(offset=first[-1].update_id + 1)
    assert [told(update).message_id for update in rest] == made[3:]
    (last,) = await bot.get_updates(offset=-1)
    assert told(last).message_id == made[-1]
    assert (await bot.get_webhook_info()).pending_update_count == 1
    assert await bot.delete_webhook(drop_pending_updates=True)
    assert (await bot.get_webhook_info()).pending_update_count == 0


async def test_a_long_poll_is_woken_by_news(bot: Bot, http: Client) -> None:
    offset = await drained(bot)
    waiting = asyncio.create_task(bot.get_updates(offset=offset, timeout=10))
    await asyncio.sleep(0.2)
    assert not waiting.done()
    started = time.monotonic()
    made = await asyncio.to_thread(write, http, "Свет мигает")
    (update,) = await waiting
    assert told(update).message_id == made
    assert time.monotonic() - started < 2
    started = time.monotonic()
    assert await bot.get_updates(offset=update.update_id + 1, timeout=1) == []
    assert time.monotonic() - started >= 0.9


async def test_a_second_poll_ends_the_first(bot: Bot, sandbox: Running, http: Client) -> None:
    offset = await drained(bot)
    first = asyncio.create_task(bot.get_updates(offset=offset, timeout=10))
    await asyncio.sleep(0.2)
    async with other_bot(sandbox.url, BOT) as twin:
        second = asyncio.create_task(twin.get_updates(offset=offset, timeout=10))
        await asyncio.sleep(0.2)
        await asyncio.to_thread(write, http, "Кому это придёт?")
        with pytest.raises(TelegramConflictError):
            await first
        assert len(await second) == 1


async def test_only_wanted_kinds_are_queued(bot: Bot, http: Client) -> None:
    offset = await drained(bot)
    await bot.get_updates(offset=offset, allowed_updates=["edited_message"])
    made = write(http, "Раз")
    http.patch(f"/world/comments/telegram/town_news/1/{made}", {"text": "Два"})
    (update,) = await bot.get_updates(offset=offset)
    assert update.edited_message is not None
    await bot.get_updates(offset=update.update_id + 1, allowed_updates=[])
    write(http, "Три")
    assert (await bot.get_updates(offset=update.update_id + 1))[0].message is not None


async def test_nothing_is_kept_longer_than_a_day(start: Callable[..., AbstractContextManager[Running]]) -> None:
    with start(limits=Limits(telegram_retention=3.5 * 3600)) as sandbox:
        async with other_bot(sandbox.url, BOT) as bot:
            (update,) = await bot.get_updates()
            assert told(update).text == "Почему снова?"


async def test_privacy_mode_hides_what_is_not_meant_for_the_bot(sandbox: Running, http: Client) -> None:
    token = "5002:private"
    http.post("/world/tokens", {"platform": "telegram", "token": token, "username": "shy_bot", "pages": ["town_news"]})
    write(http, "Просто вопрос")
    write(http, "/start")
    write(http, "Скажи, @Shy_Bot, когда?")
    async with other_bot(sandbox.url, token) as shy:
        assert [told(update).text for update in await shy.get_updates()] == ["/start", "Скажи, @Shy_Bot, когда?"]
        answer = await shy.send_message(TALK, "Завтра", reply_parameters=ReplyParameters(message_id=2))
        write(http, "Спасибо!", reply_to=answer.message_id)
        assert told((await shy.get_updates())[-1]).text == "Спасибо!"


async def test_the_answer_stands_under_the_comment_and_is_no_update(bot: Bot, http: Client) -> None:
    offset = await drained(bot)
    made = write(http, "Когда починят?")
    sent = await bot.send_message(TALK, "До пятницы.", reply_parameters=ReplyParameters(message_id=made))
    assert sent.message_thread_id == 1
    assert sent.reply_to_message is not None
    assert sent.reply_to_message.message_id == made
    truth = http.get("/truth?platform=telegram")
    (answer,) = truth["answers"]
    assert (answer["post_id"], answer["reply_to"], answer["text"]) == ("1", str(made), "До пятницы.")
    assert answer["id"] == str(sent.message_id)
    assert len(await bot.get_updates(offset=offset)) == 1
    await bot.edit_message_text("До четверга.", chat_id=TALK, message_id=sent.message_id)
    assert http.get("/truth")["answers"][0]["text"] == "До четверга."
    assert await bot.delete_message(TALK, sent.message_id)
    assert http.get("/truth")["answers"][0]["deleted_at"]


async def test_an_answer_to_the_post_itself_and_one_outside_the_threads(bot: Bot, http: Client) -> None:
    to_post = await bot.send_message(TALK, "Уточнение", reply_parameters=ReplyParameters(message_id=1))
    stray = await bot.send_message(TALK, "Всем привет")
    await bot.send_message(TALK, "И ещё", reply_parameters=ReplyParameters(message_id=stray.message_id))
    answers = http.get("/truth")["answers"]
    assert [(item["post_id"], item["reply_to"]) for item in answers] == [
        ("1", None),
        (None, None),
        (None, str(stray.message_id)),
    ]
    assert to_post.message_thread_id == 1
    assert stray.message_thread_id is None


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"text": " "}, "text is empty"),
        ({"text": "д" * 4097}, "too long"),
        ({"reply_parameters": ReplyParameters(message_id=999)}, "replied not found"),
        ({"message_thread_id": 1}, "thread not found"),
        ({"chat_id": "@nowhere"}, "chat not found"),
        ({"parse_mode": "HTML"}, "plain text"),
    ],
)
async def test_what_cannot_be_sent_is_refused(bot: Bot, http: Client, values: dict[str, Any], words: str) -> None:
    with pytest.raises(TelegramBadRequest, match=words):
        await bot.send_message(**({"chat_id": TALK, "text": "Ответ"} | values))
    assert http.get("/truth")["answers"] == []


async def test_a_deleted_comment_cannot_be_answered_unless_allowed(bot: Bot, http: Client) -> None:
    made = write(http, "Передумал")
    http.delete(f"/world/comments/telegram/town_news/1/{made}")
    with pytest.raises(TelegramBadRequest, match="replied not found"):
        await bot.send_message(TALK, "Ответ", reply_parameters=ReplyParameters(message_id=made))
    allowed = ReplyParameters(message_id=made, allow_sending_without_reply=True)
    assert (await bot.send_message(TALK, "Ответ", reply_parameters=allowed)).reply_to_message is None


async def test_foreign_chats_and_foreign_messages(sandbox: Running, bot: Bot, http: Client) -> None:
    http.post("/world/pages", {"platform": "telegram", "page": "elsewhere"})
    with pytest.raises(TelegramForbiddenError):
        await bot.send_message("@elsewhere_chat", "Привет")
    with pytest.raises(TelegramForbiddenError):
        await bot.send_message("@town_news", "Пост без прав")
    made = write(http, "Чужое")
    with pytest.raises(TelegramBadRequest, match="can't be edited"):
        await bot.edit_message_text("Моё", chat_id=TALK, message_id=made)
    with pytest.raises(TelegramBadRequest, match="can't be deleted"):
        await bot.delete_message(TALK, made)
    async with other_bot(sandbox.url, "1:nobody") as stranger:
        with pytest.raises(TelegramUnauthorizedError):
            await stranger.get_me()


async def test_the_rate_of_one_chat_is_kept_and_told(start: Callable[..., AbstractContextManager[Running]]) -> None:
    with start(time_scale=1.0) as sandbox:
        async with other_bot(sandbox.url, BOT) as bot:
            for number in range(5):
                await bot.send_message(TALK, f"Ответ {number}")
            with pytest.raises(TelegramRetryAfter) as caught:
                await bot.send_message(TALK, "Ещё")
            assert caught.value.retry_after == 1


async def test_twenty_a_minute_in_a_group_and_the_wait_helps(sandbox: Running, bot: Bot, http: Client) -> None:
    sent, waits = 0, []
    while sent < 24:
        try:
            await bot.send_message(TALK, f"Ответ {sent}")
            sent += 1
        except TelegramRetryAfter as refusal:
            waits.append(refusal.retry_after)
            await asyncio.sleep(refusal.retry_after)
    assert waits
    assert set(waits) <= {1, 2, 3}  # a minute lasts three seconds here
    (minute,) = [item for item in http.get("/calls")["rates"] if item["scope"].startswith("minute")]
    assert (minute["limit"], minute["window_s"]) == (20, 3.0)
    assert len(http.get("/truth")["answers"]) == 24
    assert sandbox.sandbox.calls.report()["methods"][0]["outcomes"]["429"] == len(waits)


async def test_injected_faults(bot: Bot, http: Client) -> None:
    offset = await drained(bot)

    def order(kind: str, method: str = "sendMessage", **more: Any) -> None:
        http.post("/faults", {"platform": "telegram", "method": method, "kind": kind} | more)

    expected: list[tuple[str, type[TelegramAPIError | ClientDecodeError], dict[str, Any]]] = [
        ("flood", TelegramRetryAfter, {"retry_after": 7}),
        ("error", TelegramForbiddenError, {"code": 403, "text": "Forbidden: bot was kicked"}),
        ("http_500", ClientDecodeError, {}),
        ("timeout_before", TelegramNetworkError, {}),
        ("truncated", ClientDecodeError, {}),
        ("malformed", ClientDecodeError, {}),
        ("disconnect", TelegramNetworkError, {}),
        ("timeout_after", TelegramNetworkError, {}),
        ("error", TelegramServerError, {"code": 502, "text": "Bad Gateway"}),
    ]
    for kind, error, more in expected:
        order(kind, **more)
        with pytest.raises(error) as caught:
            await bot.send_message(TALK, kind, reply_parameters=ReplyParameters(message_id=1), request_timeout=3)
        if isinstance(caught.value, TelegramRetryAfter):
            assert caught.value.retry_after == 7
        await asyncio.sleep(0.06)
    acted = [item["text"] for item in http.get("/truth")["answers"]]
    assert acted == ["truncated", "malformed", "disconnect", "timeout_after"]
    write(http, "Не потеряйся")
    order("truncated", "getUpdates")
    with pytest.raises(ClientDecodeError):
        await bot.get_updates(offset=offset)
    assert told((await bot.get_updates(offset=offset))[0]).text == "Не потеряйся"


async def test_json_bodies_and_get_work_as_forms_do(http: Client) -> None:
    assert http.get(f"/bot{BOT}/getMe")["result"]["id"] == 5001
    assert http.get(f"/bot{BOT}/getUpdates?limit=1&allowed_updates=%5B%22message%22%5D")["ok"] is True
    for body in (b"[]", b"{", b"\xff"):
        answer = http.http.post(f"/bot{BOT}/sendMessage", content=body, headers={"Content-Type": "application/json"}).json()
        assert (answer["ok"], answer["error_code"]) == (False, 400)
    assert http.http.get(f"/bot{BOT}/explode").status_code == 404
    assert http.http.get(f"/bot{BOT}/getUpdates?offset=half").json()["error_code"] == 400
    url = "https://example.org/hook"
    assert http.get(f"/bot{BOT}/setWebhook?url={url}")["result"] is True
    assert "webhook is active" in http.http.get(f"/bot{BOT}/getUpdates").json()["description"]
    assert http.get(f"/bot{BOT}/getWebhookInfo")["result"]["url"] == url
    assert http.get(f"/bot{BOT}/deleteWebhook")["result"] is True
    assert http.get(f"/bot{BOT}/getUpdates")["ok"] is True


async def test_a_photo_comes_with_its_file(bot: Bot, http: Client) -> None:
    offset = await drained(bot)
    write(http, "", photo="pit")
    (update,) = await bot.get_updates(offset=offset)
    message = told(update)
    assert message.text is None
    assert message.caption is None
    assert message.photo is not None
    file = await bot.get_file(message.photo[-1].file_id)
    assert http.http.get(f"/file/bot{BOT}/{file.file_path}").content.startswith(b"\x89PNG")
    assert http.http.get(f"/file/bot1:nobody/{file.file_path}").status_code == 404


async def test_an_administrator_hears_of_posts_and_writes_them(sandbox: Running, http: Client) -> None:
    token = "5003:admin"
    spec = {"platform": "telegram", "token": token, "username": "chief_bot", "admin": True, "pages": ["town_news"]}
    http.post("/world/tokens", spec)
    async with other_bot(sandbox.url, token) as chief:
        sent = await chief.send_message("@town_news", "Новый пост")
        channel, group = await chief.get_updates()
        assert channel.channel_post is not None
        assert channel.channel_post.message_id == sent.message_id == 2
        assert told(group).is_automatic_forward
        made = write(http, "Под новым")
        assert told((await chief.get_updates())[-1]).message_thread_id == told(group).message_id
        assert await chief.delete_message(TALK, made)
        http.patch("/world/posts/telegram/town_news/2", {"text": "Исправлено"})
        kinds = [update.event_type for update in await chief.get_updates()]
        assert kinds[-2:] == ["edited_channel_post", "edited_message"]
