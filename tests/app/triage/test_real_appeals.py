"""On real texts: how much is found, and above all how little is lost. The figures are printed (`pytest -s`)."""

from __future__ import annotations

import csv
import hashlib
import sys
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from app.triage.classification import Classification, Sample
from tests.app.triage.vocabulary import groups_of, sample_classifier, sample_rows
from tests.conftest import shared

if TYPE_CHECKING:
    from pathlib import Path

LOST_CEILING = 0.01
OPENED_FLOOR = 0.86
COVERED_FLOOR = 0.95
GROUP_FLOOR = 0.73
TOP_3_FLOOR = 0.85
NAMED_TOPIC_FLOOR = 0.36
UNDECIDED_CEILING = 0.40
DISMISSED_FLOOR = 0.28

pytestmark = pytest.mark.timeout(120)


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def _held_out(text: str) -> bool:
    """Two fifths of the texts, chosen by hash, were not looked at while the words were collected."""
    return hashlib.sha256(text.encode()).digest()[0] % 5 >= 3


def _say(line: str) -> None:
    sys.stdout.write(f"\n{line}")


def _classified(rows: list[dict[str, str]]) -> list[Classification]:
    return sample_classifier().classify([Sample(text=row["text"]) for row in rows])


@pytest.mark.parametrize("held_out", [False, True], ids=["looked-at", "held-out"])
def test_appeals_are_opened_and_hardly_ever_dismissed(*, held_out: bool) -> None:
    rows = [row for row in _rows(shared("data/appeals_by_group.csv")) if _held_out(row["text"]) is held_out]
    fates = Counter(verdict.is_appeal for verdict in _classified(rows))
    opened, undecided, lost = (fates[fate] / len(rows) for fate in (True, None, False))
    _say(f"{len(rows)} real appeals: opened {opened:.3f}, before a person {undecided:.3f}, dismissed {lost:.4f}")
    assert lost <= LOST_CEILING
    assert opened >= OPENED_FLOOR


@pytest.mark.parametrize("held_out", [False, True], ids=["looked-at", "held-out"])
def test_topics_are_found(*, held_out: bool) -> None:
    rows = [row for row in _rows(shared("data/appeals_by_group.csv")) if _held_out(row["text"]) is held_out]
    names = {row["code"]: row["name"] for row in sample_rows("topics.csv")}
    groups = groups_of()
    right = covered = among_3 = named = named_right = 0
    for row, verdict in zip(rows, _classified(rows), strict=True):
        best = [names[groups[score.code]] for score in verdict.scores]
        covered += bool(best)
        right += best[:1] == [row["topic_group"]]
        among_3 += row["topic_group"] in best
        if row["topic"] and verdict.topic_code and verdict.topic_code != groups[verdict.topic_code]:
            named += 1
            named_right += names[verdict.topic_code] == row["topic"]
    count = len(rows)
    _say(
        f"{count} real appeals: any topic {covered / count:.3f}, group right {right / count:.3f}, "
        f"among three {among_3 / count:.3f}; topic named {named}, right {named_right / named:.3f}"
    )
    assert covered / count >= COVERED_FLOOR
    assert right / count >= GROUP_FLOOR
    assert among_3 / count >= TOP_3_FLOOR
    assert named_right / named >= NAMED_TOPIC_FLOOR


def test_a_page_s_stream_is_sorted() -> None:
    rows = _rows(shared("data/page_comments.csv"))
    fates = Counter(verdict.is_appeal for verdict in _classified(rows))
    opened, undecided, dismissed = (fates[fate] / len(rows) for fate in (True, None, False))
    _say(f"{len(rows)} page comments: opened {opened:.3f}, before a person {undecided:.3f}, dismissed {dismissed:.3f}")
    assert undecided <= UNDECIDED_CEILING
    assert dismissed >= DISMISSED_FLOOR
