"""Every screen renders, in both languages, and lets no platform text act as markup."""

from __future__ import annotations

import html
import re
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest

from app.web.ui import labels
from app.web.ui.render import LANGUAGES, Renderer
from tests.web import screen_samples as samples

EMPTY = {"area", "base", "br", "col", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}


class Page(HTMLParser):
    """Reads a page strictly: unbalanced tags, repeated ids and forbidden attributes are noted."""

    def __init__(self, source: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.ids: Counter[str] = Counter()
        self.labels: set[str] = set()
        self.references: set[str] = set()
        self.tags: Counter[str] = Counter()
        self.wrong: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.feed(source)
        self.close()
        if self.open:
            self.wrong.append(f"never closed: {self.open}")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.note(tag, attrs)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.note(tag, attrs)
        if tag not in EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open[-1] != tag:
            self.wrong.append(f"</{tag}> closes {self.open[-1:]} at {self.getpos()}")
        if tag in self.open:
            while self.open.pop() != tag:
                pass

    def note(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Remember a tag and its attributes."""
        self.tags[tag] += 1
        values = {name: value or "" for name, value in attrs}
        self.attributes += [(tag, name, value) for name, value in values.items()]
        if len(values) != len(attrs):
            self.wrong.append(f"<{tag}> repeats an attribute: {attrs}")
        if "id" in values:
            self.ids[values["id"]] += 1
        for name in ("for", "aria-labelledby", "popovertarget", "data-focus", "data-counter-for", "data-live-form"):
            if name in values:
                self.references.add(values[name])
        if tag == "script" and not values.get("src"):
            self.wrong.append("a script without an address")
        self.wrong += [f"<{tag} {name}>" for name in values if name.startswith("on") or name == "style"]


@pytest.fixture(scope="module")
def renderer() -> Renderer:
    return Renderer()


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", samples.VIEWS)
def test_every_page_is_sound_and_lets_nothing_through(renderer: Renderer, name: str, language: str) -> None:
    template, view = samples.VIEWS[name]
    source = renderer.render(template, samples.screen(language, signed_in=name != "sign-in"), view())

    page = Page(source)

    assert page.wrong == []
    assert [repeated for repeated, times in page.ids.items() if times > 1] == []
    assert page.references - {"dialog-title"} <= set(page.ids)  # that one comes with the dialog's content
    assert page.tags["h1"] == 1
    assert "alert(1)" not in re.sub(r"&lt;script&gt;alert\(1\)&lt;/script&gt;", "", source)
    assert "{{ 7 * 7 }}" in html.unescape(source)
    assert not re.search("[\u202a-\u202e\u2066-\u2069\x00]", source)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", samples.FRAGMENTS)
def test_every_fragment_is_sound(renderer: Renderer, name: str, language: str) -> None:
    template, view = samples.FRAGMENTS[name]
    page = Page(renderer.render(template, samples.screen(language), view()))
    assert page.wrong == []
    assert [repeated for repeated, times in page.ids.items() if times > 1] == []
    assert page.tags["html"] == 0


@pytest.mark.parametrize("name", [*samples.VIEWS, *samples.FRAGMENTS])
def test_forms_that_change_something_carry_the_token_and_work_without_scripts(renderer: Renderer, name: str) -> None:
    template, view = samples.ALL[name]
    source = renderer.render(template, samples.screen(signed_in=name != "sign-in"), view())
    for form in re.findall(r"<form\b.*?</form>", source, re.DOTALL):
        head = form[: form.index(">")]
        address = re.search(r'\baction="([^"]+)"', head)
        assert address, head
        if 'method="post"' in head:
            assert 'name="csrf" value="token"' in form, head
            by_htmx = re.search(r'hx-post="([^"]+)"', head)
            assert by_htmx is None or by_htmx[1] == address[1]


def test_htmx_attributes_hold_no_code(renderer: Renderer) -> None:
    for template, view in samples.ALL.values():
        page = Page(renderer.render(template, samples.screen(), view()))
        for tag, name, value in page.attributes:
            if name.startswith("hx-"):
                assert not name.startswith("hx-on"), tag
                assert not value.startswith(("js:", "javascript:")), (tag, name, value)
                assert name != "hx-trigger" or "[" not in value, value


def test_letters_switched_off_leave_no_hints(renderer: Renderer) -> None:
    template, view = samples.VIEWS["appeal"]
    assert 'class="key"' in renderer.render(template, samples.screen(), view())
    off = renderer.render(template, samples.screen(keys_on=False), view())
    assert 'data-keys="off"' in off
    assert re.findall(r'<kbd class="key"[^>]*>([^<]*)</kbd>', off) == ["Ctrl ⏎", "Ctrl ⏎"]


def test_actions_that_are_not_allowed_are_not_offered(renderer: Renderer) -> None:
    template, view = samples.VIEWS["appeal, bare"]
    source = renderer.render(template, samples.screen("en"), view())
    assert "/appeals/482913077/" not in source
    assert "<textarea" not in source


def test_an_uncertain_answer_leaves_the_decision_to_a_person(renderer: Renderer) -> None:
    template, view = samples.FRAGMENTS["card"]
    source = renderer.render(template, samples.screen("en"), view())
    place = 'id="reply-{}"'
    states = list(labels.REPLY_STATE)
    after = source[source.index(place.format(states.index("uncertain"))) :]
    shown = after[: after.index("</form>")]
    assert re.findall(r'name="decision" value="(\w+)"', shown) == ["found", "resend", "withdraw"]


def test_an_unknown_language_is_answered_in_russian(renderer: Renderer) -> None:
    source = renderer.render("problem.html", samples.screen("xx"), samples.VIEWS["problem"][1]())
    assert '<html lang="ru"' in source
    assert "Такой страницы нет" in source


def test_deadlines_say_their_state_in_words_not_only_in_colour(renderer: Renderer) -> None:
    source = renderer.render("queue_rows.html", samples.screen("en"), {"queue": samples.queue()})
    states = re.findall(r'data-left data-state="(\w+)"', source)
    assert states == ["overdue", "near", "calm"]
    assert re.findall(r'class="left-word visually-hidden">([^<]+)<', source) == ["overdue by", "left", "left"]


def test_a_deleted_author_is_named_as_such(renderer: Renderer) -> None:
    template, view = samples.FRAGMENTS["card"]
    source = renderer.render(template, samples.screen("en"), view())
    assert '<b class="author">Deleted account</b>' in source
    assert "Name not given" not in source
    card: Any = view()["card"]
    alone = replace(card, author="", comments=(replace(card.comments[0], id="0", author=""),))
    source = renderer.render(template, samples.screen("en"), {**view(), "card": alone})
    assert '<b class="author">Name not given</b>' in source, "it was taken down by hand, without a name"
    assert "Deleted account" not in source.split('class="thread"')[1].split("</ol>")[0]
