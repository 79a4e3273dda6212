"""Parameters of a Bot API call, whichever way they came: query, form, multipart or JSON."""

import json
from typing import Any

from connectors.sandbox.telegram.errors import bad

_LONGEST_NUMBER = 20


class Params:
    """Reads parameters as the Bot API does; every reader raises TelegramError(400)."""

    def __init__(self, values: dict[str, Any]) -> None:
        """Take the parameters of one call."""
        self._values = values

    def has(self, name: str) -> bool:
        """Whether the parameter was given at all."""
        return self._values.get(name) not in {None, ""}

    def text(self, name: str) -> str:
        """A text, empty when absent."""
        value = self._values.get(name)
        return "" if value is None or isinstance(value, bytes) else str(value)

    def file(self, name: str) -> bytes | None:
        """A file that came under this name; None when there is none."""
        value = self._values.get(name)
        return value if isinstance(value, bytes) else None

    def number(self, name: str, default: int) -> int:
        """A whole number."""
        value = self._values.get(name)
        if value is None or value == "":
            return default
        raw = str(value)
        digits = raw.removeprefix("-")
        if isinstance(value, bool) or not (digits.isascii() and digits.isdecimal() and len(digits) < _LONGEST_NUMBER):
            description = f"invalid {name}: a whole number is needed"
            raise bad(description)
        return int(raw)

    def flag(self, name: str) -> bool:
        """A yes or no."""
        return str(self._values.get(name, "")).lower() in {"1", "true"}

    def tree(self, name: str) -> Any:
        """An object or a list, which forms carry as JSON text; None when absent."""
        value = self._values.get(name)
        if not isinstance(value, str):
            return value
        if value == "":
            return None
        try:
            return json.loads(value)
        except (ValueError, RecursionError) as error:
            description = f"can't parse {name} JSON object"
            raise bad(description) from error
