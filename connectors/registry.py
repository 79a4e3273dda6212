"""Finds connectors by entry point. Ours load exactly as a stranger's would."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import TYPE_CHECKING

from connectors.contract import CONTRACT_VERSION, Plugin

if TYPE_CHECKING:
    from collections.abc import Iterable
    from importlib.metadata import EntryPoint

GROUP = "otklik.connectors"


class BrokenConnectorError(Exception):
    """A connector that was asked for cannot be loaded: the process must not start without it."""


def load(enabled: tuple[str, ...] | None = None, *, points: Iterable[EntryPoint] | None = None) -> dict[str, Plugin]:
    """The plugins by platform: the enabled ones, or all that are installed when `enabled` is None.

    `points` stands in for what is installed.

    Raises BrokenConnectorError when one is missing, fails to import or speaks another contract version.
    """
    found = {point.name: point for point in (entry_points(group=GROUP) if points is None else points)}
    names = tuple(sorted(found)) if enabled is None else enabled
    plugins: dict[str, Plugin] = {}
    for name in names:
        if name not in found:
            known = ", ".join(sorted(found)) or "none"
            msg = f"No connector named {name!r} is installed (installed: {known}). Check OTKLIK_CONNECTORS."
            raise BrokenConnectorError(msg)
        try:
            plugin = found[name].load()
        except Exception as error:
            msg = f"Connector {name!r} ({found[name].value}) does not load: {error}"
            raise BrokenConnectorError(msg) from error
        if not isinstance(plugin, Plugin) or plugin.contract_version != CONTRACT_VERSION:
            msg = f"Connector {name!r} ({found[name].value}) does not offer a Plugin of contract {CONTRACT_VERSION}."
            raise BrokenConnectorError(msg)
        if plugin.platform in plugins:
            msg = f"Two connectors serve the platform {plugin.platform!r}: enable one of them in OTKLIK_CONNECTORS."
            raise BrokenConnectorError(msg)
        plugins[plugin.platform] = plugin
    return plugins
