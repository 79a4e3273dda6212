"""T2: a batch of looked-at comments becomes appeals, in the caller's transaction. Idempotent: a fate is given once.

`decide` is pure: it takes what is known of each comment and of the appeals that exist under its key, and says which of
the five fates it has. The rest of the file writes the answer with one statement per table.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import text

from app.appeals import answers, history
from app.appeals.marks import mark_of
from app.appeals.records import stop_waiting
from app.appeals.reopening import Again, reopen
from app.appeals.rules import OPEN, Act, Status
from app.kernel.db import Bulk
from app.sla import service as sla
from app.sources.rules import Fate

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from app.appeals.reopening import Promises
    from app.kernel.db import WriteSession
    from app.sla.service import PlannedTimer, TriageDue
    from app.sources.queries import UnseenComment
    from app.triage.classification import Classification
    from app.triage.routing import Route

REOPEN_WITHIN = timedelta(days=10)
"""A closed appeal is opened again by its author within this time; later the matter is a new one."""

Key = tuple[int, str, int | None]
"""(post, root comment, author): the page follows from the post."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Looked:
    """A comment and what triage, routing and the clock say of it. `operator_id` is set when a person decided."""

    comment: UnseenComment
    classification: Classification
    classifier: str
    classifier_version: str
    topic_id: int | None
    route: Route
    timers: tuple[PlannedTimer, ...]
    triage_due: TriageDue | None
    operator_id: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Known:
    """An appeal that exists under a key."""

    id: int
    status: Status
    cycle: int
    closed_at: datetime | None
    answered_at: datetime | None = None
    answered_with_another: bool = False
    """It was merged into another appeal, which still waits: what its citizen writes is of that matter."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """The fate of one comment. `appeal_id` is None for one that opens its own, or joins one opened in this batch."""

    looked: Looked
    fate: Fate
    reason: str
    appeal_id: int | None = None
    joins: int | None = None
    """The comment of this batch whose new appeal it joins."""
    reopens: bool = False
    mark: int | None = None
    """What the citizen thinks of the answer, 1 to 5: such a comment asks for nothing."""


def key_of(comment: UnseenComment) -> Key:
    """The key of the appeal that a comment belongs to."""
    return (comment.post_id, comment.root_external_id, comment.author_id)


def decide(batch: Iterable[Looked], known: Mapping[Key, Known]) -> list[Decision]:
    """The fates of a batch, in the order in which the comments were written. Pure."""
    opening: dict[Key, int] = {}
    reopened: set[int] = set()
    decisions = []
    for looked in sorted(batch, key=lambda one: (one.comment.written_at, one.comment.id)):
        decision = _decide_one(looked, known, opening, reopened)
        if decision.fate is Fate.OPENED and looked.comment.author_id is not None:
            opening[key_of(looked.comment)] = looked.comment.id
        if decision.reopens and decision.appeal_id is not None:
            reopened.add(decision.appeal_id)
        decisions.append(decision)
    return decisions


def _decide_one(looked: Looked, known: Mapping[Key, Known], opening: Mapping[Key, int], reopened: set[int]) -> Decision:
    fate, reason = _alone(looked)
    key = key_of(looked.comment)
    if reason in {"by_page", "context", "deleted"} or looked.comment.author_id is None:
        return Decision(looked=looked, fate=fate, reason=reason)
    if key in opening:
        return Decision(looked=looked, fate=Fate.APPENDED, reason="same_author", joins=opening[key])
    appeal = known.get(key)
    if appeal is None or not _continues(appeal, looked.comment.written_at):
        return Decision(looked=looked, fate=fate, reason=reason)
    finished = appeal.status in {Status.ANSWERED, Status.CLOSED} and appeal.id not in reopened
    answered_at = appeal.answered_at if finished else None
    before = answered_at is not None and looked.comment.written_at <= answered_at  # takes nothing up again: `unheard` shows it
    mark = mark_of(looked.comment.text) if answered_at is not None and not before else None
    reopens = finished and not before and mark is None and looked.classification.is_appeal is not False
    return Decision(looked=looked, fate=Fate.APPENDED, reason="same_author", appeal_id=appeal.id, reopens=reopens, mark=mark)


def _alone(looked: Looked) -> tuple[Fate, str]:
    """The fate of a comment whose author has no appeal in the thread."""
    told = looked.classification
    steps = (
        (looked.comment.by_page, Fate.PAGE_OWN, "by_page"),
        (looked.comment.is_context, Fate.NOT_APPEAL, "context"),
        (looked.comment.deleted, Fate.NOT_APPEAL, "deleted"),
        (looked.comment.elsewhere, Fate.IN_TRIAGE, "elsewhere"),
        (told.is_appeal is False, Fate.NOT_APPEAL, told.kind.value),
        (looked.comment.decided and looked.operator_id is None, Fate.IN_TRIAGE, "edited"),
        (told.is_appeal is None, Fate.IN_TRIAGE, "undecided"),
        (looked.route.agency_id is None, Fate.IN_TRIAGE, "no_agency"),
    )
    return next(((fate, reason) for holds, fate, reason in steps if holds), (Fate.OPENED, "appeal"))


def _continues(appeal: Known, written_at: datetime) -> bool:
    """Whether what the citizen wrote then belongs to the appeal; when we noticed it does not matter."""
    if appeal.status in OPEN or appeal.answered_with_another:
        return True
    return appeal.status is Status.CLOSED and appeal.closed_at is not None and written_at - appeal.closed_at <= REOPEN_WITHIN


# --- writing ----------------------------------------------------------------------------------------------------


@dataclass(kw_only=True, slots=True)
class Opened:
    """What a batch became: numbers by fate, and the appeals concerned."""

    fates: dict[Fate, int] = field(default_factory=dict)
    appeal_ids: set[int] = field(default_factory=set)


_LOCK_UNSEEN = text(
    "SELECT id, revision, deleted_at FROM comment WHERE id = ANY (:ids) AND fate IS NULL ORDER BY id FOR NO KEY UPDATE SKIP LOCKED"
)
# A person waits for a lock: passing over the comment would tell them that somebody else had decided.
_LOCK_WAITING = text("SELECT id, revision, deleted_at FROM comment WHERE id = ANY (:ids) AND fate = :fate ORDER BY id FOR NO KEY UPDATE")

_WITH_KEY = Bulk(
    "SELECT a.id FROM {rows} JOIN appeal a USING (post_id, root_external_id, author_id)",
    post_id="bigint", root_external_id="text", author_id="bigint",
)  # fmt: skip
# All at once and in order: two batches that took theirs in parts could wait for each other in a circle.
_LOCK_APPEALS = text(
    """
    SELECT a.id, a.post_id, a.root_external_id, a.author_id, a.status, a.cycle, a.closed_at, a.answered_at,
      coalesce((SELECT o.status IN ('new', 'in_work') FROM appeal o WHERE o.id = a.merged_into), false) AS answered_with_another
    FROM appeal a WHERE a.id = ANY (:ids) ORDER BY a.id FOR UPDATE OF a
    """
)

_OPEN = Bulk(
    """
    INSERT INTO appeal (source, platform, page_id, post_id, root_external_id, author_id, comment_id, status, agency_id, territory_id,
      topic_id, written_at, opened_at, touched_at, due_at)
    SELECT 'comment', platform, page_id, post_id, root_external_id, author_id, comment_id, 'new', agency_id, territory_id, topic_id,
      written_at, opened_at, opened_at, due_at
    FROM {rows}
    ON CONFLICT (page_id, post_id, root_external_id, author_id) WHERE status IN ('answered', 'in_work', 'new') DO NOTHING
    RETURNING id, comment_id
    """,
    platform="text", page_id="bigint", post_id="bigint", root_external_id="text", author_id="bigint", comment_id="bigint",
    agency_id="bigint", territory_id="bigint", topic_id="bigint", written_at="timestamptz", opened_at="timestamptz", due_at="timestamptz",
)  # fmt: skip

_ASSIGN = Bulk(
    "INSERT INTO appeal_assignment (appeal_id, agency_id, since) SELECT * FROM {rows}",
    appeal_id="bigint", agency_id="bigint", since="timestamptz",
)  # fmt: skip

_FATES = Bulk(
    """
    UPDATE comment c SET fate = r.fate, fate_reason = r.reason, appeal_id = r.appeal_id, triage_due_at = r.due_at,
      triage_warn_at = r.warn_at
    FROM {rows} WHERE c.id = r.id
    """,
    id="bigint", fate="text", reason="text", appeal_id="bigint", due_at="timestamptz", warn_at="timestamptz",
)  # fmt: skip

_VERDICTS = Bulk(
    """
    INSERT INTO verdict (comment_id, operator_id, classifier, version, kind, is_appeal, topic_id, confidence, scores, reasons, agency_id,
      rule_id, route_reason)
    SELECT comment_id, operator_id, classifier, version, kind, is_appeal, topic_id, confidence, CAST(scores AS jsonb),
      CAST(reasons AS jsonb), agency_id, rule_id, CAST(route_reason AS jsonb)
    FROM {rows}
    """,
    comment_id="bigint", operator_id="bigint", classifier="text", version="text", kind="text", is_appeal="boolean", topic_id="bigint",
    confidence="real", scores="text", reasons="text", agency_id="bigint", rule_id="bigint", route_reason="text",
)  # fmt: skip

_TOUCH = Bulk(
    "UPDATE appeal a SET version = a.version + 1, touched_at = r.at FROM {rows} WHERE a.id = r.id",
    id="bigint", at="timestamptz",
)  # fmt: skip


async def open_batch(
    session: WriteSession, batch: Sequence[Looked], *, now: datetime, waiting: Fate | None = None, promises: Promises | None = None
) -> Opened:
    """Give each comment its fate and write what follows. What another transaction decides, or has changed, is left out.

    `waiting` is the fate that they have now: None for new ones, IN_TRIAGE when a coordinator decides. `promises` are for
    appeals that are taken up again; None: they are read when there is one.
    """
    done = Opened()
    mine = await _mine(session, batch, waiting)
    known = await _known(session, mine)
    decisions = decide(mine, known)
    opened = await _write_opened(session, [one for one in decisions if one.fate is Fate.OPENED], now)
    settled = _settled(decisions, opened)
    await _write_fates(session, settled)
    await _write_appended(session, [one for one in settled if one.fate is Fate.APPENDED], known, promises, now)
    by_fate: dict[Fate, list[UnseenComment]] = {fate: [] for fate in Fate}
    for decision in settled:
        by_fate[decision.fate].append(decision.looked.comment)
        if decision.appeal_id is not None:
            done.appeal_ids.add(decision.appeal_id)
    await answers.record_page_answers(session, by_fate[Fate.PAGE_OWN], now=now, promises=promises)
    await answers.record_earlier_answers(session, by_fate[Fate.OPENED] + by_fate[Fate.APPENDED], now=now, promises=promises)
    done.fates = {fate: len(comments) for fate, comments in by_fate.items() if comments}
    return done


async def _mine(session: WriteSession, batch: Sequence[Looked], waiting: Fate | None) -> list[Looked]:
    """Those of the batch that are ours to decide now, locked. What was edited or deleted since it was looked at is looked at anew."""
    ids = {"ids": [one.comment.id for one in batch]}
    lock = session.execute(_LOCK_UNSEEN, ids) if waiting is None else session.execute(_LOCK_WAITING, ids | {"fate": waiting.value})
    locked = {row.id: (row.revision, row.deleted_at is not None) for row in await lock}
    mine = [one for one in batch if locked.get(one.comment.id) == (one.comment.revision, one.comment.deleted)]
    ours = await answers.being_published(session, [one.comment for one in mine]) if waiting is None else set()
    return [one for one in mine if one.comment.id not in ours]


async def _known(session: WriteSession, batch: Sequence[Looked]) -> dict[Key, Known]:
    """The appeals under the keys of these comments, locked together with those that the page answers here."""
    keys = sorted({key_of(one.comment) for one in batch if one.comment.author_id is not None}, key=str)
    ids = {row.id for row in await _WITH_KEY.run(session, keys)} | await answers.answered_appeals(session, [one.comment for one in batch])
    found: dict[Key, Known] = {}
    for row in await session.execute(_LOCK_APPEALS, {"ids": sorted(ids)}) if ids else ():
        key = (row.post_id, row.root_external_id, row.author_id)
        before = found.get(key)
        if before is None or before.status not in OPEN:
            found[key] = Known(
                id=row.id,
                status=Status(row.status),
                cycle=row.cycle,
                closed_at=row.closed_at,
                answered_at=row.answered_at,
                answered_with_another=row.answered_with_another,
            )
    return found


async def _write_opened(session: WriteSession, decisions: Sequence[Decision], now: datetime) -> dict[int, int]:
    """Comment id → appeal id. A comment whose key was opened by another transaction meanwhile is missing."""
    rows = [
        (
            one.looked.comment.platform, one.looked.comment.page_id, one.looked.comment.post_id, one.looked.comment.root_external_id,
            one.looked.comment.author_id, one.looked.comment.id, one.looked.route.agency_id, one.looked.comment.territory_id,
            one.looked.topic_id, one.looked.comment.written_at, now, nearest_due(one.looked.timers),
        )
        for one in decisions
    ]  # fmt: skip
    appeals = {row.comment_id: row.id for row in await _OPEN.run(session, rows)}
    mine = [one for one in decisions if one.looked.comment.id in appeals]
    await _ASSIGN.run(session, [(appeals[one.looked.comment.id], one.looked.route.agency_id, now) for one in mine])
    await sla.start_timers(session, [(appeals[one.looked.comment.id], 1, timer) for one in mine for timer in one.looked.timers])
    await history.record(
        session,
        [
            history.Event(
                appeal_id=appeals[one.looked.comment.id],
                act=Act.OPENED,
                cycle=1,
                operator_id=one.looked.operator_id,
                occurred_at=one.looked.comment.written_at,
                data={
                    "comment": one.looked.comment.id,
                    "agency": one.looked.route.agency_id,
                    "territory": one.looked.comment.territory_id,
                    "rule": one.looked.route.rule_id,
                    "topic": one.looked.topic_id,
                },
            )
            for one in mine
        ],
    )
    return appeals


def _settled(decisions: Sequence[Decision], opened: Mapping[int, int]) -> list[Decision]:
    """Decisions with their appeals; what lost a race for its key is left without a fate, for the next look."""
    settled = []
    for one in decisions:
        source = one.looked.comment.id if one.fate is Fate.OPENED else one.joins
        if source is None:
            settled.append(one)
        elif source in opened:
            settled.append(replace(one, appeal_id=opened[source]))
    return settled


async def _write_fates(session: WriteSession, decisions: Sequence[Decision]) -> None:
    fates: list[tuple[object, ...]] = []
    for one in decisions:
        due = one.looked.triage_due if one.fate is Fate.IN_TRIAGE else None
        due_at, warn_at = (None, None) if due is None else (due.due_at, due.warn_at)
        fates.append((one.looked.comment.id, one.fate.value, one.reason, one.appeal_id, due_at, warn_at))
    await _FATES.run(session, sorted(fates, key=lambda row: str(row[0])))
    await _VERDICTS.run(session, [_verdict(one.looked) for one in decisions])


def _verdict(looked: Looked) -> tuple[object, ...]:
    told = looked.classification
    return (
        looked.comment.id, looked.operator_id, looked.classifier, looked.classifier_version, told.kind.value, told.is_appeal,
        looked.topic_id, told.confidence, _dump({score.code: round(score.score, 4) for score in told.scores}),
        _dump([reason.as_json() for reason in told.reasons]), looked.route.agency_id, looked.route.rule_id,
        _dump(looked.route.reason.as_json()),
    )  # fmt: skip


async def _write_appended(
    session: WriteSession, decisions: Sequence[Decision], known: Mapping[Key, Known], promises: Promises | None, now: datetime
) -> None:
    cycles = {appeal.id: appeal.cycle for appeal in known.values()}
    again = [
        Again(appeal_id=one.appeal_id, comment_id=one.looked.comment.id, at=one.looked.comment.written_at)
        for one in decisions
        if one.reopens and one.appeal_id is not None
    ]
    reopened = await reopen(session, again, promises=promises, now=now)
    others = {one.appeal_id for one in decisions if one.appeal_id is not None} - reopened.keys()
    await _TOUCH.run(session, [(appeal_id, now) for appeal_id in sorted(others)])
    marked = [_rated(one, one.mark, cycles[one.appeal_id]) for one in decisions if one.mark is not None and one.appeal_id in cycles]
    cycles |= reopened
    await history.record(session, [_appended(one, cycles.get(one.appeal_id or 0, 1)) for one in decisions] + marked)
    written = [(one.appeal_id, one.looked.comment.written_at, one.looked.comment.id) for one in decisions if one.appeal_id in others]
    await stop_waiting(session, written, cycles)


def _appended(decision: Decision, cycle: int) -> history.Event:
    comment = decision.looked.comment
    assert decision.appeal_id is not None  # noqa: S101 - only settled decisions come here
    return history.Event(
        appeal_id=decision.appeal_id,
        act=Act.APPENDED,
        cycle=cycle,
        operator_id=None,
        occurred_at=comment.written_at,
        data={"comment": comment.id},
    )


def _rated(decision: Decision, mark: int, cycle: int) -> history.Event:
    """Of the cycle whose answer it is, whatever the citizen asked since."""
    return replace(_appended(decision, cycle), act=Act.RATED, data={"comment": decision.looked.comment.id, "mark": mark})


def nearest_due(timers: Sequence[PlannedTimer]) -> datetime | None:
    """The first of the deadlines."""
    return min((timer.due_at for timer in timers), default=None)


def _dump(value: Any) -> str:  # noqa: ANN401 - whatever JSON can hold
    packed: bytes = orjson.dumps(value)
    return packed.decode()
