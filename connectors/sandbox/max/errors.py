"""Refusals as MAX words them: an HTTP status, a code, a message."""

from typing import Any


class MaxError(Exception):
    """A refusal."""

    def __init__(self, status: int, code: str, message: str = "") -> None:
        """Carry the parts of the answer."""
        super().__init__(message or code)
        self.status = status
        self.code = code
        self.message = message or code

    def body(self) -> dict[str, Any]:
        """The answer's body."""
        return {"code": self.code, "message": self.message}


def gone(what: str) -> MaxError:
    """What is not there, or not visible."""
    return MaxError(404, "not.found", f"{what} is not found")


def denied(right: str) -> MaxError:
    """A right that is missing."""
    return MaxError(403, "chat.denied", f"the bot has no right: {right}")


def bad(what: str) -> MaxError:
    """A request that is not understood."""
    return MaxError(400, "proto.payload", what)
