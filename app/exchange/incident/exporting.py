"""`otklik export incident`: our appeals as the table of «Инцидент Менеджмент».

Each cell comes from where its value lives here; what never had a place here comes from the row that an appeal was
imported from. Moments are written to the second, and the calculated columns are computed from them as written, so that
the file agrees with itself.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from sqlalchemy import text

from app.appeals.rules import MERGED_REASON, CloseReason, DismissReason, Status
from app.directory.queries import agencies_with_children, ids_of_codes
from app.directory.service import load_directory
from app.exchange.incident import calculated
from app.exchange.incident.columns import Column
from app.exchange.incident.measuring import Measuring
from app.exchange.incident.reading import OWN_ANSWERS
from app.exchange.incident.values import format_moment
from app.kernel.errors import InvalidError
from app.sla.service import load_book

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence
    from datetime import datetime

    from app.directory.service import Directory
    from app.kernel.db import ReadSession

BATCH = 1_000
STEP_WORDS = {
    Status.NEW: "Новый",
    Status.IN_WORK: "В работе",
    Status.ANSWERED: "Оценка удовлетворенности",
    Status.CLOSED: "Готово",
    Status.DISMISSED: "Готово",
}
ENDINGS: dict[str, tuple[str, str]] = {
    CloseReason.EXPLAINED: ("Разъяснено", ""),
    CloseReason.SOLVED: ("Решено", ""),
    CloseReason.CANNOT_REPLY: ("", "Ответ на площадке невозможен"),
    CloseReason.AUTHOR_SATISFIED: ("", "Автор доволен"),
    CloseReason.NO_FURTHER_DIALOGUE: ("", "Дальнейший диалог нецелесообразен"),
    DismissReason.SPAM: ("", "Спам"),
    DismissReason.ABUSE: ("", "Оскорбления"),
    DismissReason.GRATITUDE: ("", "Благодарность"),
    DismissReason.NOT_A_QUESTION: ("", "Не вопрос"),
    DismissReason.DUPLICATE: ("", "Дубликат"),
    DismissReason.NOT_OURS: ("", "Не в нашем ведении"),
    MERGED_REASON: ("", "Дубликат"),
}
"""«Итог» and «Причина закрытия» by our reason."""
_KEPT = (
    Column.CABINET, Column.STREET, Column.HOUSE, Column.OLD_OBJECT, Column.OBJECT, Column.TYPE, Column.ANSWER_HAS_MEDIA,
    Column.ENGAGEMENT, Column.ANSWER_ACCOUNT, Column.TAGS, Column.REMARK, Column.POLL_SENT,
)  # fmt: skip
"""What has no place here: as it came in, else empty."""
_AS_IT_CAME = (Column.STEP, Column.OUTCOME, Column.REASON)
"""In the words of the file, as long as nothing has happened to the appeal here."""


@dataclass(frozen=True, slots=True)
class _Answer:
    """An answer on the platform."""

    agency_id: int | None
    text: str
    created_at: datetime
    published_at: datetime


async def agencies_of(session: ReadSession, codes: Sequence[str]) -> list[int] | None:
    """The agencies of these codes with all below them; None when none is named. InvalidError on an unknown code."""
    if not codes:
        return None
    found = await ids_of_codes(session, "agency", codes)
    for code in codes:
        if code not in found:
            raise InvalidError("export.agency", f"There is no agency {code!r}: give the code of one.", field="agency")
    return await agencies_with_children(session, list(found.values()))


async def export_rows(
    session: ReadSession, *, since: datetime, until: datetime, agency_ids: Sequence[int] | None, timezone: str, now: datetime
) -> AsyncIterator[dict[Column, str]]:
    """The rows of appeals that citizens wrote in [since, until), in their order."""
    directory = await load_directory(session)
    writer = _Writer(directory, Measuring(directory, await load_book(session, now=now)), ZoneInfo(timezone))
    after, after_id = since, 0
    while True:
        values = {"after": after, "after_id": after_id, "until": until, "agencies": agency_ids, "most": BATCH}
        appeals = (await session.execute(_APPEALS, values)).all()
        if not appeals:
            return
        answers = await _answers(session, [appeal.id for appeal in appeals])
        for appeal in appeals:
            yield writer.row(appeal, answers.get(appeal.id, ()))
        after, after_id = appeals[-1].written_at, appeals[-1].id


async def _answers(session: ReadSession, appeal_ids: Sequence[int]) -> Mapping[int, Sequence[_Answer]]:
    found: dict[int, list[_Answer]] = defaultdict(list)
    for row in await session.execute(_ANSWERS, {"ids": list(appeal_ids)}):
        found[row.appeal_id].append(
            _Answer(agency_id=row.agency_id, text=row.text, created_at=_whole(row.created_at), published_at=_whole(row.published_at))
        )
    return found


class _Writer:
    """Makes a row of an appeal."""

    def __init__(self, directory: Directory, measuring: Measuring, zone: ZoneInfo) -> None:
        self._directory = directory
        self._measuring = measuring
        self._zone = zone

    def row(self, appeal: Any, answers: Sequence[_Answer]) -> dict[Column, str]:  # noqa: ANN401 - a row of `_APPEALS`
        """The cells of an appeal."""
        came: Mapping[str, str] = appeal.cells or {}
        own = [one for one in answers if one.agency_id == appeal.agency_id]
        moments = _moments(appeal, answers, own)
        yardstick = self._measuring.yardstick(
            moments, agency_id=appeal.agency_id, territory_id=appeal.territory_id, topic_id=appeal.topic_id, platform=appeal.platform
        )
        outcome, reason = ENDINGS.get(appeal.close_reason or "", ("", ""))
        cells: dict[Column, str] = {column: came.get(column.value, "") for column in _KEPT}
        cells |= {column: self._local(moment) for column, moment in moments.items()}
        cells |= calculated.cells(moments, yardstick)
        cells |= {Column.STEP: STEP_WORDS[Status(appeal.status)], Column.OUTCOME: outcome, Column.REASON: reason}
        cells |= _words(appeal, answers, own, came) | self._topic(appeal.topic_id) | self._territory(appeal.territory_id)
        cells[Column.RATING_AT] = came.get(Column.RATING_AT, self._local(appeal.answered_at) if appeal.answered_at else "")
        if came and appeal.version == 1:
            cells |= {column: came.get(column.value, "") for column in _AS_IT_CAME}
        return cells

    def _local(self, moment: datetime) -> str:
        return format_moment(_whole(moment).astimezone(self._zone))

    def _topic(self, topic_id: int | None) -> dict[Column, str]:
        names = [self._directory.topics[one].name for one in reversed(self._directory.topic_lineage(topic_id))]
        return {Column.TOPIC_GROUP: names[0] if names else "", Column.TOPIC: names[-1] if len(names) > 1 else ""}

    def _territory(self, territory_id: int) -> dict[Column, str]:
        names = [self._directory.territories[one].name for one in reversed(self._directory.territory_lineage(territory_id))]
        levels = [*names[:2], names[-1]] if len(names) > 2 else [*names, "", ""]  # noqa: PLR2004 - the three columns
        return {Column.REGION: levels[0], Column.MUNICIPALITY: levels[1], Column.SETTLEMENT: levels[2]}


def _moments(appeal: Any, answers: Sequence[_Answer], own: Sequence[_Answer]) -> dict[Column, datetime]:  # noqa: ANN401 - a row
    """The raw moments, to the second. An answer that was handed in no earlier than it stood was found, not written here."""
    found = {
        Column.CREATED_AT: appeal.written_at,
        Column.ASSIGNED_AT: appeal.assigned_at,
        Column.FINISHED_AT: appeal.closed_at,
        Column.ANSWERED_AT: answers[0].published_at if answers else None,
        Column.OWN_ANSWERED_AT: own[0].published_at if own else None,
        Column.SUBMITTED_AT: own[0].created_at if own and own[0].created_at < own[0].published_at else None,
    }
    return {column: _whole(moment) for column, moment in found.items() if moment is not None}


def _words(appeal: Any, answers: Sequence[_Answer], own: Sequence[_Answer], came: Mapping[str, str]) -> dict[Column, str]:  # noqa: ANN401 - a row
    """The texts, names and links."""
    number = str(appeal.number)
    texts = dict(zip(OWN_ANSWERS, (one.text for one in own), strict=False))
    return {
        Column.ID: appeal.external_id or number,
        Column.NUMBER: came.get(Column.NUMBER, number),
        Column.AGENCY: appeal.agency,
        Column.EXECUTOR: appeal.operator or came.get(Column.EXECUTOR, ""),
        Column.ANSWER: answers[0].text if answers else "",
        Column.TEXT_HAS_MEDIA: came.get(Column.TEXT_HAS_MEDIA, "Да" if appeal.has_media else "Нет"),
        Column.POST_LINK: appeal.link or "",
        Column.PAGE_LINK: came.get(Column.PAGE_LINK, appeal.page_link or ""),
        Column.TEXT: appeal.words or "",
        Column.AUDIENCE: came.get(Column.AUDIENCE, "" if appeal.members is None else str(appeal.members)),
        Column.AUTHOR_LINK: came.get(Column.AUTHOR_LINK, appeal.author_link or ""),
        **texts,
    }


def _whole(moment: datetime) -> datetime:
    return moment.replace(microsecond=0)


# The page of appeals is cut first: what belongs to one is looked up for these alone.
_APPEALS = text(
    """
    WITH a AS MATERIALIZED (
      SELECT * FROM appeal
      WHERE (written_at, id) > (:after, :after_id) AND written_at >= :after AND written_at < :until
        AND (CAST(:agencies AS bigint[]) IS NULL OR agency_id = ANY (CAST(:agencies AS bigint[])))
      ORDER BY written_at, id LIMIT :most)
    SELECT a.id, a.number, a.version, a.status, a.platform, a.agency_id, a.territory_id, a.topic_id, a.written_at, a.answered_at,
      a.closed_at, a.close_reason, n.name AS agency, o.name AS operator, coalesce(c.text, w.text) AS words,
      coalesce(c.link, w.link, p.link) AS link, g.link AS page_link, g.members, u.link AS author_link,
      coalesce(jsonb_array_length(c.attachments), 0) > 0 AS has_media, held.since AS assigned_at, i.external_id, i.cells
    FROM a JOIN agency n ON n.id = a.agency_id
    LEFT JOIN operator o ON o.id = a.operator_id
    LEFT JOIN appeal_text w ON w.appeal_id = a.id
    LEFT JOIN comment c ON c.id = a.comment_id
    LEFT JOIN post p ON p.id = a.post_id
    LEFT JOIN page g ON g.id = a.page_id
    LEFT JOIN author u ON u.id = a.author_id
    LEFT JOIN LATERAL (
      SELECT h.since FROM appeal_assignment h WHERE h.appeal_id = a.id ORDER BY h.since DESC, h.id DESC LIMIT 1) held ON true
    LEFT JOIN LATERAL (
      SELECT s.external_id, s.cells FROM appeal_origin s WHERE s.appeal_id = a.id AND s.system = 'incident' ORDER BY s.id LIMIT 1) i ON true
    ORDER BY a.written_at, a.id
    """
)
_ANSWERS = text(
    """
    SELECT appeal_id, agency_id, text, created_at, published_at FROM reply
    WHERE appeal_id = ANY (CAST(:ids AS bigint[])) AND state = 'sent' AND published_at IS NOT NULL
    ORDER BY published_at, id
    """
)
