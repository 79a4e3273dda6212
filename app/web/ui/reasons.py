"""Reasons of triage, routing and the clock: ids and codes in them become names, so that a sentence can hold them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from app.web.ui.views import Reason

if TYPE_CHECKING:
    from app.directory.service import Directory

_TOPICS = ("topic", "first", "second")


def triage_reasons(stored: Iterable[Mapping[str, Any]], directory: Directory) -> tuple[Reason, ...]:
    """Of a verdict: topics are named by their code there."""
    found = []
    for one in stored:
        params = dict(one.get("params", {}))
        for name in _TOPICS:
            topic_id = directory.topic_id(str(params[name])) if name in params else None
            if topic_id is not None:
                params[name] = directory.topics[topic_id].name
        found.append(Reason(code=str(one.get("code", "")), params=params))
    return tuple(found)


def route_reasons(stored: Mapping[str, Any], directory: Directory, page_title: str) -> tuple[Reason, ...]:
    """Of a verdict's route: the rule in words, as page × place × topic."""
    if not stored.get("code"):
        return ()
    params = dict(stored.get("params", {}))
    place, topic = directory.territories.get(params.get("territory", 0)), directory.topics.get(params.get("topic", 0))
    names = (page_title if "page" in params else "", place.name if place else "", topic.name if topic else "")
    params["rule"] = " × ".join(name for name in names if name) or f"№ {params.get('rule', '')}"
    return (Reason(code=str(stored["code"]), params=params),)


def policy_reasons(stored: Sequence[Mapping[str, Any]], *, code: str, name: str) -> tuple[Reason, ...]:
    """Of a timer's choice: the chosen policy goes by its name."""
    return tuple(
        Reason(
            code=str(one.get("code", "")),
            params={key: name if key == "policy" and value == code else value for key, value in one.items() if key != "code"},
        )
        for one in stored
    )
