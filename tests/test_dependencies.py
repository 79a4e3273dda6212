"""The lock files are whole; a lock that is not is refused."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import ROOT

if TYPE_CHECKING:
    from types import ModuleType


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    spec: Any = importlib.util.spec_from_file_location("check_dependencies", ROOT / "tools" / "check_dependencies.py")
    module: ModuleType = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_locks_are_whole(tool: Any) -> None:
    for name, extras in tool.LOCKS.items():
        assert tool.faults_of_lock((ROOT / name).read_text(encoding="utf-8"), tool.wanted_by_project(extras)) == [], name


@pytest.mark.parametrize(
    ("lock", "wanted", "fault"),
    [
        ("a==1 \\\n    --hash=sha256:00\n", ["a>=2"], "a is locked at 1"),
        ("a==1 \\\n    --hash=sha256:00\n", ["b"], "missing: b"),
        ("a==1\n", ["a"], "without a hash: a"),
        ("a>=1 \\\n    --hash=sha256:00\n", [], "not pinned"),
        ("--index-url https://example.invalid/\n", [], "an option stands in it"),
        ("a @ https://example.invalid/a.whl \\\n    --hash=sha256:00\n", [], "not pinned"),
    ],
)
def test_a_lock_that_is_not_whole_is_refused(tool: Any, lock: str, wanted: list[str], fault: str) -> None:
    assert fault in "; ".join(tool.faults_of_lock(lock, wanted))
