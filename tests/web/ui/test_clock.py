"""The clock on the card: it stands still and goes on, it is put off, and both are told with who and why."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import text

from tests.web.ui.test_actions import appeal, row, version

if TYPE_CHECKING:
    from app.kernel.clock import FixedClock
    from app.kernel.db import Database
    from tests.web.ui.conftest import Browser, Town


def plain(page: str) -> str:
    return page.replace("\xa0", " ")


async def test_the_clock_stands_still_and_goes_on(coordinator: Browser, town: Town, owner_db: Database, clock: FixedClock) -> None:
    """The card says so, with who, why and since when; the queue shows no deadline meanwhile."""
    at = f"/appeals/{town.number}"
    seen = await version(coordinator, town.number)
    dialog = (await coordinator.get(f"{at}/pause")).text
    assert "Ждём уточнения от жителя" in dialog
    response = await coordinator.post(f"{at}/pause", at=at, version=seen, reason="waiting_for_author", text="Спросили номер дома.")
    assert response.status_code == 303
    due = (await row(owner_db, "SELECT due_at FROM sla_timer WHERE appeal_id = :id", id=town.appeal.id)).due_at
    assert (await appeal(owner_db, town.number)).due_at is None
    clock.moment += timedelta(minutes=45)
    shown = (await coordinator.get(at)).text
    for words in ("Отсчёт приостановлен", "Ждём уточнения от жителя", "Спросили номер дома.", "Продолжить отсчёт"):
        assert words in shown
    response = await coordinator.post(f"{at}/resume", at=at, version=await version(coordinator, town.number))
    assert response.status_code == 303
    moved = (await row(owner_db, "SELECT due_at FROM sla_timer WHERE appeal_id = :id", id=town.appeal.id)).due_at
    assert moved - due == timedelta(minutes=45)
    assert (await appeal(owner_db, town.number)).due_at == moved
    shown = (await coordinator.get(at)).text
    assert "+45 мин" in plain(shown)


async def test_a_clock_tells_what_started_it(coordinator: Browser, town: Town, owner_db: Database) -> None:
    at, told = f"/appeals/{town.number}", {"": "Житель написал", "interim": "Промежуточный ответ дан", "again": "Вопрос возобновлён"}
    changes = {
        "": "SELECT CAST(:id AS bigint)",
        "interim": """UPDATE sla_timer SET term = term || '{"after": "interim_answer"}' WHERE appeal_id = :id""",
        "again": """
            WITH a AS (UPDATE appeal SET cycle = 2 WHERE id = :id)
            UPDATE sla_timer SET cycle = 2, term = term - 'after' WHERE appeal_id = :id
        """,
    }
    for since, change in changes.items():
        async with owner_db.write() as session:
            await session.execute(text(change), {"id": town.appeal.id})
        shown = (await coordinator.get(at)).text
        assert {words for words in told.values() if f'<th scope="row">{words}</th>' in shown} == {told[since]}


async def test_a_coordinator_puts_a_deadline_off_and_the_card_shows_both(coordinator: Browser, town: Town, owner_db: Database) -> None:
    at = f"/appeals/{town.number}"
    seen = await version(coordinator, town.number)
    assert "На сколько" in (await coordinator.get(f"{at}/extend")).text
    for amount, unit, words, sentence in (
        ("2", "hours", " ", "Напишите, почему срок продлевается."),
        ("0", "hours", "Ждём", "целое число от 1"),
        ("9", "eons", "Ждём", "целое число от 1"),
    ):
        refused = await coordinator.post(f"{at}/extend", at=at, version=seen, promise="first_answer", amount=amount, unit=unit, text=words)
        assert refused.status_code == 422
        assert sentence in refused.text
    response = await coordinator.post(
        f"{at}/extend", at=at, version=seen, promise="first_answer", amount="2", unit="hours", text="Ждём подрядчика"
    )
    assert response.status_code == 303
    found = await row(owner_db, "SELECT * FROM sla_extension")
    assert found.due_after - found.due_before == timedelta(hours=2)
    shown = (await coordinator.get(at)).text
    assert "Ждём подрядчика" in shown
    timer = await row(owner_db, "SELECT started_at, due_at FROM sla_timer WHERE appeal_id = :id", id=town.appeal.id)
    assert timer.due_at == found.due_after
    total = int((timer.due_at - timer.started_at) / timedelta(minutes=1))
    assert re.search(rf"\+2 ч 00 мин</td>.*?Всего</th><td class=\"num\">{total // 60} ч {total % 60:02} мин</td>", plain(shown), re.DOTALL)
    assert "Тимур Ясенев" in shown
    assert "Срок продлён: Первый ответ" in shown
