"""A platform that nobody here has heard of: its connector is installed and named, and questions travel both ways."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from app import bootstrap
from app.appeals import service as appeals
from app.appeals.office import OfficeKeeper
from app.exchange.credentials import add_credential
from app.flows import inbound
from app.flows.outbound import Outbound
from app.flows.polling import Poller
from app.kernel.clock import SystemClock
from app.settings import Settings
from connectors.sandbox.server import in_thread
from tests.connectors.stranger.guestbook import KEY, NAME, Guestbook
from tests.connectors.stranger.installing import install
from tests.flows.conftest import PIT, settle

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from app.kernel.db import Database

    Rows = Callable[[str], Awaitable[list[Any]]]

pytestmark = [pytest.mark.flows, pytest.mark.timeout(60)]


async def test_a_stranger_s_question_is_answered_where_it_was_asked(
    owner_db: Database, worker_db: Database, web_db: Database, rows: Rows, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The package is installed and named in the settings; its token is a row; all else is what every platform goes through."""
    install(tmp_path / "site")
    monkeypatch.syspath_prepend(tmp_path / "site")
    settings, clock, book = Settings(connectors=("guestbook",), data_dir=tmp_path / "var"), SystemClock(), Guestbook()
    plugins = bootstrap.load_plugins(settings)
    with in_thread(book.app()) as url:
        async with owner_db.write() as session:
            await add_credential(
                session, bootstrap.settings_vault(settings), plugins["guestbook"], kind="key", secret=f"{url} {KEY}", page_id=None,
                now=clock.now(),
            )  # fmt: skip
        connectors = await bootstrap.build_connectors(settings, owner_db, plugins)
        page = await connectors["guestbook"].describe_page(f"https://{NAME}/guestbook")
        office = await settle(owner_db, web_db, platform="guestbook", snapshot=page, now=clock.now())
        remark = book.write("remark", PIT, topic=book.write("topic", "Дороги села"), visitor="Олег")
        await Poller(worker_db, "guestbook", connectors["guestbook"], clock, worker="w", time_scale=50).round()
        await inbound.open_all(worker_db, OfficeKeeper(worker_db, clock), clock)
        ((number, link),) = await rows("SELECT a.number, c.link FROM appeal a JOIN comment c ON c.appeal_id = a.id")
        assert link == f"https://{NAME}/guestbook/1#{remark}"
        async with web_db.write(operator_id=office.operator.operator_id) as session:
            await appeals.answer(session, office.operator, number=number, words="Засыпем завтра.", text_limits={}, now=clock.now())
        assert await Outbound(worker_db, connectors, clock, worker="w", time_scale=50).send_due() == 1
        for connector in connectors.values():
            await connector.close()
    assert [(one["words"], one["in_reply_to"]) for one in book.answers()] == [("Засыпем завтра.", remark)]
    assert [tuple(row) for row in await rows("SELECT status, platform FROM appeal")] == [("answered", "guestbook")]
    assert [tuple(row) for row in await rows("SELECT state, by_hand FROM reply")] == [("sent", False)]
    (timer,) = await rows("SELECT outcome FROM sla_timer WHERE promise = 'first_answer'")
    assert timer.outcome == "met"
