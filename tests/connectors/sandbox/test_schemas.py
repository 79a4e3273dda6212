"""Answers of the stand-ins against the platforms' own published descriptions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.connectors.sandbox.clients import BOT
from tests.connectors.sandbox.conftest import TOWN
from tests.connectors.sandbox.schemas import VkSchemas, needs, telegram_result, telegram_validator

if TYPE_CHECKING:
    from collections.abc import Callable

    from vk_api import VkApi

    from tests.connectors.sandbox.clients import Client

THREAD = {"owner_id": -TOWN, "post_id": 1, "thread_items_count": 10, "need_likes": 1, "count": 100}
VK_CASES: list[tuple[str, dict[str, Any], str, str]] = [
    ("users.get", {"user_ids": "id1,2"}, "users", "users_get_response"),
    ("users.get", {"fields": "screen_name,photo_50,domain"}, "users", "users_get_response"),
    ("groups.getById", {"group_id": "town", "fields": "members_count,verified,description,wall,can_post"}, "groups",
     "groups_getById_object_response"),
    ("groups.getLongPollServer", {"group_id": TOWN}, "groups", "groups_getLongPollServer_response"),
    ("newsfeed.search", {"q": "и"}, "newsfeed", "newsfeed_search_response"),
    ("newsfeed.search", {"q": "а", "extended": 1}, "newsfeed", "newsfeed_search_extended_response"),
    ("newsfeed.getMentions", {"owner_id": -TOWN}, "newsfeed", "newsfeed_getMentions_response"),
    ("photos.getById", {"photos": f"-{TOWN}_%(photo)s"}, "photos", "photos_getById_response"),
    ("photos.getAllComments", {"owner_id": -TOWN}, "photos", "photos_getAllComments_response"),
    ("photos.getComments", {"owner_id": -TOWN, "photo_id": "%(photo)s"}, "photos", "photos_getComments_response"),
    ("photos.createComment", {"owner_id": -TOWN, "photo_id": "%(photo)s", "message": "Ответ"}, "photos", "photos_createComment_response"),
    ("video.get", {"owner_id": -TOWN}, "video", "video_get_response"),
    ("video.getComments", {"owner_id": -TOWN, "video_id": "%(video)s"}, "video", "video_getComments_response"),
    ("video.createComment", {"owner_id": -TOWN, "video_id": "%(video)s", "message": "Ответ"}, "video", "video_createComment_response"),
    ("board.getTopics", {"group_id": TOWN}, "board", "board_getTopics_response"),
    ("board.getComments", {"group_id": TOWN, "topic_id": "%(topic)s"}, "board", "board_getComments_response"),
    ("board.createComment", {"group_id": TOWN, "topic_id": "%(topic)s", "message": "Ответ"}, "board", "board_createComment_response"),
    ("utils.resolveScreenName", {"screen_name": "town"}, "utils", "utils_resolveScreenName_response"),
    ("wall.get", {"domain": "town"}, "wall", "wall_get_response"),
    ("wall.get", {"domain": "town", "extended": 1}, "wall", "wall_get_extended_response"),
    ("wall.getById", {"posts": f"-{TOWN}_1"}, "wall", "wall_getById_response"),
    ("wall.getById", {"posts": f"-{TOWN}_1", "extended": 1}, "wall", "wall_getById_extended_response"),
    ("wall.getComments", THREAD, "wall", "wall_getComments_response"),
    ("wall.getComments", THREAD | {"extended": 1}, "wall", "wall_getComments_extended_response"),
    ("wall.getComments", THREAD | {"start_comment_id": 3}, "wall", "wall_getComments_response"),
    ("wall.getComments", THREAD | {"comment_id": 2}, "wall", "wall_getComments_response"),
    ("wall.getComment", {"owner_id": -TOWN, "comment_id": 3, "extended": 1}, "wall",
     "wall_getComment_extended_response"),
    ("wall.getComment", {"owner_id": -TOWN, "comment_id": 3}, "wall", "wall_getComment_response"),
    ("wall.createComment", {"owner_id": -TOWN, "post_id": 1, "message": "Ответ", "reply_to_comment": 2}, "wall",
     "wall_createComment_response"),
]  # fmt: skip


def test_vk_answers_are_as_its_schema_says(vk: Callable[..., VkApi], http: Client) -> None:
    schemas = VkSchemas(needs("vk-api-schema"))
    http.comment("", photo="pit")
    http.post("/world/comments", {"platform": "vk", "page": "town", "as_page": True, "text": "Сами"})
    http.post("/world/comments", {"platform": "vk", "page": "town", "author": "Инна", "text": f"А @club{TOWN} что говорит?"})
    beside = {}
    for kind in ("photo", "video", "topic"):
        beside[kind] = http.post("/world/posts", {"platform": "vk", "page": "town", "text": "Рядом", "kind": kind})["id"]
        comment = {"platform": "vk", "page": "town", "post_id": beside[kind], "author": "Инна", "text": "Вопрос"}
        http.post("/world/comments", comment)
    session = vk()
    for method, given, folder, name in VK_CASES:
        values = {key: value % beside if isinstance(value, str) else value for key, value in given.items()}
        answer = session.method(method, values, raw=True)
        errors = list(schemas.validator(f"{folder}/responses.json", name).iter_errors(answer))
        assert not errors, f"{method} {values}: {errors[0].message} at {list(errors[0].absolute_path)}"


def test_vk_errors_are_as_its_schema_says(http: Client) -> None:
    schemas = VkSchemas(needs("vk-api-schema"))
    answer = http.get("/method/wall.get?access_token=nobody&v=5.199")
    schemas.validator("base/objects.json", "base_error").validate({"inner_type": "base_error", **answer["error"]})


def test_the_vk_validator_finds_what_is_wrong() -> None:
    schemas = VkSchemas(needs("vk-api-schema"))
    validator = schemas.validator("wall/responses.json", "wall_getComments_response")
    good = {"id": 1, "from_id": 5, "date": 1, "text": ""}
    assert validator.is_valid({"response": {"count": 1, "items": [good]}})
    wrongs: list[dict[str, Any]] = [{"id": "1"}, {"date": None}, {"surprise": 1}, {"thread": {"items": []}}]
    for wrong in wrongs:
        assert not validator.is_valid({"response": {"count": 1, "items": [good | wrong]}})


TELEGRAM_CASES: list[tuple[str, dict[str, Any]]] = [
    ("getMe", {}),
    ("getUpdates", {}),
    ("getChat", {"chat_id": "@town_news"}),
    ("getChat", {"chat_id": "@town_talk"}),
    ("getChatMember", {"chat_id": "@town_talk", "user_id": 5001}),
    ("getChatMember", {"chat_id": "@town_news", "user_id": 5001}),
    ("getChatAdministrators", {"chat_id": "@town_talk"}),
    ("getChatMemberCount", {"chat_id": "@town_talk"}),
    ("sendMessage", {"chat_id": "@town_talk", "text": "Ответ", "reply_parameters": {"message_id": 2}}),
    ("sendMessage", {"chat_id": "@town_talk", "text": "Всем"}),
    ("sendMessage", {"chat_id": "@town_news", "text": "Новый пост"}),
    ("editMessageText", {"chat_id": "@town_talk", "message_id": 3, "text": "Ответ исправлен"}),
    ("deleteMessage", {"chat_id": "@town_talk", "message_id": 3}),
    ("getFile", {"file_id": "sandbox-1"}),
    ("getWebhookInfo", {}),
    ("setWebhook", {"url": ""}),
    ("deleteWebhook", {}),
    ("getUpdates", {"offset": 1}),
]


@pytest.mark.parametrize("admin", [False, True])
def test_telegram_answers_are_as_the_bot_api_says(http: Client, *, admin: bool) -> None:
    http.delete(f"/world/tokens/telegram/{BOT}")
    http.post(
        "/world/tokens",
        {
            "platform": "telegram",
            "token": BOT,
            "username": "priozersk_bot",
            "can_read_all_group_messages": True,
            "admin": admin,
        },
    )
    for spec in ({"text": "", "photo": "pit"}, {"text": "С фото", "photo": "pit"}, {"as_page": True, "text": "Сами"}):
        made = http.post("/world/comments", {"platform": "telegram", "page": "town_news", "author": "Вера", **spec})
        http.patch(f"/world/comments/telegram/town_news/1/{made['id']}", {"text": "Иначе"})
    http.post("/world/posts", {"platform": "telegram", "page": "town_news", "text": "Ещё", "photo": "news"})
    for status in ("kicked", "member"):
        http.post("/world/pages/telegram/town_news/members", {"bot": "priozersk_bot", "status": status}, status=200)
    http.post("/world/pages/telegram/town_news/move", {}, status=200)
    for method, values in TELEGRAM_CASES:
        if "chat_id" in values and values["chat_id"] == "@town_news" and method == "sendMessage" and not admin:
            continue
        if method in {"editMessageText", "deleteMessage"}:
            sent = http.post(f"/bot{BOT}/sendMessage", _reply("Ответ"), status=200)
            values = values | {"message_id": sent["result"]["message_id"]}  # noqa: PLW2901 - the id is only known now
        answer = http.post(f"/bot{BOT}/{method}", values, status=200)
        errors = list(telegram_result(method).iter_errors(answer["result"]))
        assert not errors, f"{method} {values}: {errors[0].message} at {list(errors[0].absolute_path)}"


def test_the_telegram_validator_finds_what_is_wrong() -> None:
    validator = telegram_validator("Message")
    good = {"message_id": 1, "date": 1, "chat": {"id": 1, "type": "supergroup"}}
    assert validator.is_valid(good)
    for wrong in ({"chat": {"id": 1}}, {"date": "now"}, {"surprise": 1}, {"from": {"id": 1, "is_bot": False}}):
        assert not validator.is_valid(good | wrong)


def _reply(text: str) -> dict[str, Any]:
    return {"chat_id": "@town_talk", "text": text, "reply_parameters": {"message_id": 2}}
