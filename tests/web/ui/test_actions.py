"""What people do with an appeal: as a plain form and as our scripts ask, and how a refusal reads."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text

from app.appeals.rules import Status
from app.replies.rules import ReplyState

if TYPE_CHECKING:
    from app.kernel.clock import FixedClock
    from app.kernel.db import Database
    from tests.web.ui.conftest import Browser, Enter, Town

WAYS = pytest.mark.parametrize("part", [False, True], ids=["form", "script"])


async def row(db: Database, statement: str, **params: object) -> Any:
    async with db.read() as session:
        return (await session.execute(text(statement), params)).one()


async def appeal(db: Database, number: str) -> Any:
    return await row(db, "SELECT * FROM appeal WHERE number = :number", number=int(number))


async def version(browser: Browser, number: str) -> str:
    shown = (await browser.get(f"/appeals/{number}")).text
    found = re.search(r'<header class="appeal-head"[^>]* data-version="(\d+)"', shown)
    assert found
    return found[1]


def accepted(response: Any, number: str, *, part: bool) -> str:
    """The form led back to the appeal, or the script got the fresh card; its text."""
    if part:
        assert response.status_code == 200
        assert f'data-number="{number}"' in response.text
        assert "<html" not in response.text
    else:
        assert response.status_code == 303
        assert response.headers["location"] == f"/appeals/{number}?mine=1"
    text_: str = response.text
    return text_


@WAYS
async def test_take(operator: Browser, town: Town, owner_db: Database, part: bool) -> None:  # noqa: FBT001 - a parameter
    response = await operator.post(f"/appeals/{town.number}/take", part=part, at=f"/appeals/{town.number}?mine=1", version=1)
    accepted(response, town.number, part=part)
    taken = await appeal(owner_db, town.number)
    assert (taken.status, taken.operator_id) == ("in_work", town.people["operator"].id)
    shown = (await operator.get(f"/appeals/{town.number}")).text
    assert "Ольга Ветрова" in shown
    assert f"/appeals/{town.number}/take" not in shown


@WAYS
async def test_answer_waits_in_the_outbox_under_the_comment(operator: Browser, town: Town, owner_db: Database, part: bool) -> None:  # noqa: FBT001
    seen = await version(operator, town.number)
    form = {"version": seen, "text": "Здравствуйте! Починим сегодня.", "comment": town.comment.id, "key": "k" * 32}
    response = await operator.post(f"/appeals/{town.number}/answer", part=part, at=f"/appeals/{town.number}?mine=1", **form)
    accepted(response, town.number, part=part)
    shown = response.text if part else (await operator.get(f"/appeals/{town.number}")).text
    under = shown[shown.index(f'id="comment-{town.comment.id}"') :]
    assert "Здравствуйте! Починим сегодня." in under
    assert "Ждёт публикации" in under
    reply = await row(owner_db, "SELECT * FROM reply WHERE text LIKE 'Здравствуйте! Почин%'")
    assert (reply.state, reply.comment_id, reply.operator_id) == ("queued", town.comment.id, town.people["operator"].id)
    assert (await row(owner_db, "SELECT count(*) AS n FROM pgqueuer WHERE entrypoint = 'outbound.send'")).n == 1

    again = await operator.post(f"/appeals/{town.number}/answer", part=part, at=f"/appeals/{town.number}?mine=1", **form)
    accepted(again, town.number, part=part)
    assert (await row(owner_db, "SELECT count(*) AS n FROM reply WHERE appeal_id = :id", id=town.appeal.id)).n == 1


@WAYS
async def test_a_note_is_for_colleagues(enter: Enter, town: Town, owner_db: Database, part: bool) -> None:  # noqa: FBT001
    supervisor = await enter("supervisor")
    response = await supervisor.post(
        f"/appeals/{town.number}/note", part=part, at=f"/appeals/{town.number}?mine=1", version=1, text="Проверьте, пожалуйста."
    )
    accepted(response, town.number, part=part)
    assert (await row(owner_db, "SELECT text FROM appeal_note")).text == "Проверьте, пожалуйста."
    shown = (await supervisor.get(f"/appeals/{town.number}")).text
    assert "Проверьте, пожалуйста." in shown
    assert 'id="answer-text"' not in shown


@WAYS
async def test_route_tells_the_others_why_and_keeps_our_period(
    enter: Enter, operator: Browser, town: Town, owner_db: Database, *, part: bool
) -> None:
    seen = await version(operator, town.number)
    response = await operator.post(
        f"/appeals/{town.number}/route",
        part=part,
        at=f"/appeals/{town.number}?mine=1",
        version=seen,
        agency=town.theirs.id,
        text="Это по воде.",
    )
    accepted(response, town.number, part=part)
    assert (await appeal(owner_db, town.number)).agency_id == town.theirs.id
    ours = (await operator.get(f"/appeals/{town.number}")).text
    assert "Вы видите его таким, каким оно было тогда" in ours
    assert "Это по воде." in ours
    assert "Передано: Водоканал" in ours
    assert 'id="editor"' not in ours
    assert f'action="/appeals/{town.number}/' not in ours
    theirs = (await (await enter("other")).get(f"/appeals/{town.number}")).text
    assert "Это по воде." in theirs
    assert "Передано: Водоканал" in theirs


@WAYS
async def test_topic_hands_on_by_the_rules(enter: Enter, operator: Browser, town: Town, owner_db: Database, part: bool) -> None:  # noqa: FBT001
    stays = await operator.post(
        f"/appeals/{town.hostile_number}/topic", part=part, at=f"/appeals/{town.hostile_number}?mine=1", topic=town.roads.id
    )
    accepted(stays, town.hostile_number, part=part)
    found = await appeal(owner_db, town.hostile_number)
    assert (found.topic_id, found.agency_id) == (town.roads.id, town.ours.id)

    goes = await operator.post(
        f"/appeals/{town.number}/topic", part=part, at=f"/appeals/{town.number}?mine=1", topic=town.roads.id, reroute=1
    )
    accepted(goes, town.number, part=part)
    found = await appeal(owner_db, town.number)
    assert (found.topic_id, found.agency_id, found.status) == (town.roads.id, town.theirs.id, "new")
    shown = (await (await enter("other")).get(f"/appeals/{town.number}")).text
    assert "Решение: Ольга Ветрова" in shown


@WAYS
async def test_dismiss_and_reopen(operator: Browser, town: Town, owner_db: Database, part: bool) -> None:  # noqa: FBT001
    at = f"/appeals/{town.number}?mine=1"
    seen = await version(operator, town.number)
    response = await operator.post(f"/appeals/{town.number}/dismiss", part=part, at=at, version=seen, reason="gratitude")
    accepted(response, town.number, part=part)
    assert (await appeal(owner_db, town.number)).close_reason == "gratitude"
    assert "Ответ не нужен: Благодарность" in (await operator.get(f"/appeals/{town.number}")).text
    assert (await operator.get(f"/appeals/{town.number}/reopen")).status_code == 409  # dismissed is final, as the rules say


@WAYS
async def test_close_then_reopen_starts_a_new_clock(
    operator: Browser, town: Town, owner_db: Database, clock: FixedClock, *, part: bool
) -> None:
    async with owner_db.write() as session:
        await session.execute(
            text("UPDATE appeal SET status = 'answered', answered_at = :now WHERE id = :id"), {"id": town.appeal.id, "now": clock.now()}
        )
    at = f"/appeals/{town.number}?mine=1"
    closed = await operator.post(
        f"/appeals/{town.number}/close", part=part, at=at, version=await version(operator, town.number), reason="solved"
    )
    accepted(closed, town.number, part=part)
    assert (await appeal(owner_db, town.number)).status == Status.CLOSED
    clock.moment += timedelta(minutes=30)
    opened = await operator.post(f"/appeals/{town.number}/reopen", part=part, at=at, version=await version(operator, town.number))
    accepted(opened, town.number, part=part)
    found = await appeal(owner_db, town.number)
    assert (found.status, found.cycle) == ("new", 2)
    timer = await row(owner_db, "SELECT * FROM sla_timer WHERE appeal_id = :id AND cycle = 2", id=town.appeal.id)
    assert timer.started_at == clock.now()


# --- answers that ask for a person -------------------------------------------------------------------------------


async def test_what_may_be_said_of_an_answer(operator: Browser, town: Town) -> None:
    shown = (await operator.get(f"/appeals/{town.hostile_number}")).text
    offered = {}
    for state, reply in town.replies.items():
        if f'id="reply-{reply.id}"' in shown:
            after = shown[shown.index(f'id="reply-{reply.id}"') :].split('class="reply"')[0]
            offered[state] = re.findall(r'name="decision" value="(\w+)"', after)
    assert offered == {
        ReplyState.AWAITING: ["withdraw"],
        ReplyState.RETURNED: [],
        ReplyState.QUEUED: ["withdraw"],
        ReplyState.SENDING: [],
        ReplyState.SENT: [],
        ReplyState.FAILED: ["posted", "resend", "withdraw"],
        ReplyState.UNCERTAIN: ["found", "resend", "withdraw"],
        ReplyState.HELD: ["withdraw"],
        ReplyState.WITHDRAWN: [],
        ReplyState.REMOVED: [],
    }


@WAYS
@pytest.mark.parametrize(
    ("state", "decision", "after"),
    [
        (ReplyState.UNCERTAIN, "found", "sent"),
        (ReplyState.UNCERTAIN, "resend", "queued"),
        (ReplyState.FAILED, "withdraw", "withdrawn"),
        (ReplyState.FAILED, "posted", "failed"),
        (ReplyState.QUEUED, "withdraw", "withdrawn"),
    ],
)
async def test_a_person_settles_an_answer(
    operator: Browser,
    town: Town,
    owner_db: Database,
    state: ReplyState,
    decision: str,
    after: str,
    part: bool,  # noqa: FBT001
) -> None:
    reply = town.replies[state]
    response = await operator.post(
        f"/replies/{reply.id}/resolve", part=part, at=f"/appeals/{town.hostile_number}?mine=1", version=1, decision=decision
    )
    accepted(response, town.hostile_number, part=part)
    assert (await row(owner_db, "SELECT state FROM reply WHERE id = :id", id=reply.id)).state == after


async def test_an_answer_that_moved_on_is_not_decided_about(operator: Browser, town: Town) -> None:
    path = f"/replies/{town.replies[ReplyState.SENT].id}/resolve"
    part = await operator.post(path, part=True, decision="resend", version=1)
    assert (part.status_code, part.json()["code"]) == (409, "reply.state")
    assert part.json()["detail"] == "С ответом уже что-то произошло. Посмотрите, как стало."
    page = await operator.post(path, decision="resend", version=1)
    assert page.status_code == 409
    assert "С ответом уже что-то произошло." in page.text


# --- refusals ----------------------------------------------------------------------------------------------------

WORDS = "Починим завтра к обеду, <b>обещаем</b>."


async def test_a_changed_appeal_is_shown_afresh_around_what_was_written(operator: Browser, town: Town, owner_db: Database) -> None:
    seen = await version(operator, town.number)
    async with owner_db.write() as session:
        await session.execute(text("UPDATE appeal SET version = version + 1 WHERE id = :id"), {"id": town.appeal.id})
    form: dict[str, Any] = {"version": seen, "text": WORDS, "comment": town.comment.id, "key": "k" * 32}
    page = await operator.post(f"/appeals/{town.number}/answer", **form)
    assert page.status_code == 409
    assert "Пока вы читали, что-то изменилось." in page.text
    assert "Починим завтра к обеду, &lt;b&gt;обещаем&lt;/b&gt;.</textarea>" in page.text
    assert f'data-version="{int(seen) + 1}"' in page.text

    part = await operator.post(f"/appeals/{town.number}/answer", part=True, **form)
    assert part.status_code == 409
    assert part.headers["content-type"] == "application/problem+json"
    assert part.json()["detail"].startswith("Пока вы читали, что-то изменилось.")

    repeated = await operator.post(f"/appeals/{town.number}/answer", **(form | {"version": int(seen) + 1}))
    assert repeated.status_code == 303  # the key was free: nothing had been done
    assert (await row(owner_db, "SELECT count(*) AS n FROM reply WHERE appeal_id = :id", id=town.appeal.id)).n == 1


async def test_what_was_written_survives_although_nothing_can_be_answered_any_more(
    operator: Browser, town: Town, owner_db: Database
) -> None:
    seen = await version(operator, town.number)
    async with owner_db.write() as session:
        await session.execute(text("UPDATE appeal SET status = 'closed', version = version + 1 WHERE id = :id"), {"id": town.appeal.id})
    page = await operator.post(f"/appeals/{town.number}/answer", version=seen, text=WORDS, comment=town.comment.id)
    assert page.status_code == 409
    assert "Починим завтра к обеду" in page.text
    assert "readonly" in page.text


REFUSED: tuple[tuple[str, dict[str, Any], int, str], ...] = (
    ("answer", {"text": "  "}, 422, "Сначала напишите что-нибудь."),
    ("answer", {"text": "я" * 20_001}, 422, "Знаков в тексте: 20001, помещается 16384."),
    ("answer", {"text": "Да.", "comment": 1, "version": ""}, 422, "Форма повреждена."),
    ("note", {"text": ""}, 422, "Сначала напишите что-нибудь."),
    ("route", {"agency": ""}, 422, "Выберите ведомство из списка."),
    ("route", {"agency": 999_999}, 422, "Выберите ведомство из списка."),
    ("route", {"agency": "ours"}, 422, "Выберите ведомство из списка."),
    ("topic", {"topic": 0}, 422, "Выберите тему из списка."),
    ("dismiss", {"reason": "boredom"}, 422, "Выберите причину из списка."),
    ("close", {"reason": "solved"}, 422, "Сначала ответьте жителю"),
    ("reopen", {}, 409, "состояние обращения изменилось"),
    ("pause", {"reason": "lunch"}, 422, "Выберите причину из списка."),
    ("resume", {}, 409, "Отсчёт уже идёт."),
    ("answer", {"text": "Передали.", "interim": "1"}, 422, "Ни один норматив не говорит"),
    ("merge", {"other": "тот же"}, 422, "Укажите номер другого обращения"),
    ("unmerge", {}, 409, "ни с чем не объединено"),
)


@WAYS
async def test_a_refusal_says_in_words_what_is_wrong(operator: Browser, town: Town, part: bool) -> None:  # noqa: FBT001
    seen = await version(operator, town.number)
    for act, fields, status, sentence in REFUSED:
        response = await operator.post(f"/appeals/{town.number}/{act}", part=part, **({"version": seen} | fields))
        assert response.status_code == status, act
        assert sentence in (response.json()["detail"] if part else response.text), act
        assert part or "<html" in response.text


async def test_a_same_agency_is_no_other(operator: Browser, town: Town) -> None:
    seen = await version(operator, town.number)
    response = await operator.post(f"/appeals/{town.number}/route", version=seen, agency=town.ours.id, text="Почему-то")
    assert response.status_code == 422
    assert "Обращение уже у этого ведомства." in response.text
    assert "Почему-то</textarea>" in response.text


# --- who may -----------------------------------------------------------------------------------------------------

ACTS = ("take", "route", "topic", "dismiss", "note", "answer", "pause", "resume", "extend", "close", "reopen", "merge", "unmerge")


@pytest.mark.parametrize("who", ["operator", "coordinator", "supervisor", "administrator"])
async def test_buttons_and_routes_agree_about_roles(enter: Enter, town: Town, owner_db: Database, who: str) -> None:
    browser = await enter(who)
    shown = (await browser.get(f"/appeals/{town.number}")).text
    offered = {act for act in ACTS if re.search(rf'(action|href)="/appeals/{town.number}/{act}"', shown)}
    working = {"take", "route", "topic", "dismiss", "note", "answer", "pause", "close", "merge"}
    assert offered == {"operator": working, "coordinator": working | {"extend"}, "supervisor": {"note"}, "administrator": set()}[who]
    before = await appeal(owner_db, town.number)
    for act in ACTS:
        allowed = who == "coordinator" or (who == "operator" and act != "extend") or (who == "supervisor" and act == "note")
        for part in (False, True):
            response = await browser.post(f"/appeals/{town.number}/{act}", part=part)  # nothing filled in
            assert (response.status_code == 403) is not allowed, (act, response.status_code)
    after = await appeal(owner_db, town.number)
    if who in {"supervisor", "administrator"}:
        assert after == before


@pytest.mark.parametrize("who", ["operator", "other"])
async def test_a_foreign_appeal_is_not_there(enter: Enter, town: Town, owner_db: Database, who: str) -> None:
    browser = await enter(who)
    number, reply = (
        (town.foreign_number, town.replies[ReplyState.FAILED]) if who == "operator" else (town.number, town.replies[ReplyState.FAILED])
    )
    before = await appeal(owner_db, number)
    for path in ("", "/route", "/topic", "/dismiss", "/close", "/reopen"):
        for part in (False, True):
            response = await browser.get(f"/appeals/{number}{path}", part=part)
            assert response.status_code == 404, path
            assert "Такого обращения нет, или оно у другого ведомства." in (response.json()["detail"] if part else response.text)
    fields: dict[str, Any] = {
        "version": 1,
        "text": "Да",
        "agency": town.theirs.id,
        "topic": town.roads.id,
        "reason": "solved",
        "key": "k" * 20,
        "other": town.hostile_number if who == "operator" else town.foreign_number,
    }
    reasons = {"dismiss": "spam", "pause": "other"}
    for act in ACTS:
        for part in (False, True):
            response = await browser.post(f"/appeals/{number}/{act}", part=part, **(fields | {"reason": reasons.get(act, "solved")}))
            assert response.status_code == (403 if act == "extend" else 404), act  # operators extend nothing, wherever it is
    assert await appeal(owner_db, number) == before
    if who == "other":
        refused = await browser.post(f"/replies/{reply.id}/resolve", decision="withdraw", version=1)
        assert refused.status_code == 404


async def test_nothing_happens_without_the_token_of_our_own_page(operator: Browser, town: Town, owner_db: Database) -> None:
    await operator.get(f"/appeals/{town.number}")
    before = await appeal(owner_db, town.number)
    right = operator.csrf
    for csrf in ("", "0" * 64, right[:-1]):
        operator.csrf = csrf or "x"
        for act in ACTS:
            for part in (False, True):
                refused = await operator.post(f"/appeals/{town.number}/{act}", part=part, version=1, text="Да")
                assert refused.status_code == 403
                sentence = refused.json()["detail"] if part else refused.text
                assert "Страница устарела. Загрузите её заново" in sentence
    foreign = await operator.http.post(f"/appeals/{town.number}/take", data={"csrf": right}, headers={"Sec-Fetch-Site": "cross-site"})
    assert foreign.status_code == 403
    assert await appeal(owner_db, town.number) == before


async def test_numbers_that_are_none(operator: Browser) -> None:
    for number in ("0", "abc", "9" * 30, "-1", "000000000", "٣٣٣", "%00", "1e3"):
        assert (await operator.get(f"/appeals/{number}")).status_code == 404, number
        assert (await operator.post(f"/appeals/{number}/take")).status_code == 404, number
