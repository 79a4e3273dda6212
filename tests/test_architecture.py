"""What holds for the whole tree: who imports whom, how long a file may be, which words and which globals are not used."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.conftest import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

CODE = ("app", "connectors", "migrations", "tests", "bench", "tools")
LONGEST_FILE = 400
LONGEST_FUNCTION = 40

# Function → why it may be longer than forty lines.
LONG_FUNCTIONS = {
    "app/exchange/pages.py import_pages": "two transactions with a platform asked between them, in the order in which it happens",
    "app/flows/worker.py run": "the list of what a worker does, each part a few lines",
}

# DESIGN's vocabulary (decision 0001): these words are not ours, in one piece or as a part of a name.
NOT_SAID = frozenset({"ticket", "case", "user", "network", "channel", "message", "department", "category"})

# Name → whose word it is.
SAID_BY_OTHERS = {
    "app/bootstrap.py forget_dead_users": "the embedded PostgreSQL calls the processes that hold it its users",
    "app/kernel/live.py CHANNEL": "LISTEN/NOTIFY's word",
    "app/web/middleware.py message": "ASGI's word",
}

# What reads the world directly → where it may.
GLOBALS = {
    "datetime.now": frozenset({"app/kernel/clock.py", "connectors/contract.py"}),  # the two default clocks
    "datetime.utcnow": frozenset(),
    "date.today": frozenset(),
    "os.environ": frozenset({"app/cli/tree.py"}),  # handed on to child processes, not read
    "os.getenv": frozenset(),
    "print": frozenset(),
}


def sources(*folders: str) -> list[tuple[str, str]]:
    """(path within the project, text) of all Python files."""
    return [found for folder in folders for found in _of_folder(folder)]


@cache
def _of_folder(folder: str) -> list[tuple[str, str]]:
    paths = sorted((ROOT / folder).rglob("*.py"))
    return [(path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")) for path in paths]


@cache
def parsed(text: str) -> tuple[ast.AST, ...]:
    """Every node of a file."""
    return tuple(ast.walk(ast.parse(text)))


@pytest.mark.timeout(120)
def test_import_contracts_are_kept() -> None:
    """In a process of its own: the linter's logging would silence the loggers of every later test."""
    linter = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([linter, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603 - our own tool
    assert done.returncode == 0, done.stdout


def test_files_are_short() -> None:
    assert {path: len(text.splitlines()) for path, text in sources(*CODE) if len(text.splitlines()) > LONGEST_FILE} == {}


def _functions(text: str) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in parsed(text) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def test_functions_are_short() -> None:
    long = {
        f"{path} {node.name}": lines
        for path, text in sources("app", "connectors")
        for node in _functions(text)
        if (lines := (node.end_lineno or node.lineno) - node.lineno + 1) > LONGEST_FUNCTION
    }
    assert {name: lines for name, lines in long.items() if name not in LONG_FUNCTIONS} == {}
    assert set(LONG_FUNCTIONS) <= set(long), "an exception that is needed no more"


def _names(text: str) -> Iterator[str]:
    """Every name that the file itself gives to something."""
    for node in parsed(text):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr


def not_said(name: str) -> bool:
    """Whether a part of the name is one of the words, in the singular or the plural."""
    parts = {part.lower() for part in re.findall(r"[A-Z]?[a-z]+|[A-Z]+", name)}
    return any({word, f"{word}s", f"{word[:-1]}ies"} & parts for word in NOT_SAID)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("user_id", True), ("CaseList", True), ("categories", True), ("casefold", False), ("superuser", False), ("appeal", False)],
)
def test_words_are_told_apart(name: str, *, expected: bool) -> None:
    assert not_said(name) is expected


def test_names_use_the_words_of_the_glossary() -> None:
    found = {f"{path} {name}" for path, text in sources("app") for name in _names(text) if not_said(name)}
    assert found - set(SAID_BY_OTHERS) == set()
    assert set(SAID_BY_OTHERS) <= found, "an exception that is needed no more"


def test_tables_and_columns_use_the_words_of_the_glossary() -> None:
    from app.tables import metadata  # noqa: PLC0415 - importing the tables is what is tested

    names = {table.name for table in metadata.tables.values()}
    names |= {f"{table.name}.{column.name}" for table in metadata.tables.values() for column in table.columns}
    assert "appeal.status" in names
    assert {name for name in names if not_said(name)} == set()


def test_screens_speak_russian_words_of_the_glossary() -> None:
    """Words that the Russian screens must not use for what has another name here."""
    catalogue = (ROOT / "app/web/ui/locale/ru/LC_MESSAGES/otklik.po").read_text(encoding="utf-8").lower()
    assert "обращени" in catalogue
    found = [word for word in ("тикет", "кейс", "юзер", "пользовател", "департамент", "тегор") if re.search(rf"\b{word}", catalogue)]
    assert found == []


def _called(node: ast.AST) -> str:
    match node:
        case ast.Attribute(value=ast.Name(id=owner), attr=attribute):
            return f"{owner}.{attribute}"
        case ast.Attribute(value=ast.Attribute(attr=owner), attr=attribute):
            return f"{owner}.{attribute}"
        case ast.Call(func=ast.Name(id=name)):
            return name
        case _:
            return ""


@pytest.mark.parametrize("name", sorted(GLOBALS))
def test_the_world_is_read_in_one_place(name: str) -> None:
    found = {path for path, text in sources("app", "connectors") if any(_called(node) == name for node in parsed(text))}
    assert found == GLOBALS[name]


def test_rules_are_pure_by_contract() -> None:
    """The contract names them by a wildcard: nothing that is called `rules` escapes it but the importer of that table."""
    configured = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert '"app.*.rules"' in configured
    assert re.findall(r'ignore_imports = \["(app\.[\w.]+) -> \*\*"\]', configured) == ["app.exchange.rules"]
    names = {path for path, _ in sources("app") if Path(path).name == "rules.py"}
    assert {"app/appeals/rules.py", "app/people/rules.py", "app/replies/rules.py", "app/sla/rules.py"} <= names


def test_every_suppression_says_its_rule_and_why() -> None:
    bare = [
        f"{path}:{number}"
        for path, text in sources(*CODE)
        for number, line in enumerate(text.splitlines(), 1)
        if re.search(r"#\s*noqa(?!: [A-Z]+[0-9]+(, ?[A-Z]+[0-9]+)*\b)|#\s*type:\s*ignore(?!\[)", line) and "re.search" not in line
    ]
    assert bare == []


def test_no_file_names_a_path_of_somebody_s_machine_or_an_index() -> None:
    files = [ROOT / name for name in ("README.md", "README.ru.md", "Makefile", "Dockerfile", "compose.yaml", "pyproject.toml")]
    files += sorted(ROOT.glob("requirements*.lock"))
    texts = {path.name: path.read_text(encoding="utf-8") for path in files}
    assert [name for name, text in texts.items() if re.search(r"/work/|/home/|/root/", text)] == []
    assert [name for name, text in texts.items() if re.search(r"^\s*(--index-url|--extra-index-url|-i )", text, flags=re.MULTILINE)] == []
