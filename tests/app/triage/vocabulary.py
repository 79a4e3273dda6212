"""The sample region's topics, as tests of triage need them."""

from __future__ import annotations

import csv
from importlib import resources

from app.triage.classifiers.keywords import KeywordClassifier
from app.triage.classifiers.tree import TopicTerms


def sample_rows(name: str) -> list[dict[str, str]]:
    """The rows of one table of the sample region."""
    text = resources.files("app.sample").joinpath(name).read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


def sample_terms() -> list[TopicTerms]:
    """Its topics with their keywords."""
    return [TopicTerms(code=row["code"], parent=row["parent"] or None, keywords=row["keywords"]) for row in sample_rows("topics.csv")]


def sample_classifier() -> KeywordClassifier:
    """A classifier over them."""
    return KeywordClassifier(sample_terms())


def groups_of() -> dict[str, str]:
    """The group of each topic code; a group is its own."""
    return {row["code"]: row["parent"] or row["code"] for row in sample_rows("topics.csv")}
