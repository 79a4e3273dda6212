"""Lists to choose from: who answers, and about what."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.web.ui.queue_view import group_of, sorting, topic_order
from app.web.ui.views import Choice

if TYPE_CHECKING:
    from app.directory.service import Directory


def agency_choices(directory: Directory, chosen: str = "") -> tuple[Choice, ...]:
    """All agencies by name, with their place."""
    nodes = sorted(directory.agencies.values(), key=lambda node: (sorting(node.name), node.id))
    return tuple(
        Choice(
            value=str(node.id),
            label=node.name,
            hint=directory.territories[node.territory_id].name if node.territory_id in directory.territories else "",
            chosen=str(node.id) == chosen,
        )
        for node in nodes
    )


def topic_choices(directory: Directory, chosen: str, *, whole: str) -> tuple[Choice, ...]:
    """All topics under their groups; a group can be chosen itself (`whole` says so), when nothing in it fits better."""
    nodes = directory.topics
    above = {node.parent_id for node in nodes.values()}
    return tuple(
        Choice(
            value=str(node.id),
            label=node.name,
            group=group_of(node, nodes),
            hint=whole if node.id in above else "",
            chosen=str(node.id) == chosen,
        )
        for node in sorted(nodes.values(), key=lambda node: (*topic_order(node, nodes), node.id))
    )
