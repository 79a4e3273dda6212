"""The platforms' limits as numbers, and the windows that enforce them."""

from collections import deque
from dataclasses import dataclass, field, replace

DAY = 86_400.0


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Every limit the sandbox keeps; times in seconds, sizes in characters or bytes.

    Sources are in PLATFORMS.md. `vk_text`, `ok_text` and `ok_per_second` are not published and `telegram_chat_burst` is our reading of
    "short bursts are tolerated": both are settings, not facts.
    """

    second: float = 1.0
    minute: float = 60.0
    hour: float = 3_600.0
    day: float = DAY
    vk_user_per_second: int = 3
    vk_service_per_second: int = 3
    vk_community_per_second: int = 20
    vk_wall_get_per_day: int = 5_000
    vk_search_per_day: int = 1_000
    vk_text: int = 16_384
    vk_execute_calls: int = 25
    vk_execute_operations: int = 20_000
    vk_execute_bytes: int = 5_000_000
    ok_per_second: int = 3
    ok_text: int = 4_000
    max_per_second: int = 30
    max_text: int = 4_000
    max_edit: float = 26 * 3600.0
    max_edit_message: float = 7 * 86_400.0
    telegram_per_second: int = 30
    telegram_chat_per_second: float = 1.0
    telegram_chat_burst: int = 5
    telegram_group_per_minute: int = 20
    telegram_text: int = 4_096
    telegram_caption: int = 1_024
    telegram_retention: float = DAY
    telegram_long_poll: float = 50.0
    telegram_flood_wait: float = 30.0
    viber_unanswered: int = 100
    viber_text: int = 7_000
    viber_bytes: int = 30 * 1024
    silence: float = 60.0
    latency: float = 0.0
    """How long every answer is under way."""

    def scaled(self, time_scale: float) -> "Limits":
        """The same limits in a world that runs `time_scale` times faster.

        Windows, days and waits shrink together, so ratios stay. Retention does not: it is how long an update is
        kept, and dropping one early would be a fault of the sandbox rather than a limit of the platform.
        """
        if time_scale <= 0:
            message = f"time scale must be positive, got {time_scale}"
            raise ValueError(message)
        return replace(
            self,
            second=self.second / time_scale,
            minute=self.minute / time_scale,
            hour=self.hour / time_scale,
            day=self.day / time_scale,
            telegram_chat_per_second=self.telegram_chat_per_second * time_scale,
            telegram_flood_wait=self.telegram_flood_wait / time_scale,
        )

    def vk_per_second(self, kind: str) -> int:
        """Calls per second of one VK token of this kind."""
        return {"user": self.vk_user_per_second, "service": self.vk_service_per_second}.get(kind, self.vk_community_per_second)

    def text(self, platform: str) -> int:
        """Characters a comment may have."""
        limit: int = getattr(self, f"{platform}_text")
        return limit


@dataclass(slots=True)
class Window:
    """At most `limit` events in any `seconds` long stretch of time."""

    limit: int
    seconds: float
    moments: deque[float] = field(default_factory=deque)

    def wait(self, now: float) -> float:
        """Seconds until one more event fits; 0 when it fits now."""
        self._forget(now)
        if len(self.moments) < self.limit:
            return 0.0
        return self.moments[-self.limit] + self.seconds - now

    def add(self, now: float) -> None:
        """Count one event."""
        self._forget(now)
        self.moments.append(now)

    def _forget(self, now: float) -> None:
        while self.moments and self.moments[0] + self.seconds <= now:
            self.moments.popleft()


@dataclass(slots=True)
class Bucket:
    """A steady rate with a burst: `burst` events at once, then `rate` a second."""

    burst: int
    rate: float
    level: float = 0.0
    seen_at: float = 0.0

    def wait(self, now: float) -> float:
        """Seconds until one more event fits; 0 when it fits now."""
        self._leak(now)
        return max(0.0, (self.level + 1 - self.burst) / self.rate)

    def add(self, now: float) -> None:
        """Count one event."""
        self._leak(now)
        self.level += 1

    def _leak(self, now: float) -> None:
        self.level = max(0.0, self.level - (now - self.seen_at) * self.rate)
        self.seen_at = now
