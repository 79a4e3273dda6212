"""Whole journeys on the platform in memory."""
