"""Notices outside the screen: each in one letter, each letter once, whatever dies; what nobody knows is said so."""

from __future__ import annotations

import asyncio
import json
import secrets
import signal
import sys
from dataclasses import replace
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text
from standardwebhooks import Webhook

from app.appeals.filters import format_number
from app.appeals.office import OfficeKeeper
from app.flows import deadlines
from app.flows.telling import Notifier
from app.kernel.clock import FixedClock
from app.kernel.mail import parse_mail_server
from app.kernel.parts import NoticeParts
from app.kernel.vault import Vault
from app.notices import addresses, letters, service as notices
from app.notices.hours import Hours
from app.notices.rules import Carrier
from app.people.queries import access_of_operator
from app.people.rules import Role
from app.web.ui.render import catalogue
from tests import factories as make
from tests.conftest import ROOT
from tests.connectors.raw_server import http, raw_server
from tests.mail_server import MailServer, mail_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sqlalchemy.engine import URL

    from app.appeals.models import Appeal
    from app.directory.models import Agency, Territory
    from app.kernel.db import Database
    from app.people.models import Operator

pytestmark = [pytest.mark.flows, pytest.mark.timeout(60)]

VAULT = Vault(secrets.token_urlsafe(32))
MORNING = make.MORNING
HALF, NEAR, DUE = (MORNING + timedelta(minutes=minutes) for minutes in (270, 432, 540))


class Town:
    """An agency with people who can be told, a mail server, and a worker's notifier."""

    def __init__(self, mail: MailServer, owner: Database, worker: Database, web: Database, clock: FixedClock) -> None:
        self.mail, self.owner, self.worker, self.web, self.clock = mail, owner, worker, web, clock
        self.parts = NoticeParts(
            catalogue=catalogue, address="https://otklik.example", timezone="Europe/Moscow",
            mail=parse_mail_server(mail.url, "otklik@town.example"),
        )  # fmt: skip
        self.place: Territory
        self.agency: Agency
        self.people: dict[str, Operator] = {}

    async def settle_in(self) -> None:
        async with self.owner.write() as session:
            self.place = await make.make_territory(session)
            self.agency = await make.make_agency(session, territory=self.place)
            for role, scope in ((Role.OPERATOR, self.agency), (Role.COORDINATOR, self.place), (Role.SUPERVISOR, None)):
                person = await make.make_operator(session, role=role, scope=scope)
                self.people[role.value] = person
                await self.address(session, person, f"{role.value}@town.example")

    async def address(self, session: Any, person: Operator, where: str, carrier: str = "email") -> None:
        await session.execute(
            text("INSERT INTO notice_address (operator_id, carrier, address, proved_at) VALUES (:id, :carrier, :where, now())"),
            {"id": person.id, "where": where, "carrier": carrier},
        )

    async def appeals(self, count: int = 1, *, due_at: datetime = DUE) -> list[Appeal]:
        async with self.owner.write() as session:
            found = []
            for _ in range(count):
                appeal = await make.make_appeal(session, agency=self.agency, territory=self.place)
                await make.make_timer(session, appeal=appeal, due_at=due_at, warnings=(HALF, NEAR))
                found.append(appeal)
            return found

    def notifier(self, name: str = "w", *, vault: Vault = VAULT, **more: Any) -> Notifier:
        keeper, parts = OfficeKeeper(self.worker, self.clock), replace(self.parts, **more)
        return Notifier(self.worker, keeper, self.clock, vault, parts=parts, worker=name, time_scale=1)

    async def at(self, moment: datetime, *, rounds: int = 1, **more: Any) -> None:
        """Time comes: deadlines are looked at, people are told."""
        self.clock.moment = moment
        await deadlines.run_due(self.worker, self.clock)
        for _ in range(rounds):
            await self.notifier(**more).round()

    async def rows(self, sql: str) -> list[tuple[Any, ...]]:
        async with self.owner.read() as session:
            return [tuple(row) for row in await session.execute(text(sql))]

    def told(self) -> list[tuple[str, str]]:
        """(to whom, subject) of each letter that was handed in."""
        return [(str(one["To"]).partition("@")[0], str(one["Subject"])) for one in self.mail.letters()]


@pytest.fixture
async def town(owner_db: Database, worker_db: Database, web_db: Database) -> AsyncIterator[Town]:
    async with mail_server() as mail:
        found = Town(mail, owner_db, worker_db, web_db, FixedClock(MORNING))
        await found.settle_in()
        yield found


async def test_who_holds_the_matter_is_told_by_the_rules_and_nobody_twice(town: Town) -> None:
    (appeal,) = await town.appeals()
    number = format_number(appeal.number)
    for moment in (
        HALF,
        NEAR,
        NEAR + timedelta(minutes=1),
        DUE,
        DUE + timedelta(hours=2),
        DUE + timedelta(days=1),
        DUE + timedelta(days=3),
    ):
        await town.at(moment, rounds=2)
    assert town.told() == [
        ("operator", f"Обращение {number}: срок близко"),  # half of the term tells nobody: the rule begins at 80 percent
        ("operator", f"Обращение {number}: срок прошёл"),
        ("coordinator", f"Обращение {number}: ответа всё ещё нет"),
        ("supervisor", f"Обращение {number}: ответа всё ещё нет"),
    ]
    letter = town.mail.letters()[1]
    words = letter.get_content()
    assert f"https://otklik.example/appeals/{appeal.number:09d}" in words
    assert "17 ноября, 18:00" in words  # by the installation's clock: the person has set no hours
    assert parsedate_to_datetime(str(letter["Date"])) == DUE
    assert len({str(one["Message-ID"]) for one in town.mail.letters()}) == 4
    assert await town.rows("SELECT escalated_to FROM notice WHERE kind = 'sla_breach'") == [("supervisor",)]
    assert {row[0] for row in await town.rows("SELECT state FROM notice_letter")} == {"delivered"}


async def test_who_took_the_appeal_is_told_and_colleagues_are_not(town: Town) -> None:
    (appeal,) = await town.appeals()
    async with town.owner.write() as session:
        colleague = await make.make_operator(session, scope=town.agency)
        await town.address(session, colleague, "colleague@town.example")
        await session.execute(text("UPDATE appeal SET operator_id = :id WHERE id = :appeal"), {"id": colleague.id, "appeal": appeal.id})
    await town.at(NEAR)
    assert [who for who, _ in town.told()] == ["colleague"]


async def test_an_overdue_appeal_handed_on_is_told_to_its_new_agency_and_to_nobody_again(town: Town) -> None:
    (appeal,) = await town.appeals()
    await town.at(DUE)
    async with town.owner.write() as session:
        neighbours = await make.make_agency(session, territory=town.place)
        neighbour = await make.make_operator(session, scope=neighbours)
        await town.address(session, neighbour, "neighbour@town.example")
        await session.execute(text("UPDATE appeal SET agency_id = :id WHERE id = :appeal"), {"id": neighbours.id, "appeal": appeal.id})
    async with town.worker.write() as session:
        await notices.tidy(session, now=DUE + timedelta(minutes=1))
    for minutes in (1, 2, 121, 122):
        await town.at(DUE + timedelta(minutes=minutes))
    assert [who for who, _ in town.told()] == ["operator", "neighbour", "coordinator"]


async def test_an_escalation_waits_while_the_clock_stands_and_ends_with_an_answer(town: Town) -> None:
    waits, _answered = await town.appeals(2)
    await town.at(DUE)
    async with town.owner.write() as session:
        await make.make_pause(session, appeal=waits, since=DUE + timedelta(hours=1))
        await session.execute(text("UPDATE sla_timer SET stopped_at = due_at WHERE appeal_id <> :id"), {"id": waits.id})
    await town.at(DUE + timedelta(hours=3))
    assert [who for who, _ in town.told()] == ["operator", "operator"]
    async with town.owner.write() as session:
        await session.execute(text("UPDATE sla_pause SET until = :at"), {"at": DUE + timedelta(hours=4)})
    await town.at(DUE + timedelta(hours=4))
    assert [who for who, _ in town.told()][2:] == ["coordinator"]


async def test_outside_own_hours_a_notice_waits_and_a_breach_only_if_they_like(town: Town) -> None:
    """NEAR and DUE are past the hours of that day; what was answered by the morning is told no more."""
    person = town.people["operator"]
    hours = Hours(days=frozenset(range(1, 8)), opens=9 * 60, closes=10 * 60, timezone="Europe/Moscow", breach_any_time=True)
    async with town.web.write(operator_id=person.id) as session:
        await addresses.set_hours(session, operator_id=person.id, hours=hours, now=MORNING)
    first, second = await town.appeals(2)
    third, fourth = await town.appeals(2, due_at=DUE + timedelta(days=2))
    await town.at(NEAR)
    assert town.told() == []
    await town.at(DUE)
    late = sorted(("operator", f"Обращение {format_number(one.number)}: срок прошёл") for one in (first, second))
    assert sorted(town.told()) == late
    async with town.owner.write() as session:
        await session.execute(text("UPDATE sla_timer SET stopped_at = :at WHERE appeal_id = :id"), {"at": DUE, "id": fourth.id})
    town.mail.taken.clear()
    await town.at(MORNING + timedelta(days=1))  # nine in Moscow
    assert ("operator", f"Обращение {format_number(third.number)}: срок близко") in town.told()
    assert not any(format_number(fourth.number) in subject for _, subject in town.told())
    assert (await town.rows("SELECT count(*) FROM notice_delivery WHERE void_at IS NOT NULL"))[0][0] == 3  # two became late, one answered


async def test_a_storm_is_one_digest_and_every_notice_is_in_exactly_one_message(town: Town) -> None:
    appeals = await town.appeals(12)
    await town.at(DUE)
    assert town.told() == [("operator", "12 сроков прошло")]
    words = town.mail.letters()[0].get_content()
    assert sum(format_number(one.number) in words for one in appeals) == 5
    assert "И ещё 7: https://otklik.example/notices" in words
    more = await town.appeals(2)
    await town.at(DUE + timedelta(minutes=1), rounds=3)  # two more are no storm by themselves
    assert len(town.told()) == 3
    await town.appeals(8)
    await town.at(DUE + timedelta(minutes=2), rounds=3)  # a digest was sent a moment ago: these wait for the next one
    assert len(town.told()) == 3
    await town.at(DUE + timedelta(minutes=15))
    assert town.told()[3:] == [("operator", "8 сроков прошло")]
    assert {subject for _, subject in town.told()[1:3]} == {f"Обращение {format_number(one.number)}: срок прошёл" for one in more}
    (row,) = await town.rows("SELECT count(*), count(letter_id), count(DISTINCT notice_id) FROM notice_delivery WHERE stage = 0")
    assert row == (22, 22, 22)


async def test_only_what_was_surely_not_taken_is_sent_again(town: Town) -> None:
    """One is refused for now, one for good, of one nobody knows. What each answer means is tested in test_couriers.py."""
    town.mail.to_data = ["452 Full", "554 No", "hang up", "250 OK"]
    await town.appeals(3)
    await town.at(NEAR)
    for _ in range(3):
        town.clock.moment += letters.PAUSES[0]
        await town.notifier().round()
    assert sorted(row[0] for row in await town.rows("SELECT state FROM notice_letter")) == ["delivered", "failed", "unknown"]
    numbers = [str(one["Message-ID"]) for one in town.mail.letters()]
    assert (len(numbers), len(set(numbers))) == (4, 3)
    assert numbers[3] in numbers[:3]


async def test_an_unknown_outcome_stands_before_an_administrator_who_alone_may_repeat_it(town: Town) -> None:
    town.mail.to_data = ["hang up", "250 OK"]
    await town.appeals()
    await town.at(NEAR, rounds=3)
    async with town.owner.write() as session:
        boss = await make.make_operator(session, role=Role.ADMINISTRATOR)
    async with town.web.write(operator_id=boss.id) as session:
        access = await access_of_operator(session, operator_id=boss.id)
        assert access is not None
        (trouble,) = await letters.troubles(session)
        assert (trouble.state, trouble.notices, trouble.carrier) == ("unknown", 1, "email")
        await letters.decide(session, access, trouble.id, again=True, now=town.clock.now())
    for stranger in (town.people["operator"].id, town.people["supervisor"].id):
        async with town.web.read(operator_id=stranger) as session:
            own = 1 if stranger == town.people["operator"].id else 0
            assert await session.scalar(text("SELECT count(*) FROM notice_letter")) == own
    await town.notifier().round()
    first, second = town.mail.letters()
    assert first["Message-ID"] == second["Message-ID"]
    assert await town.rows("SELECT state FROM notice_letter") == [("delivered",)]


async def test_many_workers_send_each_message_once(town: Town) -> None:
    await town.appeals(3)
    town.clock.moment = DUE
    await deadlines.run_due(town.worker, town.clock)
    for _ in range(3):
        await asyncio.gather(*(town.notifier(f"w{number}").round() for number in range(3)))
    assert len(town.told()) == len(set(town.told())) == 3


SENDER = """
import asyncio, sys
from datetime import datetime
from sqlalchemy.engine import make_url
from app.appeals.office import OfficeKeeper
from app.flows.telling import Notifier
from app.kernel.clock import FixedClock
from app.kernel.db import Database, DatabaseRole, make_engine
from app.kernel.mail import parse_mail_server
from app.kernel.parts import NoticeParts
from app.kernel.vault import Vault
from app.web.ui.render import catalogue
url, mail, now = sys.argv[1:]
database = Database(make_engine(make_url(url), role=DatabaseRole.WORKER, pool_size=2, application="tests sender"))
clock = FixedClock(datetime.fromisoformat(now))
parts = NoticeParts(catalogue=catalogue, address="https://otklik.example", timezone="Europe/Moscow",
                    mail=parse_mail_server(mail, "otklik@town.example"))
asyncio.run(Notifier(database, OfficeKeeper(database, clock), clock, Vault("k" * 32), parts=parts, worker="dies", time_scale=1).round())
"""


async def test_a_sender_that_is_killed_leaves_an_unknown_outcome_and_no_second_letter(town: Town, database_url: URL) -> None:
    """The letter was handed in, the answer never heard: SIGKILL. Whoever takes over says what is known, and tells the others."""
    town.mail.to_data = ["silence", "250 OK"]
    await town.appeals()
    town.clock.moment = NEAR
    await deadlines.run_due(town.worker, town.clock)
    url = database_url.render_as_string(hide_password=False)
    sender = await asyncio.create_subprocess_exec(sys.executable, "-c", SENDER, url, town.mail.url, NEAR.isoformat(), cwd=ROOT)
    try:
        async with asyncio.timeout(30):
            await town.mail.handed_in.wait()
        sender.send_signal(signal.SIGKILL)
    finally:
        await sender.wait()
    await town.notifier().round()  # its lease still holds
    assert await town.rows("SELECT state FROM notice_letter") == [("sending",)]
    town.clock.moment += letters.LEASE + timedelta(seconds=1)
    await town.notifier().round()
    assert await town.rows("SELECT state, attempts FROM notice_letter") == [("unknown", 1)]
    await town.appeals()
    await town.at(NEAR + letters.LEASE + timedelta(seconds=2))
    assert len(town.mail.taken) == 2
    assert await town.rows("SELECT count(*), count(DISTINCT key) FROM notice") == [(2, 2)]


async def test_an_address_is_used_once_its_code_was_typed(town: Town) -> None:
    person = town.people["operator"]
    async with town.web.write(operator_id=person.id) as session:
        await addresses.set_address(session, operator_id=person.id, carrier=Carrier.EMAIL, address="new@town.example", now=MORNING)
    await town.at(NEAR)
    (letter,) = town.mail.letters()
    assert str(letter["To"]) == "new@town.example"
    code = next(word.rstrip(".") for word in letter.get_content().split() if word.rstrip(".").isdigit())
    assert not await town.rows("SELECT 1 FROM notice_address WHERE code_hash IS NULL AND ended_at IS NULL AND address LIKE 'new@%'")
    await town.appeals()
    await town.at(DUE)
    assert len(town.mail.taken) == 1  # not proved, not told; the address before is forgotten
    wrong = f"{(int(code) + 1) % 1_000_000:06d}"
    for given, right in [(wrong, False)] * (addresses.MOST_TRIES - 1) + [(f" {code[:3]} {code[3:]} ", True), (code, False)]:
        async with town.web.write(operator_id=person.id) as session:
            assert await addresses.try_code(session, operator_id=person.id, carrier=Carrier.EMAIL, code=given, now=NEAR) is right
    await town.appeals(due_at=DUE + timedelta(minutes=1))
    await town.at(DUE + timedelta(minutes=1))
    assert [str(one["To"]) for one in town.mail.letters()] == ["new@town.example"] * 2
    assert await town.rows("SELECT count(*) FROM notice_address WHERE address = 'operator@town.example'") == [(0,)]


async def test_a_code_may_be_guessed_five_times(town: Town) -> None:
    person = town.people["operator"]
    async with town.web.write(operator_id=person.id) as session:
        await addresses.set_address(session, operator_id=person.id, carrier=Carrier.EMAIL, address="new@town.example", now=MORNING)
    await town.at(MORNING)
    code = next(word.rstrip(".") for word in town.mail.letters()[0].get_content().split() if word.rstrip(".").isdigit())
    for given, late in [(code, letters.CODE_HOLDS)] + [("wrong", timedelta(0))] * addresses.MOST_TRIES + [(code, timedelta(0))]:
        async with town.web.write(operator_id=person.id) as session:
            assert not await addresses.try_code(session, operator_id=person.id, carrier=Carrier.EMAIL, code=given, now=MORNING + late)


async def test_a_webhook_gets_its_secret_with_the_code_and_signs_with_it(town: Town) -> None:
    person = town.people["operator"]
    async with raw_server() as raw:
        hosts: dict[str, Any] = {"webhook_hosts": raw.url.removeprefix("http://")}
        raw.plan(http(b"", status="503 Busy"), http(b""))
        async with town.web.write(operator_id=person.id) as session:
            await addresses.set_address(session, operator_id=person.id, carrier=Carrier.WEBHOOK, address=f"{raw.url}/me", now=MORNING)
        await town.at(MORNING, **hosts)
        await town.at(MORNING + letters.PAUSES[0], **hosts)  # a broken answer is repeated under the same id
        codes = [json.loads(one.partition(b"\r\n\r\n")[2])["data"] for one in raw.requests]
        ids = {line for one in raw.requests for line in one.decode().splitlines() if line.startswith("webhook-id")}
        assert len(codes) == 2
        assert len(ids) == 1
        async with town.web.write(operator_id=person.id) as session:
            assert await addresses.try_code(
                session, operator_id=person.id, carrier=Carrier.WEBHOOK, code=codes[1]["code"], now=town.clock.now()
            )
        (appeal,) = await town.appeals()
        await town.at(NEAR, **hosts)
        head, _, body = raw.requests[-1].decode().partition("\r\n\r\n")
        sent = dict(line.split(": ", 1) for line in head.split("\r\n")[1:])
        assert sent["webhook-signature"] == Webhook(codes[1]["secret"]).sign(sent["webhook-id"], NEAR, body)
        (told,) = json.loads(body)["data"]["notices"]
        assert (told["appeal"], told["kind"]) == (format_number(appeal.number), "sla_warning")
        before = len(raw.requests)
        await town.at(DUE, vault=Vault(secrets.token_urlsafe(32)), **hosts)  # the key was changed: what signs it cannot be read
        assert len(raw.requests) == before
        assert await town.rows("SELECT state FROM notice_letter WHERE carrier = 'webhook' ORDER BY id DESC LIMIT 1") == [("waiting",)]


async def test_the_reader_s_language_and_time_zone_are_their_own(town: Town) -> None:
    person = town.people["operator"]
    hours = Hours(days=frozenset(range(1, 8)), opens=0, closes=1440, timezone="Asia/Vladivostok")
    async with town.web.write(operator_id=person.id) as session:
        await addresses.set_hours(session, operator_id=person.id, hours=hours, now=MORNING)
        await session.execute(text("UPDATE operator SET locale = 'en' WHERE id = :id"), {"id": person.id})
    (appeal,) = await town.appeals()
    await town.at(DUE)
    (letter,) = town.mail.letters()
    assert str(letter["Subject"]) == f"Appeal {format_number(appeal.number)}: the deadline has passed"
    assert "the first answer was due by 18 November, 01:00" in letter.get_content()
