"""What the commands share: how tables are drawn, and which platforms they ask."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from app.cli import show
from app.cli.sandboxed import of_its_region
from app.kernel.marks import CREATED_MARK, SAMPLE_MARK, set_mark
from app.settings import Settings

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

LONG = "https://vk.com/search/statuses?q=" + "%D1%8F" * 60


@pytest.mark.parametrize(("terminal", "lines"), [(True, 2), (False, 2)])
def test_a_long_link_keeps_to_one_line_on_a_terminal_and_is_whole_in_a_pipe(terminal: bool, lines: int) -> None:  # noqa: FBT001
    out = io.StringIO()
    console = Console(file=out, force_terminal=terminal, width=100 if terminal else 1000, no_color=True, highlight=False)
    show.table(("title", "link", "state"), [("Яма", LONG, "fine")], cut=("link",), console=console)
    told = out.getvalue()
    assert len(told.splitlines()) == lines
    assert (LONG in told, "…" in told) == (not terminal, terminal)


async def test_commands_beside_the_sample_region_ask_its_sandbox(database_url: URL) -> None:
    settings = Settings(sandbox_port=8123, ok_api_url="https://proxy.example", vk_api_url=None)
    for mark, vk in ((CREATED_MARK, None), (SAMPLE_MARK, "http://127.0.0.1:8123")):
        await set_mark(database_url, mark)
        found = await of_its_region(settings, database_url)
        assert (found.api_url("vk"), found.api_url("ok")) == (vk, "https://proxy.example")
