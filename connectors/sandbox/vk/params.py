"""Parameters of a VK call: always text on the wire, whatever they mean."""

from typing import Any

from connectors.sandbox.vk.errors import VkError

_YES = frozenset({"1", "true", "True"})
_DIGITS = 18


class Params:
    """Reads parameters as VK does. Every reader raises VkError(100) naming the parameter."""

    def __init__(self, values: dict[str, str]) -> None:
        """Take the parameters of one call."""
        self.values = values

    @classmethod
    def from_script(cls, values: dict[str, Any]) -> "Params":
        """Parameters as a script wrote them: numbers, booleans and lists become text."""
        return cls({key: _text(value) for key, value in values.items() if value is not None})

    def text(self, name: str, default: str = "") -> str:
        """A text."""
        return self.values.get(name, default)

    def flag(self, name: str) -> bool:
        """A yes or no."""
        return self.values.get(name, "") in _YES

    def number(self, name: str, default: int | None = None, *, low: int | None = None, high: int | None = None) -> int:
        """A whole number within its range; without a default it is required."""
        raw = self.values.get(name, "")
        if raw == "":
            if default is None:
                raise VkError(100, f"{name} is undefined")
            return default
        number = whole(raw)
        if number is None:
            raise VkError(100, f"{name} not integer")
        if low is not None and number < low:
            raise VkError(100, f"{name} should be greater or equal to {low}")
        if high is not None and number > high:
            raise VkError(100, f"{name} should be less or equal to {high}")
        return number

    def optional(self, name: str) -> int | None:
        """A whole number, or None when absent or zero."""
        return self.number(name, 0) or None

    def words(self, name: str) -> list[str]:
        """A list separated by commas."""
        return [word.strip() for word in self.values.get(name, "").split(",") if word.strip()]


def whole(raw: str) -> int | None:
    """The whole number a text stands for, if it does."""
    sign, digits = (-1, raw[1:]) if raw.startswith("-") else (1, raw)
    if not (digits.isascii() and digits.isdecimal() and len(digits) <= _DIGITS):
        return None
    return sign * int(digits)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, list):
        return ",".join(_text(item) for item in value)
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
