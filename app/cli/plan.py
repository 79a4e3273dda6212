"""Where the parts of one machine are, and waiting until they answer."""

from __future__ import annotations

import asyncio
import time
import urllib.request
from dataclasses import dataclass
from typing import TYPE_CHECKING

from app.cli.sample import WORLD
from app.cli.sandboxed import sandbox_url, sandbox_urls
from app.cli.tree import Child, Tree
from app.kernel.errors import SetupError

if TYPE_CHECKING:
    from app.settings import Settings

READY_SECONDS = 60.0
_LOOK_SECONDS = 0.1
_PICTURES = ("vk", "ok", "max", "viber")
"""Platforms whose pictures have an address of their own."""
_OK = 200


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """The addresses and processes. `sample`: the database holds the sample region, so its platforms are the sandbox."""

    settings: Settings
    sample: bool

    @property
    def web_url(self) -> str:
        """Where this machine reaches the web process."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.settings.host, self.settings.host)  # noqa: S104 - looked up, not bound
        return f"http://{f'[{host}]' if ':' in host else host}:{self.settings.port}"

    @property
    def sandbox_url(self) -> str:
        """Where the sandbox is."""
        return sandbox_url(self.settings)

    def child(self, name: str, *arguments: str, **environment: str) -> Child:
        """A process with its log: the command of this name."""
        return self._child(name, name, *arguments, **environment)

    def keeper(self) -> Child:
        """The embedded PostgreSQL."""
        return self._child("database", "keep-database")

    def sandbox(self) -> Child:
        """The sandbox with the sample world; it keeps what was written there."""
        data_dir, settings = self.settings.data_dir.resolve() / "sandbox", self.settings
        return self.child(
            "sandbox",
            "--port",
            str(settings.sandbox_port),
            "--data-dir",
            str(data_dir),
            "--world",
            str(WORLD),
            "--time-scale",
            str(settings.time_scale),
        )

    def _child(self, name: str, *arguments: str, **environment: str) -> Child:
        log = self.settings.data_dir.resolve() / "log" / f"{name}.log"
        return Child(name=name, arguments=arguments, environment=environment, log=log)

    def platform_urls(self) -> dict[str, str]:
        """Settings that lead to the sandbox, for platforms that the settings lead nowhere else."""
        return sandbox_urls(self.settings) if self.sample else {}

    def media_hosts(self) -> str:
        """Pictures of the sandbox are let in beside those of the settings: its very port, and only for a sample region."""
        here = self.sandbox_url.removeprefix("http://")
        added = [f"{name}: {here}" for name in _PICTURES if f"{name}_api_url" in self.platform_urls()]
        return "; ".join([self.settings.media_hosts, *added])

    def with_platforms(self, settings: Settings) -> Settings:
        """The settings with the sandbox as the platforms."""
        return settings.model_copy(update=self.platform_urls())


async def wait_for(url: str, tree: Tree) -> None:
    """Wait until the address answers 200. Raises SetupError when a child ends first, or it takes too long."""
    until = time.monotonic() + READY_SECONDS
    while not await asyncio.to_thread(_answers, url):
        tree.check()
        if time.monotonic() > until:
            raise SetupError(
                "setup.ready", f"{url} does not answer after {READY_SECONDS:.0f} s. The logs in the data directory may say why."
            )
        await asyncio.sleep(_LOOK_SECONDS)


def _answers(url: str) -> bool:
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(url, timeout=5) as answer:
            return bool(answer.status == _OK)
    except (OSError, ValueError):
        return False
