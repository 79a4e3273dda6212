"""The web process dies under an open screen: the screen says so, and catches up by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.async_api import expect

from tests.browser.conftest import sign_in

if TYPE_CHECKING:
    from playwright.async_api import Browser

    from tests.harness import System

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180), pytest.mark.asyncio(loop_scope="session")]

PATIENCE = 45_000


async def test_an_open_queue_catches_up_after_the_web_process_died(system: System, browser: Browser) -> None:
    """What came in while nobody served it appears without a reload, once."""
    words = "Почему на Маячной, 71 третий вечер не горят фонари? Примите меры!"
    operator = await sign_in(browser, system, "operator")
    await operator.wait_for_url("**/queue*")
    live = operator.locator("#live")
    await expect(live).to_have_attribute("data-state", "on", timeout=PATIENCE)
    await operator.evaluate("window.stillHere = true")
    system.web.kill()
    try:
        await expect(live).not_to_have_attribute("data-state", "on", timeout=PATIENCE)
        await system.write("svetloozersk_adm", words, author="Семён Дозоров")
        await system.until(
            "the appeal is open", lambda: system.rows("SELECT 1 FROM comment WHERE text = :w AND fate = 'opened'", w=words), seconds=60
        )
        assert await operator.locator("[data-row]", has_text="Маячной, 71").count() == 0
    finally:
        await system.start(workers=0, web=True)
    row = operator.locator("[data-row]", has_text="Маячной, 71")
    await expect(row).to_have_count(1, timeout=PATIENCE)
    await expect(live).to_have_attribute("data-state", "on", timeout=PATIENCE)
    assert await operator.evaluate("window.stillHere")
    await operator.context.close()
