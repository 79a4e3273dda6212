"""Whatever a platform sends, each reader of it answers or refuses in the contract's words: no crash, nothing lost.

A reader that somebody adds to a platform's package must stand in READERS, or the first test fails. `make fuzz` runs all
of tests/connectors with fifty times the examples.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import pytest
from hypothesis import given, strategies as st

from connectors import meanings, payload
from connectors.contract import ConnectorError, PageRef, PostRef, UnknownPayload
from connectors.http_api import Answer
from connectors.max import errors as max_errors, links as max_links, mapping as max_, push as max_push
from connectors.ok import errors as ok_errors, links as ok_links, mapping as ok
from connectors.payload import OddError
from connectors.registry import load
from connectors.telegram import content, errors as telegram_errors, links as telegram_links, mapping as telegram, push as telegram_push
from connectors.viber import errors as viber_errors, links as viber_links, mapping as viber, push as viber_push
from connectors.vk import attachments as vk_attachments, errors as vk_errors, links as vk_links, mapping as vk, push as vk_push
from tests.connectors.strategies import JSON, TEXT, damaged, examples, fixtures

NOW = datetime(2026, 11, 17, 7, 0, tzinfo=UTC)
POST = PostRef(page=PageRef(external_id="-500"), external_id="3")
UNDER = vk.Under(page_external_id="-500", post_external_id="3", observed_at=NOW)
MAX_PAGES = (
    PageRef(external_id="-6242", options={"bot": "41"}),
    PageRef(external_id="bot41", options={"bot": "41", "dialogs": "yes", "private": "on"}),
)
MAX_UNDER = max_.Under(page=MAX_PAGES[0], post="mid.p1", link="https://max.ru/sadovoye", observed_at=NOW)
VIBER_PAGE = PageRef(external_id="pa:1", options={"dialogs": "yes", "private": "on"})
OK_UNDER = ok.Under(page="5242", post="63001", observed_at=NOW)
TELEGRAM_PAGES = [
    PageRef(external_id="-1001500", options={"linked_chat_id": "-1001600"}),
    PageRef(external_id="bot42", options={"dialogs": "yes", "private": "on"}),
]
SEEN = telegram.watch(TELEGRAM_PAGES, bots=frozenset({1}), observed_at=NOW)
RECORDED: dict[str, Any] = {platform: fixtures(platform) for platform in ("vk", "ok", "telegram", "max")}

Reader = Callable[[Any], object]
# Module and function → how it is called with something of the platform's.
READERS: dict[tuple[str, str], Reader] = {
    ("vk.mapping", "comments_page"): lambda answer: vk.comments_page(answer, UNDER),
    ("vk.mapping", "comment_of"): lambda answer: vk.comment_of(answer, UNDER, 11),
    ("vk.mapping", "post_of"): lambda answer: vk.post_of(answer, page_external_id="-500", post=3, observed_at=NOW),
    ("vk.mapping", "people_of"): lambda answer: vk.people_of(answer if isinstance(answer, dict) else {"profiles": answer}),
    ("vk.mapping", "wall_posts"): lambda answer: vk.wall_posts(answer, page_external_id="-500", observed_at=NOW),
    ("vk.mapping", "post_counts"): lambda answer: vk.post_counts(answer, asked=[POST], observed_at=NOW),
    ("vk.mapping", "page_snapshot"): vk.page_snapshot,
    ("vk.mapping", "resolved"): vk.resolved,
    ("vk.mapping", "pushed_comment"): lambda answer: vk.pushed_comment(
        answer if isinstance(answer, dict) else {"id": answer}, page_external_id="-500", post_external_id="3", observed_at=NOW
    ),
    ("ok.mapping", "listing"): lambda answer: ok.listing(answer, observed_at=NOW),
    ("ok.mapping", "comments_page"): lambda answer: ok.comments_page(answer, OK_UNDER),
    ("ok.mapping", "discussion"): lambda answer: ok.discussion(answer, group="5242", observed_at=NOW),
    ("ok.mapping", "one_comment"): lambda answer: ok.one_comment(answer, OK_UNDER),
    ("ok.mapping", "comments_count"): ok.comments_count,
    ("ok.mapping", "page_snapshot"): ok.page_snapshot,
    ("ok.mapping", "group_behind"): ok.group_behind,
    ("ok.mapping", "sent_id"): ok.sent_id,
    ("max.mapping", "bot_number"): max_.bot_number,
    ("max.mapping", "bot_page"): max_.bot_page,
    ("max.mapping", "channel_page"): lambda answer: max_.channel_page(answer, bot=41),
    ("max.mapping", "rights"): max_.rights,
    ("max.mapping", "posts"): lambda answer: max_.posts(answer, page=MAX_PAGES[0], observed_at=NOW),
    ("max.mapping", "post"): lambda answer: max_.post(answer, page=MAX_PAGES[0], observed_at=NOW),
    ("max.mapping", "dialog_post"): lambda answer: max_.dialog_post(
        answer if isinstance(answer, dict) else {"timestamp": answer}, page=MAX_PAGES[1], chat="9", observed_at=NOW
    ),
    ("max.mapping", "comments"): lambda answer: max_.comments(answer, MAX_UNDER),
    ("max.mapping", "one_comment"): lambda answer: max_.one_comment(answer, MAX_UNDER),
    ("max.mapping", "sent"): max_.sent,
    ("max.push", "envelope"): lambda answer: max_push.envelope(_sent(answer)),
    ("max.push", "batch"): lambda answer: max_push.batch(_sent(answer), max_push.Carried.of(MAX_PAGES), observed_at=NOW),
    ("viber.mapping", "account"): lambda answer: viber.account(answer, credential_key="bot"),
    ("viber.mapping", "message"): lambda answer: viber.message(payload.as_object(answer, "event"), page=VIBER_PAGE, observed_at=NOW),
    ("viber.mapping", "sent"): viber.sent,
    ("viber.mapping", "token"): lambda answer: viber.token(payload.as_object(answer, "event")),
    ("viber.push", "batch"): lambda answer: viber_push.batch(_sent(answer), page=VIBER_PAGE, observed_at=NOW),
    ("vk.push", "batch"): lambda answer: vk_push.batch(_sent(_event(answer)), page=POST.page, observed_at=NOW),
    ("telegram.push", "webhook_of"): telegram_push.webhook_of,
    ("telegram.push", "batch"): lambda answer: telegram_push.batch(_sent(answer), SEEN),
    ("vk.attachments", "attachments"): vk_attachments.attachments,
    ("telegram.mapping", "updates"): lambda answer: telegram.updates(answer, SEEN),
    ("telegram.mapping", "sent"): telegram.sent,
    ("telegram.mapping", "numbers"): telegram.numbers,
    ("telegram.mapping", "bot_page"): lambda answer: telegram.bot_page(answer, credential_key="bot"),
    ("telegram.mapping", "page_snapshot"): lambda answer: telegram.page_snapshot(answer, answer, credential_key="bot"),
    ("telegram.content", "attachments"): lambda answer: content.attachments(answer if isinstance(answer, dict) else {"text": answer}),
    ("telegram.content", "text_of"): lambda answer: content.text_of(answer if isinstance(answer, dict) else {"rich_message": answer}),
    ("telegram.content", "is_written"): lambda answer: content.is_written(answer if isinstance(answer, dict) else {}),
    ("telegram.content", "is_service"): lambda answer: content.is_service(answer if isinstance(answer, dict) else {}),
}


def _sent(answer: object) -> bytes:
    """As it would come over the wire."""
    try:
        return json.dumps(answer).encode()
    except RecursionError:
        return b"[" * 50_000


def _event(answer: object) -> object:
    """VK's envelope of our own community around it, of a kind that the answer picks."""
    kinds = ("wall_reply_new", "wall_reply_delete", "wall_post_new", "wall_reply_edit", "unheard_of")
    return {"type": kinds[len(str(type(answer))) % len(kinds)], "group_id": 500, "object": answer}


# These read no answer: they make something of our own values, or are covered by the tests of words below.
OF_OURS = {
    ("vk.mapping", "author_of"),
    ("max.mapping", "home"), ("viber.mapping", "home"), ("telegram.mapping", "watch"), ("telegram.mapping", "maybe_number"),
    ("max.mapping", "kind_of_place"), ("max.mapping", "named_post"), ("vk.mapping", "named_post"),
}  # fmt: skip


def _platforms() -> list[str]:
    """Every platform that the product speaks to, ours as a stranger's."""
    return sorted(name for name in load(None) if find_spec(f"connectors.{name}.mapping") is not None)


def test_every_reader_of_a_platform_s_answers_is_fuzzed() -> None:
    found = set()
    for platform in _platforms():
        for part in ("mapping", "attachments", "content", "push", "webhook"):
            if find_spec(f"connectors.{platform}.{part}") is not None:
                module = import_module(f"connectors.{platform}.{part}")
                functions = inspect.getmembers(module, inspect.isfunction)
                found |= {(f"{platform}.{part}", name) for name, one in functions if one.__module__ == module.__name__ and name[0] != "_"}
    assert found == set(READERS) | OF_OURS, f"{sorted(found ^ (set(READERS) | OF_OURS))}: put a new reader into READERS"
    assert {"vk", "ok", "telegram", "max", "viber"} <= set(_platforms())


def _answers(platform: str) -> st.SearchStrategy[object]:
    recorded = RECORDED.get(platform, {})
    values = [one["result"] if isinstance(one, dict) and "result" in one else one for one in recorded.values()]
    return st.one_of(JSON, *(damaged(one) for one in values))


@pytest.mark.parametrize(("module", "name"), sorted(READERS))
def test_anything_is_read_or_refused(module: str, name: str) -> None:
    read = READERS[module, name]

    @examples(60)
    @given(answer=_answers(module.split(".", maxsplit=1)[0]))
    def read_or_refused(answer: object) -> None:
        with suppress(OddError, UnknownPayload):
            read(answer)

    read_or_refused()


@examples(100)
@given(walls=st.one_of(JSON, damaged(RECORDED["vk"]["wall.get"])))
def test_no_post_is_lost(walls: object) -> None:
    try:
        found = vk.wall_posts(walls, page_external_id="-500", observed_at=NOW)
    except OddError:
        return
    assert isinstance(walls, dict)
    assert len(found.posts) + len(found.unreadable) == len(walls["items"])


@examples(100)
@given(body=st.one_of(st.binary(max_size=60), JSON.map(lambda value: json.dumps(value, allow_nan=True).encode())))
def test_bytes_are_read_without_a_guess_and_kept(body: bytes) -> None:
    """Whatever is no UTF-8 comes back byte for byte, and whatever was parsed can be kept."""
    try:
        value = json.loads(payload.readable_json(body))
    except ValueError:
        return
    kept = payload.to_bytes(value)
    assert kept
    assert json.dumps(json.loads(kept)) == json.dumps(value)


def test_an_answer_nested_beyond_measure_crashes_nothing() -> None:
    deep: object = "x"
    for _ in range(50_000):
        deep = [deep]
    for read in READERS.values():
        with suppress(OddError, UnknownPayload):
            read(deep)
        with suppress(OddError, UnknownPayload):
            read({"items": [deep], "count": 1, "text": deep, "attachments": deep})
        with suppress(OddError, UnknownPayload):
            read([{"update_id": 1, "message": deep}])


@examples(100)
@given(number=st.integers(), status=st.integers(100, 599), words=TEXT, raw=st.binary(max_size=20), sending=st.booleans())
def test_every_refusal_has_a_word_of_the_contract(number: int, status: int, words: str, raw: bytes, sending: bool) -> None:  # noqa: FBT001 - given by Hypothesis
    scene = meanings.Scene(sending=sending, credential_key="k", time_scale=1.0)

    def refused(value: object) -> Answer:
        return Answer(status=max(status, 400), value=value, raw=raw, date=None)

    there = telegram_errors.Scene(sending=sending, credential_key="k", time_scale=1.0)
    for error in (
        vk_errors.from_number(number, words, raw=raw, scene=scene),
        max_errors.from_answer(refused({"code": words, "message": words}), scene),
        viber_errors.from_answer(refused({"status": number, "status_message": words}), scene),
        ok_errors.from_answer(refused({"error_code": number, "error_msg": words}), scene),
        meanings.from_status(status, raw=raw, scene=scene),
        telegram_errors.from_status(status, words, raw=raw, scene=there),
        telegram_errors.too_many(number, there),
    ):
        assert isinstance(error, ConnectorError)


@examples(100)
@given(link=st.one_of(TEXT, st.from_regex(r"(https?://)?(vk\.com|t\.me|ok\.ru|max\.ru|chats\.viber\.com)/[^\n]{0,40}")))
def test_any_address_names_something_or_nothing(link: str) -> None:
    vk_links.named(link)
    viber_links.account_of(link)
    ok_links.named(link)
    max_links.chat_of(link)
    telegram_links.chat_of(link)
