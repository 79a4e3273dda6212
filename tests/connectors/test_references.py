"""Links that people paste: what they name, what they only seem to name, and what a platform shows of it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from connectors.conformance.stage import caught
from connectors.contract import AccessLost, Credential, Options, PageRef, Reference, Rejected
from connectors.max import plugin as max_plugin
from connectors.ok import plugin as ok_plugin
from connectors.references import FetchesReferences
from connectors.telegram import plugin as telegram_plugin
from connectors.vk import plugin as vk_plugin

if TYPE_CHECKING:
    from connectors.contract import Plugin
    from tests.connectors.staging import Server

VK, OK, TELEGRAM, MAX = vk_plugin, ok_plugin, telegram_plugin, max_plugin
SCALE = 50.0

NAMED: list[tuple[Plugin, str, tuple[str | None, ...], str]] = [
    # page, post, thread, comment, root
    (VK, "https://vk.com/wall-42_15", ("-42", "15", None, None, None), "https://vk.com/wall-42_15"),
    (VK, " m.vk.ru/wall-42_15?reply=31 ", ("-42", "15", None, "31", "31"), "https://vk.com/wall-42_15?reply=31"),
    (VK, "https://vk.com/wall7_15?reply=33&thread=31", ("7", "15", None, "33", "31"), "https://vk.com/wall7_15?reply=33&thread=31"),
    (VK, "https://vk.com/town?w=wall-42_15_r31", ("-42", "15", None, "31", "31"), "https://vk.com/wall-42_15?reply=31"),
    (VK, "https://vk.com/town?w=wall-42_15%2Fall", ("-42", "15", None, None, None), "https://vk.com/wall-42_15"),
    (VK, "vk.com/town?z=photo-42_15%2Falbum-42_0", ("-42", "photo15", None, None, None), "https://vk.com/photo-42_15"),
    (VK, "https://vk.com/photo-42_15?reply=31", ("-42", "photo15", None, "31", "31"), "https://vk.com/photo-42_15?reply=31"),
    (VK, "m.vk.com/video-42_15?reply=33&thread=31", ("-42", "video15", None, "33", "31"), "https://vk.com/video-42_15?reply=33&thread=31"),
    (VK, "https://vk.com/topic-42_15?post=31", ("-42", "topic15", None, "31", "31"), "https://vk.com/topic-42_15?post=31"),
    (OK, "https://ok.ru/group/52/topic/63", ("52", "63", None, None, None), "https://ok.ru/group/52/topic/63"),
    (OK, "https://m.ok.ru/Town.Hall/topic/63#MTY_1", ("town.hall", "63", None, "MTY_1", None), "https://ok.ru/town.hall/topic/63#MTY_1"),
    (OK, "https://ok.ru/profile/5/statuses/6", ("5", "USER_STATUS:6", None, None, None), "https://ok.ru/profile/5/statuses/6"),
    (TELEGRAM, "https://t.me/Town_News/5?comment=77", ("town_news", "5", None, "77", None), "https://t.me/town_news/5?comment=77"),
    (TELEGRAM, "t.me/s/town_news/5", ("town_news", "5", None, None, None), "https://t.me/town_news/5"),
    (TELEGRAM, "https://t.me/c/150/77?thread=70", ("-100150", None, "70", "77", None), "https://t.me/c/150/77?thread=70"),
    (TELEGRAM, "https://t.me/town_talk/70/77", ("town_talk", None, "70", "77", None), "https://t.me/town_talk/77?thread=70"),
    (
        MAX,
        "https://web.max.ru/Sadovoye/AZ-1",
        ("sadovoye", None, "https://max.ru/Sadovoye/AZ-1", None, None),
        "https://max.ru/Sadovoye/AZ-1",
    ),
    (MAX, "https://max.ru/a1/b2#m.3", ("a1", None, "https://max.ru/a1/b2", "m.3", None), "https://max.ru/a1/b2#m.3"),
]


@pytest.mark.parametrize(("plugin", "pasted", "named", "link"), NAMED, ids=[pasted.strip() for _, pasted, _, _ in NAMED])
def test_a_link_names_its_place(plugin: Plugin, pasted: str, named: tuple[str | None, ...], link: str) -> None:
    assert plugin.links is not None
    found = plugin.links.read(pasted)
    assert found is not None
    assert (found.page, found.post, found.thread, found.comment, found.root) == named
    assert found.link == link
    assert plugin.links.read(found.link) == found  # what we show leads to the same place
    assert [other.platform for other in (VK, OK, TELEGRAM, MAX) if other.links and other.links.read(pasted)] == [plugin.platform]


HOSTILE = [
    "https://vk.com@evil.example/wall-1_2", "https://vk.com.evil.example/wall-1_2", "https://evil.example/vk.com/wall-1_2",
    "https://vk.com:8080/wall-1_2", "https://user:secret@vk.com/wall-1_2", "file:///vk.com/wall-1_2",
    "javascript://vk.com/wall-1_2%0aalert(1)",
    "https://vк.com/wall-1_2", "https://vk.com\\@evil.example/wall-1_2", "https://vk.com/wall-1_2\nhttps://evil.example",
    "//vk.com/wall-1_2", "https://vk.com/wall-1", "https://vk.com/durov", "https://vk.com/wall-1_" + "9" * 40,
    "https://127.0.0.1/wall-1_2", "https://[::1/wall-1_2",
    "https://t.me/+invitehash", "https://t.me/joinchat/5", "https://t.me/proxy?server=evil.example&port=5", "https://t.me/town/../../5",
    "https://ok.ru/dk?st.cmd=externalLinkRedirect&st.link=https://evil.example", "https://ok.ru/group/5", "https://max.ru/", "https://max.ru/town",
    "https://vk.com/away.php?to=https://evil.example/wall-1_2", "", " ", "wall-1_2", "https://vk.com/" + "a" * 3000,
]  # fmt: skip


@pytest.mark.parametrize("pasted", HOSTILE, ids=range(len(HOSTILE)))
def test_what_only_looks_like_a_platform_s_link_names_nothing(pasted: str) -> None:
    assert [plugin.platform for plugin in (VK, OK, TELEGRAM, MAX) if plugin.links and plugin.links.read(pasted)] == []


def test_a_long_link_is_read_in_no_time() -> None:
    """No pattern looks back and forth: thirty thousand characters in a row are refused at once."""
    began = time.process_time()
    for plugin in (VK, OK, TELEGRAM, MAX):
        for tail in ("?" * 30_000, "&w=wall-1" * 3_000, "/topic" * 5_000):
            assert plugin.links is not None
            assert plugin.links.read(f"https://vk.com/{tail}") is None
    assert time.process_time() - began < 5


PEOPLE: dict[str, tuple[dict[str, object], str, str, int]] = {
    "vk": ({"kind": "service", "token": "t-vk"}, "t-vk", "service", -61),
    "ok": ({"kind": "user", "token": "CKEY made-up-secret t-ok", "pages": ["sad"]}, "CKEY made-up-secret t-ok", "user", 61),
    "max": ({"token": "t-max", "username": "sad_bot", "pages": ["sad"]}, "t-max", "bot", -61),
}


@pytest.mark.parametrize("plugin", [VK, OK, MAX], ids=["vk", "ok", "max"])
async def test_a_platform_shows_the_comment_and_its_post(server: Server, plugin: Plugin) -> None:
    """By the very link that the platform gives them when they are polled; what is gone is gone, and nothing else is asked."""
    platform = plugin.platform
    token, secret, kind, number = PEOPLE[platform]
    async with server.world(SCALE) as world:
        await world.post("/world/pages", platform=platform, page="sad", id=61, title="Сад")
        await world.post("/world/tokens", platform=platform, **token)
        post = await world.post("/world/posts", platform=platform, page="sad", text="Дороги")
        at = {"platform": platform, "page": "sad", "post_id": post["id"]}
        top = await world.post("/world/comments", **at, text="А яма?", author="Олег Нилов")
        reply = await world.post("/world/comments", **at, text="И у нас", author="Анна", reply_to=top["id"])
        options = Options(api_url=world.url, credentials=(Credential(key="k", kind=kind, secret=secret),), time_scale=SCALE, timeout=5)
        connector: Any = plugin.build(options)
        fetches: bool = isinstance(connector, FetchesReferences)
        assert fetches
        try:
            await _walk(plugin, connector, PageRef(external_id=str(number)), (str(top["id"]), str(reply["id"])))
        finally:
            await connector.close()


async def _walk(plugin: Plugin, connector: Any, page: PageRef, comments: tuple[str, str]) -> None:
    page = PageRef(external_id=(await connector.describe_page("sad")).external_id)
    (post,) = (await connector.discover(page, limit=5)).posts
    assert plugin.links is not None
    polled = {one.external_id: one for one in (await connector.read_thread(_post(page, post), root_external_id=None, cursor=None)).comments}
    for number, words, author in zip(comments, ("А яма?", "И у нас"), ("Олег Нилов", "Анна"), strict=True):
        reference = plugin.links.read(polled[number].link)
        assert reference is not None
        for watched in (page, None):
            found = await connector.fetch_reference(reference, watched)
            assert (found.text, found.author and found.author.name) == (words, author)
            assert found.written_at == polled[number].written_at
            (stored,) = found.batch.comments
            assert (stored.external_id, stored.post_external_id, stored.root_external_id) == (
                number, post.external_id, polled[number].root_external_id,
            )  # fmt: skip
            assert [(one.external_id, one.text) for one in found.batch.posts] == [(post.external_id, "Дороги")]
    reference = plugin.links.read(post.link)
    assert reference is not None
    assert (await connector.fetch_reference(reference, page)).text == "Дороги"
    fields = {name: getattr(reference, name) for name in ("link", "page", "post", "thread")}
    error = await caught(connector.fetch_reference(Reference(**fields, comment="999999"), page))
    assert isinstance(error, Rejected)
    assert error.code == "gone"


def _post(page: PageRef, post: Any) -> Any:
    from connectors.contract import PostRef  # noqa: PLC0415 - here alone

    return PostRef(page=page, external_id=post.external_id, thread_ref=post.thread_ref)


async def test_max_shows_nothing_of_a_channel_that_is_not_the_bot_s(server: Server) -> None:
    async with server.world(SCALE) as world:
        await world.post("/world/pages", platform="max", page="other", id=77, title="Чужой")
        await world.post("/world/tokens", platform="max", token="t-max", username="sad_bot", pages=[])
        options = Options(api_url=world.url, credentials=(Credential(key="k", kind="bot", secret="t-max"),), time_scale=SCALE, timeout=5)
        connector: Any = MAX.build(options)
        assert MAX.links is not None
        error = await caught(connector.fetch_reference(MAX.links.read("https://max.ru/other/5"), None))
        await connector.close()
    assert isinstance(error, AccessLost)
    assert error.code == "no_right"
