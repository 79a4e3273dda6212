"""The administrators' screen of the audit trail: found by person, act, subject and days; words for each act; plans by index."""

from __future__ import annotations

import ast
import html
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from app.appeals.rules import Act
from app.audit import queries
from app.audit.queries import AuditCursor, AuditFilters, audit_page
from app.web.ui import audit_words
from tests.test_architecture import sources
from tests.web.ui.conftest import HOSTILE

if TYPE_CHECKING:
    from fastapi import FastAPI

    from app.kernel.db import Database
    from tests.web.ui.conftest import Enter, Town

TRAIL = """
INSERT INTO audit_entry (operator_id, act, subject, subject_id, data, recorded_at)
SELECT (CAST(:people AS bigint[]))[1 + n % 5], (ARRAY['appeal.read', 'appeal.taken', 'appeal.closed'])[1 + n % 3], 'appeal', n % 4000, '{}',
  timestamptz '2026-01-01' + n * interval '1 minute' FROM generate_series(1, 40000) n
UNION ALL SELECT NULL, 'appeal.listed', 'appeal', NULL, jsonb_build_object('ids', jsonb_build_array(n, n + 1)),
  timestamptz '2026-01-01' + n * interval '1 minute' FROM generate_series(1, 5000) n
"""


def lines(page: str) -> list[list[str]]:
    """The cells of each line."""
    body = page.partition("<tbody>")[2].partition("</tbody>")[0]
    rows = [re.findall(r"<td[^>]*>(.*?)</td>", row, flags=re.DOTALL) for row in body.split("</tr>")[:-1]]
    return [[html.unescape(re.sub(r"<[^>]+>", "", cell)).strip() for cell in row] for row in rows]


async def test_an_administrator_finds_who_looked_at_an_appeal(enter: Enter, town: Town, web: FastAPI) -> None:
    operator = await enter("operator")
    await operator.get("/queue")
    await operator.get(f"/appeals/{town.number}", part=True)
    await operator.post(f"/appeals/{town.number}/take", at=f"/appeals/{town.number}")
    await web.state.web.reads.flush()
    administrator = await enter("administrator")
    page = await administrator.get(f"/administration/audit?subject=appeal&number={town.number}")
    found = [(who.split()[0], what) for _, who, what, _, _ in lines(page.text)]
    assert set(found) == {("Ольга", "Просмотр обращения"), ("Ольга", "Просмотр списка обращений"), ("Ольга", "Обращение взято в работу")}
    only = await administrator.get(f"/administration/audit?subject=appeal&number={town.number}&act=appeal.taken&person=ветрова")
    assert [line[2] for line in lines(only.text)] == ["Обращение взято в работу"]
    assert lines((await administrator.get(f"/administration/audit?number={town.number}&person=лугов")).text) == []
    assert lines((await administrator.get("/administration/audit?number=1")).text) == []


@pytest.mark.parametrize("asked", ["from=2026-13-01", "from=2026-03-02&to=2026-03-01", "number=abc", "cursor=x"])
async def test_what_cannot_be_looked_for_is_said(enter: Enter, asked: str) -> None:
    page = await (await enter("administrator")).get(f"/administration/audit?{asked}")
    assert page.status_code == 422
    assert page.text.count('role="alert"') == 1


async def test_hidden_characters_in_the_trail_are_shown(enter: Enter, owner_db: Database) -> None:
    """Names and whatever an entry holds may be hostile: nothing is drawn, hidden or turned round."""
    async with owner_db.write() as session:
        person = await session.scalar(text("INSERT INTO operator (login, name) VALUES ('x', :name) RETURNING id"), {"name": HOSTILE[:60]})
        await session.execute(
            text(
                "INSERT INTO audit_entry (operator_id, act, subject, data) "
                "VALUES (:id, CAST(:said AS text), 'x', jsonb_build_object('x', CAST(:said AS text)))"
            ),
            {"id": person, "said": HOSTILE},
        )
    page = (await (await enter("administrator")).get("/administration/audit")).text
    assert "<script>alert(1)" not in page
    assert "\u202e" not in page
    assert page.count(">RLO<") >= 2


async def test_the_whole_trail_is_paged_once_each(web_db: Database, owner_db: Database, town: Town) -> None:
    async with owner_db.write() as session:
        await session.execute(
            text(
                "INSERT INTO audit_entry (act, subject, recorded_at) "
                "SELECT 'a.b', 'a', now() - n / 3 * interval '1 s' FROM generate_series(1, 100) n"
            )
        )
    seen: list[int] = []
    cursor: AuditCursor | None = None
    async with web_db.read(operator_id=town.people["administrator"].id) as session:
        while True:
            page = await audit_page(session, filters=AuditFilters(), after=cursor, limit=7)
            seen += [row.id for row in page.rows]
            if page.next is None:
                break
            cursor = AuditCursor.parse(str(page.next))
    assert len(seen) == len(set(seen)) == 100


async def test_each_search_stands_on_an_index(web_db: Database, owner_db: Database, town: Town) -> None:
    people = [one.id for one in town.people.values()]
    async with owner_db.write() as session:
        await session.execute(text(TRAIL), {"people": people})
    async with owner_db.engine.connect() as connection:
        await connection.exec_driver_sql("ANALYZE audit_entry")
    params = {"since": queries.BEGINNING, "until": datetime(2026, 3, 1, tzinfo=UTC), "before": 0, "most": 51, "act": "appeal.closed"}
    params |= {"subject": "appeal", "subject_id": 17, "people": [people[0]]}
    for case in ((False, False, False), (True, False, False), (False, True, False), (False, False, True), (True, True, True)):
        picked = queries.picked_sql(people=case[0], act=case[1], subject=case[2])
        used = {name: value for name, value in params.items() if f":{name}" in picked or name == "most"}
        async with web_db.read(operator_id=town.people["administrator"].id) as session:
            plan = "\n".join((await session.execute(text("EXPLAIN " + queries._PAGE.format(picked=picked)), used)).scalars())
        assert "Seq Scan on audit_entry" not in plan, (case, plan)
        assert "ix_audit_entry_" in plan, (case, plan)
    async with owner_db.read() as session:
        listed = "EXPLAIN SELECT id FROM audit_entry e WHERE e.data ? 'ids' AND e.data -> 'ids' @> to_jsonb(CAST(17 AS bigint))"
        assert "ix_audit_entry_listed" in "\n".join((await session.execute(text(listed))).scalars())


def recorded_acts() -> set[str]:
    """Every act that the program's own code writes down, read from the code."""
    found = set()
    for path, source in sources("app"):
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) == "record":
                said = {one.arg: one.value.value for one in node.keywords if isinstance(one.value, ast.Constant)}
                if "act" in said and "subject" in said:
                    subject, act = str(said["subject"]), str(said["act"])
                    found.add(act if "." in act else f"{subject}.{act}")
        assert path
    return found


def test_every_act_has_words() -> None:
    acts = recorded_acts()
    assert {"operator.sign_in", "operator.sign_in_refused", "credential.revoke", "audit.exported"} <= acts
    by_people = {
        Act.OPENED,
        Act.TAKEN,
        Act.ROUTED,
        Act.TOPIC_SET,
        Act.NOTED,
        Act.REPLY_QUEUED,
        Act.REPLY_WITHDRAWN,
        Act.DISMISSED,
        Act.CLOSED,
    }
    acts |= {f"appeal.{act.value}" for act in (*by_people, Act.REOPENED)}
    assert acts - set(audit_words.ACT) == set(), "put them into words in app/web/ui/audit_words.py"
