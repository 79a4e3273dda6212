"""A region of two towns. One has everything that can be secret; from the other come people who must not learn of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import text

from app.appeals.filters import format_number
from app.appeals.models import AppealNote
from app.appeals.rules import Status
from app.people.api_tokens import create_service_token
from app.people.rules import Access, Grant, Role
from app.people.sessions import open_session
from app.people.staff import add_grants
from app.replies.rules import ReplyState
from app.reports.approved import approve
from app.reports.rules import Grouping, Period
from app.reports.service import Asked
from app.sla.models import SlaExtension
from app.sources.rules import Fate
from app.triage.rules import Kind
from tests import factories as make

if TYPE_CHECKING:
    from datetime import datetime

    from app.appeals.models import Appeal
    from app.directory.models import Agency, Territory, Topic
    from app.kernel.db import WriteSession
    from app.sla.models import SlaPolicyVersion
    from app.sources.models import Comment, Post

SECRET = "Тайнослов"
"""In every text of the secret town: no answer to an outsider holds it."""

AUTHOR = "770077"
"""The platform's number of the citizen whose appeal is read."""

# One appeal for each act that changes it, so that each finds the state it needs.
USES = (
    "read", "take", "route", "topic", "dismiss", "close", "reopen", "note", "answer", "api_answer", "pause", "resume", "extend",
    "merge", "merge_with", "unmerge", "amend", "api_amend", "amend_approve",
)  # fmt: skip
AHEAD = frozenset({"pause", "resume", "extend"})
"""Their deadline has not passed: what is late cannot be put off."""
STATUS = {"close": Status.ANSWERED, "reopen": Status.CLOSED, "answer": Status.IN_WORK, "dismiss": Status.IN_WORK}
STATUS |= {"unmerge": Status.DISMISSED}
TRIAGE_USES = ("read", "open", "dismiss", "link", "api_link")


@dataclass(kw_only=True)
class Town:
    """What is secret (by its use), where it belongs, and who is who: tokens of sessions by name.

    `newcomer` has a role (`newcomer_role`), a session and, as a service, a token: what administrators act upon.
    """

    home: Territory
    away: Territory
    ours: Agency
    theirs: Agency
    topic: Topic
    post: Post
    policy: SlaPolicyVersion
    page: str = ""
    """The page's number on the platform."""
    appeals: dict[str, Appeal] = field(default_factory=dict)
    comments: dict[str, Comment] = field(default_factory=dict)
    waiting: dict[str, Comment] = field(default_factory=dict)
    replies: dict[ReplyState, int] = field(default_factory=dict)
    standing: dict[str, int] = field(default_factory=dict)
    amendments: dict[str, int] = field(default_factory=dict)
    stop_id: int = 0
    tokens: dict[str, str] = field(default_factory=dict)
    people: dict[str, int] = field(default_factory=dict)
    roles: dict[str, frozenset[Role]] = field(default_factory=dict)
    newcomer: int = 0
    newcomer_role: int = 0
    newcomer_session: int = 0
    service_tokens: list[int] = field(default_factory=list)
    webhook: int = 0
    rule: int = 0
    letter: int = 0
    webhook_failed: int = 0
    approved: int = 0
    bot: int = 0
    """A page whose private messages can be switched on."""

    def number(self, use: str) -> str:
        """Of the secret appeal for this use."""
        return format_number(self.appeals[use].number)


INSIDERS = ("everything", "operator", "coordinator", "supervisor", "administrator")
OUTSIDERS = ("operator elsewhere", "coordinator elsewhere", "supervisor elsewhere", "administrator", "without a role")


PICTURE = "https://sun.userapi.com/secret.jpg"


async def build(session: WriteSession, now: datetime) -> Town:
    """Everything, as the owner; each guarded table has a row of the secret town."""
    region = await make.make_territory(session, code="region", name="Область")
    home = await make.make_territory(session, code="home", name="Заречье", parent=region)
    away = await make.make_territory(session, code="away", name="Дальний", parent=region)
    ours = await make.make_agency(session, territory=home, code="ours", name="Управа Заречья")
    theirs = await make.make_agency(session, territory=away, code="theirs", name="Управа Дальнего")
    topic = await make.make_topic(session, code="lights", name="Освещение", terms="фонар*")
    await make.make_calendar(session, territory=region)
    page = await make.make_page(session, agency=ours, territory=home)
    town = Town(
        home=home, away=away, ours=ours, theirs=theirs, topic=topic, post=await make.make_post(session, page=page),
        policy=await make.make_policy(session), page=page.external_id,
    )  # fmt: skip
    await session.execute(text("INSERT INTO feed (platform, key, page_id, failures) VALUES ('vk', 'ours', :page, 3)"), {"page": page.id})
    for use in USES:
        await _appeal(session, town, use, now)
    await _around(session, town, now)
    stop = "INSERT INTO publishing_stop (page_id, reason, stopped_at) VALUES (:page, 'Проверяем доступ', :now) RETURNING id"
    town.stop_id = (await session.execute(text(stop), {"page": page.id, "now": now})).scalar_one()
    for use in TRIAGE_USES:
        comment = await make.make_comment(
            session, post=town.post, author=await make.make_author(session, name=f"{SECRET} Житель"), text=f"{SECRET}: наконец-то!",
            fate=Fate.IN_TRIAGE, written_at=now - timedelta(hours=1), triage_due_at=now + timedelta(hours=1),
        )  # fmt: skip
        await make.make_verdict(session, comment=comment, kind=Kind.UNDECIDED, confidence=0.3)
        town.waiting[use] = comment
    late = {"comment": town.waiting["read"].id, "agency": ours.id, "territory": home.id, "now": now}
    await session.execute(
        text(
            "INSERT INTO notice (key, kind, comment_id, agency_id, territory_id, occurred_at) "
            "VALUES ('triage', 'triage_breach', :comment, :agency, :territory, :now)"
        ),
        late,
    )
    await make.make_page(session, agency=theirs, territory=away, title="Дальний официально")
    bot = await make.make_page(session, platform="telegram", agency=ours, territory=home, options={"dialogs": "yes"})
    town.bot = bot.id
    await _people(session, town, now)
    home_alone = Access(
        operator_id=town.people["supervisor"], name="", login="", is_service=False, grants=(), agency_ids=(), territory_ids=(home.id,),
        whole=False,
    )  # fmt: skip
    october = Period(start=date(2026, 10, 1), end=date(2026, 10, 31), tz="Europe/Moscow")
    town.approved = await approve(session, Asked(access=home_alone, period=october, now=now), group_by=Grouping.AGENCY)
    return town


async def _appeal(session: WriteSession, town: Town, use: str, now: datetime) -> None:
    ident = AUTHOR if use == "read" else None
    author = await make.make_author(session, name=f"{SECRET} Кузнецов", external_id=ident)
    comment = await make.make_comment(
        session, post=town.post, author=author, text=f"{SECRET}: не горят фонари.", written_at=now - timedelta(hours=3)
    )
    due = now + timedelta(hours=1 if use in AHEAD else -1)
    appeal = await make.make_appeal(
        session, comment=comment, agency=town.ours, territory=town.home, topic=town.topic, status=STATUS.get(use, Status.NEW),
        opened_at=now - timedelta(hours=3), due_at=due, written_at=comment.written_at,
    )  # fmt: skip
    timer = await make.make_timer(session, appeal=appeal, policy=town.policy, due_at=due, warnings=[due - timedelta(hours=1)])
    if use == "unmerge":
        appeal.merged_into = town.appeals["read"].id
    if use == "resume":
        await make.make_pause(session, appeal=appeal, since=now - timedelta(hours=1))
    if use == "extend":
        person = await make.make_operator(session, scope=town.home, name="Координатор Заречья")
        put_off = {"due_before": due - timedelta(hours=1), "due_after": due, "reason": f"{SECRET}: ждём."}
        session.add(SlaExtension(appeal_id=appeal.id, timer_id=timer.id, operator_id=person.id, **put_off))
    await make.make_verdict(session, comment=comment, topic=town.topic, agency=town.ours)
    town.appeals[use], town.comments[use] = appeal, comment


async def _around(session: WriteSession, town: Town, now: datetime) -> None:
    """Everything that an appeal can have besides."""
    appeal, comment = town.appeals["read"], town.comments["read"]
    comment.attachments = [{"kind": "photo", "url": PICTURE, "external_id": None, "title": None}]
    for state in ReplyState:
        reply = await make.make_reply(session, appeal=appeal, comment=comment, state=state, text=f"{SECRET}: починят.")
        town.replies[state] = reply.id
    writer = await make.make_operator(session, scope=town.ours, name="Ольга Ветрова")
    await make.make_reply_picture(session, reply_id=town.replies[ReplyState.SENT], operator=writer, content=SECRET.encode())
    await session.execute(text("INSERT INTO credential (platform, kind, secret) VALUES ('vk', 'user', '')"))  # it lets answers be changed
    for use in ("amend", "api_amend", "amend_approve"):
        answer = await make.make_reply(session, appeal=town.appeals[use], state=ReplyState.SENT, text=f"{SECRET}: починили.")
        town.standing[use] = answer.id
    for stands, reply_id in (("awaiting", town.standing["amend_approve"]), ("failed", town.replies[ReplyState.SENT])):
        town.amendments[stands] = await make.make_amendment(
            session, reply_id=reply_id, operator=writer, state=stands, text=f"{SECRET}: иначе.", reason=f"{SECRET}: срок."
        )
    session.add(AppealNote(appeal_id=appeal.id, operator_id=writer.id, text=f"{SECRET}: звонила."))
    await make.make_pause(session, appeal=appeal, since=now - timedelta(hours=2), until=now - timedelta(hours=1))
    for use in ("posted", "api_answered"):
        taken_down = await make.make_taken_down_appeal(
            session, agency=town.ours, territory=town.home, text=f"{SECRET}: вывезти ветки.", due_at=now + timedelta(hours=1),
            written_at=now - timedelta(hours=3),
        )  # fmt: skip
        await make.make_timer(session, appeal=taken_down, policy=town.policy, due_at=now + timedelta(hours=1))
        town.appeals[use] = taken_down
    await session.flush()
    named = {"appeal": appeal.id, "agency": town.ours.id, "territory": town.home.id, "now": now}
    await session.execute(
        text(
            "INSERT INTO notice (key, kind, appeal_id, timer_id, agency_id, territory_id, occurred_at) "
            "SELECT 'breach:' || t.id, 'sla_breach', :appeal, t.id, :agency, :territory, :now FROM sla_timer t WHERE t.appeal_id = :appeal"
        ),
        named,
    )


async def their_own(session: WriteSession, town: Town, now: datetime) -> Appeal:
    """An appeal of the other town: outsiders have none unless a test gives them one, so that whatever they learn is not theirs."""
    page = await make.make_page(session, agency=town.theirs, territory=town.away)
    comment = await make.make_comment(session, post=await make.make_post(session, page=page), text="Яма у почты.", written_at=now)
    appeal = await make.make_appeal(session, comment=comment, agency=town.theirs, territory=town.away, due_at=now)
    await make.make_timer(session, appeal=appeal, policy=town.policy, due_at=now)
    return appeal


async def _people(session: WriteSession, town: Town, now: datetime) -> None:
    ours, home, theirs, away = town.ours.id, town.home.id, town.theirs.id, town.away.id
    people = {
        "everything": [Grant(role=role) for role in Role],
        "operator": [Grant(role=Role.OPERATOR, agency_id=ours)],
        "coordinator": [Grant(role=Role.COORDINATOR, territory_id=home)],
        "supervisor": [Grant(role=Role.SUPERVISOR, territory_id=home)],
        "administrator": [Grant(role=Role.ADMINISTRATOR)],
        "operator elsewhere": [Grant(role=Role.OPERATOR, agency_id=theirs)],
        "coordinator elsewhere": [Grant(role=Role.COORDINATOR, territory_id=away)],
        "supervisor elsewhere": [Grant(role=Role.SUPERVISOR, agency_id=theirs)],
        "without a role": [],
    }
    for name, grants in people.items():
        person = await make.make_operator(session, role=None, name=name.title())
        await add_grants(session, operator_id=person.id, grants=grants, now=now)
        town.tokens[name] = await open_session(session, operator_id=person.id, now=now, lasts=timedelta(days=1))
        town.roles[name] = frozenset(grant.role for grant in grants)
        town.people[name] = person.id
    newcomer = await make.make_operator(session, role=None, name="Новенькая")
    held = await make.grant(session, operator=newcomer, role=Role.OPERATOR, scope=town.ours)
    await open_session(session, operator_id=newcomer.id, now=now, lasts=timedelta(days=1))
    for name in ("один", "другой"):
        await create_service_token(session, name=name, grants=[Grant(role=Role.OPERATOR, agency_id=ours)], now=now)
    town.newcomer, town.newcomer_role = newcomer.id, held.id
    town.newcomer_session = await session.scalar(text("SELECT max(id) FROM operator_session")) or 0
    target = {"agency": ours, "now": now}
    town.rule = await session.scalar(text("SELECT max(id) FROM notice_rule")) or 0
    unknown = (
        "WITH a AS (INSERT INTO notice_address (operator_id, carrier, address, proved_at) "
        "VALUES (:id, 'email', 'olga@town.example', :now) RETURNING id), l AS ("
        "INSERT INTO notice_letter (operator_id, address_id, carrier, kind, state, settled_at) "
        "SELECT :id, id, 'email', 'single', 'unknown', :now FROM a RETURNING id, address_id) "
        "INSERT INTO notice_delivery (notice_id, stage, operator_id, address_id, letter_id) "
        "SELECT (SELECT min(id) FROM notice), 0, :id, l.address_id, l.id FROM l RETURNING letter_id"
    )
    town.letter = (await session.execute(text(unknown), {"id": town.people["operator"], "now": now})).scalar_one()
    town.webhook = (
        await session.execute(
            text(
                "INSERT INTO webhook_target (name, url, secret, kinds, agency_id) "
                "VALUES ('СЭД', 'https://sed.example/in', 'sealed', '[\"appeal.closed\"]', :agency) RETURNING id"
            ),
            target,
        )
    ).scalar_one()
    failed = (
        "WITH d AS (INSERT INTO webhook_delivery (target_id, kind, data, occurred_at, state) VALUES (:id, 'test', '{}', :now, 'failed') "
        "RETURNING id) INSERT INTO webhook_attempt (delivery_id, at, outcome) SELECT id, :now, 'refused' FROM d RETURNING delivery_id"
    )
    town.webhook_failed = (await session.execute(text(failed), {"id": town.webhook, "now": now})).scalar_one()
    town.service_tokens = list(await session.scalars(text("SELECT id FROM api_token ORDER BY id")))
