"""What is done to an answer that stands, in words; see `labels`."""

from __future__ import annotations

from app.web.ui.marks import N_

CHANGE = {
    "edit": N_("Change of the answer"),
    "delete": N_("Deletion of the answer"),
    "attach": N_("Pictures of the answer"),
}

AMENDMENT_STATE = {
    "awaiting": N_("Waiting for approval"),
    "returned": N_("Returned: not done"),
    "queued": N_("Waiting to be done"),
    "sending": N_("Being done"),
    "done": N_("Done"),
    "failed": N_("Not done"),
    "uncertain": N_("Unclear whether it was done"),
    "held": N_("Held back: too many at once"),
    "withdrawn": N_("Left as it was"),
}
