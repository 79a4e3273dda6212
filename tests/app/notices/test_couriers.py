"""What is known after one attempt by each carrier: taken, not taken, or nobody knows. No secret is told."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from app.flows.couriers import MailCourier, MaxCourier, Parcel, TelegramCourier
from app.flows.greeting import Greeter, build_bots
from app.kernel.clock import FixedClock
from app.kernel.mail import Mailer, mail_address, parse_mail_server
from app.kernel.outgoing import Outgoing, parse_hosts
from app.kernel.parts import NoticeParts
from app.notices.letters import Known, Outcome
from app.notices.wording import Wording
from app.web.ui.render import catalogue
from connectors.sandbox.server import running
from tests.connectors.raw_server import RawServer, http, raw_server
from tests.connectors.staging import World
from tests.factories import MORNING
from tests.mail_server import mail_server

if TYPE_CHECKING:
    from collections.abc import Mapping

    from app.flows.couriers import Courier

WORDING = Wording(
    subject="Обращение 481-937-512: срок близко", words="Первая строка.\n.точка в начале\n\nhttps://otklik.example/appeals/1\n"
)
PARCEL = Parcel(address="42", wording=WORDING, guid="a" * 32, at=MORNING)


@pytest.mark.parametrize(
    ("to_rcpt", "to_data", "outcome", "letters"),
    [
        ("250 OK", "250 OK", Outcome.DELIVERED, 1),
        ("451 Later", "250 OK", Outcome.LATER, 0),
        ("550 No such person", "250 OK", Outcome.REFUSED, 0),
        ("250 OK", "452 Full", Outcome.LATER, 1),
        ("250 OK", "554 No", Outcome.REFUSED, 1),
        ("hang up", "250 OK", Outcome.LATER, 0),
        ("250 OK", "hang up", Outcome.UNKNOWN, 1),
        ("250 OK", "silence", Outcome.UNKNOWN, 1),
    ],
)
async def test_mail(to_rcpt: str, to_data: str, outcome: Outcome, letters: int) -> None:
    async with mail_server() as mail:
        mail.to_rcpt, mail.to_data = [to_rcpt], [to_data]
        mailer = Mailer(parse_mail_server(mail.url, "otklik@town.example"), seconds=0.3 if to_data == "silence" else 10)
        parcel = Parcel(address="olga@town.example", wording=WORDING, guid="a" * 32, at=MORNING)
        known = await MailCourier(mailer).carry(parcel)
        assert known.outcome is outcome
        assert len(mail.letters()) == letters
        for letter in mail.letters():
            assert letter["Message-ID"] == f"<{'a' * 32}@town.example>"
            assert letter["Subject"] == WORDING.subject
            assert letter.get_content().splitlines() == WORDING.words.splitlines()


async def test_a_mail_server_that_is_away_is_asked_later() -> None:
    async with mail_server() as mail:
        server = parse_mail_server(mail.url, "otklik@town.example")
    assert (
        await MailCourier(Mailer(server)).carry(Parcel(address="a@b.ru", wording=WORDING, guid="1", at=MORNING))
    ).outcome is Outcome.LATER


async def test_a_password_goes_only_to_a_server_that_is_secure_and_is_never_told() -> None:
    async with mail_server() as mail:
        server = parse_mail_server(f"smtp://me:hidden@127.0.0.1:{mail.port}", "otklik@town.example")
        known = await MailCourier(Mailer(server)).carry(PARCEL)
        assert known.outcome is not Outcome.DELIVERED  # it does not let anybody sign in
        assert "hidden" not in repr(server) + known.detail
    assert parse_mail_server("smtp://me:p%40ss@mail.example", "a@b.ru").password == "p@ss"
    assert [parse_mail_server(url, "a@b.ru").secure for url in ("smtp://mail.example", "smtps://mail.example", "smtp://localhost:25")] == [
        "starttls", "tls", "plain",
    ]  # fmt: skip
    for wrong in ("http://mail.example", "mail.example", "smtp://", "smtp://mail.example/path", "smtp://mail.example:port"):
        with pytest.raises(ValueError, match="smtp://user"):
            parse_mail_server(wrong, "a@b.ru")
    with pytest.raises(ValueError, match="sender"):
        parse_mail_server("smtp://mail.example", "Отклик")


@pytest.mark.parametrize(
    ("words", "address"),
    [
        (" olga@town.example ", "olga@town.example"),
        ("olga@почта.рф", "olga@xn--80a1acny.xn--p1ai"),
        ("olga@town.example\r\nBcc: all@town.example", ""),
        ("Ольга <olga@town.example>", ""),
        ("olga@town.example, all@town.example", ""),
        ("ольга@town.example", ""),
        ("olga@localhost", ""),
        ("olga", ""),
        ("@town.example", ""),
        ("a" * 250 + "@town.example", ""),
    ],
)
def test_addresses_of_mail(words: str, address: str) -> None:
    assert mail_address(words) == address


BOTS: Mapping[str, type[TelegramCourier | MaxCourier]] = {"telegram": TelegramCourier, "max": MaxCourier}


def bot(name: str, raw: RawServer, *, seconds: float = 10) -> Courier:
    outgoing = Outgoing(parse_hosts(raw.url.removeprefix("http://")), seconds=seconds)
    return BOTS[name](outgoing, url=raw.url, token="5001:hidden")


@pytest.mark.parametrize("name", BOTS)
@pytest.mark.parametrize(
    ("status", "body", "known"),
    [
        ("200 OK", b'{"ok": true}', Known(outcome=Outcome.DELIVERED)),
        ("400 Bad Request", b'{"ok": false, "description": "Bad Request: chat not found"}', Known(outcome=Outcome.REFUSED, detail="400")),
        ("401 Unauthorized", b"", Known(outcome=Outcome.LATER, detail="401")),
        ("403 Forbidden", b'{"ok": false, "description": "Forbidden: bot was blocked"}', Known(outcome=Outcome.REFUSED, detail="403")),
        ("502 Bad Gateway", b"<html>", Known(outcome=Outcome.UNKNOWN, detail="502")),
        ("302 Elsewhere", b"", Known(outcome=Outcome.REFUSED, detail="redirect")),
    ],
)
async def test_bots(name: str, status: str, body: bytes, known: Known) -> None:
    async with raw_server() as raw:
        raw.plan(http(body, status=status))
        assert await bot(name, raw).carry(PARCEL) == known
        head, _, sent = raw.requests[0].partition(b"\r\n\r\n")
        told = json.loads(sent)
        assert told["text"] == WORDING.words
        first = head.decode().splitlines()[0]
        if name == "telegram":
            assert first == "POST /bot5001:hidden/sendMessage HTTP/1.1"
            assert told["chat_id"] == 42
        else:
            assert first == "POST /messages?user_id=42&disable_link_preview=true HTTP/1.1"
            assert b"authorization: 5001:hidden" in head.lower()


async def test_a_notice_by_max_stands_in_the_persons_dialog() -> None:
    """Against the stand-in, which keeps to the published description: an address that MAX does not know is refused."""
    with running(time_scale=50) as sandbox:
        world = World(sandbox.url)
        await world.post("/world/pages", platform="max", page="notice_bot", id=6243, title="Уведомления")
        await world.post("/world/tokens", platform="max", token="5001:hidden", username="notice_bot", name="Уведомления")
        chat = (await world.post("/world/posts", platform="max", page="notice_bot", text="Диалог"))["id"]
        await world.post("/world/comments", platform="max", page="notice_bot", post_id=chat, author="Ольга", text="Начать")
        (asked,) = (await world.get("/truth"))["comments"]
        outgoing = Outgoing(parse_hosts(sandbox.url.removeprefix("http://")), seconds=10)
        courier = MaxCourier(outgoing, url=sandbox.url, token="5001:hidden")
        assert (await courier.carry(replace(PARCEL, address=str(asked["author_id"])))).outcome is Outcome.DELIVERED
        assert (await courier.carry(replace(PARCEL, address="1"))).outcome is Outcome.REFUSED
        assert [(one["post_id"], one["text"]) for one in (await world.get("/truth"))["answers"]] == [(chat, WORDING.words)]
        await world.close()


async def test_bots_wait_as_they_are_asked_and_do_not_know_what_a_silence_means() -> None:
    async with raw_server() as raw:
        raw.plan(http(b'{"ok": false, "error_code": 429, "parameters": {"retry_after": 17}}', status="429 Too Many Requests"))
        known = await bot("telegram", raw).carry(PARCEL)
        assert (known.outcome, known.after) == (Outcome.LATER, timedelta(seconds=17))
        raw.drip = 5
        assert (await bot("telegram", raw, seconds=0.3).carry(PARCEL)).outcome is Outcome.UNKNOWN
    gone = await bot("telegram", raw).carry(PARCEL)
    assert (gone.outcome, "hidden" in gone.detail) == (Outcome.LATER, False)


async def test_bots_tell_the_number_of_a_private_chat_once_and_go_on() -> None:
    """Telegram by its offset, MAX by its marker; nonsense and refusals pass."""
    news = {
        "telegram": {"ok": True, "result": [
            {"update_id": 7, "message": {"chat": {"id": 42, "type": "private"}, "text": "Привет", "from": {"language_code": "en-GB"}}},
            {"update_id": 8, "message": {"chat": {"id": -5, "type": "group"}, "text": "о погоде"}},
            {"update_id": 9},
        ]},
        "max": {"marker": 9, "updates": [
            {"update_type": "bot_started", "chat_id": 1, "user": {"user_id": 42}, "user_locale": "en"},
            {"update_type": "message_created", "message": {"recipient": {"chat_id": -5, "chat_type": "chat"}, "body": {"text": "погода"}}},
        ]},
    }  # fmt: skip
    for name, first in news.items():
        async with raw_server() as raw:
            given: dict[str, Any] = {f"{name}_token": "5001:hidden", f"{name}_url": raw.url}
            parts = NoticeParts(catalogue=catalogue, address="https://otklik.example", timezone="Europe/Moscow", **given)
            ((own, outgoing),) = build_bots(parts)
            greeter = Greeter(own, outgoing, FixedClock(MORNING), parts=parts)
            raw.plan(http(json.dumps(first).encode()), http(b'{"ok": true}'), http(b"[]"), http(b"", status="409 Conflict"))
            for _ in range(3):
                assert not await greeter.round()
            asked = [one.decode().splitlines()[0] for one in raw.requests]
            assert ("offset=10" if name == "telegram" else "marker=9") in asked[2]
            answers = [one for one in raw.requests if one.startswith(b"POST")]
            assert len(answers) == 1
            assert "The number of this chat is 42." in json.loads(answers[0].partition(b"\r\n\r\n")[2])["text"]
