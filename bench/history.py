"""Appeals with their history, made inside the server: INSERT … SELECT from seeded dice, piece by piece.

Every number is a hash of the appeal's own number and a seed, so the same seed makes the same appeals whatever the pieces.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from sqlalchemy import text

if TYPE_CHECKING:
    from datetime import datetime

    from app.kernel.db import Database

PIECE = 100_000

# A region of the country's shape for so many appeals: the fewer appeals, the fewer pages.
_PLACES = (
    "INSERT INTO territory (code, name, timezone) SELECT 'b-r' || n, 'Регион ' || n, 'Europe/Moscow' FROM generate_series(1, 20) n",
    (
        "INSERT INTO territory (code, name, parent_id) SELECT 'b-t' || n, 'Район ' || n, r.id FROM generate_series(1, 480) n"
        " JOIN territory r ON r.code = 'b-r' || (1 + n % 20)"
    ),
    (
        "INSERT INTO agency (code, name, territory_id) SELECT 'b-m' || n, 'Министерство ' || n, r.id FROM generate_series(1, 40) n"
        " JOIN territory r ON r.code = 'b-r' || (1 + n % 20)"
    ),
    (
        "INSERT INTO agency (code, name, territory_id, parent_id) SELECT 'b-a' || n, 'Ведомство ' || n, m.territory_id, m.id"
        " FROM generate_series(1, 260) n JOIN agency m ON m.code = 'b-m' || (1 + n % 40)"
    ),
    "INSERT INTO topic (code, name) SELECT 'b-g' || n, 'Группа ' || n FROM generate_series(1, 20) n",
    (
        "INSERT INTO topic (code, name, parent_id) SELECT 'b-f' || n, 'Тема ' || n, g.id FROM generate_series(1, 180) n"
        " JOIN topic g ON g.code = 'b-g' || (1 + n % 20)"
    ),
    "INSERT INTO operator (login, name) SELECT 'b-o' || n, 'Сотрудник ' || n FROM generate_series(1, :operators) n",
    (
        "INSERT INTO page (platform, external_id, title, link, agency_id, territory_id, watched_since)"
        " SELECT (ARRAY['vk', 'vk', 'telegram', 'ok', 'max'])[1 + n % 5], 'b-' || n, 'Страница ' || n, 'https://example.test/' || n, a.id,"
        " a.territory_id, '2020-01-01' FROM generate_series(1, :pages) n JOIN agency a ON a.code = 'b-a' || (1 + n % 260)"
    ),
)

# What dice choose from: each kind was made by one statement, so its ids follow one another.
_SHAPE = """
CREATE TABLE bench_place AS
SELECT a.first AS agency, a.count AS agencies, t.first AS territory, t.count AS territories, f.first AS topic, f.count AS topics,
  o.first AS operator, o.count AS operators, p.first AS page, p.count AS pages
FROM (SELECT min(id) AS first, count(*) FROM agency WHERE code LIKE 'b-a%') a,
  (SELECT min(id) AS first, count(*) FROM territory WHERE code LIKE 'b-t%') t,
  (SELECT min(id) AS first, count(*) FROM topic WHERE code LIKE 'b-f%') f,
  (SELECT min(id) AS first, count(*) FROM operator WHERE login LIKE 'b-o%') o,
  (SELECT min(id) AS first, count(*) FROM page WHERE external_id LIKE 'b-%') p
"""

_DICE = """
CREATE FUNCTION bench_dice(n bigint, salt integer, seed integer) RETURNS float8 LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (hashint8extended(n * 64 + salt, seed) & 9007199254740991) / 9007199254740992.0
"""

# Agencies and topics unevenly (the busiest have most); half answered within two hours, a tail of days.
_MADE = """
CREATE TEMP TABLE bench_made AS
SELECT n, p.agency + CAST(floor(power(bench_dice(n, 1, :seed), 1.6) * p.agencies) AS bigint) AS agency_id,
  p.territory + CAST(floor(power(bench_dice(n, 2, :seed), 1.4) * p.territories) AS bigint) AS territory_id,
  p.topic + CAST(floor(power(bench_dice(n, 3, :seed), 1.8) * p.topics) AS bigint) AS topic_id,
  p.operator + CAST(floor(bench_dice(n, 4, :seed) * p.operators) AS bigint) AS operator_id,
  p.page + CAST(floor(power(bench_dice(n, 5, :seed), 2) * p.pages) AS bigint) AS page_id,
  CAST(:start AS timestamptz) + (n - 1) * (CAST(:length AS interval) / CAST(:count AS float8)) AS at,
  CAST(30 + exp(8.9 + 1.4 * sqrt(-2 * ln(greatest(bench_dice(n, 6, :seed), 1e-9))) * cos(6.283185307 * bench_dice(n, 7, :seed)))
    AS integer) AS took,
  bench_dice(n, 8, :seed) AS fate
FROM generate_series(CAST(:first AS bigint), CAST(:last AS bigint)) n, bench_place p
"""
_LIVES = (
    """
    INSERT INTO appeal (id, source, platform, page_id, status, agency_id, territory_id, topic_id, operator_id, written_at, opened_at,
      touched_at, due_at, answered_at, closed_at, close_reason) OVERRIDING SYSTEM VALUE
    SELECT m.n, 'api', p.platform, m.page_id,
      CASE WHEN m.fate < 0.05 THEN 'dismissed' WHEN m.open THEN 'in_work' ELSE 'closed' END,
      m.agency_id, m.territory_id, m.topic_id, m.operator_id, m.at, m.at + interval '90 seconds', m.at, CASE WHEN m.open THEN m.due END,
      CASE WHEN NOT m.open AND m.fate >= 0.07 THEN m.stop END, CASE WHEN NOT m.open THEN m.stop END,
      CASE WHEN NOT m.open THEN 'explained' END
    FROM bench_life m JOIN page p ON p.id = m.page_id
    """,
    """
    INSERT INTO sla_timer (appeal_id, cycle, promise, policy_version_id, calendar_version_id, term, started_at, recorded_at, due_at,
      stopped_at, outcome, agency_id, elapsed_seconds, working_seconds, breached_at)
    SELECT n, 1, 'first_answer', :policy, :calendar, '{"seconds": 86400, "working": false}', at, at + interval '90 seconds', due,
      CASE WHEN NOT open THEN stop END,
      CASE WHEN NOT open THEN CASE WHEN fate < 0.05 THEN 'cancelled' WHEN fate < 0.07 THEN 'unanswered'
        WHEN stop <= due THEN 'met' ELSE 'late' END END,
      CASE WHEN NOT open THEN agency_id END, CASE WHEN NOT open THEN took END, CASE WHEN NOT open THEN took / 3 END,
      CASE WHEN stop > due THEN due END
    FROM bench_life
    """,
    """
    INSERT INTO appeal_assignment (appeal_id, agency_id, operator_id, since, until)
    SELECT n, agency_id, NULL, at + interval '90 seconds', at + took * interval '0.3 seconds' FROM bench_life
    UNION ALL SELECT n, agency_id, operator_id, at + took * interval '0.3 seconds', NULL FROM bench_life
    """,
    """
    INSERT INTO reply (id, appeal_id, cycle, operator_id, agency_id, text, state, created_at, published_at) OVERRIDING SYSTEM VALUE
    SELECT n, n, 1, operator_id, agency_id, 'Ответ.', 'sent', stop, stop FROM bench_life WHERE NOT open AND fate >= 0.07
    """,
    """
    INSERT INTO appeal_event (appeal_id, act, cycle, operator_id, occurred_at, recorded_at, data)
    SELECT n, v.act, 1, CASE WHEN v.act <> 'opened' THEN operator_id END, v.at, v.at + interval '1 second', v.data
    FROM bench_life, LATERAL (VALUES
      ('opened', at, jsonb_build_object('agency', agency_id, 'topic', topic_id, 'territory', territory_id), true),
      ('sla_warned', at + interval '12 hours', '{}'::jsonb, open OR took > 43200),
      ('taken', at + took * interval '0.3 seconds', '{}', true),
      ('noted', at + took * interval '0.5 seconds', '{}', true),
      ('reply_queued', at + took * interval '0.9 seconds', jsonb_build_object('reply', n), NOT open AND fate >= 0.07),
      ('reply_sent', stop, jsonb_build_object('reply', n), NOT open AND fate >= 0.07),
      ('dismissed', stop, '{"reason": "spam"}', NOT open AND fate < 0.05),
      ('closed', CASE WHEN fate < 0.07 THEN stop ELSE stop + interval '1 day' END, '{"reason": "explained"}', NOT open AND fate >= 0.05)
    ) v(act, at, data, happened) WHERE v.happened ORDER BY n
    """,
)
_LIFE = """
CREATE TEMP TABLE bench_life AS
SELECT m.*, m.at + interval '24 hours' AS due, m.at + m.took * interval '1 second' AS stop,
  m.at + m.took * interval '1 second' > CAST(:now AS timestamptz) AS open
FROM bench_made m
"""


_TABLES = ("appeal", "sla_timer", "appeal_assignment", "reply", "appeal_event")
# Those that no constraint needs: rows go in several times as fast without, and they are built sorted afterwards.
_INDEXES = text(
    """
    SELECT i.indexrelid::regclass::text AS name, pg_get_indexdef(i.indexrelid) AS definition FROM pg_index i
    WHERE i.indrelid::regclass::text = ANY (:tables) AND NOT EXISTS (SELECT FROM pg_constraint c WHERE c.conindid = i.indexrelid)
    """
)


async def make(database: Database, *, count: int, seed: int, start: datetime, end: datetime, now: datetime) -> None:
    """So many appeals from `start` on over `length`; what would be answered after `now` waits."""
    async with database.write() as session:
        for statement in _PLACES:
            sql = text(statement)
            asked = {"operators": max(200, count // 2_000), "pages": max(200, count // 60)}
            await session.execute(sql, {name: asked[name] for name in sql.compile().params})
        await session.execute(text(_SHAPE))
        await session.execute(text(_DICE))
        policy = await session.scalar(
            text(
                "INSERT INTO sla_policy_version (code, version, name, promises, valid_from) VALUES ('bench', 1, 'Сутки',"
                ' \'{"first_answer": {"seconds": 86400, "working": false}}\', \'2020-01-01\') RETURNING id'
            )
        )
        calendar = await session.scalar(text("SELECT min(id) FROM calendar_version"))
        indexes = (await session.execute(_INDEXES, {"tables": list(_TABLES)})).all()
        for index in indexes:
            await session.execute(text(f"DROP INDEX {index.name}"))
    began = time.perf_counter()
    for first in range(1, count + 1, PIECE):
        last = min(first + PIECE - 1, count)
        async with database.write() as session:
            await session.execute(text("SET LOCAL session_replication_role = replica"))  # made in one piece, so no keys are asked
            await session.execute(
                text(_MADE),
                {"first": first, "last": last, "seed": seed, "count": count, "start": start, "length": end - start},
            )
            await session.execute(text(_LIFE), {"now": now})
            for statement in _LIVES:
                sql = text(statement)
                params = {"policy": policy, "calendar": calendar}
                await session.execute(sql, {name: params[name] for name in sql.compile().params})
            await session.execute(text("DROP TABLE bench_life, bench_made"))
        print(f"  {last:>10,} appeals with their history, {last / (time.perf_counter() - began):,.0f} a second", flush=True)
    for number, index in enumerate(indexes, start=1):
        async with database.write() as session:
            await session.execute(text("SET LOCAL maintenance_work_mem = '512MB'"))
            await session.execute(text(index.definition))
        print(f"  {number:>10,} of {len(indexes)} indexes after {time.perf_counter() - began:,.0f} s", flush=True)
    async with database.write() as session:
        await session.execute(text("SELECT setval(pg_get_serial_sequence('appeal', 'id'), :n)"), {"n": count})
        await session.execute(text("SELECT setval(pg_get_serial_sequence('reply', 'id'), :n)"), {"n": count})
