"""How people come in, in tests."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from app.kernel.parts import Entrance
from app.kernel.vault import SIGN_IN, Vault

KEY = "a key of these tests alone and long enough"


def make_entrance(**changed: Any) -> Entrance:
    """The defaults of the settings, unless changed."""
    given: dict[str, Any] = {
        "vault": Vault(KEY, purpose=SIGN_IN),
        "lasts": timedelta(hours=12),
        "idle": timedelta(minutes=60),
        "second_factor_roles": frozenset(),
        "oidc": None,
        "address": "http://otklik.example",
    }
    return Entrance(**(given | changed))
