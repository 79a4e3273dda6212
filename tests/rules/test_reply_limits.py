"""Limits on answers: how they are written, and that nothing gets past one, nothing is kept back without need."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, strategies as st

from app.replies.rules import Candidate, Exceeded, Limit, Limits, exceeding, parse_limits


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("20/minute, 200/hour,1000/day", [(20, "minute"), (200, "hour"), (1000, "day")]),
        ("1/day", [(1, "day")]),
        ("", []),
        (" , ", []),
    ],
)
def test_limits_are_written_plainly(words: str, expected: list[tuple[int, str]]) -> None:
    found = parse_limits(words)
    assert [(one.most, one.window) for one in found] == expected
    assert parse_limits(", ".join(map(str, found))) == found


@pytest.mark.parametrize("words", ["many", "0/minute", "-1/hour", "5/week", "5 / hour", "5/hour;6/day", "9999999999/day"])
def test_a_limit_that_is_none_is_refused_with_an_example(words: str) -> None:
    with pytest.raises(ValueError, match="20/minute"):
        parse_limits(words)


_KEYS = st.integers(1, 3)
_LIMITS = st.lists(st.builds(Limit, most=st.integers(1, 4), window=st.sampled_from(["minute", "hour", "day"])), max_size=3).map(tuple)
_COUNTS = st.dictionaries(st.tuples(_KEYS, st.sampled_from(["minute", "hour", "day"])), st.integers(0, 5))


@given(
    people=st.lists(st.tuples(st.none() | _KEYS, _KEYS), max_size=12),
    limits=st.builds(Limits, author=_LIMITS, page=_LIMITS),
    by_author=_COUNTS,
    by_page=_COUNTS,
)
def test_no_more_go_out_than_allowed_and_none_waits_for_nothing(
    people: list[tuple[int | None, int]], limits: Limits, by_author: dict[tuple[int, str], int], by_page: dict[tuple[int, str], int]
) -> None:
    candidates = [Candidate(id=number, author=author, page=page) for number, (author, page) in enumerate(people)]
    over = exceeding(candidates, limits, by_author=by_author, by_page=by_page)
    gone: Counter[tuple[str, int]] = Counter()
    for one in candidates:
        room = (
            all(gone["author", one.author] + by_author.get((one.author, limit.window), 0) < limit.most for limit in limits.author)
            if (one.author is not None)
            else True
        )
        room &= all(gone["page", one.page] + by_page.get((one.page, limit.window), 0) < limit.most for limit in limits.page)
        assert (one.id in over) is not room
        if room:
            gone["page", one.page] += 1
            if one.author is not None:
                gone["author", one.author] += 1


def test_the_reason_names_the_limit() -> None:
    limits = Limits(author=parse_limits("1/hour"), page=parse_limits("9/day"))
    over = exceeding([Candidate(id=7, author=1, page=1)], limits, by_author={(1, "hour"): 1}, by_page={(1, "day"): 9})
    assert over == {7: Exceeded(code="limit_author", limit=Limit(most=1, window="hour"))}
    over = exceeding([Candidate(id=7, author=None, page=1)], limits, by_author={(1, "hour"): 1}, by_page={(1, "day"): 9})
    assert over == {7: Exceeded(code="limit_page", limit=Limit(most=9, window="day"))}
