"""Child processes in one tree: started, watched, started again, ended with us whatever ends us.

A child's standard input is a pipe that we hold: when it closes, even by our SIGKILL, the child ends itself
(`--with-parent`). Children lead their own process groups, so Ctrl+C reaches us alone and we stop them in order.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import sysconfig
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from app.kernel.errors import SetupError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

STOP_SECONDS = 15.0
_STEADY_SECONDS = 60.0
_PAUSES = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
_TAIL = 4000
_LOG_BYTES = 10_000_000


@dataclass(kw_only=True, slots=True)
class Child:
    """One process of the tree, by the arguments of `otklik`."""

    name: str
    arguments: tuple[str, ...]
    environment: Mapping[str, str]
    log: Path
    process: asyncio.subprocess.Process | None = None
    watcher: asyncio.Task[None] | None = None
    failures: int = field(default=0)

    async def start(self, *, stdout: int | None = None) -> asyncio.subprocess.Process:
        """Start it, its output appended to its log (or, with `stdout`, to a pipe)."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        if self.log.exists() and self.log.stat().st_size > _LOG_BYTES:
            self.log.replace(self.log.with_suffix(".old.log"))
        with self.log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-P",  # an `app` in the current directory is not ours
                "-m",
                "app",
                "--with-parent",
                *self.arguments,
                stdin=asyncio.subprocess.PIPE,
                stdout=log if stdout is None else stdout,
                stderr=log,
                env={**child_environment(), **self.environment},
                start_new_session=True,
            )
        return self.process

    async def stop(self) -> None:
        """Ask it to end, and insist after some seconds."""
        if self.watcher is not None:
            self.watcher.cancel()
            await asyncio.gather(self.watcher, return_exceptions=True)
        process = self.process
        if process is None or process.returncode is not None:
            return
        process.terminate()
        try:
            await asyncio.wait_for(process.wait(), STOP_SECONDS)
        except TimeoutError:
            process.kill()
            await process.wait()

    def last_line(self) -> str:
        """What it said last."""
        if not self.log.exists():
            return ""
        with self.log.open("rb") as log:
            log.seek(max(0, self.log.stat().st_size - _TAIL))
            lines = log.read().decode("utf-8", "replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "").removeprefix("otklik: ")


def child_environment() -> dict[str, str]:
    """Our environment, in which a child finds the same code as we run."""
    environment = dict(os.environ)  # noqa: TID251 - handed on, not read
    home = str(Path(__file__).resolve().parent.parent.parent)
    if home not in {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}:
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, (home, environment.get("PYTHONPATH"))))
    return environment


class Tree:
    """The children, in the order in which they were started; stopped in the opposite order."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._children: list[Child] = []
        self._say = say
        self._ready = False

    async def add(self, child: Child, *, stdout: int | None = None) -> asyncio.subprocess.Process:
        """Start a child and count it in."""
        self._children.append(child)
        return await child.start(stdout=stdout)

    def watch(self) -> None:
        """From now on start again whatever ends."""
        for child in self._children:
            child.watcher = asyncio.create_task(self._keep(child), name=f"watch {child.name}")

    def check(self) -> None:
        """Raise SetupError when a child has already ended: at the start that is a fault to be told, not mended."""
        for child in self._children:
            if child.process is not None and child.process.returncode is not None:
                line = child.last_line() or _ending(child.process.returncode)
                raise SetupError("setup.child", f"{child.name} does not start: {line} (its log is {child.log})")

    async def stop(self) -> None:
        """Stop all, the last started first."""
        while self._children:
            await self._children.pop().stop()

    async def _keep(self, child: Child) -> None:
        loop = asyncio.get_running_loop()
        while child.process is not None:
            started = loop.time()
            code = await child.process.wait()
            child.failures = 0 if loop.time() - started > _STEADY_SECONDS else child.failures + 1
            pause = _PAUSES[min(child.failures, len(_PAUSES)) - 1] if child.failures else _PAUSES[0]
            self._say(f"{child.name} ended ({_ending(code)}) and starts again in {pause:g} s; its log is {child.log}")
            await asyncio.sleep(pause)
            await child.start()


def _ending(code: int) -> str:
    if code < 0:
        return signal.Signals(-code).name
    return f"exit code {code}"
