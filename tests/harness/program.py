"""One process of `otklik`: started, killed, started again, always ended with the test."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).resolve().parents[2]
STOP_SECONDS = 15.0
_TAIL_BYTES = 6_000


def free_port() -> int:
    """A loopback port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def lives(pid: int) -> bool:
    """Whether a process still runs: one that only waits to be reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@dataclass(kw_only=True)
class Program:
    """`otklik` with these arguments. Its standard input is ours: it ends even when the test is killed."""

    name: str
    arguments: tuple[str, ...]
    environment: Mapping[str, str]
    log: Path
    kills: int = field(default=0)
    _process: subprocess.Popen[bytes] | None = field(default=None)

    def start(self) -> None:
        """Start it; its output goes to the end of its log."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("OTKLIK_")}  # noqa: TID251 - handed on
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own program
                [sys.executable, "-m", "app", "--with-parent", *self.arguments],
                cwd=ROOT,
                env={**inherited, **self.environment},
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    @property
    def pid(self) -> int | None:
        """Of the running process."""
        return None if self._process is None else self._process.pid

    def alive(self) -> bool:
        """Whether it runs."""
        return self._process is not None and self._process.poll() is None

    def kill(self) -> None:
        """SIGKILL: whatever it was doing ends in the middle."""
        self._end(signal.SIGKILL)
        self.kills += 1

    def ask_to_end(self) -> None:
        """SIGTERM, without waiting for it."""
        if self.alive() and self._process is not None:
            self._process.terminate()

    def stop(self) -> int | None:
        """Ask it to end, insist after some seconds; its exit code."""
        return self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> int | None:
        process, self._process = self._process, None
        if process is None:
            return None
        if process.poll() is None:
            process.send_signal(number)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(STOP_SECONDS)
        if process.stdin is not None:
            process.stdin.close()
        return process.returncode

    def tail(self) -> str:
        """What it said last."""
        if not self.log.exists():
            return ""
        with self.log.open("rb") as log:
            log.seek(max(0, self.log.stat().st_size - _TAIL_BYTES))
            return log.read().decode("utf-8", "replace")
