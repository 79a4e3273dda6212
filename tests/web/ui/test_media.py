"""Attachments by bare link: a picture is there for whoever sees its comment, and for nobody else."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import orjson
import pytest
from sqlalchemy import text

from app.media.rules import parse_media_hosts
from app.media.service import MediaProxy
from tests.app.media.test_pictures import picture
from tests.connectors.raw_server import http, raw_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from fastapi import FastAPI

    from app.kernel.db import Database
    from tests.connectors.raw_server import RawServer
    from tests.web.ui.conftest import Browser, Enter, Town


@pytest.fixture
async def host(web: FastAPI, town: Town, owner_db: Database, tmp_path: Path) -> AsyncIterator[RawServer]:
    """Where the picture under our appeal's comment comes from."""
    async with raw_server() as raw:
        raw.plan(http(picture(size=(900, 600))))
        media = MediaProxy(parse_media_hosts(f"vk: {raw.url.removeprefix('http://')}"), tmp_path / "media")
        web.state.web = replace(web.state.web, media=media)
        files = [
            {"kind": "photo", "url": f"{raw.url}/a.png", "external_id": "photo1_2", "title": None},
            {"kind": "link", "url": "https://xn--80ak6aa92e.com/x", "external_id": None, "title": "apple"},
            {"kind": "photo", "url": "http://169.254.169.254/meta", "external_id": None, "title": None},
        ]
        async with owner_db.write() as session:
            await session.execute(
                text("UPDATE comment SET attachments = CAST(:files AS jsonb) WHERE id = :id"),
                {"files": orjson.dumps(files).decode(), "id": town.comment.id},
            )
        yield raw


async def test_attachments_a_picture_is_shown_with_its_comment(operator: Browser, town: Town, host: RawServer) -> None:
    card = (await operator.get(f"/appeals/{town.number}")).text
    at = f"/media/comment/{town.comment.id}"
    assert f'<img src="{at}/0/small"' in card
    assert f"{at}/1/" not in card
    assert f"{at}/2/" not in card  # its host is on no list
    assert "xn--80ak6aa92e.com (" in card  # the real host beside the link
    shown = await operator.get(f"{at}/0/small")
    assert (shown.status_code, shown.headers["content-type"], shown.content[:2]) == (200, "image/jpeg", b"\xff\xd8")
    assert shown.headers["x-content-type-options"] == "nosniff"
    assert "default-src 'none'; sandbox" in shown.headers.get_list("content-security-policy")
    assert shown.headers["cache-control"] == "private, max-age=3600"
    assert (await operator.get(f"{at}/0/large")).status_code == 200
    assert len(host.requests) == 2


@pytest.mark.usefixtures("host")
async def test_attachments_by_bare_link_are_nothing_to_others(enter: Enter, stranger: Browser, owner_db: Database, town: Town) -> None:
    """Another agency's people, an administrator, a stranger with the link: nothing, and not whether there is something."""
    path = f"/media/comment/{town.comment.id}/0/small"
    async with owner_db.write() as session:  # the thread is another's: no appeal of theirs in it, nor their page
        await session.execute(text("DELETE FROM appeal_assignment WHERE until IS NOT NULL"))
    assert (await (await enter("other")).get(path)).status_code == 404
    assert (await (await enter("administrator")).get(path)).status_code == 403
    assert (await stranger.get(path)).status_code == 303
    assert (await (await enter("supervisor")).get(path)).status_code == 200


@pytest.mark.usefixtures("host")
async def test_what_is_no_picture_is_not_there(operator: Browser, town: Town) -> None:
    at = f"/media/comment/{town.comment.id}"
    for path in (f"{at}/1/small", f"{at}/2/small", f"{at}/9/small", f"{at}/-1/small", f"{at}/0/huge", f"{at}/٣/small",
                 "/media/comment/0/0/small", "/media/comment/999999/0/small", f"/media/author/{town.comment.id}/0/small",
                 "/media/comment/%2e%2e/0/small", f"{at}/0/..%2f..%2fetc"):  # fmt: skip
        assert (await operator.get(path)).status_code == 404, path
