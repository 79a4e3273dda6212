"""The proxy: a picture is fetched once from an allowed host, made anew, kept for some days, within bounds of size and haste."""

from __future__ import annotations

import asyncio
import hashlib
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from app.kernel.log import logger
from app.kernel.outgoing import Outgoing, RefusedError, resolve
from app.media.pictures import redrawn
from app.media.rules import SHOWN, MediaHosts, Size

if TYPE_CHECKING:
    from collections.abc import Mapping

    from app.kernel.outgoing import Resolve

FETCHES_AT_ONCE = 8
DRAWN_AT_ONCE = 2
KEPT_SECONDS = 3 * 86_400
"""A picture that was erased at its source, or whose author was, is gone here after this long at the latest."""
REFUSED_SECONDS = 60
_MOST_REFUSED = 2_000
_OK = 200


class Cache:
    """Files in a folder of our own, named by digests, the oldest dropped when they are too many bytes."""

    def __init__(self, folder: Path, *, most_bytes: int) -> None:
        self._folder = folder
        self._most_bytes = most_bytes
        self._written = 0

    def get(self, key: str) -> bytes | None:
        """What is kept and not too old."""
        path = self._folder / key
        try:
            if time.time() - path.stat().st_mtime > KEPT_SECONDS:
                path.unlink()
                return None
            return path.read_bytes()
        except OSError:
            return None

    def put(self, key: str, content: bytes) -> None:
        """Keep it; a full disk only means that it is fetched again."""
        with suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            part = self._folder / f".{key}.{os.getpid()}"
            part.write_bytes(content)
            part.replace(self._folder / key)
            self._written += len(content)
            if self._written > self._most_bytes // 20:
                self._written = 0
                self._tidy()

    def _tidy(self) -> None:
        files = []
        for path in self._folder.iterdir():
            with suppress(OSError):
                files.append((path.stat().st_mtime, path.stat().st_size, path))
        total = sum(size for _, size, _ in files)
        for at, size, path in sorted(files):
            if total <= self._most_bytes and time.time() - at <= KEPT_SECONDS:
                break
            with suppress(OSError):
                path.unlink()
            total -= size


def cache_key(platform: str, url: str, size: Size) -> str:
    """Under what a picture is kept."""
    return hashlib.sha256(f"{platform}\n{url}\n{size.value}".encode("utf-8", "surrogatepass")).hexdigest()


class MediaProxy:
    """Gives pictures of allowed hosts. One per web process."""

    def __init__(
        self,
        hosts: MediaHosts,
        folder: Path,
        *,
        most_bytes: int = 8_000_000,
        cache_bytes: int = 256_000_000,
        seconds: float = 8.0,
        resolver: Resolve = resolve,
    ) -> None:
        """`most_bytes`: of one picture as it comes; `cache_bytes`: of all that are kept."""
        self.hosts = hosts
        self._cache = Cache(folder, most_bytes=cache_bytes)
        self._callers = {
            platform: Outgoing(names, seconds=seconds, most_bytes=most_bytes, resolver=resolver)
            for platform, names in hosts.by_platform.items()
        }
        self._fetching = asyncio.Semaphore(FETCHES_AT_ONCE)
        self._drawing = asyncio.Semaphore(DRAWN_AT_ONCE)
        self._refused: dict[str, tuple[float, RefusedError]] = {}

    async def picture(self, platform: str, attachment: Mapping[str, object], *, size: Size) -> bytes:
        """The picture as a JPEG. RefusedError when it is none, comes from elsewhere, or cannot be had."""
        url, caller = attachment.get("url"), self._callers.get(platform)
        if attachment.get("kind") not in SHOWN or not isinstance(url, str) or caller is None:
            raise RefusedError("kind", "This is no picture that we show.")
        key = cache_key(platform, url, size)
        kept = await asyncio.to_thread(self._cache.get, key)
        if kept is not None:
            return kept
        self._recently_refused(key)
        try:
            drawn = await self._fetched(caller, url, size)
        except RefusedError as error:
            if len(self._refused) >= _MOST_REFUSED:
                self._refused.clear()
            self._refused[key] = (time.monotonic(), error)
            logger.info("picture_refused", platform=platform, code=error.code)
            raise
        await asyncio.to_thread(self._cache.put, key, drawn)
        return drawn

    def _recently_refused(self, key: str) -> None:
        """What just failed is not tried again with every look at the page."""
        at, error = self._refused.get(key, (0.0, None))
        if error is not None and time.monotonic() - at < REFUSED_SECONDS:
            raise RefusedError(error.code, error.detail)
        self._refused.pop(key, None)

    async def _fetched(self, caller: Outgoing, url: str, size: Size) -> bytes:
        async with self._fetching:
            answer = await caller.call("GET", url, headers={"Accept": "image/*"})
        if answer.status != _OK:
            raise RefusedError("status", f"The host answers {answer.status}.", sent=True)
        async with self._drawing:
            return await asyncio.to_thread(redrawn, answer.body, longest=size.pixels)
