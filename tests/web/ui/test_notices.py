"""Notices outside on the screens: own addresses and hours for everybody, rules and unknown outcomes for administrators."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text

from app.kernel.mail import parse_mail_server
from app.kernel.parts import NoticeParts
from app.notices.letters import code_hash
from app.people.rules import Role
from app.web.app import create_app
from app.web.ui.render import catalogue
from tests import factories as make

if TYPE_CHECKING:
    from fastapi import FastAPI

    from app.kernel.clock import FixedClock
    from app.kernel.db import Database
    from app.kernel.parts import WebParts
    from tests.web.ui.conftest import Browser, Enter, Town

OWN, RULES = "/account/notices", "/administration/notices"


@pytest.fixture
def web(parts: WebParts) -> FastAPI:
    """The application with mail, a bot and webhooks open."""
    opened = NoticeParts(
        catalogue=catalogue, address="http://otklik.example", timezone="Europe/Moscow",
        mail=parse_mail_server("smtp://mail.example", "otklik@town.example"), telegram_token="1:t", webhook_hosts="hook.example",
    )  # fmt: skip
    return create_app(replace(parts, notices=opened, webhook_hosts="hook.example"))


async def rows(db: Database, statement: str, **params: Any) -> list[Any]:
    async with db.read() as session:
        return list((await session.execute(text(statement), params)).all())


async def test_an_address_is_given_proved_and_taken_away(operator: Browser, town: Town, owner_db: Database, clock: FixedClock) -> None:
    given = await operator.post(f"{OWN}/address", at=OWN, carrier="email", address="olga@town.example")
    assert given.headers["location"] == f"{OWN}?code=1"
    ((address_id, kind),) = await rows(owner_db, "SELECT address_id, kind FROM notice_letter WHERE state = 'waiting'")
    assert kind == "code"
    async with owner_db.write() as session:  # what the worker does when it sends it
        await session.execute(
            text("UPDATE notice_address SET code_hash = :hash, code_until = :until"),
            {"hash": code_hash(address_id, "123456"), "until": clock.now().replace(hour=23)},
        )
    wrong = await operator.post(f"{OWN}/code", at=OWN, carrier="email", code="654321")
    assert wrong.status_code == 422
    assert "Код не подошёл" in wrong.text
    assert await rows(owner_db, "SELECT code_tries FROM notice_address") == [(1,)]
    assert (await operator.post(f"{OWN}/code", at=OWN, carrier="email", code="123 456")).headers["location"] == f"{OWN}?proved=1"
    page = (await operator.get(f"{OWN}?proved=1")).text
    assert "теперь уведомления приходят и сюда" in page
    assert "olga@town.example" in page
    assert (await operator.post(f"{OWN}/remove", at=OWN, carrier="email")).status_code == 303
    assert await rows(owner_db, "SELECT address, ended_at IS NULL FROM notice_address") == [("", False)]
    person = town.people["operator"].id
    acts = await rows(owner_db, "SELECT act FROM audit_entry WHERE operator_id = :id AND act LIKE 'notice%' ORDER BY id", id=person)
    assert [row.act for row in acts] == ["notice_address.set", "notice_address.proved", "notice_address.removed"]


async def test_addresses_that_cannot_be(operator: Browser, owner_db: Database) -> None:
    for carrier, address, told in (
        ("email", "olga", "Это не похоже на адрес почты"),
        ("telegram", "@olga", "Укажите номер чата"),
        ("webhook", "https://elsewhere.example/in", "Такой адрес не разрешён"),
        ("webhook", "http://hook.example/in", "Такой адрес не разрешён"),
        ("max", "42", ""),  # closed in the settings, so there is no place for the sentence
        ("pigeon", "42", ""),
    ):
        refused = await operator.post(f"{OWN}/address", at=OWN, carrier=carrier, address=address)
        assert (refused.status_code, told in refused.text) == (422, True), carrier
    assert await rows(owner_db, "SELECT 1 FROM notice_address") == []


async def test_nobody_s_mailbox_is_filled_with_codes(operator: Browser, owner_db: Database, clock: FixedClock) -> None:
    assert (await operator.post(f"{OWN}/address", at=OWN, carrier="email", address="olga@town.example")).status_code == 303
    again = (
        "INSERT INTO notice_letter (operator_id, address_id, carrier, kind, created_at) "
        "SELECT operator_id, address_id, carrier, kind, :at FROM notice_letter, generate_series(1, 4)"
    )
    async with owner_db.write() as session:
        await session.execute(text(again), {"at": clock.now()})
    refused = await operator.post(f"{OWN}/address", at=OWN, carrier="telegram", address="42")
    assert (refused.status_code, "слишком много кодов" in refused.text) == (422, True)
    assert await rows(owner_db, "SELECT carrier FROM notice_address WHERE ended_at IS NULL") == [("email",)]


async def test_own_hours(operator: Browser, owner_db: Database) -> None:
    form: dict[str, Any] = {"limited": 1, "day1": 1, "day7": 1, "opens": "22:30", "closes": "00:00", "breach": 1}
    assert (await operator.post(f"{OWN}/hours", at=OWN, **form)).status_code == 303
    (row,) = await rows(owner_db, "SELECT * FROM notice_hours")
    assert (row.days, row.opens, row.closes, row.timezone, row.breach_any_time) == ([1, 7], 1350, 1440, "Europe/Moscow", True)
    page = " ".join((await operator.get(OWN)).text.split())
    assert 'name="opens" value="22:30"' in page
    assert 'name="closes" value="00:00"' in page
    unusable: tuple[dict[str, Any], ...] = ({"opens": "9"}, {"closes": "22:30"}, {"closes": "24:00"}, {"opens": "x:00"})
    for wrong in unusable:
        refused = await operator.post(f"{OWN}/hours", at=OWN, **form | wrong)
        assert (refused.status_code, "Отметьте хотя бы один день" in refused.text) == (422, True), wrong
    assert (await operator.post(f"{OWN}/hours", at=OWN, limited=0)).status_code == 303
    assert await rows(owner_db, "SELECT 1 FROM notice_hours") == []


async def test_rules_are_set_and_ended_by_administrators_and_stand_in_the_trail(
    enter: Enter, coordinator: Browser, owner_db: Database
) -> None:
    administrator = await enter("administrator")
    page = (await administrator.get(RULES)).text
    assert "через 2 часа после срока" in page
    assert "когда прошло 80 процентов срока" in page
    rule: dict[str, Any] = {"role": "coordinator", "amount": 90, "unit": "minutes", "email": 1, "telegram": 1, "place": "whole"}
    assert (await coordinator.post(f"{RULES}/rules", at=RULES, **rule)).status_code == 403
    assert (await administrator.post(f"{RULES}/rules", at=RULES, **rule)).status_code == 303
    (added,) = await rows(owner_db, "SELECT * FROM notice_rule WHERE after_seconds = 5400")
    assert (added.role, added.share, added.carriers) == ("coordinator", None, ["email", "telegram"])
    assert "через 90 минут после срока" in (await administrator.get(RULES)).text
    wrong = (
        {"role": "administrator"},
        {"amount": 100, "unit": "percent"},
        {"amount": -1},
        {"amount": 61, "unit": "days"},
        {"unit": "years"},
        {"place": "agency:999999"},
    )
    for one in (*wrong, {"email": 0, "telegram": 0}):
        assert (await administrator.post(f"{RULES}/rules", at=RULES, **rule | one)).status_code == 422, one
    assert (await administrator.post(f"{RULES}/rules/end", at=RULES, rule=added.id)).status_code == 303
    assert (await administrator.post(f"{RULES}/rules/end", at=RULES, rule=added.id)).status_code == 404
    acts = await rows(owner_db, "SELECT act, data FROM audit_entry WHERE subject = 'notice_rule' ORDER BY id")
    assert [row.act for row in acts] == ["notice_rule.added", "notice_rule.ended"]
    assert acts[0].data == {"role": "coordinator", "carriers": ["email", "telegram"], "after_seconds": 5400}


async def test_rules_of_a_place_are_set_and_ended_by_whoever_administers_it(enter: Enter, town: Town, owner_db: Database) -> None:
    everywhere = await enter("administrator")
    async with owner_db.write() as session:
        town.people["local"] = await make.make_operator(session, role=Role.ADMINISTRATOR, scope=town.ours)
    local = await enter("local")
    rule: dict[str, Any] = {"role": "operator", "amount": 30, "unit": "minutes", "email": 1}
    for place, status in (("whole", 422), (f"agency:{town.theirs.id}", 422), (f"agency:{town.ours.id}", 303)):
        assert (await local.post(f"{RULES}/rules", at=RULES, **rule, place=place)).status_code == status, place
    (added,) = await rows(owner_db, "SELECT id, agency_id FROM notice_rule WHERE after_seconds = 1800")
    assert added.agency_id == town.ours.id
    (wider,) = await rows(owner_db, "SELECT min(id) AS id FROM notice_rule")
    page = (await local.get(RULES)).text
    assert "через 30 минут после срока" in page
    assert "Правила ведомства или территории" in page
    assert (f'name="rule" value="{added.id}"' in page, f'name="rule" value="{wider.id}"' in page) == (True, False)
    assert (await local.post(f"{RULES}/rules/end", at=RULES, rule=wider.id)).status_code == 404
    assert (await everywhere.post(f"{RULES}/rules/end", at=RULES, rule=added.id)).status_code == 303


async def test_an_unknown_outcome_is_shown_and_decided_about(enter: Enter, town: Town, owner_db: Database) -> None:
    async with owner_db.write() as session:
        for state in ("unknown", "failed", "delivered"):
            await session.execute(
                text(
                    "WITH a AS (INSERT INTO notice_address (operator_id, carrier, address, proved_at, ended_at) "
                    "VALUES (:id, 'email', 'x@y.ru', now(), now()) RETURNING id) "
                    "INSERT INTO notice_letter (operator_id, address_id, carrier, kind, state, settled_at) "
                    "SELECT :id, id, 'email', 'single', :state, now() FROM a"
                ),
                {"id": town.people["operator"].id, "state": state},
            )
    administrator = await enter("administrator")
    page = (await administrator.get(RULES)).text
    assert "исход неизвестен" in page
    assert "не доставлено" in page
    assert "x@y.ru" not in page
    unknown, failed, delivered = [row.id for row in await rows(owner_db, "SELECT id FROM notice_letter ORDER BY id")]
    assert (await administrator.post(f"{RULES}/letters", at=RULES, letter=unknown, act="again")).headers["location"].endswith("again=1")
    assert (await administrator.post(f"{RULES}/letters", at=RULES, letter=failed, act="aside")).headers["location"].endswith("aside=1")
    assert (await administrator.post(f"{RULES}/letters", at=RULES, letter=delivered, act="again")).status_code == 404
    states = [row.state for row in await rows(owner_db, "SELECT state FROM notice_letter ORDER BY id")]
    assert states == ["waiting", "void", "delivered"]


async def test_the_list_of_deadlines_says_how_far_a_notice_went(operator: Browser, town: Town, owner_db: Database) -> None:
    async with owner_db.write() as session:
        await session.execute(
            text(
                "INSERT INTO notice (key, kind, appeal_id, timer_id, agency_id, territory_id, occurred_at, share, escalated_to) "
                "SELECT 'breach:' || t.id, 'sla_breach', a.id, t.id, a.agency_id, a.territory_id, now(), NULL, 'coordinator' "
                "FROM appeal a JOIN sla_timer t ON t.appeal_id = a.id WHERE a.id = :id"
            ),
            {"id": town.appeal.id},
        )
    page = (await operator.get("/notices")).text
    assert "уведомление координатору" in page
    assert OWN in page
