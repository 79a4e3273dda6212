"""The administration: the way to its first section."""

from __future__ import annotations

from fastapi import APIRouter, Depends
from starlette.responses import Response

from app.kernel.errors import ForbiddenError
from app.web.ui.sections import SECTIONS
from app.web.ui.visit import CurrentVisit, see_other, visit_of

router = APIRouter(include_in_schema=False, dependencies=[Depends(visit_of)])


@router.get("/administration")
async def administration(visit: CurrentVisit) -> Response:
    """To the first section that the person may open. ForbiddenError when there is none."""
    path = next((section.path for section in SECTIONS if visit.access.may(section.permission)), None)
    if path is None:
        raise ForbiddenError("access.administration", "Your roles open no section of the administration.")
    return see_other(path)
