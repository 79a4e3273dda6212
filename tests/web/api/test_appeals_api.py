"""Appeals by API: taken down once, told whole, answered once, paged without gaps."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING

import httpx
from sqlalchemy import text

from app.appeals.filters import parse_number
from app.people import api_tokens
from app.people.rules import Grant, Role
from app.sources.models import Post
from tests import factories
from tests.web.api.conftest import Region

if TYPE_CHECKING:
    from app.kernel.clock import FixedClock
    from app.kernel.db import Database

Bearer = Callable[[str], dict[str, str]]
HOSTILE = "\u202eкто\u202c <script>alert('1')</script> \u200b\ufeff \"; DROP TABLE appeal; -- {{ 7*7 }} %s \\ 👩‍🚒 z̷̡̛"
BODY = {"text": "Третью неделю не вывозят ветки.", "agency": "ours"}


async def counts(owner_db: Database) -> dict[str, int]:
    """How many rows the tables of an appeal have."""
    tables = (
        "appeal", "appeal_text", "appeal_assignment", "appeal_event", "sla_timer", "idempotency_key", "reply", "audit_entry",
    )  # fmt: skip
    async with owner_db.read() as session:
        return {table: int(await session.scalar(text(f"SELECT count(*) FROM {table}"))) for table in tables}  # noqa: S608 - names above


async def test_an_appeal_is_taken_down_whole(client: httpx.AsyncClient, owner_db: Database, bearer: Bearer, clock: FixedClock) -> None:
    before = await counts(owner_db)
    written_at = clock.now() - timedelta(hours=2)
    body = BODY | {
        "topic": "lights", "territory": "town", "author_name": "Анна Ветрова", "link": "https://example.org/1", "platform": "phone",
        "written_at": written_at.isoformat(), "priority": "urgent",
    }  # fmt: skip
    answer = await client.post("/api/v1/appeals", json=body, headers=bearer("ours"))
    assert answer.status_code == 201
    number = answer.json()["number"]
    assert answer.json() == {"number": number, "repeated": False}
    after = await counts(owner_db)
    grown = {table: after[table] - before[table] for table in before}
    assert grown == {
        "appeal": 1, "appeal_text": 1, "appeal_assignment": 1, "appeal_event": 1, "sla_timer": 1,
        "idempotency_key": 0, "reply": 0, "audit_entry": 1,
    }  # fmt: skip
    told = (await client.get(answer.headers["location"], headers=bearer("ours"))).json()
    assert (told["number"], told["text"], told["author_name"], told["platform"], told["priority"]) == (
        number, BODY["text"], "Анна Ветрова", "phone", "urgent",
    )  # fmt: skip
    assert (told["source"], told["status"], told["topic"]["code"], told["agency"]["code"]) == ("api", "new", "lights", "ours")
    assert told["timers"][0]["started_at"] == told["written_at"], "the clock starts at the citizen's time"
    assert told["due_at"] == told["timers"][0]["due_at"]
    assert [one["act"] for one in told["events"]] == ["opened"]


async def test_the_same_key_is_done_once(client: httpx.AsyncClient, owner_db: Database, bearer: Bearer) -> None:
    before = await counts(owner_db)
    headers = bearer("ours") | {"Idempotency-Key": "key 1 / ${} '"}
    answers = await asyncio.gather(*(client.post("/api/v1/appeals", json=BODY, headers=headers) for _ in range(6)))
    assert sorted(answer.status_code for answer in answers) == [200] * 5 + [201]
    assert len({answer.json()["number"] for answer in answers}) == 1
    assert sorted(answer.json()["repeated"] for answer in answers) == [False] + [True] * 5
    after = await counts(owner_db)
    assert (
        after["appeal"] - before["appeal"],
        after["appeal_event"] - before["appeal_event"],
        after["sla_timer"] - before["sla_timer"],
    ) == (1, 1, 1)
    other = await client.post("/api/v1/appeals", json=BODY | {"text": "Другое."}, headers=headers)
    assert (other.status_code, other.json()["code"]) == (409, "idempotency.other")
    elsewhere = await client.post(
        "/api/v1/appeals", json=BODY, headers=bearer("coordinator") | {"Idempotency-Key": headers["Idempotency-Key"]}
    )
    assert elsewhere.status_code == 201, "another service's keys are its own"
    assert (await counts(owner_db))["appeal"] - before["appeal"] == 2


async def test_an_answer_with_a_key_is_queued_once(client: httpx.AsyncClient, owner_db: Database, region: Region, bearer: Bearer) -> None:
    path = f"/api/v1/appeals/{region.our_number}/replies"
    headers = bearer("ours") | {"Idempotency-Key": "answer-1"}
    answers = await asyncio.gather(*(client.post(path, json={"text": "Здравствуйте! Починим."}, headers=headers) for _ in range(5)))
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert sorted(answer.json()["repeated"] for answer in answers) == [False] + [True] * 4
    assert (await counts(owner_db))["reply"] == 1
    async with owner_db.read() as session:
        jobs = await session.scalar(text("SELECT count(*) FROM pgqueuer WHERE entrypoint = 'outbound.send'"))
    assert jobs == 1
    other = await client.post(path, json={"text": "Другой ответ."}, headers=headers)
    assert (other.status_code, other.json()["code"]) == (409, "idempotency.other")
    taken = await client.post("/api/v1/appeals", json=BODY, headers=headers)
    assert (taken.status_code, taken.json()["code"]) == (409, "idempotency.other"), "a key is of one act only"
    async with owner_db.write() as session:
        await session.execute(text("UPDATE reply SET state = 'sent'"))
    again = await client.post(path, json={"text": "Здравствуйте! Починим."}, headers=headers)
    assert again.json()["state"] == "sent", "the state as it is now"


async def test_an_answer_goes_to_the_authors_of_merged_appeals_too_where_it_is_asked_for(
    client: httpx.AsyncClient, owner_db: Database, region: Region, bearer: Bearer
) -> None:
    async with owner_db.write() as session:
        values = {"one": region.their_appeal.id, "other": region.our_appeal.id}
        await session.execute(
            text("UPDATE appeal SET merged_into = :other, status = 'closed', close_reason = 'merged' WHERE id = :one"), values
        )
    path, who = f"/api/v1/appeals/{region.our_number}/replies", bearer("coordinator")
    asked = {"text": "Здравствуйте! Починим.", "also_merged": True}
    answers = [await client.post(path, json=asked, headers=who | {"Idempotency-Key": "all"}) for _ in range(2)]
    assert [(one.status_code, one.json().get("repeated")) for one in answers] == [(202, False), (202, True)]
    alone = await client.post(path, json=asked | {"also_merged": False}, headers=who | {"Idempotency-Key": "all"})
    assert (alone.status_code, alone.json()["code"]) == (409, "idempotency.other"), "another answer"
    async with owner_db.read() as session:
        answered = await session.scalars(text("SELECT appeal_id FROM reply ORDER BY appeal_id"))
        assert list(answered) == sorted((region.our_appeal.id, region.their_appeal.id))


async def test_an_answer_that_is_refused_leaves_its_key_free(client: httpx.AsyncClient, region: Region, bearer: Bearer) -> None:
    path = f"/api/v1/appeals/{region.our_number}/replies"
    headers = bearer("ours") | {"Idempotency-Key": "k"}
    refused = await client.post(path, json={"text": "Ответ.", "version": 9}, headers=headers)
    assert refused.status_code == 409
    version = (await client.get(f"/api/v1/appeals/{region.our_number}", headers=headers)).json()["version"]
    assert (await client.post(path, json={"text": "Ответ.", "version": version}, headers=headers)).status_code == 202


async def test_hostile_text_comes_back_character_for_character(
    client: httpx.AsyncClient, owner_db: Database, region: Region, bearer: Bearer
) -> None:
    made = await client.post("/api/v1/appeals", json=BODY | {"text": HOSTILE, "author_name": HOSTILE}, headers=bearer("ours"))
    told = (await client.get(made.headers["location"], headers=bearer("ours"))).json()
    assert (told["text"], told["author_name"]) == (HOSTILE, HOSTILE)
    with_nul = await client.post("/api/v1/appeals", json=BODY | {"text": "до\0после"}, headers=bearer("ours"))
    assert with_nul.status_code == 201
    assert (await client.get(with_nul.headers["location"], headers=bearer("ours"))).json()["text"] == "до\ufffdпосле"
    async with owner_db.write() as session:
        post = await factories.make_post(session, page=await factories.make_page(session, agency=await session.merge(region.ours)))
        author = await factories.make_author(session, name=HOSTILE)
        appeal = await factories.make_appeal(
            session, comment=await factories.make_comment(session, post=await session.get_one(Post, post.id), author=author, text=HOSTILE)
        )
    card = (await client.get(f"/api/v1/appeals/{appeal.number:09d}", headers=bearer("ours"))).json()
    assert (card["comments"][0]["text"], card["comments"][0]["author_name"]) == (HOSTILE, HOSTILE)
    for query in ("<script>", "' OR '1'='1", "\\", "%", "\u202e", "() & !"):
        assert (await client.get("/api/v1/appeals", params={"q": query}, headers=bearer("ours"))).status_code == 200


async def test_pages_follow_each_other(client: httpx.AsyncClient, region: Region, bearer: Bearer) -> None:
    made = {(await client.post("/api/v1/appeals", json=BODY, headers=bearer("ours"))).json()["number"] for _ in range(6)}
    for extra in ({}, {"status": ["new", "closed"]}):
        told: list[str] = []
        params: dict[str, object] = {"limit": 2, **extra}
        while True:
            page = (await client.get("/api/v1/appeals", params=params, headers=bearer("ours"))).json()  # type: ignore[arg-type] # strings and numbers
            told += [one["number"] for one in page["items"]]
            if page["next"] is None:
                break
            params["cursor"] = page["next"]
        assert len(told) == len(set(told))
        assert set(told) == made | {region.our_number}


async def test_filters_by_code_take_what_lies_below(
    client: httpx.AsyncClient, owner_db: Database, region: Region, clock: FixedClock
) -> None:
    async with owner_db.write() as session:
        group = await factories.make_topic(session, code="group")
        fact = await factories.make_topic(session, code="fact", parent=group)
        part = await factories.make_agency(session, code="part", parent=await session.merge(region.ours))
        token = await api_tokens.create_service_token(session, name="all", grants=[Grant(role=Role.COORDINATOR)], now=clock.now())
        appeal = await factories.make_appeal(session, agency=part, topic=fact)
    headers = {"Authorization": f"Bearer {token}"}

    async def shown(**params: object) -> set[int | None]:
        page = (await client.get("/api/v1/appeals", params=params, headers=headers)).json()  # type: ignore[arg-type] # strings
        return {parse_number(one["number"]) for one in page["items"]}

    assert await shown(topic="group") == await shown(topic="fact") == {appeal.number}
    assert await shown(agency="ours") == {appeal.number, region.our_appeal.number}
    assert await shown(agency=["part", "theirs"]) == {appeal.number, region.their_appeal.number}
    assert await shown(territory="town") == {appeal.number, region.our_appeal.number, region.their_appeal.number}
    assert await shown(topic="lights") == set()
    assert await shown(q=region.our_number) == {region.our_appeal.number}


async def test_numbers_are_taken_with_and_without_dashes(client: httpx.AsyncClient, region: Region, bearer: Bearer) -> None:
    for written in (region.our_number, region.our_number.replace("-", "")):
        answer = await client.get(f"/api/v1/appeals/{written}", headers=bearer("ours"))
        assert answer.json()["number"] == region.our_number


async def test_the_report_is_the_supervisors(client: httpx.AsyncClient, bearer: Bearer) -> None:
    params = {"from": "2026-11-17", "to": "2026-11-17", "group_by": "agency"}
    told = (await client.get("/api/v1/reports/response-times", params=params, headers=bearer("supervisor"))).json()
    assert (told["from"], told["to"], told["time_zone"], told["group_by"]) == ("2026-11-17", "2026-11-17", "Europe/Moscow", "agency")
    assert told["total"]["opened"] == sum(row["opened"] for row in told["rows"] if row["depth"] == 0) == 2
    assert {row["label"] for row in told["rows"]} == {"Управа Заречья", "Водоканал"}
    assert told["definition"]["population"]
    for group_by in ("territory", "topic", "page", "platform", "operator"):
        answer = await client.get("/api/v1/reports/response-times", params=params | {"group_by": group_by}, headers=bearer("supervisor"))
        assert answer.json()["total"] == told["total"]


async def test_without_an_agency_the_rules_of_routing_choose_one(
    client: httpx.AsyncClient, owner_db: Database, region: Region, bearer: Bearer
) -> None:
    async with owner_db.write() as session:
        await factories.make_rule(
            session,
            territory=await session.merge(region.town),
            topic=await session.merge(region.topic),
            agency=await session.merge(region.theirs),
        )
    body = {"text": "Не горит фонарь.", "territory": "town", "topic": "lights"}
    made = await client.post("/api/v1/appeals", json=body, headers=bearer("coordinator"))
    told = (await client.get(made.headers["location"], headers=bearer("coordinator"))).json()
    assert told["agency"]["code"] == "theirs"
    refused = await client.post("/api/v1/appeals", json=body, headers=bearer("ours"))
    assert (refused.status_code, refused.json()["code"]) == (403, "access.scope"), "a rule does not widen anybody's reach"


async def test_a_link_becomes_an_appeal_and_its_answer_is_told(client: httpx.AsyncClient, owner_db: Database, bearer: Bearer) -> None:
    """What the screen can do, by API: follow, open, say that the citizen was answered elsewhere - each once."""
    headers, link = bearer("ours"), "https://vk.com/wall-99_5?reply=7"
    told = [(await client.post("/api/v1/links", json={"link": link}, headers=headers)).json() for _ in range(2)]
    assert told[0] == told[1]
    assert (told[0]["state"], told[0]["platform"], told[0]["link"], told[0]["number"]) == ("wanted", "vk", link, None)
    assert (await client.post("/api/v1/links", json={"link": "https://evil.example/wall-99_5"}, headers=headers)).status_code == 422
    body = BODY | {"link": link, "platform": "vk"}
    number = (await client.post("/api/v1/appeals", json=body, headers=headers)).json()["number"]
    found = (await client.post("/api/v1/links", json={"link": link}, headers=headers)).json()
    assert (found["state"], found["number"]) == ("appeal", number)
    said, once = {"text": "Вывезли.", "link": f"{link}1"}, headers | {"Idempotency-Key": "said"}
    first, again = [await client.post(f"/api/v1/appeals/{number}/answered", json=said, headers=once) for _ in range(2)]
    assert first.status_code == again.status_code == 201
    assert first.json() == again.json() | {"repeated": False}
    (reply,) = (await client.get(f"/api/v1/appeals/{number}", headers=headers)).json()["replies"]
    assert (reply["state"], reply["by_hand"], reply["link"], reply["text"]) == ("sent", True, f"{link}1", "Вывезли.")
    async with owner_db.read() as session:
        assert await session.scalar(text("SELECT count(*) FROM link_lookup")) == 1
