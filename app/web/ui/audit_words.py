"""The audit trail in words. A test holds each act of the program against this list.

`routes` and commands write an act as `subject.act`; one that is not here is shown as it is written.
"""

from __future__ import annotations

from app.web.ui.marks import N_

ACT = {
    "operator.sign_in": N_("Signed in"),
    "operator.sign_in_refused": N_("Sign-in refused"),
    "operator.sign_out": N_("Signed out"),
    "operator.password_set": N_("Password chosen by invitation"),
    "operator.preferences": N_("Own preferences changed"),
    "operator.invite": N_("Invited, roles given"),
    "operator.add": N_("Taken on with the sample region"),
    "operator.create_token": N_("API token made"),
    "credential.add": N_("Platform token stored"),
    "credential.revoke": N_("Platform token no longer used"),
    "appeal.read": N_("Looked at an appeal"),
    "appeal.listed": N_("Was shown a list of appeals"),
    "comment.read": N_("Looked at a comment in triage"),
    "comment.listed": N_("Was shown comments in triage"),
    "appeal.opened": N_("Took an appeal down"),
    "appeal.taken": N_("Took an appeal into work"),
    "appeal.routed": N_("Handed an appeal to another agency"),
    "appeal.topic_set": N_("Corrected the topic of an appeal"),
    "appeal.noted": N_("Wrote a note"),
    "appeal.reply_queued": N_("Wrote an answer"),
    "appeal.reply_withdrawn": N_("Withdrew an answer"),
    "appeal.dismissed": N_("Dismissed an appeal"),
    "appeal.closed": N_("Closed an appeal"),
    "appeal.reopened": N_("Reopened an appeal"),
    "reply.found": N_("Confirmed that an answer stands on the platform"),
    "triage.decided": N_("Decided about a comment in triage"),
    "publishing.stopped": N_("Stopped publishing"),
    "publishing.resumed": N_("Let publishing go on"),
    "territories.imported": N_("Territories imported"),
    "spheres.imported": N_("Spheres imported"),
    "agencies.imported": N_("Agencies imported"),
    "calendars.imported": N_("Calendars imported"),
    "topics.imported": N_("Topics imported"),
    "pages.imported": N_("Pages imported or added"),
    "rules.imported": N_("Routing rules imported"),
    "incidents.imported": N_("Past incidents imported"),
    "incidents.exported": N_("Appeals handed out as incidents"),
    "database.migrated": N_("Database brought to a new version"),
    "audit.exported": N_("Audit trail handed out"),
    "author.read": N_("Looked a citizen's data up"),
    "author.handed_out": N_("Handed a citizen's data out"),
    "author.erasure_asked": N_("Asked for a citizen's data to be erased"),
    "author.erased": N_("Erased a citizen's data on request"),
    "privacy.term_passed": N_("Erased what had passed its term"),
    "audit.dropped": N_("Old entries dropped after their term"),
}

SUBJECT = {
    "appeal": N_("Appeal"),
    "comment": N_("Comment"),
    "reply": N_("Answer"),
    "operator": N_("Operator"),
    "publishing_stop": N_("Stop of publishing"),
    "credential": N_("Platform token"),
    "author": N_("Author"),
    "audit": N_("Seal"),
}

# What stands in an entry beside its subject.
FACT = {
    "ids": N_("shown"),
    "grants": N_("roles"),
    "added": N_("new"),
    "changed": N_("changed"),
    "same": N_("as before"),
    "platform": N_("platform"),
    "kind": N_("kind"),
    "entries": N_("entries"),
    "erasure": N_("request"),
    "comments": N_("comments"),
    "authors": N_("authors"),
    "appeals": N_("appeals"),
    "raw": N_("payloads"),
    "sign_in": N_("sign-ins"),
    "notice": N_("notices"),
    "audit": N_("entries of the trail"),
    "from": N_("from"),
    "to": N_("to"),
}
