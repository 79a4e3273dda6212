"""VK's rules that the suite does not know: tokens, limits, looking an answer up, what is gone."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from connectors.conformance.stage import caught
from connectors.contract import (
    Absent,
    AccessLost,
    CannotTell,
    Credential,
    Discovers,
    Found,
    Options,
    Outgoing,
    PageRef,
    PostRef,
    Probes,
    ReadsThreads,
    Rejected,
    TryLater,
    utc_now,
)
from connectors.sandbox.limits import Limits
from connectors.sandbox.server import running
from connectors.vk import plugin
from connectors.vk.connector import VkConnector
from tests.connectors.staging import World

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from connectors.contract import Sent, SentLookup

SCALE = 20.0
PAGE = PageRef(external_id="-4242")
KINDS = {
    "user": Credential(key="person", kind="user", secret="s-user"),
    "service": Credential(key="reader", kind="service", secret="s-service"),
    "community": Credential(key="writer", kind="community", secret="s-community", page_external_id="-4242"),
}


class Town:
    """A VK page in a sandbox, and a connector with the tokens that a test chooses."""

    def __init__(self, world: World, *kinds: str) -> None:
        self.world = world
        self.vk = VkConnector(self.options(*kinds), world.url)

    def options(self, *kinds: str, **limits: float) -> Options:
        credentials = tuple(KINDS[kind] for kind in kinds)
        return Options(api_url=self.world.url, credentials=credentials, time_scale=SCALE, timeout=10, limits=limits)

    async def post(self, text: str = "Пост") -> PostRef:
        told = await self.world.post("/world/posts", platform="vk", page="sadovoye", text=text)
        return PostRef(page=PAGE, external_id=told["id"])

    async def comment(self, post: PostRef, text: str, **more: object) -> str:
        told = await self.world.post("/world/comments", platform="vk", page="sadovoye", post_id=post.external_id, text=text, **more)
        return str(told["id"])

    def answer(self, post: PostRef, comment: str, text: str, *, ago: float = 0) -> Outgoing:
        tried = utc_now() - timedelta(seconds=ago)
        return Outgoing(
            guid=f"{comment}-{text}",
            post=post,
            reply_to_external_id=comment,
            root_external_id=comment,
            text=text,
            first_tried_at=tried,
        )


@asynccontextmanager
async def town(*kinds: str, limits: Limits | None = None) -> AsyncIterator[Town]:
    with running(time_scale=SCALE, limits=limits) as sandbox:
        world = World(sandbox.url)
        await world.post("/world/pages", platform="vk", page="sadovoye", id=4242, title="Село Садовое")
        for kind in KINDS:
            await world.post("/world/tokens", platform="vk", kind=kind, token=f"s-{kind}", page="sadovoye")
        here = Town(world, *kinds)
        try:
            yield here
        finally:
            await here.vk.close()
            await world.close()


async def test_the_pace_is_kept_however_many_ask() -> None:
    async with town("service", "community") as here:
        post = await here.post()
        await asyncio.gather(*(here.vk.probe([post]) for _ in range(40)))
        calls = await here.world.get("/calls")
        (probes,) = [row for row in calls["methods"] if row["method"] == "wall.getById"]
        assert probes["outcomes"] == {"ok": 40}
        (rate,) = [row for row in calls["rates"] if row["platform"] == "vk" and "service" in row["token"]]
        assert rate["peak"] <= rate["limit"] == 3


async def test_a_used_up_day_is_not_asked_about() -> None:
    async with town("service") as here:
        vk = VkConnector(here.options("service", wall_get_per_day=2), here.world.url)
        for _ in range(2):
            await vk.discover(PAGE, limit=10)
        error = await caught(vk.discover(PAGE, limit=10))
        assert isinstance(error, TryLater)
        assert error.code == "quota"
        assert 0 < error.after.total_seconds() <= 86_400 / SCALE
        calls = await here.world.get("/calls")
        assert sum(row["calls"] for row in calls["methods"] if row["method"] == "wall.get") == 2
        await vk.close()


async def test_the_platform_s_own_quota() -> None:
    async with town("service", limits=replace(Limits(), vk_wall_get_per_day=1)) as here:
        await here.vk.discover(PAGE, limit=10)
        error = await caught(here.vk.discover(PAGE, limit=10))
        assert isinstance(error, TryLater)
        assert error.code == "quota"


async def test_another_token_reads_on_when_one_is_revoked() -> None:
    async with town("service", "user") as here:
        post = await here.post()
        await here.comment(post, "Вопрос", author="Инна")
        await here.world.delete("/world/tokens/vk/s-service")
        batch = await here.vk.read_thread(post, root_external_id=None, cursor=None)
        assert [comment.text for comment in batch.comments] == ["Вопрос"]


async def test_a_send_never_goes_to_a_second_token() -> None:
    async with town("service", "community", "user") as here:
        post = await here.post()
        comment = await here.comment(post, "Вопрос", author="Инна")
        await here.world.delete("/world/tokens/vk/s-community")
        error = await caught(here.vk.send(here.answer(post, comment, "Ответ")))
        assert isinstance(error, AccessLost)
        assert error.code == "reauthorise"
        assert error.credential_key == "writer"
        # The lost token rests, and the next attempt goes to the other one.
        assert (await here.vk.send(here.answer(post, comment, "Ответ"))).external_id


async def test_a_token_that_is_not_what_it_is_called() -> None:
    async with town() as here:
        disguised = replace(KINDS["community"], kind="service", page_external_id=None)
        vk = VkConnector(replace(here.options(), credentials=(disguised,)), here.world.url)
        error = await caught(vk.discover(PAGE, limit=10))
        assert isinstance(error, AccessLost)
        assert error.code == "token_kind"
        await vk.close()


async def test_a_token_of_another_page_does_not_write_here() -> None:
    async with town() as here:
        post = await here.post()
        foreign = replace(KINDS["community"], page_external_id="-1")
        vk = VkConnector(replace(here.options(), credentials=(foreign,)), here.world.url)
        error = await caught(vk.send(here.answer(post, "1", "Ответ")))
        assert isinstance(error, AccessLost)
        assert error.code == "token_kind"
        await vk.close()


async def test_counters_follow_and_a_vanished_post_is_gone() -> None:
    async with town("service") as here:
        post, other = await here.post(), await here.post()
        top = await here.comment(post, "Раз", author="Инна")
        await here.comment(post, "Два", author="Олег", reply_to=top)
        assert [(one.comment_count, one.gone) for one in await here.vk.probe([post, other])] == [(2, False), (0, False)]
        await here.world.delete(f"/world/posts/vk/sadovoye/{post.external_id}")
        assert [one.gone for one in await here.vk.probe([post, other])] == [True, False]
        error = await caught(here.vk.read_thread(post, root_external_id=None, cursor=None))
        assert isinstance(error, Rejected)
        assert error.code == "gone"
        assert isinstance(await caught(here.vk.probe([post] * 101)), Rejected)
        assert await here.vk.probe([]) == []


async def test_a_reading_says_what_has_been_deleted() -> None:
    async with town("service") as here:
        post = await here.post()
        kept = await here.comment(post, "Останется", author="Инна")
        gone = await here.comment(post, "Исчезнет", author="Инна")
        stub = await here.comment(post, "С ответом", author="Инна")
        under = await here.comment(post, "Ответ", author="Олег", reply_to=stub)
        for number in (gone, stub):
            await here.world.delete(f"/world/comments/vk/sadovoye/{post.external_id}/{number}")
        batch = await here.vk.read_thread(post, root_external_id=None, cursor=None)
        told = {comment.external_id: comment.deleted for comment in batch.comments}
        assert gone not in told
        assert (told[kept], told[under]) == (False, False)
        assert told.get(stub, True)
        assert batch.complete_for[0].root_external_id is None


async def test_a_thread_that_is_refused_does_not_stop_the_reading() -> None:
    async with town("service") as here:
        post = await here.post()
        long = await here.comment(post, "Длинная ветка", author="Инна")
        for number in range(12):
            await here.comment(post, f"Голос {number}", author="Олег", reply_to=long)
        first = await here.vk.read_thread(post, root_external_id=None, cursor=None)
        assert first.cursor
        refusal = {"platform": "vk", "method": "wall.getComments", "kind": "error", "code": 100}
        await here.world.post("/faults", **refusal, text="parameter missing or invalid: comment_id is incorrect")
        rest = await here.vk.read_thread(post, root_external_id=None, cursor=first.cursor)
        assert (rest.cursor, rest.complete_for) == (None, ())
        await here.world.post("/faults", **refusal, count=2, text="comment_id is incorrect")
        error = await caught(here.vk.read_thread(post, root_external_id=None, cursor=first.cursor))
        assert isinstance(error, Rejected)


async def test_a_deleted_author_still_asked() -> None:
    async with town("service") as here:
        post = await here.post()
        number = await here.comment(post, "Я удалился", author=None)
        batch = await here.vk.read_thread(post, root_external_id=None, cursor=None)
        (comment,) = batch.comments
        assert (comment.external_id, comment.text) == (number, "Я удалился")


async def found(here: Town, answer: Outgoing) -> SentLookup:
    return await here.vk.find_sent(answer)


async def test_an_answer_is_found_by_text_parent_and_time() -> None:
    async with town("service", "community") as here:
        post = await here.post()
        first = await here.comment(post, "Вопрос", author="Инна")
        second = await here.comment(post, "Другой вопрос", author="Олег")
        await here.comment(post, "Передали в дорожную службу.", author="Инна", reply_to=first)
        answer = here.answer(post, first, "Передали в дорожную  службу.\nСпасибо & ждите")
        assert await found(here, answer) == Absent()
        sent: Sent = await here.vk.send(answer)
        assert await found(here, answer) == Found(sent=sent)
        assert await found(here, here.answer(post, second, answer.text)) == Absent()
        assert await found(here, here.answer(post, first, "Другой ответ")) == Absent()
        later = replace(answer, first_tried_at=utc_now() + timedelta(minutes=5))
        assert await found(here, later) == Absent()


async def test_the_same_guid_is_published_once() -> None:
    async with town("service", "community") as here:
        post = await here.post()
        comment = await here.comment(post, "Вопрос", author="Инна")
        answer = here.answer(post, comment, "Ответ")
        first, second = await here.vk.send(answer), await here.vk.send(answer)
        assert first == second
        assert len((await here.world.get("/truth"))["answers"]) == 1


async def test_a_long_thread_is_looked_through_to_its_end() -> None:
    async with town("service", "community") as here:
        post = await here.post()
        comment = await here.comment(post, "Вопрос", author="Инна")
        for number in range(130):
            await here.comment(post, f"Голос {number}", author="Олег", reply_to=comment)
        answer = here.answer(post, comment, "Ответ")
        assert await found(here, answer) == Absent()
        sent = await here.vk.send(answer)
        assert await found(here, answer) == Found(sent=sent)


async def test_without_a_reading_token_nobody_knows() -> None:
    async with town("community") as here:
        post = await here.post()
        comment = await here.comment(post, "Вопрос", author="Инна")
        answer = here.answer(post, comment, "Ответ")
        sent = await here.vk.send(answer)
        assert sent.external_id
        assert abs((sent.published_at - utc_now()).total_seconds()) < 10
        assert isinstance(await found(here, answer), CannotTell)


async def test_a_vanished_post_leaves_the_fate_unknown() -> None:
    async with town("service", "community") as here:
        post = await here.post()
        comment = await here.comment(post, "Вопрос", author="Инна")
        await here.world.delete(f"/world/posts/vk/sadovoye/{post.external_id}")
        assert isinstance(await found(here, here.answer(post, comment, "Ответ")), CannotTell)


async def test_a_user_token_does_all_of_it() -> None:
    async with town("user") as here:
        post = await here.post()
        comment = await here.comment(post, "Вопрос", author="Инна")
        answer = here.answer(post, comment, "Ответ от имени сообщества")
        sent = await here.vk.send(answer)
        batch = await here.vk.read_thread(post, root_external_id=None, cursor=None)
        (own,) = [one for one in batch.comments if one.external_id == sent.external_id]
        assert own.by_page
        assert own.written_at == sent.published_at


async def test_comments_that_were_closed() -> None:
    async with town("service", "community") as here:
        post = await here.post()
        comment = await here.comment(post, "Вопрос", author="Инна")
        await here.world.patch(f"/world/posts/vk/sadovoye/{post.external_id}", comments_open=False)
        error = await caught(here.vk.send(here.answer(post, comment, "Ответ")))
        assert isinstance(error, Rejected)
        assert error.code == "comments_closed"


@pytest.mark.parametrize(
    ("link", "code"),
    [("https://vk.com/nobody_is_here", "gone"), ("https://vk.com/id1", "not_a_page"), ("club1", "bad_request")],
)
async def test_a_link_that_leads_to_no_page(link: str, code: str) -> None:
    async with town("service") as here:
        error = await caught(here.vk.describe_page(link))
        assert isinstance(error, Rejected)
        assert error.code == code


async def test_ids_that_are_not_vk_s() -> None:
    async with town("service", "community") as here:
        alien = PostRef(page=PAGE, external_id="abc")
        for attempt in (
            here.vk.probe([alien]),
            here.vk.read_thread(alien, root_external_id=None, cursor=None),
            here.vk.send(here.answer(alien, "1", "Ответ")),
        ):
            assert isinstance(await caught(attempt), Rejected)


def test_the_plugin_is_light_and_able() -> None:
    connector = plugin.build(Options(api_url=None, credentials=()))
    assert isinstance(connector, Discovers)
    assert isinstance(connector, Probes)
    assert isinstance(connector, ReadsThreads)
