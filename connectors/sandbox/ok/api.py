"""OK's API as a whole: whose token it is, whether the call is signed, its rate, then the method's own rules."""

from hashlib import md5
from typing import Any

from connectors.sandbox.calls import Calls
from connectors.sandbox.faults import REFUSALS, Fault
from connectors.sandbox.model import Token
from connectors.sandbox.ok.errors import OkError
from connectors.sandbox.ok.methods import METHODS, Call
from connectors.sandbox.pacing import Pacing
from connectors.sandbox.world import World

_UNSIGNED = frozenset({"access_token", "session_key", "sig"})
_CODES = {"flood": 8, "captcha": 403, "revoked": 102}


class OkApi:
    """Answers calls; never raises for what a caller did."""

    def __init__(self, *, world: World, calls: Calls) -> None:
        """Begin with all windows empty."""
        self._world = world
        self._calls = calls
        self._pacing = Pacing(world, calls, world.limits.ok_per_second)

    def token(self, values: dict[str, str]) -> Token | None:
        """Whose access token it is."""
        given = values.get("access_token", "")
        tokens = (one for (platform, _), one in self._world.state.tokens.items() if platform == "ok")
        return next((one for one in tokens if one.token.split()[-1] == given), None)

    def answer(self, values: dict[str, str], *, base: str, fault: Fault | None) -> Any:
        """What OK answers: a value, or an object with `error_code`."""
        token, method = self.token(values), values.get("method", "")
        try:
            result = self._invoke(token, method, values, base, fault)
        except OkError as error:
            self._calls.add("ok", method, token.label if token else None, str(error.code))
            return error.body()
        self._calls.add("ok", method, token.label if token else None, "ok")
        return result

    def _invoke(self, token: Token | None, method: str, values: dict[str, str], base: str, fault: Fault | None) -> Any:
        if token is None:
            raise OkError(102)
        application, secret, access = token.token.split()
        if values.get("application_key") != application:
            raise OkError(101)
        if values.get("sig") != _signature(values, access + secret):
            raise OkError(104)
        if not self._pacing.admits(token):
            raise OkError(11, "calls a second")
        if fault is not None and fault.kind in REFUSALS:
            raise _refusal(fault)
        act = METHODS.get(method)
        if act is None:
            raise OkError(3)
        return act(Call(self._world, token, values, base))


def _refusal(fault: Fault) -> OkError:
    return OkError(_CODES.get(fault.kind, fault.code or 2), fault.text or "")


def _signature(values: dict[str, str], secret: str) -> str:
    plain = "".join(f"{name}={value}" for name, value in sorted(values.items()) if name not in _UNSIGNED)
    return _md5(plain + _md5(secret))


def _md5(text: str) -> str:
    return md5(text.encode("utf-8", "surrogatepass"), usedforsecurity=False).hexdigest()
