"""Reading a post while people write and delete under it: nothing that stood there all the time is missed."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, strategies as st

from connectors.vk import mapping, threads
from tests.connectors.strategies import examples

if TYPE_CHECKING:
    from collections.abc import Callable

    from connectors.contract import Batch

NOW = datetime(2026, 11, 17, 7, 0, tzinfo=UTC)
UNDER = mapping.Under(page_external_id="-500", post_external_id="3", observed_at=NOW)
MANY_CALLS = 500


@dataclass
class Wall:
    """The comments of one post, answered as wall.getComments answers.

    `filters`: deleted rows leave their place in the page but not themselves, so that pages come short.
    """

    filters: bool = False
    tops: list[int] = field(default_factory=list)
    replies: dict[int, list[int]] = field(default_factory=dict)
    dead: set[int] = field(default_factory=set)
    last: int = 0

    def add(self, root: int | None = None) -> int:
        self.last += 1
        if root is None:
            self.tops.append(self.last)
            self.replies[self.last] = []
        else:
            self.replies[root].append(self.last)
        return self.last

    def living(self) -> set[int]:
        numbers = {number for top in self.tops for number in (top, *self.replies[top])}
        return numbers - self.dead

    def delete(self, number: int) -> None:
        self.dead.add(number)
        if self.filters:
            return
        for holder in (self.tops, *self.replies.values()):
            # A top comment with replies stays as a stub.
            if number in holder and not self.replies.get(number):
                holder.remove(number)

    def answer(self, call: dict[str, int]) -> dict[str, object]:
        root = call.get("comment_id")
        level = self.tops if root is None else self.replies.get(root, [])
        after = call.get("start_comment_id", 0)
        start = next((place for place, number in enumerate(level) if number >= after), len(level))
        page = level[start : start + call["count"]]
        if self.filters:
            page = [number for number in page if number not in self.dead or self.replies.get(number)]
        return {
            "count": len(self.living()),
            "current_level_count": len([n for n in level if not self.filters or n not in self.dead]),
            "items": [self._row(number, call.get("thread_items_count", 0)) for number in page],
        }

    def _row(self, number: int, inside: int) -> dict[str, object]:
        replies = self.replies.get(number, [])
        row: dict[str, object] = {"id": number, "from_id": 7, "date": 1793000000, "text": str(number)}
        if number in self.dead:
            row["deleted"] = True
        if number in self.replies:
            shown = [reply for reply in replies if reply not in self.dead][:inside]
            row["thread"] = {"count": len(replies), "items": [self._row(reply, 0) for reply in shown]}
        return row


def read(wall: Wall, *, page: int, root: int | None = None, meanwhile: Callable[[int], None] | None = None) -> list[Batch]:
    """Read to the end, going through the cursor each time as another process would."""
    batches: list[Batch] = []
    cursor: str | None = None
    for call in range(MANY_CALLS):
        reading = threads.resume(cursor, now=NOW, root=root)
        answer = wall.answer(threads.next_call(reading, page))
        inside = reading.open[0] if reading.open else None
        batches.append(threads.fold(reading, mapping.comments_page(answer, UNDER, root=inside), UNDER, page).batch)
        cursor = batches[-1].cursor
        if cursor is None:
            return batches
        if meanwhile:
            meanwhile(call)
    raise AssertionError("the reading does not end")


def found(batches: list[Batch]) -> set[int]:
    return {int(comment.external_id) for batch in batches for comment in batch.comments}


def is_whole(batches: list[Batch]) -> bool:
    return bool(batches[-1].complete_for)


def build(shape: list[int], *, filters: bool = False) -> Wall:
    wall = Wall(filters=filters)
    for replies in shape:
        top = wall.add()
        for _ in range(replies):
            wall.add(top)
    return wall


SHAPES = st.lists(st.sampled_from([0, 0, 0, 1, 3, 10, 11, 25]), max_size=14)
ACTS = st.lists(st.tuples(st.sampled_from(["top", "reply", "delete"]), st.integers(0, 200)), max_size=12)


def act(wall: Wall, what: str, which: int) -> None:
    living = sorted(wall.living())
    if what == "top" or not wall.tops:
        wall.add()
    elif what == "reply":
        wall.add(wall.tops[which % len(wall.tops)])
    elif living:
        wall.delete(living[which % len(living)])


@examples(100)
@given(shape=SHAPES, page=st.integers(2, 12))
def test_a_quiet_post_is_read_whole(shape: list[int], page: int) -> None:
    wall = build(shape)
    batches = read(wall, page=page)
    assert found(batches) == wall.living()
    assert is_whole(batches)


@examples(150)
@given(shape=SHAPES, page=st.integers(2, 12), acts=ACTS)
def test_nothing_that_stood_there_is_missed(shape: list[int], page: int, acts: list[tuple[str, int]]) -> None:
    wall = build(shape)
    before = wall.living()
    planned = iter(acts)

    def meanwhile(_call: int) -> None:
        if (one := next(planned, None)) is not None:
            act(wall, *one)

    batches = read(wall, page=page, meanwhile=meanwhile)
    assert before & wall.living() <= found(batches)


@examples(150)
@given(shape=SHAPES, page=st.integers(2, 12), acts=ACTS)
def test_pages_cut_short_never_lead_to_a_false_claim(shape: list[int], page: int, acts: list[tuple[str, int]]) -> None:
    wall = build(shape, filters=True)
    for what, which in acts:
        act(wall, what, which)
    batches = read(wall, page=page)
    if is_whole(batches):
        assert wall.living() <= found(batches)


@examples(100)
@given(shape=SHAPES.filter(bool), page=st.integers(2, 12), which=st.integers(0, 13))
def test_one_thread_alone(shape: list[int], page: int, which: int) -> None:
    wall = build(shape)
    root = wall.tops[which % len(wall.tops)]
    batches = read(wall, page=page, root=root)
    assert found(batches) == {root, *wall.replies[root]}
    assert batches[-1].complete_for[0].root_external_id == str(root)


def test_a_thread_whose_root_is_gone_is_looked_for_in_the_whole_post() -> None:
    wall = build([0, 0, 2])
    gone = wall.tops[0]
    wall.delete(gone)
    batches = read(wall, page=10, root=gone)
    assert found(batches) == wall.living()
    assert batches[-1].complete_for[0].root_external_id is None


def test_a_thread_that_vanishes_under_the_reader_is_passed_over() -> None:
    wall = build([25, 25, 0])
    reading = threads.resume(None, now=NOW, root=None)
    first = threads.fold(reading, mapping.comments_page(wall.answer(threads.next_call(reading, 10)), UNDER), UNDER, 10)
    assert first.reading is not None
    assert first.reading.open == (wall.tops[0], wall.tops[1])
    step = threads.skip(first.reading, UNDER)
    assert step.reading is not None
    assert step.reading.open == (wall.tops[1],)
    assert not step.reading.sound


def test_comments_that_come_while_reading_are_read_again() -> None:
    wall = build([0, 11])
    late: list[int] = []

    def meanwhile(call: int) -> None:
        if call == 1:
            late.append(wall.add(wall.tops[0]))

    batches = read(wall, page=2, meanwhile=meanwhile)
    assert late[0] in found(batches)
    assert is_whole(batches)


def test_an_unreadable_row_forbids_the_claim() -> None:
    wall = build([0, 0])
    answer = wall.answer({"count": 10, "thread_items_count": 10})
    items = answer["items"]
    assert isinstance(items, list)
    items[1]["date"] = "yesterday"
    step = threads.fold(threads.begin(NOW, None), mapping.comments_page(answer, UNDER), UNDER, 10)
    assert step.reading is None
    assert step.batch.complete_for == ()
    assert len(step.batch.unreadable) == 1


@pytest.mark.parametrize("cursor", ["", "{}", "nonsense", '{"v":1}', '{"v":0,"since":"x"}', '{"v":1,"since":"2026-11-17T07:00"}'])
def test_a_cursor_that_is_not_ours_starts_anew(cursor: str) -> None:
    assert threads.resume(cursor, now=NOW, root=5) == threads.begin(NOW, 5)


def test_the_claim_is_dated_before_the_first_call() -> None:
    wall = build([0])
    (batch,) = read(wall, page=10)
    assert batch.complete_for[0].observed_at == NOW
