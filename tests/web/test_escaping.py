"""Stored XSS: escaped by construction. No template and no code hands on as markup what somebody else wrote."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from app.web.middleware import POLICY
from app.web.ui.render import Renderer
from tests.conftest import ROOT
from tests.web import screen_samples as samples

TEMPLATES = sorted((ROOT / "app/web/ui/templates").rglob("*.html")) + sorted((ROOT / "connectors/sandbox/wall/templates").rglob("*.html"))
# Who may say "this is markup": each escapes what it is given; a test of its own shows it.
MARKUP_MAKERS = {"app/web/ui/formats.py", "app/web/ui/text.py", "connectors/sandbox/wall/routes.py"}


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.name))
def test_stored_xss_no_attribute_holds_marked_text(path: Path) -> None:
    """What marks hidden characters makes elements, whose quotes would end the attribute: `plain` stands there."""
    assert not re.findall(r'[\w-]+="[^"]*\{\{[^}]*\|\s*(?:reveal|one_line)\b', path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.name))
def test_stored_xss_no_template_switches_escaping_off(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    assert not re.search(r"\|\s*safe\b|autoescape|Markup|\|\s*tojson", source)
    assert not re.search(r"<script(?![^>]*\bsrc=)", source)
    assert not re.search(r"""\s(?:on[a-z]+|style|srcdoc|hx-on[^=]*|hx-vals)\s*=""", source)
    assert not re.search(r"<(?:iframe|object|embed|base|style)\b", source)


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.name))
def test_stored_xss_values_stand_only_within_quotes(path: Path) -> None:
    """An attribute without quotes would let a space begin another one."""
    source = re.sub(r"\{%.*?%\}", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert re.findall(r"\s[\w-]+=\{\{", source) == []


def test_stored_xss_markup_is_made_in_one_place() -> None:
    found = set()
    for path in sorted((ROOT / "app").rglob("*.py")) + sorted((ROOT / "connectors").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Markup":
                found.add(path.relative_to(ROOT).as_posix())
    assert found <= MARKUP_MAKERS


@pytest.mark.parametrize("language", ["ru", "en"])
def test_hidden_characters_are_shown_even_inside_a_sentence(language: str) -> None:
    """What goes into a translated sentence is made harmless before it: a sentence is markup, and would be left alone."""
    source = Renderer().render("stops.html", samples.screen(language), {"stops": samples.stops()})
    assert not re.search("[\u202a-\u202e\u2066-\u2069\x00]", source)
    assert "[RLO]" in source


def test_links_to_elsewhere_tell_nothing_of_us() -> None:
    for path in sorted((ROOT / "app/web/ui/templates").rglob("*.html")):
        for link in re.findall(r"<a [^>]*target=\"_blank\"[^>]*>", path.read_text(encoding="utf-8")):
            assert 'rel="noopener noreferrer nofollow"' in link, (path.name, link)


def test_the_policy_has_no_exception() -> None:
    parts = {name: rest for name, _, rest in (part.strip().partition(" ") for part in POLICY.split(";"))}
    assert "unsafe" not in POLICY
    assert parts["default-src"] == "'self'"
    assert {"script-src", "style-src", "connect-src"}.isdisjoint(parts)
    assert parts["require-trusted-types-for"] == "'script'"
    assert parts["trusted-types"].split() == ["otklik", "default"]
