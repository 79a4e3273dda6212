"""Reports in words: groupings, periods, lengths of time."""

from __future__ import annotations

from app.web.ui.marks import N_

GROUP_BY = {
    "agency": N_("Agency"),
    "territory": N_("Territory"),
    "topic": N_("Topic"),
    "page": N_("Page"),
    "platform": N_("Platform"),
    "operator": N_("Operator"),
}

PERIOD_KIND = {
    "day": N_("Day"),
    "week": N_("Week"),
    "month": N_("Month"),
    "quarter": N_("Quarter"),
    "year": N_("Year"),
    "last_30": N_("30 days"),
}

# How a period is cut: "by day".
BUCKET = {
    "day": N_("by day"),
    "week": N_("by week"),
    "month": N_("by month"),
    "quarter": N_("by quarter"),
    "year": N_("by year"),
}

# How long answers took.
BIN = {
    "upto": N_("up to %(to)s"),
    "between": N_("%(from)s–%(to)s"),
    "over": N_("over %(from)s"),
    "norm": N_("norm %(time)s"),
}
SPAN_UNIT = {
    "d": N_("d"),
    "h": N_("h"),
    "min": N_("min"),
}

# Lists behind figures that are no number themselves.
BEHIND = {
    "decided": N_("Answered, overdue or closed without an answer"),
}

# A line of a report for what belongs to nobody.
NOBODY = {
    "agency": N_("Without an agency"),
    "territory": N_("Without a territory"),
    "topic": N_("Without a topic"),
    "page": N_("Not from a page"),
    "platform": N_("Without a platform"),
    "operator": N_("Without an operator (waiting, or answered on the platform)"),
}
