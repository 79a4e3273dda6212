"""Viber's rules that the suite does not know: what messages hold, addresses, the switch, the hundred unanswered, whose bot speaks."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from connectors.conformance.stage import caught
from connectors.contract import AccessLost, Batch, Credential, Options, Outgoing, PageRef, PostRef, PushRequest, Rejected, TryLater, utc_now
from connectors.sandbox.limits import Limits
from connectors.viber import links, mapping, push
from connectors.viber.connector import ViberConnector
from tests.connectors.strategies import fixtures
from tests.connectors.viber.test_conformance import ACCOUNT, TOKEN, person

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.connectors.staging import Server, World

NOW = datetime(2026, 11, 17, 7, 0, tzinfo=UTC)
RECORDED: dict[str, Any] = fixtures("viber")
LINK = "https://chats.viber.com/sadovoye"
PAGE = PageRef(external_id=ACCOUNT, options={"dialogs": "yes", "private": "on", "credential_key": "1", "link": LINK, "name": "Садовое"})
INNA = "AAAAAAAAFHoAAAAAAAAAAQ=="


def told(kind: str, page: PageRef = PAGE) -> Batch:
    return push.batch(json.dumps(RECORDED[kind]).encode(), page=page, observed_at=NOW)


def connector(url: str, *tokens: str) -> ViberConnector:
    credentials = tuple(Credential(key=str(number), kind="bot", secret=token) for number, token in enumerate(tokens, 1))
    return ViberConnector(Options(api_url=url, credentials=credentials, time_scale=50.0, timeout=2.0), url)


@pytest.mark.parametrize(
    ("kind", "text", "attachment"),
    [
        ("message", "Когда дадут воду?", None),
        ("message__picture", "", ("photo", None, "https://media.example/pit.jpg", "pit.jpg")),
        ("message__location", "", ("other", None, None, "45.04, 38.97")),
        ("message__contact", "", ("other", None, None, "Диспетчерская, +70000000000")),
        ("message__sticker", "", ("sticker", "46105", "https://media.example/46105.png", None)),
    ],
)
def test_a_message_is_a_comment_of_its_person_s_dialog(kind: str, text: str, attachment: tuple[str | None, ...] | None) -> None:
    batch = told(kind)
    (dialog,), (comment,) = batch.posts, batch.comments
    assert (dialog.external_id, dialog.text, dialog.link) == (INNA, "", LINK)
    assert (comment.post_external_id, comment.root_external_id, comment.reply_to_external_id) == (INNA, INNA, None)
    assert (comment.text, comment.external_id, comment.by_page) == (text, str(RECORDED[kind]["message_token"]), False)
    assert comment.author is not None
    assert comment.author.external_id == INNA
    assert comment.author.name
    found = [(one.kind, one.external_id, one.url, one.title) for one in comment.attachments]
    assert found == ([] if attachment is None else [attachment])


@pytest.mark.parametrize("kind", ["subscribed", "unsubscribed", "conversation_started", "failed", "webhook"])
def test_what_is_no_message_is_counted_and_nothing_else(kind: str) -> None:
    assert told(kind) == Batch(skipped={f"news of the bot itself: {kind}": 1})


def test_nothing_is_heard_before_the_switch_nor_from_group_chats() -> None:
    off = replace(PAGE, options={**PAGE.options, "private": ""})
    assert told("message", off) == Batch(skipped={"private messages are switched off": 1})
    grouped = json.dumps({**RECORDED["message"], "chat_id": "group"}).encode()
    assert push.batch(grouped, page=PAGE, observed_at=NOW) == Batch(skipped={"a group chat": 1})


def test_events_of_one_message_keep_numbers_of_their_own() -> None:
    """Delivered and seen carry the token of the message; a token may be written as a string."""
    reader = push.ViberPush()
    for event in (RECORDED["message"], {**RECORDED["message"], "message_token": "5741311803571721087"}):
        read = reader.read(PushRequest(body=json.dumps(event).encode()))
        assert (read.event_id, read.happened_at) == ("message:5741311803571721087", datetime.fromtimestamp(1763362800.123, UTC))
    seen = reader.read(PushRequest(body=json.dumps({**RECORDED["message"], "event": "seen"}).encode()))
    assert seen.event_id == "seen:5741311803571721087"


@pytest.mark.parametrize(
    ("link", "name"),
    [
        ("https://chats.viber.com/sadovoye", "sadovoye"),
        ("chats.viber.com/sadovoye?utm=1", "sadovoye"),
        ("https://viber.me/sadovoye/", "sadovoye"),
        ("viber://pa?chatURI=sadovoye&text=hi", "sadovoye"),
        ("viber://pa/info?uri=sadovoye", "sadovoye"),
        (" sadovoye ", "sadovoye"),
        ("pa:5242", "pa:5242"),
        ("https://t.me/sadovoye", None),
        ("example.org/sadovoye", None),
        ("https://chats.viber.com/", None),
        ("", None),
        ("что угодно", None),
    ],
)
def test_an_address_names_a_bot(link: str, name: str | None) -> None:
    assert links.account_of(link) == name


def test_an_answer_is_signed_with_no_more_than_viber_takes() -> None:
    account = mapping.account(RECORDED["get_account_info"], credential_key="7")
    assert (account.page.title, account.page.members) == ("Село Садовое. Официальные ответы жителям", 812)
    assert account.page.options["name"] == "Село Садовое. Официальные от"


@pytest.fixture
async def world(server: Server) -> AsyncIterator[World]:
    """Two bots; whoever is written to by the first can be written to three times unanswered."""
    async with server.world(1.0, Limits(viber_unanswered=3)) as found:
        for number, name in ((5242, "sadovoye"), (5243, "other")):
            await found.post("/world/pages", platform="viber", page=name, id=number, title=name)
            await found.post("/world/tokens", platform="viber", token=f"{TOKEN}-{name}", page=name)
        yield found


def outgoing(page: PageRef, dialog: str, text: str = "Дадут к вечеру") -> Outgoing:
    post = PostRef(page=page, external_id=dialog)
    return Outgoing(guid="g", post=post, reply_to_external_id="1", root_external_id=dialog, text=text, first_tried_at=utc_now())


async def test_the_hundred_unanswered_are_viber_s_to_count_and_ours_to_wait_for(world: World) -> None:
    """Status 12 is a wait of an hour; a word of the person begins the count anew."""
    one = connector(world.url, f"{TOKEN}-sadovoye")
    await world.post("/world/hooks", platform="viber", page="sadovoye", url="http://127.0.0.1:9/hooks/viber/pa:5242", secret="x")
    page = PageRef(external_id=ACCOUNT, options=(await one.describe_page(LINK)).options)
    dialog = (await world.post("/world/posts", platform="viber", page="sadovoye", text="Диалог"))["id"]
    for number in range(3):
        await one.send(outgoing(page, person(dialog), f"Ответ {number}"))
    refused = await caught(one.send(outgoing(page, person(dialog))))
    assert isinstance(refused, TryLater)
    assert (refused.code, refused.after.total_seconds()) == ("flood", 3600 / 50)
    await world.post("/world/comments", platform="viber", page="sadovoye", post_id=dialog, author="Инна", text="Спасибо")
    assert (await one.send(outgoing(page, person(dialog)))).external_id
    await one.close()


async def test_a_page_is_answered_by_its_own_bot_alone(world: World) -> None:
    """A token under another number is found by asking; another bot's is never used in its place."""
    await world.post("/world/hooks", platform="viber", page="sadovoye", url="http://127.0.0.1:9/hooks/viber/pa:5242", secret="x")
    both = connector(world.url, f"{TOKEN}-other", f"{TOKEN}-sadovoye")
    described = await both.describe_page(LINK)
    assert described.options["credential_key"] == "2"
    dialog = (await world.post("/world/posts", platform="viber", page="sadovoye", text="Диалог"))["id"]
    stale = PageRef(external_id=ACCOUNT, options={**described.options, "credential_key": "9"})
    (feed,) = both.feeds([stale])
    assert (await both.poll(feed, None)).page_options == {ACCOUNT: {"credential_key": "2"}}
    assert (await both.send(outgoing(stale, person(dialog)))).external_id
    await both.close()
    alone = connector(world.url, f"{TOKEN}-other")
    lost = await caught(alone.send(outgoing(stale, person(dialog))))
    assert (type(lost), lost.code) == (AccessLost, "token_kind")
    unknown = await caught(alone.describe_page(LINK))
    assert (type(unknown), unknown.code) == (Rejected, "gone")
    await alone.close()


async def test_an_address_that_does_not_answer_becomes_no_webhook(world: World) -> None:
    """What to do is said before the webhook stands: nothing is called possible that is not."""
    one = connector(world.url, f"{TOKEN}-sadovoye")
    refused = await caught(one.register_push(PageRef(external_id=ACCOUNT), "http://127.0.0.1:9/hooks/viber/pa:5242"))
    assert (type(refused), refused.code) == (Rejected, "webhook_refused")
    checks = {check.ability: (check.state, check.code) for check in await one.check_page(ACCOUNT, page_options={})}
    unclear = ("unclear", "no_webhook")
    assert checks == {"see": ("yes", ""), "read": unclear, "answer": unclear, "open": ("yes", "")}
    await one.close()
