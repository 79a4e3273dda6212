"""Which passwords are refused, and what becomes of those that are taken."""

from __future__ import annotations

import pytest

from app.kernel.errors import InvalidError
from app.people.breached import BREACHED
from app.people.passwords import SHORTEST, check_password, hash_password, password_fits


@pytest.mark.parametrize(
    ("password", "code"),
    [
        ("короткий", "password.short"),
        ("a" * 201, "password.long"),
        ("abcdefghijklm", "password.known"),
        ("9876543210", "password.known"),
        ("ababababababab", "password.known"),
        ("QWERTYuiop123", "password.known"),
        ("Йцукенгшщзхъ", "password.known"),
        ("my-vera-ivanova-2", "password.login"),
        ("VERA-IVANOVA", "password.login"),
    ],
)
def test_weak_passwords_are_refused(password: str, code: str) -> None:
    with pytest.raises(InvalidError) as refused:
        check_password(password, login="vera-ivanova")
    assert refused.value.code == code
    assert password not in refused.value.detail


@pytest.mark.parametrize("password", ["кедр-и-брусника-7", "correct horse", "Zq8!fmT0w#", "🐻‍❄️ и семь сосен"])
def test_others_are_taken(password: str) -> None:
    check_password(password, login="vera")


def test_the_list_holds_what_the_length_lets_through() -> None:
    assert any(len(word) >= SHORTEST for word in BREACHED)
    assert all(word == word.casefold() for word in BREACHED)


async def test_argon2id_and_one_form_of_characters() -> None:
    stored = await hash_password("se\u00f1or \u043a\u0435\u0434\u0440")
    assert stored.startswith("$argon2id$")
    assert await password_fits("sen\u0303or \u043a\u0435\u0434\u0440", stored)
    assert not await password_fits("senor кедр", stored)
    assert not await password_fits("x", None)
    assert not await password_fits("x", "not a hash at all")
