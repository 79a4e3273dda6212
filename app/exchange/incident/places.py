"""Which agency, topic and territory of ours a row means: by the mapping file, else by a code or name that is the only one.

Pure. What has to be made first (`new:…`) is collected; its rows are resolved once it is there.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from app.exchange.incident.mapping import NEW, SEPARATOR, Of
from app.exchange.incident.values import folded, is_absent

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping as ReadOnly, Sequence

    from app.directory.service import Directory
    from app.exchange.incident.mapping import Mapping
    from app.exchange.table import Faults, Line

_CODE = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
LONGEST_NAME = 300


class _Node(Protocol):
    @property
    def id(self) -> int: ...
    @property
    def code(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def lineage(self) -> tuple[int, ...]: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Made:
    """A node that the mapping wants."""

    of: Of
    code: str
    parent: str
    name: str


@dataclass(frozen=True, slots=True)
class _Tree:
    """One kind of node, by id, code and name."""

    nodes: ReadOnly[int, _Node]
    by_code: ReadOnly[str, int]
    by_name: ReadOnly[str, Sequence[int]]

    @classmethod
    def of(cls, nodes: ReadOnly[int, _Node]) -> _Tree:
        by_name: dict[str, list[int]] = defaultdict(list)
        for node in nodes.values():
            by_name[folded(node.name)].append(node.id)
        return cls(nodes, {node.code: node.id for node in nodes.values()}, by_name)

    def find(self, names: Sequence[str]) -> int | None:
        """The only node of the last name below nodes of the other names; of an agency, a code will do as well."""
        if len(names) == 1 and names[0] in self.by_code:
            return self.by_code[names[0]]
        above = {folded(name) for name in names[:-1]}
        found = [one for one in self.by_name.get(folded(names[-1]), ()) if above <= self._names_above(one)]
        if len(names) == 1 and len(found) > 1:  # a group and a topic in it may share a name: alone it means the upper one
            found = [one for one in found if len(self.nodes[one].lineage) == 1]
        return found[0] if len(found) == 1 else None

    def _names_above(self, node_id: int) -> set[str]:
        return {folded(self.nodes[one].name) for one in self.nodes[node_id].lineage[1:]}


@dataclass(kw_only=True, slots=True)
class Places:
    """The directory as the table's names ask for it."""

    mapping: Mapping
    trees: ReadOnly[Of, _Tree]
    made: dict[tuple[Of, str], Made] = field(default_factory=dict)
    """What has to be made, parents before children."""

    @classmethod
    def of(cls, directory: Directory, mapping: Mapping) -> Places:
        """Over a directory."""
        return cls(
            mapping=mapping,
            trees={
                Of.AGENCY: _Tree.of(directory.agencies),
                Of.TOPIC: _Tree.of(directory.topics),
                Of.TERRITORY: _Tree.of(directory.territories),
            },
        )

    def find(self, of: Of, cells: Iterable[str], line: Line, faults: Faults) -> int | None:
        """The node that these cells (from the upper to the lower level) name.

        None when they are empty; when nobody knows them (asked for then); and when it has to be made first.
        """
        names = [cell for cell in cells if not is_absent(cell)]
        if not names and of is not Of.AGENCY:
            return None
        value, tree = SEPARATOR.join(names), self.trees[of]
        ours = self.mapping.ours(of, value)
        if ours is None:
            found = tree.find(names) if names else None
            if found is None:
                self.mapping.ask(of, value, line.number)
            return found
        if ours.startswith(NEW):
            return self._new(of, names, ours.removeprefix(NEW), line, faults)
        if ours not in tree.by_code:
            faults.add(line, f"The mapping file says {ours!r} for {of.value} {value!r}, but there is no such code. Mend it there.")
        return tree.by_code.get(ours)

    def _new(self, of: Of, names: Sequence[str], codes: str, line: Line, faults: Faults) -> int | None:
        path = codes.split("/")
        if codes in self.trees[of].by_code:
            return self.trees[of].by_code[codes]
        if path[-1] in self.trees[of].by_code:
            return self.trees[of].by_code[path[-1]]
        if len(path) != len(names) or not all(_CODE.fullmatch(code) for code in path) or any(len(name) > LONGEST_NAME for name in names):
            faults.add(
                line,
                f"The mapping file says {NEW}{codes} for {of.value} {SEPARATOR.join(names)!r}: it needs a code for each of the "
                f"{len(names)} levels, with / between them (a-z, 0-9, dot, dash, underscore).",
            )
            return None
        for level, (code, name) in enumerate(zip(path, names, strict=True)):
            if code not in self.trees[of].by_code:
                self.made.setdefault((of, code), Made(of=of, code=code, parent=path[level - 1] if level else "", name=name))
        return None
