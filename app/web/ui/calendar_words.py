"""Words of clocks and working hours: why a clock stands, what a day is, why an entry of a file was not taken (`app.sla.ical.Why`)."""

from __future__ import annotations

from app.web.ui.marks import N_

PAUSE_REASON = {
    "waiting_for_author": N_("Waiting for the citizen to write more"),
    "platform_down": N_("The platform does not work"),
    "other": N_("Another reason"),
}

DAY_KIND = {
    "workday": N_("working day"),
    "weekend": N_("weekend"),
    "holiday": N_("holiday"),
    "day_off": N_("day off moved here"),
    "short": N_("short day before a holiday"),
    "moved_workday": N_("working day moved to the weekend"),
    "exception": N_("special day"),
}

DAY_NOTE = {
    "outside_hours": N_("outside working hours"),
    "day_off": N_("day off"),
}

LEFT_OUT = {
    "no_date": N_("it has no date, or one that does not exist"),
    "hours": N_("it has a time of day, so it says nothing of a whole day off"),
    "zone": N_("its time zone is unknown"),
    "repeats": N_("it repeats in another way than once a year: put its days in by hand"),
    "cancelled": N_("it is marked as cancelled"),
    "long": N_("it is longer than two months"),
    "outside": N_("its days lie outside these years"),
}
