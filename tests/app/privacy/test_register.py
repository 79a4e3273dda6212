"""The register of personal data, its document in both languages and the schema say the same."""

from __future__ import annotations

import re

import pytest

from app.privacy.rules import KINDS, NOT_PERSONAL, REGISTER, Whose
from app.settings import Settings
from app.tables import metadata
from tests.conftest import ROOT


def test_every_table_is_looked_at() -> None:
    """A new table says in app/privacy/rules.py what it holds of people, or why nothing."""
    assert set(REGISTER) | set(NOT_PERSONAL) == set(metadata.tables)
    assert set(REGISTER) & set(NOT_PERSONAL) == set()


def test_every_column_is_there() -> None:
    for table, holding in REGISTER.items():
        assert set(holding.columns) <= {column.name for column in metadata.tables[table].columns}, table
        assert holding.kind in {"", *KINDS}, table


@pytest.mark.parametrize("name", ["docs/personal-data.md", "docs/personal-data.ru.md"])
def test_the_document_names_each_column_with_its_term(name: str) -> None:
    lines = [line.split("|") for line in (ROOT / name).read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    told = {tuple(re.findall(r"`([a-z_.]+)`", cells[1])): cells[4] for cells in lines}
    assert set(told) == {tuple(f"{table}.{column}" for column in holding.columns) for table, holding in REGISTER.items()}
    for columns, term in told.items():
        kind = REGISTER[columns[0].partition(".")[0]].kind
        assert f"`OTKLIK_KEEP_{kind.upper()}_DAYS`" in term if kind else "OTKLIK" not in term, columns
    assert {holding.whose for holding in REGISTER.values()} == set(Whose)


def test_each_term_is_a_setting() -> None:
    assert {name for name in Settings.model_fields if name.startswith("keep_")} == {f"keep_{kind}_days" for kind in KINDS}
