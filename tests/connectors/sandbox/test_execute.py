"""VK's `execute`: the scripts that clients really send, and any other text."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings, strategies as st
from vk_api.exceptions import ApiError
from vk_api.execute import VkFunction
from vk_api.requests_pool import VkRequestsPool

from connectors.sandbox.vk.errors import VkError
from connectors.sandbox.vk.machine import Machine
from tests.connectors.sandbox.conftest import TOWN
from tests.connectors.sandbox.test_vk_methods import code_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from vk_api import VkApi

    from tests.connectors.sandbox.clients import Client

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(0, 10**12) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def run(code: str, operations: int = 2_000) -> Any:
    """The value of a script whose API calls echo what they got."""
    return Machine(lambda name, values: [name, values], {"x": "5"}, operations).run(code)


@given(value=JSON, ascii_only=st.booleans())
@settings(max_examples=150, deadline=None)
def test_any_json_that_a_client_writes_into_a_script_comes_back(value: Any, ascii_only: bool) -> None:  # noqa: FBT001 - Hypothesis passes by name
    written = json.dumps(value, ensure_ascii=ascii_only)
    assert run(f"return {written};") == value
    if isinstance(value, dict):
        assert run(f"return [API.wall.getById({written})];") == [["wall.getById", value]]


@given(st.text(alphabet="return[](){};=+-*/%<>!&|?:,.@\"'\\ vari whle API.wall get 0123456789\n#", max_size=60))
@settings(max_examples=200, deadline=None)
def test_no_script_breaks_more_than_itself(code: str) -> None:
    try:
        run(code)
    except VkError as error:
        assert error.code in {12, 13}  # noqa: PT017 - the absence of an error is right too


@pytest.mark.parametrize(
    ("code", "value"),
    [
        ("return 1 + 2 * 3 - 4 / 2;", 5),
        ("var a = [1,2,3]; a.push(4); return a.length + a[3];", 8),
        ("var r = [], i = 0; while (i < 3) { r.push(API.users.get({user_ids: i})); i = i + 1; } return r.length;", 3),
        ("var p = [{id: 1}, {id: 2}, {}]; return p@.id;", [1, 2, None]),
        ("if (Args.x == '5') { return 'да'; } else return 'нет';", "да"),
        ("var s = 'a,b,c'; return s.split(',').length;", 3),
        ("return parseInt('12') + parseInt('x');", 12),
        ("var o = {a: 1}; o.b = 2; delete o.a; return o;", {"b": 2}),
        ("var a = [3,4]; a[2] = 5; return a.slice(1, 3);", [4, 5]),
        ("return true && 0 || 'b';", "b"),
        ("return !1 ? 1 : -2;", -2),
        ("var a = 1; // note\n/* more */ return a;", 1),
        ('return "\\ud83d\\ude00\\n";', "\N{GRINNING FACE}\n"),
        ("return;", None),
        ("var x;", None),
    ],
)
def test_scripts_mean_what_they_say(code: str, value: Any) -> None:
    assert run(code) == value


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("return [", 12),
        ("return nobody;", 12),
        ("функция();", 12),
        ("return " + "[" * 200 + "]" * 200 + ";", 12),
        ("while (true) {}", 13),
        ("return 1 / 0;", 13),
        ("var a = 'ab'; while (true) { a = a + a; }", 13),
        ("return 'a' * 1000000000;", 13),
        ("return [1].explode();", 13),
        ("return 'a' - {};", 13),
    ],
)
def test_wrong_scripts_have_vk_s_codes(code: str, error: int) -> None:
    with pytest.raises(VkError) as caught:
        run(code)
    assert caught.value.code == error


def test_a_pool_of_one_method_and_of_many(vk: Callable[..., VkApi]) -> None:
    session = vk()
    with VkRequestsPool(session) as pool:
        same = [pool.method("wall.getById", {"posts": f"-{TOWN}_{n}"}) for n in (1, 999)]
    assert [len(item.result["items"]) for item in same] == [1, 0]
    with VkRequestsPool(session) as pool:
        town = pool.method("groups.getById", {"group_ids": ["town", "village"]})
        broken = pool.method("wall.getComments", {"owner_id": -TOWN, "post_id": 999})
        thread = pool.method("wall.getComments", {"owner_id": -TOWN, "post_id": 1, "thread_items_count": 10})
    assert len(town.result["groups"]) == 2
    assert not broken.ok
    assert broken.error["error_code"] == 15
    assert thread.result["items"][0]["thread"]["items"][0]["text"] == "Поддерживаю!"


def test_a_pool_of_thirty_is_cut_into_two_executes(vk: Callable[..., VkApi], http: Client) -> None:
    with VkRequestsPool(vk()) as pool:
        results = [pool.method("users.get", {"user_ids": 1}) for _ in range(30)]
    assert all(item.ok for item in results)
    methods = {item["method"]: item for item in http.get("/calls")["methods"]}
    assert methods["execute"]["calls"] == 2
    assert methods["users.get"]["inside_execute"] == 30


def test_more_than_twenty_five_calls_are_refused(vk: Callable[..., VkApi]) -> None:
    code = "return [" + ",".join(["API.users.get({})"] * 26) + "];"
    assert code_of(vk(), "execute", {"code": code}) == 13
    assert code_of(vk("service-token"), "execute", {"code": code}) == 28
    assert code_of(vk(), "execute", {"code": "return [;"}) == 12
    assert code_of(vk(), "execute", {}) == 100
    assert code_of(vk(), "execute", {"code": "var a = []; a.push(a); return a;"}) == 13


def test_a_function_of_the_client_writes_under_its_own_token(vk: Callable[..., VkApi], http: Client) -> None:
    values = f'{{"owner_id":-{TOWN},"post_id":1,"message":%(text)s}}'
    write = VkFunction(args=("text",), code=f"return API.wall.createComment({values});")
    text = 'Ответ с «кавычками», "кавычками" и \n переносом'
    assert write(vk("town-token"), text)["comment_id"] > 0
    assert http.get("/truth")["answers"][0]["text"] == text
    http.post("/faults", {"platform": "vk", "method": "wall.createComment", "kind": "captcha"})
    assert write(vk("town-token"), text) is False
    with pytest.raises(ApiError):
        VkFunction(code="return API.wall.getComment({});")(vk("service-token"))
