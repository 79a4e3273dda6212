"""The worker's own page: series for whoever may collect them, liveness for everybody."""

from __future__ import annotations

import httpx
import pytest

from app.cli.processes import listen
from app.cli.worker_page import worker_page
from tests.harness import free_port


@pytest.mark.parametrize(
    ("token", "headers", "status"),
    [
        (None, {}, 200),
        (None, {"X-Forwarded-For": "10.0.0.1"}, 404),
        ("secret", {}, 404),
        ("secret", {"Authorization": "Bearer wrong"}, 404),
        ("secret", {"Authorization": "Bearer secret"}, 200),
    ],
)
async def test_the_series_are_for_whoever_may_collect_them(token: str | None, headers: dict[str, str], status: int) -> None:
    port = free_port()
    with listen("127.0.0.1", port, setting="OTKLIK_WORKER_PORT") as listener:
        async with worker_page(listener, token=token), httpx.AsyncClient(trust_env=False, base_url=f"http://127.0.0.1:{port}") as http:
            series = await http.get("/metrics", headers=headers)
            assert series.status_code == status
            assert ("otklik_timers_overdue" in series.text) is (status == 200)
            assert (await http.get("/health/live")).json() == {"status": "ok"}
            assert (await http.post("/metrics", headers=headers)).status_code == 404


async def test_without_a_port_nothing_is_served() -> None:
    async with worker_page(None):
        pass
