"""Rows for tests: typed async functions on the owner's session, sensible defaults, no state of their own.

Each returns the stored row, its id set; what is not given is made. Names and codes are unique, texts are invented.
"""

from __future__ import annotations

from tests.factories._base import MORNING
from tests.factories.appeals import (
    make_amendment,
    make_appeal,
    make_assignment,
    make_event,
    make_reply,
    make_reply_picture,
    make_taken_down_appeal,
)
from tests.factories.clock import NINE_HOURS, make_pause, make_policy, make_timer
from tests.factories.directory import (
    NINE_TO_SIX,
    grant,
    make_agency,
    make_calendar,
    make_operator,
    make_sphere,
    make_territory,
    make_topic,
)
from tests.factories.sources import make_author, make_comment, make_page, make_post, make_rule, make_verdict

__all__ = [
    "MORNING",
    "NINE_HOURS",
    "NINE_TO_SIX",
    "grant",
    "make_agency",
    "make_amendment",
    "make_appeal",
    "make_assignment",
    "make_author",
    "make_calendar",
    "make_comment",
    "make_event",
    "make_operator",
    "make_page",
    "make_pause",
    "make_policy",
    "make_post",
    "make_reply",
    "make_reply_picture",
    "make_rule",
    "make_sphere",
    "make_taken_down_appeal",
    "make_territory",
    "make_timer",
    "make_topic",
    "make_verdict",
]
