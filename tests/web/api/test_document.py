"""The OpenAPI document says what is true: every answer of these tests' kind fits it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import httpx
import jsonschema
import pytest
from sqlalchemy import text

from app.kernel import metrics
from app.people.rules import Access
from app.replies.rules import ReplyState
from app.reports.approved import approve
from app.reports.rules import Grouping, Period
from app.reports.service import Asked
from tests.app.media.test_pictures import picture
from tests.factories import make_operator, make_reply

if TYPE_CHECKING:
    from app.kernel.db import Database
    from tests.web.api.conftest import Region

Bearer = Callable[[str], dict[str, str]]


@pytest.fixture
async def document(client: httpx.AsyncClient) -> dict[str, Any]:
    """The document, as anybody gets it."""
    answer = await client.get("/api/v1/openapi.json")
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


async def test_every_operation_is_described(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1")
    assert set(document["components"]["securitySchemes"]) == {"token"}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            name = f"{method} {path}"
            assert operation["summary"], name
            assert operation["description"], name
            assert operation["tags"], name
            if "requestBody" in operation:
                assert {"400", "413"} <= operation["responses"].keys(), f"{name}: a body may be no JSON, or too long"
            if path.startswith("/api/"):
                assert operation["security"] == [{"token": []}], name
                assert {"401", "403", "422", "503"} <= set(operation["responses"]), name
            for status, response in operation["responses"].items():
                if status >= "400" and path.startswith("/api/"):
                    assert list(response["content"]) == ["application/problem+json"], (name, status)
    assert not any("/queue" in path or "/sign-in" in path for path in document["paths"]), "screens are no API"


async def test_answers_fit_the_document(
    client: httpx.AsyncClient, document: dict[str, Any], region: Region, bearer: Bearer, owner_db: Database
) -> None:
    async with owner_db.write() as session:
        person = await make_operator(session)
        whole = Access(
            operator_id=person.id, name="", login="", is_service=False, grants=(), agency_ids=(), territory_ids=(), whole=True
        )  # fmt: skip
        day = Period(start=date(2026, 11, 1), end=date(2026, 11, 1), tz="UTC")
        signed = await approve(session, Asked(access=whole, period=day, now=datetime(2026, 11, 17, tzinfo=UTC)), group_by=Grouping.AGENCY)
        await session.execute(text("INSERT INTO credential (platform, kind, secret) VALUES ('vk', 'user', '')"))  # to change answers by
        stands = (await make_reply(session, appeal=region.our_appeal, state=ReplyState.SENT)).id
    amended = await client.post(
        f"/api/v1/replies/{stands}/amendments", json={"change": "edit", "text": "Иначе", "reason": "Срок"}, headers=bearer("ours")
    )
    report = "from=2026-11-01&to=2026-11-30&group_by=agency"
    made = await client.post("/api/v1/appeals", json={"text": "y", "agency": "ours"}, headers=bearer("ours"))
    taken_down = made.json()["number"]
    asked = {
        ("get", "/api/v1/appeals"): await client.get("/api/v1/appeals", headers=bearer("ours")),
        ("get", "/api/v1/appeals/{number}"): await client.get(f"/api/v1/appeals/{region.our_number}", headers=bearer("ours")),
        ("post", "/api/v1/appeals"): await client.post("/api/v1/appeals", json={"text": "x", "agency": "ours"}, headers=bearer("ours")),
        ("post", "/api/v1/appeals/{number}/replies"): await client.post(
            f"/api/v1/appeals/{region.our_number}/replies", json={"text": "x"}, headers=bearer("ours")
        ),
        ("post", "/api/v1/links"): await client.post(
            "/api/v1/links", json={"link": "https://vk.com/wall-9_5?reply=7"}, headers=bearer("ours")
        ),
        ("post", "/api/v1/comments/{comment_id}/appeal"): await client.post(
            f"/api/v1/comments/{region.our_appeal.comment_id}/appeal", json={"agency": "ours"}, headers=bearer("ours")
        ),
        ("post", "/api/v1/appeals/{number}/answered"): await client.post(
            f"/api/v1/appeals/{taken_down}/answered", json={"text": "x"}, headers=bearer("ours")
        ),
        ("post", "/api/v1/pictures"): await client.post("/api/v1/pictures", content=picture("PNG"), headers=bearer("ours")),
        ("post", "/api/v1/replies/{reply_id}/amendments"): amended,
        ("get", "/api/v1/pages"): await client.get("/api/v1/pages", headers=bearer("ours")),
        ("get", "/api/v1/reports/response-times"): await client.get(
            f"/api/v1/reports/response-times?{report}", headers=bearer("supervisor")
        ),
        ("get", "/api/v1/reports/{measure}"): await client.get(f"/api/v1/reports/in-time?{report}", headers=bearer("supervisor")),
        **{
            ("get", f"/api/v1/reports/{{measure}}/{shape}"): await client.get(
                f"/api/v1/reports/first-answer/{shape}?{report}", headers=bearer("coordinator")
            )
            for shape in ("distribution", "grid", "appeals")
        },
        ("get", "/api/v1/reports/approved"): await client.get("/api/v1/reports/approved", headers=bearer("supervisor")),
        ("get", "/api/v1/reports/approved/{report_id}"): await client.get(
            f"/api/v1/reports/approved/{signed}", headers=bearer("supervisor")
        ),
        ("get", "/api/v1/reports/approved/{report_id}/changes"): await client.get(
            f"/api/v1/reports/approved/{signed}/changes", headers=bearer("supervisor")
        ),
        ("get", "/health/live"): await client.get("/health/live"),
        ("get", "/health/ready"): await client.get("/health/ready"),
    }
    told = {(method, path) for path, operations in document["paths"].items() for method in operations} - {("get", "/metrics")}
    assert told == set(asked), "a route without an example here"
    for (method, path), answer in asked.items():
        response = document["paths"][path][method]["responses"][str(answer.status_code)]
        schema = response["content"]["application/json"]["schema"] | {"components": document["components"]}
        jsonschema.Draft202012Validator(schema).validate(answer.json())
    refused = await client.get("/api/v1/appeals/1", headers=bearer("ours"))
    schema = {"$ref": "#/components/schemas/ProblemModel", "components": document["components"]}
    jsonschema.Draft202012Validator(schema).validate(refused.json())


async def test_the_metrics_name_routes_never_addresses(client: httpx.AsyncClient, region: Region, bearer: Bearer) -> None:
    await client.get(f"/api/v1/appeals/{region.our_number}", headers=bearer("ours"))
    await client.get("/no/such/address-4711")
    answer = await client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert 'route="/api/v1/appeals/{number}"' in answer.text
    assert 'route="unmatched"' in answer.text
    assert region.our_number not in answer.text
    assert "address-4711" not in answer.text
    assert answer.text.startswith(metrics.exposition().decode()[:20])
