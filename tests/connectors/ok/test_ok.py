"""OK's rules that the suite does not know: signing, what stands where, counters, and what a refusal leaves behind."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import md5
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import pytest

from connectors.conformance.stage import caught
from connectors.contract import AccessLost, Credential, Options, OutcomeUnknown, Outgoing, PageRef, PostRef, Rejected, UnknownPayload
from connectors.ok import links, mapping, signing
from connectors.ok.capabilities import CAPABILITIES
from connectors.ok.connector import OkConnector
from tests.conftest import shared
from tests.connectors.raw_server import http, raw_server
from tests.connectors.strategies import fixtures

if TYPE_CHECKING:
    from tests.connectors.staging import Server

NOW = datetime(2026, 11, 17, 7, 0, tzinfo=UTC)
RECORDED: dict[str, Any] = fixtures("ok")
UNDER = mapping.Under(page="5242", post="63001", observed_at=NOW)
KEYS = "CKEY made-up-secret made-up-access"
PAGE = PageRef(external_id="5242")
SCALE = 50.0
AT_ONCE = {"list_seconds": 0.0}
"""What is asked is asked of OK, and not of the last list."""


def options(url: str, secret: str = KEYS) -> Options:
    return Options(
        api_url=url, credentials=(Credential(key="editor", kind="user", secret=secret),), time_scale=SCALE, timeout=2.0, limits=AT_ONCE
    )


def test_a_call_is_signed_as_ok_wants_it() -> None:
    """By hand: everything but the token, sorted, then the sum of token and secret."""
    form = signing.signed(
        {"method": "group.getInfo", "uids": "5242"}, signing.Keys(application_key="K", application_secret="S", access_token="T")
    )
    own = md5(b"TS", usedforsecurity=False).hexdigest()
    assert form["sig"] == md5(f"application_key=Kformat=jsonmethod=group.getInfouids=5242{own}".encode(), usedforsecurity=False).hexdigest()
    assert form["access_token"] == "T"
    assert "S" not in form.values()
    assert signing.keys("only two") is None


def test_methods_and_parameters_are_documented() -> None:
    """Whatever we call stands in the list of methods; one that resolves short names does not and is known as missing there."""
    told = json.loads(shared("platform-specs/ok-methods.json").read_text(encoding="utf-8"))["methods"]
    used = {method for capability in CAPABILITIES for method in capability.methods}
    assert used - set(told) == {"url.getInfo"}


def test_a_listing_tells_the_groups_posts_and_nobody_else_s() -> None:
    """Where it tells only what is unread there is no counter: that goes down when somebody reads, and two more would look like none."""
    found = mapping.listing(RECORDED["discussions.getList"], observed_at=NOW)
    assert [(post.page_external_id, post.external_id, post.comment_count) for post in found.posts] == [
        ("5242", "63001", 7), ("5242", "GROUP_PHOTO:63002", None), ("77", "63004", None),
    ]  # fmt: skip
    assert found.posts[0].link == "https://ok.ru/group/5242/topic/63001"
    assert found.posts[0].published_at == datetime(2025, 11, 17, 7, 0, tzinfo=UTC)
    assert found.posts[1].published_at == NOW  # OK did not say
    assert links.parts("GROUP_PHOTO:63002") == ("GROUP_PHOTO", "63002")


def test_comments_know_who_speaks_and_to_whom() -> None:
    page = mapping.comments_page(RECORDED["discussions.getComments"], UNDER)
    asked, answered, picture = page.comments
    assert (asked.root_external_id, asked.by_page, asked.author and asked.author.name) == (asked.external_id, False, "Олег Нилов")
    assert asked.written_at.microsecond == 500_000
    assert (answered.by_page, answered.reply_to_external_id, answered.root_external_id) == (True, asked.external_id, None)
    assert [(one.kind, one.url) for one in picture.attachments] == [("photo", "https://i.mycdn.me/image?id=31")]
    assert [row.reason for row in page.unreadable] == ["comment.date_ms is not a whole number but NoneType"]
    assert page.anchor == "bmV4dA=="


@pytest.mark.parametrize(
    ("link", "group", "name"),
    [
        ("https://ok.ru/group/5242/topic/63001", "5242", None),
        ("https://m.ok.ru/group5242", "5242", None),
        ("5242", "5242", None),
        ("https://ok.ru/sadovoye", None, "sadovoye"),
        ("ok.ru/sadovoye/topics", None, "sadovoye"),
        ("@sadovoye", None, "sadovoye"),
    ],
)
def test_links_name_groups(link: str, group: str | None, name: str | None) -> None:
    found = links.named(link)
    assert found is not None
    assert (found.group, found.short_name) == (group, name)


async def test_counters_come_from_one_list_and_the_rest_one_by_one(server: Server) -> None:
    """A deleted discussion is gone; one that the list does not show is asked about by itself."""
    async with server.world(SCALE) as world:
        for page, number in (("sadovoye", 5242), ("lesnoye", 5243)):
            await world.post("/world/pages", platform="ok", page=page, id=number, title=page)
        await world.post("/world/tokens", platform="ok", token=KEYS)
        posts = [
            (await world.post("/world/posts", platform="ok", page=page, text="Пост"))["id"] for page in ("sadovoye", "lesnoye", "lesnoye")
        ]
        await world.post("/world/comments", platform="ok", page="sadovoye", post_id=posts[0], author="Инна", text="Вопрос")
        await world.delete(f"/world/posts/ok/lesnoye/{posts[2]}")
        connector = OkConnector(options(world.url), world.url)
        assert connector.calls_per_second("probe") < connector.calls_per_second("read_thread") == 3
        refs = [
            PostRef(page=PageRef(external_id=str(number)), external_id=post) for number, post in zip((5242, 5243, 5243), posts, strict=True)
        ]
        counts = {one.external_id: (one.comment_count, one.gone) for one in await connector.probe(refs)}
        assert counts == {posts[0]: (1, False), posts[1]: (0, False), posts[2]: (0, True)}
        calls = {one["method"]: one["calls"] for one in (await world.get("/calls"))["methods"]}
        assert calls == {"discussions.getList": 1, "discussions.getDiscussionCommentsCount": 1}
        await connector.close()


async def test_one_list_finds_what_changed_in_all_groups_of_a_token(server: Server) -> None:
    """However many groups are listed and counted meanwhile; then it is asked for anew, and only what changed need be read."""
    pages = [PageRef(external_id=str(number)) for number in range(5300, 5312)]
    async with server.world(SCALE) as world:
        refs = []
        for page in pages:
            await world.post("/world/pages", platform="ok", page=f"p{page.external_id}", id=int(page.external_id), title="Группа")
            post = await world.post("/world/posts", platform="ok", page=f"p{page.external_id}", text="Пост")
            refs.append(PostRef(page=page, external_id=post["id"]))
        await world.post("/world/tokens", platform="ok", token=KEYS)
        now = [datetime(2026, 11, 17, 7, 0, tzinfo=UTC)]
        connector = OkConnector(replace(options(world.url), now=lambda: now[0], limits={}), world.url)

        async def looked() -> tuple[list[int], int]:
            found = [await connector.discover(page, limit=50) for page in pages]
            counts = {one.external_id: one.comment_count for one in await connector.probe(refs)}
            calls = {one["method"]: one["calls"] for one in (await world.get("/calls"))["methods"]}
            assert [len(one.posts) for one in found] == [1] * len(pages)
            assert set(calls) == {"discussions.getList"}
            return [counts[ref.external_id] for ref in refs], calls["discussions.getList"]

        assert await looked() == ([0] * 12, 1)
        await world.post("/world/comments", platform="ok", page="p5307", post_id=refs[7].external_id, author="Инна", text="Вопрос")
        now[0] += timedelta(seconds=6) / SCALE
        assert await looked() == ([0] * 7 + [1] + [0] * 4, 2)
        await connector.close()


async def test_a_list_that_goes_on_says_how_far_back_it_was_followed() -> None:
    """By what OK orders by, the last activity: a group has few discussions among many, and old ones that are talked about come first."""
    rows = [
        {
            "object_id": str(number), "object_type": "GROUP_TOPIC", "title": "Тема", "creation_date_ms": 1_000, "total_comments_count": 1,
            "last_activity_date_ms": 1_763_000_000_000 - number * 1000, "ref_objects": [{"id": str(5242 + number % 2), "type": "GROUP"}],
        }
        for number in range(130)
    ]  # fmt: skip
    first = json.dumps({"discussions": rows[:100], "anchor": "a"}).encode()
    second = json.dumps({"discussions": rows[100:], "anchor": "b"}).encode()
    async with raw_server() as raw:
        raw.plan(http(first), http(second))
        now = datetime(2026, 11, 17, 7, 0, tzinfo=UTC)
        connector = OkConnector(replace(options(raw.url), now=lambda: now, limits={}), raw.url)
        some = await connector.discover(PAGE, limit=50)
        assert (len(some.posts), some.reached) == (50, datetime.fromtimestamp(1_763_000_000 - 99, UTC))
        every = await connector.discover(PAGE, limit=60)
        assert (len(every.posts), every.reached) == (65, None)  # the list ends there
        await connector.close()


async def test_a_counter_goes_with_the_moment_of_the_last_activity() -> None:
    """Nobody says whether replies are counted; a discussion that is counted by itself has the moment of the list, too."""
    rows = [
        {
            "object_id": number, "object_type": "GROUP_TOPIC", "title": "Тема", "last_activity_date_ms": 1_763_000_000_500,
            "ref_objects": [{"id": "5242", "type": "GROUP"}], **counted,
        }
        for number, counted in (("63001", {"total_comments_count": 4}), ("63002", {}), ("63003", {"last_activity_date_ms": None}))
    ]  # fmt: skip
    async with raw_server() as raw:
        raw.plan(http(json.dumps({"discussions": rows}).encode()), http(b"7"), http(b"1"))
        connector = OkConnector(options(raw.url), raw.url)
        told = await connector.probe([PostRef(page=PAGE, external_id=number) for number in ("63001", "63002", "63003")])
        at = datetime.fromtimestamp(1_763_000_000.5, UTC)
        assert [(one.external_id, one.comment_count, one.active_at) for one in told] == [
            ("63001", 4, at),
            ("63002", 7, at),
            ("63003", 1, None),
        ]
        await connector.close()


async def test_a_group_that_is_lost_to_us_hides_no_other_s_counters() -> None:
    """Only when nothing could be counted is that said; a listing without any token says it, too."""
    refs = [PostRef(page=PageRef(external_id=page), external_id=f"{page}1") for page in ("5242", "5243")]
    nothing, denied, three = (http(body) for body in (b'{"discussions": []}', b'{"error_code": 50, "error_msg": "NOT_ADMIN"}', b"3"))
    async with raw_server() as raw:
        raw.plan(nothing, denied, three, nothing, denied, denied)
        connector = OkConnector(options(raw.url), raw.url)
        assert [(one.external_id, one.comment_count) for one in await connector.probe(refs)] == [("52431", 3)]
        assert (await caught(connector.probe(refs))).code == "no_right"
        await connector.close()
        tokenless = OkConnector(Options(api_url=raw.url, credentials=()), raw.url)
        assert (await caught(tokenless.discover(PAGE, limit=50))).code == "token_kind"
        await tokenless.close()


@pytest.mark.parametrize(
    ("answer", "error", "code"),
    [
        (b"[]", OutcomeUnknown, "malformed"),
        (b"{}", OutcomeUnknown, "malformed"),
        (b"\xff\xfe", OutcomeUnknown, "malformed"),
        (b'{"error_code": 3, "error_msg": "METHOD"}', Rejected, "unsupported"),
        (b'{"error_code": 10, "error_msg": "PERMISSION_DENIED"}', AccessLost, "no_right"),
        (b'{"error_code": 77777, "error_msg": "?"}', Rejected, "unknown_error"),
    ],
)
async def test_a_refused_answer_is_no_mystery_and_an_odd_one_is(answer: bytes, error: type[Exception], code: str) -> None:
    outgoing = Outgoing(
        guid="g",
        post=PostRef(page=PAGE, external_id="63001"),
        reply_to_external_id="c1",
        root_external_id="c1",
        text="Ответ",
        first_tried_at=NOW,
    )
    async with raw_server() as raw:
        raw.plan(http(answer))
        connector = OkConnector(options(raw.url), raw.url)
        raised = await caught(connector.send(outgoing))
        assert (type(raised), raised.code) == (error, code)
        asked = parse_qs(raw.requests[0].partition(b"\r\n\r\n")[2].decode())
        assert {name: asked[name][0] for name in ("entityId", "entityType", "as_admin", "reply_to_comment_id")} == {
            "entityId": "63001", "entityType": "GROUP_TOPIC", "as_admin": "true", "reply_to_comment_id": "c1",
        }  # fmt: skip
        assert "made-up" not in str(raised)
        await connector.close()


async def test_hostile_answers_are_refused_whole() -> None:
    """Redirects are not followed; bytes that drip end with the time-out; a broken token never leaves the machine."""
    ref = PostRef(page=PAGE, external_id="63001")
    async with raw_server() as raw:
        connector = OkConnector(options(raw.url), raw.url)
        raw.plan(http(b"", status="302 Found", headers="Location: https://elsewhere.example/\r\n"))
        moved = await caught(connector.read_thread(ref, root_external_id=None, cursor=None))
        assert (type(moved), moved.code) == (UnknownPayload, "redirect")
        raw.drip = 0.3
        raw.plan(http(b'{"comments": []}'))
        slow = await caught(connector.read_thread(ref, root_external_id=None, cursor=None))
        assert slow.code == "network"
        await connector.close()
        asked = len(raw.requests)
        broken = OkConnector(options(raw.url, secret="one-word"), raw.url)
        told = await caught(broken.describe_page("5242"))
        assert (told.code, len(raw.requests)) == ("reauthorise", asked)
        assert "one-word" not in str(told)
        await broken.close()
