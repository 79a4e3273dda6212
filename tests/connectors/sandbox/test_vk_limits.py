"""VK's token kinds, rates, quotas and refusals through the real client."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests
from vk_api.exceptions import ApiError, ApiHttpError, Captcha

from connectors.sandbox.limits import Limits
from connectors.sandbox.vk.api import METHODS
from tests.connectors.sandbox.clients import SCALE, make_vk
from tests.connectors.sandbox.conftest import TOWN
from tests.connectors.sandbox.test_vk_methods import code_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from vk_api import VkApi

    from connectors.sandbox.server import Running
    from tests.connectors.sandbox.clients import Client

SPECS = Path(__file__).resolve().parents[4] / "shared" / "platform-specs"
TOKENS = {"user": "user-token", "service": "service-token", "community": "town-token"}
REFUSED = {"community": 27, "service": 28, "user": 15}


def raw(url: str, method: str, token: str | None = "user-token", **values: Any) -> dict[str, Any]:  # noqa: S107
    """A call without the client's own pacing."""
    data = {"v": "5.199", **values, **({"access_token": token} if token else {})}
    answer = requests.post(f"{url}/method/{method}", data=data, timeout=5, proxies={"http": "", "https": ""})
    assert answer.status_code == 200
    decoded = answer.json()
    assert isinstance(decoded, dict)
    return decoded


@pytest.mark.parametrize("kind", ["user", "service", "community"])
def test_each_method_takes_exactly_the_tokens_that_vk_says(sandbox: Running, http: Client, kind: str) -> None:
    path = SPECS / "vk-comment-methods.json"
    if not path.exists():
        pytest.skip("needs ../shared: platform-specs/vk-comment-methods.json")
    described = {name: told["tokens"] for name, told in json.loads(path.read_text(encoding="utf-8"))["methods"].items()}
    for section in {method.partition(".")[0] for method in METHODS}:  # what that extract leaves out the whole schema has
        whole = json.loads((SPECS / "vk-api-schema" / section / "methods.json").read_text(encoding="utf-8"))["methods"]
        described = {one["name"]: one["access_token_type"] for one in whole} | described
    places: dict[str, Any] = {
        f"{place}_id": http.post("/world/posts", {"platform": "vk", "page": "town", "text": "Рядом", "kind": place})["id"]
        for place in ("photo", "video", "topic")
    }
    names = {"user": "user", "group": "community", "service": "service"}
    checked = 0
    for method in [*METHODS, "execute"]:
        allowed = {names[token] for token in described[method]}
        answer = raw(sandbox.url, method, TOKENS[kind], owner_id=-TOWN, group_id=TOWN, post_id=1, posts=f"-{TOWN}_1", q="а", **places)
        code = answer.get("error", {}).get("error_code")
        if kind in allowed:
            assert code not in {27, 28, 15, 5}, method
        else:
            assert code == REFUSED[kind], method
        checked += 1
        time.sleep(0.4 / SCALE)
    assert checked == len(METHODS) + 1


def test_no_token_a_strange_token_a_revoked_token(sandbox: Running, http: Client) -> None:
    assert raw(sandbox.url, "users.get", None)["error"]["error_code"] == 5
    assert raw(sandbox.url, "users.get", "somebody's")["error"]["error_code"] == 5
    http.delete("/world/tokens/vk/user-token")
    error = raw(sandbox.url, "users.get", "user-token")["error"]
    assert error["error_code"] == 5
    assert {"key": "method", "value": "users.get"} in error["request_params"]
    assert "user-token" not in json.dumps(error)
    assert "somebody" not in json.dumps(http.get("/calls"))


def test_version_is_required_and_unknown_methods_are_named(sandbox: Running) -> None:
    assert raw(sandbox.url, "users.get", v="")["error"]["error_code"] == 8
    assert raw(sandbox.url, "wall.explode")["error"]["error_code"] == 3


@pytest.mark.parametrize(("kind", "limit"), [("user", 3), ("service", 3), ("community", 20)])
def test_the_rate_of_a_token_is_kept_in_scaled_seconds(
    start: Callable[..., AbstractContextManager[Running]], kind: str, limit: int
) -> None:
    with start(time_scale=1.0) as sandbox, requests.Session() as session:
        session.trust_env = False
        values = {"v": "5.199", "access_token": TOKENS[kind], "user_ids": "1"}
        codes = []
        for _ in range(limit + 4):
            answer = session.post(f"{sandbox.url}/method/users.get", data=values, timeout=5).json()
            codes.append(answer.get("error", {}).get("error_code"))
        assert codes[:limit] == [None] * limit
        assert set(codes[limit:]) == {6}
    with start(time_scale=1000.0) as sandbox:
        assert all("response" in raw(sandbox.url, "users.get", user_ids="1") for _ in range(8))


def test_the_real_client_keeps_within_the_rate(vk: Callable[..., VkApi], http: Client) -> None:
    session = vk()
    for _ in range(12):
        session.method("users.get")
    calls = http.get("/calls")
    (rate,) = [item for item in calls["rates"] if item["token"] == "Сотрудник Центра"]
    assert rate["peak"] <= rate["limit"]
    assert rate["exceeded"] is False
    (method,) = calls["methods"]
    assert (method["method"], method["calls"], method["outcomes"]) == ("users.get", 12, {"ok": 12})


def test_wall_get_has_a_daily_quota_also_inside_execute(start: Callable[..., AbstractContextManager[Running]]) -> None:
    limits = Limits(vk_wall_get_per_day=4, day=20.0)
    with start(limits=limits, time_scale=SCALE) as sandbox:
        session = make_vk(sandbox.url, "user-token")
        session.method("wall.get", {"domain": "town"})
        code = "return [" + ",".join(['API.wall.get({"domain":"town"})'] * 5) + "];"
        answer = session.method("execute", {"code": code}, raw=True)
        assert [item is False for item in answer["response"]] == [False, False, False, True, True]
        assert [item["error_code"] for item in answer["execute_errors"]] == [29, 29]
        assert code_of(session, "wall.get", {"domain": "town"}) == 29
        time.sleep(1.1)
        assert session.method("wall.get", {"domain": "town"})["count"] == 1
        session.http.close()


def test_captcha_and_flood_come_when_ordered_and_go(vk: Callable[..., VkApi], http: Client) -> None:
    session = vk()
    http.post("/faults", {"platform": "vk", "method": "wall.createComment", "kind": "captcha"})
    values = {"owner_id": -TOWN, "post_id": 1, "message": "Ответ", "from_group": TOWN}
    with pytest.raises(Captcha) as caught:
        session.method("wall.createComment", values)
    assert caught.value.redirect_uri
    assert caught.value.sid
    assert http.http.post(caught.value.redirect_uri).status_code == 200  # somebody has shown that they are a person
    assert http.get("/faults")["faults"] == []
    http.post("/faults", {"platform": "vk", "method": "wall.createComment", "kind": "flood", "count": 2})
    assert code_of(session, "wall.createComment", values) == 9
    http.delete("/faults")
    assert session.method("wall.createComment", values)["comment_id"] > 0
    assert len(http.get("/truth")["answers"]) == 1


def test_faults_before_and_after_the_act(vk: Callable[..., VkApi], http: Client) -> None:
    session = vk()
    values = {"owner_id": -TOWN, "post_id": 1, "from_group": TOWN}

    def send(kind: str) -> int:
        http.post("/faults", {"platform": "vk", "method": "wall.createComment", "kind": kind})
        with pytest.raises((ApiHttpError, requests.RequestException)):
            session.method("wall.createComment", values | {"message": kind})
        return len(http.get("/truth")["answers"])

    assert send("http_500") == 0
    assert send("timeout_before") == 0
    assert send("timeout_after") == 1
    assert send("truncated") == 2
    assert send("disconnect") == 3
    http.post("/faults", {"platform": "vk", "method": "wall.createComment", "kind": "malformed"})
    assert "comment_id" not in session.method("wall.createComment", values | {"message": "malformed"})
    texts = [item["text"] for item in http.get("/truth")["answers"]]
    assert texts == ["timeout_after", "truncated", "disconnect", "malformed"]


def test_an_error_of_ones_choice_and_bad_orders(vk: Callable[..., VkApi], http: Client) -> None:
    http.post("/faults", {"platform": "vk", "method": "*", "kind": "error", "code": 10, "token": "service all"})
    http.post("/faults", {"platform": "vk", "method": "users.get", "kind": "error", "code": 18, "text": "Нет"})
    with pytest.raises(ApiError, match="Нет"):
        vk().method("users.get")
    assert len(http.get("/faults")["faults"]) == 1
    assert "kind" in http.post("/faults", {"platform": "vk", "method": "*", "kind": "сюрприз"}, status=400)["error"]
