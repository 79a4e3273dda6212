"""Norms on the screen: looked at before they are saved, saved as a new version, applied by whoever may."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text

from app.sla.policy import Term
from tests import factories

if TYPE_CHECKING:
    from app.kernel.db import Database
    from tests.web.ui.conftest import Browser, Enter, Town

HERE = "/administration/norms"
NORM: dict[str, Any] = {"code": "", "name": "Быстро", "first_answer_amount": "1", "first_answer_unit": "hours", "final_answer_unit": "open"}


async def rows(db: Database, statement: str) -> list[Any]:
    async with db.read() as session:
        return list((await session.execute(text(statement))).all())


def seen(page: str) -> str:
    found = re.search(r'name="seen" value="([0-9a-f]*)"', page)
    assert found
    return found[1]


async def test_a_norm_is_saved_only_after_its_effect_was_shown(coordinator: Browser, town: Town, owner_db: Database) -> None:
    place: dict[str, Any] = {"territory": town.place.id}
    tried = await coordinator.post(f"{HERE}/save", at=HERE, act="save", seen="", **NORM, **place)
    assert tried.status_code == 200
    assert "Что было бы за последний 31 день" in tried.text
    assert await rows(owner_db, "SELECT 1 FROM sla_policy_version WHERE name = 'Быстро'") == []
    other = NORM | {"first_answer_amount": "2"}  # what was looked at is not what is sent now
    again = await coordinator.post(f"{HERE}/save", at=HERE, act="save", seen=seen(tried.text), **other, **place)
    assert again.status_code == 200
    assert await rows(owner_db, "SELECT 1 FROM sla_policy_version WHERE name = 'Быстро'") == []
    saved = await coordinator.post(f"{HERE}/save", at=HERE, act="save", seen=seen(tried.text), **NORM, **place)
    assert saved.status_code == 303
    (norm,) = await rows(owner_db, "SELECT * FROM sla_policy_version WHERE name = 'Быстро'")
    assert (norm.version, norm.territory_id) == (1, town.place.id)
    assert norm.promises == {"first_answer": {"seconds": 3600, "working": False}}
    listed = (await coordinator.get(HERE)).text
    assert "Быстро" in listed
    assert "Заречье" in listed
    form = (await coordinator.get(f"{HERE}/{norm.code}")).text
    assert 'name="first_answer_amount" value="1"' in " ".join(form.split())


async def test_the_effect_tells_how_many_would_have_been_late(coordinator: Browser, town: Town) -> None:
    """Two hours have passed for three matters: nine hours of today are not over, one hour would be."""
    tried = await coordinator.post(f"{HERE}/save", at=HERE, act="try", seen="", **NORM, territory=town.place.id)
    table = re.sub(r"<[^>]+>", " ", tried.text[tried.text.index('class="figures-table effect"') :])
    words = " ".join(table.split())
    assert "по сегодняшним нормативам 0 0 0 2 0 0" in words or "по сегодняшним нормативам 1 0 0 2 0 0" in words
    assert re.search(r"с изменением \d 0 0 0 2 0|с изменением 0 1 0 0 2 0", words)
    assert re.search(r"не в срок: на \d+ больше", words), "not «no longer in time»"


async def test_a_change_is_a_new_version_and_an_ended_norm_sets_nothing(enter: Enter, owner_db: Database) -> None:
    administrator = await enter("administrator")
    for name in ("Раз", "Два"):
        fields = NORM | {"name": name, "code": "mine"}
        tried = await administrator.post(f"{HERE}/save", at=HERE, act="try", seen="", **fields)
        assert (await administrator.post(f"{HERE}/save", at=HERE, act="save", seen=seen(tried.text), **fields)).status_code == 303
    assert [(row.version, row.name) for row in await rows(owner_db, "SELECT * FROM sla_policy_version WHERE code = 'mine' ORDER BY 1")] == [
        (1, "Раз"), (2, "Два"),
    ]  # fmt: skip
    assert (await administrator.post(f"{HERE}/end", at=HERE, code="mine")).status_code == 303
    assert "не действует" in (await administrator.get(HERE)).text
    assert (await administrator.post(f"{HERE}/end", at=HERE, code="mine")).status_code == 404
    assert [row.act for row in await rows(owner_db, "SELECT act FROM audit_entry WHERE act LIKE 'norm.%' ORDER BY id")] == [
        "norm.saved", "norm.saved", "norm.ended",
    ]  # fmt: skip


@pytest.mark.parametrize("who", ["operator", "supervisor"])
async def test_whoever_does_not_set_norms_sees_none_of_it(enter: Enter, who: str) -> None:
    browser = await enter(who)
    assert (await browser.get(HERE)).status_code == 403
    for path in ("save", "end", "apply"):
        assert (await browser.post(f"{HERE}/{path}", act="try", code="x", name="x")).status_code == 403


async def test_a_coordinator_sets_norms_of_their_own_territory_only(
    coordinator: Browser, town: Town, owner_db: Database, web_db: Database
) -> None:
    async with owner_db.write() as session:
        elsewhere = await factories.make_territory(session, name="Дальний")
        foreign = await factories.make_policy(session, code="region")
    for territory in ("", str(elsewhere.id)):
        tried = await coordinator.post(f"{HERE}/save", at=HERE, act="try", seen="", **NORM, territory=territory)
        refused = await coordinator.post(f"{HERE}/save", at=HERE, act="save", seen=seen(tried.text), **NORM, territory=territory)
        assert refused.status_code == 403
    assert (await coordinator.get(f"{HERE}/{foreign.code}")).status_code == 404
    assert (await coordinator.post(f"{HERE}/end", at=HERE, code="region")).status_code == 404
    # Nor by taking over the code of somebody else's norm.
    fields = NORM | {"code": "region"}
    tried = await coordinator.post(f"{HERE}/save", at=HERE, act="try", seen="", **fields, territory=town.place.id)
    refused = await coordinator.post(f"{HERE}/save", at=HERE, act="save", seen=seen(tried.text), **fields, territory=town.place.id)
    assert refused.status_code == 403
    assert [row.version for row in await rows(owner_db, "SELECT version FROM sla_policy_version WHERE code = 'region'")] == [1]
    # The second lock: the web role writes norms by no other way, and an administrator's history tells no words.
    with pytest.raises(Exception, match="permission denied"):
        async with web_db.write(operator_id=town.people["coordinator"].id) as session:
            await session.execute(
                text("INSERT INTO sla_policy_version (code, version, name, promises, valid_from) VALUES ('x', 1, 'x', '{}', now())")
            )
    async with web_db.read(operator_id=town.people["operator"].id) as session:
        statement = text("SELECT * FROM otklik_clock_history('2000-01-01', 'infinity', 10)")
        assert (await session.execute(statement)).all() == []


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"name": " "}, "Назовите норматив"),
        ({"first_answer_amount": ""}, "целое число от 1"),
        ({"first_answer_amount": "99999999"}, "целое число от 1"),
        ({"first_answer_unit": "open"}, "Норматив ничего не обещает"),
        ({"territory": "987654"}, "Выберите тему, ведомство и территорию"),
    ],
)
async def test_a_wrong_form_says_what_is_wrong(coordinator: Browser, town: Town, fields: dict[str, Any], sentence: str) -> None:
    response = await coordinator.post(f"{HERE}/save", at=HERE, act="try", seen="", **(NORM | {"territory": str(town.place.id)} | fields))
    assert response.status_code == 422
    assert sentence in response.text


async def test_applying_asks_the_worker_for_the_territories_of_whoever_asks(coordinator: Browser, town: Town, owner_db: Database) -> None:
    asked = await coordinator.post(f"{HERE}/apply", at=HERE)
    assert asked.headers["location"] == f"{HERE}/apply", "once more"
    assert await rows(owner_db, "SELECT 1 FROM pgqueuer WHERE entrypoint = 'norms.apply'") == []
    response = await coordinator.post(f"{HERE}/apply", at=HERE, act="apply")
    assert response.headers["location"] == f"{HERE}?applied=1"
    (job,) = await rows(owner_db, "SELECT convert_from(payload, 'UTF8') AS payload FROM pgqueuer WHERE entrypoint = 'norms.apply'")
    assert f'"territories":[{town.place.id}]' in job.payload.replace(" ", "")
    assert "пересчитываются" in (await coordinator.get(f"{HERE}?applied=1")).text


@pytest.mark.parametrize("who", ["coordinator", "administrator"])
async def test_before_norms_are_applied_it_is_told_what_moves(enter: Enter, town: Town, owner_db: Database, who: str) -> None:
    """Also to an administrator, who sees no appeal."""
    browser = await enter(who)
    assert "Ничего не изменится" in (await browser.get(f"{HERE}/apply")).text
    async with owner_db.write() as session:
        await factories.make_policy(session, term=Term(seconds=1), agency_id=town.ours.id)
    due = "SELECT due_at FROM sla_timer ORDER BY id"
    before = await rows(owner_db, due)
    page = " ".join(re.sub(r"<[^>]+>", " ", (await browser.get(f"{HERE}/apply")).text).split())
    assert "На другой норматив или другие часы перейдут 2 обращения." in page, "the two of our agency"
    assert "Из них просроченным станет 1: новый срок уже прошёл." in page, "the other one is late already"
    assert "Проверены 3 ждущих обращения." in page
    assert await rows(owner_db, due) == before, "nothing is written by asking"


async def test_presets_hold_the_norms_of_regions_and_the_law(coordinator: Browser) -> None:
    """Norms differ from region to region, so they are rows to begin with, never constants of the program."""
    page = (await coordinator.get(HERE)).text
    for code in ("day", "nine-hours", "four-hours-urgent", "eight-hours", "formal"):
        assert f"preset_code={code}" in page
    form = " ".join((await coordinator.get(f"{HERE}/new?preset_code=four-hours-urgent")).text.split())
    assert 'name="first_answer_amount" value="4"' in form
    assert '<option value="urgent" selected>' in form
    assert 'name="final_answer_amount" value="7"' in form
