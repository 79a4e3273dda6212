"""What is a mark and what is not."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from app.appeals.marks import mark_of


@pytest.mark.parametrize(
    ("text", "mark"),
    [
        ("5", 5), (" 5! ", 5), ("5️⃣", 5), ("4+", 4), ("Пять", 5), ("пятёрка", 5), ("Твёрдая четвёрка", 4), ("Оценка 3", 3),
        ("Оценка: 2", 2), ("Спасибо, 5", 5), ("Спасибо большое за ответ! Ставлю 5", 5), ("5 из 5", 5),
        ("3/5", 3), ("4 балла", 4), ("⭐⭐⭐⭐⭐", 5), ("★★", 2),
        ("5 5 5", 5), ("Кол", 1), ("единица", 1), ("1", 1), ("Thank you, 5", 5), ("٤", 4),
        ("", None), ("Спасибо", None), ("0", None), ("6", None), ("10", None), ("55", None), ("2.5", None), ("5 или 4", None),
        ("1 2 3", None), ("5?", None), ("Дом 5", None),
        ("5 дней нет воды", None), ("Через 5 минут", None), ("⭐⭐⭐⭐⭐⭐", None), ("⭐⭐ 5", None),
        ("https://vk.com/5", None), ("Воды нет, ставлю 1", None), ("5" + " " * 100, None), ("7 из 10", None),
    ],
)  # fmt: skip
def test_a_mark_is_a_comment_that_is_nothing_else(text: str, mark: int | None) -> None:
    assert mark_of(text) == mark


@given(st.text(max_size=200))
def test_whatever_is_written_is_a_mark_or_none(text: str) -> None:
    assert mark_of(text) in {None, 1, 2, 3, 4, 5}


@given(st.text("абвгджзийклмнопрстуфхцчшщыьэюя ", min_size=1, max_size=40), st.integers(1, 5))
def test_whoever_says_something_gives_no_mark(words: str, mark: int) -> None:
    """Unless all that is said is a thanks."""
    said = f"Почему {words} {mark}"
    assert mark_of(said) is None
