"""Replaying texts of a CSV file as citizens' comments through a running sandbox."""

import asyncio
import csv
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import aiohttp

from connectors.sandbox.model import WALLS
from connectors.sandbox.names import invented

_COMMENTS_A_POST = 100
_FIELD_BYTES = 64 * 1024 * 1024
_TIMEOUT_SECONDS = 60
_CREATED = 201


class ReplayError(Exception):
    """The replay cannot go on; the text says what to do."""


class FileFaultError(ReplayError):
    """The file cannot be replayed: it is missing, no CSV, or has no column `text`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row of the file; `number` counts from 1 without the header."""

    number: int
    text: str
    author: str = ""
    page: str = ""
    post_id: str = ""
    is_reply: bool = False
    written_at: str = ""


@dataclass(frozen=True, slots=True)
class Target:
    """A page of the sandbox."""

    platform: str
    page: str


@dataclass(frozen=True, slots=True)
class Placed:
    """Where a row went."""

    platform: str
    page: str
    post_id: str
    id: str


@dataclass(slots=True)
class Summary:
    """What became of the rows: where each went, or why it did not."""

    placed: dict[int, Placed] = field(default_factory=dict)
    skipped: dict[int, str] = field(default_factory=dict)
    refused: int = 0
    seconds: float = 0.0

    @property
    def sent(self) -> Counter[str]:
        """Rows sent, by platform."""
        return Counter(place.platform for place in self.placed.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How to replay; `rate` 0 is as fast as possible, `pages` empty means all pages."""

    url: str
    rate: float = 0.0
    keep_times: bool = False
    platforms: frozenset[str] = frozenset(WALLS)
    pages: frozenset[str] = frozenset()
    time_zone: str = "UTC"


def read_rows(path: Path) -> list[Row]:
    """The rows of a CSV file in the order of writing where the file knows it. Raises FileFaultError."""
    csv.field_size_limit(_FIELD_BYTES)
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            reader = csv.DictReader(lines)
            if "text" not in (reader.fieldnames or ()):
                message = f"{path}: there is no column `text`"
                raise FileFaultError(message)
            rows = [_row(number, item) for number, item in enumerate(reader, start=1)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        message = f"{path}: {error}"
        raise FileFaultError(message) from error
    if all(row.written_at for row in rows):
        # Streams are often stored newest first; a reply must come after what it answers.
        rows.sort(key=lambda row: row.written_at)
    return rows


async def replay(rows: Iterable[Row], options: Options, progress: Callable[[int], None] | None = None) -> Summary:
    """Write every row as a comment. Raises ReplayError when the sandbox cannot be reached or has no fitting page."""
    timeout = aiohttp.ClientTimeout(total=_TIMEOUT_SECONDS)
    try:
        async with aiohttp.ClientSession(base_url=options.url.rstrip("/") + "/", timeout=timeout) as session:
            writer = await _Writer.open(session, options)
            return await writer.run(rows, progress)
    except (aiohttp.ClientError, TimeoutError) as error:
        message = f"{options.url}: {error or type(error).__name__}; is the sandbox running?"
        raise ReplayError(message) from error


class _Writer:
    """Decides where each row goes and sends it."""

    def __init__(self, session: aiohttp.ClientSession, options: Options, world: Mapping[str, Any]) -> None:
        self._session = session
        self._options = options
        self._limits: dict[str, int] = world["text_limits"]
        self._targets = [
            Target(page["platform"], page["page"])
            for page in world["pages"]
            if page["platform"] in options.platforms
            and (not options.pages or page["page"] in options.pages)
            and (page["platform"] != "telegram" or page["discussion"])
        ]
        if not self._targets:
            message = "the sandbox has no page to write on: check --platform and --page"
            raise ReplayError(message)
        self._by_csv_page: dict[str, int] = {}
        self._posts: dict[tuple[Target, str, str], str] = {}
        self._in_post: Counter[Target] = Counter()
        self._last: dict[tuple[Target, str], str] = {}
        self._turns: defaultdict[str, int] = defaultdict(int)
        self._summary = Summary()

    @classmethod
    async def open(cls, session: aiohttp.ClientSession, options: Options) -> "_Writer":
        async with session.get("world/pages") as response:
            response.raise_for_status()
            return cls(session, options, await response.json())

    async def run(self, rows: Iterable[Row], progress: Callable[[int], None] | None) -> Summary:
        started = time.monotonic()
        for count, row in enumerate(rows):
            if self._options.rate > 0:
                await asyncio.sleep(max(0.0, started + count / self._options.rate - time.monotonic()))
            await self._write(row)
            if progress is not None:
                progress(count + 1)
        self._summary.seconds = time.monotonic() - started
        return self._summary

    async def _write(self, row: Row) -> None:
        target = self._choose(row)
        if not row.text.strip():
            self._summary.skipped[row.number] = "empty text"
        elif target is None:
            self._summary.skipped[row.number] = f"{len(row.text)} characters: no chosen platform takes so many"
        else:
            post_id = await self._post(target, row)
            await self._comment(target, post_id, row)

    async def _comment(self, target: Target, post_id: str, row: Row) -> None:
        spec: dict[str, Any] = {
            "platform": target.platform,
            "page": target.page,
            "post_id": post_id,
            "author": row.author or invented(row.number),
            "text": row.text,
        }
        thread = (target, post_id)
        if row.is_reply and thread in self._last:
            spec["reply_to"] = self._last[thread]
        if self._options.keep_times and row.written_at:
            spec["written_at"] = _moment(row.written_at, self._options.time_zone)
        status, answer = await self._send("world/comments", spec)
        if status != _CREATED:
            self._summary.skipped[row.number] = str(answer.get("error", status))
            self._summary.refused += 1
            return
        if not row.is_reply:
            self._last[thread] = answer["id"]
        self._summary.placed[row.number] = Placed(target.platform, target.page, answer["post_id"], answer["id"])

    def _choose(self, row: Row) -> Target | None:
        """The row's page: its namesake, else one page of ours per page of the file, else each in turn."""
        fitting = [target for target in self._targets if len(row.text) <= self._limits[target.platform]]
        if not fitting:
            return None
        if row.page:
            namesakes = [target for target in self._targets if target.page == row.page]
            turn = self._by_csv_page.setdefault(row.page, len(self._by_csv_page))
            target = namesakes[0] if namesakes else self._targets[turn % len(self._targets)]
            return target if target in fitting else fitting[turn % len(fitting)]
        turn = self._turns["rows"]
        self._turns["rows"] += 1
        target = self._targets[turn % len(self._targets)]
        return target if target in fitting else fitting[turn % len(fitting)]

    async def _post(self, target: Target, row: Row) -> str:
        """The post under which the row belongs, published when it is the first of its post."""
        name = row.post_id
        if not name:
            name = f"#{self._in_post[target] // _COMMENTS_A_POST}"
            self._in_post[target] += 1
        key = (target, row.page, name)
        if key not in self._posts:
            text = f"Запись {len(self._posts) + 1}: вопросы и ответы"
            spec: dict[str, Any] = {"platform": target.platform, "page": target.page, "text": text}
            if self._options.keep_times and row.written_at:
                spec["written_at"] = _moment(row.written_at, self._options.time_zone)
            status, answer = await self._send("world/posts", spec)
            if status != _CREATED:
                message = f"row {row.number}: no post could be published: {answer.get('error', status)}"
                raise ReplayError(message)
            self._posts[key] = answer["id"]
        return self._posts[key]

    async def _send(self, path: str, spec: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        async with self._session.post(path, json=spec) as response:
            return response.status, await response.json(content_type=None)


def _row(number: int, item: Mapping[str, str | None]) -> Row:
    def word(name: str) -> str:
        return (item.get(name) or "").strip()

    return Row(
        number=number,
        text=item.get("text") or "",
        author=word("author"),
        page=word("page"),
        post_id=word("post_id").removesuffix(".0"),
        is_reply=word("kind") == "reply",
        written_at=word("written_at"),
    )


def _moment(text: str, time_zone: str) -> str:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        message = f"written_at {text!r} is not ISO 8601"
        raise FileFaultError(message) from error
    return (moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(time_zone))).isoformat()
