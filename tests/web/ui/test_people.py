"""The administrator's screens of people and tokens: what they show, do and refuse."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text

from app.people import codes, second_factor
from app.people.rules import Role
from tests import factories as make
from tests.web.entrance import make_entrance

if TYPE_CHECKING:
    from app.kernel.clock import FixedClock
    from app.kernel.db import Database
    from tests.web.ui.conftest import Browser, Enter, Town

PEOPLE, TOKENS = "/administration/people", "/administration/tokens"
REPORTS: dict[str, Any] = {"report.read": "1"}
PASSWORD = "кедр-и-брусника-7"


@pytest.fixture
async def administrator(enter: Enter) -> Browser:
    browser = await enter("administrator")
    await browser.get(PEOPLE)
    return browser


async def scalar(owner_db: Database, query: str, **values: object) -> object:
    async with owner_db.read() as session:
        return await session.scalar(text(query), values)


async def test_somebody_is_taken_on_by_a_link_that_is_shown_once(
    administrator: Browser, stranger: Browser, town: Town, owner_db: Database
) -> None:
    form: dict[str, Any] = {"name": "Мария Белова", "login": "M.Belova", "role": "operator", "place": f"agency:{town.ours.id}"}
    for field, value, sentence in (
        ("login", "мария", "Имя для входа"),
        ("name", "", "имя"),
        ("place", "agency:999999", "Выберите, где действует роль"),
        ("place", "", "Выберите, где действует роль"),
        ("role", "king", "Выберите роль."),
        ("login", town.people["administrator"].login, "Свои роли"),
    ):
        refused = await administrator.post(f"{PEOPLE}/new", **(form | {field: value}))
        assert refused.status_code == 422, (field, value)
        assert sentence in refused.text, (field, value)
    done = await administrator.post(f"{PEOPLE}/new", **form)
    assert done.status_code == 200
    link = re.search(r"http://otklik\.example(/invitation/[\w-]+)", done.text)
    assert link is not None
    number = await scalar(owner_db, "SELECT id FROM operator WHERE login = 'm.belova'")
    assert link[1] not in (await administrator.get(f"{PEOPLE}/{number}")).text
    assert "приглашён" in (await administrator.get(f"{PEOPLE}?q=белова")).text
    await stranger.get(link[1])
    assert (await stranger.post(link[1], password=PASSWORD, again=PASSWORD)).status_code == 303
    assert (await stranger.get("/queue")).status_code == 200
    by = await scalar(owner_db, "SELECT operator_id FROM audit_entry WHERE act = 'operator.invite'")
    assert by == town.people["administrator"].id


async def test_roles_given_and_ended_sign_the_person_out(administrator: Browser, enter: Enter, town: Town, owner_db: Database) -> None:
    person = town.people["operator"].id
    browser = await enter("operator")
    given = await administrator.post(f"{PEOPLE}/{person}/roles", role="coordinator", place=f"territory:{town.place.id}")
    assert given.headers["location"] == f"{PEOPLE}/{person}?role=1"
    assert (await browser.get("/queue")).status_code == 303, "whoever may do more comes in anew"
    page = (await administrator.get(f"{PEOPLE}/{person}?role=1")).text
    assert "координатор" in page
    ends = re.findall(rf'action="({PEOPLE}/{person}/roles/\d+/end)"', page)
    assert len(ends) == 2
    browser = await enter("operator")
    assert (await administrator.post(ends[0])).status_code == 303
    assert (await browser.get("/queue")).status_code == 303
    assert (await administrator.post(ends[0])).status_code == 404
    acts = await scalar(owner_db, "SELECT string_agg(act, ' ' ORDER BY id) FROM audit_entry")
    assert acts == "operator.give_role operator.end_role"


async def test_an_administrator_ends_sessions_and_takes_a_lost_second_factor_away(
    administrator: Browser, enter: Enter, town: Town, owner_db: Database, clock: FixedClock
) -> None:
    person = town.people["operator"].id
    browser = await enter("operator")
    assert "Где выполнен вход" in (await administrator.get(f"{PEOPLE}/{person}")).text
    assert (await administrator.post(f"{PEOPLE}/{person}/act", act="end_sessions")).headers["location"] == f"{PEOPLE}/{person}?sessions=1"
    assert (await browser.get("/queue")).status_code == 303
    secret = codes.new_secret()
    async with owner_db.write() as session:
        await session.execute(
            text("INSERT INTO second_factor (operator_id, secret, last_step, confirmed_at) VALUES (:id, :secret, 0, :now)"),
            {"id": person, "secret": make_entrance().vault.seal(secret), "now": clock.now()},
        )
        await second_factor.new_recovery_codes(session, operator_id=person, now=clock.now())
    assert "Осталось 10 запасных кодов." in (await administrator.get(f"{PEOPLE}/{person}")).text
    assert (await administrator.post(f"{PEOPLE}/{person}/act", act="reset_factor")).status_code == 303
    assert await scalar(owner_db, "SELECT count(*) FROM second_factor") == 0
    assert await scalar(owner_db, "SELECT count(*) FROM recovery_code") == 0
    assert (await administrator.post(f"{PEOPLE}/{person}/act", act="nonsense")).status_code == 422


async def test_who_leaves_is_out_at_once_and_comes_back_by_a_link(administrator: Browser, enter: Enter, town: Town) -> None:
    person = town.people["operator"].id
    browser = await enter("operator")
    assert (await administrator.post(f"{PEOPLE}/{person}/act", act="leave")).headers["location"] == f"{PEOPLE}/{person}?left=1"
    assert (await browser.get("/queue")).status_code == 303
    assert "не работает" in (await administrator.get(f"{PEOPLE}/{person}?left=1")).text
    assert (await administrator.post(f"{PEOPLE}/{person}/link")).status_code == 422
    back = await administrator.post(f"{PEOPLE}/{person}/come-back")
    assert "/invitation/" in back.text


async def test_nobody_changes_themselves_or_whom_their_scope_does_not_hold(
    administrator: Browser, enter: Enter, town: Town, owner_db: Database
) -> None:
    async with owner_db.write() as session:
        town.people["local"] = await make.make_operator(session, role=Role.ADMINISTRATOR, scope=town.ours, name="Местная")
    me, local, chief = town.people["administrator"].id, town.people["local"].id, town.people["administrator"].id
    assert "Это вы." in (await administrator.get(f"{PEOPLE}/{me}")).text
    acts: dict[str, dict[str, Any]] = {"act": {"act": "leave"}, "roles": {"role": "supervisor", "place": "whole"}, "link": {}}
    for path, given in acts.items():
        assert (await administrator.post(f"{PEOPLE}/{me}/{path}", **given)).status_code == 403, path
    browser = await enter("local")
    listed = (await browser.get(PEOPLE)).text
    assert "Ольга Ветрова" in listed
    assert "Павел Брусникин" not in listed
    assert (await browser.get(f"{PEOPLE}/{chief}")).status_code == 403
    for path, given in (acts | {"roles": {"role": "operator", "place": f"agency:{town.ours.id}"}}).items():
        assert (await browser.post(f"{PEOPLE}/{chief}/{path}", **given)).status_code == 403, path
    form: dict[str, Any] = {"name": "Чужой", "login": "alien", "role": "operator"}
    for place in ("whole", f"agency:{town.theirs.id}", f"territory:{town.place.id}"):
        refused = await browser.post(f"{PEOPLE}/new", **form, place=place)
        assert refused.status_code == 422, place
        assert "выходит за пределы ваших полномочий" in refused.text
    taken = await browser.post(
        f"{PEOPLE}/new", name="X", login=town.people["administrator"].login, role="operator", place=f"agency:{town.ours.id}"
    )
    assert taken.status_code == 422
    assert "/invitation/" not in taken.text
    choices = (await browser.get(f"{PEOPLE}/new")).text
    assert f'value="agency:{town.ours.id}"' in choices
    assert f'value="agency:{town.theirs.id}"' not in choices
    assert 'value="whole"' not in choices
    assert local


async def test_a_token_is_made_shown_once_replaced_and_revoked(
    administrator: Browser, stranger: Browser, town: Town, owner_db: Database
) -> None:
    form: dict[str, Any] = {"name": "Витрина <b>", "days": "30", "role": "supervisor", "place": "whole", "report.read": "1"}
    for changed, sentence in (
        ({"appeal.read": "1"}, "Токену с такой ролью нельзя дать"),
        ({"days": "x"}, "Токен действует от 1 до 3650 дней."),
        ({"days": "9999"}, "Токен действует от 1 до 3650 дней."),
        ({"place": ""}, "Выберите, где действует роль"),
    ):
        refused = await administrator.post(TOKENS, **(form | changed))
        assert refused.status_code == 422
        assert sentence in refused.text
    made = await administrator.post(TOKENS, **form)
    secret = re.search(r"otk_[\w-]{40,}", made.text)
    assert secret is not None
    page = (await administrator.get(TOKENS)).text
    assert secret[0] not in page
    assert secret[0][:8] in page
    assert "Витрина &lt;b&gt;" in page
    report = "/api/v1/reports/response-times?from=2026-11-01&to=2026-11-30&group_by=agency"

    async def works(token: str) -> bool:
        return (await stranger.http.get(report, headers={"Authorization": f"Bearer {token}"})).status_code == 200

    assert await works(secret[0])
    number = await scalar(owner_db, "SELECT id FROM api_token")
    fresh = re.search(r"otk_[\w-]{40,}", (await administrator.post(f"{TOKENS}/{number}/rotate")).text)
    assert fresh is not None
    assert await works(secret[0]), "for another day"
    assert await works(fresh[0])
    page = (await administrator.get(TOKENS)).text
    assert "заменён, пока работает" in page
    assert (await administrator.post(f"{TOKENS}/{number}/revoke")).headers["location"] == f"{TOKENS}?revoked=1"
    assert (await administrator.post(f"{TOKENS}/{number}/revoke")).status_code == 422
    assert (await administrator.post(f"{TOKENS}/999999/revoke")).status_code == 404
    assert town


async def test_a_token_beyond_ones_scope_does_not_exist(administrator: Browser, enter: Enter, town: Town, owner_db: Database) -> None:
    await administrator.post(TOKENS, name="Вся область", days="", role="supervisor", place="whole", **REPORTS)
    async with owner_db.write() as session:
        town.people["local"] = await make.make_operator(session, role=Role.ADMINISTRATOR, scope=town.ours, name="Местная")
    browser = await enter("local")
    assert "Вся область" not in (await browser.get(TOKENS)).text
    number = await scalar(owner_db, "SELECT id FROM api_token")
    for act in ("rotate", "revoke"):
        assert (await browser.post(f"{TOKENS}/{number}/{act}")).status_code == 404
    refused = await browser.post(TOKENS, name="X", days="1", role="supervisor", place="whole", **REPORTS)
    assert refused.status_code == 422
