"""Whoever looks after a page sees what stands in its way, with the platform's own address and no other, and has it tried again."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from app.replies.rules import ReplyState
from app.sources.care import try_again
from app.web.ui.hosts import own_address

if TYPE_CHECKING:
    from app.kernel.clock import FixedClock
    from app.kernel.db import Database
    from tests.web.ui.conftest import Browser, Enter, Town

CHECK = "https://id.vk.com/not_robot?sid=1&session=a_b"
WORDS = f"error 14: Captcha needed ({CHECK})"


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (WORDS, CHECK),
        ("see http://127.0.0.1:8010/captcha?sid=1 now", "http://127.0.0.1:8010/captcha?sid=1"),
        ("https://evil.example/ or https://vk.ru/check", "https://vk.ru/check"),
        *(
            (words, "")
            for words in (
                "", "nothing", "http://id.vk.com/check", "https://vk.com.evil.example/", "https://evilvk.com/", "https://vk.com@evil.example/",
                "https://evil.example/?https.vk.com", "https://evil.example\\.vk.com/", "https://vk.com:8443/", "https://u:p@vk.com/",
                "javascript:alert(1)//https.vk.com", "https://vk.com:x/", "http://127.0.0.1:80101/", "https://[vk.com/", "https://вк.com/",
            )
        ),
    ],
)  # fmt: skip
def test_only_the_platforms_own_address_is_a_link(words: str, found: str) -> None:
    assert own_address(words, ("vk.com", "vk.ru"), "http://127.0.0.1:8010") == found


async def broken(db: Database, town: Town, detail: str = WORDS) -> int:
    """The page cannot be read, and an answer was refused, both for a captcha; the page's number."""
    reply = town.replies[ReplyState.FAILED]
    async with db.write() as session:
        page: int = await session.scalar(text("SELECT page_id FROM appeal WHERE id = :id"), {"id": reply.appeal_id})
        await session.execute(
            text(
                "INSERT INTO feed (platform, key, page_id, error_code, error_detail, failures, due_at, discover_at) "
                "SELECT platform, 'page:' || external_id, id, 'captcha', :detail, 3, now() + interval '5 min', now() + interval '5 min' "
                "FROM page WHERE id = :page"
            ),
            {"page": page, "detail": detail},
        )
        await session.execute(
            text("UPDATE reply SET page_id = :page, error_code = 'captcha', error_detail = :detail WHERE id = :id"),
            {"page": page, "detail": detail, "id": reply.id},
        )
    return page


async def test_what_is_in_the_way_is_shown_with_what_to_do_and_tried_again(
    coordinator: Browser, town: Town, owner_db: Database, clock: FixedClock
) -> None:
    page = await broken(owner_db, town)
    assert f'href="/pages/{page}#trouble"' in (await coordinator.get("/pages")).text
    assert f'href="/pages/{page}#trouble"' in (await coordinator.get(f"/appeals/{town.hostile_number}")).text
    shown = (await coordinator.get(f"/pages/{page}")).text
    assert f'<a href="{CHECK.replace("&", "&amp;")}" target="_blank" rel="noopener noreferrer nofollow">id.vk.com' in shown
    assert f'href="/appeals/{town.hostile_number}"' in shown
    asked = await coordinator.post(f"/pages/{page}/again")
    assert (asked.status_code, asked.headers["location"]) == (303, f"/pages/{page}?tried=1")
    assert "читается снова" in (await coordinator.get(asked.headers["location"])).text
    async with owner_db.write() as session:
        state = await session.scalar(text("SELECT state FROM reply WHERE id = :id"), {"id": town.replies[ReplyState.FAILED].id})
        jobs = (await session.execute(text("SELECT entrypoint FROM pgqueuer ORDER BY id"))).scalars().all()
        said = await session.scalar(text("SELECT subject_id FROM audit_entry WHERE act = 'page.tried_again'"))
        assert (state, jobs, said) == ("queued", ["pages.again", "outbound.send"], page)
        # One token, two pages: what the worker does for one of them it does for whatever failed alike, and for nothing else.
        await session.execute(
            text(
                "INSERT INTO feed (platform, key, error_code, due_at) SELECT g.platform, c.code, c.code, now() + interval '9 min' "
                "FROM page g, unnest(ARRAY['captcha', 'flood']) AS c(code) WHERE g.id = :page"
            ),
            {"page": page},
        )
        assert await try_again(session, page_id=page, now=clock.now()) == 2
        due = (await session.execute(text("SELECT key FROM feed WHERE due_at <= :now AND failures = 0"), {"now": clock.now()})).scalars()
        assert len(due.all()) == 2


async def test_only_whoever_looks_after_the_page_sees_the_platforms_words(enter: Enter, town: Town, owner_db: Database) -> None:
    page = await broken(owner_db, town)
    for who, allowed in (("operator", 403), ("supervisor", 403), ("administrator", 303)):
        browser = await enter(who)
        shown = await browser.get(f"/pages/{page}")
        assert (CHECK.replace("&", "&amp;") in shown.text) is (who == "administrator"), who
        assert (await browser.post(f"/pages/{page}/again")).status_code == allowed, who
    async with owner_db.read() as session:  # an administrator sees no appeals, so nothing of them is sent
        assert await session.scalar(text("SELECT count(*) FROM pgqueuer WHERE entrypoint = 'outbound.send'")) == 0


async def test_what_passes_by_itself_asks_nothing_of_anybody(coordinator: Browser, town: Town, owner_db: Database) -> None:
    page = await broken(owner_db, town, detail="error 9: Flood control")
    async with owner_db.write() as session:
        for table in ("feed", "reply"):
            await session.execute(text(f"UPDATE {table} SET error_code = 'flood' WHERE page_id = :page"), {"page": page})  # noqa: S608
    shown = (await coordinator.get(f"/pages/{page}")).text
    assert "продолжим сами" in shown
    assert "Попробуйте через час" not in shown
    assert "Словами площадки:" in shown
    async with owner_db.write() as session:
        await session.execute(
            text("UPDATE feed SET error_code = 'network', error_detail = 'TimeoutError' WHERE page_id = :page"), {"page": page}
        )
    told = (await coordinator.get(f"/pages/{page}")).text
    assert ("Подробности: <bdi" in told, "Попробовать сейчас" in told, "Исправлено" in told) == (
        True,
        True,
        False,
    )  # our words: the platform said nothing


async def test_a_foreign_address_stays_words(coordinator: Browser, town: Town, owner_db: Database) -> None:
    page = await broken(owner_db, town, detail="error 14 (https://vk.com.evil.example/login)")
    shown = (await coordinator.get(f"/pages/{page}")).text
    assert "vk.com.evil.example" in shown
    assert not re.search('href="[^"]*evil', shown)


async def test_the_card_says_whether_news_arrive_by_themselves(coordinator: Browser, town: Town, owner_db: Database) -> None:
    page = await broken(owner_db, town)
    shown = (await coordinator.get(f"/pages/{page}")).text
    assert "страницу читаем опросом" in shown
    async with owner_db.write() as session:  # the hook of another page of the same bot brings this one's news, too
        await session.execute(text('UPDATE page SET options = \'{"bot": "b1"}\' WHERE id = :page'), {"page": page})
        other = await session.scalar(
            text(
                "INSERT INTO page (platform, external_id, title, link, agency_id, territory_id, options, watched_since) SELECT platform, "
                "'other', 'Другая', link, agency_id, territory_id, options, watched_since FROM page WHERE id = :page RETURNING id"
            ),
            {"page": page},
        )
        await session.execute(text("INSERT INTO page_hook (page_id, secret_hash) VALUES (:page, '')"), {"page": other})
    assert "ещё ничего не присылала" in (await coordinator.get(f"/pages/{page}")).text
    async with owner_db.write() as session:
        await session.execute(text("INSERT INTO pushed_event (page_id, event_id) VALUES (:page, '1')"), {"page": other})
        await session.execute(text("INSERT INTO page_listener (page_id, error_code) VALUES (:page, 'listening_off')"), {"page": page})
    shown = (await coordinator.get(f"/pages/{page}")).text
    assert "площадка присылает сама" in shown
    assert "1 событие ждёт обработки" in shown
    assert "Long Poll" in shown
    async with owner_db.write() as session:
        await session.execute(text("UPDATE feed SET error_code = 'push_failing' WHERE page_id = :page"), {"page": page})
    shown = (await coordinator.get(f"/pages/{page}")).text
    assert "площадка присылает сама" not in shown
    assert "до нас не доходит" in shown


async def test_what_could_not_be_taken_in_is_shown_once_with_how_often_and_when_last(enter: Enter, town: Town, owner_db: Database) -> None:
    page = await broken(owner_db, town)
    async with owner_db.write() as session:
        await session.execute(
            text(
                "INSERT INTO set_aside (platform, page_id, digest, reason, raw, times, recorded_at, last_at, resolved_at) "
                "SELECT platform, CASE WHEN reason <> 'no items' THEN id END, sha256(reason::bytea), reason, 'secret', 37, "
                "timestamptz '2026-11-01 09:00+03', timestamptz '2026-11-02 10:30+03', CASE WHEN reason = 'done' THEN now() END "
                "FROM page, unnest(ARRAY['unknown_post', 'malformed: <b>', 'no items', 'unknown_page', 'done']) AS r(reason) "
                "WHERE id = :page"
            ),
            {"page": page},
        )
        await session.execute(text("UPDATE set_aside SET page_id = NULL WHERE reason = 'unknown_page'"))
        await session.execute(  # another answer spoilt in the same way is no line of its own
            text(
                "INSERT INTO set_aside (platform, page_id, digest, reason, raw, times, recorded_at, last_at) SELECT platform, page_id, "
                "sha256('other'), reason, 'other', 3, recorded_at, last_at + interval '1 hour' FROM set_aside WHERE reason LIKE 'malf%'"
            )
        )
    for who in ("coordinator", "administrator"):
        shown = (await (await enter(who)).get(f"/pages/{page}")).text
        assert (shown.count("37 раз с"), shown.count("40 раз с")) == (2, 1)
        assert "под постом, которого Отклик не видел" in shown
        assert "malformed: &lt;b&gt;" in shown
        assert "10:30" in shown
        assert "11:30" in shown
        assert "done" not in shown
    assert "37 раз" not in (await (await enter("supervisor")).get(f"/pages/{page}")).text
