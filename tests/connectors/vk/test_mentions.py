"""What is written about a community elsewhere: searches as pages, what is found, what is noise, what can be answered."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from connectors.conformance.stage import caught
from connectors.contract import AccessLost, CannotTell, PageRef, PostRef, Rejected, TryLater
from connectors.pages import PageFacts
from connectors.vk import mentions
from connectors.vk.connector import VkConnector
from tests.connectors.vk.test_vk import town

if TYPE_CHECKING:
    from tests.connectors.vk.test_vk import Town

OWN = ("-4242",)


async def _foreign(here: Town) -> None:
    """A community that nobody of us keeps, with a post and comments about the village."""
    await here.world.post("/world/pages", platform="vk", page="gossip", id=77, title="Подслушано")
    await here.world.post("/world/posts", platform="vk", page="gossip", text="Снег в Садовом не убран, @sadovoye молчит")
    for text in ("И у нас снег не убран", "[club4242|Садовое], ответьте", "Просто болтовня"):
        await here.world.post("/world/comments", platform="vk", page="gossip", post_id="1", author="Инна", text=text)
    await here.post("Снег убран, всё хорошо")  # our own words are no mention
    own = await here.post("Пост")
    await here.comment(own, "А у меня снег не убран", author="Олег")  # nor is what stands on our wall: it is read there


@pytest.mark.parametrize(
    ("link", "asked"),
    [
        ("mentions:sadovoye", mentions.Asked("sadovoye", None)),
        ("search:sadovoye:  снег   не убран ", mentions.Asked("sadovoye", "снег не убран")),
        ("https://vk.com/search/statuses?q=%D1%81#search:sadovoye:%D1%81", mentions.Asked("sadovoye", "с")),
        ("search:sadovoye", None), ("search:sadovoye:  ", None), ("mentions:", None), ("mentions:a:b", None),
        ("https://vk.com/sadovoye", None),
    ],
)  # fmt: skip
def test_a_search_is_named_like_a_page(link: str, asked: mentions.Asked | None) -> None:
    assert mentions.asked(link) == asked


async def test_words_are_found_elsewhere_and_our_own_are_only_counted() -> None:
    async with town("service", "community") as here:
        await _foreign(here)
        here.vk = VkConnector(here.options("service", "community", search_per_day=1), here.world.url)
        page = await here.vk.describe_page("search:sadovoye:Снег УБРАН")
        assert (page.external_id, page.title, page.elsewhere) == ("search:-4242:снег убран", "«Снег УБРАН» · Село Садовое", True)
        assert await here.vk.describe_page(page.link) == replace(page, title="«Снег УБРАН» · Село Садовое")
        told = await here.vk.tell_pages(["search:sadovoye:Снег УБРАН", page.external_id, "search:nobody:снег"])
        for name in ("search:sadovoye:Снег УБРАН", page.external_id):
            facts = told[name]
            assert isinstance(facts, PageFacts)
            assert (facts.external_id, facts.elsewhere) == (page.external_id, True)
        assert isinstance(told["search:nobody:снег"], Rejected)
        batch = await here.vk.mentions(page.external_id, limit=50, own=OWN)
        found = {(one.post_external_id, one.external_id): one for one in batch.comments}
        assert {key: one.text for key, one in found.items()} == {
            ("-77_1", "post"): "Снег в Садовом не убран, @sadovoye молчит",
            ("-77_1", "2"): "И у нас снег не убран",
        }
        assert batch.skipped == {"written by or on our own pages": 2}
        assert {(post.external_id, post.text) for post in batch.posts} == {("-77_1", "Подслушано")}
        assert found["-77_1", "2"].link == "https://vk.com/wall-77_1?reply=2"
        author = found["-77_1", "2"].author
        assert author is not None
        assert author.name == "Инна"
        spent = await caught(here.vk.mentions(page.external_id, limit=50, own=OWN))
        assert isinstance(spent, TryLater)
        assert spent.code == "quota"


async def test_who_names_the_community_is_found_with_a_users_token() -> None:
    async with town("user") as here:
        await _foreign(here)
        page = await here.vk.describe_page("mentions:sadovoye")
        assert page.external_id == "mentions:-4242"
        batch = await here.vk.mentions(page.external_id, limit=50, own=OWN)
        assert [(one.external_id, one.text) for one in batch.comments] == [
            ("3", "[club4242|Садовое], ответьте"), ("post", "Снег в Садовом не убран, @sadovoye молчит"),
        ]  # fmt: skip
    async with town("service") as here:
        lost = await caught(here.vk.mentions("mentions:-4242", limit=5, own=OWN))
        assert isinstance(lost, AccessLost)
        assert lost.code == "token_kind"


async def test_a_mention_is_answered_where_it_stands_or_by_hand() -> None:
    """In the community's name, by a person who keeps it; its own token writes on its own wall alone."""
    async with town("user", "community") as here:
        await _foreign(here)
        post = PostRef(page=PageRef(external_id="mentions:-4242"), external_id="-77_1")
        assert await here.vk.probe([post]) == []  # what others write there is not read
        sent = await here.vk.send(here.answer(post, "post", "Уберём завтра"))
        assert sent.link.startswith("https://vk.com/wall-77_1?reply=")
        read = await here.vk.read_thread(post, root_external_id="post", cursor=None)
        assert [(one.text, one.reply_to_external_id, one.by_page) for one in read.comments] == [("Уберём завтра", "post", True)]
        assert read.skipped == {"talk elsewhere": 3}
        assert read.complete_for == ()
        assert isinstance(await here.vk.find_sent(here.answer(post, "2", "Не было")), CannotTell)
        await here.world.delete("/world/posts/vk/gossip/1")
        (gone,) = await here.vk.probe([post])
        assert gone.gone
    async with town("service", "community") as here:
        refused = await caught(here.vk.send(here.answer(post, "post", "Уберём завтра")))
        assert isinstance(refused, AccessLost)
        assert refused.code == "token_kind"
        odd = await caught(here.vk.probe([PostRef(page=post.page, external_id="1")]))
        assert isinstance(odd, Rejected)
