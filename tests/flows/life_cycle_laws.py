"""What must be true after every step of any life of appeals, asked of the rows as their owner sees them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import orjson

from app.appeals.past import Past, Told, rebuilt
from app.appeals.rules import Act, Status, replayed
from app.replies.rules import TRANSITIONS, ReplyState

if TYPE_CHECKING:
    from collections.abc import Iterable

    import asyncpg

    from connectors.fake import FakeWorld

WAITING = {"new", "in_work"}


@dataclass(kw_only=True)
class Laws:
    """Reads everything after a step and compares it with the rules, the platform and the step before."""

    connection: asyncpg.Connection
    world: FakeWorld
    events: dict[int, tuple[Any, ...]] = field(default_factory=dict)
    versions: dict[int, tuple[int, int]] = field(default_factory=dict)
    """Appeal → (version, number of its events) at the last look."""
    states: dict[int, str] = field(default_factory=dict)
    looks: dict[int, dict[datetime, Past]] = field(default_factory=dict)
    """Appeal → what it was at the last moment of its history, at each look."""

    async def hold(self) -> None:
        """Everything that holds at any moment."""
        appeals = await self.connection.fetch("SELECT * FROM appeal ORDER BY id")
        timers = await self.connection.fetch("SELECT * FROM sla_timer ORDER BY id")
        events = await self.connection.fetch("SELECT * FROM appeal_event ORDER BY id")
        comments = await self.connection.fetch("SELECT * FROM comment ORDER BY id")
        replies = await self.connection.fetch("SELECT * FROM reply ORDER BY id")
        pauses = await self.connection.fetch("SELECT * FROM sla_pause ORDER BY id")
        self._clocks(appeals, timers, events, {row["appeal_id"]: row for row in pauses if row["until"] is None})
        self._histories(appeals, events)
        self._fates(appeals, comments)
        going = await self.connection.fetch("SELECT reply_id FROM amendment WHERE change = 'delete' AND attempts > 0 AND state <> 'done'")
        self._answers(replies, {row["reply_id"] for row in going})
        self._approvals(replies, events)
        await self._assignments(appeals)

    def _clocks(self, appeals: Iterable[Any], timers: Iterable[Any], events: Iterable[Any], standing: dict[int, Any]) -> None:
        told = [
            (row["appeal_id"], row["cycle"], orjson.loads(row["data"]).get("reply")) for row in events if row["act"] == Act.INTERIM_SENT
        ]
        gone = {orjson.loads(row["data"])["reply"] for row in events if row["act"] == Act.REPLY_REMOVED and "uncounted" in row["data"]}
        interim = {(appeal, cycle) for appeal, cycle, _ in told}
        stands = {(appeal, cycle) for appeal, cycle, reply in told if reply not in gone}
        running: dict[int, list[Any]] = {}
        for timer in timers:
            if timer["stopped_at"] is None:
                running.setdefault(timer["appeal_id"], []).append(timer)
            else:
                assert timer["elapsed_seconds"] >= 0
                assert timer["warn_at"] is None
        for appeal in appeals:
            mine = running.get(appeal["id"], [])
            if appeal["status"] in WAITING:
                key = (appeal["id"], appeal["cycle"])
                # An interim answer that was taken away leaves the clock of the final one, and the first one runs again.
                runs = {"first_answer"} if key not in stands else set()
                runs |= {"final_answer"} if key in interim else set()
                assert {(one["promise"], one["cycle"]) for one in mine} == {(one, appeal["cycle"]) for one in runs}, dict(appeal)
            else:
                assert mine == [], f"a clock runs on an appeal that is {appeal['status']}"
                assert appeal["id"] not in standing, f"a pause goes on in an appeal that is {appeal['status']}"
            pause = standing.get(appeal["id"])
            going = [one["due_at"] for one in mine if pause is None or one["due_at"] <= pause["since"]]
            assert appeal["due_at"] == min(going, default=None), dict(appeal)

    def _histories(self, appeals: Iterable[Any], events: Iterable[Any]) -> None:
        now = {row["id"]: tuple(row.values()) for row in events}
        for ident, row in self.events.items():
            assert now.get(ident) == row, f"event {ident} was {row} and is {now.get(ident)}"
        self.events = now
        by_appeal: dict[int, list[Any]] = {}
        for row in events:
            by_appeal.setdefault(row["appeal_id"], []).append(row)
        for appeal in appeals:
            mine = by_appeal[appeal["id"]]
            assert mine[0]["act"] == Act.OPENED
            told = [(Act(row["act"]), row["cycle"]) for row in mine]
            assert replayed(told) == (Status(appeal["status"]), appeal["cycle"]), (dict(appeal), told)
            self._past(appeal, mine)
            version, count = self.versions.get(appeal["id"], (0, 0))
            assert appeal["version"] >= version
            acts = sum(row["act"] not in {Act.SLA_WARNED, Act.SLA_BREACHED} for row in mine)
            assert appeal["version"] > version or acts == count, "something happened and the version stayed"
            self.versions[appeal["id"]] = (appeal["version"], acts)
            for row in mine:
                assert set(orjson.loads(row["data"])) <= _CODES, row["data"]

    def _past(self, appeal: Any, events: Iterable[Any]) -> None:
        """The history alone gives what is stored, now and at every moment at which somebody looked."""
        stored = Past(
            status=Status(appeal["status"]), cycle=appeal["cycle"], agency_id=appeal["agency_id"], territory_id=appeal["territory_id"],
            topic_id=appeal["topic_id"], operator_id=appeal["operator_id"], close_reason=appeal["close_reason"],
            merged_into=appeal["merged_into"],
        )  # fmt: skip
        told = [
            Told(
                act=Act(row["act"]), cycle=row["cycle"], operator_id=row["operator_id"], recorded_at=row["recorded_at"],
                data=orjson.loads(row["data"]),
            )
            for row in events
        ]  # fmt: skip
        assert rebuilt(told) == stored, told
        looks = self.looks.setdefault(appeal["id"], {})
        looks[max(one.recorded_at for one in told)] = stored
        for moment, then in looks.items():
            assert rebuilt(told, at=moment) == then, f"as of {moment}"
        assert rebuilt(told, at=min(looks) - timedelta(days=1)) is None

    def _fates(self, appeals: Iterable[Any], comments: Iterable[Any]) -> None:
        opened = {row["id"]: row["appeal_id"] for row in comments if row["fate"] == "opened"}
        assert {row["comment_id"]: row["id"] for row in appeals} == opened
        for row in comments:
            if row["fate"] in {"not_appeal", "in_triage", None}:
                assert row["appeal_id"] is None, dict(row)
            if row["fate"] == "in_triage":
                assert row["triage_due_at"] is not None
            if row["by_page"]:
                assert row["fate"] in {"page_own", None}
        keys = Counter(_key(row) for row in appeals if row["status"] in {*WAITING, "answered"} and row["author_id"] is not None)
        assert [key for key, number in keys.items() if number > 1] == []

    def _answers(self, replies: Iterable[Any], going: set[int]) -> None:
        """`going`: answers that are being deleted; whether they still stand is being found out."""
        stand = Counter(answer.guid for answer in self.world.answers)
        assert [guid for guid, number in stand.items() if number > 1] == [], "an answer stands twice on the platform"
        ids = Counter(row["external_id"] for row in replies if row["external_id"] is not None)
        assert [ident for ident, number in ids.items() if number > 1] == [], "two answers claim one comment of the platform"
        published = {answer.guid: answer for answer in self.world.answers}
        for row in replies:
            answer = published.get(str(row["guid"]))
            if row["state"] == "sent" and not row["by_hand"] and (answer is not None or row["id"] not in going):
                assert answer is not None, "what is called sent does not stand there"
                assert row["external_id"] in {None, answer.external_id}
                assert row["published_at"] == answer.published_at
            now = ReplyState(row["state"])
            before = self.states.get(row["id"], "awaiting" if now in _NEVER_LET_GO else "queued")
            assert row["by_hand"] or now in _REACHABLE[ReplyState(before)], f"an answer was {before} and is {now}"
            self.states[row["id"]] = now
            if row["state"] in {"failed", "withdrawn", "awaiting", "returned", "removed"}:
                assert answer is None, f"an answer stands there and is called {row['state']}"

    def _approvals(self, replies: Iterable[Any], events: Iterable[Any]) -> None:
        """What was handed in for approval goes out only when another person than its author has approved it."""
        told = [(row["act"], orjson.loads(row["data"]).get("reply"), row["operator_id"]) for row in events]
        handed_in = {reply for act, reply, _ in told if act == Act.REPLY_SUBMITTED}
        approved = {reply: who for act, reply, who in told if act == Act.REPLY_APPROVED}
        assert set(approved) <= handed_in
        for row in replies:
            if row["id"] in handed_in and row["state"] not in _NEVER_LET_GO:
                let_go = row["state"] != "withdrawn" or row["attempts"]
                assert not let_go or approved.get(row["id"], row["operator_id"]) != row["operator_id"], dict(row)

    async def _assignments(self, appeals: Iterable[Any]) -> None:
        rows = await self.connection.fetch("SELECT * FROM appeal_assignment ORDER BY appeal_id, since, id")
        current = {row["appeal_id"]: row for row in rows if row["until"] is None}
        assert len(current) == sum(row["until"] is None for row in rows)
        for appeal in appeals:
            held = current[appeal["id"]]
            assert held["agency_id"] == appeal["agency_id"]
            assert held["operator_id"] == appeal["operator_id"]
            periods = [row for row in rows if row["appeal_id"] == appeal["id"]]
            assert all(before["until"] == after["since"] for before, after in pairwise(periods)), periods
            assert all(row["until"] is None or row["since"] <= row["until"] for row in periods), periods

    async def rest(self) -> None:
        """What holds when all work is done: nothing waits for a machine, and everything that was told is there."""
        await self.hold()
        assert await self.connection.fetchval("SELECT count(*) FROM comment WHERE fate IS NULL") == 0
        assert await self.connection.fetchval("SELECT count(*) FROM reply WHERE state = 'sending'") == 0
        without = "SELECT id FROM comment c WHERE NOT EXISTS (SELECT FROM verdict v WHERE v.comment_id = c.id)"
        assert await self.connection.fetch(without) == []
        await self._agrees_with_the_platform()
        assert await self.connection.fetch(_UNANSWERED_AFTER_AN_ANSWER) == [], "a question after the answer waits for nobody"
        assert await self.connection.fetch(_RUNNING_THOUGH_ANSWERED) == [], "a clock runs although the question was answered"
        unheard = await self.connection.fetch(_UNHEARD)
        assert unheard == [], "the page answered, and no answer was recorded"

    async def _agrees_with_the_platform(self) -> None:
        rows = await self.connection.fetch("SELECT external_id, text, deleted_at FROM comment")
        stored = {row["external_id"]: row for row in rows}
        assert len(stored) == len(rows)
        for comment in self.world.comments.values():
            assert stored[comment.external_id]["text"] == comment.text
            assert stored[comment.external_id]["deleted_at"] is None
        gone = [row["external_id"] for row in rows if row["external_id"] not in self.world.comments and row["deleted_at"] is None]
        assert gone == [], "deleted on the platform, living here"


def _reachable(state: ReplyState) -> set[ReplyState]:
    """What an answer may become in some steps."""
    found, edge = {state}, [state]
    while edge:
        further = TRANSITIONS[edge.pop()] - found
        found |= further
        edge += further
    return found


_NEVER_LET_GO = frozenset({ReplyState.AWAITING, ReplyState.RETURNED})
_REACHABLE = {state: _reachable(state) for state in ReplyState}


def _key(appeal: Any) -> tuple[Any, ...]:
    return (appeal["page_id"], appeal["post_id"], appeal["root_external_id"], appeal["author_id"])


_CODES = {
    "comment", "agency", "territory", "rule", "topic", "from", "reason", "reply", "revision", "note", "code", "again", "timer", "promise",
    "warning", "due_before", "due_after", "sender", "approved_by", "into", "appeal", "number",
    "amendment", "change", "uncounted", "clocks", "policy", "calendar", "calendar_before",
}  # fmt: skip

_UNANSWERED_AFTER_AN_ANSWER = """
SELECT a.id, c.id AS comment FROM appeal a JOIN comment c ON c.appeal_id = a.id AND NOT c.by_page AND c.deleted_at IS NULL
WHERE a.status = 'answered'
  AND c.written_at > (SELECT max(r.published_at) FROM reply r WHERE r.appeal_id = a.id AND r.state = 'sent')
  AND (SELECT v.is_appeal FROM verdict v WHERE v.comment_id = c.id AND v.classifier <> 'operator' ORDER BY v.id DESC LIMIT 1) IS NOT FALSE
"""

_RUNNING_THOUGH_ANSWERED = """
SELECT a.id FROM appeal a JOIN sla_timer t ON t.appeal_id = a.id AND t.stopped_at IS NULL
JOIN appeal_event e ON e.appeal_id = a.id AND e.cycle = a.cycle AND e.act IN ('opened', 'reopened') AND e.data ? 'comment'
JOIN comment q ON q.id = CAST(e.data ->> 'comment' AS bigint)
JOIN comment p ON p.post_id = q.post_id AND p.reply_to_external_id = q.external_id AND p.by_page AND p.fate = 'page_own'
WHERE p.written_at >= t.started_at AND p.deleted_at IS NULL
  AND NOT EXISTS (SELECT FROM reply r WHERE r.appeal_id = a.id AND r.kind = 'interim' AND r.text = p.text)
"""

_UNHEARD = """
SELECT p.id FROM comment p JOIN comment q ON q.post_id = p.post_id AND q.external_id = p.reply_to_external_id
WHERE p.by_page AND q.appeal_id IS NOT NULL AND NOT q.by_page
  AND NOT EXISTS (SELECT FROM reply r WHERE r.appeal_id = q.appeal_id AND r.state IN ('sent', 'removed') AND r.external_id = p.external_id)
  AND NOT EXISTS (SELECT FROM reply r WHERE r.appeal_id = q.appeal_id AND r.state = 'sent' AND r.published_at <= p.written_at)
"""
