"""Otklik: citizens' comments on official pages, turned into appeals, answered in time."""
