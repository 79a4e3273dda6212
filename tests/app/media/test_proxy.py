"""The proxy of pictures: fetched once, from allowed hosts only, kept within bounds."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest

from app.kernel.outgoing import RefusedError
from app.media.rules import MediaHosts, Size, parse_media_hosts
from app.media.service import KEPT_SECONDS, Cache, MediaProxy
from tests.app.media.test_pictures import picture
from tests.connectors.raw_server import RawServer, http, raw_server

if TYPE_CHECKING:
    from pathlib import Path


def _proxy(raw: RawServer, folder: Path) -> MediaProxy:
    return MediaProxy(parse_media_hosts(f"vk: *.userapi.com {raw.url.removeprefix('http://')}"), folder)


def kept(folder: Path) -> int:
    return len(list(folder.iterdir()))


def _photo(url: str, kind: str = "photo") -> dict[str, object]:
    return {"kind": kind, "url": url, "external_id": None, "title": None}


async def test_a_picture_is_fetched_once_for_each_size_and_drawn_anew(tmp_path: Path) -> None:
    async with raw_server() as raw:
        raw.plan(http(picture(size=(1000, 500)), content_type="text/html"))
        proxy = _proxy(raw, tmp_path)
        small = [await proxy.picture("vk", _photo(f"{raw.url}/x.png"), size=Size.SMALL) for _ in range(3)]
        large = await proxy.picture("vk", _photo(f"{raw.url}/x.png"), size=Size.LARGE)
    assert len(raw.requests) == 2
    assert len(set(small)) == 1
    assert small[0][:2] == large[:2] == b"\xff\xd8"
    assert kept(tmp_path) == 2


@pytest.mark.parametrize(
    ("platform", "kind", "path"),
    [("ok", "photo", "/x"), ("vk", "document", "/x"), ("vk", "video", "/x"), ("vk", "photo", "@evil.example/x"), ("vk", "photo", "/%00")],
)
async def test_ssrf_what_is_not_a_picture_of_an_allowed_host_is_not_fetched(tmp_path: Path, platform: str, kind: str, path: str) -> None:
    async with raw_server() as raw:
        raw.plan(http(b"no picture"))
        proxy = _proxy(raw, tmp_path)
        for url in (raw.url + path, "https://169.254.169.254/x", "http://10.0.0.1/x", "https://evil.example/x", 5, None):
            if (platform, kind, path) == ("vk", "photo", "/%00") and url == raw.url + path:
                continue
            with pytest.raises(RefusedError):
                await proxy.picture(platform, {"kind": kind, "url": url}, size=Size.SMALL)
    assert raw.requests == []
    assert kept(tmp_path) == 0


async def test_what_just_failed_is_not_asked_again_with_every_look(tmp_path: Path) -> None:
    async with raw_server() as raw:
        raw.plan(http(b"gone", status="404 Not Found"))
        proxy = _proxy(raw, tmp_path)
        for _ in range(3):
            with pytest.raises(RefusedError) as refused:
                await proxy.picture("vk", _photo(f"{raw.url}/x.png"), size=Size.SMALL)
            assert refused.value.code == "status"
    assert len(raw.requests) == 1


def test_the_cache_keeps_within_its_bounds_and_forgets_what_is_old(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "media", most_bytes=1_000)
    for number in range(40):
        cache.put(f"k{number}", b"x" * 100)
        os.utime(tmp_path / "media" / f"k{number}", (time.time() - 1_000 + number,) * 2)
    assert sum(path.stat().st_size for path in (tmp_path / "media").iterdir()) <= 1_100
    assert cache.get("k39") == b"x" * 100
    assert cache.get("k0") is None
    os.utime(tmp_path / "media" / "k39", (time.time() - KEPT_SECONDS - 5,) * 2)
    assert cache.get("k39") is None


def test_hosts_are_written_by_platform() -> None:
    found = parse_media_hosts("vk: *.userapi.com, *.vk.com; ok: *.mycdn.me; vk: 127.0.0.1:8010")
    assert found.shows("vk", "photo", "https://sun9-1.userapi.com/x.jpg")
    assert found.shows("vk", "photo", "http://127.0.0.1:8010/pictures/x.png")
    assert not found.shows("ok", "photo", "https://sun9-1.userapi.com/x.jpg")
    assert not found.shows("vk", "link", "https://sun9-1.userapi.com/x.jpg")
    assert parse_media_hosts("") == MediaHosts()
    for wrong in ("userapi.com", "vk *.userapi.com", "vk: *"):
        with pytest.raises(ValueError, match=r"write|no host"):
            parse_media_hosts(wrong)
