"""Whatever another system tells, the past that is written is one that an appeal can have had."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given, strategies as st

from app.appeals.migrated import Migrated, PastAnswer, PastEnd, _status, _steps, _stops
from app.appeals.rules import OPEN, Act, CloseReason, DismissReason, Status
from app.sla.rules import StopCause

BEGIN = datetime(2025, 12, 1, tzinfo=UTC)
LATER = st.integers(0, 6).map(lambda hours: BEGIN + timedelta(hours=hours))
ANSWERS = st.lists(
    st.builds(PastAnswer, text=st.just("Ответ"), agency_id=st.just(1), created_at=LATER, published_at=LATER, at_known=st.booleans()),
    max_size=4,
).map(tuple)


@st.composite
def pasts(draw: st.DrawFn) -> Migrated:
    answers = draw(ANSWERS)
    reasons = st.sampled_from(
        [*CloseReason, *(() if answers else DismissReason)]
    )  # what was answered is not dismissed: the reader refuses it
    return Migrated(
        system="incident", external_id="1", cells={}, platform="vk", page_id=None, post_id=None, root_external_id=None, author_id=None,
        agency_id=1, territory_id=2, topic_id=None, written_at=BEGIN, text="", author_name=None, link=None,
        assigned_at=draw(st.none() | LATER), answers=answers, end=draw(st.none() | st.builds(PastEnd, reason=reasons, at=LATER)), timers=(),
    )  # fmt: skip


@given(pasts())
def test_every_past_can_be_lived_and_no_clock_outlives_it(past: Migrated) -> None:
    steps = _steps(past)
    assert steps[0].act is Act.OPENED
    assert [step.at for step in steps] == sorted(step.at for step in steps)
    assert sorted(step.answer for step in steps if step.act is Act.ANSWERED_BY_HAND and step.answer is not None) == list(
        range(len(past.answers))
    )
    status = _status(steps)  # raises when something happened that cannot happen
    assert (status in OPEN) == (past.end is None)
    stops = _stops(7, past.agency_id, steps)
    if status not in OPEN:
        assert any(stop.promises is None for stop in stops), "an end stops every clock"
    if past.answers:
        assert status is not Status.NEW
        assert any(stop.cause is StopCause.FULFILLED for stop in stops)
    assert not stops or status is not Status.NEW
