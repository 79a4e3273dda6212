"""Every screen of every role, light and dark: axe finds no violation, the browser no breach of the policy."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.browser.conftest import sign_in

if TYPE_CHECKING:
    from playwright.async_api import Browser, ConsoleMessage, Page

    from tests.harness import System

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240), pytest.mark.asyncio(loop_scope="session")]

AXE = next((Path(__file__).parent / "vendor").glob("axe-core-*/axe.min.js"))
SCREENS = {
    "operator": ("/queue", "/appeals/{number}", "/appeals/new", "/pages"),
    "coordinator": ("/triage", "/publishing"),
    "supervisor": ("/reports", "/reports?measure=in-time&group_by=territory", "/reports/appeals?figure=opened"),
}


def _errors(page: Page) -> list[str]:
    """What the browser's console complains of from now on."""
    said: list[str] = []

    def hear(told: ConsoleMessage) -> None:
        if told.type == "error":
            said.append(told.text)

    page.on("console", hear)
    return said


async def test_the_screens_are_accessible(system: System, browser: Browser) -> None:
    """With the sample region's live data."""
    found = []
    for role, screens in SCREENS.items():
        for dark in (False, True):
            page = await sign_in(browser, system, role, dark=dark)
            said = _errors(page)
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
