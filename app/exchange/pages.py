"""`otklik import pages` and `otklik pages add`: which pages are watched, for whom.

A page that the file does not identify by `external_id`, or whose platform wants to describe it, is looked up by its
connector; so these functions take the database: no transaction is open while a platform is asked.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, TypeVar

from sqlalchemy import text

from app.appeals.pages import PageFilters, PageRow, every_page
from app.directory.queries import ids_of_codes
from app.exchange.page_names import PageNames
from app.exchange.result import Imported, compare, note_import
from app.exchange.table import Faults, Line, read_table
from app.kernel.untold import UNTOLD
from app.people.rules import EVERYTHING
from app.sources.service import connect_page, ensure_feeds
from connectors.contract import Connector, ConnectorError, PageRef, PageSnapshot, Plugin, Rejected, Streams, TryLater
from connectors.pages import PageFacts, TellsPages

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from app.kernel.db import Database, ReadSession, WriteSession

_Told = TypeVar("_Told")

PAUSES = tuple(timedelta(seconds=seconds) for seconds in (0.5, 1, 2, 4))
LONGEST_WAIT = timedelta(seconds=10)
_SCHEME = re.compile(r"(?!https?://)[a-z][a-z0-9+.-]*:(?![0-9])", re.IGNORECASE)
"""What a browser takes for another way than the web: a script, a file. A platform that is asked about a page tells what it is itself."""
REQUIRED, OPTIONAL = ("platform", "link", "agency", "territory"), ("external_id", "title", "sphere")


@dataclass(frozen=True, kw_only=True, slots=True)
class Platforms:
    """What can be asked: installed platforms, and connectors of those that have a token."""

    plugins: Mapping[str, Plugin]
    connectors: Mapping[str, Connector]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Row:
    """One page of the file, its codes resolved."""

    line: Line
    agency_id: int
    territory_id: int
    sphere_id: int | None
    known: PageLine | None


@dataclass(frozen=True, kw_only=True, slots=True)
class PageLine:
    """A page in a list; places are told by their codes."""

    id: int
    platform: str
    external_id: str
    title: str
    link: str
    agency: str
    territory: str
    sphere: str | None
    members: int | None
    official: bool | None
    comments_open: bool | None
    active: bool
    state: str
    watched_since: datetime
    polled_at: datetime | None
    lag_seconds: float | None
    error: str | None


async def list_pages(session: ReadSession, *, now: datetime, filters: PageFilters | None = None) -> list[PageLine]:
    """All pages that fit, by title, with how watching them goes."""
    return [_page_line(row) async for part in every_page(session, EVERYTHING, filters or PageFilters(), now=now) for row in part]


def _page_line(row: PageRow) -> PageLine:
    return PageLine(
        id=row.id, platform=row.platform, external_id=row.external_id, title=row.title, link=row.link, agency=row.agency_code,
        territory=row.territory_code, sphere=row.sphere_code, members=row.members, official=row.official,
        comments_open=row.comments_open, active=row.active, state=row.state.value, watched_since=row.watched_since,
        polled_at=row.polled_at, lag_seconds=row.lag_s, error=row.error_code,
    )  # fmt: skip


async def import_pages(
    database: Database,
    data: bytes,
    *,
    platforms: Platforms,
    context: timedelta,
    now: datetime,
    dry_run: bool = False,
    refresh: bool = False,
    leave_out: bool = False,
) -> Imported:
    """Watch the pages of a file from now on (comments older than `context` before now open nothing).

    `refresh` asks the platforms about pages that are known already or described by the file, too: after a token was changed.
    Raises ImportFaultsError with every fault, those that the platforms tell included; nothing is written then. With `leave_out` only
    the lines that a platform refuses stay out, and are told: of seven thousand pages some are always gone.
    """
    lines = read_table(data, required=REQUIRED, optional=OPTIONAL)
    faults = Faults()
    async with database.read() as reading:
        there = {(page.platform, page.external_id): page for page in await list_pages(reading, now=now)}
        rows = await _resolve(reading, lines, list(there.values()), platforms, faults)
    faults.stop()
    found = await _snapshots(rows, platforms, faults, refresh=refresh)
    left_out = tuple(faults.found) if leave_out else ()
    faults = Faults() if leave_out else faults
    _check_twice(found, faults)
    faults.stop()
    counted, _ = compare(
        "pages",
        {f"{row.line['platform']} {snapshot.external_id}": _said(row, snapshot) for row, snapshot in found},
        {
            f"{platform} {key}": (page.title, page.link, page.agency, page.territory, page.sphere, page.active)
            for (platform, key), page in there.items()
        },
        dry_run=dry_run,
    )
    result = replace(counted, left_out=left_out)
    if not dry_run:
        async with database.write() as session:
            for row, snapshot in found:
                await connect_page(
                    session,
                    platform=row.line["platform"],
                    snapshot=snapshot,
                    agency_id=row.agency_id,
                    territory_id=row.territory_id,
                    sphere_id=row.sphere_id,
                    watched_since=now - context,
                    now=now,
                )
            await _feeds(session, platforms, now)
            await note_import(session, result)
    return result


def _said(row: _Row, snapshot: PageSnapshot) -> tuple[object, ...]:
    return (snapshot.title, snapshot.link, row.line["agency"], row.line["territory"], row.line["sphere"] or None, True)


async def _resolve(session: ReadSession, lines: list[Line], there: list[PageLine], platforms: Platforms, faults: Faults) -> list[_Row]:
    known = {
        table: await ids_of_codes(session, table, sorted({line[table] for line in lines})) for table in ("agency", "territory", "sphere")
    }
    names, pages = await PageNames.load(session), {page.id: page for page in there}
    by_id = {(page.platform, page.external_id): page.id for page in pages.values()}  # a name of one may be the number of another
    rows = []
    for line in lines:
        if line["platform"] not in platforms.plugins:
            faults.add(line, f"platform {line['platform']!r} is unknown. Installed are: {', '.join(sorted(platforms.plugins))}.")
        for column in ("agency", "territory", "sphere"):
            if line[column] not in known[column] and (line[column] or column != "sphere"):
                faults.add(line, f"{column} {line[column]!r} is unknown. Import it first, or mend the code.")
        if not line["link"]:
            faults.add(line, "link is empty. Give the address of the page, as the browser shows it.")
        page_id = by_id.get((line["platform"], line["external_id"])) if line["external_id"] else names.find(line["link"])
        if line["external_id"] and page_id is None and ":" not in line["external_id"] and _SCHEME.match(line["link"]):
            faults.add(line, f"link {line['link']!r} leads to no page. Give its address, as the browser shows it: it begins with https://.")
        rows.append(
            _Row(
                line=line,
                agency_id=known["agency"].get(line["agency"], 0),
                territory_id=known["territory"].get(line["territory"], 0),
                sphere_id=known["sphere"].get(line["sphere"]),
                known=None if page_id is None else pages[page_id],
            )
        )
    return rows


async def _snapshots(rows: list[_Row], platforms: Platforms, faults: Faults, *, refresh: bool) -> list[tuple[_Row, PageSnapshot]]:
    told: dict[int, PageSnapshot] = {}
    asked: dict[str, list[_Row]] = {}
    for row in rows:
        ask = refresh and (row.known is not None or row.line["platform"] in platforms.connectors)
        snapshot = None if ask else _told_before(row, platforms)
        if snapshot is None:
            asked.setdefault(row.line["platform"], []).append(row)
        else:
            told[row.line.number] = snapshot
    for platform, some in asked.items():
        connector = platforms.connectors.get(platform)
        if isinstance(connector, TellsPages):
            told |= await _asked_at_once(some, connector, platforms, faults)
        else:
            told |= {row.line.number: snapshot for row in some if (snapshot := await _asked(row, platforms, faults)) is not None}
    return [(row, told[row.line.number]) for row in rows if row.line.number in told]


async def _asked_at_once(rows: list[_Row], connector: TellsPages, platforms: Platforms, faults: Faults) -> dict[int, PageSnapshot]:
    """What the platform says of many pages, as many a call as it takes; what it refuses of one is told with its line."""
    found: dict[int, PageSnapshot] = {}
    for start in range(0, len(rows), connector.pages_limit):
        part = rows[start : start + connector.pages_limit]
        names = list(dict.fromkeys(row.line["link"] for row in part))
        told: Mapping[str, PageFacts | ConnectorError]
        try:
            told = await _patiently(lambda names=names: connector.tell_pages(names))  # type: ignore[misc]  # of this part
        except ConnectorError as error:
            told = dict.fromkeys(names, error)
        for row in part:
            facts = told.get(row.line["link"])
            if isinstance(facts, PageFacts):
                snapshot = PageSnapshot(
                    external_id=facts.external_id, title=facts.title, link=facts.link, members=facts.members, options=facts.options,
                    elsewhere=facts.elsewhere,
                )  # fmt: skip
                taken = _taken(row, snapshot, faults)
                found |= {} if taken is None else {row.line.number: taken}
            elif isinstance(facts, Rejected) and facts.code == "not_a_page":  # a search, say: a description knows more than communities
                described = await _asked(row, platforms, faults)
                found |= {} if described is None else {row.line.number: described}
            else:
                title = platforms.plugins[row.line["platform"]].title
                faults.add(row.line, f"{title} does not tell about {row.line['link']}: {UNTOLD.clean(str(facts or 'no answer'))}.")
    return found


def _told_before(row: _Row, platforms: Platforms) -> PageSnapshot | None:
    """What is known of the page without asking: stored before, or said in the file."""
    line = row.line
    if row.known is not None:
        return PageSnapshot(external_id=row.known.external_id, title=line["title"] or row.known.title, link=line["link"])
    # A search is asked about: only its connector knows that it is one.
    if line["external_id"] and line["title"] and ":" not in line["external_id"] and not _streams(platforms.plugins[line["platform"]]):
        return PageSnapshot(external_id=line["external_id"], title=line["title"], link=line["link"])
    return None


async def _asked(row: _Row, platforms: Platforms, faults: Faults) -> PageSnapshot | None:
    """What the platform says of the page."""
    line, plugin = row.line, platforms.plugins[row.line["platform"]]
    connector = platforms.connectors.get(line["platform"])
    if connector is None:
        kinds = ", ".join(plugin.credential_kinds)
        faults.add(
            line,
            f"{plugin.title} has to be asked about this page, and there is no token yet: "
            f"otklik credentials add --platform {plugin.platform} (kinds: {kinds}).",
        )
        return None
    try:
        told = await _patiently(lambda: connector.describe_page(line["link"]))
    except ConnectorError as error:
        faults.add(line, f"{plugin.title} does not tell about {line['link']}: {UNTOLD.clean(str(error))}.")
        return None
    return _taken(row, told, faults)


def _taken(row: _Row, told: PageSnapshot, faults: Faults) -> PageSnapshot | None:
    """What was told, with the title and the address that the file prefers; a page other than the file says is a fault."""
    line = row.line
    if line["external_id"] and line["external_id"] != told.external_id:
        faults.add(line, f"external_id is {line['external_id']}, but {line['link']} is {told.external_id}. Mend one of them.")
        return None
    return PageSnapshot(
        external_id=told.external_id, title=line["title"] or told.title, link=line["link"] if "/" in line["link"] else told.link,
        members=told.members, options=told.options, elsewhere=told.elsewhere,
    )  # fmt: skip


async def _patiently(ask: Callable[[], Awaitable[_Told]]) -> _Told:
    """The platform's answer; a worker that reads with the same token may have used up the second's share of calls."""
    for pause in PAUSES:
        try:
            return await ask()
        except TryLater as error:
            if error.after > LONGEST_WAIT:
                raise
            await asyncio.sleep(max(error.after, pause).total_seconds())
    return await ask()


def _streams(plugin: Plugin | None) -> bool:
    return plugin is not None and any(capability.verb == "poll" for capability in plugin.capabilities)


def _check_twice(found: list[tuple[_Row, PageSnapshot]], faults: Faults) -> None:
    lines: dict[tuple[str, str], int] = {}
    for row, snapshot in found:
        first = lines.setdefault((row.line["platform"], snapshot.external_id), row.line.number)
        if first != row.line.number:
            faults.add(row.line, f"The same page stands in line {first} too. Each may be there once.")


async def _feeds(session: WriteSession, platforms: Platforms, now: datetime) -> None:
    """A page that is polled by itself has its feed; a stream that carries many has one for each token."""
    by_platform: dict[str, list[tuple[int, PageRef]]] = {}
    for row in await session.execute(text("SELECT id, platform, external_id, options FROM page WHERE active")):
        by_platform.setdefault(row.platform, []).append((row.id, PageRef(external_id=row.external_id, options=row.options)))
    for platform, pages in by_platform.items():
        connector = platforms.connectors.get(platform)
        feeds: list[tuple[str, int | None]]
        if connector is None and _streams(platforms.plugins.get(platform)):
            continue  # its feeds are its tokens: they come with the first one
        if isinstance(connector, Streams):
            feeds = [(feed.key, None) for feed in connector.feeds([ref for _, ref in pages])]
        else:
            feeds = [(ref.external_id, page_id) for page_id, ref in pages]
        await ensure_feeds(session, platform=platform, feeds=feeds, now=now)
