"""VK's methods through the real client."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from vk_api.exceptions import ApiError

from tests.connectors.sandbox.conftest import TOWN

if TYPE_CHECKING:
    from collections.abc import Callable

    from vk_api import VkApi

    from tests.connectors.sandbox.clients import Client

Vk = "Callable[..., VkApi]"


def code_of(vk: VkApi, method: str, values: dict[str, Any]) -> int:
    """The code of the error that a call ends with."""
    with pytest.raises(ApiError) as caught:
        vk.method(method, values)
    return int(caught.value.code)


def comments(vk: VkApi, **values: Any) -> dict[str, Any]:
    """wall.getComments of the first post."""
    answer = vk.method("wall.getComments", {"owner_id": -TOWN, "post_id": 1} | values)
    assert isinstance(answer, dict)
    return answer


def test_counters_of_many_posts_include_replies(vk: Callable[..., VkApi], http: Client) -> None:
    other = http.post("/world/posts", {"platform": "vk", "page": "village", "text": "Ярмарка"})
    village = next(page["id"] for page in http.get("/world/pages")["pages"] if page["page"] == "village")
    asked = f"-{TOWN}_1,-{village}_{other['id']},-{TOWN}_999,-1_1"
    answer = vk().method("wall.getById", {"posts": asked})
    assert [(item["owner_id"], item["id"], item["comments"]["count"]) for item in answer["items"]] == [
        (-TOWN, 1, 3),
        (-village, int(other["id"]), 0),
    ]
    assert code_of(vk(), "wall.getById", {"posts": ",".join(["-1_1"] * 101)}) == 100


def test_threads_are_given_only_when_asked_for(vk: Callable[..., VkApi]) -> None:
    bare = comments(vk())
    assert bare["count"] == 3
    assert bare["current_level_count"] == 2
    assert bare["items"][0]["thread"]["items"] == []
    assert bare["items"][0]["thread"]["count"] == 1
    full = comments(vk(), thread_items_count=10)
    reply = full["items"][0]["thread"]["items"][0]
    assert reply["text"] == "Поддерживаю!"
    assert reply["parents_stack"] == [full["items"][0]["id"]]
    assert reply["reply_to_comment"] == full["items"][0]["id"]
    assert comments(vk(), comment_id=full["items"][0]["id"])["items"][0]["id"] == reply["id"]


def test_a_deleted_author_is_named_as_vk_names_it(vk: Callable[..., VkApi]) -> None:
    answer = comments(vk(), extended=1)
    ghost = answer["items"][1]["from_id"]
    profile = next(item for item in answer["profiles"] if item["id"] == ghost)
    assert profile["deactivated"] == "deleted"
    assert profile["first_name"] == "DELETED"
    assert answer["groups"][0]["id"] == TOWN


def test_paging_gives_every_comment_once_in_both_orders(vk: Callable[..., VkApi], http: Client) -> None:
    made = [int(http.comment(f"Вопрос {number}")["id"]) for number in range(23)]
    session = vk()
    every = [item["id"] for item in comments(session, count=100)["items"]]
    assert every[-23:] == made
    for sort, expected in (("asc", every), ("desc", every[::-1])):
        paged: list[int] = []
        while batch := comments(session, count=7, offset=len(paged), sort=sort)["items"]:
            paged += [item["id"] for item in batch]
        assert paged == expected
    assert len(comments(session)["items"]) == 10


def test_reading_on_from_a_comment_tells_its_real_place(vk: Callable[..., VkApi], http: Client) -> None:
    made = [int(http.comment(f"Вопрос {number}")["id"]) for number in range(6)]
    answer = comments(vk(), start_comment_id=made[3])
    assert [item["id"] for item in answer["items"]] == made[3:]
    assert answer["real_offset"] == 5
    newest = comments(vk(), start_comment_id=made[3], sort="desc", count=2)
    assert [item["id"] for item in newest["items"]] == [made[3], made[2]]
    assert newest["real_offset"] == 2
    assert comments(vk(), start_comment_id=made[3], offset=-2)["items"][0]["id"] == made[1]


def test_preview_cuts_and_zero_does_not(vk: Callable[..., VkApi], http: Client) -> None:
    text = "Когда починят фонарь на углу Садовой и Речной?"
    http.comment(text)
    assert comments(vk(), sort="desc", count=1)["items"][0]["text"] == text
    assert comments(vk(), sort="desc", count=1, preview_length=20)["items"][0]["text"] == "Когда починят..."


def test_a_deleted_comment_with_replies_stays_without_author_and_text(vk: Callable[..., VkApi], http: Client) -> None:
    session = vk()
    root, reply = (item["id"] for item in (comments(session)["items"][0], comments(session, comment_id=2)["items"][0]))
    http.delete(f"/world/comments/vk/town/1/{root}")
    shown = comments(session, thread_items_count=10)
    assert shown["items"][0]["deleted"] is True
    assert not {"from_id", "text", "post_id"} & set(shown["items"][0])
    assert shown["items"][0]["thread"]["items"][0]["id"] == reply
    assert shown["count"] == 2
    http.delete(f"/world/comments/vk/town/1/{reply}")
    assert root not in [item["id"] for item in comments(session)["items"]]
    http.post(f"/world/comments/vk/town/1/{root}/restore", {}, status=200)
    assert comments(session)["items"][0]["text"] == "А тротуар у школы?"


def test_the_page_answers_under_the_comment_once_per_guid(vk: Callable[..., VkApi], http: Client) -> None:
    asked = int(http.comment("Где расписание?")["id"])
    answer = {
        "owner_id": -TOWN,
        "post_id": 1,
        "reply_to_comment": asked,
        "from_group": TOWN,
        "guid": "appeal-1",
        "message": "Здравствуйте! Расписание на сайте.",
    }
    first = vk().method("wall.createComment", answer)
    again = vk("town-token").method("wall.createComment", answer | {"message": "другое"})
    assert first == again == {"comment_id": first["comment_id"], "parents_stack": [asked]}
    truth = http.get("/truth")
    assert [(item["id"], item["reply_to"], item["text"]) for item in truth["answers"]] == [
        (str(first["comment_id"]), str(asked), answer["message"])
    ]
    stored = vk().method("wall.getComment", {"owner_id": -TOWN, "comment_id": first["comment_id"]})["items"][0]
    assert stored["from_id"] == -TOWN
    assert stored["reply_to_user"] > 0


def test_a_person_may_answer_and_that_is_no_answer_of_the_page(vk: Callable[..., VkApi], http: Client) -> None:
    vk().method("wall.createComment", {"owner_id": -TOWN, "post_id": 1, "message": "От себя"})
    truth = http.get("/truth?platform=vk&page=town")
    assert truth["answers"] == []
    assert truth["comments"][-1]["author"] == "Сотрудник Центра"


def test_own_comments_are_edited_deleted_and_restored(vk: Callable[..., VkApi], http: Client) -> None:
    session = vk()
    made = session.method("wall.createComment", {"owner_id": -TOWN, "post_id": 1, "from_group": 1, "message": "Один"})
    target = {"owner_id": -TOWN, "comment_id": made["comment_id"]}
    assert session.method("wall.editComment", target | {"message": "Два"}) == 1
    assert code_of(session, "wall.restoreComment", target) == 243
    assert session.method("wall.deleteComment", target) == 1
    assert code_of(session, "wall.editComment", target | {"message": "Три"}) == 211
    assert http.get("/truth")["answers"][0]["deleted_at"] is not None
    assert session.method("wall.restoreComment", target) == 1
    answer = http.get("/truth")["answers"][0]
    assert (answer["text"], answer["deleted_at"]) == ("Два", None)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"message": ""}, 100),
        ({"message": "д" * 20_000}, 100),
        ({"post_id": 999}, 15),
        ({"owner_id": -5}, 15),
        ({"reply_to_comment": 999}, 100),
        ({"post_id": "первый"}, 100),
        ({"from_group": TOWN + 1}, 15),
    ],
)
def test_what_cannot_be_written_is_refused(vk: Callable[..., VkApi], change: dict[str, Any], code: int) -> None:
    values = {"owner_id": -TOWN, "post_id": 1, "message": "Ответ", "from_group": TOWN} | change
    assert code_of(vk(), "wall.createComment", values) == code


def test_closed_comments_links_and_foreign_walls_are_refused(vk: Callable[..., VkApi], http: Client) -> None:
    http.post("/world/pages", {"platform": "vk", "page": "strict", "links_forbidden": True})
    http.post("/world/tokens", {"platform": "vk", "kind": "community", "token": "strict-token", "page": "strict"})
    post = http.post("/world/posts", {"platform": "vk", "page": "strict", "text": "Пост"})["id"]
    owner = -vk().method("utils.resolveScreenName", {"screen_name": "strict"})["object_id"]
    strict = vk("strict-token")
    values = {"owner_id": owner, "post_id": post}
    assert code_of(strict, "wall.createComment", values | {"message": "см. https://example.org"}) == 222
    assert code_of(vk("town-token"), "wall.createComment", values | {"message": "чужая стена"}) == 15
    assert strict.method("wall.closeComments", values) == 1
    assert code_of(strict, "wall.createComment", values | {"message": "закрыто"}) == 213
    assert vk().method("wall.getById", {"posts": f"{owner}_{post}"})["items"][0]["comments"]["can_post"] == 0


def test_walls_are_read_newest_first_by_name_or_number(vk: Callable[..., VkApi], http: Client) -> None:
    made = [http.post("/world/posts", {"platform": "vk", "page": "town", "text": f"Пост {n}"})["id"] for n in range(3)]
    by_name = vk().method("wall.get", {"domain": "town", "count": 2})
    by_number = vk("service-token").method("wall.get", {"owner_id": -TOWN, "count": 2, "offset": 1})
    assert [str(item["id"]) for item in by_name["items"]] == made[:0:-1]
    assert [str(item["id"]) for item in by_number["items"]] == made[1::-1]
    assert by_name["count"] == 4
    http.delete(f"/world/posts/vk/town/{made[2]}")
    assert vk().method("wall.get", {"domain": "town", "count": 1})["items"][0]["id"] == int(made[1])


def test_groups_come_in_the_shape_of_the_version(vk: Callable[..., VkApi]) -> None:
    new = vk().method("groups.getById", {"group_ids": "town,club1", "fields": "members_count,verified"})
    assert [(item["id"], item["members_count"], item["verified"]) for item in new["groups"]] == [(TOWN, 12_840, 1)]
    assert vk().method("groups.getById", {"group_id": str(TOWN), "v": "5.131"})[0]["screen_name"] == "town"
    assert vk("town-token").method("groups.getById")["groups"][0]["id"] == TOWN
    assert code_of(vk(), "groups.getById", {"group_ids": "nobody_here"}) == 100
    assert code_of(vk(), "utils.resolveScreenName", {"screen_name": "nobody_here"}) == 104


def test_a_photo_without_text_is_an_attachment_that_can_be_fetched(vk: Callable[..., VkApi], http: Client) -> None:
    http.comment("", photo="pit-1")
    item = comments(vk(), sort="desc", count=1)["items"][0]
    assert item["text"] == ""
    sizes = item["attachments"][0]["photo"]["sizes"]
    assert http.http.get(sizes[-1]["url"]).content.startswith(b"\x89PNG")
