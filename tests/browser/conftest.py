"""A browser, the whole system behind it, and people who are signed in."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from playwright.async_api import async_playwright

from tests.harness import running_system, seeded_database

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from playwright.async_api import Browser, Page
    from sqlalchemy.engine import URL

    from tests.harness import System

CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def system(cluster: URL, template: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[System]:
    """Sandbox, worker and web over the sample region, at the wall clock's own pace; the sample world has been taken in."""
    home = tmp_path_factory.mktemp("browser")
    async with seeded_database(cluster, template) as url, running_system(url, home, time_scale=1) as running:
        await running.start(workers=1, web=True)
        await running.until("the sample world is in", lambda: taken_in(running), seconds=90)
        yield running


async def taken_in(system: System) -> bool:
    """Whether every comment that stands on the walls has its fate."""
    (stored,) = await system.rows("SELECT count(*) AS n, count(*) FILTER (WHERE fate IS NULL) AS waiting FROM comment")
    truth = await system.truth()
    return bool(stored.waiting == 0 and stored.n >= len(truth["comments"]))


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """The system's Chromium, without a screen."""
    path = next((found for name in CHROMIUM if (found := shutil.which(name))), None)
    assert path is not None, "These tests need Chromium: apt-get install chromium"
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=list(QUIET))
        yield browser
        await browser.close()


async def sign_in(browser: Browser, system: System, role: str, *, dark: bool = False) -> Page:
    """A new browser window in which the sample's person of this role has signed in, in Russian."""
    person = await system.sign_in_of(role)
    window = await browser.new_context(locale="ru-RU", color_scheme="dark" if dark else "light")
    page = await window.new_page()
    await page.goto(f"{system.web_url}/sign-in")
    await page.fill("input[name=login]", person.login)
    await page.fill("input[name=password]", person.password)
    await page.keyboard.press("Enter")
    await page.wait_for_url(lambda url: "/sign-in" not in url)
    return page
