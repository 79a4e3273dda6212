"""Many appeals at once, made inside the database: for plans of queries and for benchmarks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from app.kernel.db import WriteSession

# Two in ten wait: one new, one in work. The others are answered or closed. Deadlines lie five days around now.
_FILL = text(
    """
    WITH base AS (
      SELECT coalesce((SELECT max(id) FROM appeal), 0) AS appeal, coalesce((SELECT max(id) FROM comment), 0) AS comment,
        coalesce((SELECT max(id) FROM author), 0) AS author),
    n AS (
      SELECT i, base.appeal + i AS appeal_id, base.comment + i AS comment_id, base.author + 1 + i / 3 AS author_id,
        (CAST(:pages AS bigint[]))[1 + i % cardinality(CAST(:pages AS bigint[]))] AS page_id,
        (CAST(:topics AS bigint[]))[1 + i % cardinality(CAST(:topics AS bigint[]))] AS topic_id,
        (ARRAY['new', 'in_work', 'answered', 'answered', 'closed', 'closed', 'closed', 'closed', 'closed', 'closed'])[1 + (i / 7) % 10]
          AS status,
        CAST(:now AS timestamptz) - make_interval(secs => (i * 7919) % 864000) AS written_at,
        CAST(:now AS timestamptz) + make_interval(secs => (i * 7877) % 864000 - 432000) AS due_at
      FROM generate_series(1, CAST(:count AS bigint)) AS i, base),
    authors AS (
      INSERT INTO author (id, platform, external_id, name) OVERRIDING SYSTEM VALUE
      SELECT DISTINCT n.author_id, 'vk', 'crowd-' || n.author_id, 'Житель № ' || n.author_id FROM n),
    appeals AS (
      INSERT INTO appeal (id, source, platform, page_id, post_id, root_external_id, author_id, comment_id, status, agency_id, territory_id,
        topic_id, written_at, opened_at, due_at, touched_at) OVERRIDING SYSTEM VALUE
      SELECT n.appeal_id, 'comment', g.platform, g.id, p.id, 'crowd-' || n.comment_id, n.author_id, n.comment_id, n.status, g.agency_id,
        g.territory_id, n.topic_id, n.written_at, n.written_at, CASE WHEN n.status IN ('new', 'in_work') THEN n.due_at END, n.written_at
      FROM n JOIN page g ON g.id = n.page_id
      JOIN LATERAL (SELECT min(p.id) AS id FROM post p WHERE p.page_id = g.id) p ON true),
    comments AS (
      INSERT INTO comment (id, page_id, post_id, external_id, root_external_id, author_id, by_page, text, link, written_at, observed_at,
        fate, appeal_id) OVERRIDING SYSTEM VALUE
      SELECT n.comment_id, n.page_id, p.id, 'crowd-' || n.comment_id, 'crowd-' || n.comment_id, n.author_id, false,
        'Во дворе дома ' || n.i || ' не горят фонари, проход ' || (n.i % 97) || ' завален снегом. Когда приведут в порядок?',
        'https://vk.example/' || n.comment_id, n.written_at, n.written_at, 'opened', n.appeal_id
      FROM n JOIN LATERAL (SELECT min(p.id) AS id FROM post p WHERE p.page_id = n.page_id) p ON true),
    assignments AS (
      INSERT INTO appeal_assignment (appeal_id, agency_id, since)
      SELECT n.appeal_id, g.agency_id, n.written_at FROM n JOIN page g ON g.id = n.page_id),
    events AS (
      INSERT INTO appeal_event (appeal_id, act, cycle, occurred_at, data)
      SELECT n.appeal_id, 'opened', 1, n.written_at, jsonb_build_object('comment', n.comment_id) FROM n)
    INSERT INTO sla_timer (appeal_id, cycle, promise, policy_version_id, term, started_at, due_at, warnings, stopped_at, outcome,
      elapsed_seconds, agency_id)
    SELECT n.appeal_id, 1, 'first_answer', CAST(:policy AS bigint), '{"seconds": 32400, "working": false}', n.written_at, n.due_at,
      jsonb_build_array(n.due_at - interval '2 hours'),
      CASE WHEN n.status NOT IN ('new', 'in_work') THEN n.written_at + interval '3 hours' END,
      CASE WHEN n.status NOT IN ('new', 'in_work') THEN 'met' END, CASE WHEN n.status NOT IN ('new', 'in_work') THEN 10800 END, g.agency_id
    FROM n JOIN page g ON g.id = n.page_id
    """
)
_SEQUENCES = "SELECT setval(pg_get_serial_sequence('{table}', 'id'), (SELECT max(id) FROM {table}))"
# The rows fit by construction: checking each foreign key takes five times as long as the rest.
_TRUSTING = "SELECT set_config('session_replication_role', 'replica', true) FROM pg_roles WHERE rolname = current_user AND rolsuper"


async def fill(
    session: WriteSession, *, count: int, page_ids: Sequence[int], topic_ids: Sequence[int], policy_id: int, now: datetime
) -> None:
    """`count` more appeals over these pages, each page with a post; topics and statuses go round. The owner's session."""
    await session.execute(text(_TRUSTING))
    await session.execute(
        _FILL,
        {"count": count, "pages": list(page_ids), "topics": list(topic_ids), "policy": policy_id, "now": now},
    )
    for table in ("author", "appeal", "comment"):
        await session.execute(text(_SEQUENCES.format(table=table)))


async def analyse(session: WriteSession) -> None:
    """Tell the planner what is there."""
    for table in (
        "author",
        "appeal",
        "appeal_assignment",
        "appeal_event",
        "comment",
        "sla_timer",
        "reply",
        "page",
        "post",
        "topic",
        "agency",
    ):
        await session.execute(text(f"ANALYZE {table}"))
