"""Webhooks in words. A test holds the codes of the program against these lists."""

from __future__ import annotations

from app.web.ui.marks import N_

KIND = {
    "appeal.opened": N_("appeal opened"),
    "appeal.answered": N_("appeal answered"),
    "appeal.closed": N_("appeal closed"),
    "appeal.overdue": N_("deadline missed"),
    "appeal.overdue_withdrawn": N_("deadline missed no more"),
    "test": N_("test"),
}

STATE = {
    "waiting": N_("Waits for the next attempt"),
    "sending": N_("Being sent"),
    "delivered": N_("Delivered"),
    "failed": N_("Not delivered"),
}

OUTCOME = {
    "delivered": N_("taken"),
    "refused": N_("refused"),
    "not_sent": N_("not sent"),
    "unknown": N_("no answer: it may have been heard"),
}
