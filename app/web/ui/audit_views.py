"""What the administrators' screen of the audit trail is given: plain frozen values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlencode

from app.web.ui.views import Choice


@dataclass(frozen=True, kw_only=True, slots=True)
class AuditLine:
    """One line. `person` is empty for the program and for commands; `facts` are pairs of a word and what it was."""

    at: datetime
    person: str
    login: str
    act: str
    subject: str
    facts: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class AuditView:
    """The filters as they were asked for, the lines, and where the next ones begin. `error` is a sentence."""

    rows: tuple[AuditLine, ...]
    person: str = ""
    act: str = ""
    subject: str = ""
    number: str = ""
    since: str = ""
    until: str = ""
    acts: tuple[Choice, ...] = ()
    subjects: tuple[Choice, ...] = ()
    next_cursor: str | None = None
    error: str = ""

    @property
    def narrowed(self) -> bool:
        """Whether anything is asked for."""
        return any((self.person, self.act, self.number, self.since, self.until))

    def query(self, **changed: str) -> str:
        """The address's query of this list."""
        pairs = {
            "person": self.person, "act": self.act, "subject": self.subject, "number": self.number, "from": self.since, "to": self.until,
        }  # fmt: skip
        return "?" + urlencode({name: value for name, value in (pairs | changed).items() if value})
