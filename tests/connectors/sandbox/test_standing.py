"""Faults that stand, and readings that overlap."""

from __future__ import annotations

import threading
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from connectors.sandbox.faults import KINDS
from connectors.sandbox.limits import Limits
from connectors.sandbox.readings import Readings, Visit
from connectors.sandbox.standing import KINDS_OF
from tests.connectors.sandbox.clients import BOT, Client
from tests.connectors.sandbox.conftest import TOWN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from connectors.sandbox.server import Running

QUICK = ["http_500", "error", "flood"]
WALL = f"wall.get?access_token=user-token&v=5.199&owner_id=-{TOWN}"
CODES = {"http_500": 500, "error": 400, "flood": 429}


def statuses(http: Client, calls: int) -> list[int]:
    """What a bot hears that asks who it is."""
    return [http.http.get(f"/bot{BOT}/getMe").status_code for _ in range(calls)]


def test_a_share_of_calls_fails_in_each_way_in_turn_and_alike_for_one_seed(http: Client) -> None:
    heard = []
    for _ in range(2):
        standing = {"platform": "telegram", "method": "get*", "share": 0.25, "kinds": QUICK, "seed": 7}
        http.post("/faults", standing)
        heard.append(statuses(http, 120))
        (told,) = http.get("/faults")["standing"]
        assert told == standing | {"kinds": [kind for kind in KINDS if kind in QUICK], "token": None, "struck": told["struck"]}
        assert http.delete("/faults") == {"faults": [], "standing": []}
    assert heard[0] == heard[1]
    counted = Counter(heard[0])
    assert 15 <= 120 - counted[200] <= 45
    by_kind = {kind: counted[code] for kind, code in CODES.items()}
    assert max(by_kind.values()) - min(by_kind.values()) <= 1
    faults = {one["kind"]: one["count"] for one in http.get("/calls")["faults"]}
    assert faults == {kind: 2 * count for kind, count in by_kind.items()}
    assert set(statuses(http, 20)) == {200}
    assert http.delete("/calls")["faults"] == []


def test_a_fault_that_changes_nothing_has_not_struck_and_comes_again(http: Client) -> None:
    http.post("/faults", {"platform": "telegram", "method": "*", "kind": "duplicated"})
    assert statuses(http, 2) == [200, 200]
    assert http.get("/calls")["faults"] == []
    told, again = (http.http.get(f"/bot{BOT}/getUpdates?timeout=0").json()["result"] for _ in range(2))
    assert len(told) == 2 * len(again) > 0
    assert [(one["kind"], one["count"]) for one in http.get("/calls")["faults"]] == [("duplicated", 1)]
    assert http.get("/faults")["faults"] == []
    http.post("/faults", {"platform": "telegram", "share": 1, "kinds": ["duplicated"]})
    assert statuses(http, 2) == [200, 200]
    assert [one["struck"] for one in http.get("/faults")["standing"]] == [0]


def test_inside_execute_only_refusals_stand_and_other_methods_are_spared(http: Client) -> None:
    http.post("/faults", {"platform": "vk", "method": "users.*", "share": 1, "kinds": ["drip", "captcha"]})
    code = 'return [API.users.get({"user_ids": "1"}), API.users.get({"user_ids": "1"}), API.groups.getById({"group_id": "1"})];'
    answer = http.http.post("/method/execute", data={"access_token": "user-token", "v": "5.199", "code": code}).json()
    assert [error["error_code"] for error in answer["execute_errors"]][:2] == [14, 14]
    assert {one["kind"]: one["count"] for one in http.get("/calls")["faults"]} == {"captcha": 2}


def test_what_a_script_returns_keeps_its_places_whatever_comes_backwards(http: Client) -> None:
    """Only the rows inside each answer are turned round: a script's list is no list of rows."""
    code = f'return [API.wall.getComments({{"owner_id": -{TOWN}, "post_id": 1}}), API.groups.getById({{"group_id": "{TOWN}"}})];'
    asked = {"access_token": "user-token", "v": "5.199", "code": code}
    plain = http.http.post("/method/execute", data=asked).json()["response"]
    http.post("/faults", {"platform": "vk", "method": "execute", "kind": "reordered"})
    turned = http.http.post("/method/execute", data=asked).json()["response"]
    assert turned[1] == plain[1]
    assert turned[0]["items"] == plain[0]["items"][::-1] != plain[0]["items"]


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"platform": "telegram", "share": 0.05, "kinds": ["captcha"]}, "kinds must be some of"),
        ({"platform": "vk", "share": 0.05, "kinds": ["сюрприз"]}, "kinds must be some of"),
        ({"platform": "vk", "share": 0}, "share"),
        ({"platform": "vk", "share": 1.5}, "share"),
        ({"platform": "vk", "share": True}, "share"),
        ({"platform": "elsewhere", "share": 0.05}, "platform"),
        ({"platform": "vk", "share": 0.05, "kinds": "drip"}, "kinds must be a list"),
        ({"platform": "vk", "share": 0.05, "seed": -1}, "seed"),
    ],
)
def test_what_no_platform_does_is_refused(http: Client, spec: dict[str, Any], words: str) -> None:
    assert words in http.post("/faults", spec, status=400)["error"]
    assert http.get("/faults")["standing"] == []
    assert "captcha" not in KINDS_OF["max"]


def overlaps(http: Client) -> list[tuple[str, list[str], int]]:
    """What was read by two callers at once so far."""
    return [(one["what"], one["callers"], one["count"]) for one in http.get("/calls")["readings"]["overlaps"]]


@pytest.fixture
def patient(start: Callable[..., AbstractContextManager[Running]]) -> Iterator[Client]:
    """A sandbox that drips for as long as anybody listens."""
    with (
        start(limits=Limits(vk_user_per_second=1_000)) as sandbox,
        httpx.Client(base_url=sandbox.url, trust_env=False, timeout=20) as plain,
    ):
        yield Client(plain)


def test_two_callers_at_one_wall_overlap_and_one_alone_does_not(patient: Client) -> None:
    """As long as a slow answer drips its reading goes on; once its caller has gone, or for the same caller, nothing overlaps."""
    http = patient
    http.post("/faults", {"platform": "vk", "method": "wall.get", "kind": "drip"})
    again = f'return API.wall.getComments({{"owner_id": -{TOWN}, "post_id": 1}});'
    bundle = {"access_token": "user-token", "v": "5.199", "code": again}
    with http.http.stream("GET", f"/as/one/method/{WALL}"):
        assert http.get(f"/as/one/method/{WALL}")["response"]["count"] == 1
        http.get(f"/method/{WALL}")  # nobody in particular
        http.get(f"/as/two/method/wall.get?access_token=service-token&v=5.199&owner_id=-{TOWN + 1}")
        assert overlaps(http) == []
        for _ in range(2):
            http.http.post("/as/two/method/execute", data=bundle)
        assert overlaps(http) == [(f"vk -{TOWN}", ["one", "two"], 2)]
        values = f"access_token=town-token&v=5.199&owner_id=-{TOWN}&post_id=1&message=A&guid=g1"
        assert http.get(f"/as/two/method/wall.createComment?{values}")["response"]
        http.http.post("/as/two/method/execute", data=bundle)  # looks for its answer
        assert overlaps(http) == [(f"vk -{TOWN}", ["one", "two"], 2)]
        assert http.get("/calls")["readings"]["served"] == {"one": 2, "two": 3}
    wait(lambda: not under_way(http, f"/as/two/method/{WALL}"))


def test_two_callers_at_one_bot_overlap(patient: Client) -> None:
    ask = f"bot{BOT}/getUpdates?offset=900000000"
    patient.get(f"/{ask}")  # all is confirmed: the next one waits
    first = threading.Thread(target=lambda: patient.http.get(f"/as/one/{ask}&timeout=1"))
    first.start()
    wait(lambda: patient.get("/calls")["readings"]["served"])
    assert patient.http.get(f"/as/two/{ask}").status_code == 200
    first.join()
    assert [row[1:] for row in overlaps(patient)] == [(["one", "two"], 1)]


def test_whoever_wrote_in_a_discussion_of_ok_may_look_for_its_answer_there() -> None:
    """A sending names the discussion by another parameter than a reading."""
    readings = Readings()
    poller, sender = Visit(readings, "one"), Visit(readings, "two")
    poller.reads("ok", "discussions.getComments", {"discussionId": "9"})
    sender.acts("ok", "discussions.addDiscussionComment", {"entityId": "9"})
    sender.reads("ok", "discussions.getComments", {"discussionId": "9"})
    assert readings.report()["overlaps"] == []
    sender.reads("ok", "discussions.getDiscussionCommentsCount", {"entityId": "9"})
    assert [one["callers"] for one in readings.report()["overlaps"]] == [["one", "two"]]


def under_way(http: Client, address: str) -> bool:
    """Whether somebody else is still read to at this wall."""
    http.delete("/calls")
    http.get(address)
    return bool(overlaps(http))


def wait(probe: Callable[[], object]) -> None:
    """Until it says something true, for ten seconds at most."""
    until = time.monotonic() + 10
    while not probe():
        assert time.monotonic() < until
        time.sleep(0.01)
