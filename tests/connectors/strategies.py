"""JSON as a hostile or broken platform may answer it."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hypothesis import settings, strategies as st

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from hypothesis.strategies import SearchStrategy

LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([0, -1, 2**31, 2**63, -(2**63) - 1, 10**30]),
    st.floats(),
    st.text(st.characters(), max_size=20),
    st.sampled_from(["\0", "\ud800", "\udcff", "", "https://x.example", "javascript:alert(1)"]),
)
JSON: SearchStrategy[object] = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
TEXT = st.text(st.characters(), max_size=60)
"""Any characters, NUL and lone surrogates included."""


def examples(count: int) -> settings:
    """So many examples; a Hypothesis profile that asks for more than the usual hundred multiplies them."""
    return settings(deadline=None, max_examples=max(1, count * settings().max_examples // 100))


def fixtures(platform: str) -> dict[str, object]:
    """The recorded answers of a platform by the names of their files."""
    folder = Path(__file__).parent / platform / "fixtures"
    return {path.stem: json.loads(path.read_text("utf-8")) for path in sorted(folder.glob("*.json"))}


def damaged(value: object) -> SearchStrategy[object]:
    """A recorded answer in which a few values, anywhere, were replaced by anything or removed."""
    places = list(_places(value, ()))
    blows = st.lists(st.tuples(st.sampled_from(places), st.just(_GONE) | JSON), max_size=5)

    def strike(planned: list[tuple[tuple[str | int, ...], object]]) -> object:
        answer = deepcopy(value)
        for place, junk in planned:
            _replace(answer, place, junk)
        return answer

    return blows.map(strike)


_GONE = object()


def _places(value: object, here: tuple[str | int, ...]) -> Iterator[tuple[str | int, ...]]:
    inner: Iterable[tuple[str | int, object]] = ()
    if isinstance(value, dict):
        inner = value.items()
    elif isinstance(value, list):
        inner = enumerate(value)
    for key, item in inner:
        yield (*here, key)
        yield from _places(item, (*here, key))


def _replace(answer: object, place: tuple[str | int, ...], junk: object) -> None:
    holder: Any = answer
    for key in place[:-1]:
        if not _has(holder, key):
            return  # an earlier blow took it away
        holder = holder[key]
    if _has(holder, place[-1]):
        if junk is _GONE:
            del holder[place[-1]]
        else:
            holder[place[-1]] = junk


def _has(holder: object, key: str | int) -> bool:
    if isinstance(holder, dict):
        return key in holder
    return isinstance(holder, list) and isinstance(key, int) and key < len(holder)
