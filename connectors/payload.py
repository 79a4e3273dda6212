"""Reading what a platform answered without trusting it: small typed looks into parsed JSON, and JSON in bytes.

Standard library and the contract's errors only. A look that finds another shape raises `OddError`; a mapping catches it row by row.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, TypeGuard

from connectors.errors import Rejected, UnknownPayload

if TYPE_CHECKING:
    from collections.abc import Callable

Json = dict[str, object]

_ESCAPED_BYTE = re.compile("[\udc80-\udcff]")
_UNWRITABLE = re.compile("[\0\ud800-\udfff]")
_LARGEST_ID = 2**63
_LAST_SECOND = 253_402_300_799
"""31 December 9999: past it datetime has no answer."""


class OddError(ValueError):
    """A payload is not what the platform's description says; its text says where."""


def readable_json(body: bytes) -> str:
    """The body as JSON text; a byte that is not UTF-8 becomes a lone surrogate escape, so that nothing is guessed."""
    text = body.decode("utf-8", "surrogateescape")
    # Written as an escape the surrogate survives every parser, and every byte can be had back from it.
    return _ESCAPED_BYTE.sub(lambda found: f"\\u{ord(found.group()):04x}", text)


def to_bytes(value: object) -> bytes:
    """A parsed payload back in bytes, to be kept: UTF-8, or ASCII with escapes where it holds lone surrogates."""
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":")).encode()
    except (RecursionError, ValueError):
        return b'"(nested too deeply to be kept)"'


def as_object(value: object, what: str) -> Json:
    """A JSON object. Raises OddError."""
    if not is_object(value):
        raise OddError(_odd(what, "an object", value))
    return value


def is_object(value: object) -> TypeGuard[Json]:
    """Whether it is a JSON object (its keys are strings: JSON knows no others)."""
    return isinstance(value, dict)


def as_list(value: object, what: str) -> list[object]:
    """A JSON array. Raises OddError."""
    if not isinstance(value, list):
        raise OddError(_odd(what, "a list", value))
    return value


def as_int(value: object, what: str) -> int:
    """A whole number that a database can hold. Raises OddError."""
    if not isinstance(value, int) or isinstance(value, bool) or not -_LARGEST_ID <= value < _LARGEST_ID:
        raise OddError(_odd(what, "a whole number", value))
    return value


def as_text(value: object, what: str) -> str:
    """A string, exactly as it came; absent is empty. Raises OddError."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise OddError(_odd(what, "a string", value))
    return value


def as_moment(value: object, what: str) -> datetime:
    """Unix seconds as an aware datetime. Raises OddError."""
    seconds = as_int(value, what)
    if not 0 < seconds <= _LAST_SECOND:
        raise OddError(_odd(what, "a moment in Unix seconds", value))
    return datetime.fromtimestamp(seconds, UTC)


def as_moment_ms(value: object, what: str) -> datetime:
    """Unix milliseconds as an aware datetime. Raises OddError."""
    milliseconds = as_int(value, what)
    moment = as_moment(milliseconds // 1000, what)
    return moment + timedelta(milliseconds=milliseconds % 1000)


def readable_part(body: bytes) -> str:
    """The beginning of an answer, for the log."""
    return body[:200].decode("utf-8", "replace")


def maybe_int(value: object) -> int | None:
    """A whole number, or None for anything else: for what only helps."""
    try:
        return as_int(value, "")
    except OddError:
        return None


def maybe_text(value: object) -> str | None:
    """A string that is not empty, or None."""
    return value if isinstance(value, str) and value else None


def maybe_link(value: object) -> str | None:
    """An http(s) address, or None: nothing else may become a link."""
    link = maybe_text(value)
    return link if link and link.startswith(("https://", "http://")) else None


def maybe_moment_ms(value: object) -> datetime | None:
    """Unix milliseconds as an aware datetime, or None for anything else: for what only helps."""
    try:
        return as_moment_ms(value, "")
    except OddError:
        return None


def pushed_object(body: bytes, what: str) -> Json:
    """The JSON object that a platform pushed. Raises UnknownPayload."""
    try:
        return as_object(json.loads(readable_json(body)), what)
    except (ValueError, RecursionError) as error:  # OddError is a ValueError
        code = "malformed"
        raise UnknownPayload(code, f"no {what}: {error}", raw=body) from error


def is_publishable(text: str) -> bool:
    """Whether a platform can take it at all: not blank, no NUL, no lone surrogate."""
    return bool(text.strip()) and not _UNWRITABLE.search(text)


def check_text(text: str, *, limit: int, measure: Callable[[str], int] = len) -> None:
    """Whether a platform that takes so many characters can take it. Rejected `too_long`, `bad_text`."""
    length = measure(text)
    if length > limit:
        code = "too_long"
        raise Rejected(code, f"{length} characters, {limit} are allowed")
    if not is_publishable(text):
        code = "bad_text"
        raise Rejected(code, "the text is empty or has characters that no platform takes")


def _odd(what: str, wanted: str, value: object) -> str:
    return f"{what} is not {wanted} but {type(value).__name__}"
