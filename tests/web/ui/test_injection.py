"""Header and log injection, and other people's notes: classes of holes that were really found in systems of this kind."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from fastapi.routing import APIRoute
from sqlalchemy import text

from tests.conftest import ROOT

if TYPE_CHECKING:
    from fastapi import FastAPI

    from app.kernel.db import Database
    from tests.web.ui.conftest import Browser, Enter, Town

BREAKS = ("\r\nX-Injected: yes", "\nlevel=error forged", "%0d%0aX-Injected:%20yes", "\u2028forged", "\x1b[31mred")


async def test_no_header_is_injected_by_what_is_asked(stranger: Browser, enter: Enter) -> None:
    """Redirects, cookies and request ids are made of what a stranger sends: a line break in it is no new header."""
    coordinator = await enter("coordinator")
    for breaks in BREAKS:
        for path in ("/sign-in", "/queue", "/reports", "/administration"):
            for browser in (stranger, coordinator):
                answer = await browser.http.get(path, params={"after": f"/queue{breaks}", "q": breaks, "cursor": breaks})
                assert "x-injected" not in answer.headers, (path, breaks)
        posted = await stranger.http.post("/sign-in", data={"login": breaks, "password": breaks, "after": f"/queue{breaks}"})
        assert "x-injected" not in posted.headers
        assert all("forged" not in value and "\n" not in value for value in posted.headers.values())
    given = await stranger.http.get("/sign-in", headers={"X-Request-Id": "forged id; level=error"})
    assert given.headers["x-request-id"] != "forged id; level=error"


LOGGED = """
import sys
from app.kernel import log
log.set_up(level="INFO", as_json=sys.argv[1] == "json")
for hostile in sys.argv[2:]:
    log.logger.info("request", path="/nothing" + hostile, operator=None, problem=hostile)
"""


@pytest.mark.parametrize("form", ["json", "text"])
def test_no_log_line_is_forged_by_what_is_asked(form: str) -> None:
    """One request is one line, whatever stands in its path: by the program's own set-up, in a process of its own."""
    done = subprocess.run(  # noqa: S603 - ours
        [sys.executable, "-c", LOGGED, form, *BREAKS], cwd=ROOT, capture_output=True, text=True, timeout=30, check=True
    )
    lines = done.stderr.splitlines()
    assert len(lines) == len(BREAKS)
    assert all(line.isprintable() for line in lines), lines
    if form == "json":
        assert {json.loads(line)["event"] for line in lines} == {"request"}


async def test_nobody_edits_or_deletes_a_note(web: FastAPI, enter: Enter, town: Town, web_db: Database, owner_db: Database) -> None:
    """Notes are only added, one's own too: there is no way by an address and none in the database."""
    routes = [route for route in web.routes if isinstance(route, APIRoute) and "note" in route.path.split("/")]
    assert [(route.path, sorted(route.methods or ())) for route in routes] == [("/appeals/{number}/note", ["POST"])]
    operator = await enter("operator")
    await operator.post(f"/appeals/{town.number}/note", at=f"/appeals/{town.number}", text="Позвонила заявителю.")
    for who in ("operator", "other", "coordinator", "administrator"):
        for statement in ("UPDATE appeal_note SET text = 'x'", "DELETE FROM appeal_note"):
            with pytest.raises(Exception, match="permission denied"):
                async with web_db.write(operator_id=town.people[who].id) as session:
                    await session.execute(text(statement))
    async with owner_db.read() as session:
        assert (await session.execute(text("SELECT text FROM appeal_note"))).scalars().all() == ["Позвонила заявителю."]


async def test_nobody_writes_a_note_into_a_foreign_appeal_or_in_another_s_name(
    enter: Enter, town: Town, web_db: Database, owner_db: Database
) -> None:
    other = await enter("other")
    refused = await other.post(f"/appeals/{town.number}/note", at="/queue", text="Чужая заметка.")
    assert refused.status_code == 404
    foreign = text("INSERT INTO appeal_note (appeal_id, operator_id, text) VALUES (:appeal, :who, 'x')")
    with pytest.raises(Exception, match="row-level security"):
        async with web_db.write(operator_id=town.people["other"].id) as session:
            await session.execute(foreign, {"appeal": town.appeal.id, "who": town.people["other"].id})
    async with owner_db.read() as session:
        assert await session.scalar(text("SELECT count(*) FROM appeal_note")) == 0
