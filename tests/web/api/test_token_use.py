"""A token in use: narrower than its role, seen at most once a minute, refused once it is over."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import text

from app.people import api_tokens
from app.people.rules import Grant, Permission, Role
from tests.databases import hearing

if TYPE_CHECKING:
    import httpx

    from app.kernel.clock import FixedClock
    from app.kernel.db import Database
    from tests.web.api.conftest import Region

REPORT = "/api/v1/reports/response-times?from=2026-11-01&to=2026-11-30&group_by=agency"


async def test_a_narrow_token_does_what_it_is_for_and_nothing_else(
    client: httpx.AsyncClient, owner_db: Database, clock: FixedClock, region: Region
) -> None:
    async with owner_db.write() as session:
        token = await api_tokens.create_service_token(
            session, name="показатели", grants=[Grant(role=Role.COORDINATOR, territory_id=region.town.id)], now=clock.now(),
            permissions=[Permission.REPORT_READ],
        )  # fmt: skip
    headers = {"Authorization": f"Bearer {token}"}
    assert (await client.get(REPORT, headers=headers)).status_code == 200
    for path in ("/api/v1/appeals", f"/api/v1/appeals/{region.our_number}", "/api/v1/pages", "/queue", "/triage", "/live"):
        assert (await client.get(path, headers=headers)).status_code == 403, path
    new = {"text": "Фонарь", "agency": "ours"}
    assert (await client.post("/api/v1/appeals", json=new, headers=headers)).status_code == 403


async def test_a_supervisors_token_reads_reports_only(client: httpx.AsyncClient, region: Region) -> None:
    headers = {"Authorization": f"Bearer {region.tokens['supervisor']}"}
    assert (await client.get(REPORT, headers=headers)).status_code == 200
    for path in ("/api/v1/appeals", f"/api/v1/appeals/{region.our_number}", "/api/v1/pages", "/queue", "/pages"):
        assert (await client.get(path, headers=headers)).status_code == 403, path


async def test_no_token_takes_people_on_or_opens_an_account(client: httpx.AsyncClient, region: Region) -> None:
    """An administrator's token, too: what makes tokens and people is done by a person, signed in by browser."""
    headers = {"Authorization": f"Bearer {region.tokens['administrator']}"}
    for path in ("/administration/people", "/administration/people/new", "/administration/tokens", "/account", "/account/second-factor"):
        assert (await client.get(path, headers=headers)).status_code == 403, path
    made = {"login": "eve", "name": "Ева", "role": "administrator", "place": "whole"}
    assert (await client.post("/administration/people/new", data=made, headers=headers)).status_code == 403


async def test_last_use_is_written_at_most_once_a_minute(
    client: httpx.AsyncClient, owner_db: Database, web_db: Database, clock: FixedClock, region: Region
) -> None:
    writes = []

    def note(_connection: object, _cursor: object, sql: str, *_more: object) -> None:
        if "last_used_at = " in sql:
            writes.append(sql)

    headers = {"Authorization": f"Bearer {region.tokens['ours']}"}
    began = clock.now()
    with hearing(web_db, "before_cursor_execute", note):
        for _ in range(20):
            assert (await client.get("/api/v1/pages", headers=headers)).status_code == 200
            clock.moment += timedelta(seconds=5)
    assert len(writes) == 2
    async with owner_db.read() as session:
        used = await session.scalar(text("SELECT max(last_used_at) FROM api_token"))
    assert used is not None
    assert began + timedelta(seconds=60) <= used < clock.now()
