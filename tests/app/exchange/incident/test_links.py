"""What a link names."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from app.exchange.incident.links import Place, read_author, read_place


@pytest.mark.parametrize(
    ("link", "place"),
    [
        (
            "https://vk.com/wall-501_77?reply=80&thread=79",
            Place(platform="vk", pages=("vk:-501", "page"), post="77", comment="80", root="79"),
        ),
        ("https://m.vk.com/wall-501_77?reply=80", Place(platform="vk", pages=("vk:-501", "page"), post="77", comment="80", root="80")),
        ("vk.com/gorod?w=wall-501_77", Place(platform="vk", pages=("vk:-501", "page"), post="77")),
        ("https://ok.ru/group/5/topic/6#7abc", Place(platform="ok", pages=("ok:5", "page"), post="6", comment="7abc", root="7abc")),
        ("https://ok.ru/group/5/topic/6", Place(platform="ok", pages=("ok:5", "page"), post="6")),
        ("https://t.me/gorod_test/12?comment=34", Place(platform="telegram", pages=("t.me/gorod_test", "page"), post="12", comment="34")),
        ("https://t.me/c", Place(platform="telegram", pages=("page",))),
        ("https://vk.com/photo1_2", Place(platform="vk", pages=("page",))),
        ("https://example.org/wall-501_77", Place(platform="by_hand", pages=("page",))),
        ("-", Place(platform="by_hand", pages=("page",))),
    ],
)
def test_links_of_a_real_file(link: str, place: Place) -> None:
    assert read_place(link, "page") == place


def test_the_page_tells_the_platform_when_the_post_does_not() -> None:
    assert read_place("", "https://ok.ru/gorod").platform == "ok"


@pytest.mark.parametrize(
    ("link", "author"),
    [
        ("https://vk.com/id9001", ("vk", "9001")),
        ("https://vk.com/club77", ("vk", "-77")),
        ("https://ok.ru/profile/5512", ("ok", "5512")),
        ("https://vk.com/ivan", None),
        (f"https://vk.com/id{'9' * 5000}", None),
        ("https://t.me/ivan_test", None),
        ("https://evil.example/?vk.com/id9001", None),
    ],
)
def test_authors_are_known_by_numbers_only(link: str, author: tuple[str, str] | None) -> None:
    assert read_author(link) == author


@given(st.text(max_size=200), st.text(max_size=200))
def test_no_link_breaks_the_reading(post: str, page: str) -> None:
    assert read_place(post, page).platform in {"vk", "ok", "telegram", "max", "by_hand"}
    read_author(post)
