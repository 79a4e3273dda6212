"""Who may what, in words: permissions, and how far each reaches by the span of a role."""

from __future__ import annotations

from collections.abc import Mapping

from app.web.ui.marks import N_

PERMISSION: Mapping[str, str] = {
    "appeal.read": N_("See appeals"),
    "appeal.work": N_("Take, answer, dismiss, close and reopen appeals"),
    "appeal.create": N_("Take an appeal down by hand"),
    "appeal.route": N_("Hand an appeal to another agency, correct its topic"),
    "appeal.note": N_("Write notes for colleagues"),
    "appeal.extend": N_("Put a deadline off, with a reason"),
    "answer.approve": N_("Approve answers before they are published"),
    "triage.work": N_("Decide about comments that wait in triage"),
    "publishing.stop": N_("Stop publishing and let it go on"),
    "page.read": N_("See the official pages that are watched"),
    "page.connect": N_("Connect pages"),
    "report.read": N_("See the reports"),
    "report.approve": N_("Approve reports, so that their figures stay"),
    "audit.read": N_("Read the audit trail"),
    "subject.work": N_("Find, hand out and erase what is stored of a citizen"),
    "norm.edit": N_("Set norms and working hours"),
    "configure": N_("Configure the installation"),
}

SPAN: Mapping[str, str] = {
    "agency": N_("An agency with all below it"),
    "territory": N_("A territory with all below it"),
    "region": N_("The whole region"),
}

# A matter and a span → what somebody with a role of this span reaches.
REACH: Mapping[str, str] = {
    "held.agency": N_("appeals that these agencies hold; of those that they handed on, what was there by then"),
    "held.territory": N_("appeals from these places, whoever holds them"),
    "held.region": N_("all appeals"),
    "appeal.agency": N_("appeals that these agencies hold now"),
    "appeal.territory": N_("appeals from these places, whoever holds them"),
    "appeal.region": N_("all appeals"),
    "page.agency": N_("pages of these agencies and what is written under them"),
    "page.territory": N_("pages of these places and what is written under them"),
    "page.region": N_("all pages and what is written under them"),
    "territory.agency": N_("nothing: a territory or the whole region is needed"),
    "territory.territory": N_("what holds for these places"),
    "territory.region": N_("what holds for everybody"),
    "all.agency": N_("nothing: the whole region is needed"),
    "all.territory": N_("nothing: the whole region is needed"),
    "all.region": N_("all of it"),
}
