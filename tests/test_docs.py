"""What the README says is so: every setting, command, permission, metric, job kind, connector and word, and no other."""

from __future__ import annotations

import re
import shlex
import tomllib
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from app.cli.program import build
from app.kernel import jobs, metrics
from app.people.rules import PERMISSION_MATTER, ROLE_PERMISSIONS, Matter, Permission, Role, Span
from app.settings import Settings
from app.web.app import _API
from app.web.ui.render import Renderer
from connectors.registry import GROUP
from tests.conftest import ROOT

ENGLISH, RUSSIAN = "README.md", "README.ru.md"
BOTH = (ENGLISH, RUSSIAN)
DECISIONS = sorted((ROOT / "app/decisions").glob("*.md"))
LINKING = ["SECURITY.md", "CHANGELOG.md", "connectors/README.md", "connectors/sandbox/README.md", "app/sample/README.md"]

# DESIGN section 1: term → the word on the Russian screens, by its stem.
GLOSSARY = {
    "platform": "площадк",
    "page": "страниц",
    "post": "пост",
    "comment": "комментари",
    "author": "автор",
    "appeal": "обращени",
    "agency": "ведомств",
    "territory": "территори",
    "topic": "тем",
    "verdict": "разметк",
    "SLA policy": "норматив",
    "timer": "срок",
    "reply": "ответ",
    "amendment": "изменени",
    "outbox": "исходящ",
    "operator": "оператор",
    "mass incident": "массов",
}
NOT_ON_A_SCREEN_YET = {"outbox", "mass incident"}


@cache
def text_of(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def section(name: str, number: int) -> str:
    """The text of a section of the second level, by its place: both READMEs have the same."""
    return re.split(r"^## ", text_of(name), flags=re.MULTILINE)[number + 1]


def numbered(title: str) -> int:
    """The place of a section by its English title."""
    return [part.split("\n", 1)[0] for part in re.split(r"^## ", text_of(ENGLISH), flags=re.MULTILINE)[1:]].index(title)


def rows(text: str) -> list[list[str]]:
    """The rows of all tables of a text, without their heads."""
    found = []
    lines = text.splitlines()
    for number, line in enumerate(lines):
        following = lines[number + 1] if number + 1 < len(lines) else ""
        if line.startswith("|") and not line.startswith("|-") and not following.startswith("|-"):
            found.append([cell.strip() for cell in line.strip("|").split("|")])
    return found


def table(name: str, title: str) -> list[list[str]]:
    return rows(section(name, numbered(title)))


def code(cell: str) -> str:
    """What stands between the backticks of a cell."""
    found = re.fullmatch(r"`([^`]+)`", cell)
    return found[1] if found else cell


# --- settings, metrics, jobs, connectors ---------------------------------------------------------------------------


def _default(value: object) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    return f"./{value}" if isinstance(value, Path) else str(value)


@pytest.mark.parametrize("name", BOTH)
def test_every_setting_stands_there_with_its_default(name: str) -> None:
    told = {code(row[0]): code(row[1]) for row in table(name, "Settings")}
    assert told == {f"OTKLIK_{field.upper()}": _default(info.default) for field, info in Settings.model_fields.items()}


def _series() -> dict[str, str]:
    found = {}
    for thing in vars(metrics).values():
        series = getattr(thing, "series", thing)
        if hasattr(series, "_labelnames"):
            found[str(series._name)] = ", ".join(series._labelnames) or "-"
    return found


@pytest.mark.parametrize("name", BOTH)
def test_every_metric_stands_there_with_its_labels(name: str) -> None:
    series = _series()
    assert set(series) == {family.name for family in metrics.REGISTRY.collect()}
    told = {code(row[0]): row[1] for row in table(name, "Operating it") if code(row[0]).startswith("otklik_")}
    assert told == series


@pytest.mark.parametrize("name", BOTH)
def test_every_kind_of_job_stands_there(name: str) -> None:
    told = [code(row[0]) for row in table(name, "Operating it") if not code(row[0]).startswith("otklik_")]
    assert sorted(told) == sorted(jobs.names())


@pytest.mark.parametrize("name", BOTH)
def test_every_connector_stands_there(name: str) -> None:
    told = sorted(code(row[1]) for row in table(name, "Connectors"))
    declared = tomllib.loads(text_of("pyproject.toml"))["project"]["entry-points"][GROUP]
    assert told == sorted(declared)
    assert told == sorted(point.name for point in entry_points(group=GROUP)), "install this tree: pip install -e ."


# --- roles, routes, words ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "yes"), [(ENGLISH, "yes"), (RUSSIAN, "да")])
def test_the_table_of_permissions_is_the_one_in_code(name: str, yes: str) -> None:
    told = table(name, "Roles and permissions")
    listed = {code(row[0]): ([cell == yes for cell in row[1:5]], code(row[5])) for row in told if len(row) > 5}
    assert listed == {
        permission.value: ([permission in ROLE_PERMISSIONS[role] for role in Role], PERMISSION_MATTER[permission].value)
        for permission in Permission
    }
    reaches = {code(row[0]): row[1:] for row in told if len(row) == 1 + len(Span)}
    assert list(reaches) == [matter.value for matter in Matter]
    words = Renderer().words("ru" if name == RUSSIAN else "en")
    for matter, cells in reaches.items():
        assert cells == [words("reach", f"{matter}.{span.value}") for span in Span], "the screen says it in other words"
    head = section(name, numbered("Roles and permissions")).split("|---")[0].splitlines()[-1]
    assert [cell.strip() for cell in head.strip("|").split("|")][1:5] == [role.value for role in Role]


@pytest.mark.parametrize("name", BOTH)
def test_every_request_of_the_api_stands_there(name: str) -> None:
    routes: set[str] = set()
    for router in _API:
        for route in router.routes:
            found: Any = route
            routes |= {f"{method} {found.path}" for method in found.methods - {"HEAD"}}
    assert {code(row[0]) for row in table(name, "API")} == routes


@pytest.mark.parametrize("name", BOTH)
def test_the_glossary_has_every_word(name: str) -> None:
    told = {row[0]: row[1] for row in table(name, "Glossary")}
    assert list(told) == list(GLOSSARY)
    assert [term for term, stem in GLOSSARY.items() if stem not in told[term].lower()] == []


def test_the_screens_say_the_russian_words() -> None:
    said = "\n".join(
        re.findall(r'^(?:msgstr(?:\[\d\])? )?"(.*)"$', text_of("app/web/ui/locale/ru/LC_MESSAGES/otklik.po"), flags=re.MULTILINE)
    )
    missing = {term for term, stem in GLOSSARY.items() if not re.search(rf"\b{stem}", said.lower())}
    assert missing == NOT_ON_A_SCREEN_YET


# --- commands ------------------------------------------------------------------------------------------------------


def _leaves(command: Any, path: tuple[str, ...]) -> dict[str, Any]:
    """All commands that do something by themselves, by their full names."""
    if not hasattr(command, "list_commands"):
        return {} if command.hidden else {" ".join(path): command}
    found = {" ".join(path): command} if command.invoke_without_command else {}
    context = command.context_class(command)
    for name in command.list_commands(context):
        found |= _leaves(command.get_command(context, name), (*path, name))
    return found


@cache
def commands() -> dict[str, Any]:
    return _leaves(get_command(build()), ("otklik",))


@pytest.mark.parametrize("name", BOTH)
def test_every_command_stands_there(name: str) -> None:
    assert [code(row[0]) for row in table(name, "Commands")] == list(commands()), "in the order of otklik --help"


@pytest.mark.parametrize("name", BOTH)
def test_options_that_are_named_beside_a_command_are_its_own(name: str) -> None:
    for row in table(name, "Commands"):
        options = {option for parameter in commands()[code(row[0])].params for option in parameter.opts}
        assert set(re.findall(r"`(--[a-z-]+)`", row[1])) <= options


def _lines_of_shell() -> list[str]:
    found = []
    for name in (*BOTH, "SECURITY.md", "connectors/README.md", "connectors/sandbox/README.md", "app/sample/README.md"):
        for block in re.findall(r"^ *```sh\n(.*?)^ *```", text_of(name), flags=re.MULTILINE | re.DOTALL):
            found += [line.strip() for line in block.splitlines() if line.strip()]
    for line in text_of("compose.yaml").splitlines():
        if (given := re.fullmatch(r"#\s+docker compose run --rm (otklik .*)", line)) is not None:
            found.append(given[1])
    return sorted(set(found))


def _parses(words: list[str]) -> None:
    """Raise, as the program would, for a command or an option that does not exist or misses something."""
    command = get_command(build())
    context = command.make_context("otklik", [], resilient_parsing=True)
    while hasattr(command, "get_command") and words:
        command, words = command.get_command(context, words[0]), words[1:]
        assert command is not None
    command.make_context(command.name, list(words))


@pytest.mark.parametrize("line", _lines_of_shell())
def test_every_line_of_shell_can_be_run(line: str) -> None:
    words = shlex.split(line, comments=True)
    if words[0] == "make":
        assert all(re.search(rf"^{word}:", text_of("Makefile"), flags=re.MULTILINE) for word in words[1:])
    elif words[0] == "export":
        setting = words[1].partition("=")[0]
        assert setting.removeprefix("OTKLIK_").lower() in Settings.model_fields
    else:
        assert words[0] == "otklik"
        _parses(words[1:])


def test_a_line_of_shell_that_is_wrong_is_found() -> None:
    with pytest.raises(Exception, match="--nowhere"):
        _parses(["import", "pages", "pages.csv", "--nowhere"])


@pytest.mark.parametrize("name", BOTH)
def test_every_target_of_make_that_is_named_exists_and_each_is_named(name: str) -> None:
    targets = set(re.findall(r"^([a-z]+):.*## ", text_of("Makefile"), flags=re.MULTILINE))
    assert set(re.findall(r"\bmake ([a-z]+)`", text_of(name))) | {"run", "test"} == targets


# --- the two languages, links, decisions -----------------------------------------------------------------------------


def test_both_languages_have_the_same_sections() -> None:
    levels = [re.findall(r"^(#+) ", re.sub(r"```.*?```", "", text_of(name), flags=re.DOTALL), flags=re.MULTILINE) for name in BOTH]
    assert levels[0] == levels[1]


def test_both_languages_have_the_same_tables_lists_and_code() -> None:
    for number in range(len(re.findall(r"^## ", text_of(ENGLISH), flags=re.MULTILINE))):
        english, russian = (section(name, number) for name in BOTH)
        assert [len(row) for row in rows(english)] == [len(row) for row in rows(russian)]
        assert [row[0] for row in rows(english) if "`" in row[0]] == [row[0] for row in rows(russian) if "`" in row[0]]
        for mark in (r"^- ", r"^\d+\. "):
            assert len(re.findall(mark, english, flags=re.MULTILINE)) == len(re.findall(mark, russian, flags=re.MULTILINE))
        blocks = [
            re.findall(r"^ *```sh\n(.*?)^ *```", re.sub(r" +# .*", "", text), flags=re.MULTILINE | re.DOTALL) for text in (english, russian)
        ]
        assert blocks[0] == blocks[1]


@pytest.mark.parametrize("name", [*BOTH, *LINKING, *(path.relative_to(ROOT).as_posix() for path in DECISIONS)])
def test_links_lead_somewhere(name: str) -> None:
    folder = (ROOT / name).parent
    links = [link.partition("#")[0] for link in re.findall(r"\]\(([^)]+)\)", text_of(name))]
    assert [link for link in links if link and "://" not in link and not (folder / link).exists()] == []


@pytest.mark.parametrize("name", BOTH)
def test_every_decision_is_listed(name: str) -> None:
    listed = re.findall(r"^- \[(\d{4}) ([^\]]+)\]\(app/decisions/([^)]+)\)", text_of(name), flags=re.MULTILINE)
    assert [file for _, _, file in listed] == [path.name for path in DECISIONS]
    assert all(file.startswith(number) for number, _, file in listed)
    if name == ENGLISH:
        assert [f"# {number} {title}" for number, title, _ in listed] == [
            path.read_text(encoding="utf-8").splitlines()[0] for path in DECISIONS
        ]


@pytest.mark.parametrize("path", DECISIONS, ids=lambda path: path.stem)
def test_a_decision_is_one_page_of_four_parts(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if line.startswith("## ")] == ["## Context", "## Decision", "## Consequences", "## Alternatives"]
    assert "Status: accepted" in lines
    assert len(lines) <= 60


def test_decisions_are_numbered_without_gaps() -> None:
    assert [int(path.name[:4]) for path in DECISIONS] == list(range(1, len(DECISIONS) + 1))


def test_the_changelog_knows_this_version() -> None:
    version = tomllib.loads(text_of("pyproject.toml"))["project"]["version"]
    assert re.search(rf"^## \[{re.escape(version)}\]", text_of("CHANGELOG.md"), flags=re.MULTILINE)
    assert "## [Unreleased]" in text_of("CHANGELOG.md")


def test_the_licence_is_whole() -> None:
    text = text_of("LICENSE")
    assert "Apache License" in text
    assert "Version 2.0, January 2004" in text
    assert "END OF TERMS AND CONDITIONS" in text
    assert tomllib.loads(text_of("pyproject.toml"))["project"]["license"] == "Apache-2.0"
