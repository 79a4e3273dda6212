"""What the card says of an answer that did not go out: what there is to do, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import text

from app.replies.rules import ReplyState

if TYPE_CHECKING:
    from app.kernel.db import Database
    from tests.web.ui.conftest import Browser, Town


def card_of(shown: str, town: Town, state: ReplyState) -> str:
    return shown[shown.index(f'id="reply-{town.replies[state].id}"') :].split('class="reply"', maxsplit=1)[0]


async def test_where_nothing_is_left_nobody_is_sent_there(operator: Browser, town: Town, owner_db: Database) -> None:
    """And where it may stand or not, the way there is beside the question."""
    async with owner_db.write() as session:
        for state, code, detail in ((ReplyState.FAILED, "gone", "error 100"), (ReplyState.UNCERTAIN, "network", "it shows no history")):
            told = {"id": town.replies[state].id, "code": code, "detail": detail}
            await session.execute(text("UPDATE reply SET error_code = :code, error_detail = :detail WHERE id = :id"), told)
    shown = (await operator.get(f"/appeals/{town.hostile_number}")).text
    gone, uncertain = (card_of(shown, town, state) for state in (ReplyState.FAILED, ReplyState.UNCERTAIN))
    assert ("error 100" in gone, 'value="resend"' in gone, 'value="posted"' in gone, "Открыть комментарий" in gone) == (
        True,
        True,
        False,
        False,
    )
    assert ('value="found"' in uncertain, "Открыть комментарий" in uncertain, "history" in uncertain) == (True, True, False)


async def test_what_goes_on_by_itself_asks_nobody_to_decide(operator: Browser, town: Town, owner_db: Database) -> None:
    async with owner_db.write() as session:
        await session.execute(
            text("UPDATE reply SET error_code = 'server', attempts = 1 WHERE id = ANY (:ids)"),
            {"ids": [town.replies[state].id for state in (ReplyState.QUEUED, ReplyState.SENDING, ReplyState.UNCERTAIN)]},
        )
    shown = (await operator.get(f"/appeals/{town.hostile_number}")).text
    for state, asks in ((ReplyState.QUEUED, False), (ReplyState.SENDING, False), (ReplyState.UNCERTAIN, True)):
        card = card_of(shown, town, state)
        assert ("прежде чем решать" in card, "Ответ уйдёт сам." in card) == (asks, not asks), state
