"""Notices in words: what happened, the ways to be told, what became of a letter."""

from __future__ import annotations

from app.web.ui.marks import N_

NOTICE = {
    "sla_warning": N_("The deadline is near"),
    "sla_breach": N_("The deadline has passed"),
    "triage_warning": N_("A comment waits for a decision: the deadline is near"),
    "triage_breach": N_("A comment waits for a decision: the deadline has passed"),
}

CARRIER = {
    "email": N_("Mail"),
    "telegram": N_("Telegram"),
    "max": N_("MAX"),
    "webhook": N_("Webhook"),
}

CARRIER_ADDRESS = {
    "email": N_("Your mail address"),
    "telegram": N_("The number of the chat"),
    "max": N_("Your number, or that of a chat"),
    "webhook": N_("Address of your system"),
}

CARRIER_HINT = {
    "email": N_("A code comes there, to make sure that the address is yours."),
    "telegram": N_("Write anything to the bot of notices: it answers with the number of the chat. The code comes there."),
    "max": N_("Write anything to the bot of notices: it answers with the number. The code comes there."),
    "webhook": N_("The code comes there together with a secret that checks signatures (Standard Webhooks)."),
}

OWN_LETTER = {
    "failed": N_("The last notice did not arrive."),
    "unknown": N_("Nobody knows whether the last notice arrived."),
}

OWN_CODE = {
    "failed": N_("the code did not arrive: check the address"),
    "unknown": N_("nobody knows whether the code arrived: if not, ask for another one"),
}

LETTER_STATE = {
    "failed": N_("not delivered"),
    "unknown": N_("outcome unknown"),
}

TOLD_ROLE = {
    "operator": N_("The operator who took the appeal, else all of the agency"),
    "coordinator": N_("Coordinators"),
    "supervisor": N_("Supervisors"),
}

ESCALATED = {
    "operator": N_("one more notice to operators"),
    "coordinator": N_("a notice to the coordinator"),
    "supervisor": N_("a notice to the supervisor"),
}

NOTICE_UNIT = {
    "percent": N_("percent of the term"),
    "minutes": N_("minutes after the deadline"),
    "hours": N_("hours after the deadline"),
    "days": N_("days after the deadline"),
}

TABLES = {
    "notice": NOTICE,
    "carrier": CARRIER,
    "carrier_address": CARRIER_ADDRESS,
    "carrier_hint": CARRIER_HINT,
    "own_letter": OWN_LETTER,
    "own_code": OWN_CODE,
    "letter_state": LETTER_STATE,
    "told_role": TOLD_ROLE,
    "escalated": ESCALATED,
    "notice_unit": NOTICE_UNIT,
}
