"""The screens over a real database as the web role, people with browsers, and a town to look at."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from app.appeals.rules import Status
from app.kernel import log
from app.kernel.live import Live
from app.kernel.parts import WebParts
from app.kernel.vault import WEBHOOKS, Vault
from app.people.rules import Role
from app.people.sessions import open_session
from app.replies.rules import ReplyState
from app.sources.rules import Fate
from app.triage.models import Verdict
from app.triage.rules import Kind
from app.web.app import create_app
from app.web.deps import session_cookie
from app.web.ui.queue_view import number_text
from connectors.registry import load
from tests import factories
from tests.web.entrance import KEY, make_entrance

if TYPE_CHECKING:
    from fastapi import FastAPI
    from sqlalchemy.engine import URL

    from app.appeals.models import Appeal
    from app.directory.models import Agency, Territory, Topic
    from app.kernel.clock import FixedClock
    from app.kernel.db import Database
    from app.people.models import Operator
    from app.replies.models import Reply
    from app.sources.models import Comment

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'` \u202eнелов\u202c\u200b {{ 7 * 7 }} </textarea>"
PART = {"HX-Request": "true", "HX-Request-Type": "partial"}


@pytest.fixture(autouse=True, scope="session")
def _plain_logs() -> None:
    """As the program logs; structlog's own default would draw each traceback with all its values."""
    log.set_up(level="WARNING", as_json=True)


@pytest.fixture
def parts(web_db: Database, database_url: URL, clock: FixedClock) -> WebParts:
    """What the web process stands on; nobody listens for news unless a test starts it."""
    return WebParts(
        clock=clock,
        database=web_db,
        live=Live(database_url, role="otklik_web"),
        plugins=load(None),
        locale="ru",
        timezone="Europe/Moscow",
        entrance=make_entrance(),
        secure_cookies=False,
        public_url=None,
        webhook_hosts="sed.example",
        webhook_vault=Vault(KEY, purpose=WEBHOOKS),
        token_vault=Vault(KEY),
        migration="0001",
    )


@pytest.fixture
def web(parts: WebParts) -> FastAPI:
    """The application."""
    return create_app(parts)


@dataclass(kw_only=True)
class Browser:
    """Somebody with a browser. `part`: as our scripts ask."""

    http: httpx.AsyncClient
    csrf: str = ""

    async def get(self, path: str, *, part: bool = False, headers: Mapping[str, str] | None = None) -> httpx.Response:
        """Ask for a page, or a part of one; the anti-forgery token of a page is kept."""
        response = await self.http.get(path, headers=(PART if part else {}) | dict(headers or {}))
        found = re.search(r'<meta name="csrf" content="([^"]+)"', response.text)
        self.csrf = found[1] if found else self.csrf
        return response

    async def post(self, path: str, *, part: bool = False, at: str = "/queue", **fields: object) -> httpx.Response:
        """Send a form from the page `at`."""
        if not self.csrf:
            await self.get("/pages")
        where = {"HX-Current-URL" if part else "Referer": f"http://otklik.example{at}"}
        data = {"csrf": self.csrf} | {name: str(value) for name, value in fields.items()}
        return await self.http.post(path, data=data, headers=(PART if part else {}) | where)


@pytest.fixture
async def stranger(web: FastAPI) -> AsyncIterator[Browser]:
    """Nobody we know."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(web), base_url="http://otklik.example") as http:
        yield Browser(http=http)


Enter = Callable[[str], Awaitable[Browser]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Town:
    """A town with two agencies that must not see each other's appeals. `hostile` is ours, with everything on it."""

    place: Territory
    ours: Agency
    theirs: Agency
    lights: Topic
    roads: Topic
    appeal: Appeal
    foreign: Appeal
    hostile: Appeal
    comment: Comment
    waiting: Comment
    replies: Mapping[ReplyState, Reply]
    people: dict[str, Operator] = field(default_factory=dict)

    @property
    def number(self) -> str:
        """Of our plain appeal."""
        return number_text(self.appeal.number)

    @property
    def foreign_number(self) -> str:
        """Of the other agency's."""
        return number_text(self.foreign.number)

    @property
    def hostile_number(self) -> str:
        """Of the one with everything on it."""
        return number_text(self.hostile.number)


@pytest.fixture
async def town(owner_db: Database, clock: FixedClock) -> Town:
    """The town; people: `operator` (ours), `other` (theirs), `coordinator`, `supervisor`, `administrator`."""
    now = clock.now()
    async with owner_db.write() as session:
        place = await factories.make_territory(session, name="Заречье", code="town")
        ours = await factories.make_agency(session, territory=place, code="ours", name="Управа Заречья")
        theirs = await factories.make_agency(session, territory=place, code="theirs", name="Водоканал")
        yard = await factories.make_topic(session, code="yard", name="Благоустройство")
        lights = await factories.make_topic(session, code="lights", name="Освещение", parent=yard, terms="фонар*")
        roads = await factories.make_topic(session, code="roads", name="Дороги", terms="яма")
        await factories.make_rule(session, topic=roads, agency=theirs)
        calendar = await factories.make_calendar(session, territory=place)
        policy = await factories.make_policy(session, term=factories.NINE_HOURS)
        page = await factories.make_page(session, agency=ours, territory=place)
        post = await factories.make_post(session, page=page)

        async def opened(agency: Agency, words: str, hours: float, **more: Any) -> tuple[Appeal, Comment]:
            author = await factories.make_author(session, name=HOSTILE if words == HOSTILE else "Пётр Кузнецов")
            comment = await factories.make_comment(session, post=post, author=author, text=words, written_at=now - timedelta(hours=2))
            due = now + timedelta(hours=hours)
            appeal = await factories.make_appeal(
                session,
                comment=comment,
                agency=agency,
                territory=place,
                topic=lights,
                due_at=due,
                opened_at=now - timedelta(hours=2),
                **more,
            )
            warnings = [due - timedelta(hours=1)]
            await factories.make_timer(session, appeal=appeal, policy=policy, calendar=calendar, due_at=due, warnings=warnings)
            reasons = [{"code": "keyword", "params": {"topic": "lights", "keyword": "фонар*", "weight": 1}}]
            await factories.make_verdict(session, comment=comment, topic=lights, agency=agency, reasons=reasons)
            return appeal, comment

        appeal, comment = await opened(ours, "Во дворе третий день не горят фонари.", 5)
        foreign, _ = await opened(theirs, "Из крана течёт ржавая вода.", 5)
        hostile, said = await opened(ours, HOSTILE, -1, status=Status.IN_WORK)
        replies = {
            state: await factories.make_reply(session, appeal=hostile, comment=said, state=state, text=HOSTILE) for state in ReplyState
        }
        waiting = await factories.make_comment(
            session, post=post, text="Наконец-то!", fate=Fate.IN_TRIAGE, fate_reason="undecided", written_at=now - timedelta(hours=1),
            triage_due_at=now + timedelta(hours=1), triage_warn_at=now + timedelta(minutes=30),
        )  # fmt: skip
        scores = {"roads": 0.4, "lights": 0.1}
        session.add(
            Verdict(comment_id=waiting.id, classifier="keywords", version="1", kind=Kind.UNDECIDED.value, confidence=0.3, scores=scores)
        )
        await session.flush()
        people = {
            "operator": await factories.make_operator(session, scope=ours, name="Ольга Ветрова"),
            "other": await factories.make_operator(session, scope=theirs, name="Иван Лугов"),
            "coordinator": await factories.make_operator(session, role=Role.COORDINATOR, scope=place, name="Тимур Ясенев"),
            "supervisor": await factories.make_operator(session, role=Role.SUPERVISOR, name="Нина Озерова"),
            "administrator": await factories.make_operator(session, role=Role.ADMINISTRATOR, name="Павел Брусникин"),
        }
        return Town(
            place=place, ours=ours, theirs=theirs, lights=lights, roads=roads, appeal=appeal, foreign=foreign, hostile=hostile,
            comment=comment, waiting=waiting, replies=replies, people=people,
        )  # fmt: skip


@pytest.fixture
async def enter(web: FastAPI, parts: WebParts, town: Town) -> AsyncIterator[Enter]:
    """Signs a person of the town in, by their name in `town.people`."""
    browsers: list[httpx.AsyncClient] = []

    async def come_in(who: str) -> Browser:
        operator_id = town.people[who].id
        async with parts.database.write(operator_id=operator_id) as session:
            token = await open_session(session, operator_id=operator_id, now=parts.clock.now(), lasts=parts.entrance.lasts)
        http = httpx.AsyncClient(
            transport=httpx.ASGITransport(web), base_url="http://otklik.example", cookies={session_cookie(parts): token}
        )
        browsers.append(http)
        return Browser(http=http)

    yield come_in
    for http in browsers:
        await http.aclose()


@pytest.fixture
async def operator(enter: Enter) -> Browser:
    """The operator of our agency."""
    return await enter("operator")


@pytest.fixture
async def coordinator(enter: Enter) -> Browser:
    """The coordinator of the town."""
    return await enter("coordinator")
