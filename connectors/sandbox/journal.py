"""The world's memory: an append-only file of JSON lines."""

import fcntl
import json
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

Event = dict[str, Any]
log = logging.getLogger(__name__)


class JournalDamagedError(Exception):
    """A line before the last one cannot be read: the world would be rebuilt wrongly."""


class JournalBusyError(Exception):
    """Another sandbox writes to the same directory."""


class Journal:
    """Writes events down and gives them back in order; a torn last line is cut off and said."""

    def __init__(self, directory: Path | None) -> None:
        """Open the journal in `directory`; None keeps the world in memory only.

        Raises OSError when it cannot be written, JournalBusyError when another sandbox has it.
        """
        self.path: Path | None = None
        self._file: IO[bytes] | None = None
        if directory is not None:
            directory.mkdir(parents=True, exist_ok=True)
            self.path = directory / "world.jsonl"
            self._file = self.path.open("ab")
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                self._file.close()
                message = f"{directory} belongs to a sandbox that is running"
                raise JournalBusyError(message) from error

    def append(self, event: Event) -> None:
        """Write one event and hand it to the operating system before anybody hears of it."""
        if self._file is not None:
            # ASCII keeps lone surrogates of hostile texts writable.
            self._file.write(json.dumps(event, separators=(",", ":")).encode("ascii") + b"\n")
            self._file.flush()

    def replay(self) -> Iterator[Event]:
        """Every event written so far. Raises JournalDamagedError for a broken line that is not the last."""
        if self.path is None:
            return
        good = 0
        with self.path.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                event = _parse(line)
                if event is None:
                    rest = lines.read(1)
                    if rest:
                        message = f"{self.path}: line {number} cannot be read; move the file away to begin anew"
                        raise JournalDamagedError(message)
                    log.warning("%s: the last line was torn by a crash and is dropped (line %d)", self.path, number)
                    self._cut(good)
                    return
                good += len(line)
                yield event

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _cut(self, size: int) -> None:
        if self.path is not None:
            os.truncate(self.path, size)


def _parse(line: bytes) -> Event | None:
    if not line.endswith(b"\n"):
        return None
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) and "op" in event else None
