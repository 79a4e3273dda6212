"""What stands in a page's way, shown to whoever looks after it: the platform's words, what to do, whether what is pushed arrives."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter, Depends
from starlette.responses import Response

from app.appeals.pages import PageRow, one_page
from app.appeals.unsent import send_unsent, unsent
from app.kernel.errors import NotFoundError
from app.people.rules import Permission
from app.sources.care import aside_of, ask_again, care_of
from app.web.deps import requires
from app.web.ui.care_views import PASSES, AsideView, CareView, PushView, TroubleView
from app.web.ui.connecting import fix_words
from app.web.ui.fields import row_number
from app.web.ui.hosts import own_address
from app.web.ui.queue_view import number_text
from app.web.ui.visit import CurrentVisit, Visit, see_other, visit_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.appeals.unsent import Unsent
    from app.kernel.db import ReadSession
    from app.sources.care import Care, SetAsideTold

REASONS_SHOWN = 10

router = APIRouter(include_in_schema=False, dependencies=[Depends(visit_of), Depends(requires(Permission.PAGE_CONNECT))])


async def care_view(visit: Visit, session: ReadSession, row: PageRow) -> CareView | None:
    """None for whoever does not look after it."""
    if not visit.access.reaches(Permission.PAGE_CONNECT, agency_id=row.agency_id, territory_id=row.territory_id):
        return None
    found = await care_of(session, page_id=row.id)
    if found is None:
        return None
    plugin = visit.parts.plugins.get(row.platform)
    waiting = await unsent(session, visit.access, page_id=row.id)
    return CareView(
        troubles=_troubles(visit, row.platform, found, waiting),
        unsent=tuple(number_text(number) for number in sorted({one.number for one in waiting})),
        pushes=_pushes(found),
        may_push=plugin is not None and plugin.push is not None,
        aside=_aside(await aside_of(session, page_id=row.id)),
    )


@router.post("/pages/{page_id}/again")
async def again(visit: CurrentVisit, page_id: str) -> Response:
    """It is mended: read the page now, and send what was refused."""
    number = row_number(page_id)
    if number is None:
        raise NotFoundError("page.unknown", "There is no such page that you may see.")
    async with visit.writing() as session:
        row = await one_page(session, visit.access, page_id=number, now=visit.now)
        if not visit.access.reaches(Permission.PAGE_CONNECT, agency_id=row.agency_id, territory_id=row.territory_id):
            raise NotFoundError("page.unknown", "There is no such page that you may see.")
        await ask_again(session, operator_id=visit.access.operator_id, page_id=row.id)
        await send_unsent(session, visit.access, page_id=row.id, now=visit.now)
    return see_other(f"/pages/{row.id}?tried=1")


def address_of(visit: Visit, platform: str, detail: str) -> str:
    """The address in a platform's words that a person may be sent to; empty when there is none."""
    plugin = visit.parts.plugins.get(platform)
    return "" if plugin is None else own_address(detail, plugin.hosts, visit.parts.api_url(platform))


def _troubles(visit: Visit, platform: str, found: Care, waiting: list[Unsent]) -> tuple[TroubleView, ...]:
    """Each kind once, the reading first; of the refused answers the newest words, for a captcha's address does not hold for long."""
    told = {} if found.failed_code is None else {found.failed_code: ("read", found.failed_detail or "")}
    told |= {one.code: ("answer", one.detail) for one in waiting}
    return tuple(
        TroubleView(
            code=code, fix="" if code in PASSES else fix_words(visit, platform, code, ability), detail=detail,
            url=address_of(visit, platform, detail),
        )
        for code, (ability, detail) in told.items()
    )  # fmt: skip


def _aside(found: Sequence[SetAsideTold]) -> tuple[AsideView, ...]:
    """Each reason once, the latest first: the same trouble spoils many answers."""
    told: dict[str, AsideView] = {}
    for one in found:
        known = told.get(one.reason)
        told[one.reason] = AsideView(
            reason=one.reason,
            times=one.times + (known.times if known else 0),
            first_at=min(one.first_at, known.first_at) if known else one.first_at,
            last_at=max(one.last_at, known.last_at) if known else one.last_at,
        )
    return tuple(told.values())[:REASONS_SHOWN]


def _pushes(found: Care) -> tuple[PushView, ...]:
    views = []
    if found.hooked_at is not None:
        views.append(PushView(way="push", since=found.hooked_at, last_at=found.pushed_at, waiting=found.waiting))
    if found.listening_since is not None:
        said, words = found.deaf_code or "", found.deaf_detail or ""
        views.append(PushView(way="listen", since=found.listening_since, last_at=found.heard_at, problem=said, detail=words))
    return tuple(views)
