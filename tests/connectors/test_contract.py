"""The contract's values refuse what would be stored wrongly; the registry refuses what cannot serve."""

from __future__ import annotations

import asyncio
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings, strategies as st

from connectors import registry
from connectors.contract import (
    CommentSnapshot,
    Credential,
    Deletion,
    Options,
    Outgoing,
    PageRef,
    Plugin,
    PostCount,
    PostRef,
    PostSnapshot,
    Sent,
    TryLater,
    WholeThread,
)
from connectors.fake import FakeWorld, fake_plugin
from connectors.pacing import Quota, Window, paced
from connectors.payload import is_publishable, readable_json, to_bytes
from connectors.telegram.content import SERVICE, is_service, is_written
from connectors.telegram.errors import BAD_REQUEST, BY_STATUS
from connectors.viber.errors import MEANINGS as VIBER
from connectors.vk.client import DEFAULT_LIMITS as VK_LIMITS
from connectors.vk.errors import BY_WORDS, MEANINGS

if TYPE_CHECKING:
    from collections.abc import Callable

AWARE = datetime(2026, 11, 17, 7, 0, tzinfo=UTC)
NAIVE = datetime(2026, 11, 17, 7, 0)  # noqa: DTZ001 - what must be refused
README = Path(registry.__file__).parent / "README.md"
SHARED = Path(registry.__file__).resolve().parents[2] / "shared"

POST = PostSnapshot(
    page_external_id="1",
    external_id="2",
    text="",
    published_at=AWARE,
    observed_at=AWARE,
    link="https://x.example",
    raw=b"{}",
)
COMMENT = CommentSnapshot(
    page_external_id="1",
    post_external_id="2",
    external_id="3",
    text="",
    written_at=AWARE,
    observed_at=AWARE,
    link="https://x.example",
    raw=b"{}",
)
OUTGOING = Outgoing(
    guid="g",
    post=PostRef(page=PageRef(external_id="1"), external_id="2"),
    reply_to_external_id="3",
    root_external_id="3",
    text="Ответ",
    first_tried_at=AWARE,
)


@pytest.mark.parametrize(
    "make",
    [
        lambda moment: replace(POST, published_at=moment),
        lambda moment: replace(POST, observed_at=moment),
        lambda moment: replace(COMMENT, written_at=moment),
        lambda moment: replace(COMMENT, observed_at=moment),
        lambda moment: replace(COMMENT, edited_at=moment),
        lambda moment: Deletion(page_external_id="1", post_external_id="2", external_id="3", observed_at=moment),
        lambda moment: WholeThread(page_external_id="1", post_external_id="2", observed_at=moment),
        lambda moment: PostCount(page_external_id="1", external_id="2", comment_count=0, observed_at=moment),
        lambda moment: Sent(external_id="4", published_at=moment, link="https://x.example"),
        lambda moment: replace(OUTGOING, first_tried_at=moment),
    ],
)
def test_a_moment_without_a_zone_is_refused(make: Callable[[datetime], object]) -> None:
    assert make(AWARE)
    with pytest.raises(ValueError, match="without a time zone"):
        make(NAIVE)


def test_a_comment_names_its_post_or_its_thread() -> None:
    assert replace(COMMENT, post_external_id=None, thread_ref="t").thread_ref == "t"
    with pytest.raises(ValueError, match="neither its post nor its thread"):
        replace(COMMENT, post_external_id=None)


def test_a_secret_does_not_show() -> None:
    assert "s3cret" not in repr(Credential(key="k", kind="user", secret="s3cret"))


# --- the registry ----------------------------------------------------------------------------------------------------


def test_ours_load_as_a_stranger_s_would() -> None:
    plugins = registry.load()
    assert {"vk", "telegram"} <= set(plugins)
    for platform, plugin in plugins.items():
        assert plugin.platform == platform
        assert plugin.default_api_url.startswith("https://")


def test_a_connector_that_is_not_installed() -> None:
    with pytest.raises(registry.BrokenConnectorError, match="No connector named 'myspace'"):
        registry.load(("vk", "myspace"))


def point(name: str, value: str) -> EntryPoint:
    return EntryPoint(name=name, value=value, group=registry.GROUP)


OLD = Plugin(
    platform="old",
    title="Old",
    default_api_url="https://old.example",
    credential_kinds=("x",),
    text_limit=1,
    capabilities=(),
    build=fake_plugin(FakeWorld()).build,
    contract_version=0,
)
TWIN = replace(OLD, contract_version=1, platform="vk")


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("no_such_package_here:plugin", "does not load"),
        ("connectors.vk:nothing", "does not load"),
        ("connectors.vk:API_URL", "does not offer a Plugin"),
        (f"{__name__}:OLD", "does not offer a Plugin of contract"),
    ],
)
def test_a_broken_connector_stops_the_process(value: str, words: str) -> None:
    sys.modules.setdefault(__name__, sys.modules[__name__])
    with pytest.raises(registry.BrokenConnectorError, match=words):
        registry.load(("bad",), points=(point("bad", value),))


def test_two_connectors_of_one_platform() -> None:
    points = (point("vk", "connectors.vk:plugin"), point("vk2", f"{__name__}:TWIN"))
    with pytest.raises(registry.BrokenConnectorError, match="Two connectors"):
        registry.load(points=points)


def test_only_what_is_enabled_is_loaded() -> None:
    points = (point("vk", "connectors.vk:plugin"), point("bad", "no_such_package_here:plugin"))
    assert set(registry.load(("vk",), points=points)) == {"vk"}


# --- pacing ----------------------------------------------------------------------------------------------------------


async def test_a_window_is_never_exceeded_whatever_the_latency() -> None:
    window, moments = Window(3, 0.1), []

    async def call(number: int) -> None:
        async with paced(window, patience=30):
            # The platform may count the call at any moment between start and end.
            await asyncio.sleep(0.005 * (number % 5))
            moments.append(time.monotonic())
            await asyncio.sleep(0.005 * ((number + 2) % 5))

    await asyncio.gather(*(call(number) for number in range(20)))
    moments.sort()
    assert len(moments) == 20
    assert all(later - first >= 0.1 for first, later in zip(moments, moments[3:], strict=False))


async def test_a_window_serves_in_the_order_of_asking() -> None:
    window, served = Window(1, 0.001), []

    async def call(number: int) -> None:
        async with paced(window, patience=30):
            served.append(number)

    await asyncio.gather(*(call(number) for number in range(20)))
    assert served == list(range(20))


async def test_patience_ends_and_nothing_stays_taken() -> None:
    window = Window(1, 0.05)
    async with paced(window, patience=1):
        with pytest.raises(TryLater, match="rate") as told:
            async with paced(window, patience=0.02):
                raise AssertionError
        assert told.value.after == timedelta(seconds=0.05)
        assert window.load == 1
    async with paced(window, patience=5):
        pass
    await asyncio.sleep(0.1)
    assert window.load == 0


def test_a_quota_counts_a_sliding_span() -> None:
    quota = Quota(2, 0.05)
    quota.take()
    quota.take()
    with pytest.raises(TryLater, match="quota") as told:
        quota.take()
    assert timedelta() < told.value.after <= timedelta(seconds=0.05)
    time.sleep(0.06)
    quota.take()


# --- payloads --------------------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(st.binary(max_size=60))
def test_every_byte_can_be_had_back(body: bytes) -> None:
    text = readable_json(b'"' + body.replace(b"\\", b"/").replace(b'"', b"'") + b'"')
    assert not any("\ud800" <= character <= "\udfff" for character in text)
    escaped = text.encode().decode("unicode_escape") if text.isascii() else None
    assert escaped is None or len(escaped) == len(body) + 2


@settings(deadline=None)
@given(st.text(st.characters()))
def test_raw_bytes_keep_every_character(text: str) -> None:
    import json  # noqa: PLC0415 - only here

    assert json.loads(to_bytes({"text": text})) == {"text": text}
    deep: object = text
    for _ in range(5000):
        deep = [deep]
    assert to_bytes(deep)


@pytest.mark.parametrize(("text", "good"), [("Да", True), ("👍", True), ("", False), (" \n", False), ("\0", False), ("а\ud800", False)])
def test_what_can_be_published(text: str, good: bool) -> None:  # noqa: FBT001 - a table
    assert is_publishable(text) is good


# --- the README tells all of it --------------------------------------------------------------------------------------


def test_every_error_code_and_limit_is_explained() -> None:
    text = README.read_text("utf-8")
    codes = {meaning.code for meaning in (*MEANINGS.values(), *BY_WORDS.values(), *VIBER.values())}
    codes |= {code for _, _, code in BAD_REQUEST} | {code for _, code in BY_STATUS.values()}
    codes |= {"network", "malformed", "too_large", "redirect", "http_status", "conflict", "moved", "unknown_error"}
    codes |= {"not_a_page", "bad_text", "too_long", "token_kind"}
    limits = {*VK_LIMITS, "batch", "bot_per_second", "chat_per_second", "group_per_minute", "poll_seconds"}
    missing = sorted(word for word in codes | limits if f"`{word}`" not in text)
    assert missing == []


# --- the platforms' published descriptions ---------------------------------------------------------------------------


def described(name: str) -> dict[str, object]:
    import json  # noqa: PLC0415 - only here

    path = SHARED / "platform-specs" / name
    if not path.exists():
        pytest.skip(f"needs ../shared: platform-specs/{name}")
    value: dict[str, object] = json.loads(path.read_text("utf-8"))
    return value


def test_vk_s_token_kinds_are_the_published_ones() -> None:
    methods = described("vk-comment-methods.json")["methods"]
    assert isinstance(methods, dict)
    words = {"user": "user", "group": "community", "service": "service"}
    for capability in registry.load(("vk",))["vk"].capabilities:
        method = capability.methods[0]
        if method not in methods:  # the extract holds the methods of walls; the whole schema has the others
            section = described(f"vk-api-schema/{method.partition('.')[0]}/methods.json")["methods"]
            assert isinstance(section, list)
            methods[method] = {"tokens": next(one["access_token_type"] for one in section if one["name"] == method)}
        allowed = {words[kind] for kind in methods[method]["tokens"]}
        assert set(capability.token_kinds) == allowed, method


def test_every_field_of_a_telegram_message_is_content_or_news_or_about_it() -> None:
    types = described("telegram-bot-api.json")["types"]
    assert isinstance(types, dict)
    fields = {field["name"]: field["description"] for field in types["Message"]["fields"]}
    assert set(fields) >= SERVICE
    for name, description in fields.items():
        if "Service message" in description:
            assert is_service({name: {}}), name
            assert not is_written({name: {}}), name


@pytest.mark.timeout(90)  # the first import of aiogram takes many seconds of a busy machine
def test_a_built_connector_opens_nothing() -> None:
    for plugin in registry.load().values():
        connector = plugin.build(Options(api_url=None, credentials=()))
        asyncio.run(connector.close())
