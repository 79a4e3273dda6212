"""How a call to OK is signed. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import md5
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

NEVER_SIGNED = frozenset({"access_token", "session_key", "sig"})
_PARTS = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class Keys:
    """What a credential's secret holds: three words, in the order in which OK's pages name them."""

    application_key: str
    application_secret: str = field(repr=False)
    access_token: str = field(repr=False)


def keys(secret: str) -> Keys | None:
    """`APPLICATION_KEY APPLICATION_SECRET_KEY ACCESS_TOKEN`; None when it is anything else."""
    words = secret.split()
    if len(words) != _PARTS:
        return None
    return Keys(application_key=words[0], application_secret=words[1], access_token=words[2])


def signature(params: Mapping[str, str], found: Keys) -> str:
    """The sum over all parameters but the token, in the order of their names, under a secret that the token makes its own."""
    own = _md5(found.access_token + found.application_secret)
    return _md5("".join(f"{name}={params[name]}" for name in sorted(params) if name not in NEVER_SIGNED) + own)


def signed(params: Mapping[str, str], found: Keys) -> dict[str, str]:
    """The whole form of a call."""
    told = {**params, "application_key": found.application_key, "format": "json"}
    return {**told, "sig": signature(told, found), "access_token": found.access_token}


def _md5(text: str) -> str:
    return md5(text.encode(), usedforsecurity=False).hexdigest()
