"""What the card offers to do to an answer that stands is what its platform lets be done there with our tokens, and until when."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from app.replies.rules import ReplyState
from tests import factories

if TYPE_CHECKING:
    from app.kernel.clock import FixedClock
    from app.kernel.db import Database
    from tests.web.ui.conftest import Browser, Town

DIALOGS = '{"dialogs": "yes"}'
PLACES = [
    # platform, the token there is, the page's options, the post, hours since the publishing; what is offered, and what is said to be over
    ("vk", "user", "{}", "17", 1000, "edit delete", ""),
    ("vk", "community", "{}", "17", 1, "", ""),
    ("vk", "user", "{}", "photo17", 1, "", ""),
    ("vk", "user", "{}", "video17", 1, "", ""),
    ("vk", "user", "{}", "topic17", 1, "", ""),
    ("ok", "user", "{}", "17", 1000, "edit delete", ""),
    ("max", "bot", "{}", "mid.17", 25, "edit delete", ""),
    ("max", "bot", "{}", "mid.17", 27, "delete", "edit"),
    ("max", "bot", DIALOGS, "17", 27, "edit delete", ""),
    ("max", "bot", DIALOGS, "17", 24 * 7 + 1, "delete", "edit"),
    ("telegram", "bot", '{"group": "-1"}', "17", 47, "edit delete", ""),
    ("telegram", "bot", '{"group": "-1"}', "17", 49, "edit", "delete"),
    ("nowhere", "bot", "{}", "17", 1, "", ""),
]


@pytest.mark.parametrize(("platform", "kind", "options", "post", "hours", "offered", "over"), PLACES)
async def test_only_what_the_platform_lets_be_done_there_is_offered(
    operator: Browser,
    town: Town,
    owner_db: Database,
    clock: FixedClock,
    platform: str,
    kind: str,
    options: str,
    post: str,
    hours: int,
    offered: str,
    over: str,
) -> None:
    reply = town.replies[ReplyState.SENT]
    async with owner_db.write() as session:
        await session.execute(
            text("INSERT INTO credential (platform, kind, secret) VALUES (:of, :kind, '')"), {"of": platform, "kind": kind}
        )
        for statement in (
            "UPDATE appeal SET platform = :platform WHERE id = :appeal",
            """
            UPDATE page SET platform = :platform, options = CAST(:options AS jsonb)
            WHERE id = (SELECT page_id FROM appeal WHERE id = :appeal)
            """,
            "UPDATE post SET external_id = :post WHERE id = (SELECT post_id FROM appeal WHERE id = :appeal)",
            "UPDATE reply SET published_at = :at, link = 'https://there.example/1' WHERE id = :reply",
        ):
            params = {"platform": platform, "options": options, "post": post, "appeal": reply.appeal_id, "reply": reply.id}
            await session.execute(text(statement), params | {"at": clock.now() - timedelta(hours=hours)})
    shown = (await operator.get(f"/appeals/{town.hostile_number}")).text
    for change in ("edit", "delete"):
        assert (f'id="{change}-why-{reply.id}"' in shown) is (change in offered.split()), change
    told = {"edit": "Площадка позволяла изменить ответ до", "delete": "Площадка позволяла удалить ответ до"}
    assert [change for change, words in told.items() if words in shown] == over.split()
    lacks = platform == "vk" and kind == "community"  # a token of a person would do there
    assert shown.count("изменить или удалить только вручную") == int(not offered and not over and not lacks)
    assert shown.count("нужен ещё один ключ: личный токен.") == int(lacks)
    limited = (platform == "telegram" and "delete" in offered) or (platform == "max" and "edit" in offered)
    assert shown.count("Площадка позволяет это сделать до") == int(limited)
    asked = await operator.post(f"/replies/{reply.id}/amend", part=True, change="delete", reason="Ошибка", version=1)
    assert (asked.status_code == 409) is ("delete" not in offered), asked.text[:200]


async def test_a_change_that_came_too_late_is_not_to_be_tried_again(operator: Browser, town: Town, owner_db: Database) -> None:
    reply = town.replies[ReplyState.SENT]
    async with owner_db.write() as session:
        author = await factories.make_operator(session, role=None)
        change = await factories.make_amendment(session, reply_id=reply.id, operator=author, state="failed")
    for code, offered in (("server", True), ("too_late", False)):
        async with owner_db.write() as session:
            await session.execute(text("UPDATE amendment SET error_code = :code WHERE id = :id"), {"code": code, "id": change})
        shown = (await operator.get(f"/appeals/{town.hostile_number}")).text
        form = shown[shown.index(f'action="/amendments/{change}/resolve"') :]
        form = form[: form.index("</form>")]
        assert 'value="withdraw"' in form
        assert ('value="again"' in form) is offered, code
