"""Readers of what platforms send, fuzzed with bytes that grow towards code not reached yet: a command, not a test.

    make fuzz-guided [FUZZ_SECONDS=600]

The same readers as tests/connectors/test_fuzz.py, beginning with what was recorded of each platform. What is found stands in
a file crash-…: its first byte chooses the reader, the rest is the JSON that it was given.
"""

from __future__ import annotations

import json
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

with atheris.instrument_imports(include=["connectors"]):
    from connectors.contract import UnknownPayload
    from connectors.payload import OddError, readable_json
    from tests.connectors.test_fuzz import READERS, RECORDED

NAMES = sorted(READERS)


def read(data: bytes) -> None:
    """One input: whatever is no JSON is given as words."""
    if not data:
        return
    name = NAMES[data[0] % len(NAMES)]
    try:
        answer: object = json.loads(readable_json(data[1:]))
    except (ValueError, RecursionError):
        answer = data[1:].decode("utf-8", "replace")
    with suppress(OddError, UnknownPayload):
        READERS[name](answer)


def seeds(folder: Path) -> None:
    """What was recorded, for each reader of its platform."""
    for number, (module, _) in enumerate(NAMES):
        for label, one in RECORDED.get(module.partition(".")[0], {}).items():
            answer = one["result"] if isinstance(one, dict) and "result" in one else one
            path = folder / f"{number}-{''.join(letter for letter in label if letter.isalnum())}"
            path.write_bytes(bytes([number]) + json.dumps(answer).encode())


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as corpus:
        seeds(Path(corpus))
        atheris.Setup([*sys.argv, "-max_len=65536", "-rss_limit_mb=4096", corpus], read)
        atheris.Fuzz()
