"""The administrators' screen of one citizen's data."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import text

from app.privacy.keeping import Keeping

if TYPE_CHECKING:
    from fastapi import FastAPI

    from app.kernel.clock import FixedClock
    from app.kernel.db import Database
    from tests.web.ui.conftest import Enter, Town

PLACE = "/administration/subjects"


async def test_a_citizen_is_found_handed_out_and_erased(
    enter: Enter, town: Town, owner_db: Database, worker_db: Database, web: FastAPI, clock: FixedClock
) -> None:
    async with owner_db.read() as session:
        author = await session.scalar(text("SELECT external_id FROM author WHERE id = :id"), {"id": town.comment.author_id})
    administrator = await enter("administrator")
    await administrator.get(PLACE)
    found = await administrator.post(PLACE, platform="vk", q=author)
    assert "Пётр Кузнецов" in found.text
    assert town.number[:3] in found.text, "the open appeal that holds an erasure up"
    assert author not in str(found.url)
    handed = await administrator.post(f"{PLACE}/export", author=town.comment.author_id)
    assert handed.json()["comments"][0]["text"] == "Во дворе третий день не горят фонари."
    assert "attachment" in handed.headers["content-disposition"]
    refused = await administrator.post(f"{PLACE}/erase", platform="vk", q=author, author=town.comment.author_id, reason=" ")
    assert refused.status_code == 422
    noted = await administrator.post(f"{PLACE}/erase", platform="vk", q=author, author=town.comment.author_id, reason="№ 17")
    assert 'role="status"' in noted.text
    work = Keeping(worker_db, clock, {"text": timedelta(days=1825)})
    while await work.step():
        pass
    async with owner_db.write() as session:
        assert await session.scalar(text("SELECT count(*) FROM author WHERE erased_at IS NOT NULL")) == 0, "its appeal is open"
        await session.execute(text("UPDATE appeal SET status = 'closed', closed_at = now() WHERE id = :id"), {"id": town.appeal.id})
    while await work.step():
        pass
    gone = await administrator.post(PLACE, platform="vk", q=author)
    assert "Пётр Кузнецов" not in gone.text
    card = await (await enter("operator")).get(f"/appeals/{town.number}?status=all", part=True)
    assert "фонари" not in card.text
    assert "Автор и текст удалены" in card.text
    await web.state.web.reads.flush()
    async with owner_db.read() as session:
        acts = (await session.execute(text("SELECT DISTINCT act FROM audit_entry WHERE subject = 'author' ORDER BY 1"))).scalars().all()
    assert acts == ["author.erased", "author.erasure_asked", "author.handed_out", "author.read"]


async def test_nobody_else_finds_anybody(enter: Enter, town: Town, web_db: Database) -> None:
    for who in ("operator", "coordinator", "supervisor"):
        browser = await enter(who)
        await browser.get("/queue")
        for path in (PLACE, f"{PLACE}/export", f"{PLACE}/erase"):
            assert (await browser.post(path, platform="vk", q="1", author=town.comment.author_id, reason="x")).status_code == 403
        async with web_db.read(operator_id=town.people[who].id) as session:
            assert await session.scalar(text("SELECT otklik_subject_handed(:id)"), {"id": town.comment.author_id}) is None
            assert (await session.execute(text("SELECT * FROM otklik_subject_found('vk', '1')"))).all() == []
