"""The administrators' screens of webhooks: who is told, what became of it, and who may not see."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import httpx
from sqlalchemy import text

from app.people.rules import Role
from tests import factories as make

if TYPE_CHECKING:
    from app.kernel.db import Database
    from app.kernel.parts import WebParts
    from tests.web.ui.conftest import Enter, Town

WEBHOOKS_PAGE = "/administration/webhooks"


async def rows(owner_db: Database, query: str) -> list[tuple[Any, ...]]:
    async with owner_db.read() as session:
        return [tuple(row) for row in await session.execute(text(query))]


async def test_a_system_is_told_tested_and_told_no_more(enter: Enter, parts: WebParts, town: Town, owner_db: Database) -> None:
    browser = await enter("administrator")
    assert "Пока мы никому не сообщаем" in (await browser.get(WEBHOOKS_PAGE)).text
    form: dict[str, Any] = {"name": "СЭД <b>", "url": "https://sed.example/in", "place": f"agency:{town.ours.id}", "appeal.closed": "1"}
    for field, value, sentence in (
        ("name", " ", "Напишите, что это за система."),
        ("url", "https://evil.example/in", "OTKLIK_WEBHOOK_HOSTS"),
        ("url", "sed.example", "Это не адрес"),
        ("place", "agency:999999", "Выберите, где действует роль"),
        ("appeal.closed", "", "Выберите, о чём сообщать."),
    ):
        refused = await browser.post(WEBHOOKS_PAGE, **(form | {field: value}))
        assert refused.status_code == 422, (field, value)
        assert sentence in refused.text, (field, value)
    added = await browser.post(WEBHOOKS_PAGE, **form)
    secret = re.search(r"whsec_[\w+/=]+", added.text)
    assert secret is not None
    ((number, sealed, kinds, agency),) = await rows(owner_db, "SELECT id, secret, kinds, agency_id FROM webhook_target")
    assert (parts.webhook_vault.open(bytes(sealed)), kinds, agency) == (secret[0], ["appeal.closed"], town.ours.id)
    here = f"{WEBHOOKS_PAGE}/{number}"
    shown = (await browser.get(WEBHOOKS_PAGE)).text
    assert secret[0] not in shown
    assert "СЭД &lt;b&gt;" in shown
    assert "Управа Заречья" in shown
    assert (await browser.post(f"{here}/test")).headers["location"] == f"{here}?tested=1"
    ((delivery, state),) = await rows(owner_db, "SELECT id, state FROM webhook_delivery WHERE kind = 'test'")
    assert state == "waiting"
    again = f"{here}/deliveries/{delivery}/again"
    assert (await browser.post(again)).status_code == 409
    async with owner_db.write() as session:
        await session.execute(text("UPDATE webhook_delivery SET state = 'failed', attempts = 8, settled_at = now()"))
        attempt = "INSERT INTO webhook_attempt (delivery_id, at, outcome, status, detail) VALUES (:id, now(), 'refused', 503, '<i>нет</i>')"
        await session.execute(text(attempt), {"id": delivery})
    failed = (await browser.get(f"{here}?failed=1")).text
    assert "отказ, HTTP 503" in failed
    assert "&lt;i&gt;нет&lt;/i&gt;" in failed
    assert (await browser.post(again)).headers["location"] == f"{here}?again=1"
    assert await rows(owner_db, "SELECT state, attempts, settled_at FROM webhook_delivery") == [("waiting", 0, None)]
    assert "Всё доставлено" in (await browser.get(f"{here}?failed=1")).text
    assert (await browser.post(f"{here}/revoke")).headers["location"] == f"{WEBHOOKS_PAGE}?revoked=1"
    assert (await browser.post(f"{here}/revoke")).status_code == 404
    assert (await browser.post(f"{here}/test")).status_code == 404
    acts = await rows(owner_db, "SELECT act, operator_id FROM audit_entry WHERE subject = 'webhook_target' ORDER BY id")
    who = town.people["administrator"].id
    assert acts == [(f"webhook.{act}", who) for act in ("added", "tested", "sent_again", "removed")]


async def test_a_target_beyond_ones_scope_does_not_exist(enter: Enter, town: Town, owner_db: Database) -> None:
    """An administrator of one agency sees its own systems only, and makes none for the region."""
    everywhere = await enter("administrator")
    await everywhere.get(WEBHOOKS_PAGE)
    form: dict[str, Any] = {"name": "Вся область", "url": "https://sed.example/in", "place": "whole", "appeal.closed": "1"}
    await everywhere.post(WEBHOOKS_PAGE, **form)
    await everywhere.post(WEBHOOKS_PAGE, **(form | {"name": "Наша", "place": f"agency:{town.ours.id}"}))
    async with owner_db.write() as session:
        town.people["local"] = await make.make_operator(session, role=Role.ADMINISTRATOR, scope=town.ours, name="Местная")
        await session.execute(
            text(
                "INSERT INTO webhook_delivery (target_id, kind, data, occurred_at, state) "
                "SELECT id, 'test', '{}', now(), 'failed' FROM webhook_target"
            )
        )
    local = await enter("local")
    shown = (await local.get(WEBHOOKS_PAGE)).text
    assert "Наша" in shown
    assert "Вся область</a>" not in shown
    (((whole, failed), (ours, _))) = await rows(
        owner_db, "SELECT t.id, d.id FROM webhook_target t JOIN webhook_delivery d ON d.target_id = t.id ORDER BY t.id"
    )
    assert (await local.get(f"{WEBHOOKS_PAGE}/{ours}")).status_code == 200
    answers: list[httpx.Response] = [
        await local.get(f"{WEBHOOKS_PAGE}/{whole}"),
        *[await local.post(f"{WEBHOOKS_PAGE}/{whole}/{act}") for act in ("test", "revoke", f"deliveries/{failed}/again")],
    ]
    assert {answer.status_code for answer in answers} == {404}
    assert (await local.post(f"{WEBHOOKS_PAGE}/{ours}/deliveries/{failed}/again")).status_code == 409
    refused = await local.post(WEBHOOKS_PAGE, **form)
    assert refused.status_code == 422
    assert (await rows(owner_db, "SELECT count(*) FROM webhook_target"))[0] == (2,)
