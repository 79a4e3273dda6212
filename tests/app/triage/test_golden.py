"""Invented comments with labels: what the classifier must not unlearn."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from app.triage.classification import Classification, Sample
from app.triage.rules import Kind
from tests.app.triage.vocabulary import groups_of, sample_classifier

if TYPE_CHECKING:
    from app.triage.classifiers.keywords import KeywordClassifier

GOLDEN = Path(__file__).with_name("golden.csv")
GROUP_FLOOR = 0.95
KIND_FLOOR = 0.95


@pytest.fixture(scope="module")
def classifier() -> KeywordClassifier:
    return sample_classifier()


@pytest.fixture(scope="module")
def golden() -> list[dict[str, str]]:
    with GOLDEN.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def verdicts(classifier: KeywordClassifier, golden: list[dict[str, str]]) -> list[Classification]:
    return classifier.classify([Sample(text=row["text"]) for row in golden])


def test_is_worth_its_name(golden: list[dict[str, str]]) -> None:
    kinds = Counter(row["kind"] for row in golden)
    assert len(golden) >= 60
    assert {Kind(kind) for kind in kinds} == set(Kind) - {Kind.PAGE_VOICE}


def test_no_appeal_is_dismissed(golden: list[dict[str, str]], verdicts: list[Classification]) -> None:
    lost = [
        row["text"]
        for row, verdict in zip(golden, verdicts, strict=True)
        if row["kind"] in {"appeal", "undecided"} and verdict.is_appeal is False
    ]
    assert lost == []


def test_nothing_light_opens_an_appeal(golden: list[dict[str, str]], verdicts: list[Classification]) -> None:
    opened = [
        row["text"]
        for row, verdict in zip(golden, verdicts, strict=True)
        if row["kind"] not in {"appeal", "undecided"} and verdict.is_appeal
    ]
    assert opened == []


def test_kinds_are_right(golden: list[dict[str, str]], verdicts: list[Classification]) -> None:
    wrong = [
        (row["text"], row["kind"], verdict.kind.value) for row, verdict in zip(golden, verdicts, strict=True) if row["kind"] != verdict.kind
    ]
    assert len(wrong) <= (1 - KIND_FLOOR) * len(golden), wrong


def test_what_has_no_words_is_known_for_sure(golden: list[dict[str, str]], verdicts: list[Classification]) -> None:
    wordless = {Kind.EMOJI, Kind.LINK, Kind.MENTION}
    pairs = [(row["kind"], verdict.kind) for row, verdict in zip(golden, verdicts, strict=True)]
    assert [pair for pair in pairs if wordless & {*pair} and pair[0] != pair[1]] == []


def test_groups_are_right(golden: list[dict[str, str]], verdicts: list[Classification]) -> None:
    groups = groups_of()
    rows = [(row, verdict) for row, verdict in zip(golden, verdicts, strict=True) if row["group"]]
    wrong = [
        (row["text"], row["group"], verdict.topic_code) for row, verdict in rows if groups.get(verdict.topic_code or "") != row["group"]
    ]
    assert len(wrong) <= (1 - GROUP_FLOOR) * len(rows), wrong
