"""What a platform's refusals mean, in the contract's words: shared by connectors whose platform answers by codes. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Concatenate, Literal, ParamSpec, Protocol, TypeVar

from connectors.contract import AccessLost, ConnectorError, OutcomeUnknown, Rejected, TryLater, UnknownPayload
from connectors.payload import OddError

if TYPE_CHECKING:
    from collections.abc import Callable

Given = ParamSpec("Given")
Result = TypeVar("Result")

Kind = Literal["later", "rejected", "access", "unclear"]


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a refusal means. `seconds`: how long to wait, in the platform's time.

    `unclear`: the platform failed, so a send may have been done; a reading is simply tried later.
    """

    kind: Kind
    code: str
    seconds: float = 0


SERVER = Meaning("unclear", "server", 5)
RATE = Meaning("later", "rate", 1)
NETWORK_SECONDS = 5.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Scene:
    """What was going on when an error came: it decides what the error means."""

    sending: bool
    credential_key: str
    time_scale: float


def from_code(meaning: Meaning | None, detail: str, *, raw: bytes, scene: Scene) -> ConnectorError:
    """The contract's error for a refusal; `meaning` None: a code that nobody knows.

    A platform answers a refusal only when it has done nothing; what is not so is `unclear`.
    """
    if meaning is not None:
        return from_meaning(meaning, detail, scene)
    if scene.sending:
        return Rejected("unknown_error", detail, credential_key=scene.credential_key)
    return UnknownPayload("unknown_error", detail, raw=raw, credential_key=scene.credential_key)


def from_meaning(meaning: Meaning, detail: str, scene: Scene) -> ConnectorError:
    """The contract's error for a meaning."""
    if meaning.kind == "rejected":
        return Rejected(meaning.code, detail, credential_key=scene.credential_key)
    if meaning.kind == "access":
        return AccessLost(meaning.code, detail, credential_key=scene.credential_key)
    if meaning.kind == "unclear" and scene.sending:
        return OutcomeUnknown(meaning.code, detail, credential_key=scene.credential_key)
    after = timedelta(seconds=meaning.seconds / scene.time_scale)
    return TryLater(meaning.code, detail, after=after, credential_key=scene.credential_key)


def unreachable(detail: str, *, left: bool, scene: Scene) -> ConnectorError:
    """The network failed; `left` when the request may have reached the platform."""
    return from_meaning(Meaning("unclear" if left else "later", "network", NETWORK_SECONDS), detail, scene)


def unreadable(code: str, detail: str, *, raw: bytes, scene: Scene) -> ConnectorError:
    """The platform answered something that is no answer."""
    if scene.sending:
        return OutcomeUnknown(code, detail, credential_key=scene.credential_key)
    return UnknownPayload(code, detail, raw=raw, credential_key=scene.credential_key)


def prepared_badly(odd: UnknownPayload, time_scale: float) -> ConnectorError:
    """What nobody can read came while an act was prepared: nothing was done. A refusal for an unknown reason is one all the same."""
    if odd.code == "unknown_error":
        return Rejected(odd.code, odd.detail, credential_key=odd.credential_key)
    after = timedelta(seconds=NETWORK_SECONDS / time_scale)
    return TryLater(odd.code, odd.detail, after=after, credential_key=odd.credential_key)


class Told(Protocol):
    """An answer, parsed, and its bytes."""

    @property
    def value(self) -> object:
        """Parsed JSON."""

    @property
    def raw(self) -> bytes:
        """As it came."""


def mapped(answer: Told, read: Callable[Concatenate[object, Given], Result], *args: Given.args, **kwargs: Given.kwargs) -> Result:
    """A mapping of an answer; an answer that is not as described is set aside whole. Raises UnknownPayload."""
    try:
        return read(answer.value, *args, **kwargs)
    except OddError as odd:
        code = "malformed"
        raise UnknownPayload(code, str(odd), raw=answer.raw) from odd


_TOO_MANY, _TOO_LARGE, _FIRST_SERVER_ERROR = 429, 413, 500
_NOT_LET_IN = (401, 403, 407)


def from_status(status: int, *, raw: bytes, scene: Scene) -> ConnectorError:
    """An HTTP status that is no answer of the platform's own: a proxy's, or an outage."""
    detail = f"HTTP {status}"
    if status >= _FIRST_SERVER_ERROR:
        return from_meaning(SERVER, detail, scene)
    if status == _TOO_MANY:
        return from_meaning(RATE, detail, scene)
    if status == _TOO_LARGE:
        return from_meaning(Meaning("rejected", "too_long"), detail, scene)
    if status in _NOT_LET_IN:
        return from_meaning(Meaning("access", "no_right"), detail, scene)
    return unreadable("http_status", detail, raw=raw, scene=scene)
