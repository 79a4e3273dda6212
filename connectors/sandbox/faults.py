"""Faults on demand: the next calls of a method fail in the way that was asked for, or a share of all calls does."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal, Protocol, get_args

from starlette.responses import Response

from connectors.sandbox.calls import Calls
from connectors.sandbox.limits import Limits
from connectors.sandbox.model import Platform
from connectors.sandbox.wire import Cut, Drip, Silence, ascii_json, json_response, server_error, truncated

# Before the act: error, captcha, flood, revoked, http_500, timeout_before. After it: the others.
FaultKind = Literal[
    "error",
    "captcha",
    "flood",
    "revoked",
    "http_500",
    "timeout_before",
    "timeout_after",
    "truncated",
    "disconnect",
    "drip",
    "malformed",
    "duplicated",
    "reordered",
]
KINDS: tuple[FaultKind, ...] = get_args(FaultKind)
REFUSALS = frozenset({"error", "captcha", "flood", "revoked"})


@dataclass(slots=True, kw_only=True)
class Fault:
    """What goes wrong, where, and how many times more; `token` limits it to one token."""

    platform: Platform
    method: str
    kind: FaultKind
    count: int = 1
    code: int | None = None
    text: str | None = None
    retry_after: int | None = None
    token: str | None = None
    missed: Callable[[], None] | None = None
    """To be called when it changed nothing: an answer without rows has none to repeat or reorder. What was ordered comes again then."""

    def fits(self, platform: str, method: str, token: str | None) -> bool:
        """Whether this fault is meant for the call; method names compare without case, `*` is any."""
        return self.platform == platform and self.method.lower() in {"*", method.lower()} and self.token in {None, token}


class Standing(Protocol):
    """Faults that come by chance until they are taken back: see `connectors.sandbox.standing`."""

    struck: int

    def draw(self, platform: str, method: str, token: str | None, *, inner: bool) -> Fault | None:
        """The fault of this call, if there is one."""
        ...

    def report(self) -> dict[str, Any]:
        """As `GET /faults` shows it."""
        ...


class Faults:
    """The faults still to come, first asked first served; then those that stand."""

    def __init__(self, calls: Calls) -> None:
        """Begin with none. Each that strikes is counted in `calls`."""
        self._calls = calls
        self._faults: list[Fault] = []
        self._standing: list[Standing] = []

    def add(self, fault: Fault) -> None:
        """Ask for a fault."""
        self._faults.append(fault)

    def stand(self, standing: Standing) -> None:
        """Let a share of calls fail from now on."""
        self._standing.append(standing)

    def clear(self) -> None:
        """Take all faults back."""
        self._faults, self._standing = [], []

    def passed(self) -> None:
        """Somebody has shown that they are a person: no captcha is to come any more, but those that stand."""
        self._faults = [fault for fault in self._faults if fault.kind != "captcha"]

    def take(self, platform: str, method: str, token: str | None, *, inner: bool = False) -> Fault | None:
        """The fault of this call, if any; calls inside `execute` meet only refusals."""
        fault = self._next(platform, method, token, inner=inner) or self._drawn(platform, method, token, inner=inner)
        if fault is not None:
            self._calls.struck(platform, method, fault.kind)
        return fault

    def _next(self, platform: str, method: str, token: str | None, *, inner: bool) -> Fault | None:
        for fault in self._faults:
            if fault.fits(platform, method, token) and (not inner or fault.kind in REFUSALS):
                fault.count -= 1
                if fault.count <= 0:
                    self._faults.remove(fault)
                return replace(fault, missed=partial(self._come_again, self._faults, fault, method))
        return None

    def _come_again(self, coming: list[Fault], fault: Fault, method: str) -> None:
        self._calls.struck(fault.platform, method, fault.kind, -1)
        fault.count += 1
        if not any(one is fault for one in coming):
            coming.append(fault)  # last: what strikes any call comes before what needs rows

    def _drawn(self, platform: str, method: str, token: str | None, *, inner: bool) -> Fault | None:
        for one in self._standing:
            fault = one.draw(platform, method, token, inner=inner)
            if fault is not None:
                fault.missed = partial(self._passed_over, one, fault)
                return fault
        return None

    def _passed_over(self, standing: Standing, fault: Fault) -> None:
        """It does not come again: where no answer has rows others would come ever more rarely."""
        standing.struck -= 1
        self._calls.struck(fault.platform, fault.method, fault.kind, -1)

    def report(self) -> dict[str, list[dict[str, Any]]]:
        """Faults that are still to come, and those that stand."""
        coming = [
            {
                "platform": fault.platform,
                "method": fault.method,
                "kind": fault.kind,
                "count": fault.count,
                "code": fault.code,
                "token": fault.token,
            }
            for fault in self._faults
        ]
        return {"faults": coming, "standing": [one.report() for one in self._standing]}


def before_act(fault: Fault | None, silence: float) -> Response | None:
    """The answer of a fault that keeps the call from being carried out."""
    if fault is None:
        return None
    if fault.kind == "http_500":
        return server_error()
    return Silence(silence) if fault.kind == "timeout_before" else None


def after_act(fault: Fault | None, body: bytes, silence: float) -> Response | None:
    """The answer of a fault that spoils the answer of a call that was carried out."""
    if fault is None:
        return None
    if fault.kind == "truncated":
        return truncated(body)
    if fault.kind == "disconnect":
        return Cut(body)
    if fault.kind == "drip":
        return Drip(body, silence)
    return Silence(silence) if fault.kind == "timeout_after" else None


def _twice(rows: list[Any]) -> list[Any]:
    return [row for row in rows for _ in range(2)]


def _backwards(rows: list[Any]) -> list[Any]:
    return rows[::-1]


_ROWS: dict[str, Callable[[list[Any]], list[Any]]] = {"duplicated": _twice, "reordered": _backwards}


def _shuffled(answer: Any, shuffle: Callable[[list[Any]], list[Any]]) -> Any:
    """An answer whose rows - its lists of objects, but not what a row itself holds - come twice, or backwards."""
    if isinstance(answer, list):
        return shuffle(answer) if all(isinstance(row, dict) for row in answer) else answer
    if isinstance(answer, dict):
        return {name: _shuffled(value, shuffle) if isinstance(value, dict | list) else value for name, value in answer.items()}
    return answer


def _of_script(answer: Any, shuffle: Callable[[list[Any]], list[Any]]) -> Any:
    """The answer of `execute`: what a script returns keeps its places, only the rows inside come twice or backwards."""
    response = answer.get("response")
    if not isinstance(response, list):
        return _shuffled(answer, shuffle)
    return answer | {"response": [_shuffled(one, shuffle) if isinstance(one, dict) else one for one in response]}


async def spoiled(
    fault: Fault | None,
    act: Callable[[], Awaitable[tuple[int, bytes]]],
    *,
    wrong_shape: bytes,
    limits: Limits,
    scripted: bool = False,
) -> Response:
    """Carry a call out, unless its fault keeps it from that; what the caller hears of it, and when. `scripted`: by VK's `execute`."""
    if (spoilt := before_act(fault, limits.silence)) is not None:
        return spoilt
    status, body = await act()
    await asyncio.sleep(limits.latency)
    if fault is not None and fault.kind == "malformed":
        body = wrong_shape
    if fault is not None and fault.kind in _ROWS:
        plain = json.loads(body)
        told = (_of_script if scripted else _shuffled)(plain, _ROWS[fault.kind])
        if told == plain and fault.missed is not None:
            fault.missed()
        body = ascii_json(told)
    return after_act(fault, body, limits.silence) or json_response(body, status)
