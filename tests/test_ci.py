"""What a machine runs for each change, against a `make` that says what a real one might."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import ROOT

GOOD = """
== unit, app, web
1402 passed, 3 skipped in 201.77s (0:03:21)
== flows
======= 41 passed, 1 deselected in 61.20s =======
All tests passed.
"""
SKIPPED = "SKIPPED [2] tests/app/triage/test_real_appeals.py:40: needs ../shared/data/appeals_by_group.csv"


@dataclass
class Place:
    """A project with nothing in it but the script, and a `make` of our own."""

    project: Path
    programs: Path

    def run(self, says: str, *, status: int = 0) -> tuple[int, str]:
        (self.programs / "said").write_text(says, encoding="utf-8")
        make = self.programs / "make"
        make.write_text(f'#!/bin/sh\necho "asked: $* with $PYTEST_ADDOPTS"\ncat {self.programs}/said\nexit {status}\n', encoding="utf-8")
        make.chmod(0o755)
        done = subprocess.run(  # noqa: S603 - our own script
            [str(self.project / ".ci/run")],
            env={"PATH": f"{self.programs}:{os.defpath}"},
            cwd="/",
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout


@pytest.fixture
def place(tmp_path: Path) -> Place:
    project, programs = tmp_path / "project", tmp_path / "programs"
    (project / ".ci").mkdir(parents=True)
    programs.mkdir()
    shutil.copy(ROOT / ".ci/run", project / ".ci/run")
    return Place(project, programs)


def test_it_asks_make_for_the_tests_and_repeats_their_closing_lines(place: Place) -> None:
    status, said = place.run(GOOD)
    assert status == 0
    assert "asked: test with" in said
    assert "-rs" in said
    assert said.splitlines()[-2:] == [
        "1402 passed, 3 skipped in 201.77s (0:03:21)",
        "======= 41 passed, 1 deselected in 61.20s =======",
    ]


def test_a_failure_is_a_failure(place: Place) -> None:
    status, said = place.run("1 failed, 1401 passed in 200.00s\nFAILED: unit\n", status=2)
    assert status == 2
    assert said.splitlines()[-1] == "1 failed, 1401 passed in 200.00s"


def test_a_test_may_not_skip_itself_when_shared_is_there(place: Place) -> None:
    (place.project.parent / "shared").mkdir()
    status, said = place.run(f"{SKIPPED}\n{GOOD}")
    assert status == 1
    assert "it is there" in said


def test_a_test_may_skip_itself_when_shared_is_not_there(place: Place) -> None:
    status, _ = place.run(f"{SKIPPED}\n{GOOD}")
    assert status == 0


def test_tests_that_never_ended_are_a_failure(place: Place) -> None:
    status, said = place.run("Installing the locked dependencies…\n")
    assert status == 1
    assert "no phase" in said


def test_each_test_is_run_by_one_phase() -> None:
    """Phases collect only their own folders, which is quicker: a test that is marked elsewhere would be run by none of them."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    found = re.findall(r'phase "[\w, ]+" [^;]*?-m "?([\w ]+?)"? (tests/[^;]+);', makefile)
    phases = {marker: paths.split() for markers, paths in found for marker in markers.split(" or ")}
    assert set(phases) == {"isolation", "flows", "chaos", "browser", "fuzz", "wheel"}
    files = {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py")}
    apart = {}
    for marker, paths in phases.items():
        apart[marker] = {file for file, text in files.items() if re.search(rf"pytest\.mark\.{marker}\b", text)}
        assert apart[marker], marker
        assert {file for file in apart[marker] if not any(Path(file).is_relative_to(path) for path in paths)} == set()
    for ignored in re.findall(r"--ignore (\S+?)[;\s]", makefile):
        within = {file for file in files if Path(file).is_relative_to(ignored)}
        marked = re.compile(r"^pytestmark = .*pytest\.mark\.(isolation|flows|chaos|browser|fuzz|wheel)\b", re.MULTILINE)
        assert within == {file for file in within if marked.search(files[file])}, ignored
