"""What is stored of people, column by column: the register that the document, the tests and the erasure share. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

KINDS = ("text", "raw", "sign_in", "notice", "audit")
"""What has a term of its own: the settings OTKLIK_KEEP_…_DAYS."""


class Whose(StrEnum):
    """Of whom it tells."""

    CITIZEN = "citizen"
    STAFF = "staff"


@dataclass(frozen=True, kw_only=True, slots=True)
class Holding:
    """Columns of one table that hold personal data. `kind` is its term; "" means: as the document says, without a setting."""

    whose: Whose
    columns: tuple[str, ...]
    kind: str


# Table → what it holds of people. A column that holds personal data stands here, once.
REGISTER = {
    "author": Holding(whose=Whose.CITIZEN, columns=("external_id", "name", "link", "mark"), kind="text"),
    "comment": Holding(whose=Whose.CITIZEN, columns=("text", "attachments", "link"), kind="text"),
    "comment_revision": Holding(whose=Whose.CITIZEN, columns=("text", "attachments", "raw"), kind="text"),
    "appeal_text": Holding(whose=Whose.CITIZEN, columns=("text", "author_name", "link"), kind="text"),
    "appeal_note": Holding(whose=Whose.CITIZEN, columns=("text",), kind="text"),
    "appeal_origin": Holding(whose=Whose.CITIZEN, columns=("cells",), kind="text"),
    "reply": Holding(whose=Whose.CITIZEN, columns=("text", "link", "error_detail"), kind="text"),
    "reply_picture": Holding(whose=Whose.CITIZEN, columns=("content", "digest"), kind="text"),
    "amendment": Holding(whose=Whose.CITIZEN, columns=("text", "text_before", "reason", "error_detail"), kind="text"),
    "set_aside": Holding(whose=Whose.CITIZEN, columns=("raw", "snapshot"), kind="raw"),
    "pushed_event": Holding(whose=Whose.CITIZEN, columns=("body",), kind=""),  # emptied as soon as it is stored, within seconds
    "picture": Holding(whose=Whose.CITIZEN, columns=("content",), kind=""),  # dropped after three days at most
    "link_lookup": Holding(whose=Whose.CITIZEN, columns=("link", "text", "author_name"), kind=""),  # dropped after an hour
    "operator": Holding(whose=Whose.STAFF, columns=("login", "name", "password_hash"), kind=""),
    "external_identity": Holding(whose=Whose.STAFF, columns=("operator_id", "issuer", "subject"), kind=""),
    "second_factor": Holding(whose=Whose.STAFF, columns=("operator_id",), kind=""),
    "recovery_code": Holding(whose=Whose.STAFF, columns=("operator_id",), kind=""),
    "operator_session": Holding(whose=Whose.STAFF, columns=("operator_id", "token_hash", "address", "agent"), kind="sign_in"),
    "invitation": Holding(whose=Whose.STAFF, columns=("operator_id", "token_hash"), kind="sign_in"),
    "sign_in_attempt": Holding(whose=Whose.STAFF, columns=("login", "address"), kind="sign_in"),
    "notice_address": Holding(whose=Whose.STAFF, columns=("operator_id", "address"), kind=""),
    "audit_entry": Holding(whose=Whose.STAFF, columns=("operator_id", "act", "subject_id", "recorded_at"), kind="audit"),
}

# Every other table: why nothing in it tells of a person by itself.
NOT_PERSONAL = {
    "agency": "bodies of the state",
    "api_token": "services, no people",
    "appeal": "numbers, states and moments; whose it is says the author's row",
    "appeal_assignment": "which agency and operator held it, by number",
    "appeal_event": "ids and codes, never words or names",
    "audit_seal": "digests of the trail",
    "calendar_version": "working hours",
    "credential": "tokens of official pages, encrypted",
    "erasure": "by number; the reason names a request, not a person",
    "erasure_key": "a random key",
    "feed": "how pages are read",
    "call_share": "who may make how many calls with a token",
    "call_quota": "calls made with a token",
    "idempotency_key": "a system's own keys and digests",
    "notice": "deadlines of appeals, by number; settled ones end after a term of their own",
    "notice_delivery": "who is told of which notice, by number; ends with the notice",
    "notice_hours": "when a person may be disturbed, by number",
    "notice_letter": "what went out and how, by number; never what was in it",
    "notice_rule": "which roles are told when",
    "operator_role": "roles, by number",
    "page": "official pages",
    "post": "what official pages published",
    "page_intake": "official pages on their way to being connected",
    "page_day": "how many follow official pages, and their marks",
    "page_hook": "digests of secrets",
    "page_listener": "how pages are listened to",
    "webhook_attempt": "outcomes, by number",
    "webhook_delivery": "what was told, by number",
    "webhook_target": "addresses of other systems",
    "publishing_stop": "what was stopped and why, by number",
    "approved_report": "figures that were approved",
    "report_cell": "figures",
    "report_line": "what figures are made of: moments and numbers of rows",
    "report_shape": "figures",
    "report_queue": "which lines are to be counted anew, by number",
    "report_state": "how far the figures are",
    "working_span": "working hours",
    "routing_rule": "who answers what",
    "sla_extension": "why a deadline was put off, by number",
    "sla_pause": "why a clock stood, by number",
    "sla_policy_version": "promises",
    "sla_timer": "deadlines of appeals, by number",
    "sphere": "kinds of bodies",
    "territory": "places",
    "topic": "what appeals are about",
    "verdict": "codes and words of our own vocabulary",
}
