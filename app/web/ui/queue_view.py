"""From the filters in an address to what is asked of the database, and from its rows to what the queue shows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from app.appeals.filters import QueueFilters as Wanted
from app.appeals.queries import QueuePage as FoundPage, QueueRow as FoundRow
from app.appeals.rules import OPEN, WAITING, Status
from app.sources.rules import News
from app.web.ui import labels
from app.web.ui.fields import row_number
from app.web.ui.views import Choice, Due, Facet, FacetCounts, QueueFilters, QueuePage, QueueRow

if TYPE_CHECKING:
    from app.appeals.facets import FacetCounts as Counted
    from app.directory.service import Directory, TopicNode
    from app.people.rules import Access
    from app.web.ui.visit import Visit

MOST_CHOICES = 500
"""Of one filter; beyond that only what has appeals is offered, once it has been counted."""
_LONGEST = 200
_STATUSES: Mapping[str, frozenset[Status]] = {
    "": frozenset(),
    "open": OPEN,
    "all": frozenset(Status),
    **{status.value: frozenset({status}) for status in Status},
}


def filters_of(query: Mapping[str, str]) -> QueueFilters:
    """The filters that an address names; what they cannot be is left out."""
    status = query.get("status", "")
    return QueueFilters(
        mine=query.get("mine") == "1",
        overdue=query.get("overdue") == "1",
        trouble=query.get("trouble") == "1",
        status=status if status in _STATUSES else "",
        q=query.get("q", "").strip()[:_LONGEST],
        **{name: query.get(name, "")[:_LONGEST] for name in ("agency", "platform", "topic", "territory")},
    )


def wanted(filters: QueueFilters, directory: Directory) -> Wanted:
    """What is asked of the database. Something chosen that does not exist fits nothing."""
    return Wanted(
        mine=filters.mine,
        overdue=filters.overdue,
        trouble=filters.trouble,
        statuses=_STATUSES[filters.status],
        agency_ids=_below(filters.agency, directory.agencies, directory.agencies_under),
        topic_ids=_below(filters.topic, directory.topics, directory.topics_under),
        territory_ids=_below(filters.territory, directory.territories, directory.territories_under),
        platforms=(filters.platform,) if filters.platform else None,
        search=filters.q,
    )


def _below(value: str, known: Mapping[int, object], under: Callable[[int], tuple[int, ...]]) -> tuple[int, ...] | None:
    if not value:
        return None
    chosen = row_number(value)
    return under(chosen) if chosen is not None and chosen in known else ()


def queue_page(visit: Visit, filters: QueueFilters, found: FoundPage, *, first: bool = True, news: News = News.READ) -> QueuePage:
    """A page of the queue with its filters not yet counted."""
    return QueuePage(
        rows=tuple(_row(row, visit.access) for row in found.rows),
        filters=filters,
        facets=facet_view(visit, filters, None),
        next_cursor=None if found.next is None else str(found.next),
        first=first,
        news=news,
    )


def number_text(number: int) -> str:
    """An appeal's number as it stands in addresses and in the live channel."""
    return f"{number:09d}"


def _row(row: FoundRow, access: Access) -> QueueRow:
    waits = row.status in WAITING and row.due_at is not None
    return QueueRow(
        number=number_text(row.number),
        platform=row.platform,
        page=row.page_title or row.author_name or "",
        snippet=row.snippet,
        status=row.status.value,
        topic=row.topic_name or "",
        agency=row.agency_name,
        territory=row.territory_name,
        due=Due(due_at=row.due_at, near_at=row.near_at or row.due_at) if waits and row.due_at is not None else None,
        opened_at=row.opened_at,
        assignee=row.operator_name or "",
        mine=row.operator_id == access.operator_id,
        reply_state=row.reply_state.value if row.reply_state is not None else "",
        comments=max(row.comments, 1),
    )


# --- filters with their choices --------------------------------------------------------------------------------


def facet_view(visit: Visit, filters: QueueFilters, counted: Counted | None) -> FacetCounts:
    """The filters. Counted: only what has appeals, or is chosen; not yet counted: everything within reach."""
    directory = visit.office.desk.directory
    facets = (
        _statuses(visit, filters, counted),
        Facet(name="agency", choices=_agencies(visit, filters.agency, None if counted is None else counted.agencies)),
        Facet(name="platform", choices=_platforms(visit, filters.platform, None if counted is None else counted.platforms)),
        Facet(name="topic", choices=_topics(directory, filters.topic, None if counted is None else counted.topics)),
        Facet(name="territory", choices=_territories(visit, filters.territory, None if counted is None else counted.territories)),
    )
    if counted is None:
        return FacetCounts(facets=facets)
    return FacetCounts(facets=facets, mine=counted.mine, overdue=counted.overdue, trouble=counted.trouble, capped=counted.capped)


def _statuses(visit: Visit, filters: QueueFilters, counted: Counted | None) -> Facet:
    counts: dict[str, int | None] = dict.fromkeys(labels.STATUS_FILTER)
    if counted is not None:
        counts |= {"": sum(counted.statuses.values())} | {status.value: counted.statuses.get(status, 0) for status in WAITING}
    return Facet(
        name="status",
        choices=tuple(
            Choice(value=value, label=visit.words("status_filter", value), count=counts[value], chosen=filters.status == value)
            for value in labels.STATUS_FILTER
        ),
    )


def _platforms(visit: Visit, chosen: str, counts: Mapping[str, int] | None) -> tuple[Choice, ...]:
    values = list(visit.parts.plugins) if counts is None else sorted(counts, key=lambda value: (-counts[value], value))
    if chosen and chosen not in values:
        values.append(chosen)
    return tuple(
        Choice(
            value=value,
            label=visit.words("platform", value),
            count=None if counts is None else counts.get(value, 0),
            chosen=value == chosen,
        )
        for value in values
    )


def _agencies(visit: Visit, chosen: str, counts: Mapping[int, int] | None) -> tuple[Choice, ...]:
    nodes = visit.office.desk.directory.agencies
    rolled = _rolled(counts, {key: node.lineage for key, node in nodes.items()})
    if rolled is None:
        shown = [key for key, node in nodes.items() if _in_reach(visit.access, agency_id=key, territory_id=node.territory_id)]
        shown = [] if len(shown) > MOST_CHOICES else shown
    else:
        shown = list(rolled)
    return _named({key: nodes[key].name for key in _with_chosen(shown, chosen, nodes)}, chosen, rolled)


def _territories(visit: Visit, chosen: str, counts: Mapping[int, int] | None) -> tuple[Choice, ...]:
    nodes = visit.office.desk.directory.territories
    rolled = _rolled(counts, {key: node.lineage for key, node in nodes.items()})
    shown = list(nodes if rolled is None else rolled)
    shown = [] if rolled is None and len(shown) > MOST_CHOICES else shown
    return _named({key: nodes[key].name for key in _with_chosen(shown, chosen, nodes)}, chosen, rolled)


def _in_reach(access: Access, *, agency_id: int, territory_id: int) -> bool:
    return access.whole or agency_id in access.agency_ids or territory_id in access.territory_ids


def _topics(directory: Directory, chosen: str, counts: Mapping[int | None, int] | None) -> tuple[Choice, ...]:
    """Under their groups; the group itself, which holds all of them, stands first."""
    nodes = directory.topics
    known = None if counts is None else {key: count for key, count in counts.items() if key is not None}
    rolled = _rolled(known, {key: node.lineage for key, node in nodes.items()})
    shown = list(nodes if rolled is None else rolled)
    shown = [] if rolled is None and len(shown) > MOST_CHOICES else shown
    return tuple(
        Choice(
            value=str(key),
            label=nodes[key].name,
            count=None if rolled is None else rolled.get(key, 0),
            group=group_of(nodes[key], nodes),
            chosen=str(key) == chosen,
        )
        for key in sorted(_with_chosen(shown, chosen, nodes), key=lambda key: topic_order(nodes[key], nodes))
    )


def group_of(topic: TopicNode, nodes: Mapping[int, TopicNode]) -> str:
    """The name of the group in which a topic stands; a group stands in itself."""
    return nodes[topic.lineage[-1]].name


def topic_order(topic: TopicNode, nodes: Mapping[int, TopicNode]) -> tuple[str, int, str]:
    """Groups by name, each before its topics by name."""
    return sorting(group_of(topic, nodes)), len(topic.lineage), sorting(topic.name)


def sorting(name: str) -> str:
    """The key by which Russian names are sorted."""
    return name.lower().replace("ё", "е")


def _rolled(counts: Mapping[int, int] | None, lineages: Mapping[int, tuple[int, ...]]) -> dict[int, int] | None:
    """What stands below counts above."""
    if counts is None:
        return None
    rolled: dict[int, int] = {}
    for key, count in counts.items():
        for above in lineages.get(key, ()):
            rolled[above] = rolled.get(above, 0) + count
    return rolled


def _with_chosen(shown: list[int], chosen: str, nodes: Mapping[int, object]) -> list[int]:
    key = row_number(chosen)
    return [*shown, key] if key is not None and key in nodes and key not in shown else shown


def _named(names: Mapping[int, str], chosen: str, rolled: Mapping[int, int] | None) -> tuple[Choice, ...]:
    return tuple(
        Choice(value=str(key), label=name, count=None if rolled is None else rolled.get(key, 0), chosen=str(key) == chosen)
        for key, name in sorted(names.items(), key=lambda item: (sorting(item[1]), item[0]))
    )
