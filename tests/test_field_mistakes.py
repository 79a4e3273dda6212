"""docs/field-mistakes.md keeps its word: each mistake of other systems has tests, and they are there."""

from __future__ import annotations

import re

import pytest

from tests.conftest import ROOT
from tests.test_security import known_tests

TABLES = ROOT / "docs" / "field-mistakes.md"
LEAST = {"Clocks": 39, "Threads, screens and operation": 14, "Measures": 17, "What the exchange file taught": 5}


def _rows(part: str) -> list[list[str]]:
    text = TABLES.read_text(encoding="utf-8").split(f"## {part}\n")[1].split("\n## ")[0]
    lines = [line for line in text.splitlines() if line.startswith("| ")][1:]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


@pytest.mark.parametrize("part", LEAST)
def test_every_mistake_has_tests_that_are_there(part: str) -> None:
    rows = _rows(part)
    assert len(rows) >= LEAST[part], "a row was taken away"
    for row in rows:
        assert len(row) == 2, row
        named = re.findall(r"`(tests/[^`]+\.py)::(test_\w+)`", row[1])
        assert named, row[0]
        for path, test in named:
            assert (ROOT / path).is_file(), path
            assert test in known_tests(path), f"{path} has no {test}"
