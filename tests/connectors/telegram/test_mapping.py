"""Telegram's updates as snapshots: recorded shapes, and anything else that JSON can hold."""

from __future__ import annotations

from contextlib import suppress
from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given

from connectors.contract import Attachment, CommentSnapshot, PageRef, PostSnapshot
from connectors.payload import OddError
from connectors.telegram import mapping
from connectors.telegram.links import chat_of
from tests.connectors.strategies import JSON, TEXT, damaged, examples, fixtures

RECORDED: dict[str, Any] = fixtures("telegram")
NOW = datetime(2026, 11, 17, 7, 0, tzinfo=UTC)
PAGE = PageRef(
    external_id="-1001500",
    options={"linked_chat_id": "-1001600", "username": "sadovoye", "group_username": "sadovoye_chat"},
)
SEEN = mapping.watch([PAGE], bots=frozenset({4200}), observed_at=NOW)


def told(name: str) -> mapping.Told:
    return mapping.updates(RECORDED[name]["result"], SEEN)


def comment(name: str) -> CommentSnapshot:
    (only,) = told(name).comments
    return only


def post(name: str) -> PostSnapshot:
    (only,) = told(name).posts.values()
    return only


def test_an_automatic_forward_is_a_post() -> None:
    one = post("message__automatic_forward")
    assert (one.external_id, one.thread_ref, one.text) == ("9", "40", "Отключение света 5 ноября")
    assert one.link == "https://t.me/sadovoye/9"
    assert one.published_at == datetime.fromtimestamp(1793000000, UTC)
    assert told("message__automatic_forward").comments == []


def test_a_comment_under_a_post_brings_the_post_along() -> None:
    one = comment("message__comment")
    assert (one.post_external_id, one.thread_ref, one.external_id) == ("9", "40", "41")
    assert (one.root_external_id, one.reply_to_external_id) == ("41", None)
    assert one.link == "https://t.me/sadovoye/9?comment=41"
    assert one.author is not None
    assert (one.author.external_id, one.author.name, one.author.link) == (
        "71",
        "Вера Синицына",
        "https://t.me/vera_s",
    )
    assert post("message__comment").thread_ref == "40"


def test_a_reply_names_only_its_thread_and_parent() -> None:
    one = comment("message__reply")
    assert (one.post_external_id, one.thread_ref) == (None, "40")
    assert (one.root_external_id, one.reply_to_external_id) == (None, "41")
    assert one.link == "https://t.me/sadovoye_chat/42?thread=40"


def test_an_edit_is_the_same_comment() -> None:
    one = comment("edited_message__comment")
    assert (one.external_id, one.text) == ("41", "Когда починят свет?")
    assert one.edited_at == datetime.fromtimestamp(1793000400, UTC)
    assert one.written_at == comment("message__comment").written_at
    assert post("edited_message__automatic_forward").text == "Отключение света 6 ноября"


def test_pictures_are_references_without_an_address() -> None:
    with_words, alone = comment("message__photo_with_caption"), comment("message__photo_alone")
    assert with_words.text == "Вот столб"
    assert with_words.attachments == (Attachment(kind="photo", external_id="large"),)
    assert (alone.text, alone.attachments[0].external_id, alone.attachments[0].url) == ("", "only", None)


@pytest.mark.parametrize(
    ("name", "kind", "title"),
    [
        ("message__location", "other", "55.5, 37.25"),
        ("message__sticker", "sticker", "👍"),
        ("message__animation", "video", "a.mp4"),
    ],
)
def test_other_content_is_named(name: str, kind: str, title: str) -> None:
    (one,) = comment(name).attachments
    assert (one.kind, one.title) == (kind, title)


def test_a_rich_message_keeps_its_words() -> None:
    assert comment("message__rich").text == "Яма глубокая\nу дома 5"


@pytest.mark.parametrize("name", ["message__by_the_channel", "message__by_an_anonymous_administrator"])
def test_the_page_s_own_voice(name: str) -> None:
    assert comment(name).by_page


def test_the_voice_of_another_channel_is_an_author_like_others() -> None:
    one = comment("message__by_another_channel")
    assert not one.by_page
    assert one.author is not None
    assert (one.author.external_id, one.author.name) == ("-1009", "ТСЖ «Рябина»")


def test_our_bot_is_the_page() -> None:
    update = deepcopy(RECORDED["message__comment"]["result"])
    update[0]["message"]["from"] = {"id": 4200, "is_bot": True, "first_name": "Бот"}
    (one,) = mapping.updates(update, SEEN).comments
    assert one.by_page


def test_an_author_without_a_name_has_a_number_and_one_may_be_missing() -> None:
    update = deepcopy(RECORDED["message__comment"]["result"])
    update[0]["message"]["from"] = {"id": 77, "is_bot": False, "first_name": ""}
    assert (mapping.updates(update, SEEN).comments[0].author or None) is not None
    assert mapping.updates(update, SEEN).comments[0].author.name == "id77"  # type: ignore[union-attr] # asserted above
    del update[0]["message"]["from"]
    assert mapping.updates(update, SEEN).comments[0].author is None


def test_a_comment_whose_parent_is_gone_still_stands_in_its_thread() -> None:
    one = comment("message__parent_deleted")
    assert (one.thread_ref, one.root_external_id, one.post_external_id) == ("40", "51", None)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("message__members_joined", "news of the chat itself"),
        ("message__outside_every_thread", "outside every thread"),
        ("message__thread_of_the_group", "outside every thread"),
        ("message__private_chat", "private messages are switched off"),
    ],
)
def test_what_is_no_comment_is_counted(name: str, reason: str) -> None:
    assert told(name).skipped == {reason: 1}
    assert told(name).comments == []


@pytest.mark.parametrize("name", ["poll_answer", "message__unknown_content"])
def test_what_is_unknown_is_set_aside_and_the_cursor_moves_on(name: str) -> None:
    result = told(name)
    (row,) = result.unreadable
    assert row.reason
    assert row.raw
    assert result.last == RECORDED[name]["result"][0]["update_id"]


def test_one_unknown_update_loses_none_of_the_others() -> None:
    rows = [answer["result"][0] for answer in RECORDED.values()]
    result = mapping.updates(rows, SEEN)
    assert len(result.comments) + len(result.unreadable) + sum(result.skipped.values()) == len(rows) - 2
    assert result.last == 21
    assert len(result.posts) == 1


def test_an_answer_that_cannot_move_the_cursor_is_refused() -> None:
    with pytest.raises(OddError):
        mapping.updates([{"message": {}}], SEEN)
    with pytest.raises(OddError):
        mapping.updates({"result": []}, SEEN)
    assert mapping.updates([], SEEN).last is None


@pytest.mark.parametrize(
    ("link", "chat"),
    [
        ("https://t.me/sadovoye", "@sadovoye"),
        ("t.me/sadovoye/9?comment=41", "@sadovoye"),
        ("https://t.me/s/sadovoye", "@sadovoye"),
        ("@sadovoye", "@sadovoye"),
        ("sadovoye", "@sadovoye"),
        ("https://t.me/c/1500/9", "-1001500"),
        ("-1001500", "-1001500"),
        ("https://nowhere.example/x", None),
        ("", None),
    ],
)
def test_what_a_link_names(link: str, chat: str | None) -> None:
    assert chat_of(link) == chat


@examples(100)
@given(text=TEXT)
def test_no_character_is_lost(text: str) -> None:
    for key in ("text", "caption"):
        update = deepcopy(RECORDED["message__comment"]["result"])
        del update[0]["message"]["text"]
        update[0]["message"][key] = text
        assert mapping.updates(update, SEEN).comments[0].text == text


@examples(200)
@given(rows=JSON | damaged([answer["result"][0] for answer in RECORDED.values()]))
def test_any_answer_is_read_or_refused(rows: object) -> None:
    """Nothing but OddError, and no update disappears."""
    try:
        result = mapping.updates(rows, SEEN)
    except OddError:
        return
    assert isinstance(rows, list)
    posts = sum(1 for row in rows if _is_forward(row))
    accounted = len(result.comments) + len(result.unreadable) + sum(result.skipped.values())
    assert len(rows) - posts <= accounted <= len(rows)


def _is_forward(row: object) -> bool:
    if not isinstance(row, dict):
        return False
    message = row.get("message", row.get("edited_message"))
    return isinstance(message, dict) and message.get("is_automatic_forward") is True


@examples(100)
@given(answer=JSON)
def test_the_other_mappings_read_or_refuse(answer: object) -> None:
    for read in (lambda: mapping.sent(answer), lambda: mapping.page_snapshot(answer, answer, credential_key="bot")):
        with suppress(OddError):
            read()


# --- what becomes of a group -------------------------------------------------------------------------------------


def written(number: int, chat: int, *, root: int = 40, **more: object) -> dict[str, Any]:
    """A comment as a group tells it."""
    update: dict[str, Any] = deepcopy(RECORDED["message__reply"]["result"][0])
    update["update_id"] = number
    update["message"] |= {"message_id": number, "message_thread_id": root, **more}
    update["message"]["chat"]["id"] = chat
    return update


def news(number: int, chat: int, **what: object) -> dict[str, Any]:
    """A message about the chat itself."""
    return {"update_id": number, "message": {"message_id": number, "date": 1793000300, "chat": {"id": chat, "type": "supergroup"}, **what}}


@pytest.mark.parametrize("order", [(0, 1), (1, 0), (0,), (1,)])
def test_a_group_that_becomes_a_supergroup_takes_its_page_along(order: tuple[int, ...]) -> None:
    """Whichever of the two messages comes, and first: what is written in the new chat from then on is the page's."""
    said = (news(70, -1001600, migrate_to_chat_id=-1001777), news(71, -1001777, migrate_from_chat_id=-1001600))
    rows = [written(69, -1001600), *(said[one] for one in order), written(72, -1001777), news(73, -5, migrate_to_chat_id=-6)]
    found = mapping.updates(rows, mapping.watch([PAGE], bots=frozenset(), observed_at=NOW))
    assert [one.external_id for one in found.comments] == ["69", "72"]
    assert found.options == {"-1001500": {"linked_chat_id": "-1001777"}}
    assert found.unreadable == []


@pytest.mark.parametrize(
    ("status", "lost"), [("kicked", True), ("left", True), ("restricted", True), ("administrator", False), ("member", False)]
)
def test_a_bot_that_is_sent_away_says_so_of_its_page(status: str, lost: bool) -> None:  # noqa: FBT001 - a table
    row = {"update_id": 5, "my_chat_member": {"chat": {"id": -1001600}, "date": 5, "new_chat_member": {"status": status}}}
    elsewhere = {"update_id": 6, "my_chat_member": {"chat": {"id": -7}, "new_chat_member": {"status": "kicked"}}}
    odd = {"update_id": 7, "my_chat_member": {"chat": 5}}
    found = mapping.updates([row, elsewhere, odd], mapping.watch([PAGE], bots=frozenset(), observed_at=NOW))
    assert bool(found.options["-1001500"]["no_access"]) is lost
    assert set(found.options) == {"-1001500"}
    assert found.plain_member == ({"-1001600": "-1001500"} if status == "member" else {})
    assert len(found.unreadable) == 1
    assert found.last == 7


def test_pictures_of_an_album_carry_its_number() -> None:
    found = mapping.updates([written(80, -1001600, media_group_id="13"), written(81, -1001600)], SEEN)
    assert [one.album for one in found.comments] == ["13", None]
