"""The card: one appeal with all that a person decides by. One statement for each kind of rows, never one for each row."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from app.appeals.access import visible_to
from app.appeals.card_rows import (
    AmendmentRow,
    AppealRow,
    AssignmentRow,
    Card,
    CommentRow,
    EarlierRow,
    EventRow,
    ExtensionRow,
    MergedRow,
    NoteRow,
    PauseRow,
    PostRow,
    ReplyRow,
    RevisionRow,
    TimerRow,
    VerdictRow,
)
from app.appeals.former import as_it_was
from app.appeals.merging import HANDED_IN_WITH
from app.appeals.plan import plan_once
from app.appeals.rules import Act, Status
from app.people.rules import Permission
from app.replies.amending import AmendmentState, Change
from app.replies.rules import AnswerKind, ReplyState

if TYPE_CHECKING:
    from datetime import datetime

    from app.kernel.db import ReadSession
    from app.people.rules import Access

__all__ = ["Card", "card"]

SHOWN_COMMENTS = 200
SHOWN_TEXT = 20_000
SHOWN_EVENTS = 1_000
SHOWN_REVISIONS = 20
SHOWN_EARLIER = 20
MOST_COUNTED = 2_000

# A former agency keeps its own period readable: the appeal is found, and everything after the period stays out.
_APPEAL = """
SELECT CASE WHEN {visible} THEN NULL ELSE former.until END AS held_until,
  a.id, a.number, a.status, a.source, a.platform, a.priority, a.cycle, a.version, a.page_id, g.title AS page_title, g.link AS page_link,
  a.post_id, a.root_external_id, a.comment_id, a.author_id, coalesce(u.name, w.author_name) AS author_name, u.link AS author_link,
  a.topic_id, t.code AS topic_code, t.name AS topic_name, a.agency_id, y.code AS agency_code, y.name AS agency_name,
  a.territory_id, z.code AS territory_code, z.name AS territory_name, a.operator_id, o.name AS operator_name,
  a.written_at, a.opened_at, a.due_at, a.touched_at, a.answered_at, a.closed_at, a.close_reason, left(w.text, {shown}) AS text, w.link,
  (SELECT o.number FROM appeal o WHERE o.id = a.merged_into) AS merged_into,
  (SELECT count(*) FROM appeal m WHERE m.merged_into = a.id) AS merged_count, otklik_token_kinds(a.page_id) AS token_kinds
FROM appeal a
JOIN agency y ON y.id = a.agency_id
JOIN territory z ON z.id = a.territory_id
LEFT JOIN page g ON g.id = a.page_id
LEFT JOIN topic t ON t.id = a.topic_id
LEFT JOIN operator o ON o.id = a.operator_id
LEFT JOIN author u ON u.id = a.author_id
LEFT JOIN appeal_text w ON w.appeal_id = a.id
LEFT JOIN LATERAL (
  SELECT max(h.until) AS until FROM appeal_assignment h
  WHERE h.appeal_id = a.id AND h.until IS NOT NULL AND h.agency_id = ANY (:former_agencies)) former ON true
WHERE a.number = :number AND ({visible} OR former.until IS NOT NULL)
"""

_POST = text(
    f"""
    SELECT p.id, p.external_id, g.external_id AS page_external_id, g.options AS page_options, left(p.text, {SHOWN_TEXT}) AS text,
      p.link, p.attachments, p.published_at, p.gone_at
    FROM post p JOIN page g ON g.id = p.page_id WHERE p.id = :post
    """  # noqa: S608 - a constant of this file
)
# The appeal's own comments first, then the newest of the thread; the screen puts them in the order of writing.
_COMMENTS = text(
    f"""
    SELECT c.id, c.external_id, c.reply_to_external_id, u.name AS author_name, c.by_page,
      NOT c.by_page AND c.author_id IS NOT DISTINCT FROM CAST(:author AS bigint) AND c.author_id IS NOT NULL AS by_author,
      c.appeal_id IS NOT DISTINCT FROM :appeal AS of_appeal, left(c.text, {SHOWN_TEXT}) AS text, length(c.text) AS length, c.text_altered,
      c.attachments, c.link, c.revision, c.fate, c.written_at, c.edited_at, c.deleted_at,
      (SELECT count(*) FROM (SELECT FROM comment n WHERE n.post_id = :post AND n.root_external_id = :root
        AND n.recorded_at <= coalesce(CAST(:until AS timestamptz), 'infinity') LIMIT {MOST_COUNTED}) n) AS thread_size
    FROM (
      SELECT * FROM comment c
      WHERE c.post_id = :post AND c.root_external_id = :root AND c.recorded_at <= coalesce(CAST(:until AS timestamptz), 'infinity')
      ORDER BY c.appeal_id IS DISTINCT FROM :appeal, c.written_at DESC, c.id DESC LIMIT {SHOWN_COMMENTS}) c
    LEFT JOIN author u ON u.id = c.author_id
    ORDER BY c.written_at, c.id
    """  # noqa: S608 - constants of this file
)
_REVISIONS = text(
    f"""
    SELECT r.comment_id, r.revision, left(r.text, {SHOWN_TEXT}) AS text, r.edited_at, r.observed_at
    FROM unnest(CAST(:ids AS bigint[])) AS c(id) CROSS JOIN LATERAL (
      SELECT * FROM comment_revision r WHERE r.comment_id = c.id AND r.recorded_at <= coalesce(CAST(:until AS timestamptz), 'infinity')
      ORDER BY r.revision DESC LIMIT {SHOWN_REVISIONS}) r
    ORDER BY r.comment_id, r.revision
    """  # noqa: S608 - constants of this file
)
_VERDICTS = text(
    """
    SELECT v.id, v.operator_id, o.name AS operator_name, v.classifier, v.version, v.kind, v.is_appeal, v.topic_id, t.name AS topic_name,
      v.agency_id, y.name AS agency_name, v.rule_id, v.confidence, v.scores, v.reasons, v.route_reason, v.recorded_at
    FROM verdict v
    LEFT JOIN operator o ON o.id = v.operator_id LEFT JOIN topic t ON t.id = v.topic_id LEFT JOIN agency y ON y.id = v.agency_id
    WHERE v.comment_id = :comment AND v.recorded_at <= coalesce(CAST(:until AS timestamptz), 'infinity') ORDER BY v.id LIMIT 100
    """
)
_REPLIES = text(
    f"""
    SELECT r.id, r.comment_id, r.comment_revision, r.cycle, r.operator_id, o.name AS operator_name, r.agency_id, r.kind, r.by_hand, r.text,
      r.state, r.created_at, r.due_at, r.attempts, r.error_code, r.error_detail, r.external_id, r.link, r.published_at,
      r.state = 'queued' AND otklik_publishing_stop(r.page_id, r.agency_id) IS NOT NULL AS stopped,
      r.by_hand AND r.operator_id IS NOT NULL AND r.approved_by IS NULL AS unapproved, (SELECT count(*) FROM ({HANDED_IN_WITH}) s) AS also,
      ARRAY(SELECT i.place FROM reply_picture i WHERE i.reply_id = r.id AND i.content IS NOT NULL ORDER BY i.place) AS pictures
    FROM reply r LEFT JOIN operator o ON o.id = r.operator_id
    WHERE r.appeal_id = :appeal AND r.created_at <= coalesce(CAST(:until AS timestamptz), 'infinity') ORDER BY r.id LIMIT 200
    """  # noqa: S608 - a constant
)
_AMENDMENTS = text(
    """
    SELECT m.id, m.reply_id, m.operator_id, o.name AS operator_name, m.change, m.text, m.text_before, m.reason, m.state, m.created_at,
      m.due_at, m.attempts, m.error_code, m.error_detail, m.done_at,
      m.state = 'queued' AND otklik_publishing_stop(m.page_id, m.agency_id) IS NOT NULL AS stopped
    FROM amendment m JOIN operator o ON o.id = m.operator_id
    WHERE m.appeal_id = :appeal AND m.created_at <= coalesce(CAST(:until AS timestamptz), 'infinity') ORDER BY m.id LIMIT 200
    """
)
_NOTES = text(
    """
    SELECT n.id, o.name AS operator_name, n.text, n.recorded_at FROM appeal_note n JOIN operator o ON o.id = n.operator_id
    WHERE n.appeal_id = :appeal AND n.recorded_at <= coalesce(CAST(:until AS timestamptz), 'infinity') ORDER BY n.id LIMIT 200
    """
)
_EVENTS = text(
    f"""
    SELECT * FROM (
      SELECT e.id, e.act, e.cycle, e.operator_id, o.name AS operator_name, e.occurred_at, e.recorded_at, e.data,
        v.name AS approver_name
      FROM appeal_event e LEFT JOIN operator o ON o.id = e.operator_id
      LEFT JOIN operator v ON v.id = CAST(e.data ->> 'approved_by' AS bigint) AND v.id IS DISTINCT FROM e.operator_id
      WHERE e.appeal_id = :appeal AND e.recorded_at <= coalesce(CAST(:until AS timestamptz), 'infinity')
      ORDER BY e.id DESC LIMIT {SHOWN_EVENTS}) e
    ORDER BY e.id
    """  # noqa: S608 - constants of this file
)
_TIMERS = text(
    """
    SELECT t.id, t.cycle, t.promise, p.code AS policy_code, p.version AS policy_version, p.name AS policy_name, t.calendar_version_id,
      t.choice, t.term, t.started_at, t.due_at, t.warnings, t.breached_at, t.stopped_at, t.outcome, t.elapsed_seconds, t.working_seconds
    FROM sla_timer t JOIN sla_policy_version p ON p.id = t.policy_version_id
    WHERE t.appeal_id = :appeal AND t.recorded_at <= coalesce(CAST(:until AS timestamptz), 'infinity') ORDER BY t.id LIMIT 200
    """
)
_HELD = text(
    """
    SELECT 'assignment' AS part, h.agency_id, y.name AS agency_name, h.operator_id, o.name AS operator_name, h.since, h.until,
      NULL AS reason, CAST(NULL AS bigint) AS timer_id, CAST(NULL AS timestamptz) AS due_before
    FROM appeal_assignment h JOIN agency y ON y.id = h.agency_id LEFT JOIN operator o ON o.id = h.operator_id
    WHERE h.appeal_id = :appeal AND h.since < coalesce(CAST(:until AS timestamptz), 'infinity')
    UNION ALL
    SELECT 'pause', NULL, NULL, s.operator_id, o.name, s.since, s.until, s.reason, NULL, NULL
    FROM sla_pause s LEFT JOIN operator o ON o.id = s.operator_id
    WHERE s.appeal_id = :appeal AND s.since <= coalesce(CAST(:until AS timestamptz), 'infinity')
    UNION ALL
    SELECT 'extension', NULL, NULL, x.operator_id, o.name, x.recorded_at, x.due_after, x.reason, x.timer_id, x.due_before
    FROM sla_extension x JOIN operator o ON o.id = x.operator_id
    WHERE x.appeal_id = :appeal AND x.recorded_at <= coalesce(CAST(:until AS timestamptz), 'infinity')
    ORDER BY since
    """
)
_EARLIER = """
SELECT a.number, a.status, a.platform, t.name AS topic_name, y.name AS agency_name, a.written_at, a.opened_at
FROM (SELECT * FROM appeal a WHERE a.author_id = :author AND a.id <> :appeal AND {visible} ORDER BY a.id DESC LIMIT {most}) a
JOIN agency y ON y.id = a.agency_id LEFT JOIN topic t ON t.id = a.topic_id ORDER BY a.id DESC
"""


async def card(session: ReadSession, access: Access, number: int) -> Card | None:
    """One appeal, whole; None when there is none that this person may read. ForbiddenError without the permission."""
    access.require(Permission.APPEAL_READ)
    await plan_once(session)
    visible, scope = visible_to(access)
    found = await _rows(
        session, text(_APPEAL.format(visible=visible, shown=SHOWN_TEXT)), number=number, former_agencies=list(access.agency_ids), **scope
    )
    if not found:
        return None
    until: datetime | None = found[0].pop("held_until")
    appeal = AppealRow(**found[0] | {"status": Status(found[0]["status"])})
    keys = {"appeal": appeal.id, "until": until}
    comments, earlier_comments = await _thread(session, appeal, until)
    held = await _rows(session, _HELD, **keys)
    whole = Card(
        appeal=appeal,
        post=await _post(session, appeal),
        comments=comments,
        earlier_comments=earlier_comments,
        verdicts=await _verdicts(session, appeal, until),
        replies=await _replies(session, keys),
        notes=tuple(NoteRow(**row) for row in await _rows(session, _NOTES, **keys)),
        events=tuple(EventRow(**row | {"act": Act(row["act"])}) for row in await _rows(session, _EVENTS, **keys)),
        timers=tuple(TimerRow(**row) for row in await _rows(session, _TIMERS, **keys)),
        pauses=tuple(_pause(row) for row in held if row["part"] == "pause"),
        extensions=tuple(_extension(row) for row in held if row["part"] == "extension"),
        assignments=tuple(_assignment(row) for row in held if row["part"] == "assignment"),
        earlier_appeals=await _earlier(session, access, appeal),
        merged=await _merged(session, appeal) if until is None else (),
        held_until=until,
    )
    return whole if until is None else as_it_was(whole, until)


def _assignment(row: dict[str, Any]) -> AssignmentRow:
    return AssignmentRow(**{name: row[name] for name in ("agency_id", "agency_name", "operator_id", "operator_name", "since", "until")})


def _pause(row: dict[str, Any]) -> PauseRow:
    return PauseRow(**{name: row[name] for name in ("since", "until", "reason", "operator_name")})


def _extension(row: dict[str, Any]) -> ExtensionRow:
    return ExtensionRow(
        timer_id=row["timer_id"],
        due_before=row["due_before"],
        due_after=row["until"],
        reason=row["reason"],
        operator_name=row["operator_name"],
        recorded_at=row["since"],
    )


async def _replies(session: ReadSession, keys: dict[str, Any]) -> tuple[ReplyRow, ...]:
    """Our answers, each with what was done to it: only what stands, or stood, can have been changed."""
    rows = await _rows(session, _REPLIES, **keys)
    replies = [ReplyRow(**row | {"state": ReplyState(row["state"]), "kind": AnswerKind(row["kind"])}) for row in rows]
    if not any(one.state in {ReplyState.SENT, ReplyState.REMOVED} and not one.by_hand for one in replies):
        return tuple(replies)
    changes: dict[int, list[AmendmentRow]] = {}
    for row in await _rows(session, _AMENDMENTS, **keys):
        told = row | {"change": Change(row["change"]), "state": AmendmentState(row["state"])}
        changes.setdefault(row["reply_id"], []).append(AmendmentRow(**told))
    return tuple(replace(one, amendments=tuple(changes.get(one.id, ()))) for one in replies)


async def _post(session: ReadSession, appeal: AppealRow) -> PostRow | None:
    rows = [] if appeal.post_id is None else await _rows(session, _POST, post=appeal.post_id)
    return PostRow(**rows[0]) if rows else None


async def _thread(session: ReadSession, appeal: AppealRow, until: datetime | None) -> tuple[tuple[CommentRow, ...], int]:
    """The comments to show, in the order of writing, and how many older ones there are."""
    if appeal.post_id is None:
        return (), 0
    rows = await _rows(
        session, _COMMENTS, post=appeal.post_id, root=appeal.root_external_id, appeal=appeal.id, author=appeal.author_id, until=until
    )
    size = max((row.pop("thread_size") for row in rows), default=0)
    comments = [CommentRow(**row) for row in rows]
    edited = [comment.id for comment in comments if comment.revision > 1]
    revisions: dict[int, list[RevisionRow]] = {}
    for row in await _rows(session, _REVISIONS, ids=edited, until=until) if edited else []:
        revisions.setdefault(row["comment_id"], []).append(RevisionRow(**row))
    return tuple(replace(one, revisions=tuple(revisions.get(one.id, ()))) for one in comments), size - len(comments)


async def _verdicts(session: ReadSession, appeal: AppealRow, until: datetime | None) -> tuple[VerdictRow, ...]:
    if appeal.comment_id is None:
        return ()
    return tuple(VerdictRow(**row) for row in await _rows(session, _VERDICTS, comment=appeal.comment_id, until=until))


async def _earlier(session: ReadSession, access: Access, appeal: AppealRow) -> tuple[EarlierRow, ...]:
    if appeal.author_id is None:
        return ()
    visible, scope = visible_to(access)
    rows = await _rows(
        session, text(_EARLIER.format(visible=visible, most=SHOWN_EARLIER)), author=appeal.author_id, appeal=appeal.id, **scope
    )
    return tuple(EarlierRow(**row | {"status": Status(row["status"])}) for row in rows)


# Their threads, as far as the reader sees them: row-level security is asked of each comment.
_MERGED = text(
    f"""
    SELECT m.number, m.platform, g.title AS page_title, coalesce(c.appeal_id = m.id, true) AS of_appeal,
      coalesce(c.by_page, false) AS by_page, coalesce(u.name, w.author_name) AS author_name,
      coalesce(left(c.text, {SHOWN_TEXT}), left(w.text, {SHOWN_TEXT}), '') AS text,
      coalesce(c.link, w.link) AS link, coalesce(c.written_at, m.written_at) AS written_at, c.deleted_at,
      EXISTS (SELECT FROM reply r WHERE r.comment_id = c.id AND r.state = 'sent') AS answered
    FROM appeal m
    LEFT JOIN page g ON g.id = m.page_id LEFT JOIN appeal_text w ON w.appeal_id = m.id
    LEFT JOIN comment c ON c.post_id = m.post_id AND c.root_external_id = m.root_external_id
    LEFT JOIN author u ON u.id = c.author_id
    WHERE m.merged_into = :appeal ORDER BY m.written_at, m.id, c.written_at, c.id LIMIT {SHOWN_COMMENTS}
    """  # noqa: S608 - constants of this file
)


async def _merged(session: ReadSession, appeal: AppealRow) -> tuple[MergedRow, ...]:
    if not appeal.merged_count:
        return ()
    return tuple(MergedRow(**row) for row in await _rows(session, _MERGED, appeal=appeal.id))


async def _rows(session: ReadSession, statement: Any, **params: object) -> list[dict[str, Any]]:  # noqa: ANN401 - TextClause
    return [dict(row) for row in (await session.execute(statement, params)).mappings()]
