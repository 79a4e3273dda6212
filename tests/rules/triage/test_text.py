"""Reading hostile text and the written form of keywords."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from app.triage.text import LIMIT, clean, is_word, plain_word, read, stem
from app.triage.vocabulary import Keyword, KeywordError, Matcher, canonical, parse_keywords


@pytest.mark.parametrize(
    "text",
    [
        "спасибо",
        "СПАСИБО",
        "с\u200bпа\u00adси\u2060бо",
        "\u202eспасибо\u202c",
        "спа\u0301сибо",
        "спасибооооо",
        "cпacибo",
        "спасибо\ufe0f😀",
    ],
)
def test_disguises_fall(text: str) -> None:
    assert [plain_word(token) for token in read(text).tokens] == ["спасибо"]


def test_yo_and_short_i_are_letters_and_not_decoration() -> None:
    assert clean("Ёжик и йод") == "ежик и йод"
    assert clean("и\u0306од") == "йод"


def test_what_is_no_word_is_counted_and_taken_out() -> None:
    reading = read("[id15|Пётр], [club3|Город] смотрите https://example.org/a?b=1 и @nick. Верно?")
    assert [token for token in reading.tokens if is_word(token)] == ["смотрите", "и", "верно"]
    assert (reading.people, reading.pages, reading.links) == (2, 1, 1)
    assert reading.starts_with_person
    assert reading.asks


def test_an_e_mail_is_no_mention_and_an_address_no_link() -> None:
    reading = read("ivan@example.org ул. Мира,5.Дом сдан")
    assert reading.people == 0
    assert "дом" in reading.tokens


def test_the_question_mark_of_a_link_asks_nothing() -> None:
    assert not read("https://example.org/?page=2").asks


@given(st.text(max_size=200))
def test_any_text_is_read(text: str) -> None:
    reading = read(text)
    assert all(token for token in reading.tokens)
    assert reading.cut is False


@given(st.text(alphabet="абв .?", min_size=1, max_size=50))
def test_only_the_beginning_is_read(text: str) -> None:
    long = text * (LIMIT // len(text) + 2)
    reading = read(long)
    assert reading.cut
    assert not read(long[:LIMIT]).cut
    assert reading[:-1] == read(long[:LIMIT])[:-1]


@given(st.text(alphabet="абвгдежзийклмнопрстуфхцчшщъыьэюя", min_size=1, max_size=30))
def test_a_stem_is_the_beginning_of_its_word(word: str) -> None:
    """What the matcher's short cut rests on."""
    assert word.startswith(stem(word))
    assert len(stem(word)) >= 2 or len(word) < 5 or not any(letter in word for letter in "аеиоуыэюя")


def found(cell: str, text: str) -> set[str]:
    keywords = parse_keywords(cell)
    return {keywords[number].text for number in Matcher(keywords).find(read(text).tokens)}


@pytest.mark.parametrize(
    ("cell", "text", "expected"),
    [
        ("дорога", "на дорогах ямы", {"дорога"}),
        ("поликлин*", "В ПОЛИКЛИНИКУ не попасть", {"поликлин*"}),
        ("нет воды", "воды уже сутки нет", {"нет воды"}),
        ("нет воды", "нет дороги, зато и колодец, и пруд, и река, и вода", set()),
        ("горяч* вод*; вод*", "горячую воду", {"горяч* вод*", "вод*"}),
        ("снег; снегопад", "снегопады", {"снегопад"}),
        ("с 3 до 7", "пособие с 3 до 7 лет", {"с 3 до 7"}),
        ("ждем ждем", "ждем", set()),
        ("ждем ждем", "ждем, очень ждем", {"ждем ждем"}),
        ("ёлка", "елки", {"елка"}),
        ("qr*", "QR-код", {"qr*"}),
    ],
)
def test_keywords_match_as_documented(cell: str, text: str, expected: set[str]) -> None:
    assert found(cell, text) == expected


def test_a_cell_is_read_with_its_weights() -> None:
    assert parse_keywords(" Автобус ; остановк*=2;; нет Воды = 3 ; друзья=-1.5;") == (
        Keyword(words=("автобус",)),
        Keyword(words=("остановк*",), weight=2),
        Keyword(words=("нет", "воды"), weight=3),
        Keyword(words=("друзья",), weight=-1.5),
    )
    assert parse_keywords("") == ()


@pytest.mark.parametrize("cell", ["=2", "вода=", "вода=nan", "вода=0", "вода=99", "а*", "*вода", "а б в г д е", "вода!", "в=1=2"])
def test_a_wrong_keyword_is_named(cell: str) -> None:
    with pytest.raises(KeywordError, match="'"):
        parse_keywords(f"автобус; {cell}")


@given(st.text(max_size=60))
def test_any_cell_is_read_or_refused(cell: str) -> None:
    try:
        keywords = parse_keywords(cell)
    except KeywordError:
        return
    Matcher(keywords).find(read(cell).tokens)


WORDS = st.sampled_from(["вода", "воды", "дорога", "дорогой", "снег", "снега", "нет", "не", "яма", "ямы", "мост", "горячая"])


@given(st.lists(WORDS, min_size=1, max_size=3), st.lists(WORDS, max_size=12))
def test_the_matcher_agrees_with_a_slow_reading(phrase: list[str], text: list[str]) -> None:
    (keyword,) = parse_keywords(" ".join(phrase))
    stems = [stem(word) for word in text]
    wanted = [stem(word) for word in keyword.words]
    anywhere = all(word in stems for word in wanted)
    hit = bool(Matcher([keyword]).find(text))
    if len(wanted) == 1:
        assert hit == anywhere
    elif hit:
        assert anywhere
    if len(set(wanted)) == len(wanted) > 1 and len(text) <= len(wanted) and anywhere:
        assert hit


def test_equal_keywords_are_known_as_such() -> None:
    one, other, different = parse_keywords("нет воды; воды нет=3; нет вод*")
    assert canonical(one) == canonical(other) != canonical(different)
