"""The mapping file: what a value of the table is called here. CSV with the columns kind, value, ours.

The command writes the values that it does not know, with `ours` empty; a person fills it, and the next run reads it.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import islice
from typing import TYPE_CHECKING

from app.exchange.incident.values import folded
from app.exchange.table import MOST_FAULTS, Fault, ImportFaultsError, read_table

if TYPE_CHECKING:
    from collections.abc import Sequence

HEADER = ("kind", "value", "ours")
SEPARATOR = " > "
"""Between the levels of a place or a topic: `Область > Город`."""
NEW = "new:"
"""`new:code` has the agency, topic or territory made; `new:group/topic` names a code for each level."""
_LOOKS_LIKE_FORMULA = ("=", "+", "-", "@", "\t", "'")


class Of(StrEnum):
    """What kind of value is mapped."""

    AGENCY = "agency"
    TOPIC = "topic"
    TERRITORY = "territory"
    STEP = "step"
    OUTCOME = "outcome"
    REASON = "reason"
    IN_TIME = "in_time"


HELP = {
    Of.AGENCY: "a code of ours, or new:code",
    Of.TOPIC: "a code of ours, or new:group/topic",
    Of.TERRITORY: "a code of ours, or new:region/place",
    Of.STEP: "waiting, answered or closed",
    Of.OUTCOME: "explained or solved",
    Of.REASON: "outcome (as «Итог» says), a reason of closing or of dismissing",
    Of.IN_TIME: "yes or no",
}


@dataclass(kw_only=True, slots=True)
class Mapping:
    """What was mapped, and what was asked for in vain, each with the rows in which it stands."""

    given: dict[tuple[Of, str], str] = field(default_factory=dict)
    """(kind, folded value) → ours."""
    asked: dict[tuple[Of, str], list[int]] = field(default_factory=dict)
    """(kind, value as written) → rows."""
    written: list[tuple[str, str, str]] = field(default_factory=list)
    """The lines of the file as they are."""

    def ours(self, of: Of, value: str) -> str | None:
        """What was given for a value."""
        return self.given.get((of, folded(value)))

    def ask(self, of: Of, value: str, row: int) -> None:
        """Note a value that nobody knows."""
        self.asked.setdefault((of, value), []).append(row)

    def stop(self) -> None:
        """Raise UnknownValuesError if anything was asked for in vain."""
        if self.asked:
            raise UnknownValuesError(self)


class UnknownValuesError(ImportFaultsError):
    """Values that have to be mapped first; `mapping` holds them."""

    def __init__(self, mapping: Mapping) -> None:
        super().__init__(
            [
                Fault(line=rows[0], text=f"{of.value} {value!r} is unknown ({len(rows)} rows). In the mapping file: {HELP[of]}.")
                for (of, value), rows in islice(mapping.asked.items(), MOST_FAULTS)
            ]
        )
        self.mapping = mapping


def read_mapping(data: bytes) -> Mapping:
    """The mapping that a file holds; lines without `ours` say nothing. Raises ImportFaultsError."""
    mapping, faults = Mapping(), []
    for line in read_table(data, required=HEADER):
        kind, value, ours = line["kind"], _unguarded(line["value"]), line["ours"]
        if kind not in set(Of):
            faults.append(Fault(line=line.number, text=f"kind {kind!r} is unknown. Known are: {', '.join(Of)}."))
            continue
        mapping.written.append((kind, value, ours))
        if ours:
            key = (Of(kind), folded(value))
            if mapping.given.setdefault(key, ours) != ours:
                faults.append(Fault(line=line.number, text=f"{kind} {value!r} is mapped twice, differently. Keep one."))
    if faults:
        raise ImportFaultsError(faults)
    return mapping


def write_mapping(mapping: Mapping) -> bytes:
    """The file with what it held and what was asked for, for a person to fill."""
    known = {(kind, folded(value)) for kind, value, _ in mapping.written}
    lines: Sequence[tuple[str, str, str]] = mapping.written + [
        (of.value, value, "") for of, value in sorted(mapping.asked) if (of.value, folded(value)) not in known
    ]
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(HEADER)
    writer.writerows((kind, _guarded(value), ours) for kind, value, ours in lines)
    return b"\xef\xbb\xbf" + out.getvalue().encode()  # the mark by which spreadsheet programs know UTF-8


def _guarded(value: str) -> str:
    return f"'{value}" if value.startswith(_LOOKS_LIKE_FORMULA) else value


def _unguarded(value: str) -> str:
    return value[1:] if value[:1] == "'" and value[1:2] in _LOOKS_LIKE_FORMULA else value
