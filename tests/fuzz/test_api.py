"""The whole OpenAPI document against the running service: no 500, no answer that the document does not promise.

`make test` spends a minute on it, `make fuzz` ten; `--fuzz-seconds` says any other time.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import httpx
import pytest
import pytest_asyncio

from app.kernel.clock import SystemClock
from app.people.api_tokens import create_service_token
from app.people.rules import Grant, Role
from tests.harness import Program, free_port
from tests.harness.program import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy.engine import URL

    from app.kernel.db import Database
    from tests.isolation.town import Town

READY_SECONDS = 60.0
ENDING_SECONDS = 120.0
"""What is under way when the time is up may still end, and a failure be made small."""

FEWEST = 100
SHORT_SECONDS = 60

pytestmark = [pytest.mark.fuzz, pytest.mark.timeout(0)]


@pytest.fixture
def service(database_url: URL, tmp_path: Path) -> Iterator[str]:
    """The web process of its own, over a region that holds one of everything; its address."""
    port = free_port()
    url = database_url.set(drivername="postgresql").render_as_string(hide_password=False)
    settings = {"OTKLIK_DATABASE_URL": url, "OTKLIK_PORT": str(port), "OTKLIK_DATA_DIR": str(tmp_path), "OTKLIK_LOG_LEVEL": "WARNING"}
    program = Program(name="web", arguments=("web",), environment=settings, log=tmp_path / "web.log")
    program.start()
    address = f"http://127.0.0.1:{port}"
    until = time.monotonic() + READY_SECONDS
    while not _answers(f"{address}/health/ready"):
        assert program.alive(), program.tail()
        assert time.monotonic() < until, program.tail()
        time.sleep(0.1)
    yield address
    program.stop()
    assert "Traceback" not in program.tail(), program.tail()


def _answers(address: str) -> bool:
    try:
        return httpx.get(address).status_code == httpx.codes.OK
    except httpx.TransportError:
        return False


@pytest_asyncio.fixture
async def token(owner_db: Database, town: Town) -> str:
    """Of a service that may do all that the API can do, in a region that holds one of everything."""
    assert town.appeals
    now = SystemClock().now()  # as the process under test
    async with owner_db.write() as session:
        return await create_service_token(session, name="fuzz", grants=[Grant(role=Role.COORDINATOR)], now=now)


def test_the_api_keeps_its_document(service: str, token: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    seconds = request.config.getoption("--fuzz-seconds")
    seed = ["--seed", "1"] if seconds <= SHORT_SECONDS else []  # the same requests in each short run, new ones in a long one
    command = [
        sys.executable, "-m", "schemathesis.cli", "--config-file", str(ROOT / "tests/fuzz/schemathesis.toml"),
        "run", f"{service}/api/v1/openapi.json", "--header", f"Authorization: Bearer {token}",
        "--checks", "all", "--mode", "all", "--phases", "examples,coverage,fuzzing,stateful", "--max-time", str(seconds),
        "--no-color", "--report-dir", str(tmp_path), *seed,
    ]  # fmt: skip
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=seconds + ENDING_SECONDS, check=False)  # noqa: S603 - our own arguments
    sys.stdout.write(done.stdout)
    generated = re.search(r"(\d+) generated", done.stdout)
    assert generated is not None, done.stdout
    assert int(generated[1]) > FEWEST, "next to nothing was asked"
    assert "Authentication failed" not in done.stdout, done.stdout[-20_000:]
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-2_000:]
