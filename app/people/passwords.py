"""Passwords: which are good enough, and Argon2id in a thread of its own."""

from __future__ import annotations

import asyncio
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, TypeVar

from pwdlib.exceptions import PwdlibError
from pwdlib.hashers.argon2 import Argon2Hasher

from app.kernel.errors import InvalidError
from app.people.breached import BREACHED

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

SHORTEST = 10
LONGEST = 200
_FEWEST_CHARACTERS = 4
# Each hash takes 64 MB and four lanes: more at once would let strangers at the sign-in page starve everybody else.
_AT_ONCE = 2


def check_password(password: str, *, login: str) -> None:
    """Raise InvalidError, saying which rule is broken, unless the password is good enough."""
    folded = _same_form(password).casefold()
    if len(password) < SHORTEST:
        raise _bad("password.short", f"The password needs at least {SHORTEST} characters.", least=SHORTEST)
    if len(password) > LONGEST:
        raise _bad("password.long", f"The password may have at most {LONGEST} characters.", most=LONGEST)
    if (len(login) >= _FEWEST_CHARACTERS and login.casefold() in folded) or folded in login.casefold():
        raise _bad("password.login", "The password must not contain the sign-in name.")
    if folded in BREACHED or len(set(folded)) < _FEWEST_CHARACTERS or _is_sequence(folded):
        raise _bad("password.known", "This password is among the first that are guessed. Choose another one.")


async def hash_password(password: str) -> str:
    """Argon2id of the password, in its normal form."""
    return await _in_thread(lambda: _hasher().hash(_same_form(password)))


async def password_fits(password: str, stored: str | None) -> bool:
    """Whether it is the password. Takes the same time when there is none to compare with."""

    def verify() -> bool:
        try:
            fits = _hasher().verify(_same_form(password[:LONGEST]), stored or _decoy())
        except (PwdlibError, UnicodeEncodeError):
            return False
        return fits and stored is not None

    return await _in_thread(verify)


def _bad(code: str, detail: str, **params: int) -> InvalidError:
    return InvalidError(code, detail, field="password", **params)


def _same_form(password: str) -> str:
    """One form for what different keyboards send as different characters (NIST SP 800-63B, 3.1.1.2)."""
    return unicodedata.normalize("NFKC", password).encode("utf-8", "replace").decode("utf-8")


def _is_sequence(text: str) -> bool:
    """0123456789, abcdefghij, абвгдеёжзи and backwards."""
    steps = {ord(after) - ord(before) for before, after in pairwise(text)}
    return steps in ({1}, {-1})


@cache
def _hasher() -> Argon2Hasher:
    return Argon2Hasher()


@cache
def _decoy() -> str:
    return _hasher().hash("nobody has this password")


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="argon2")


async def _in_thread(work: Callable[[], T]) -> T:
    return await asyncio.get_running_loop().run_in_executor(_threads(), work)
