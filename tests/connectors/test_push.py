"""What platforms push: any bytes are read or refused, none breaks the reader, none is lost; what is told is what was written."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings, strategies as st

from connectors.contract import AcceptsPush, Batch, Credential, Options, PageRef, Pages, PushRequest, UnknownPayload
from connectors.max.push import Carried, batch as max_batch
from connectors.registry import load
from connectors.telegram.mapping import watch
from connectors.telegram.push import TelegramPush, batch as telegram_batch
from connectors.vk.push import VkPush, batch as vk_batch

if TYPE_CHECKING:
    from collections.abc import Iterator

NOW = datetime(2026, 11, 17, 7, 0, tzinfo=UTC)
PAGE = PageRef(external_id="-77")
CHANNEL = PageRef(external_id="-1001", options={"linked_chat_id": "-1002", "credential_key": "1"})
OTHER = PageRef(external_id="-1003", options={"linked_chat_id": "-1004", "credential_key": "2"})

json_values: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
_VK_KEYS = st.sampled_from(["type", "group_id", "event_id", "secret", "object", "v"])
_TYPES = st.sampled_from(["wall_reply_new", "wall_reply_edit", "wall_reply_restore", "wall_reply_delete", "wall_post_new", "message_new"])
_OBJECT = st.dictionaries(
    st.sampled_from(["id", "from_id", "date", "text", "post_id", "post_owner_id", "parents_stack", "reply_to_comment", "attachments"]),
    st.integers(-(2**70), 2**70) | json_values,
    max_size=9,
)
vk_events = st.dictionaries(_VK_KEYS, json_values, max_size=6) | st.fixed_dictionaries(
    {
        "type": _TYPES,
        "group_id": st.just(77),
        "event_id": st.text(max_size=8),
        "secret": st.text(max_size=8),
        "object": _OBJECT | json_values,
    }
)
telegram_updates = st.fixed_dictionaries({"update_id": st.integers() | json_values}) | st.dictionaries(
    st.sampled_from(["update_id", "message", "edited_message", "poll"]), json_values, max_size=3
)


def reply(kind: str, **told: object) -> bytes:
    body = {"id": 9, "from_id": 5, "post_id": 3, "post_owner_id": -77, "date": 1763362800, "text": "Когда?"} | told
    return json.dumps({"type": kind, "group_id": 77, "event_id": "e1", "v": "5.199", "secret": "s", "object": body}).encode()


@pytest.mark.parametrize("kind", ["wall_reply_new", "wall_reply_edit", "wall_reply_restore"])
def test_a_pushed_comment_is_the_one_that_polling_reads(kind: str) -> None:
    (comment,) = vk_batch(reply(kind, parents_stack=[4], reply_to_comment=8), page=PAGE, observed_at=NOW).comments
    assert (comment.external_id, comment.post_external_id, comment.root_external_id, comment.reply_to_external_id) == ("9", "3", "4", "8")
    assert (comment.text, comment.by_page, comment.observed_at) == ("Когда?", False, NOW)
    assert comment.author is not None
    assert comment.author.external_id == "5"


def test_an_event_says_which_form_of_a_comment_it_tells_as_far_as_the_platform_does() -> None:
    """However late it comes. VK does not say when an edit was; Telegram tells seconds and counts; MAX tells the event's moment."""
    at = datetime.fromtimestamp(1763362800, UTC)
    vk = {
        kind: vk_batch(reply(f"wall_reply_{kind}"), page=PAGE, observed_at=NOW).comments[0].form_at for kind in ("new", "edit", "restore")
    }
    assert vk == {"new": at, "edit": None, "restore": None}
    message = {"message_id": 7, "date": 1763362800, "chat": {"id": -1002, "type": "supergroup"}, "text": "Когда?", "message_thread_id": 2}
    bodies = ({"update_id": 5, "message": message}, {"update_id": 6, "edited_message": message | {"edit_date": 1763362860}})
    forms = [telegram_batch(json.dumps(one).encode(), watch([CHANNEL], bots=frozenset(), observed_at=NOW)).comments[0] for one in bodies]
    assert [(one.form_at, one.form_number) for one in forms] == [(at, 5), (at + timedelta(minutes=1), 6)]
    comment = {"recipient": {"chat_id": 8, "post_id": "p1"}, "body": {"mid": "m1", "text": "Когда?"}, "timestamp": 1763362800000}
    for kind, edited in (("comment_created", None), ("comment_edited", at + timedelta(seconds=7))):
        body = json.dumps({"update_type": kind, "timestamp": 1763362807000, "message": comment}).encode()
        (one,) = max_batch(body, Carried.of([PageRef(external_id="8")]), observed_at=NOW).comments
        assert (one.form_at, one.edited_at) == (at + timedelta(seconds=7), edited)


def test_deletions_posts_and_what_is_neither() -> None:
    (gone,) = vk_batch(reply("wall_reply_delete", deleter_id=5), page=PAGE, observed_at=NOW).deletions
    assert (gone.external_id, gone.post_external_id) == ("9", "3")
    (post,) = vk_batch(reply("wall_post_new"), page=PAGE, observed_at=NOW).posts
    assert post.external_id == "9"
    assert post.observed_at == post.published_at < NOW  # an edit that a listing has shown meanwhile is newer
    assert vk_batch(reply("like_add"), page=PAGE, observed_at=NOW).skipped == {"like_add": 1}
    assert vk_batch(reply("wall_reply_new", post_owner_id=-78), page=PAGE, observed_at=NOW).skipped == {"another wall": 1}


def test_identity_spoofing_an_event_of_another_community_is_none_of_this_page() -> None:
    with pytest.raises(UnknownPayload):
        vk_batch(reply("wall_reply_new"), page=PageRef(external_id="-78"), observed_at=NOW)


@pytest.mark.timeout(90)  # aiogram takes seconds to import
def test_identity_spoofing_a_bot_s_update_tells_nothing_of_another_bot_s_page() -> None:
    bots = (Credential(key="1", kind="bot", secret="11:a"), Credential(key="2", kind="bot", secret="22:b"))
    connector = load(("telegram",))["telegram"].build(Options(api_url="http://127.0.0.1:1", credentials=bots))
    assert isinstance(connector, AcceptsPush)
    message = {"message_id": 7, "date": 1763362800, "chat": {"id": -1004, "type": "supergroup"}, "text": "Когда?", "message_thread_id": 2,
               "from": {"id": 5, "first_name": "Олег"}}  # fmt: skip
    body = json.dumps({"update_id": 1, "message": message}).encode()
    assert connector.parse_push(CHANNEL, Pages([CHANNEL, OTHER]), body, observed_at=NOW).comments == ()
    assert len(connector.parse_push(OTHER, Pages([CHANNEL, OTHER]), body, observed_at=NOW).comments) == 1


class Counted(Pages):
    """Pages that count how often somebody goes through them all."""

    walks = 0

    def __iter__(self) -> Iterator[PageRef]:
        self.walks += 1
        return super().__iter__()


@pytest.mark.timeout(90)
@pytest.mark.parametrize("platform", ["telegram", "max"])
def test_however_many_events_come_the_pages_are_gone_through_once(platform: str) -> None:
    """A bot may carry ten thousand: an event finds its own by number."""
    connector = load((platform,))[platform].build(
        Options(api_url="http://127.0.0.1:1", credentials=(Credential(key="1", kind="bot", secret="1:a"),))
    )
    assert isinstance(connector, AcceptsPush)
    pages = Counted(PageRef(external_id=str(number), options={"linked_chat_id": str(-number)}) for number in range(1, 50))
    walks = []
    for number in (7, 9, 7):
        message = {"message_id": 7, "date": 1763362800, "chat": {"id": -number}, "text": "Когда?", "message_thread_id": 2}
        comment = {"recipient": {"chat_id": number, "post_id": "p1"}, "body": {"mid": "m1", "text": "Когда?"}, "timestamp": 1763362800000}
        told = {"update_id": number, "message": message} if platform == "telegram" else {
            "update_type": "comment_created", "timestamp": 1763362800000, "message": comment,
        }  # fmt: skip
        (one,) = connector.parse_push(pages[0], pages, json.dumps(told).encode(), observed_at=NOW).comments
        assert one.page_external_id == str(number)
        walks.append(pages.walks)
    assert walks[0] == walks[-1]


def test_envelopes_are_read_and_answered_as_the_platforms_expect() -> None:
    vk, telegram = VkPush(), TelegramPush()
    told = vk.read(PushRequest(body=reply("wall_reply_new")))
    assert (told.secret, told.event_id, told.page_external_id) == ("s", "e1", "-77")
    assert vk.answer(told, confirmation="c0de") == b"ok"
    asked = vk.read(PushRequest(body=b'{"type":"confirmation","group_id":77,"secret":"s"}'))
    assert vk.answer(asked, confirmation="c0de") == b"c0de"
    update = telegram.read(PushRequest(body=b'{"update_id":5}', headers={"x-telegram-bot-api-secret-token": "t"}))
    assert (update.secret, update.event_id) == ("t", "5")
    assert "'t'" not in repr(update)


@settings(max_examples=200, deadline=None)
@given(vk_events.map(lambda event: json.dumps(event).encode()) | st.binary(max_size=200))
def test_fuzz_vk_every_body_is_read_or_refused_and_nothing_is_lost(body: bytes) -> None:
    _taken(lambda: VkPush().read(PushRequest(body=body)), body)
    _kept(lambda: vk_batch(body, page=PAGE, observed_at=NOW), body)


@settings(max_examples=200, deadline=None)
@given(telegram_updates.map(lambda update: json.dumps(update).encode()) | st.binary(max_size=200))
def test_fuzz_telegram_every_body_is_read_or_refused_and_nothing_is_lost(body: bytes) -> None:
    _taken(lambda: TelegramPush().read(PushRequest(body=body)), body)
    _kept(lambda: telegram_batch(body, watch([CHANNEL], bots=frozenset({11}), observed_at=NOW)), body)


def _taken(read: Any, body: bytes) -> Any:
    """What was read; None when it was refused, with all its bytes."""
    try:
        return read()
    except UnknownPayload as error:
        raw = error.raw
    assert raw == body
    return None


def _kept(parse: Any, body: bytes) -> None:
    """Something told, something counted, something set aside - or refused with its bytes."""
    found: Batch | None = _taken(parse, body)
    assert found is None or found.posts or found.comments or found.deletions or found.unreadable or found.skipped


def test_deep_nesting_breaks_no_reader() -> None:
    body = b'{"a":' * 5_000 + b"1" + b"}" * 5_000
    for reader in (VkPush(), TelegramPush()):
        with pytest.raises(UnknownPayload):
            reader.read(PushRequest(body=body))
