"""Every screen of every role, light and dark: axe finds no violation, the browser no breach of the policy."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.browser.conftest import sign_in

if TYPE_CHECKING:
    from playwright.async_api import Browser

    from tests.harness import System

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]

AXE = next((Path(__file__).parent / "vendor").glob("axe-core-*/axe.min.js"))
SCREENS = {
    "operator": ("/queue", "/appeals/{number}", "/pages"),
    "coordinator": ("/triage",),
    "supervisor": ("/reports",),
}


async def test_the_screens_are_accessible(system: System, browser: Browser) -> None:
    """With the sample region's live data."""
    await system.until("some appeals are there", lambda: system.rows("SELECT 1 FROM appeal OFFSET 10 LIMIT 1"), seconds=90)
    found = []
    for role, screens in SCREENS.items():
        for dark in (False, True):
            page = await sign_in(browser, system, role, dark=dark)
            said: list[str] = []
            page.on("console", lambda told, said=said: said.append(told.text) if told.type == "error" else None)  # type: ignore[misc]  # bound early
            for screen in screens:
                number = await page.locator("[data-row]").first.get_attribute("data-number") if "{" in screen else ""
                await page.goto(system.web_url + screen.format(number=number))
                await page.wait_for_timeout(300)
                # Through the debugger, as the policy lets no script in from elsewhere.
                await page.evaluate(AXE.read_text(encoding="utf-8"))
                told = await page.evaluate("axe.run(document, {resultTypes: ['violations']})")
                found += [f"{role} {screen} dark={dark}: {one['id']} {one['nodes'][0]['html'][:200]}" for one in told["violations"]]
            found += [f"{role} dark={dark} console: {line}" for line in said]
            await page.context.close()
    assert found == []
