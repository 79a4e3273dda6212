"""When figures of cells are those of lines."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from app.reports.figures import Figures

CELLS_ALWAYS = -1


def alike(one: Figures, other: Figures) -> bool:
    """Percentiles within 1 %, all else exactly."""
    for name in (field.name for field in fields(one)):
        mine, theirs = getattr(one, name), getattr(other, name)
        if name.endswith(("median_s", "p90_s", "p99_s")):
            if None not in {mine, theirs} and mine != pytest.approx(theirs, rel=0.01):
                return False  # a measure that shows no percentiles has none computed
        elif mine != (pytest.approx(theirs) if isinstance(theirs, float) else theirs):
            return False
    return True
