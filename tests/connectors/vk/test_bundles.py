"""Readings that go together in `execute`: each hears its own answer or failure, the limits hold, VK's refusals make bundles shorter."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from connectors.contract import Options, PageRef, PostRef, Rejected, TryLater, UnknownPayload
from connectors.sandbox.limits import Limits
from connectors.vk import bundles
from connectors.vk.calls import Call
from connectors.vk.connector import VkConnector
from tests.connectors.raw_server import http, raw_server
from tests.connectors.vk.test_vk import KINDS, PAGE, town

if TYPE_CHECKING:
    from tests.connectors.vk.test_vk import Town


async def outcomes(here: Town) -> dict[tuple[str, str], dict[str, Any]]:
    """(kind of token, method): what the sandbox counted. No rate was exceeded."""
    calls = await here.world.get("/calls")
    assert not [rate for rate in calls["rates"] if rate["exceeded"]]
    kinds = {row["token"]: next(kind for kind in KINDS if kind in row["token"]) for row in calls["methods"]}
    return {(kinds[row["token"]], row["method"]): row for row in calls["methods"]}


async def test_what_waits_goes_together_and_each_hears_its_own() -> None:
    async with town("user") as here:
        posts = [await here.post(f"Пост {number}") for number in range(4)]
        for number, post in enumerate(posts):
            for _ in range(number):
                await here.comment(post, "Вопрос?", author="Инна Павлова")
        lost = PostRef(page=PAGE, external_id="999")
        readings = [here.vk.read_thread(post, root_external_id=None, cursor=None) for post in [*posts, lost]]
        *batches, refused = await asyncio.gather(*readings, return_exceptions=True)
        assert [len(batch.comments) for batch in batches if not isinstance(batch, BaseException)] == [0, 1, 2, 3]
        assert isinstance(refused, Rejected)
        assert refused.code == "gone"
        counts = await asyncio.gather(*(here.vk.probe([posts[number % 4]]) for number in range(40)))
        assert [count.comment_count for (count,) in counts] == [0, 1, 2, 3] * 10
        told = await outcomes(here)
        assert told["user", "wall.getComments"]["inside_execute"] == 5
        assert told["user", "wall.getById"]["inside_execute"] == 40
        assert told["user", "execute"]["calls"] <= 4


async def test_a_refused_bundle_is_halved_and_grows_again() -> None:
    async with town("user", limits=Limits(vk_execute_calls=7)) as here:
        post = await here.post()
        bundler = here.vk._client._bundlers["person"]
        assert len(await asyncio.gather(*(here.vk.probe([post]) for _ in range(30)))) == 30
        told = await outcomes(here)
        assert told["user", "execute"]["outcomes"]["13"] >= 2
        assert bundler.size < 12
        bundler.size = 3
        await asyncio.gather(*(here.vk.probe([post]) for _ in range(3)))
        assert bundler.size == 4


async def test_a_service_token_goes_first_and_the_rest_is_bundled() -> None:
    """The service token never expires; what it has no place for goes with the user's in few calls."""
    async with town("service", "user") as here:
        post = await here.post()
        await asyncio.gather(*(here.vk.probe([post]) for _ in range(30)))
        told = await outcomes(here)
        assert told["service", "wall.getById"]["calls"] >= 3
        assert told["user", "wall.getById"]["inside_execute"] >= 20
        assert told["user", "execute"]["calls"] <= 3
        assert here.vk.calls_per_second("probe") == 3 + 3 * 25
        assert here.vk.calls_per_second("discover") == 3 + 3  # a quota a day: bundling would save nothing


@pytest.mark.parametrize(
    ("answer", "error", "code"),
    [
        (b'{"response": [{"items": []}]}', UnknownPayload, "malformed"),
        (b'{"response": {"items": []}}', UnknownPayload, "malformed"),
        (b'{"response": [false, false], "execute_errors": []}', UnknownPayload, "malformed"),
        (b'{"response": [false, false], "execute_errors": [{"error_code": 6}, {"error_code": 6}]}', TryLater, "rate"),
        (b'{"error": {"error_code": 12, "error_msg": "Unable to compile code"}}', Rejected, "bad_request"),
        (b'{"error": {"error_code": 10, "error_msg": "Internal"}}', TryLater, "server"),
    ],
)
async def test_an_odd_answer_fails_each_call_and_hangs_none(answer: bytes, error: type[Exception], code: str) -> None:
    async with raw_server() as raw:
        raw.plan(http(answer))
        vk = VkConnector(Options(api_url=raw.url, credentials=(KINDS["user"],), time_scale=50, timeout=5), raw.url)
        post = PostRef(page=PageRef(external_id="-1"), external_id="1")
        told = await asyncio.gather(*(vk.probe([post]) for _ in range(2)), return_exceptions=True)
        await vk.close()
    assert [(type(one), getattr(one, "code", "")) for one in told] == [(error, code)] * 2


def thread(*posts: int) -> dict[str, Any]:
    """An answer of wall.getComments with a comment under each of these posts."""
    items = [{"id": 90 + post, "owner_id": -1, "post_id": post, "from_id": 5, "date": 1763362800, "text": "Когда?"} for post in posts]
    return {"count": len(items), "current_level_count": len(items), "items": items, "profiles": [], "groups": []}


@pytest.mark.parametrize(
    "answers", [[thread(2), thread(1)], [thread(), thread(1)], [thread(1), thread(2, 3)]], ids=["swapped", "shifted", "mixed"]
)
async def test_what_was_not_asked_is_refused_with_all_that_came_beside(answers: list[dict[str, Any]]) -> None:
    """Else a comment would stand under another post, or a thread that nobody read would seem empty and all of it deleted."""
    async with raw_server() as raw:
        raw.plan(http(json.dumps({"response": answers}).encode()))
        vk = VkConnector(Options(api_url=raw.url, credentials=(KINDS["user"],), time_scale=50, timeout=5), raw.url)
        posts = [PostRef(page=PageRef(external_id="-1"), external_id=number) for number in ("1", "2")]
        told = await asyncio.gather(*(vk.read_thread(post, root_external_id=None, cursor=None) for post in posts), return_exceptions=True)
        await vk.close()
    assert [(type(one), getattr(one, "code", "")) for one in told] == [(UnknownPayload, "malformed")] * 2


@pytest.mark.parametrize("owner", [-1, -2])
async def test_counters_of_other_posts_make_none_seem_gone(owner: int) -> None:
    async with raw_server() as raw:
        item = {"id": 1, "owner_id": owner, "date": 1763362800, "text": "", "comments": {"count": 3}}
        raw.plan(http(json.dumps({"response": {"items": [item | {"id": 7}, item]}}).encode()))
        vk = VkConnector(Options(api_url=raw.url, credentials=(KINDS["service"],), time_scale=50, timeout=5), raw.url)
        with pytest.raises(UnknownPayload):
            await vk.probe([PostRef(page=PageRef(external_id="-1"), external_id=number) for number in ("1", "2")])
        await vk.close()


def test_a_failed_call_takes_the_error_of_its_place() -> None:
    errors = [{"error_code": 15}, {"error_code": 6}]
    told = bundles.told({"response": [False, {"items": []}, False], "execute_errors": errors}, 3)
    assert told is not None
    assert [one.entry if isinstance(one, bundles.Inside) else one for one in told] == [errors[0], {"items": []}, errors[1]]
    call = Call(method="wall.getById", params={"posts": '-1_1"});return 1;//'}, kinds=("user",))
    assert bundles.script([call]) == 'return [API.wall.getById({"posts": "-1_1\\"});return 1;//"})];'
