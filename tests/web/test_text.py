"""Platform text as it is shown: nothing hidden, nothing lost, nothing that acts."""

from __future__ import annotations

import html
import re
import unicodedata

import pytest
from hypothesis import given, strategies as st

from app.web.ui.text import one_line, plain, reveal

WRAPPED = re.compile(r'^<bdi dir="auto">(.*)</bdi>$', re.DOTALL)
MARK = re.compile(r'<span class="invisible-char" title="U\+([0-9A-F]{4,6}) [^"<>]*">[^<>]*</span>')
HOST = re.compile(r'<span class="host-mark">⚠ [^<>]*</span>')


def written(shown: str) -> str:
    """What `reveal` was given, read back from the HTML."""
    inner = WRAPPED.match(HOST.sub("", shown))
    assert inner, shown
    return html.unescape(MARK.sub(lambda mark: chr(int(mark[1], 16)), inner[1]))


@given(st.text(min_size=1, max_size=300).map(lambda text: text.replace("\r\n", "\n")))
def test_no_character_is_lost_and_none_is_markup(text: str) -> None:
    shown = HOST.sub("", reveal(text))
    rest = MARK.sub("", WRAPPED.sub(r"\1", shown))
    assert "<" not in rest
    if not re.search(r"[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]{4}", text):
        # html.unescape turns a few numeric references into others; ours are only the five of markup
        assert written(shown) == text


@given(st.text(alphabet=st.characters(categories=["Cf", "Cc", "Zl", "Zp", "Lu"], exclude_characters="\n\t\u200d"), max_size=80))
def test_nothing_invisible_stays(text: str) -> None:
    rest = MARK.sub("", str(reveal(text)))
    flags = "\U000e0020"  # tag characters are shown too, unless they draw a flag, which needs a black flag before them
    hidden = [c for c in rest if unicodedata.category(c) in {"Zl", "Zp"} or "\u202a" <= c <= "\u202e" or c >= flags]
    assert hidden == []
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2060-\u206f\ufeff\u00ad]", rest)


@pytest.mark.parametrize("emoji", ["👨‍👩‍👧", "❤️‍🔥", "🏳️‍🌈", "👩🏽‍⚕️", "🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f"])
def test_joiners_inside_one_drawn_emoji_are_no_secret(emoji: str) -> None:
    assert reveal(emoji) == f'<bdi dir="auto">{emoji}</bdi>'


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("\u202e", "RLO"),
        ("а\u200dб", "ZWJ"),
        ("\u200d", "ZWJ"),
        ("\x00", "U+0000"),
        ("\U000e0041", "U+E0041"),
        ("\ufffd", "?"),
    ],
)
def test_hidden_characters_get_a_name(text: str, name: str) -> None:
    assert f">{name}</span>" in reveal(text)


def test_towers_of_accents_are_cut_down() -> None:
    assert len(reveal("з" + "\u0336" * 500)) < 250


def test_a_text_of_ten_megabytes_is_cut_quickly() -> None:
    assert len(reveal("<" * 10_000_000)) < 200_000
    assert str(one_line("я " * 5_000_000, limit=50)).count("я") == 25
    assert plain("я" * 10_000_000, limit=50) == "я" * 50 + "…"


def test_one_line_keeps_to_one_line() -> None:
    assert one_line(" а\n\n б\tв ") == '<bdi dir="auto">а б в</bdi>'
    assert plain("а\u202e\nб") == "а[RLO] б"


def test_nothing_is_nothing_so_that_a_page_can_say_so() -> None:
    assert not reveal("")
    assert not one_line(" \n ")
