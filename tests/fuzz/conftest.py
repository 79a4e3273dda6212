"""The region of the isolation tests: one of everything."""

from __future__ import annotations

from tests.isolation.conftest import database_url, grown, town

__all__ = ["database_url", "grown", "town"]
