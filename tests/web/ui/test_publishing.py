"""The switch on the screen: who stops, who is told, who lets it go on."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sqlalchemy import text

from app.appeals.rules import Status
from app.replies.rules import ReplyState
from app.sources.models import Post
from tests.factories import make_appeal, make_author, make_comment

if TYPE_CHECKING:
    from app.kernel.db import Database
    from tests.web.ui.conftest import Browser, Enter, Town

WHY = "Не те слова <b>в ответах</b>"


async def test_a_coordinator_stops_and_everybody_concerned_is_told_until_it_goes_on(enter: Enter, town: Town, operator: Browser) -> None:
    coordinator, other = await enter("coordinator"), await enter("other")
    answered = await coordinator.post("/publishing/stop", at="/publishing", subject=town.ours.id, reason=WHY)
    assert (answered.status_code, answered.headers["location"]) == (303, "/publishing")
    for path in ("/queue", f"/appeals/{town.number}", "/appeals/new", "/pages", "/notices"):
        page = (await operator.get(path)).text
        assert "Публикация остановлена: ведомство «Управа Заречья»." in page, path
        assert "Не те слова &lt;b&gt;в ответах&lt;/b&gt;" in page, path
        assert "Тимур Ясенев" in page, path
    assert "Публикация остановлена" in (await (await enter("administrator")).get("/pages")).text
    banner = await operator.get("/publishing/banner", part=True)
    assert "Публикация остановлена" in banner.text
    card = (await operator.get(f"/appeals/{town.hostile_number}?status=all")).text
    waiting = card[card.index(f'id="reply-{town.replies[ReplyState.QUEUED].id}"') :]
    assert "Ответ ждёт и уйдёт, когда её возобновят" in waiting[: waiting.index("</form>")]
    assert "stop-line" in (await other.get("/queue")).text  # their appeal stands on a page of the stopped agency
    release = re.search(r'action="(/publishing/\d+/release)"', (await coordinator.get("/publishing")).text)
    assert release
    assert (await operator.post(release[1])).status_code == 403
    assert (await coordinator.post(release[1])).status_code == 303
    assert "stop-line" not in (await operator.get("/queue")).text
    past = (await coordinator.get("/publishing")).text
    assert past.count("Не те слова &lt;b&gt;") == 1
    again = await coordinator.post(release[1])
    assert (again.status_code, "уже возобновили" in again.text) == (409, True)


async def test_what_is_wrong_is_said_and_nothing_typed_is_lost(enter: Enter, town: Town) -> None:
    coordinator = await enter("coordinator")
    empty = await coordinator.post("/publishing/stop", at="/publishing", subject=town.ours.id, reason=" ")
    assert (empty.status_code, "Напишите причину" in empty.text) == (422, True)
    nothing = await coordinator.post("/publishing/stop", at="/publishing", subject="", reason=WHY)
    assert (nothing.status_code, "Выберите, что остановить." in nothing.text, "Не те слова" in nothing.text) == (422, True, True)
    assert (await coordinator.post("/publishing/stop", at="/publishing", subject="all", reason=WHY)).status_code == 403
    assert (await coordinator.post("/publishing/x/release")).status_code == 404
    assert (await coordinator.post("/publishing/999/release")).status_code == 404


async def test_a_page_is_stopped_from_the_list_of_pages(enter: Enter) -> None:
    coordinator = await enter("coordinator")
    link = re.search(r'href="(/publishing\?page=(\d+))"', (await coordinator.get("/pages")).text)
    assert link
    assert '<option value="page" selected>' in (await coordinator.get(link[1])).text
    await coordinator.post("/publishing/stop", at=link[1], subject="page", page=link[2], reason=WHY)
    assert "Публикация остановлена на странице" in (await coordinator.get("/queue")).text


async def test_one_held_back_is_let_go_by_a_coordinator_only(enter: Enter, town: Town, operator: Browser) -> None:
    held = town.replies[ReplyState.HELD].id
    path = f"/appeals/{town.hostile_number}?status=all"

    def offered(page: str) -> list[str]:
        part = page[page.index(f'id="reply-{held}"') :]
        return re.findall(r'name="decision" value="(\w+)"', part[: part.index("</form>")])

    assert offered((await operator.get(path)).text) == ["withdraw"]
    assert (await operator.post(f"/replies/{held}/resolve", decision="resend", version=1)).status_code == 403
    coordinator = await enter("coordinator")
    assert offered((await coordinator.get(path)).text) == ["resend", "withdraw"]
    assert (await coordinator.post(f"/replies/{held}/resolve", decision="resend", version=1)).status_code == 303


async def test_an_administrator_has_answers_approved_first_and_a_coordinator_approves_them(
    enter: Enter, town: Town, operator: Browser, owner_db: Database
) -> None:
    administrator, coordinator = await enter("administrator"), await enter("coordinator")
    assert (await coordinator.post("/publishing/approval", agency=town.ours.id, needed=1)).status_code == 403
    assert (await administrator.post("/publishing/approval", agency=town.ours.id, needed=1)).status_code == 303
    assert (await administrator.post("/publishing/approval", agency=town.ours.id, needed=1)).status_code == 422
    assert (await administrator.post("/publishing/approval", agency="x", needed=1)).status_code == 422
    assert "Управа Заречья" in (await coordinator.get("/publishing")).text
    path = f"/appeals/{town.number}"

    async def version() -> int:
        async with owner_db.read() as session:
            return await session.scalar(text("SELECT version FROM appeal WHERE id = :id"), {"id": town.appeal.id}) or 0

    await operator.post(f"{path}/answer", text="Починим <b>завтра</b>.", comment=town.comment.id, version=await version())
    async with owner_db.read() as session:
        reply_id = await session.scalar(text("SELECT max(id) FROM reply WHERE state = 'awaiting'"))
    shown = (await operator.get(path)).text
    assert "На согласовании" in shown
    assert 'value="approve"' not in shown
    assert 'value="approve"' in (await coordinator.get(path)).text
    assert f"/appeals/{town.number}" in (await coordinator.get("/queue?trouble=1")).text
    act = f"/replies/{reply_id}/approve"
    assert (await operator.post(act, decision="approve", version=await version())).status_code == 403
    assert (await coordinator.post(act, decision="approve", version=await version() - 1)).status_code == 409
    assert (await coordinator.post(act, decision="return", text="", version=await version())).status_code == 422
    assert (await coordinator.post(act, decision="other", version=await version())).status_code == 422
    assert (await coordinator.post("/replies/x/approve", decision="approve", version=1)).status_code == 404
    assert (await coordinator.post(act, decision="approve", version=await version())).status_code == 303
    history = (await operator.get(path)).text
    assert "Ответ согласован" in history
    assert "Тимур Ясенев" in history
    assert (await administrator.post("/publishing/approval", agency=town.ours.id, needed="")).status_code == 303
    assert "Ни одно ведомство" in (await administrator.get("/publishing")).text


async def test_whoever_hands_in_and_whoever_approves_sees_that_merged_authors_get_it_too(
    coordinator: Browser, town: Town, operator: Browser, owner_db: Database
) -> None:
    async with owner_db.write() as session:
        await session.execute(text("UPDATE agency SET approval_required = true WHERE id = :id"), {"id": town.ours.id})
        young = await make_comment(session, post=await session.get_one(Post, town.comment.post_id), author=await make_author(session))
        merged = await make_appeal(session, comment=young, agency=town.ours, territory=town.place, status=Status.DISMISSED)
        await session.execute(
            text("UPDATE appeal SET merged_into = :into, close_reason = 'merged' WHERE id = :id"), {"into": town.appeal.id, "id": merged.id}
        )
    path = f"/appeals/{town.number}"
    assert 'name="also"' in (await operator.get(path)).text
    await operator.post(f"{path}/answer", text="Починим завтра.", comment=town.comment.id, version=1, also=1)
    async with owner_db.read() as session:
        found = list(
            await session.scalars(text("SELECT appeal_id FROM reply WHERE text = 'Починим завтра.' AND state = 'awaiting' ORDER BY id"))
        )
    assert found == [town.appeal.id, merged.id]
    assert "Его получит и автор 1 объединённого обращения." in (await coordinator.get(path)).text
