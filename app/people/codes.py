"""One-time codes of the second step: which fits, what a device is told, what a recovery code looks like. Pure."""

from __future__ import annotations

import hmac
import secrets
from hashlib import sha256
from typing import TYPE_CHECKING

import pyotp

if TYPE_CHECKING:
    from datetime import datetime

STEP_SECONDS = 30
RECOVERY_CODES = 10
# Clocks differ: the step before and the one after ours are taken too (RFC 6238, 5.2).
_STEPS = (-1, 0, 1)
_ALPHABET = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"
_GROUPS, _GROUP = 4, 4
_DIGITS = 6


def new_secret() -> str:
    """A secret for a device: 160 random bits."""
    return pyotp.random_base32()


def address_of(secret: str, *, login: str, issuer: str) -> str:
    """What a device reads from the picture."""
    return pyotp.TOTP(secret).provisioning_uri(name=login, issuer_name=issuer)


def step_of(moment: datetime) -> int:
    """The number of the step that a moment lies in."""
    return int(moment.timestamp()) // STEP_SECONDS


def fitting_step(secret: str, code: str, *, now: datetime, last_step: int) -> int | None:
    """The step whose code this is, if it is near now and newer than the last one used: a seen code opens nothing again."""
    digits = "".join(code.split())
    if len(digits) != _DIGITS or not (digits.isascii() and digits.isdigit()):
        return None
    totp, present = pyotp.TOTP(secret), step_of(now)
    found = None
    for step in (present + by for by in _STEPS):
        if hmac.compare_digest(totp.generate_otp(step), digits) and step > last_step:
            found = step
    return found


def new_recovery_code() -> str:
    """About 79 random bits, in groups that can be written down."""
    return "-".join("".join(secrets.choice(_ALPHABET) for _ in range(_GROUP)) for _ in range(_GROUPS))


def recovery_hash(code: str) -> bytes | None:
    """What is stored of a recovery code, however it was typed; None when it cannot be one."""
    plain = "".join(char for char in code.upper() if char not in " -\u2013\u00a0\t")
    if len(plain) != _GROUPS * _GROUP or any(char not in _ALPHABET for char in plain):
        return None
    return sha256(b"otklik recovery code " + plain.encode("ascii")).digest()
