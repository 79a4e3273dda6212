"""Official pages for other systems."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from app.appeals.pages import PageFilters, PageOrder, PageRow, pages
from app.people.rules import Access, Permission
from app.web.api.document import BEARER, problems
from app.web.api.models import Named, PageList, PageOut
from app.web.deps import Now, Reading, requires

router = APIRouter(prefix="/api/v1", tags=["pages"], dependencies=[Depends(BEARER)])

Reader = Annotated[Access, Depends(requires(Permission.PAGE_READ))]
MOST_PAGES = 100


@router.get("/pages", summary="A page of official pages", responses=problems())
async def list_pages(
    access: Reader,
    session: Reading,
    now: Now,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
    limit: Annotated[int, Query(ge=1, le=MOST_PAGES)] = MOST_PAGES,
) -> PageList:
    """The pages of the token's agencies and territories, in the order in which they were connected."""
    found = await pages(session, access, PageFilters(), now=now, order=PageOrder.OLD, after=cursor, limit=limit)
    return PageList(items=[_page(row) for row in found.rows], next=found.next)


def _page(row: PageRow) -> PageOut:
    sphere = None if row.sphere_code is None else Named(code=row.sphere_code, name=row.sphere_name or "")
    plain = {name: getattr(row, name) for name in PageOut.model_fields if name not in {"agency", "territory", "sphere"}}
    return PageOut(
        **plain,
        agency=Named(code=row.agency_code, name=row.agency_name),
        territory=Named(code=row.territory_code, name=row.territory_name),
        sphere=sphere,
    )
