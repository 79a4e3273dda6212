"""Formula injection: no cell of ours is taken for a formula, and none loses anything but a leading apostrophe."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from app.kernel.sheet import plain_cell, safe_cell

FORMULAS = ("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", " =1", "\u00a0=1", "＝1", "＋1", "=cmd|' /C calc'!A0", "%0a=1", "|x")


@pytest.mark.parametrize("value", FORMULAS)
def test_formula_injection_what_begins_like_a_formula_becomes_text(value: str) -> None:
    assert safe_cell(value) == f"'{value}"


@pytest.mark.parametrize("value", ["", "Когда починят?", "1+1", "a=b", "№ 5", "«-»"])
def test_ordinary_words_stay_as_they_are(value: str) -> None:
    assert safe_cell(value) == value


@given(st.text(max_size=40))
def test_formula_injection_nothing_is_lost_and_nothing_acts(value: str) -> None:
    shown = safe_cell(value)
    assert shown in {value.replace("\x00", "\ufffd"), "'" + value.replace("\x00", "\ufffd")}
    assert not shown.lstrip(" \u00a0\u200b\ufeff").startswith(("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠"))


@given(st.text(max_size=40).filter(lambda value: "\0" not in value) | st.sampled_from(["'=1", "''-1", "'слово", "' =1", *FORMULAS]))
def test_what_was_made_text_comes_back_as_it_was(value: str) -> None:
    assert plain_cell(safe_cell(value)) == value
