"""What a notice says, and the key under which it is given once."""

from __future__ import annotations

from enum import StrEnum


class Kind(StrEnum):
    """What happened to a deadline."""

    SLA_WARNING = "sla_warning"
    SLA_BREACH = "sla_breach"
    TRIAGE_WARNING = "triage_warning"
    TRIAGE_BREACH = "triage_breach"


TRIAGE_KINDS = frozenset({Kind.TRIAGE_WARNING, Kind.TRIAGE_BREACH})


def timer_key(kind: Kind, timer_id: int, number: int = 1) -> str:
    """The key of a timer's notice: its warning of this number (1, 2, …), or its breach."""
    return f"warn:{timer_id}:{number}" if kind is Kind.SLA_WARNING else f"breach:{timer_id}"


def triage_key(kind: Kind, comment_id: int) -> str:
    """The key of a waiting comment's notice."""
    return f"triage-warn:{comment_id}" if kind is Kind.TRIAGE_WARNING else f"triage-breach:{comment_id}"
