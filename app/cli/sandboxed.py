"""The sample region's platforms: the sandbox, for every process and command that works on its database."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.kernel import marks

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

    from app.settings import Settings

_SANDBOXED = ("vk", "ok", "telegram", "max", "viber")


def sandbox_url(settings: Settings) -> str:
    """Where the sandbox is."""
    return f"http://127.0.0.1:{settings.sandbox_port}"


def sandbox_urls(settings: Settings) -> dict[str, str]:
    """Settings that lead to the sandbox, for platforms that the settings lead nowhere else."""
    return {f"{name}_api_url": sandbox_url(settings) for name in _SANDBOXED if settings.api_url(name) is None}


async def of_its_region(settings: Settings, url: URL) -> Settings:
    """With the sandbox as the platforms, if the database holds the sample region: no real platform knows its pages."""
    if await marks.mark_of(url) != marks.SAMPLE_MARK:
        return settings
    return settings.model_copy(update=sandbox_urls(settings))
