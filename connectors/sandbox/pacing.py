"""So many calls a second of one token, the refused ones counted too."""

from connectors.sandbox.calls import Calls
from connectors.sandbox.limits import Window
from connectors.sandbox.model import Token
from connectors.sandbox.world import World


class Pacing:
    """The windows of one platform's tokens."""

    def __init__(self, world: World, calls: Calls, limit: int) -> None:
        """Begin with all windows empty."""
        self._world = world
        self._calls = calls
        self._limit = limit
        self._windows: dict[str, Window] = {}

    def admits(self, token: Token) -> bool:
        """Count one call; whether it still fits."""
        seconds, now = self._world.limits.second, self._world.clock.monotonic()
        self._calls.rate(token.platform, token.label, "second", limit=self._limit, seconds=seconds, now=now)
        window = self._windows.setdefault(token.token, Window(self._limit, seconds))
        if window.wait(now) > 0:
            return False
        window.add(now)
        return True
