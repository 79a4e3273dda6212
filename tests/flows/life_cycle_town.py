"""A town of its own for each life, and a fuse that lets the worker die at a chosen statement."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import event

from app.appeals.office import OfficeKeeper
from app.people.queries import access_of_operator
from app.people.rules import Role
from app.sla.service import ensure_default_calendar, ensure_default_policy
from app.sources.service import connect_page
from app.triage.models import RoutingRule
from connectors.contract import AccessLost, Credential, Options, OutcomeUnknown, Rejected, TryLater, UnknownPayload
from connectors.fake import FakeWorld, fake_plugin
from tests.factories import make_agency, make_operator, make_territory, make_topic
from tests.flows.conftest import Town

if TYPE_CHECKING:
    from app.appeals.office import Office
    from app.kernel.clock import FixedClock
    from app.kernel.db import Database

FAULTS: tuple[tuple[str, BaseException, str], ...] = (
    ("poll", TryLater("rate", after=timedelta(seconds=1)), "before"),
    ("poll", ZeroDivisionError("bug"), "after"),
    ("discover", Rejected("gone"), "before"),
    ("discover", UnknownPayload("malformed", "no items", raw=b"\xff"), "before"),
    ("probe", TryLater("rate", after=timedelta(seconds=1)), "before"),
    ("read_thread", UnknownPayload("malformed", "no items", raw=b"\xff"), "after"),
    ("send", OutcomeUnknown("timeout"), "before"),
    ("send", OutcomeUnknown("timeout"), "after"),
    ("send", ZeroDivisionError("bug"), "after"),
    ("send", TryLater("flood", after=timedelta(seconds=30)), "before"),
    ("send", Rejected("comments_closed"), "before"),
    ("send", AccessLost("captcha"), "before"),
    ("edit_answer", OutcomeUnknown("timeout"), "after"),
    ("delete_answer", OutcomeUnknown("timeout"), "after"),
    ("delete_answer", OutcomeUnknown("timeout"), "before"),
    ("find_sent", TryLater("rate", after=timedelta(seconds=1)), "before"),
    ("find_sent", UnknownPayload("malformed", "?", raw=b"?"), "before"),
)
"""A verb, what goes wrong with it, and whether that is before it acts or after."""


class Crash(Exception):  # noqa: N818 - not an error: the end of a process
    """The process died here: what was not committed never was."""


@dataclass
class Fuse:
    """Blows at the `left`-th statement or commit from now on; None: never."""

    left: int | None = None

    def attach(self, database: Database) -> None:
        engine = database.engine.sync_engine
        event.listen(engine, "before_cursor_execute", self._burn)
        event.listen(engine, "commit", self._burn)

    def _burn(self, *_what: Any) -> None:
        if self.left is not None:
            self.left -= 1
            if self.left <= 0:
                self.left = None
                raise Crash


@dataclass(kw_only=True)
class LivingTown(Town):
    """A town with the office that its people decide with."""

    office: Office


async def found_town(owner: Database, worker: Database, web: Database, world: FakeWorld, clock: FixedClock, fuse: Fuse) -> LivingTown:
    """One page of one agency, a rule for roads, default promises, an operator of both agencies and a coordinator."""
    page = world.add_page("Садовый. Официально")
    async with owner.write() as session:
        territory = await make_territory(session, timezone="Europe/Moscow")
        agency = await make_agency(session, territory=territory)
        other = await make_agency(session, territory=territory, name="Дорожная служба")
        roads = await make_topic(session, name="Дороги", code="roads", terms="ям*=3; дорог*=3; асфальт*=2")
        session.add(RoutingRule(territory_id=territory.id, topic_id=roads.id, agency_id=agency.id))
        await ensure_default_calendar(session, territory_id=territory.id, timezone="Europe/Moscow", now=clock.now())
        await ensure_default_policy(session, territory_id=territory.id, now=clock.now())
        await connect_page(
            session, platform=world.platform, snapshot=world.pages[page.external_id], agency_id=agency.id, territory_id=territory.id,
            sphere_id=None, watched_since=clock.now() - timedelta(hours=24), now=clock.now(),
        )  # fmt: skip
        people = (await make_operator(session, scope=agency), await make_operator(session, role=Role.COORDINATOR, scope=territory))
    async with web.read() as session:
        operator, coordinator = [await access_of_operator(session, operator_id=one.id) for one in people]
    assert operator is not None
    assert coordinator is not None
    office = await OfficeKeeper(web, clock).get()
    fuse.attach(worker)
    key = Credential(key="1", kind="fake", secret="s")
    connector = fake_plugin(world).build(Options(api_url=None, credentials=(key,)))
    return LivingTown(
        world=world, connector=connector, owner=owner, worker=worker, web=web, clock=clock, page=page.external_id, agency_id=agency.id,
        other_agency_id=other.id, operator=operator, coordinator=coordinator, office=office,
    )  # fmt: skip
