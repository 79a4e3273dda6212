"""Log injection: a hostile value stays within its line, and secrets stay out."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import structlog

from app.kernel import log

if TYPE_CHECKING:
    from collections.abc import Iterator

HOSTILE = 'x\n2026-11-17T07:00:00Z [info] request operator=1\r\x1b[2J\u2028\u202e"}\x00'


@pytest.fixture(params=[True, False])
def as_json(request: pytest.FixtureRequest) -> Iterator[bool]:
    log.set_up(level="INFO", as_json=request.param)
    yield bool(request.param)
    structlog.reset_defaults()
    log.set_up(level="WARNING", as_json=True)


def test_log_injection_a_hostile_value_forges_no_line(capsys: pytest.CaptureFixture[str], *, as_json: bool) -> None:
    structlog.get_logger().info("picture_refused", platform=HOSTILE, detail=HOSTILE)
    said = capsys.readouterr().err
    assert len(said.splitlines()) == 1
    assert not any(char in said[:-1] for char in "\n\r\x1b\x00\u2028\u202e")
    if as_json:
        assert json.loads(said)["event"] == "picture_refused"


@pytest.mark.usefixtures("as_json")
def test_secrets_are_never_written(capsys: pytest.CaptureFixture[str]) -> None:
    structlog.get_logger().info("hook", secret="made up", token="made up", Authorization="made up")
    assert "made up" not in capsys.readouterr().err
