"""What the connectors' tests share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.connectors.staging import Server


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """The server on which each test puts a sandbox of its own."""
    from connectors.sandbox.server import in_thread  # noqa: PLC0415 - after the rewriting was asked for
    from tests.connectors.staging import Server  # noqa: PLC0415 - likewise

    one = Server()
    with in_thread(one) as url:
        one.url = url
        yield one
