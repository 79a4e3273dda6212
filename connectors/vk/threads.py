"""Reading all comments of a post, one call at a time: which call comes next, and when everything has been read. Pure.

Rows are asked in ascending order from the last id seen (`start_comment_id`), not by offset: a deletion while reading
shifts offsets and would hide a row, an id it cannot. A thread with more replies than came inside its top comment is
read on its own. The state travels in the batch's cursor, so any worker can go on where another stopped.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from connectors.contract import Batch, CommentSnapshot, Deletion, Unreadable, WholeThread
from connectors.payload import is_object

if TYPE_CHECKING:
    from connectors.vk.mapping import CommentsPage, Row, Under

PAGE = 100
"""Rows in one call: VK's maximum."""
INSIDE = 10
"""Replies that come inside a top comment: VK's maximum."""
PASSES = 3
"""Readings of one post that grows while it is read; what is still missed then shows in the next probe."""
_VERSION = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """How far a post has been read. `root` is the thread that was asked for, None for the whole post."""

    since: str
    root: int | None = None
    after: int = 0
    """The last top comment seen in this pass."""
    tops: int = 0
    """Top comments told in this pass."""
    seen: int = 0
    """Living comments told in this pass, replies included; a deleted stub must not stand in for one that was missed."""
    first_total: int | None = None
    total: int = 0
    passed: int = 1
    tops_done: bool = False
    open: tuple[int, ...] = ()
    """Threads still to be read on their own; the first is being read."""
    thread_after: int = 0
    thread_seen: int = 0
    root_done: bool = False
    """The thread that was asked for has been read."""
    sound: bool = True
    """Every page so far was readable and every level had as many rows as the platform counts there."""
    v: int = _VERSION


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """What one answer changed: the batch, whose cursor says where to go on."""

    batch: Batch
    reading: Reading | None


def begin(now: datetime, root: int | None) -> Reading:
    """A reading that has not asked anything yet."""
    return Reading(since=now.isoformat(), root=root)


def resume(cursor: str | None, *, now: datetime, root: int | None) -> Reading:
    """The reading that a cursor stands for; a cursor of another version starts anew."""
    try:
        told = json.loads(cursor) if cursor else None
        if is_object(told) and told.get("v") == _VERSION:
            reading = Reading(**told)  # type: ignore[arg-type]  # our own values; a wrong name is a TypeError, caught
            if datetime.fromisoformat(reading.since).utcoffset() is not None:
                return replace(reading, open=tuple(reading.open))
    except (TypeError, ValueError):
        pass
    return begin(now, root)


def next_call(reading: Reading, page: int = PAGE) -> dict[str, int]:
    """The paging parameters of the call that comes next."""
    if reading.open:
        call = {"comment_id": reading.open[0], "count": page}
        after = reading.thread_after
    elif reading.root is not None:
        return {"start_comment_id": reading.root, "count": 1, "thread_items_count": INSIDE}
    else:
        call = {"thread_items_count": INSIDE, "count": page}
        after = reading.after
    return {**call, "start_comment_id": after} if after else call


def fold(reading: Reading, answer: CommentsPage, under: Under, page: int = PAGE) -> Step:
    """What an answer to `next_call` brings."""
    if reading.open:
        rows, reading = _fold_thread(reading, answer, page)
    elif reading.root is not None:
        rows, reading = _fold_root(reading, answer)
    else:
        rows, reading = _fold_tops(reading, answer, page)
    finished = _finished(reading)
    if finished and _grew(reading) and reading.passed < PASSES:
        # Comments came while we read: some of them may stand in threads that we had passed already.
        again = Reading(since=reading.since, passed=reading.passed + 1)
        return Step(batch=_batch(rows, answer.unreadable, cursor=_cursor(again)), reading=again)
    if finished:
        return Step(batch=_batch(rows, answer.unreadable, whole=_whole(reading, under)), reading=None)
    return Step(batch=_batch(rows, answer.unreadable, cursor=_cursor(reading)), reading=reading)


def skip(reading: Reading, under: Under) -> Step:
    """Pass over the thread that is being read on its own: the platform no longer shows it."""
    reading = replace(reading, open=reading.open[1:], thread_after=0, thread_seen=0, sound=False)
    if reading.root is not None:
        # The thread that was asked for has gone: only the whole post tells what became of its comments.
        reading = Reading(since=reading.since)
    elif _finished(reading):
        return Step(batch=_batch([], (), whole=_whole(reading, under)), reading=None)
    return Step(batch=_batch([], (), cursor=_cursor(reading)), reading=reading)


def _fold_tops(reading: Reading, answer: CommentsPage, page: int) -> tuple[list[Row], Reading]:
    fresh = [row for row in answer.rows if row.id > reading.after]
    tops = reading.tops + len(fresh) + len(answer.unreadable)
    level_read = answer.level is None or tops >= answer.level
    # A short page alone proves nothing: VK drops deleted rows after it has cut the page.
    done = not fresh or (answer.told < page and level_read)
    reading = replace(
        reading,
        after=max([reading.after, *(row.id for row in fresh)]),
        tops=tops,
        seen=reading.seen + sum(_living(_parts(row)) for row in fresh) + len(answer.unreadable),
        first_total=answer.total if reading.first_total is None else reading.first_total,
        total=answer.total,
        open=tuple(row.id for row in fresh if _is_long(row)),
        tops_done=done,
        sound=reading.sound and _readable(fresh, answer) and (level_read or not done),
    )
    return fresh, reading


def _fold_thread(reading: Reading, answer: CommentsPage, page: int) -> tuple[list[Row], Reading]:
    fresh = [row for row in answer.rows if row.id > reading.thread_after]
    living = sum(_living(row.parsed) for row in fresh) + len(answer.unreadable)
    told = reading.thread_seen + living
    level_read = told >= (answer.total if answer.level is None else answer.level)
    reading = replace(
        reading,
        seen=reading.seen + living,
        sound=reading.sound and _readable(fresh, answer),
    )
    if fresh and not (answer.told < page and level_read):
        return fresh, replace(reading, thread_after=max(row.id for row in fresh), thread_seen=told)
    return fresh, replace(
        reading,
        open=reading.open[1:],
        thread_after=0,
        thread_seen=0,
        root_done=reading.root is not None,
        sound=reading.sound and level_read,
    )


def _fold_root(reading: Reading, answer: CommentsPage) -> tuple[list[Row], Reading]:
    row = answer.rows[0] if answer.rows else None
    if row is None or row.id != reading.root:
        # The top comment is not there (deleted, or the start was ignored): only the whole post tells what happened.
        return [], Reading(since=reading.since)
    sound = _readable([row], answer)
    if _is_long(row):
        return [row], replace(reading, open=(row.id,), sound=sound)
    return [row], replace(reading, root_done=True, sound=sound)


def _readable(fresh: list[Row], answer: CommentsPage) -> bool:
    rows = (part for row in fresh for part in row.parsed)
    return not answer.unreadable and not any(isinstance(part, Unreadable) for part in rows)


def _finished(reading: Reading) -> bool:
    return not reading.open and (reading.tops_done or reading.root_done)


def _grew(reading: Reading) -> bool:
    return reading.root is None and reading.total > max(reading.first_total or 0, reading.seen)


def _whole(reading: Reading, under: Under) -> WholeThread | None:
    """The claim of completeness, made only when as many rows were told as the platform counts."""
    if not reading.sound or (reading.root is None and reading.seen < reading.total):
        return None
    return WholeThread(
        page_external_id=under.page_external_id,
        post_external_id=under.post_external_id,
        observed_at=datetime.fromisoformat(reading.since),
        root_external_id=None if reading.root is None else str(reading.root),
    )


def _is_long(row: Row) -> bool:
    return row.thread_count > row.thread_rows


def _parts(row: Row) -> tuple[CommentSnapshot | Deletion | Unreadable, ...]:
    """What a top row brings: replies of a long thread come again when it is read on its own, so only itself then."""
    return row.parsed[:1] if _is_long(row) else row.parsed


def _living(parts: tuple[CommentSnapshot | Deletion | Unreadable, ...]) -> int:
    return sum(1 for part in parts if isinstance(part, Unreadable) or (isinstance(part, CommentSnapshot) and not part.deleted))


def _batch(rows: list[Row], unreadable: tuple[Unreadable, ...], *, whole: WholeThread | None = None, cursor: str | None = None) -> Batch:
    parsed = [part for row in rows for part in _parts(row)]
    return Batch(
        comments=tuple(part for part in parsed if isinstance(part, CommentSnapshot)),
        deletions=tuple(part for part in parsed if isinstance(part, Deletion)),
        unreadable=(*unreadable, *(part for part in parsed if isinstance(part, Unreadable))),
        complete_for=(whole,) if whole else (),
        cursor=cursor,
    )


def _cursor(reading: Reading) -> str:
    return json.dumps(asdict(reading), separators=(",", ":"))
