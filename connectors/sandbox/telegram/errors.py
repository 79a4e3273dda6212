"""Telegram's refusals: an HTTP status, a description, sometimes how long to wait."""

from math import ceil
from typing import Any


class TelegramError(Exception):
    """A refusal as the Bot API words it."""

    def __init__(self, status: int, description: str, *, retry_after: float | None = None, moved_to: int | None = None) -> None:
        """`retry_after` in seconds; the wire carries whole seconds, rounded up."""
        super().__init__(description)
        self.status = status
        self.description = description
        self.retry_after = None if retry_after is None else max(1, ceil(retry_after))
        self.moved_to = moved_to

    def body(self) -> dict[str, Any]:
        """The answer's body."""
        answer: dict[str, Any] = {"ok": False, "error_code": self.status, "description": self.description}
        if self.retry_after is not None:
            answer["description"] = f"Too Many Requests: retry after {self.retry_after}"
            answer["parameters"] = {"retry_after": self.retry_after}
        if self.moved_to is not None:
            answer["parameters"] = {"migrate_to_chat_id": self.moved_to}
        return answer


def bad(description: str) -> TelegramError:
    """A bad request."""
    return TelegramError(400, f"Bad Request: {description}")


def moved(chat_id: int) -> TelegramError:
    """A group that is a supergroup with another number now."""
    return TelegramError(400, "Bad Request: group chat was upgraded to a supergroup chat", moved_to=chat_id)


def forbidden(description: str) -> TelegramError:
    """A right that is missing."""
    return TelegramError(403, f"Forbidden: {description}")


def too_many(seconds: float) -> TelegramError:
    """A limit that was reached; try again after `seconds`."""
    return TelegramError(429, "Too Many Requests", retry_after=seconds)
