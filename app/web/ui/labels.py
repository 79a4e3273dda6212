"""Codes put into words. Each table's keys are the values of an enum of the domain; a test compares them.

The words here are msgids, in English; `Words` looks them up in the reader's language. A code that nobody has put into
words is shown as it is: a page must not fail because of a new kind of event.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from app.web.ui import (
    amendment_words,
    audit_words,
    calendar_words,
    connect_words,
    faults,
    notice_words,
    permission_words,
    report_words,
    webhook_words,
)
from app.web.ui.marks import N_

STATUS = {
    "new": N_("New"),
    "in_work": N_("In work"),
    "answered": N_("Answered"),
    "closed": N_("Closed"),
    "dismissed": N_("Dismissed"),
}

# What a queue can be narrowed to; "" is what waits for an answer.
STATUS_FILTER = {
    "": N_("Waiting for an answer"),
    "open": N_("All open"),
    "all": N_("All, closed ones too"),
    **STATUS,
}

PLATFORM = {
    "vk": N_("VK"),
    "telegram": N_("Telegram"),
    "ok": N_("Odnoklassniki"),
    "max": N_("MAX"),
    "viber": N_("Viber"),
    "webform": N_("Web form"),
    "by_hand": N_("Taken down by hand"),
}

ROLE = {
    "operator": N_("operator"),
    "coordinator": N_("coordinator"),
    "supervisor": N_("supervisor"),
    "administrator": N_("administrator"),
}

PROMISE = {
    "triage": N_("Triage"),
    "first_answer": N_("First answer"),
    "interim_answer": N_("Interim answer"),
    "final_answer": N_("Final answer"),
}

REPLY_STATE = {
    "awaiting": N_("Waiting for approval"),
    "returned": N_("Returned: not published"),
    "queued": N_("Waiting to be published"),
    "sending": N_("Being published"),
    "sent": N_("Published"),
    "failed": N_("Not published"),
    "uncertain": N_("Unclear whether it was published"),
    "held": N_("Held back: too many answers at once"),
    "withdrawn": N_("Withdrawn"),
    "removed": N_("Deleted from the platform: it no longer counts"),
}

FACET = {
    "status": N_("State"),
    "agency": N_("Agency"),
    "platform": N_("Platform"),
    "topic": N_("Topic"),
    "territory": N_("Territory"),
}

ANY = {
    "agency": N_("Any agency"),
    "platform": N_("Any platform"),
    "topic": N_("Any topic"),
    "territory": N_("Any territory"),
}

DISMISS_REASON = {
    "spam": N_("Spam or advertising"),
    "abuse": N_("Abuse"),
    "gratitude": N_("Thanks"),
    "not_a_question": N_("Not a question or a request"),
    "duplicate": N_("The same appeal again"),
    "not_ours": N_("Outside our competence"),
}

CLOSE_REASON = {
    "explained": N_("Explained"),
    "solved": N_("Solved"),
    "cannot_reply_on_platform": N_("It is impossible to answer on the platform"),
    "author_satisfied": N_("The author is satisfied"),
    "no_further_dialogue": N_("Further dialogue would not help"),
}

KIND = {
    "appeal": N_("An appeal"),
    "undecided": N_("Undecided"),
    "greeting": N_("A greeting"),
    "thanks": N_("Thanks"),
    "wishes": N_("Good wishes"),
    "emoji": N_("Only emoji"),
    "link": N_("Only a link"),
    "mention": N_("Only a mention of somebody"),
    "page_voice": N_("Written by the page itself"),
    "chatter": N_("Chatter"),
}

ATTACHMENT = {
    "photo": N_("Photo"),
    "video": N_("Video"),
    "audio": N_("Audio"),
    "voice": N_("Voice recording"),
    "document": N_("File"),
    "sticker": N_("Sticker"),
    "link": N_("Link"),
    "other": N_("Attachment"),
}

OUTCOME = {
    "met": N_("in time"),
    "late": N_("late"),
    "unanswered": N_("without an answer"),
    "cancelled": N_("no longer counted"),
    "unpromised": N_("without a deadline"),
}

EVENT = {
    "opened": N_("Appeal opened"),
    "appended": N_("The citizen added a comment"),
    "taken": N_("Taken into work"),
    "routed": N_("Passed to %(agency)s"),
    "topic_set": N_("Topic corrected to “%(topic)s”"),
    "noted": N_("Note added"),
    "reply_queued": N_("Answer written"),
    "reply_submitted": N_("Answer handed in for approval"),
    "reply_approved": N_("Answer approved"),
    "reply_returned": N_("Answer returned"),
    "reply_sent": N_("Answer published"),
    "interim_sent": N_("Interim answer published"),
    "reply_failed": N_("Answer could not be published"),
    "reply_uncertain": N_("Unclear whether the answer was published"),
    "reply_held": N_("Answer held back: too many at once"),
    "reply_withdrawn": N_("Answer withdrawn"),
    "reply_sought": N_("Posted by hand: we look for it on the platform"),
    "answered_by_hand": N_("Answered by hand on the platform"),
    "amendment_submitted": N_("Change of the answer handed in for approval"),
    "amendment_approved": N_("Change of the answer approved"),
    "amendment_returned": N_("Change of the answer returned"),
    "amendment_queued": N_("Change or deletion of the answer asked for"),
    "amendment_failed": N_("The answer could not be changed or deleted"),
    "amendment_uncertain": N_("Unclear whether the answer was changed or deleted"),
    "amendment_held": N_("Change of the answer held back: too many at once"),
    "amendment_withdrawn": N_("The answer was left as it was"),
    "reply_edited": N_("Answer changed"),
    "pictures_sent": N_("Pictures of the answer published"),
    "reply_removed": N_("Answer deleted from the platform"),
    "unanswered": N_("No answer stands any more: the appeal waits again"),
    "dismissed": N_("Dismissed: %(reason)s"),
    "closed": N_("Closed: %(reason)s"),
    "reopened": N_("Reopened"),
    "comment_edited": N_("The citizen edited a comment"),
    "comment_deleted": N_("A comment was deleted on the platform"),
    "sla_warned": N_("Warning: the deadline is near"),
    "sla_breached": N_("The deadline has passed"),
    "paused": N_("The clock was stopped for a while: %(reason)s"),
    "resumed": N_("The clock goes on"),
    "extended": N_("Deadline put off: %(promise)s"),
    "policy_applied": N_("Counted by a new norm: %(promise)s"),
    "sla_breach_withdrawn": N_("Late no more, by the new norm: %(promise)s"),
    "merged": N_("Merged into the older appeal %(number)s"),
    "unmerged": N_("A matter of its own again, apart from %(number)s"),
    "joined": N_("Appeal %(number)s was merged into this one"),
    "parted": N_("Appeal %(number)s is a matter of its own again"),
    "rated": N_("The citizen rated the answer: %(mark)s of 5"),
    "followed": N_("Handed on to %(agency)s with the appeal that it was merged into"),
}

PRIORITY = {
    "ordinary": N_("Ordinary"),
    "urgent": N_("Urgent"),
}

NORM_UNIT = {
    "working_hours": N_("working hours"),
    "hours": N_("hours round the clock"),
    "working_days": N_("working days"),
    "days": N_("calendar days"),
    "working_minutes": N_("working minutes"),
    "minutes": N_("minutes round the clock"),
}

STANDING = {
    "met": N_("in time"),
    "late": N_("late"),
    "unanswered": N_("without an answer"),
    "waiting": N_("waiting, in time"),
    "overdue": N_("waiting, overdue"),
    "not_promised": N_("not promised"),
}

UNIT = {
    "hours": N_("hours"),
    "days": N_("days"),
}

REASON = {
    "by_page": N_("The page wrote it itself"),
    "no_text": N_("There is nothing to read in it"),
    "attachment_without_text": N_("There is only a picture or a file: a person has to look at it"),
    "only_emoji": N_("There are only emoji"),
    "only_links": N_("There are only links"),
    "only_mentions": N_("It only mentions somebody"),
    "courtesy": N_("Only a courtesy: “%(marker)s”"),
    "chatter": N_("Only chatter: “%(marker)s”"),
    "talk": N_("A talk between citizens: it asks us nothing"),
    "question": N_("It asks: “%(marker)s”"),
    "request": N_("It asks for something: “%(marker)s”"),
    "complaint": N_("It complains: “%(marker)s”"),
    "place": N_("It names a place: “%(marker)s”"),
    "no_marker": N_("It neither asks nor complains"),
    "no_topic": N_("No word points to a topic"),
    "weak": N_("Too few signs of an appeal"),
    "cut": N_("Only the first %(characters)s characters were read"),
    "keyword": N_("“%(keyword)s” points to “%(topic)s”"),
    "from_post": N_("“%(keyword)s” in the post points to “%(topic)s”"),
    "close_call": N_("“%(first)s” and “%(second)s” fit almost equally well"),
    "rule": N_("Rule of routing: %(rule)s"),
    "rule_own_agency": N_("Rule of routing: the agency that owns the page answers"),
    "no_rule": N_("No rule says who answers about this"),
    "no_rule_for_unknown_topic": N_("The topic is unclear, and no rule covers the page as a whole"),
    "by_person": N_("A coordinator chose it"),
    "edited": N_("It was decided that this is no appeal; the author has edited it since"),
    "chosen": N_("The policy “%(policy)s”, version %(version)s, fits best"),
    "less_specific": N_("The policy “%(policy)s” fits too, but is less exact"),
    "no_policy": N_("No policy promises this"),
    "no_promise": N_("The policy “%(policy)s” promises nothing here"),
}


HINT = {
    "whole_group": N_("the group as a whole"),
    "spans": N_("Some exceptions cannot be read. Look at the marked ones."),
}

# Of the administration; `sections.py` says where they stand and who may open them.
SECTION = {
    "norms": N_("Norms"),
    "calendars": N_("Working hours"),
    "notices": N_("Notices"),
    "people": N_("People"),
    "audit": N_("Audit trail"),
    "subjects": N_("A citizen's data"),
    "tokens": N_("API tokens"),
    "webhooks": N_("Webhooks"),
    "private": N_("Private messages"),
}

PLACE = {
    "whole": N_("The whole region"),
    "territory": N_("Territories"),
    "agency": N_("Agencies"),
}

# What a token may be narrowed to.
TOKEN_MAY = {
    "appeal.read": N_("read appeals"),
    "appeal.create": N_("open appeals"),
    "appeal.work": N_("answer"),
    "page.read": N_("read the list of pages"),
    "report.read": N_("read reports"),
}

TOKEN_STATE = {
    "active": N_("in force"),
    "replaced": N_("replaced, still works"),
    "expired": N_("expired"),
    "revoked": N_("revoked"),
}

CAME_BY = {
    "password": N_("by password"),
    "link": N_("by a link"),
    "oidc": N_("by the provider"),
}

TABLES: Mapping[str, Mapping[str, str]] = {
    "status": STATUS,
    "status_filter": STATUS_FILTER,
    "platform": PLATFORM,
    "role": ROLE,
    "permission": permission_words.PERMISSION,
    "span": permission_words.SPAN,
    "reach": permission_words.REACH,
    "promise": PROMISE,
    "reply_state": REPLY_STATE,
    "change": amendment_words.CHANGE,
    "amendment_state": amendment_words.AMENDMENT_STATE,
    "amendment_advice": faults.AMENDMENT_ADVICE,
    "reply_alert": faults.REPLY_ALERT,
    "link_refused": faults.LINK_REFUSED,
    "reply_problem": faults.REPLY_PROBLEM,
    "reply_advice": faults.REPLY_ADVICE,
    "fault": faults.FAULT,
    "facet": FACET,
    "any": ANY,
    "dismiss_reason": DISMISS_REASON,
    "close_reason": CLOSE_REASON,
    "pause_reason": calendar_words.PAUSE_REASON,
    "unit": UNIT,
    "left_out": calendar_words.LEFT_OUT,
    "priority": PRIORITY,
    "norm_unit": NORM_UNIT,
    "standing": STANDING,
    "kind": KIND,
    "attachment": ATTACHMENT,
    "day_kind": calendar_words.DAY_KIND,
    "day_note": calendar_words.DAY_NOTE,
    "outcome": OUTCOME,
    "event": EVENT,
    "reason": REASON,
    "sign_in": faults.SIGN_IN,
    "problem": faults.PROBLEM,
    "problem_advice": faults.PROBLEM_ADVICE,
    "group_by": report_words.GROUP_BY,
    "period_kind": report_words.PERIOD_KIND,
    "bucket": report_words.BUCKET,
    "bin": report_words.BIN,
    "span_unit": report_words.SPAN_UNIT,
    "behind": report_words.BEHIND,
    "nobody": report_words.NOBODY,
    **notice_words.TABLES,
    "hint": HINT,
    "section": SECTION,
    "webhook_kind": webhook_words.KIND,
    "webhook_state": webhook_words.STATE,
    "webhook_outcome": webhook_words.OUTCOME,
    "audit_act": audit_words.ACT,
    "audit_subject": audit_words.SUBJECT,
    "audit_fact": audit_words.FACT,
    "place": PLACE,
    "token_may": TOKEN_MAY,
    "token_state": TOKEN_STATE,
    "came_by": CAME_BY,
    "feed_problem": faults.FEED_PROBLEM,
    "aside_reason": faults.ASIDE_REASON,
    "page_state": faults.PAGE_STATE,
    "ability": connect_words.ABILITY,
    "ability_state": connect_words.ABILITY_STATE,
    "token_kind": connect_words.TOKEN_KIND,
    "tokens_needed": connect_words.TOKENS_NEEDED,
    "check_fix": connect_words.CHECK_FIX,
    "page_order": faults.PAGE_ORDER,
}


class Words:
    """The tables in one language."""

    def __init__(self, gettext: Callable[[str], str]) -> None:
        self._gettext = gettext

    def __call__(
        self,
        table: str,
        code: str,
        params: Mapping[str, str | int | float] | None = None,
        *,
        otherwise: str | None = None,
    ) -> str:
        """The words for a code; `otherwise`, or the code, when there are none or its parameters do not fit them."""
        fallback = code if otherwise is None else otherwise
        msgid = TABLES[table].get(code)
        if msgid is None:
            return fallback
        words = self._gettext(msgid)
        if "%(" not in words:
            return words
        try:
            return words % dict(params or {})
        except (KeyError, ValueError, TypeError):
            return fallback

    def plain(self, msgid: str) -> str:
        """A sentence that is marked where it stands, in this language."""
        return self._gettext(msgid)
