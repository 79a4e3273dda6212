"""The switch of private messages: off until an administrator moves it, with the reason to think first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import text

from tests import factories

if TYPE_CHECKING:
    from app.kernel.db import Database
    from tests.web.ui.conftest import Enter, Town


async def test_an_administrator_switches_a_bot_on_and_off(enter: Enter, town: Town, owner_db: Database) -> None:
    path = "/administration/private"
    administrator = await enter("administrator")
    assert "Ни один бот не подключён" in (await administrator.get(path)).text
    async with owner_db.write() as session:
        bot = await factories.make_page(session, platform="telegram", agency=town.ours, title="Бот <b>", options={"dialogs": "yes"})
        page = await factories.make_page(session, platform="telegram", agency=town.ours, title="Канал")
    shown = (await administrator.get(path)).text
    assert "не читаются" in shown
    assert "41-ФЗ" in shown
    assert "Бот &lt;b&gt;" in shown
    assert "Канал" not in shown
    for decision, words, option in (("on", "открывают обращения", "on"), ("on", "открывают обращения", "on"), ("off", "не читаются", None)):
        assert (await administrator.post(path, page=bot.id, decision=decision)).status_code == 303
        assert words in (await administrator.get(path)).text
        async with owner_db.read() as session:
            assert await session.scalar(text("SELECT options ->> 'private' FROM page WHERE id = :id"), {"id": bot.id}) == option
    for nothing in (page.id, "x"):
        assert (await administrator.post(path, page=nothing, decision="on")).status_code == 404
    async with owner_db.read() as session:
        acts = await session.scalars(text("SELECT act FROM audit_entry WHERE subject = 'page' ORDER BY id"))
        assert list(acts) == ["private.switched_on", "private.switched_off"]
    for who in ("operator", "coordinator", "supervisor"):
        assert (await (await enter(who)).get(path)).status_code == 403
