"""Whatever goes wrong, the answer is a problem of RFC 9457 that tells nothing of the inside, and nothing is half done."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import httpx
import jsonschema
import pytest
from fastapi import APIRouter, FastAPI
from sqlalchemy import text
from sqlalchemy.engine import make_url

from app.kernel.db import Database, DatabaseRole, make_engine
from app.kernel.errors import ConflictError, ForbiddenError
from app.web.app import create_app
from app.web.middleware import BODY_LIMIT
from tests.web.api.conftest import Region, make_parts

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

    from app.kernel.clock import FixedClock

Bearer = Callable[[str], dict[str, str]]
SECRET = "пароль от всего"

PROBLEM = {
    "type": "object",
    "required": ["type", "title", "status", "detail", "instance", "code"],
    "properties": {
        "type": {"type": "string", "pattern": r"^urn:otklik:problem:[a-z0-9_.]+$"},
        "title": {"type": "string", "minLength": 1},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": {"type": "string", "minLength": 1},
        "instance": {"type": "string", "pattern": r"^urn:otklik:request:[A-Za-z0-9_-]{8,64}$"},
        "code": {"type": "string", "pattern": r"^[a-z0-9_.]+$"},
        "errors": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["field", "code", "detail"],
                "properties": {"field": {"type": "string"}, "code": {"type": "string"}, "detail": {"type": "string"}},
                "additionalProperties": False,
            },
        },
    },
    "additionalProperties": False,
}


def problem(answer: httpx.Response, status: int, code: str) -> dict[str, object]:
    """The problem, checked against its schema."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, object] = answer.json()
    jsonschema.validate(body, PROBLEM)
    assert body["status"] == status
    assert body["code"] == code
    assert body["instance"] == f"urn:otklik:request:{answer.headers['x-request-id']}"
    return body


async def test_wrong_requests(client: httpx.AsyncClient, region: Region, bearer: Bearer) -> None:
    headers = bearer("ours")
    json_headers = headers | {"Content-Type": "application/json"}
    create = "/api/v1/appeals"
    problem(await client.get("/api/v1/nothing", headers=headers), 404, "http.404")
    problem(await client.delete(create, headers=headers), 405, "http.405")
    problem(await client.get(create), 401, "sign_in")
    problem(await client.get("/api/v1/appeals/no-number", headers=headers), 404, "appeal.unknown")
    problem(await client.get(f"{create}?cursor=x", headers=headers), 422, "cursor")
    problem(await client.get(f"{create}?cursor=aS4x", headers=headers), 422, "cursor")
    problem(await client.get("/api/v1/pages?cursor=x", headers=headers), 422, "cursor")
    problem(await client.get(f"{create}?limit=101", headers=headers), 422, "request.invalid")
    problem(await client.get(f"{create}?limit=x", headers=headers), 422, "request.invalid")
    problem(await client.get(f"{create}?status=no", headers=headers), 422, "request.invalid")
    problem(await client.get(f"{create}?agency=no", headers=headers), 422, "agency.unknown")
    problem(await client.get(f"{create}?platform=%00", headers=headers), 422, "text.unstorable")
    problem(await client.post(create, content=b"{", headers=json_headers), 400, "body.json")
    problem(await client.post(create, content=b"\xff\xfe", headers=json_headers), 400, "body.json")
    problem(await client.post(create, content=b"text=x", headers=headers), 422, "body.type")
    problem(await client.post(create, json=[], headers=headers), 422, "request.invalid")
    problem(await client.post(create, json={"text": "   ", "agency": "ours"}, headers=headers), 422, "text.empty")
    problem(await client.post(create, json={"text": "x"}, headers=headers), 422, "appeal.place")
    problem(await client.post(create, json={"text": "x", "territory": "town"}, headers=headers), 422, "appeal.no_rule")
    problem(await client.post(create, json={"text": "x", "agency": "ours", "topic": "no"}, headers=headers), 422, "topic.unknown")
    problem(await client.post(create, json={"text": "x", "agency": "ours", "more": 1}, headers=headers), 422, "request.invalid")
    problem(
        await client.post(create, json={"text": "x", "agency": "ours", "link": "javascript:alert(1)"}, headers=headers),
        422,
        "request.invalid",
    )
    problem(
        await client.post(create, json={"text": "x", "agency": "ours", "written_at": "2026-11-17T10:00:00"}, headers=headers),
        422,
        "request.invalid",
    )
    problem(
        await client.post(create, json={"text": "x", "agency": "ours", "written_at": "2030-01-01T00:00:00Z"}, headers=headers),
        422,
        "appeal.future",
    )
    problem(
        await client.post(create, json={"text": "x", "agency": "ours"}, headers=headers | {"Idempotency-Key": " "}), 422, "idempotency.key"
    )
    problem(
        await client.post(create, json={"text": "x", "agency": "ours"}, headers=headers | {"Idempotency-Key": "k" * 201}),
        422,
        "idempotency.key",
    )
    replies = f"/api/v1/appeals/{region.our_number}/replies"
    problem(await client.post(replies, json={"text": "x" * 19_999}, headers=headers), 422, "text.long")
    problem(await client.post(replies, json={"text": "x", "version": 7}, headers=headers), 409, "appeal.version")
    problem(await client.post(replies, json={"text": "x", "comment_id": 2**62}, headers=headers), 422, "appeal.no_comment")
    report = "/api/v1/reports/response-times"
    problem(await client.get(f"{report}?from=2026-11-02&to=2026-11-01&group_by=agency", headers=bearer("supervisor")), 422, "report.period")
    problem(await client.get(f"{report}?from=x&to=2026-11-01&group_by=agency", headers=bearer("supervisor")), 422, "request.invalid")
    problem(
        await client.get(f"{report}?from=2026-11-01&to=2026-11-01&group_by=agency&tz=../etc/passwd", headers=bearer("supervisor")),
        422,
        "report.time_zone",
    )


async def test_fields_are_named_and_their_values_are_not_told_back(client: httpx.AsyncClient, bearer: Bearer) -> None:
    answer = await client.post(
        "/api/v1/appeals", json={"text": "x", "agency": "ours", "priority": SECRET, "author_name": ""}, headers=bearer("ours")
    )
    body = problem(answer, 422, "request.invalid")
    assert SECRET not in answer.text
    assert isinstance(body["errors"], list)
    assert {one["field"] for one in body["errors"]} == {"priority", "author_name"}


async def test_a_body_that_does_not_say_what_it_is_is_told_how_to(client: httpx.AsyncClient, bearer: Bearer) -> None:
    answer = await client.post("/api/v1/appeals", content=b'{"text": "x", "agency": "ours"}', headers=bearer("ours"))
    assert "Content-Type: application/json" in str(problem(answer, 422, "body.type")["detail"])


async def test_a_lone_surrogate_in_the_body_is_refused_not_fatal(client: httpx.AsyncClient, bearer: Bearer) -> None:
    headers = bearer("ours") | {"Content-Type": "application/json"}
    answer = await client.post("/api/v1/appeals", content=b'{"text": "\\ud800 x", "agency": "ours"}', headers=headers)
    problem(answer, 422, "request.invalid")


@pytest.mark.parametrize("declared", [True, False])
async def test_a_body_that_is_too_large(client: httpx.AsyncClient, bearer: Bearer, declared: bool) -> None:  # noqa: FBT001 - a case
    async def pieces() -> object:
        yield b'{"text": "'
        for _ in range(BODY_LIMIT // 65_536 + 1):
            yield b"x" * 65_536
        yield b'"}'

    headers = bearer("ours") | {"Content-Type": "application/json"}
    content = b"x" * (BODY_LIMIT + 1) if declared else pieces()
    answer = await client.post("/api/v1/appeals", content=content, headers=headers)  # type: ignore[arg-type] # httpx takes both
    problem(answer, 413, "http.413")


async def test_a_failing_commit_is_a_500_and_leaves_nothing(client: httpx.AsyncClient, owner_db: Database, bearer: Bearer) -> None:
    """A deferred constraint fails only at the commit: the answer must not have begun by then."""
    async with owner_db.write() as session:
        await session.execute(
            text("CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'secret of the inside'; END $$")
        )
        await session.execute(
            text(
                "CREATE CONSTRAINT TRIGGER late AFTER INSERT ON appeal_text DEFERRABLE INITIALLY DEFERRED "
                "FOR EACH ROW EXECUTE FUNCTION refuse()"
            )
        )
        await session.execute(text("GRANT EXECUTE ON FUNCTION refuse() TO otklik_web"))
        stored = await session.scalar(text("SELECT count(*) FROM appeal"))
    answer = await client.post("/api/v1/appeals", json={"text": "x", "agency": "ours"}, headers=bearer("ours") | {"Idempotency-Key": "k"})
    problem(answer, 500, "unexpected")
    assert "secret" not in answer.text
    async with owner_db.write() as session:
        assert await session.scalar(text("SELECT count(*) FROM appeal")) == stored
        await session.execute(text("DROP TRIGGER late ON appeal_text"))
    again = await client.post("/api/v1/appeals", json={"text": "x", "agency": "ours"}, headers=bearer("ours") | {"Idempotency-Key": "k"})
    assert again.status_code == 201, "the key was not used up"


@pytest.mark.usefixtures("region")
async def test_errors_from_anywhere(web: FastAPI) -> None:
    router = APIRouter()

    @router.get("/api/broken")
    async def broken() -> None:
        message = f"{SECRET} at line 7"
        raise RuntimeError(message)

    @router.get("/api/wait")
    async def wait() -> None:
        raise ForbiddenError("sign_in.wait", "Wait.", seconds=42)

    @router.get("/api/moved")
    async def moved() -> None:
        raise ConflictError("moved.on", "It has moved on.")

    web.router.routes.extend(router.routes)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(web), base_url="http://otklik.example") as client:
        answer = await client.get("/api/broken")
        problem(answer, 500, "unexpected")
        assert SECRET not in answer.text
        assert problem(await client.get("/api/wait"), 429, "sign_in.wait")["title"] == "Too Many Requests"
        assert (await client.get("/api/wait")).headers["retry-after"] == "42"
        problem(await client.get("/api/moved"), 409, "moved.on")


async def test_a_database_that_is_away(clock: FixedClock) -> None:
    """503 with Retry-After, and the process stays alive."""
    nowhere = make_url("postgresql+asyncpg://nobody@127.0.0.1:9/none")
    database = Database(make_engine(nowhere, role=DatabaseRole.WEB, pool_size=1, application="tests nowhere"))
    app = create_app(make_parts(database, nowhere, clock))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://otklik.example") as client:
        answer = await client.get("/api/v1/appeals", headers={"Authorization": "Bearer otk_x"})
        problem(answer, 503, "unavailable")
        assert answer.headers["retry-after"] == "5"
        ready = await client.get("/health/ready")
        assert (ready.status_code, ready.json()["status"]) == (503, "unavailable")
        assert (await client.get("/health/live")).json() == {"status": "ok"}
        page = await client.get("/queue", headers={"Cookie": "otklik_session=x"})
        assert page.status_code == 503
        pushed = await client.post("/hooks/vk/-1", content=b'{"type": "wall_reply_new", "group_id": 1, "event_id": "e", "secret": "s"}')
        problem(pushed, 503, "unavailable")
        assert pushed.headers["retry-after"] == "5"  # VK heeds less than three hours
    await database.dispose()


async def test_a_connection_that_was_cut_is_a_503_then_all_is_well(client: httpx.AsyncClient, owner_db: Database, bearer: Bearer) -> None:
    assert (await client.get("/api/v1/appeals", headers=bearer("ours"))).status_code == 200
    async with owner_db.write() as session:
        await session.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND application_name = 'tests web'"
            )
        )
    statuses = [(await client.get("/api/v1/appeals", headers=bearer("ours"))).status_code for _ in range(3)]
    assert set(statuses) <= {200, 503}
    assert statuses[-1] == 200


async def test_a_given_request_id_is_kept_only_when_it_is_sane(client: httpx.AsyncClient) -> None:
    kept = await client.get("/health/live", headers={"X-Request-ID": "proxy-1234567890"})
    assert kept.headers["x-request-id"] == "proxy-1234567890"
    for strange in ("x", "a b c d e f g h", "ы" * 10, "x" * 65, "abcdefgh\t"):
        answer = await client.get("/health/live", headers=[(b"X-Request-ID", strange.encode())])
        assert len(answer.headers["x-request-id"]) == 32


async def test_a_database_of_another_version_is_not_ready(web_db: Database, database_url: URL, clock: FixedClock) -> None:
    app = create_app(make_parts(web_db, database_url, clock, migration="9999"))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://otklik.example") as client:
        answer = await client.get("/health/ready")
    assert answer.status_code == 503
    assert "9999" in answer.json()["reason"]
