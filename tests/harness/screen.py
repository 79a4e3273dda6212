"""A person before the screens, without a browser: signs in, opens pages, sends their forms."""

from __future__ import annotations

import re
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.harness.system import System

_CSRF = re.compile(r'<meta name="csrf" content="([^"]+)"')


@dataclass(kw_only=True)
class Screen:
    """Who is signed in; the anti-forgery token of the last page is kept."""

    http: httpx.AsyncClient
    csrf: str = ""

    async def get(self, path: str) -> httpx.Response:
        """Open a page."""
        answer = await self.http.get(path)
        found = _CSRF.search(answer.text)
        self.csrf = found[1] if found else self.csrf
        return answer

    async def post(self, path: str, **fields: str) -> httpx.Response:
        """Send a form."""
        return await self.http.post(path, data={"csrf": self.csrf, **fields}, headers={"Referer": str(self.http.base_url)})


@asynccontextmanager
async def screen_of(system: System, role: str) -> AsyncIterator[Screen]:
    """The sample region's person of a role, signed in."""
    person = await system.sign_in_of(role)
    async with httpx.AsyncClient(base_url=system.web_url, timeout=60, trust_env=False) as http:
        screen = Screen(http=http)
        await screen.get("/sign-in")
        signed_in = await screen.post("/sign-in", login=person.login, password=person.password)
        assert signed_in.status_code == httpx.codes.SEE_OTHER, signed_in.text
        await screen.get("/pages")
        yield screen
