"""The sections of the administration: one line each. The menu shows whoever comes those that they may open."""

from __future__ import annotations

from dataclasses import dataclass

from app.people.rules import Permission


@dataclass(frozen=True, kw_only=True, slots=True)
class Section:
    """A section: its name (its words are in `labels.SECTION`), where it stands, what opening it demands."""

    name: str
    path: str
    permission: Permission


SECTIONS = (
    Section(name="people", path="/administration/people", permission=Permission.CONFIGURE),
    Section(name="audit", path="/administration/audit", permission=Permission.AUDIT_READ),
    Section(name="subjects", path="/administration/subjects", permission=Permission.SUBJECT_WORK),
    Section(name="norms", path="/administration/norms", permission=Permission.NORM_EDIT),
    Section(name="calendars", path="/administration/calendars", permission=Permission.NORM_EDIT),
    Section(name="notices", path="/administration/notices", permission=Permission.CONFIGURE),
    Section(name="private", path="/administration/private", permission=Permission.CONFIGURE),
    Section(name="tokens", path="/administration/tokens", permission=Permission.CONFIGURE),
    Section(name="webhooks", path="/administration/webhooks", permission=Permission.CONFIGURE),
)
