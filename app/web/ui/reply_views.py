"""What the screen shows of our answers, and of what is done to those that stand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class FormerWords:
    """What an answer said before it was changed: until when, by whom and why."""

    text: str
    until: datetime
    operator: str
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class AmendmentView:
    """A change of an answer that is not done, or was done and took it away. `problem` is a code.

    `decisions` are what a person may say of it: "approve", "again", "withdraw".
    """

    id: str
    change: str
    state: str
    text: str
    reason: str
    operator: str
    at: datetime
    problem: str = ""
    problem_detail: str = ""
    next_attempt_at: datetime | None = None
    decisions: tuple[str, ...] = ()

    @property
    def advice(self) -> str:
        """What its state advises: pictures that may stand there already must not be put there twice."""
        return f"{self.change}_{self.state}" if self.change == "attach" else self.state


@dataclass(frozen=True, kw_only=True, slots=True)
class ReplyView:
    """One of our answers and where it stands. `problem` is a code; `url` is there once it stands on the platform.

    `decisions` are what a person may say of it: "found", "posted", "resend", "withdraw", "approve".
    """

    id: str
    state: str
    text: str
    operator: str
    at: datetime
    to_comment: str
    interim: bool = False
    unapproved: bool = False
    also: int = 0
    """So many authors of merged appeals are answered with the same approval."""
    url: str = ""
    problem: str = ""
    problem_detail: str = ""
    mend_at: str = ""
    """Where whoever looks after the page mends what the platform refuses."""
    next_attempt_at: datetime | None = None
    decisions: tuple[str, ...] = ()
    pictures: tuple[str, ...] = ()
    """Where each is shown, without its size."""
    former: tuple[FormerWords, ...] = ()
    amendments: tuple[AmendmentView, ...] = ()
    changes: Mapping[str, datetime | None] = field(default_factory=dict)
    """What may be done to it where it stands, "edit" and "delete", and until when, where the platform sets a term."""
    over: Mapping[str, datetime] = field(default_factory=dict)
    """What could be done until then, and can no longer."""
    only_there: bool = False
    """The platform lets neither be done from here: by hand, on the platform."""
    lacking: str = ""
    """The kind of token with which it would."""
