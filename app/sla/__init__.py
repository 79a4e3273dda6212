"""Calendars, policies and timers: how long an answer may take."""
