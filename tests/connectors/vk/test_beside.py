"""Comments beside the wall: found, counted, read, answered and pushed as far as VK lets each kind of token."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from connectors.amends import Standing
from connectors.conformance.stage import caught
from connectors.contract import Absent, AccessLost, CannotTell, Found, Pages, PostRef, PushRequest, Rejected, utc_now
from connectors.sandbox.limits import Limits
from connectors.vk.links import VkLinks
from connectors.vk.push import VkPush
from tests.connectors.vk.test_vk import PAGE, town

if TYPE_CHECKING:
    from tests.connectors.vk.test_vk import Town

KINDS = ("photo", "video", "topic")
QUICK = Limits(vk_user_per_second=100, vk_service_per_second=100)


async def _beside(here: Town, kind: str) -> tuple[PostRef, str, str]:
    """Such a place with a question and a reply to it: the place and both numbers."""
    told = await here.world.post("/world/posts", platform="vk", page="sadovoye", text=f"Наш {kind}", kind=kind)
    where = {"platform": "vk", "page": "sadovoye", "post_id": told["id"], "author": "Инна"}
    first = await here.world.post("/world/comments", text="Когда почините?", **where)
    reply = await here.world.post("/world/comments", text="И мне интересно", reply_to=first["id"], **where)
    return PostRef(page=PAGE, external_id=f"{kind}{told['id']}".removeprefix("wall")), first["id"], reply["id"]


@pytest.mark.parametrize("kind", KINDS)
async def test_what_people_write_beside_the_wall_is_found_read_and_answered(kind: str) -> None:
    async with town("user", "service", "community", limits=QUICK) as here:
        here.vk = type(here.vk)(here.options("user", "service", "community", user_per_second=100, service_per_second=100), here.world.url)
        await here.world.post("/world/posts", platform="vk", page="sadovoye", text="Пусто", kind=kind)
        place, first, reply = await _beside(here, kind)
        listed = await here.vk.list_places("-4242")
        (post,) = listed.posts
        assert (post.external_id, post.comment_count) == (place.external_id, 2)
        assert f"Наш {kind}" in post.text
        assert post.link == f"https://vk.com/{kind}-4242_{place.external_id.removeprefix(kind)}"
        assert (await here.vk.list_places("-4242")).posts == ()  # asked only lately
        assert (await here.vk.discover(PAGE, limit=10)).posts == ()  # no post of the wall
        wall = await here.post()
        counts = {count.external_id: (count.comment_count, count.gone) for count in await here.vk.probe([wall, place])}
        assert counts == {wall.external_id: (0, False), place.external_id: (2, False)}
        batch = await here.vk.read_thread(place, root_external_id=None, cursor=None)
        told = {one.external_id: one for one in batch.comments}
        assert {number: one.text for number, one in told.items()} == {first: "Когда почините?", reply: "И мне интересно"}
        assert told[first].root_external_id == first
        assert told[reply].root_external_id == {"photo": None, "video": first, "topic": reply}[kind]  # as far as VK tells
        assert batch.complete_for
        for number, one in told.items():  # and so does a link that somebody pastes
            reference = VkLinks().read(one.link)
            assert reference is not None
            (fetched,) = (await here.vk.fetch_reference(reference, PAGE)).batch.comments
            assert (fetched.external_id, fetched.text, fetched.author) == (number, one.text, one.author)
            assert (fetched.post_external_id, fetched.link.partition("&")[0]) == (place.external_id, one.link.partition("&")[0])
        sent = await here.vk.send(here.answer(place, first, "Завтра"))
        assert sent.link.startswith(post.link)
        found = await here.vk.find_sent(here.answer(place, first, "Завтра"))
        assert isinstance(found, Found)
        assert found.sent == sent
        assert isinstance(await here.vk.find_sent(here.answer(place, first, "Не было такого")), Absent)
        standing = Standing(post=place, external_id=sent.external_id, root_external_id=first, published_at=sent.published_at)
        refused = await caught(here.vk.delete_answer(standing))  # a comment of the wall may have the same number
        assert isinstance(refused, Rejected)
        assert isinstance(await here.vk.look_at_answer(standing), CannotTell)
        await here.world.delete(f"/world/posts/vk/sadovoye/{place.external_id.removeprefix(kind)}")
        (gone,) = await here.vk.probe([place])
        assert gone.gone


async def test_without_a_users_token_discussions_are_read_and_nothing_is_answered_there() -> None:
    async with town("service", "community", limits=QUICK) as here:
        here.vk = type(here.vk)(here.options("service", "community", service_per_second=100), here.world.url)
        places = {kind: await _beside(here, kind) for kind in KINDS}
        assert [post.external_id for post in (await here.vk.list_places("-4242")).posts] == [places["topic"][0].external_id]
        topic, first, _ = places["topic"]
        assert len((await here.vk.read_thread(topic, root_external_id=None, cursor=None)).comments) == 2
        assert [count.comment_count for count in await here.vk.probe([topic])] == [2]
        refused = await caught(here.vk.send(here.answer(topic, first, "Завтра")))
        assert isinstance(refused, AccessLost)
        assert refused.code == "token_kind"
        assert await here.vk.probe([places["video"][0]]) == []


async def test_what_is_pushed_from_the_wall_and_beside_it_stands_where_it_is_read() -> None:
    """New, edited, deleted, restored; the events are the sandbox's own."""
    async with town("user") as here:
        seen: dict[str, list[tuple[str, str]]] = {}
        cursor = (await here.vk.listen("-4242", None)).cursor
        for kind in (*KINDS, "wall"):
            place, first, _ = await _beside(here, kind)
            address = f"/world/comments/vk/sadovoye/{place.external_id.removeprefix(kind)}/{first}"
            await here.world.patch(address, text="Исправлено")
            await here.world.delete(address)
            await here.world.post(f"{address}/restore")
            written = [("new", "Когда почините?"), ("new", "И мне интересно"), ("edit", "Исправлено")]
            seen[place.external_id] = [*written, ("delete", ""), ("restore", "Исправлено")]
        heard = await here.vk.listen("-4242", cursor)
        told: dict[str, list[tuple[str, str]]] = {}
        for event in heard.events:
            assert VkPush().read(PushRequest(body=event.body)).event_id == event.event_id
            batch = here.vk.parse_push(PAGE, Pages(), event.body, observed_at=utc_now())
            assert not batch.unreadable
            assert not batch.skipped
            what = json.loads(event.body)["type"].rpartition("_")[2]
            for comment in batch.comments:
                told.setdefault(str(comment.post_external_id), []).append((what, comment.text))
            for deletion in batch.deletions:
                told.setdefault(deletion.post_external_id, []).append((what, ""))
        assert told == seen
