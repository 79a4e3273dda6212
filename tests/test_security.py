"""SECURITY.md keeps its word: each class of holes stands there with the tests that cover it, and those tests exist."""

from __future__ import annotations

import ast
import re
from functools import cache

import pytest

from tests.conftest import ROOT

# Classes with evidence from systems of this kind, by a word that each row must have.
CLASSES = (
    "list, filter or search", "side doors", "live channels", "notes", "attachments", "stored scripts", "inner addresses", "forged identity",
    "invitations", "sign-in header", "injection into headers", "sequential numbers",
)  # fmt: skip


def _rows() -> list[list[str]]:
    text = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    part = text.split("## Holes that others had")[1].split("\n## ")[0]
    lines = [line for line in part.splitlines() if line.startswith("| ") and not line.startswith("| class |")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


@cache
def known_tests(path: str) -> frozenset[str]:
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


@pytest.mark.parametrize("name", CLASSES)
def test_every_class_of_holes_has_its_tests(name: str) -> None:
    found = [row for row in _rows() if name in row[0]]
    assert len(found) == 1, f"SECURITY.md has {len(found)} rows about {name}"
    row = found[0]
    assert len(row) == 3
    named = re.findall(r"`(tests/[^`]+\.py)::(test_\w+)`", row[2])
    assert named, "name the tests that cover it"
    for path, test in named:
        assert (ROOT / path).is_file(), path
        assert test in known_tests(path), f"{path} has no {test}"


def test_the_table_has_no_other_rows() -> None:
    assert len(_rows()) == len(CLASSES)
