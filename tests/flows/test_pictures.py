"""Telegram's pictures: the worker fetches them for whoever looks, within the rules of pictures; the token stays in the connector."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
import pytest
from sqlalchemy import text

from app.flows import pictures
from app.media import shelf
from app.media.shelf import Place
from app.people.rules import Role
from connectors.contract import Credential, Options, Rejected, TryLater, UnknownPayload
from connectors.sandbox.pictures import picture as drawing
from connectors.telegram.connector import TelegramConnector
from tests import factories as make
from tests.connectors.raw_server import http, raw_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from app.kernel.clock import FixedClock
    from app.kernel.db import Database
    from app.sources.models import Comment
    from tests.connectors.raw_server import RawServer

pytestmark = [pytest.mark.flows, pytest.mark.timeout(60)]

TOKEN = "4200:AAF-never-a-real-one_0123456789abcd"
PAGE: dict[str, Any] = {"page_external_id": "-1001500", "page_options": {}}


def told(**file: object) -> bytes:
    """What getFile answers."""
    return http(orjson.dumps({"ok": True, "result": {"file_id": "sandbox-1", "file_unique_id": "u"} | file}))


def png(body: bytes = drawing("роща")) -> bytes:
    return http(body, content_type="image/png")


@pytest.fixture
async def raw() -> AsyncIterator[RawServer]:
    """Telegram, as it answers what we say."""
    async with raw_server() as server:
        yield server


@pytest.fixture
async def telegram(raw: RawServer) -> AsyncIterator[TelegramConnector]:
    """A bot."""
    credential = Credential(key="bot", kind="bot", secret=TOKEN)
    connector = TelegramConnector(Options(api_url=raw.url, credentials=(credential,), timeout=5), raw.url)
    yield connector
    await connector.close()


async def test_a_file_is_fetched_by_its_path(raw: RawServer, telegram: TelegramConnector) -> None:
    raw.plan(told(file_path="photos/file_1.png", file_size=10), png())
    assert await telegram.fetch_media("sandbox-1", **PAGE, most_bytes=1_000_000) == drawing("роща")
    assert [request.split(b" ")[1] for request in raw.requests] == [
        f"/bot{TOKEN}/getFile".encode(), f"/file/bot{TOKEN}/photos/file_1.png".encode(),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("answers", "error"),
    [
        ((told(file_path="photos/a.png", file_size=2_000_000),), Rejected),
        ((told(file_path="photos/a.png"), png(b"x" * 1_000_001)), Rejected),
        ((told(file_path="../../etc/passwd"),), UnknownPayload),
        ((told(file_path="//evil.example/a"),), UnknownPayload),
        ((told(),), UnknownPayload),
        ((told(file_path="photos/a.png"), http(b"", status="404 Not Found")), Rejected),
        ((told(file_path="photos/a.png"), http(b"", status="302 Found", headers="Location: http://169.254.169.254/\r\n")), Rejected),
        ((told(file_path="photos/a.png"), http(b"", status="500 Broken")), TryLater),
    ],
)
async def test_ssrf_what_is_no_file_within_bounds_is_refused(
    raw: RawServer, telegram: TelegramConnector, answers: tuple[bytes, ...], error: type[Exception]
) -> None:
    """And no error tells the address, which holds the token."""
    raw.plan(*answers)
    with pytest.raises(error) as refused:
        await telegram.fetch_media("sandbox-1", **PAGE, most_bytes=1_000_000)
    assert TOKEN not in repr(refused.value)
    assert refused.value.__cause__ is None
    assert len(raw.requests) <= 2


@pytest.fixture
async def comment(owner_db: Database) -> Comment:
    """With a photo, a sticker that is no picture, and a file."""
    async with owner_db.write() as session:
        page = await make.make_page(session, platform="telegram")
        comment = await make.make_comment(session, post=await make.make_post(session, page=page), text="Вот.")
        comment.attachments = [
            {"kind": kind, "url": None, "external_id": "sandbox-1", "title": None} for kind in ("photo", "sticker", "document")
        ]
    return comment


async def state(owner_db: Database) -> list[Any]:
    async with owner_db.read() as session:
        return list(await session.execute(text("SELECT place, state, size FROM picture ORDER BY id")))


async def test_the_worker_draws_it_anew_and_what_is_none_is_refused(
    owner_db: Database,
    web_db: Database,
    worker_db: Database,
    clock: FixedClock,
    comment: Comment,
    raw: RawServer,
    telegram: TelegramConnector,
) -> None:
    async with owner_db.write() as session:
        seer = await make.make_operator(session, role=Role.SUPERVISOR)
    for place in (0, 0, 1, 2):
        async with web_db.write(operator_id=seer.id) as session:
            await shelf.ask(session, Place(of="comment", row_id=comment.id, place=place), now=clock.now())
    async with owner_db.read() as session:
        jobs = [orjson.loads(one) for one in await session.scalars(text("SELECT payload FROM pgqueuer ORDER BY id"))]
    assert len(jobs) == 3, "however many look, it is fetched once"
    for job, answers in zip(jobs, ((told(file_path="a.png"), png()), (told(file_path="a.tgs"), png(b"\x1f\x8b")), (png(),)), strict=True):
        raw.plan(*answers)
        await pictures.fetch(worker_db, {"telegram": telegram}, picture_id=job["picture"])
    (photo, sticker, file) = await state(owner_db)
    assert (photo.state, sticker.state, file.state) == ("there", "refused", "refused")
    async with web_db.read(operator_id=seer.id) as session:
        found = await shelf.stands(session, Place(of="comment", row_id=comment.id, place=0))
    assert found is not None
    assert (found[1] or b"")[:2] == b"\xff\xd8", "a JPEG of our own making"
    async with web_db.read(operator_id=None) as session:
        assert await shelf.stands(session, Place(of="comment", row_id=comment.id, place=0)) is None


async def test_pictures_go_when_they_are_old_or_too_many(
    owner_db: Database, worker_db: Database, clock: FixedClock, comment: Comment
) -> None:
    row = "INSERT INTO picture (comment_id, place, state, asked_at, size) VALUES (:comment, :place, :state, :at, :bytes)"
    rows = [
        (0, "there", shelf.KEPT * 2, 10),
        (1, "refused", shelf.ASKED_AGAIN_AFTER * 2, 0),
        (2, "there", shelf.KEPT / 2, 60),
        (3, "there", shelf.KEPT / 4, 60),
    ]
    async with owner_db.write() as session:
        for place, what, age, size in rows:
            await session.execute(text(row), {"comment": comment.id, "place": place, "state": what, "at": clock.now() - age, "bytes": size})
    async with worker_db.write() as session:
        assert await shelf.tidy(session, now=clock.now(), most_bytes=100) == 3
    assert [one.place for one in await state(owner_db)] == [3]
