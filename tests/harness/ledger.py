"""What citizens wrote against what was stored: the comparison on which a loss or a doubling shows."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from tests.harness.system import System

FATES = ("opened", "appended", "page_own", "not_appeal", "in_triage")
Key = tuple[str, str, str]
"""(platform, the platform's id of the page, the platform's id of the comment)."""

_COMMENTS = """
SELECT c.id AS row_id, g.platform, g.external_id AS page, p.external_id AS post_id, c.external_id AS id, c.reply_to_external_id AS reply_to,
  c.root_external_id AS root, c.by_page, c.text, c.text_altered, c.revision, c.written_at, c.edited_at, c.deleted_at, c.fate, c.fate_reason,
  c.appeal_id, c.triage_due_at, u.name AS author, u.external_id AS author_id,
  (SELECT count(*) FROM comment_revision r WHERE r.comment_id = c.id) AS revisions,
  (SELECT count(*) FROM verdict v WHERE v.comment_id = c.id) AS verdicts
FROM comment c JOIN page g ON g.id = c.page_id JOIN post p ON p.id = c.post_id LEFT JOIN author u ON u.id = c.author_id
"""
_APPEALS = """
SELECT a.id, a.number, a.comment_id, a.agency_id, a.status, a.platform,
  (SELECT count(*) FROM appeal_event e WHERE e.appeal_id = a.id AND e.act = 'opened') AS openings,
  (SELECT count(*) FROM sla_timer t WHERE t.appeal_id = a.id AND t.cycle = 1 AND t.promise = 'first_answer') AS timers,
  (SELECT count(*) FROM appeal_assignment s WHERE s.appeal_id = a.id AND s.until IS NULL) AS assignments
FROM appeal a
"""
_REPLIES = """
SELECT r.id, r.appeal_id, r.state, r.text, r.external_id, r.by_hand, r.attempts, r.error_code, g.platform, g.external_id AS page,
  c.external_id AS reply_to,
  (SELECT count(*) FROM appeal_event e WHERE e.appeal_id = r.appeal_id AND e.act = 'reply_sent'
    AND (e.data ->> 'reply')::bigint = r.id) AS sent_events
FROM reply r JOIN comment c ON c.id = r.comment_id JOIN page g ON g.id = c.page_id
"""


@dataclass(kw_only=True)
class Ledger:
    """Both sides at one moment."""

    written: list[dict[str, Any]]
    answers: list[dict[str, Any]]
    comments: list[Any]
    appeals: list[Any]
    replies: list[Any]
    set_aside: list[Any]
    unfated: int = field(default=0)

    @property
    def fates(self) -> Counter[str]:
        """Stored comments by fate."""
        return Counter(str(row.fate) for row in self.comments)


async def read_ledger(system: System) -> Ledger:
    """Read both sides; pages are told by the platform's id."""
    truth, pages = await system.truth(), await system.page_ids()
    for one in (*truth["comments"], *truth["answers"]):
        one["page"] = pages[one["platform"], one["page"]]
    comments = await system.rows(_COMMENTS)
    return Ledger(
        written=truth["comments"],
        answers=truth["answers"],
        comments=comments,
        appeals=await system.rows(_APPEALS),
        replies=await system.rows(_REPLIES),
        set_aside=await system.rows("SELECT platform, reason FROM set_aside"),
        unfated=sum(row.fate is None for row in comments),
    )


def differences(
    ledger: Ledger,
    *,
    aside: str | None = None,
    former: Mapping[Key, Collection[str]] | None = None,
    returned: Collection[Key] = (),
) -> list[str]:
    """Everything that is not as it must be, in words; empty when both sides agree to the last comment.

    `aside`: how reasons begin for which rows may be set aside, when the platform was made to answer nonsense. `former`: all texts that
    comments had (without it none was edited before it was deleted). Of a comment that is gone a platform tells no more: it may never
    have been seen, or without words and author, or with any of its texts. Telegram tells of no deletion. `returned`: comments
    that were restored; triage looks again at what was gone when it looked, twice when a pushed deletion comes after it was read to be back.
    It looks at each form of what was no appeal.
    """
    told = [f"set aside: {row.platform} {row.reason}" for row in ledger.set_aside if aside is None or not row.reason.startswith(aside)]
    return [*_comments(ledger, former or {}), *_fates(ledger, returned), *_replies(ledger), *told]


def _comments(ledger: Ledger, former: Mapping[Key, Collection[str]]) -> list[str]:
    stored: dict[Key, list[Any]] = defaultdict(list)
    for row in ledger.comments:
        stored[row.platform, row.page, row.id].append(row)
    wrong = [f"stored {len(rows)} times: {key}" for key, rows in stored.items() if len(rows) > 1]
    for one in ledger.written:
        key = one["platform"], one["page"], one["id"]
        rows = stored.pop(key, [])
        if rows:
            wrong += _comment(one, rows[0], former.get(key, ()))
        elif one["deleted_at"] is None:
            wrong.append(f"lost: {_name(one)}")
    for answer in ledger.answers:
        rows = stored.pop((answer["platform"], answer["page"], answer["id"]), [])
        # A bot is not told of its own messages: on Telegram an answer of ours never comes back.
        if answer["platform"] != "telegram" and answer["deleted_at"] is None and not rows:
            wrong.append(f"an answer that never came back: {_name(answer)}")
        wrong += [f"our answer taken for a citizen's comment: {_name(answer)}" for row in rows if not row.by_page]
    return wrong + [f"stored, but nobody wrote it: {key}" for key in stored]


def _comment(one: dict[str, Any], row: Any, former: Collection[str]) -> list[str]:
    gone = one["deleted_at"] is not None
    expected: dict[str, object] = {
        "text": row.text if gone and row.text in {"", *former} else one["text"],
        "text_altered": False,
        "post_id": one["post_id"],
        "reply_to": one["reply_to"],
        "by_page": one["by_page"],
        "written_at": datetime.fromisoformat(one["written_at"]),
    }
    if not one["by_page"] and one["author"] is not None and not gone:
        expected |= {"author": one["author"], "author_id": one["author_id"]}
    told = {name: getattr(row, name) for name in expected} | {"written_at": row.written_at.replace(microsecond=0)}  # MAX tells milliseconds
    wrong = [f"{_name(one)}: {name} is {told[name]!r}, written {value!r}" for name, value in expected.items() if told[name] != value]
    if row.revisions != row.revision:
        wrong.append(f"{_name(one)}: revision {row.revision}, {row.revisions} kept")
    if (row.deleted_at is not None) != (gone and one["platform"] != "telegram"):
        wrong.append(f"{_name(one)}: deleted {one['deleted_at']}, stored as deleted {row.deleted_at}")
    return wrong


def _fates(ledger: Ledger, returned: Collection[Key]) -> list[str]:
    wrong = [f"fate {fate} of {count}" for fate, count in ledger.fates.items() if fate not in FATES]
    opened = {row.row_id for row in ledger.comments if row.fate == "opened"}
    appeals = {row.id: row for row in ledger.appeals}
    opening = Counter(row.comment_id for row in ledger.appeals)
    wrong += [f"comment {row_id} opened {opening[row_id]} appeals" for row_id in opened if opening[row_id] != 1]
    wrong += [
        f"appeal {row.number} of comment {row.comment_id}, which opened none" for row in ledger.appeals if row.comment_id not in opened
    ]
    for row in ledger.appeals:
        if (row.openings, row.timers, row.assignments) != (1, 1, 1) or row.agency_id is None:
            wrong.append(f"appeal {row.number}: {row.openings} openings, {row.timers} timers, {row.assignments} agencies")
    for row in ledger.comments:
        if row.fate in {"opened", "appended"} and row.appeal_id not in appeals:
            wrong.append(f"comment {row.row_id} is {row.fate} without an appeal")
        if row.fate == "in_triage" and (row.fate_reason not in {"undecided", "no_agency"} or row.triage_due_at is None):
            wrong.append(f"comment {row.row_id} waits in triage without a reason or a due moment ({row.fate_reason})")
        key = (row.platform, row.page, row.id)
        if row.fate is not None and not 1 <= row.verdicts <= row.revision + (2 if key in returned else 0):
            was = "came back" if key in returned else "never came back"
            wrong.append(f"comment {row.row_id} {key} has {row.verdicts} verdicts: it has {row.revision} forms and {was}")
    return wrong


def _replies(ledger: Ledger) -> list[str]:
    """Each answer stands once on the platform, or at most once and `uncertain` before a person; one that a person took back nowhere."""
    standing = Counter((one["platform"], one["page"], one["reply_to"], one["text"]) for one in ledger.answers)
    ids = {(one["platform"], one["page"], one["id"]) for one in ledger.answers}
    by_hand = {(one["platform"], one["page"], one["id"]) for one in ledger.written if one["by_page"]}
    wrong = [f"{count} answers alike under {key[:3]}" for key, count in standing.items() if count > 1]
    for row in ledger.replies:
        if row.by_hand:
            if (row.platform, row.page, row.external_id) not in by_hand:
                wrong.append(f"reply {row.id} was taken for one written by hand")
            continue
        count = standing.pop((row.platform, row.page, row.reply_to, row.text), 0)
        if row.state == "sent":
            if count != 1 or (row.platform, row.page, row.external_id) not in ids or row.sent_events != 1:
                wrong.append(f"reply {row.id} is sent, stands {count} times, {row.sent_events} events")
        elif row.state != "uncertain" and (row.state != "withdrawn" or count):
            wrong.append(f"reply {row.id} is {row.state} ({row.error_code}) after {row.attempts} attempts")
    return wrong + [f"an answer that nobody gave: {key[:3]}" for key in standing]


def _name(one: dict[str, Any]) -> str:
    return f"{one['platform']} {one['page']} {one['post_id']} {one['id']}"
