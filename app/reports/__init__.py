"""Measures computed from the history."""
