"""The process tree of one machine: it mends itself, goes as a whole whatever ends it, and comes back with the same data."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from app.cli.tree import Child, Tree
from app.kernel.errors import SetupError
from tests.harness import free_port, lives

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 90.0


@pytest.fixture
def folder() -> Iterator[Path]:
    """A short path: the name of PostgreSQL's socket must fit."""
    with tempfile.TemporaryDirectory(prefix="otklik-up-", dir="/tmp", ignore_cleanup_errors=True) as made:
        yield Path(made)


class Machine:
    """`otklik up` in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port, self.worker_port = folder, free_port(), free_port()
        self.out = folder / "out.txt"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> subprocess.Popen[bytes]:
        given = os.environ.items()  # noqa: TID251 - handed on to the program under test
        kept = {name: value for name, value in given if not name.startswith("OTKLIK_")}
        settings = {**kept, "OTKLIK_DATA_DIR": str(self.folder / "var"), "OTKLIK_PORT": str(self.port), "PYTHONPATH": str(ROOT)}
        settings["OTKLIK_WORKER_PORT"] = str(self.worker_port)
        with self.out.open("w", encoding="utf-8") as out:
            self.process = subprocess.Popen([sys.executable, "-m", "app", "up"], cwd=ROOT, env=settings, stdout=out, stderr=out)
        self.wait(lambda: "Ctrl+C stops everything" in self.said() or self.process_ended())
        assert not self.process_ended(), self.said()
        return self.process

    def said(self) -> str:
        return self.out.read_text(encoding="utf-8")

    def process_ended(self) -> bool:
        return self.process is None or self.process.poll() is not None

    def children(self) -> dict[str, int]:
        """Our `otklik` processes by their command, and PostgreSQL."""
        assert self.process is not None
        found = {}
        for entry in Path("/proc").iterdir():
            try:
                command = (entry / "cmdline").read_text(encoding="utf-8").split("\0")
                parent = int((entry / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()[1])
            except (OSError, ValueError, IndexError):
                continue
            if parent == self.process.pid and "--with-parent" in command:
                found[command[command.index("--with-parent") + 1]] = int(entry.name)
        found["postgres"] = int((self.folder / "var" / "postgres" / "postmaster.pid").read_text(encoding="ascii").split("\n")[0])
        return found

    def ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health/ready", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def worker_says(self, path: str) -> str:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.worker_port}{path}", timeout=5) as answer:
                return str(answer.read().decode())
        except OSError:
            return ""

    def wait(self, until: Callable[[], bool]) -> None:
        end = time.monotonic() + PATIENCE
        while not until():
            assert time.monotonic() < end, self.said()
            time.sleep(0.1)


@pytest.mark.flows
@pytest.mark.timeout(400)
def test_it_mends_itself_and_goes_as_a_whole(folder: Path) -> None:
    machine = Machine(folder)
    process = machine.start()
    try:
        before = machine.children()
        assert set(before) == {"keep-database", "worker", "web", "postgres"}
        assert "operators invite" in machine.said(), "no demo data unless it is asked for"

        machine.wait(lambda: "otklik_timers_overdue 0.0" in machine.worker_says("/metrics"))
        assert machine.worker_says("/health/live") == '{"status":"ok"}'
        assert machine.worker_says("/elsewhere") == ""

        os.kill(before["web"], signal.SIGKILL)
        machine.wait(lambda: "web ended (SIGKILL)" in machine.said())
        os.kill(before["postgres"], signal.SIGKILL)
        machine.wait(lambda: "database ended" in machine.said())
        machine.wait(machine.ready)
        after = machine.children()
        assert after["web"] != before["web"]
        assert after["postgres"] != before["postgres"]

        process.kill()
        process.wait()
        machine.wait(lambda: not any(map(lives, after.values())))

        process = machine.start()
        children = machine.children()
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
        assert not any(map(lives, children.values()))
        assert machine.said().rstrip().endswith("Stopped.")
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


async def test_a_child_that_cannot_start_is_told_with_its_own_words(tmp_path: Path) -> None:
    environment = {"OTKLIK_DATABASE_URL": "mysql://nowhere/x", "OTKLIK_PORT": str(free_port())}
    child = Child(name="web", arguments=("web",), environment=environment, log=tmp_path / "log" / "web.log")
    said: list[str] = []
    tree = Tree(said.append)
    process = await tree.add(child)
    await process.wait()
    with pytest.raises(SetupError, match="web does not start: OTKLIK_DATABASE_URL names mysql"):
        tree.check()
    await tree.stop()


def test_the_last_words_are_the_last_line(tmp_path: Path) -> None:
    child = Child(name="x", arguments=(), environment={}, log=tmp_path / "x.log")
    assert child.last_line() == ""
    child.log.write_bytes(b"x" * 10_000 + "\nпервая\notklik: беда \xff\n\n".encode() + b"\xff\xfe\n \n")
    assert child.last_line() == "\ufffd\ufffd"
