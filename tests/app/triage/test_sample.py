"""The sample region hangs together: codes exist, every group has an agency everywhere, the world fits the pages."""

from __future__ import annotations

import json
import re
from importlib import resources
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from app.triage.routing import Place, Router, Rule
from app.triage.rules import ReasonCode
from app.triage.vocabulary import parse_keywords
from tests.app.triage.vocabulary import sample_classifier, sample_rows
from tests.conftest import shared

CODE = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
OWN = "@page"


def world() -> dict[str, Any]:
    text = resources.files("app.sample").joinpath("world.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


def codes(table: str) -> dict[str, dict[str, str]]:
    return {row["code"]: row for row in sample_rows(table)}


def page_key(row: dict[str, str]) -> str:
    return f"{row['platform']}:{row['link'].rsplit('/', 1)[-1]}"


def lineage(table: dict[str, dict[str, str]], code: str) -> tuple[str, ...]:
    found: tuple[str, ...] = ()
    while code:
        found += (code,)
        code = table[code]["parent"]
    return found


@pytest.mark.parametrize("table", ["territories.csv", "agencies.csv", "topics.csv", "spheres.csv"])
def test_codes_are_short_stable_slugs_and_parents_exist(table: str) -> None:
    rows = sample_rows(table)
    known = codes(table)
    assert len(known) == len(rows)
    for row in rows:
        assert CODE.fullmatch(row["code"])
        assert len(row["code"]) <= 40
        assert row["name"].strip()
        if row.get("parent"):
            assert row["parent"] in known
            assert lineage(known, row["code"])


def test_references_lead_somewhere() -> None:
    territories, agencies, topics, spheres = (codes(f"{t}.csv") for t in ("territories", "agencies", "topics", "spheres"))
    pages = {page_key(row): row for row in sample_rows("pages.csv")}
    for row in territories.values():
        assert not row["timezone"] or ZoneInfo(row["timezone"])
    for row in agencies.values():
        assert row["territory"] in territories
    for row in pages.values():
        assert row["agency"] in agencies
        assert row["territory"] in territories
        assert row["sphere"] in spheres
    for row in sample_rows("rules.csv"):
        assert not row["page"] or row["page"] in pages
        assert not row["territory"] or row["territory"] in territories
        assert not row["topic"] or row["topic"] in topics
        assert row["agency"] == OWN or row["agency"] in agencies
        assert row["comment"]


def test_topics_carry_words_and_a_weight() -> None:
    for row in sample_rows("topics.csv"):
        assert parse_keywords(row["keywords"]), row["code"]
        assert row["weight"] in set("12345")
    assert sample_classifier().version


def test_the_tree_is_the_real_one() -> None:
    tree: dict[str, list[str]] = json.loads(shared("data/topics.json").read_text(encoding="utf-8"))["topic_groups"]
    topics = codes("topics.csv")
    ours = {(row["name"], topics[row["parent"]]["name"]) for row in topics.values() if row["parent"]}
    assert ours == {(topic, group) for topic, groups in tree.items() for group in groups}


def test_every_group_has_an_agency_on_every_page() -> None:
    territories, agencies, topics = (codes(f"{table}.csv") for table in ("territories", "agencies", "topics"))
    pages = {page_key(row): row for row in sample_rows("pages.csv")}
    number = {name: index for index, name in enumerate([*territories, *agencies, *topics, *pages])}
    rules = [
        Rule(
            id=index,
            page_id=number.get(row["page"]),
            territory_id=number.get(row["territory"]),
            topic_id=number.get(row["topic"]),
            agency_id=None if row["agency"] == OWN else number[row["agency"]],
        )
        for index, row in enumerate(sample_rows("rules.csv"), start=1)
    ]
    router = Router(rules)
    for key, page in pages.items():
        for topic in topics:
            route = router.choose(
                Place(
                    page_id=number[key],
                    territory_ids=tuple(number[code] for code in lineage(territories, page["territory"])),
                    topic_ids=tuple(number[code] for code in lineage(topics, topic)),
                    page_agency_id=number[page["agency"]],
                )
            )
            assert route.agency_id is not None, (key, topic)
    nowhere = Place(page_id=number["vk:zarechny_rayon"], page_agency_id=number["adm-zarechny"])
    assert router.choose(nowhere).reason.code is ReasonCode.NO_RULE_FOR_UNKNOWN_TOPIC


def test_the_world_fits_the_pages() -> None:
    known = {page_key(row): row for row in sample_rows("pages.csv")}
    content = world()
    seen = {f"{page['platform']}:{page['page']}": page for page in content["pages"]}
    bots = {key for key, page in seen.items() if page["platform"] == "viber"}
    assert bots, "a bot to try private messages with: an administrator connects it, and not the sample"
    assert seen.keys() - bots == known.keys()
    for key in known:
        page = seen[key]
        number = page["id"]
        external = {"vk": -number, "ok": number, "telegram": -1_000_000_000_000 - number, "max": -number}[page["platform"]]
        assert str(external) == known[key]["external_id"]
        assert page["title"] == known[key]["title"]
        assert page["posts"]
    kinds = {(token["platform"], token.get("kind", "bot")) for token in content["tokens"]}
    assert kinds >= {("vk", "user"), ("vk", "service"), ("vk", "community"), ("telegram", "bot")}


def comments(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [found for item in items for found in (item, *comments(item.get("replies", [])))]


def test_the_world_is_alive() -> None:
    posts = [post for page in world()["pages"] if page["platform"] != "viber" for post in page["posts"]]
    written = [comment for post in posts for comment in comments(post["comments"])]
    assert len(posts) >= 30
    assert len(written) >= 60
    assert all(0 <= comment["hours_ago"] <= 20 for comment in written if "at" not in comment)
    assert all(1 <= one["days_ago"] <= 13 for one in (*posts, *written) if "at" in one), "watched from fourteen days before"
    assert any(comment.get("photo") and not comment["text"] for comment in written)
    assert any(comment.get("as_page") for comment in written)
    for post in posts:
        assert all(_moment(comment) >= _moment(post) for comment in comments(post["comments"]))
        for comment in post["comments"]:
            assert all(_moment(reply) >= _moment(comment) for reply in comments(comment.get("replies", [])))


def _moment(item: dict[str, Any]) -> tuple[float, str]:
    """Comparable among times of day, and later than those for what happened within the last hours."""
    return (-item["days_ago"], item["at"]) if "at" in item else (0.0, f"{100 - item['hours_ago']:09.4f}")
