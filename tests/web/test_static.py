"""Vendored files are what their manifest says, ours ask nothing from outside, and every text has its Russian."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import re
import sys
from collections import Counter
from enum import StrEnum
from pathlib import Path
from types import ModuleType

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.frontend import parse_mapping_cfg
from babel.messages.pofile import read_po

from app.appeals.rules import Act, CloseReason, DismissReason, Status
from app.people.rules import Role
from app.replies.rules import ReplyState
from app.sla.calendar import DAY_OFF, OUTSIDE_HOURS, DayKind
from app.sla.rules import Promise, TimerOutcome
from app.triage.rules import Kind, ReasonCode
from app.web.ui import calendar_words, labels
from app.web.ui.render import Assets

ROOT = Path(__file__).resolve().parents[2]
UI = ROOT / "app" / "web" / "ui"
STATIC, TEMPLATES = UI / "static", UI / "templates"
MANIFESTS = (STATIC / "vendor" / "vendor.json", ROOT / "tests" / "browser" / "vendor" / "vendor.json")
OUR_SCRIPTS = sorted(STATIC.glob("*.js"))
OUR_STYLES = sorted(STATIC.glob("*.css"))
PAGES = sorted(TEMPLATES.glob("*.html"))
QUOTED_ICON = re.compile(r'icon\("([\w-]+)"')


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("vendor_front_end", ROOT / "tools" / "vendor_front_end.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("manifest", MANIFESTS, ids=["served", "for tests"])
def test_vendored_files_are_the_manifests(manifest: Path) -> None:
    stated = json.loads(manifest.read_text(encoding="utf-8"))["packages"]
    files = {entry["path"]: entry for package in stated for entry in package["files"]}
    found = {
        path.relative_to(manifest.parent).as_posix(): path for path in manifest.parent.rglob("*") if path.is_file() and path != manifest
    }
    assert set(found) == set(files)
    for name, path in found.items():
        content = path.read_bytes()
        assert (len(content), hashlib.sha256(content).hexdigest()) == (files[name]["bytes"], files[name]["sha256"]), name
    for package in stated:
        assert package["licence"]
        with_text = any("LICENSE" in entry["path"] for entry in package["files"])
        banner = any(b"Licensed under" in found[entry["path"]].read_bytes()[:600] for entry in package["files"])
        assert with_text or banner, package["name"]


def test_the_manifest_is_the_tools(tool: ModuleType) -> None:
    stated = [package for manifest in MANIFESTS for package in json.loads(manifest.read_text(encoding="utf-8"))["packages"]]
    pinned = {(package.name, package.version, package.licence, package.integrity) for package in tool.PACKAGES}
    assert {(p["name"], p["version"], p["licence"], p["integrity"]) for p in stated} == pinned


def test_a_package_that_differs_from_its_pin_is_refused(tool: ModuleType, tmp_path: Path) -> None:
    """The sprite's maker is the part that reads what a package says: an icon that is gone stops it."""
    (tmp_path / "icons" / "outline").mkdir(parents=True)
    with pytest.raises(tool.VendorError, match="no icon called"):
        tool.sprite(tmp_path)


def test_the_sprite_holds_the_used_icons_and_no_others(tool: ModuleType) -> None:
    source = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    called = set(QUOTED_ICON.findall(source))
    sprite = next((STATIC / "vendor").glob("tabler-icons-*/sprite.svg")).read_text(encoding="utf-8")
    drawn = re.findall(r'<symbol id="([\w-]+)"', sprite)
    assert drawn == list(tool.ICONS) == sorted(set(drawn))
    assert called <= set(drawn)
    unused = {name for name in drawn if f'"{name}"' not in source}
    assert unused == set()


@pytest.mark.parametrize("path", [*OUR_SCRIPTS, *OUR_STYLES, *PAGES], ids=lambda path: path.name)
def test_nothing_is_asked_from_outside(path: Path) -> None:
    assert re.findall(r"(?:https?:)?//[a-z0-9][\w.-]*\.[a-z]{2,}", path.read_text(encoding="utf-8"), re.IGNORECASE) == []


@pytest.mark.parametrize("path", OUR_STYLES, ids=lambda path: path.name)
def test_styles_name_only_files_that_are_there(path: Path) -> None:
    for name in re.findall(r"url\(\s*[\"']?([^\"')]+)", path.read_text(encoding="utf-8")):
        assert (STATIC / name).is_file(), name


@pytest.mark.parametrize("path", OUR_SCRIPTS, ids=lambda path: path.name)
def test_scripts_make_no_code_and_no_markup_out_of_text(path: Path) -> None:
    forbidden = (
        r"\beval\(|new Function|innerHTML|outerHTML\b(?!\")|insertAdjacentHTML|document\.write"
        r"|setAttribute\(\"style|\.srcdoc"
    )
    assert re.findall(forbidden, path.read_text(encoding="utf-8")) == []
    assert '"use strict"' in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_templates_keep_to_a_strict_policy(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son[a-z]+=|\bhx-on|\|\s*safe\b|autoescape false", source)
    for name in re.findall(r'asset\("([^"]+)"\)', source):
        assert (STATIC / name).is_file(), name


def test_addresses_of_static_files_change_with_their_bytes(tmp_path: Path) -> None:
    (tmp_path / "a.css").write_text("a{}")
    before = Assets(tmp_path).url("a.css")
    (tmp_path / "a.css").write_text("b{}")
    assert before.startswith("/static/a.css?v=")
    assert Assets(tmp_path).url("a.css") != before
    with pytest.raises(KeyError):
        Assets(tmp_path).url("b.css")


# --- words -------------------------------------------------------------------------------------------------------


def key(message: Message) -> str:
    """What identifies a text: its English, in the singular."""
    return message.id if isinstance(message.id, str) else message.id[0]


def strings(message: Message) -> list[str]:
    """All forms of its Russian."""
    found = message.string
    return [found] if isinstance(found, str) else list(found or ())


def extracted() -> Catalog:
    """Every text of templates and Python that is marked for the catalogue."""
    with (ROOT / "babel.cfg").open() as config:
        methods, options = parse_mapping_cfg(config)  # type: ignore[no-untyped-call] # babel's command line
    catalog = Catalog()
    keywords = {"_": None, "gettext": None, "ngettext": (1, 2), "pgettext": ((1, "c"), 2), "N_": None}
    for _file, _line, message, _comments, context in extract_from_dir(ROOT, methods, options, keywords=keywords):
        catalog.add(message, context=context)
    return catalog


@pytest.fixture(scope="module")
def russian() -> Catalog:
    with (UI / "locale" / "ru" / "LC_MESSAGES" / "otklik.po").open("rb") as source:
        return read_po(source, locale="ru")


def test_the_russian_catalogue_is_complete(russian: Catalog) -> None:
    wanted = {key(message) for message in extracted() if message.id}
    held = {key(message) for message in russian if message.id}
    assert wanted - held == set()
    assert held - wanted == set()
    assert len(wanted) > 250
    for message in russian:
        if not message.id:
            continue
        texts = strings(message)
        assert len(texts) == (1 if isinstance(message.id, str) else 3), message.id
        assert all(texts), message.id
        assert not message.fuzzy, message.id
        fields = set(re.findall(r"%\((\w+)\)s", key(message)))
        assert all(set(re.findall(r"%\((\w+)\)s", text)) == fields for text in texts), message.id
    assert not list(russian.obsolete)


def test_russian_texts_keep_to_our_typography(russian: Catalog) -> None:
    for message in russian:
        texts = strings(message)
        for text in texts if message.id else ():
            assert '"' not in text, text
            assert "“" not in text, text
            assert "..." not in text, text
            assert not re.search(r"(?<![.!?] )(?<!^)\b(Вы|Вас|Вам|Вами|Ваш)\b", text), text
            assert text.count("«") == text.count("»"), text


@pytest.mark.parametrize(
    ("table", "codes"),
    [
        ("status", Status),
        ("role", Role),
        ("reply_state", ReplyState),
        ("dismiss_reason", DismissReason),
        ("close_reason", CloseReason),
        ("event", Act),
        ("promise", Promise),
        ("outcome", TimerOutcome),
        ("kind", Kind),
        ("reason", ReasonCode),
        ("day_kind", DayKind),
    ],
)
def test_every_code_of_the_domain_has_words(table: str, codes: type[StrEnum]) -> None:
    assert {code.value for code in codes} - set(labels.TABLES[table]) == set()


def test_notes_of_a_calendar_have_words() -> None:
    assert set(calendar_words.DAY_NOTE) == {DAY_OFF, OUTSIDE_HOURS}


def test_no_table_says_two_things_with_one_word(russian: Catalog) -> None:
    texts = {message.id: message.string for message in russian if isinstance(message.id, str)}
    for name in ("status", "reply_state", "dismiss_reason", "close_reason", "kind", "facet", "group_by"):
        repeated = [word for word, times in Counter(texts[text] for text in labels.TABLES[name].values()).items() if times > 1]
        assert repeated == [], name
