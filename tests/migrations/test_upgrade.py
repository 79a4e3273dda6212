"""A database of the first version, with rows in it, becomes one of today: nothing stops on them and none is lost."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import asyncpg
import pytest
from alembic import command
from alembic.config import Config

from app.kernel.db import make_engine
from app.kernel.embedded import CREATE_DATABASE
from tests.conftest import ROOT
from tests.databases import plain

if TYPE_CHECKING:
    from sqlalchemy.engine import URL, Connection

pytestmark = pytest.mark.migrations

FILLED = """
INSERT INTO territory (code, name) VALUES ('old-region', 'Область');
INSERT INTO agency (code, name, territory_id) SELECT 'old-hall', 'Администрация', id FROM territory WHERE code = 'old-region';
INSERT INTO topic (code, name) VALUES ('old-roads', 'Дороги');
INSERT INTO operator (login, name) VALUES ('old-anna', 'Анна');
INSERT INTO author (platform, external_id, name) VALUES ('vk', '7', 'Житель');
INSERT INTO page (platform, external_id, title, link, agency_id, territory_id, watched_since)
  SELECT 'vk', '-5', 'Город', 'https://vk.invalid/5', id, territory_id, now() FROM agency WHERE code = 'old-hall';
INSERT INTO post (page_id, external_id, text, link, published_at, observed_at)
  SELECT id, '1', 'Пост', 'https://vk.invalid/5_1', now(), now() FROM page;
INSERT INTO sla_policy_version (code, version, name, promises, valid_from)
  VALUES ('old-norm', 1, 'Сутки', '{"first_answer": {"seconds": 86400, "working": false}}', now());
INSERT INTO appeal (source, platform, page_id, post_id, root_external_id, author_id, status, agency_id, territory_id, topic_id,
    written_at, opened_at, touched_at)
  SELECT 'comment', 'vk', p.id, q.id, '9', u.id, 'new', p.agency_id, p.territory_id, t.id, now(), now(), now()
  FROM page p, post q, author u, topic t WHERE t.code = 'old-roads';
INSERT INTO comment (page_id, post_id, external_id, root_external_id, author_id, by_page, text, link, written_at, observed_at, fate,
    appeal_id)
  SELECT page_id, post_id, '9', '9', author_id, false, 'Яма', 'https://vk.invalid/5_1_9', now(), now(), 'opened', id FROM appeal;
UPDATE appeal SET comment_id = (SELECT id FROM comment);
INSERT INTO appeal_assignment (appeal_id, agency_id, since) SELECT id, agency_id, now() FROM appeal;
INSERT INTO appeal_event (appeal_id, act, cycle, occurred_at) SELECT id, 'opened', 1, now() FROM appeal;
INSERT INTO appeal_note (appeal_id, operator_id, text) SELECT a.id, o.id, 'Звонили' FROM appeal a, operator o WHERE o.login = 'old-anna';
INSERT INTO sla_timer (appeal_id, cycle, promise, policy_version_id, term, started_at, due_at)
  SELECT a.id, 1, 'first_answer', p.id, '{"seconds": 86400, "working": false}', now(), now() + interval '1 day'
  FROM appeal a, sla_policy_version p WHERE p.code = 'old-norm';
INSERT INTO reply (appeal_id, cycle, text, state) SELECT id, 1, 'Засыпали', 'queued' FROM appeal;
INSERT INTO set_aside (platform, page_id, reason, raw, recorded_at)
  SELECT 'vk', NULL, 'malformed', CAST(raw AS bytea), now() + n * interval '1 hour'
  FROM unnest(ARRAY['{', '{', '[', '{', '', '']) WITH ORDINALITY AS t(raw, n);
"""
KEPT = "SELECT {} FROM {}"
TABLES = {
    "appeal": "status, written_at, author_id, comment_id", "comment": "text, fate, appeal_id", "appeal_event": "act, cycle, occurred_at",
    "sla_timer": "promise, started_at, due_at", "reply": "text, state", "appeal_note": "text", "post": "text", "page": "title",
    "author": "name, external_id", "appeal_assignment": "agency_id, since",
}  # fmt: skip


def migrate(sync: Connection, revision: str) -> None:
    config = Config(str(ROOT / "alembic.ini"))
    config.attributes["connection"] = sync
    command.upgrade(config, revision)


async def rows(connection: asyncpg.Connection) -> dict[str, list[tuple[object, ...]]]:
    return {table: [tuple(one) for one in await connection.fetch(KEPT.format(columns, table))] for table, columns in TABLES.items()}


@pytest.mark.timeout(120)
async def test_a_filled_database_of_the_first_version_comes_up_whole(cluster: URL) -> None:
    name = f"t_{uuid4().hex[:16]}"
    admin = await asyncpg.connect(plain(cluster))
    try:
        await admin.execute(CREATE_DATABASE.format(name=name))
        engine = make_engine(cluster.set(database=name), pool_size=0, application="tests")
        async with engine.connect() as session:
            await session.run_sync(migrate, "0001")
            await session.commit()
        owner = await asyncpg.connect(plain(cluster.set(database=name)))
        await owner.execute(FILLED)
        before = await rows(owner)
        assert all(before.values())
        async with engine.connect() as session:
            await session.run_sync(migrate, "head")
            await session.commit()
        assert await rows(owner) == before
        told = await owner.fetch("SELECT raw, times, last_at > recorded_at AS again FROM set_aside ORDER BY id")
        # Met three times it is one thing now; of what has lost its bytes nobody can say so.
        assert [tuple(one) for one in told] == [(b"{", 3, True), (b"[", 1, False), (b"", 1, False), (b"", 1, False)]
        await owner.close()
        await engine.dispose()
    finally:
        await admin.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        await admin.close()
