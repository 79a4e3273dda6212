"""The program as an administrator meets it: what it does, how it ends, what it says when it cannot."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from app.appeals.rules import Act
from app.cli.program import main
from app.kernel.clock import SystemClock
from app.kernel.db import Database, DatabaseRole, make_engine
from app.kernel.marks import CREATED_MARK, mark_of, plain, set_mark
from app.people.queries import token_of
from app.people.rules import Role
from app.people.service import accept, authenticate
from tests import factories as make
from tests.app.exchange.incident.sheets import row, workbook

if TYPE_CHECKING:
    from sqlalchemy.engine import URL


SAMPLE = Path(__file__).resolve().parents[2] / "app" / "sample"


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Ended]


@pytest.fixture
def otklik(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, database_url: URL) -> Run:
    """Runs the program in this process, with its environment given."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OTKLIK_DATABASE_URL", plain(database_url))
    monkeypatch.setenv("OTKLIK_DATA_DIR", str(tmp_path / "var"))

    def run(*arguments: str | Path, **environment: str) -> Ended:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        with pytest.raises(SystemExit) as ended:
            main([str(one) for one in arguments])
        said = capsys.readouterr()
        return Ended(int(ended.value.code or 0), said.out, said.err)

    return run


def import_region(otklik: Run) -> None:
    for kind in ("territories", "spheres", "agencies", "calendar", "topics"):
        ended = otklik("import", kind, SAMPLE / f"{kind}.csv")
        assert ended.code == 0, ended.err


COMMANDS = (
    "up", "web", "worker", "migrate", "seed", "operators invite", "operators list", "operators give", "operators end-role",
    "operators reset", "operators reset-second-factor", "operators end-sessions", "operators deactivate", "operators activate",
    "operators link", "operators unlink", "token list", "token create", "token rotate", "token revoke", "pages list", "pages add",
    "credentials add", "credentials list", "credentials revoke", "reports response-times", "reports verify",
    "norms list", "norms set", "norms apply", "calendars list", "calendars show", "calendars import", "appeals at",
    "publishing stop", "publishing resume", "publishing status", "hooks add", "hooks list", "hooks remove",
    "hooks listen", "hooks ears", "hooks deafen",
    "webhooks add", "webhooks list", "webhooks log", "webhooks remove", "sandbox", "sandbox replay",
    *(f"import {kind}" for kind in ("territories", "spheres", "agencies", "calendar", "topics", "pages", "rules")),
)  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*command.split(), "--help"])
    assert ended.value.code == 0
    assert "--help" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"], ["import", "moons", "x.csv"], ["operators", "invite"], ["reports", "response-times", "--group-by", "moon"],
        ["reports", "response-times", "--from", "2026-13-01"], ["reports", "verify", "--from", "2026-12-01", "--to", "2026-11-01"],
    ],
)  # fmt: skip
def test_wrong_usage_ends_with_2(arguments: list[str], otklik: Run) -> None:
    assert otklik(*arguments).code == 2


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"OTKLIK_PORT": "many"}, "OTKLIK_PORT"),
        ({"OTKLIK_TIMEZONE": "Mars/Olympus"}, "Europe/Moscow"),
        ({"OTKLIK_DATABASE_URL": "mysql://x/y"}, "PostgreSQL only"),
        ({"OTKLIK_DATABASE_URL": "postgresql://127.0.0.1:1/none"}, "Check OTKLIK_DATABASE_URL"),
        ({"OTKLIK_DATABASE_URL": "postgresql://127.0.0.1:1"}, "names no database"),
    ],
)
def test_wrong_settings_are_one_clear_line(environment: dict[str, str], words: str, otklik: Run) -> None:
    ended = otklik("pages", "list", **environment)
    assert (ended.code, ended.out) == (1, "")
    assert words in ended.err
    assert len(ended.err.strip().splitlines()) == 1


def test_a_connector_that_is_not_there_stops_the_start(otklik: Run) -> None:
    ended = otklik("up", OTKLIK_CONNECTORS="vk,orkut")
    assert ended.code == 1
    assert "orkut" in ended.err


def test_an_unwritable_data_directory_is_told(otklik: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    ended = otklik("up", OTKLIK_DATA_DIR=str(tmp_path / "file" / "var"))
    assert ended.code == 1
    assert "OTKLIK_DATA_DIR" in ended.err


@pytest.mark.parametrize("command", ["up", "web"])
def test_a_busy_port_is_told_before_anything_starts(command: str, otklik: Run, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as busy:
        ended = otklik(command, OTKLIK_PORT=str(busy.getsockname()[1]))
    assert ended.code == 1
    assert "OTKLIK_PORT" in ended.err
    assert not (tmp_path / "var" / "log").exists()


def test_one_port_for_two_parts_is_told_before_anything_starts(otklik: Run, tmp_path: Path) -> None:
    port = str(free_port())
    for other, more in (("OTKLIK_SANDBOX_PORT", {}), ("OTKLIK_WORKER_PORT", {"OTKLIK_SANDBOX_PORT": str(free_port())})):
        ended = otklik("up", "--sample", OTKLIK_PORT=port, **{other: port}, **more)
        assert ended.code == 1
        assert other in ended.err
        assert not (tmp_path / "var" / "log").exists()


def test_a_postgresql_that_is_too_old_is_told(otklik: Run) -> None:
    """One that greets as PostgreSQL 14 does: authenticated, its version, ready."""

    def message(kind: bytes, body: bytes) -> bytes:
        return kind + (len(body) + 4).to_bytes(4, "big") + body

    greeting = message(b"R", bytes(4)) + message(b"S", b"server_version\x0014.9\0") + message(b"Z", b"I")

    def greet(listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            with client:
                if client.recv(8)[4:] == (80877103).to_bytes(4, "big"):  # asks for TLS first
                    client.sendall(b"N")
                client.recv(4096)
                client.sendall(greeting)
                client.recv(4096)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=greet, args=(listener,), daemon=True).start()
        ended = otklik("migrate", OTKLIK_DATABASE_URL=f"postgresql://otklik:x@127.0.0.1:{listener.getsockname()[1]}/otklik")
        listener.shutdown(socket.SHUT_RDWR)
    assert (ended.code, ended.out) == (1, "")
    assert "PostgreSQL 14 is too old: Otklik needs 16 or newer" in ended.err


def test_every_fault_of_a_page_is_told(otklik: Run) -> None:
    ended = otklik("pages", "add", "https://vk.com/x", "--platform", "vk", "--agency", "nobody", "--territory", "nowhere")
    assert ended.code == 1
    assert ["nobody" in line or "nowhere" in line for line in ended.err.strip().splitlines()] == [True, True]
    assert "line" not in ended.err.lower()


def test_an_old_database_is_told_to_migrate(otklik: Run, cluster: URL) -> None:
    ended = otklik("pages", "list", OTKLIK_DATABASE_URL=plain(cluster))
    assert ended.code == 1
    assert "otklik migrate" in ended.err


@pytest.mark.parametrize("command", ["migrate", "pages list", "web"])
def test_a_newer_database_is_not_touched_by_an_older_program(command: str, otklik: Run, database_url: URL) -> None:
    async def age() -> None:
        connection = await asyncpg.connect(plain(database_url))
        await connection.execute("UPDATE alembic_version SET version_num = '9999'")
        await connection.close()

    asyncio.run(age())
    ended = otklik(*command.split(), OTKLIK_PORT=str(free_port()))
    assert ended.code == 1
    assert "9999" in ended.err
    assert "older program" in ended.err


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


async def _drop(cluster: URL, name: str) -> None:
    connection = await asyncpg.connect(plain(cluster))
    await connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
    await connection.close()


def test_migrate_creates_what_is_not_there_and_marks_it(otklik: Run, cluster: URL, database_url: URL) -> None:
    url = cluster.set(database=f"{database_url.database}_new")
    try:
        first = otklik("migrate", OTKLIK_DATABASE_URL=plain(url))
        assert "from migration none" in first.out, first.err
        assert "already" in otklik("migrate").out
        assert asyncio.run(mark_of(url)) == CREATED_MARK
        assert otklik("pages", "list").code == 0
    finally:
        asyncio.run(_drop(cluster, url.database or ""))


def test_demo_data_never_enters_a_database_that_is_not_ours(otklik: Run, database_url: URL) -> None:
    ended = otklik("seed")
    assert ended.code == 1
    assert "only into an empty database that otklik itself created" in ended.err
    asyncio.run(set_mark(database_url, CREATED_MARK))
    import_region(otklik)
    assert otklik("seed").code == 1, "ours, but no longer empty"
    assert otklik("operators", "list", "--json").json == []


def test_a_town_hall_begins(otklik: Run, tmp_path: Path) -> None:
    import_region(otklik)
    faulty = tmp_path / "rules.csv"
    faulty.write_text("page,territory,topic,agency\n,priozerye,health,nobody\n,,moon,minzdrav\n", encoding="utf-8")
    told = otklik("import", "rules", faulty)
    assert told.code == 1
    assert ["line 2" in told.err, "line 3" in told.err, "Nothing was imported: 2 faults" in told.err] == [True] * 3
    as_json = otklik("import", "rules", faulty, "--json")
    assert [fault["line"] for fault in as_json.json["faults"]] == [2, 3]
    dry = otklik("import", "topics", SAMPLE / "topics.csv", "--dry-run", "--json")
    assert (dry.json["added"], dry.json["changed"], dry.json["written"]) == (0, 0, False)
    assert "cannot be read" in otklik("import", "topics", tmp_path / "none.csv").err

    add = ("pages", "add", "https://vk.com/town", "--platform", "vk", "--agency", "minzdrav", "--territory", "priozerye")
    unasked = otklik(*add)
    assert unasked.code == 1
    assert "otklik credentials add --platform vk" in unasked.err
    assert otklik(*add, "--external-id", "-5", "--title", "Город [bold]с[/] разметкой").code == 0
    pages = otklik("pages", "list", "--json").json
    assert [(page["external_id"], page["agency"]) for page in pages] == [("-5", "minzdrav")]
    assert "Город [bold]с[/] разметкой" in otklik("pages", "list").out

    secret = tmp_path / "token"
    secret.write_text("vk1.a.s3cret\n")
    assert otklik("credentials", "add", "--platform", "vk", "--kind", "bot", "--token-file", secret).code == 1
    assert otklik("credentials", "add", "--platform", "vk", "--kind", "community", "--page", "vk:town", "--token-file", secret).code == 0
    listed = otklik("credentials", "list", "--json")
    assert [(one["kind"], one["page"]) for one in listed.json] == [("community", "Город [bold]с[/] разметкой")]
    assert "s3cret" not in listed.out
    assert otklik("credentials", "revoke", str(listed.json[0]["id"])).code == 0
    assert otklik("credentials", "revoke", str(listed.json[0]["id"])).code == 1


def test_the_past_comes_in_after_what_is_unknown_was_mapped(otklik: Run, tmp_path: Path) -> None:
    import_region(otklik)
    file, mapping = tmp_path / "past.xlsx", tmp_path / "past.mapping.csv"
    file.write_bytes(workbook([row(), row(ID="2", TO_ANSWER="9:00:00")]))
    asked = otklik("import", "incident", file)
    assert asked.code == 1
    assert f"Fill the column ours in {mapping}" in asked.err
    assert "line 2: agency 'Администрация города' is unknown (2 rows)" in asked.err
    filled = mapping.read_text(encoding="utf-8-sig")
    assert filled.splitlines()[0] == "kind,value,ours"
    ours = {"agency": "minzdrav", "territory": "priozerye", "topic": "new:roads-past/holes-past"}
    filled = re.sub(r"^(\w+),(.*),$", lambda line: f"{line[1]},{line[2]},{ours[line[1]]}", filled, flags=re.MULTILINE)
    mapping.write_text(filled.replace("minzdrav", '"minzdrav'), encoding="utf-8")
    assert "Mend past.mapping.csv and import it again" in otklik("import", "incident", file).err, "the fault is in that very file"
    mapping.write_text(filled, encoding="utf-8")
    assert "There is no time zone 'Europe/Nowhere'" in otklik("import", "incident", file, "--timezone", "Europe/Nowhere").err
    dry = otklik("import", "incident", file, "--dry-run", "--json").json
    assert (dry["added"], dry["written"], dry["made"]) == (2, False, ["topic roads-past", "topic holes-past"])
    done = otklik("import", "incident", file)
    assert done.code == 0
    assert "line 3, ID 2: «Время с даты создания инцидента до времени первого ответа» is 9:00:00, ours 14:29:30" in done.out + done.err
    assert "incidents: 2 new, 0 as they were" in done.out + done.err
    assert otklik("import", "incident", file, "--json").json["same"] == 2
    out = tmp_path / "out.xlsx"
    period = ("--from", "2025-12-01", "--to", "2025-12-31")
    assert "2 appeals written" in otklik("export", "incident", *period, out).out
    assert out.stat().st_mode & 0o077 == 0
    assert otklik("export", "incident", *period, out).code == 1
    assert otklik("export", "incident", *period, "--agency", "none-such", tmp_path / "not.xlsx").code == 1
    assert not (tmp_path / "not.xlsx").exists()
    assert otklik("reports", "verify", *period).code == 0


async def _come_in(web_db: Database, clock: SystemClock, token: str) -> str:
    person = await accept(web_db, token=token, password="кедр-и-брусника-7", now=clock.now())
    return (await authenticate(web_db, login=person.login, password="кедр-и-брусника-7", address="::1", now=clock.now())).name


async def _roles(web_db: Database, token: str) -> set[Role]:

    async with web_db.read() as session:
        known = await token_of(session, token=token, now=SystemClock().now())
    assert known is not None
    return {grant.role for grant in known.access.grants}


def test_the_first_administrator_and_a_service_come_in(otklik: Run, database_url: URL) -> None:

    sent = otklik("operators", "invite", "Vera", "--name", "Вера", "--role", "administrator")
    assert sent.code == 0, sent.err
    link = re.search(r"http://127\.0\.0\.1:8000/invitation/(\S+)", sent.out)
    assert link is not None
    made = otklik("token", "create", "--role", "operator", "--role", "coordinator", "--days", "5", "--name", "СЭД")
    token = made.out.strip()
    assert token.startswith("otk_")

    async def use() -> None:
        web = Database(make_engine(database_url, role=DatabaseRole.WEB, pool_size=0, application="test"))
        assert await _come_in(web, SystemClock(), link[1]) == "Вера"
        assert await _roles(web, token) == {Role.OPERATOR, Role.COORDINATOR}
        await web.dispose()

    asyncio.run(use())
    assert otklik("operators", "invite", "x y", "--role", "operator", "--name", "X").code == 1
    assert otklik("operators", "invite", "boris", "--role", "operator").code == 1
    assert otklik("operators", "invite", "boris", "--role", "operator", "--name", "Б", "--agency", "nobody").code == 1
    assert otklik("operators", "invite", "boris", "--role", "operator", "--name", "Б", "--agency", "a", "--territory", "b").code == 1
    assert [one["login"] for one in otklik("operators", "list", "--json").json if not one["is_service"]] == ["vera"]


def test_the_past_and_the_hours_of_a_place_are_told(otklik: Run, database_url: URL, tmp_path: Path) -> None:
    async def arrange() -> tuple[str, str, str]:
        database = Database(make_engine(database_url, pool_size=0, application="tests"))
        async with database.write() as session:
            person, place = await make.make_operator(session, role=Role.COORDINATOR), await make.make_territory(session)
            await make.make_calendar(session, territory=place)
            appeal = await make.make_appeal(session, territory=place)
            await make.make_event(session, appeal=appeal, act=Act.TAKEN, occurred_at=make.MORNING + timedelta(hours=1))
        await database.dispose()
        return f"{appeal.number:09d}", person.login, place.code

    number, login, code = asyncio.run(arrange())
    before = otklik("appeals", "at", number, (make.MORNING + timedelta(minutes=30)).isoformat(), "--json").json
    assert (before["status"], before["last"], before["territory"]) == ("new", "opened", code)
    assert "time zone" in otklik("appeals", "at", number, "2026-01-01").err
    file = tmp_path / "days.ics"
    entries = ("DTSTART;VALUE=DATE:20261208\r\nSUMMARY:Праздник", "DTSTART:20261209T100000\r\nSUMMARY:Концерт")
    body = "".join(f"BEGIN:VEVENT\r\n{entry}\r\nEND:VEVENT\r\n" for entry in entries)
    file.write_text(f"BEGIN:VCALENDAR\r\n{body}END:VCALENDAR\r\n", encoding="utf-8")
    told = otklik("calendars", "import", file, "--by", login, "--territory", code, "--json").json
    assert ([one["first"] for one in told["taken"]], told["versions"]) == (["2026-12-08"], 1)
    assert [(one["name"], one["why"]) for one in told["left_out"]] == [("Концерт", "hours")]
    shown = otklik("calendars", "show", "--territory", code, "--year", "2026", "--json").json
    assert [one["name"] for one in shown["days"]] == ["Праздник"]
    assert [one["version"] for one in shown["versions"]] == [2, 1]


def test_an_empty_region_has_a_report_of_nothing(otklik: Run) -> None:
    import_region(otklik)
    report = otklik("reports", "response-times", "--from", "2026-11-01", "--to", "2026-11-30", "--group-by", "topic", "--json")
    assert report.code == 0, report.err
    assert report.json["total"]["opened"] == 0
    assert "Europe/Moscow" in otklik("reports", "response-times").out
    assert "2026-13-01" in otklik("reports", "response-times", "--from", "2026-13-01").err
    assert otklik("reports", "response-times", "--from", "2026-11-02", "--to", "2026-11-01").code == 2
    verified = otklik("reports", "verify", "--from", "2026-11-01", "--to", "2026-11-30", "--json")
    assert (verified.code, verified.json["timers"], verified.json["differences"]) == (0, 0, [])
    assert "agree with their history" in otklik("reports", "verify").out


def test_the_database_says_whose_it_is(database_url: URL) -> None:
    assert asyncio.run(mark_of(database_url)) is None
