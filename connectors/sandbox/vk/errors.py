"""VK's errors: codes and the words VK puts to them."""

from typing import Any

TEXTS: dict[int, str] = {
    1: "Unknown error occurred",
    3: "Unknown method passed",
    5: "User authorization failed: invalid access_token (4).",
    6: "Too many requests per second",
    8: "Invalid request: v (version) is required",
    9: "Flood control",
    10: "Internal server error: could not get application",
    12: "Unable to compile code",
    13: "Runtime error occurred during code invocation",
    14: "Captcha needed",
    15: "Access denied",
    18: "User was deleted or banned",
    19: "Content blocked",
    27: "Group authorization failed: method is unavailable with group auth.",
    28: "Application authorization failed: method is unavailable with service token.",
    29: "Rate limit reached",
    30: "This profile is private",
    100: "One of the parameters specified was missing or invalid",
    104: "Not found",
    121: "Invalid hash",
    211: "Access to wall's comment denied",
    212: "Access to post comments denied",
    213: "Access to status replies denied",
    222: "Hyperlinks are forbidden",
    223: "Too many replies",
    243: "Comment has not been deleted",
}


class VkError(Exception):
    """An error of VK's API: its code, its words, and what else stands in the error object."""

    def __init__(self, code: int, detail: str = "", **more: Any) -> None:
        """Take VK's words for the code; `detail` follows a colon."""
        text = TEXTS.get(code, "Unknown error occurred")
        self.text = f"{text}: {detail}" if detail else text
        super().__init__(self.text)
        self.code = code
        self.more = more

    @classmethod
    def said(cls, code: int, text: str, **more: Any) -> "VkError":
        """An error with words of its own."""
        error = cls(code, **more)
        error.text = text
        return error

    def body(self, params: dict[str, str], method: str) -> dict[str, Any]:
        """The error object; it repeats the request without the token."""
        asked = [{"key": "method", "value": method}, {"key": "oauth", "value": "1"}]
        asked += [{"key": key, "value": value} for key, value in params.items() if key != "access_token"]
        return {"error": {"error_code": self.code, "error_msg": self.text, "request_params": asked, **self.more}}
