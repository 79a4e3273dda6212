"""`otklik import incident`: history from «Инцидент Менеджмент», the whole file checked first, nothing dropped.

What has a place here goes there; the row itself is kept with its appeal. An incident that came in before stays as it
is: from then on it lives here.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from app.appeals.filters import parse_number
from app.appeals.migrated import Migrated, PastAnswer, PastEnd, appeals_here, attach, bring_in, known_rows, written_here
from app.audit import service as audit
from app.directory.service import load_directory
from app.exchange.calendars import complete_calendars
from app.exchange.incident.calculated import Unlike, differences
from app.exchange.incident.columns import Column
from app.exchange.incident.links import read_author, read_place
from app.exchange.incident.making import make
from app.exchange.incident.mapping import Mapping, Of
from app.exchange.incident.measuring import Measuring
from app.exchange.incident.places import Places
from app.exchange.incident.reading import OWN_ANSWERS, Row, Step, read_row
from app.exchange.incident.values import is_absent
from app.exchange.page_names import PageNames
from app.exchange.table import Faults, unique
from app.kernel.db import Bulk
from app.kernel.errors import InvalidError
from app.sla.service import load_book
from app.sources.rules import storable

if TYPE_CHECKING:
    from collections.abc import Mapping as ReadOnly, Sequence
    from datetime import datetime

    from app.exchange.table import Line
    from app.kernel.db import WriteSession
    from app.sla.policy import Matter
    from app.sla.service import PlannedTimer

SYSTEM = "incident"
BATCH = 500
LONGEST_ID = 200
_TOPIC = (Column.TOPIC_GROUP, Column.TOPIC)
_TERRITORY = (Column.REGION, Column.MUNICIPALITY, Column.SETTLEMENT)


@dataclass(frozen=True, kw_only=True, slots=True)
class Checked:
    """A calculated cell of a row that comes out otherwise."""

    line: int
    external_id: str
    unlike: Unlike


@dataclass(kw_only=True, slots=True)
class IncidentImport:
    """What an import did, or would do: rows by fate, calculated cells that differ, what people should know of rows."""

    added: int = 0
    same: int = 0
    joined: int = 0
    """The matter is an appeal here already: the row was kept with it."""
    written: bool = True
    differences: list[Checked] = field(default_factory=list)
    remarks: list[tuple[int, str]] = field(default_factory=list)
    made: list[str] = field(default_factory=list)
    """Agencies, topics and territories that the mapping file had made."""

    def remark(self, row: Row, told: str) -> None:
        """Note what people should know of a row."""
        self.remarks.append((row.line.number, f"Incident {row.line[Column.ID]} {told}"))


@dataclass(frozen=True, kw_only=True, slots=True)
class _Placed:
    """A row with the agency, territory and topic that it means here."""

    row: Row
    agency_id: int
    territory_id: int
    topic_id: int | None


async def import_incidents(
    session: WriteSession, lines: Sequence[Line], mapping: Mapping, *, timezone: str, now: datetime, dry_run: bool = False
) -> IncidentImport:
    """Bring in what is not here yet. Raises UnknownValuesError or ImportFaultsError; nothing is written then.

    A dry run does all of it and takes it back.
    """
    result = IncidentImport(written=not dry_run)
    faults = Faults()
    for line in unique(lines, Column.ID, faults).values():
        if len(line[Column.ID]) > LONGEST_ID:
            faults.add(line, f"«{Column.ID}» has {len(line[Column.ID])} characters, at most {LONGEST_ID} are an ID. Mend it.")
    zone = _zone(timezone)
    read = [read_row(line, mapping, zone, faults) for line in lines]
    rows = [row for row in read if row is not None]
    places = Places.of(await load_directory(session), mapping)
    for line in lines:  # of every line, so that all that is unknown is asked for at once
        _placed_ids(places, line, faults)
    faults.stop()
    mapping.stop()
    savepoint = await session.begin_nested()
    if places.made:
        result.made = await make(session, places.made.values())
        await complete_calendars(session, now=now)
    await _bring(session, rows, mapping, result, now=now)
    if dry_run:
        await savepoint.rollback()
    else:
        await savepoint.commit()
        counts = {"added": result.added, "same": result.same, "joined": result.joined}
        await audit.record(session, operator_id=None, act="imported", subject="incidents", data=counts)
    return result


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, LookupError):  # unknown, a path, a directory: ZoneInfo raises one of these
        raise InvalidError("import.time_zone", f"There is no time zone {name!r}: give one such as Europe/Moscow.") from None


def _placed_ids(places: Places, line: Line, faults: Faults) -> tuple[int | None, int | None, int | None]:
    agency = places.find(Of.AGENCY, [line[Column.AGENCY]], line, faults)
    territory = places.find(Of.TERRITORY, [line[column] for column in _TERRITORY], line, faults)
    topic = places.find(Of.TOPIC, [line[column] for column in _TOPIC], line, faults)
    return agency, territory, topic


async def _bring(session: WriteSession, rows: Sequence[Row], mapping: Mapping, result: IncidentImport, *, now: datetime) -> None:
    directory = await load_directory(session)
    places = Places.of(directory, mapping)
    measuring = Measuring(directory, await load_book(session, now=now))
    known = await known_rows(session, SYSTEM, [row.line[Column.ID] for row in rows])
    ours = await _our_own(session, rows)
    names = await PageNames.load(session)
    faults = Faults()
    fresh = []
    for row in rows:
        agency, territory, topic = _placed_ids(places, row.line, faults)
        if agency is None:  # its fault was told before anything was made
            continue
        one = _Placed(
            row=row, agency_id=agency, territory_id=territory or directory.agencies[agency].territory_id, topic_id=topic
        )  # fmt: skip
        _compare(one, measuring, result)
        stored = known.get(row.line[Column.ID])
        if stored is None and row.line.number not in ours:
            fresh.append(one)
            continue
        result.same += 1
        _remark_changes(row, stored or {}, result)
    faults.stop()
    for start in range(0, len(fresh), BATCH):
        await _bring_batch(session, fresh[start : start + BATCH], names, measuring, result, now=now)


async def _our_own(session: WriteSession, rows: Sequence[Row]) -> set[int]:
    """The lines that `otklik export incident` wrote of appeals here: our number in both columns, written at that second.

    They say nothing that is not here; a row of our own would only freeze what goes on living.
    """
    told = [
        (row.line.number, number, row.moments[Column.CREATED_AT])
        for row in rows
        if row.line[Column.ID] == row.line[Column.NUMBER] and (number := parse_number(row.line[Column.ID])) is not None
    ]
    return await written_here(session, told)


def _compare(one: _Placed, measuring: Measuring, result: IncidentImport) -> None:
    row = one.row
    yardstick = measuring.yardstick(
        row.moments, agency_id=one.agency_id, territory_id=one.territory_id, topic_id=one.topic_id, platform=_platform(row)
    )
    result.differences += [
        Checked(line=row.line.number, external_id=row.line[Column.ID], unlike=unlike) for unlike in differences(row.told, yardstick)
    ]


def _remark_changes(row: Row, stored: ReadOnly[str, str], result: IncidentImport) -> None:
    changed = [f"«{column}»" for column in Column if row.line[column] != stored.get(column.value, "")]
    if changed and stored:  # erased since: there is nothing left to compare with
        result.remark(row, f"came in before and lives here now; what the file says otherwise was left alone: {', '.join(changed)}.")


async def _bring_batch(
    session: WriteSession, batch: Sequence[_Placed], names: PageNames, measuring: Measuring, result: IncidentImport, *, now: datetime
) -> None:
    located = await _located(session, batch, names)
    here = await appeals_here(
        session,
        [
            (number, spot.page_id, spot.post_id, spot.comment, spot.root, spot.author_id, one.row.step is not Step.CLOSED)
            for number, (one, spot) in enumerate(zip(batch, located, strict=True))
            if spot.page_id is not None and spot.post_id is not None
        ],
    )
    joined, migrated, keys = [], [], set()
    plans = measuring.book.plan_all([(_matter(one, measuring), one.row.moments[Column.CREATED_AT]) for one in batch])
    for number, (one, spot) in enumerate(zip(batch, located, strict=True)):
        line = one.row.line
        if number in here:
            joined.append((here[number], SYSTEM, line[Column.ID], {} if spot.erased else _kept(line)))
            result.remark(one.row, "is an appeal here already: its row is kept with it.")
            continue
        key = spot.key if one.row.step is not Step.CLOSED else None
        migrated.append(_migrated(one, spot, plans[number], has_key=key is None or key not in keys))
        keys.add(key)
        _remark_step(one.row, result)
        if spot.erased:
            result.remark(one.row, "came in without words and links: its author asked to be erased.")
    await attach(session, joined)
    await bring_in(session, migrated, now=now)
    result.joined += len(joined)
    result.added += len(migrated)


def _remark_step(row: Row, result: IncidentImport) -> None:
    if row.step is Step.WAITING and Column.ANSWERED_AT in row.moments:
        waits = f"waits at «{row.line[Column.STEP]}» although it was answered"
        result.remark(row, f"{waits}; since when is not told: it came in as answered.")
    if row.end is not row.reason:
        result.remark(row, f"was dismissed as «{row.line[Column.REASON]}» although it was answered: it came in as closed.")


@dataclass(frozen=True, kw_only=True, slots=True)
class _Spot:
    """Where it was written, in ids of ours as far as they are known here."""

    page_id: int | None
    post_id: int | None
    comment: str | None
    root: str | None
    author_id: int | None
    erased: bool
    """Its author asked to be erased after they wrote it: it comes in without words."""

    @property
    def key(self) -> tuple[int, int, str, int] | None:
        """The key under which only one appeal may be open."""
        if self.page_id is None or self.post_id is None or self.root is None or self.author_id is None:
            return None
        return self.page_id, self.post_id, self.root, self.author_id


async def _located(session: WriteSession, batch: Sequence[_Placed], names: PageNames) -> list[_Spot]:
    places = [read_place(one.row.line[Column.POST_LINK], one.row.line[Column.PAGE_LINK]) for one in batch]
    pages = [next((page for name in place.pages if (page := names.find(name))), None) for place in places]
    wanted = {(page, place.post) for page, place in zip(pages, places, strict=True) if page is not None and place.post is not None}
    posts = {(row.page_id, row.external_id): row.id for row in await _POSTS.run(session, sorted(wanted))}
    people = [read_author(one.row.line[Column.AUTHOR_LINK]) for one in batch]
    asked = [(number, *person) for number, person in enumerate(people) if person is not None]
    erased = {
        row.row: row.id for row in await _ERASED.run(session, asked) if batch[row.row].row.moments[Column.CREATED_AT] <= row.erased_at
    }
    named = {
        person: one.row.line[Column.AUTHOR_LINK]
        for number, (person, one) in enumerate(zip(people, batch, strict=True))
        if person is not None and number not in erased
    }
    authors = {
        (row.platform, row.external_id): row.id
        for row in await _AUTHORS.run(session, [(*person, _nameless(link), link) for person, link in sorted(named.items())])
    }
    return [
        _Spot(
            page_id=page, post_id=None if page is None or place.post is None else posts.get((page, place.post)), comment=place.comment,
            root=place.root, author_id=erased.get(number) or (None if person is None else authors[person]), erased=number in erased,
        )
        for number, (page, place, person) in enumerate(zip(pages, places, people, strict=True))
    ]  # fmt: skip


def _matter(one: _Placed, measuring: Measuring) -> Matter:
    return measuring.matter(agency_id=one.agency_id, territory_id=one.territory_id, topic_id=one.topic_id, platform=_platform(one.row))


def _migrated(one: _Placed, spot: _Spot, timers: Sequence[PlannedTimer], *, has_key: bool) -> Migrated:
    row, line = one.row, one.row.line
    link = line[Column.AUTHOR_LINK]
    told = Migrated(
        system=SYSTEM,
        external_id=line[Column.ID],
        cells=_kept(line),
        platform=_platform(row),
        page_id=spot.page_id,
        post_id=spot.post_id,
        root_external_id=spot.root if has_key else None,
        author_id=spot.author_id,
        agency_id=one.agency_id,
        territory_id=one.territory_id,
        topic_id=one.topic_id,
        written_at=row.moments[Column.CREATED_AT],
        text=_value(line, Column.TEXT) or "",
        author_name=None if spot.author_id is not None or is_absent(link) else _nameless(link),
        link=_value(line, Column.POST_LINK),
        assigned_at=row.moments.get(Column.ASSIGNED_AT),
        answers=_answers(row, one.agency_id),
        end=None if row.end is None else PastEnd(reason=row.end, at=row.moments[Column.FINISHED_AT]),
        timers=tuple(timers),
    )
    return (
        told
        if not spot.erased
        else replace(
            told, cells={}, text="", author_name=None, link=None, answers=tuple(replace(answer, text="") for answer in told.answers)
        )
    )


def _answers(row: Row, agency_id: int) -> tuple[PastAnswer, ...]:
    """The first answer of whoever gave it, and those of the last executor; the moments of its later ones are not told."""
    moments, line = row.moments, row.line
    first_at = moments.get(Column.ANSWERED_AT)
    if first_at is None:
        return ()
    own_at = moments.get(Column.OWN_ANSWERED_AT)
    own_texts = [words for column in OWN_ANSWERS if (words := _value(line, column))]
    first_text = _value(line, Column.ANSWER) or ""
    submitted = moments.get(Column.SUBMITTED_AT)
    answers = []
    if own_at is None and own_texts[:1] == [first_text]:
        own_at = first_at
    if own_at is None or own_at > first_at:
        answers.append(PastAnswer(text=first_text, agency_id=None, created_at=first_at, published_at=first_at))
    if own_at is not None:
        text_ = own_texts[0] if own_texts else first_text
        answers.append(
            PastAnswer(text=text_, agency_id=agency_id, created_at=min(submitted or own_at, own_at), published_at=own_at)
        )  # fmt: skip
        own_texts = own_texts[1:]
    latest = max(own_at or first_at, moments.get(Column.RATING_AT) or first_at)
    latest = min(latest, moments.get(Column.FINISHED_AT) or latest)
    answers += [PastAnswer(text=words, agency_id=agency_id, created_at=latest, published_at=latest, at_known=False) for words in own_texts]
    return tuple(answers)


def _platform(row: Row) -> str:
    return read_place(row.line[Column.POST_LINK], row.line[Column.PAGE_LINK]).platform


def _value(line: Line, column: Column) -> str | None:
    return None if is_absent(line[column]) else storable(line[column])[0]


def _kept(line: Line) -> dict[str, str]:
    return {column.value: storable(line[column])[0] for column in Column}


def _nameless(link: str) -> str:
    return link.strip().removeprefix("https://").removeprefix("http://")[:300]


_POSTS = Bulk(
    "SELECT p.id, p.page_id, p.external_id FROM {rows} JOIN post p USING (page_id, external_id)",
    page_id="bigint", external_id="text",
)  # fmt: skip
_ERASED = Bulk(
    """
    SELECT DISTINCT ON (r.row) r.row, a.id, a.erased_at FROM {rows}
    JOIN author a ON a.mark = otklik_author_mark(r.platform, r.external_id) AND a.platform = r.platform
    ORDER BY r.row, a.erased_at DESC
    """,
    row="integer", platform="text", external_id="text",
)  # fmt: skip
_AUTHORS = Bulk(
    """
    WITH given AS (SELECT * FROM {rows}),
    added AS (
      INSERT INTO author (platform, external_id, name, link) SELECT platform, external_id, name, link FROM given
      ON CONFLICT (platform, external_id) DO NOTHING RETURNING id, platform, external_id)
    SELECT * FROM added UNION ALL SELECT a.id, a.platform, a.external_id FROM given JOIN author a USING (platform, external_id)
    """,
    platform="text", external_id="text", name="text", link="text",
)  # fmt: skip
