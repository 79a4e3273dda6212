"""Telegram's refusals: an HTTP status, a description, sometimes how long to wait."""

from math import ceil
from typing import Any


class TelegramError(Exception):
    """A refusal as the Bot API words it."""

    def __init__(self, status: int, description: str, *, retry_after: float | None = None) -> None:
        """`retry_after` in seconds; the wire carries whole seconds, rounded up."""
        super().__init__(description)
        self.status = status
        self.description = description
        self.retry_after = None if retry_after is None else max(1, ceil(retry_after))

    def body(self) -> dict[str, Any]:
        """The answer's body."""
        answer: dict[str, Any] = {"ok": False, "error_code": self.status, "description": self.description}
        if self.retry_after is not None:
            answer["description"] = f"Too Many Requests: retry after {self.retry_after}"
            answer["parameters"] = {"retry_after": self.retry_after}
        return answer


def bad(description: str) -> TelegramError:
    """A bad request."""
    return TelegramError(400, f"Bad Request: {description}")


def forbidden(description: str) -> TelegramError:
    """A right that is missing."""
    return TelegramError(403, f"Forbidden: {description}")


def too_many(seconds: float) -> TelegramError:
    """A limit that was reached; try again after `seconds`."""
    return TelegramError(429, "Too Many Requests", retry_after=seconds)
