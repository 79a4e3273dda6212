"""One-time codes: only near ones fit, none fits twice; recovery codes are read however they are typed."""

from __future__ import annotations

from base64 import b32encode
from datetime import UTC, datetime, timedelta

import pyotp
from hypothesis import given, strategies as st

from app.people import codes

MOMENTS = st.datetimes(min_value=datetime(2001, 1, 1), max_value=datetime(2100, 1, 1)).map(lambda naive: naive.replace(tzinfo=UTC))  # noqa: DTZ001 - given its zone at once
SECRETS = st.binary(min_size=20, max_size=20).map(lambda raw: b32encode(raw).decode())


@given(secret=SECRETS, now=MOMENTS, away=st.integers(-200, 200))
def test_a_code_fits_only_near_its_own_step(secret: str, now: datetime, away: int) -> None:
    code = pyotp.TOTP(secret).at(now + timedelta(seconds=away * codes.STEP_SECONDS))
    fits = codes.fitting_step(secret, code, now=now, last_step=-1)
    near = {pyotp.TOTP(secret).at(now + timedelta(seconds=by * codes.STEP_SECONDS)) for by in (-1, 0, 1)}
    assert (fits is not None) == (code in near)
    if abs(away) <= 1:
        assert fits is not None


@given(secret=SECRETS, tries=st.lists(st.tuples(st.integers(0, 8), st.integers(-2, 2)), max_size=30))
def test_no_code_opens_twice_in_any_order(secret: str, tries: list[tuple[int, int]]) -> None:
    """Whatever is replayed whenever: each step is taken once, and after it only newer ones."""
    begin, last, taken = datetime(2026, 11, 17, tzinfo=UTC), -1, []
    for passed, away in tries:
        now = begin + timedelta(seconds=passed * codes.STEP_SECONDS)
        code = pyotp.TOTP(secret).at(now + timedelta(seconds=away * codes.STEP_SECONDS))
        step = codes.fitting_step(secret, code, now=now, last_step=last)
        if step is not None:
            assert step > last
            assert abs(step - codes.step_of(now)) <= 1
            taken.append(step)
            last = step
    assert taken == sorted(set(taken))


@given(code=st.text(max_size=12))
def test_nonsense_is_no_code_and_breaks_nothing(code: str) -> None:
    secret = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
    now = datetime(2026, 11, 17, tzinfo=UTC)
    near = {pyotp.TOTP(secret).at(now + timedelta(seconds=by * 30)) for by in (-1, 0, 1)}
    assert (codes.fitting_step(secret, code, now=now, last_step=-1) is not None) == ("".join(code.split()) in near)


@given(spaces=st.lists(st.sampled_from(["", " ", "-", "\u2013", "\u00a0"]), min_size=16, max_size=16), lower=st.booleans())
def test_a_recovery_code_is_read_however_it_is_typed(spaces: list[str], lower: bool) -> None:  # noqa: FBT001 - given by hypothesis
    code = codes.new_recovery_code()
    plain = code.replace("-", "")
    typed = "".join(gap + char for gap, char in zip(spaces, plain, strict=True))
    assert codes.recovery_hash(typed.lower() if lower else typed) == codes.recovery_hash(code)
    assert codes.recovery_hash(plain[:-1]) is None
    assert codes.recovery_hash("123456") is None


def test_recovery_codes_are_long_and_differ() -> None:
    made = {codes.new_recovery_code() for _ in range(200)}
    assert len(made) == 200
    assert all(len(code.replace("-", "")) == 16 for code in made)
