"""Hosts as they really are: look-alikes and encoded names are marked, honest ones are left alone."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, strategies as st

from app.web.ui.hosts import deceptive, deceptive_hosts, host_of
from app.web.ui.text import reveal


@pytest.mark.parametrize(
    "host", ["xn--80ak6aa92e.com", "vк.com", "сбep.ru", "gоsuslugi.ru", "асе.com", "рауре.com", "ехаmple.org", "vk.соm", "ρaypal.com"]
)
def test_look_alikes_are_told(host: str) -> None:
    assert deceptive(host)
    assert re.search(r"⚠ [^<]*xn--", str(reveal(f"Пишите на https://{host}/войти пожалуйста")))


@pytest.mark.parametrize("host", ["vk.com", "госуслуги.рф", "дом.рф", "example.org", "t.me", "москва.рф", "город.ru", "пос.gosuslugi.ru"])
def test_honest_hosts_are_left_alone(host: str) -> None:
    assert not deceptive(host)
    assert "⚠" not in str(reveal(f"Смотрите https://{host}/x и {host}"))


@pytest.mark.parametrize("words", ["ул.Ленина, д.5", "с.Ivanovo", "т.к. не знаю", "а.е.с.", "почта а@vк.com?", "3.14", "Привет...Как"])
def test_ordinary_words_are_no_hosts(words: str) -> None:
    assert deceptive_hosts(words) == []


def test_the_real_host_stands_beside_a_link() -> None:
    assert host_of("https://vk.com/x") == "vk.com"
    assert re.fullmatch(r"xn--[a-z0-9-]+\.com \(vк\.com\)", host_of("https://vк.com/login"))
    assert host_of("https://user:pass@evil.example/vk.com") == "evil.example"
    assert host_of("https://[broken") == ""


@given(st.text(max_size=300))
def test_no_text_breaks_it(text: str) -> None:
    reveal(text)
    host_of(f"https://{text}")


def test_a_long_word_costs_no_more_than_its_length() -> None:
    assert deceptive_hosts("а" * 20_000) == []
    assert deceptive_hosts("а." * 10_000) == []
