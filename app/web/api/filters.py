"""The filters of a list in an address: codes of the directory become ids, each with all below it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Protocol

from fastapi import Query

from app.appeals.filters import Cursor, QueueFilters
from app.appeals.rules import Status
from app.directory.service import Directory
from app.kernel.errors import InvalidError
from app.web.deps import CurrentOffice

_Codes = Annotated[list[str] | None, Query(max_length=50)]


class _Coded(Protocol):
    @property
    def id(self) -> int: ...

    @property
    def code(self) -> str: ...


async def asked_filters(
    office: CurrentOffice,
    *,
    status: Annotated[
        list[Status] | None, Query(description="Those that wait (new, in_work) unless given; with `q` or `trouble`: any")
    ] = None,
    mine: Annotated[bool, Query(description="Those that the asker has taken")] = False,
    overdue: Annotated[bool, Query(description="The nearest deadline has passed")] = False,
    trouble: Annotated[bool, Query(description="An answer failed, or nobody can tell whether it stands")] = False,
    agency: _Codes = None,
    platform: _Codes = None,
    topic: _Codes = None,
    territory: _Codes = None,
    q: Annotated[str, Query(max_length=200, description="Words of the citizen, or the number")] = "",
) -> QueueFilters:
    """The filters. InvalidError for a code that is not in the directory."""
    directory = office.desk.directory
    return QueueFilters(
        mine=mine,
        overdue=overdue,
        trouble=trouble,
        statuses=frozenset(status or ()),
        agency_ids=_below("agency", agency, directory.agencies, directory.agencies_under),
        platforms=None if platform is None else tuple(platform),
        topic_ids=_below("topic", topic, directory.topics, directory.topics_under),
        territory_ids=_below("territory", territory, directory.territories, directory.territories_under),
        search=q,
    )


def _below(
    field: str, codes: Sequence[str] | None, nodes: Mapping[int, _Coded], under: Callable[[int], tuple[int, ...]]
) -> tuple[int, ...] | None:
    """The ids of these codes with all below them; None when none is asked for."""
    if codes is None:
        return None
    ids = {node.code: node.id for node in nodes.values()}
    return tuple(sorted({one for code in codes for one in under(id_of(field, code, ids))}))


def id_of(field: str, code: str, ids: Mapping[str, int]) -> int:
    """The id of a code. InvalidError when there is none."""
    found = ids.get(code)
    if found is None:
        raise InvalidError(f"{field}.unknown", f"There is no {field} with this code.", field=field)
    return found


def agency_id(directory: Directory, code: str | None) -> int | None:
    """Of an agency's code. InvalidError when there is none."""
    return None if code is None else id_of("agency", code, {node.code: node.id for node in directory.agencies.values()})


def territory_id(directory: Directory, code: str | None) -> int | None:
    """Of a territory's code. InvalidError when there is none."""
    return None if code is None else id_of("territory", code, {node.code: node.id for node in directory.territories.values()})


def topic_id(directory: Directory, code: str | None) -> int | None:
    """Of a topic's code. InvalidError when there is none."""
    return None if code is None else id_of("topic", code, directory.topic_ids)


def cursor_of(value: str | None) -> Cursor | None:
    """The cursor in an address. InvalidError when it is none."""
    return None if value is None else Cursor.parse(value)
