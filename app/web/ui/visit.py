"""One request of a person at a screen: who they are, what they see around every page, and how they are answered."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated
from urllib.parse import parse_qsl, urlsplit
from zoneinfo import ZoneInfo

from fastapi import Depends, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from app.appeals.feed import live_cursor_now
from app.appeals.office import Office
from app.appeals.pictures import PictureLimits
from app.appeals.waiting import triage_waiting
from app.kernel.db import ReadSession, WriteSession
from app.kernel.parts import WebParts
from app.media.rules import MediaHosts
from app.notices.queries import count_notices
from app.notices.rules import Kind as NoticeKind
from app.people.rules import Access, Grant, Permission, Role
from app.replies.stops import standing_stops
from app.web.deps import CurrentAccess, CurrentOffice, Looking, Now, Parts, csrf_of, csrf_token, opened, web_of
from app.web.ui.labels import Words
from app.web.ui.render import LANGUAGES, Renderer
from app.web.ui.sections import SECTIONS
from app.web.ui.stop_views import StopView, stop_view
from app.web.ui.views import NoticeCount, Screen, Viewer

LANGUAGE_COOKIE, THEME_COOKIE = "otklik_language", "otklik_theme"
THEMES = ("auto", "light", "dark")
_PAGES = (
    ("queue", Permission.APPEAL_READ),
    ("triage", Permission.TRIAGE_WORK),
    ("reports", Permission.REPORT_READ),
    ("pages", Permission.PAGE_READ),
)
_ROLES = (Role.COORDINATOR, Role.OPERATOR, Role.SUPERVISOR, Role.ADMINISTRATOR)


@dataclass(frozen=True, kw_only=True, slots=True)
class Frame:
    """What stands around a page. Read first: whoever listens from `cursor` on misses nothing of what is read after it."""

    cursor: str | None = None
    triage: int | None = None
    notices: NoticeCount | None = None
    stops: tuple[StopView, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Visit:
    """Whoever is signed in, at one moment."""

    request: Request
    parts: WebParts
    renderer: Renderer
    access: Access
    office: Office
    now: datetime
    session: str | None = None
    """The token that this answer gives the browser, when it is another than the one that it came with."""

    @property
    def media(self) -> MediaHosts:
        """From where pictures may be shown."""
        return web_of(self.request).media.hosts

    @property
    def pictures(self) -> PictureLimits:
        """How many pictures go with an answer here, and how large."""
        return web_of(self.request).pictures

    @property
    def language(self) -> str:
        """The person's own."""
        return self.access.locale

    @property
    def words(self) -> Words:
        """Codes to words in their language."""
        return self.renderer.words(self.language)

    @property
    def zone(self) -> ZoneInfo:
        """The time zone of their only place of work; the installation's when there are several."""
        zones = {self._zone_of(grant) for grant in self.access.grants}
        return ZoneInfo(zones.pop() if len(zones) == 1 else self.parts.timezone)

    def _zone_of(self, grant: Grant) -> str:
        directory = self.office.desk.directory
        agency = None if grant.agency_id is None else directory.agencies.get(grant.agency_id)
        territory_id = grant.territory_id if agency is None else agency.territory_id
        return self.parts.timezone if territory_id is None else directory.timezone_of(territory_id)

    @property
    def wants_part(self) -> bool:
        """Whether a script asks for a part of a page."""
        return wants_part(self.request)

    def reading(self) -> AbstractAsyncContextManager[ReadSession]:
        """A read-only transaction in their name."""
        return opened(self.parts.database.read(operator_id=self.access.operator_id))

    def writing(self) -> AbstractAsyncContextManager[WriteSession]:
        """A transaction in their name; it has committed when the block ends."""
        return opened(self.parts.database.write(operator_id=self.access.operator_id))

    @property
    def looking(self) -> Looking:
        """Notes for the audit trail what they are shown."""
        return Looking(reads=web_of(self.request).reads, operator_id=self.access.operator_id, now=self.now)

    async def frame(self, session: ReadSession) -> Frame:
        """What stands around a page: at most four statements."""
        stops = tuple(stop_view(one) for one in await standing_stops(session))
        if not self.access.may(Permission.APPEAL_READ):
            return Frame(stops=stops)
        cursor = str(await live_cursor_now(session))
        triage = await triage_waiting(session, self.access) if self.access.may(Permission.TRIAGE_WORK) else None
        return Frame(cursor=cursor, triage=triage, notices=notice_count(await count_notices(session, self.access)), stops=stops)

    def screen(self, frame: Frame | None = None) -> Screen:
        """The page's surroundings; a part has none."""
        around = frame or Frame()
        return Screen(
            language=self.language,
            zone=self.zone,
            now=self.now,
            csrf=csrf_token(self.request) if self.session is None else csrf_of(self.session),
            here=here(self.request),
            theme=theme_of(self.request),
            viewer=self._viewer(),
            pages=tuple(name for name, permission in _PAGES if self.access.may(permission)),
            sections=tuple(section for section in SECTIONS if self.access.may(section.permission)),
            may_create=self.access.may(Permission.APPEAL_CREATE),
            triage_waiting=around.triage,
            live_cursor=around.cursor,
            notices=around.notices,
            stops=around.stops,
            may_stop=self.access.may(Permission.PUBLISHING_STOP),
        )

    def _viewer(self) -> Viewer:
        held = {grant.role for grant in self.access.grants}
        role = next((role for role in _ROLES if role in held), Role.OPERATOR)
        directory = self.office.desk.directory
        names = []
        for grant in self.access.grants:
            node = directory.agencies.get(grant.agency_id or 0) or directory.territories.get(grant.territory_id or 0)
            if grant.role is role and node is not None:
                names.append(node.name)
        return Viewer(
            name=self.access.name,
            role=role.value,
            scope=", ".join(dict.fromkeys(names)),
            key=str(self.access.operator_id),
            keys_on=self.access.letters,
        )

    def page(self, template: str, view: Mapping[str, object], frame: Frame, *, status: int = 200) -> Response:
        """A whole page."""
        return self._html(self.renderer.render(template, self.screen(frame), view), status)

    def part(self, template: str, view: Mapping[str, object], *, headers: Mapping[str, str] | None = None) -> Response:
        """A part of a page, for a script to put in its place."""
        response = self._html(self.renderer.render(template, self.screen(), view), 200)
        response.headers.update(headers or {})
        return response

    def _html(self, source: str, status: int) -> Response:
        return HTMLResponse(source, status_code=status, headers={"Vary": "HX-Request, HX-Request-Type"})


async def visit_of(request: Request, access: CurrentAccess, office: CurrentOffice, parts: Parts, now: Now) -> Visit:
    """The visit; error pages of this request find it in `request.state`."""
    visit = Visit(request=request, parts=parts, renderer=renderer_of(request), access=access, office=office, now=now)
    request.state.visit = visit
    return visit


CurrentVisit = Annotated[Visit, Depends(visit_of)]


def renderer_of(request: Request) -> Renderer:
    """The renderer of this process."""
    renderer: Renderer = request.app.state.renderer
    return renderer


def wants_part(request: Request) -> bool:
    """Whether a script asks for a part of a page."""
    return request.headers.get("hx-request") == "true" and request.headers.get("hx-request-type") == "partial"


def notice_count(counts: Mapping[NoticeKind, int]) -> NoticeCount:
    """The counts of the bell."""
    return NoticeCount(
        overdue=counts[NoticeKind.SLA_BREACH] + counts[NoticeKind.TRIAGE_BREACH],
        near=counts[NoticeKind.SLA_WARNING] + counts[NoticeKind.TRIAGE_WARNING],
    )


# --- people who are not signed in ------------------------------------------------------------------------------


def stranger_screen(request: Request, parts: WebParts, now: datetime, *, csrf: str) -> Screen:
    """The surroundings of a page for somebody of whom we know nothing but what the browser says."""
    return Screen(
        language=language_of(request, parts),
        zone=ZoneInfo(parts.timezone),
        now=now,
        csrf=csrf,
        here=here(request),
        theme=theme_of(request),
    )


def language_of(request: Request, parts: WebParts) -> str:
    """What was chosen in this browser, else what it asks for, else the installation's."""
    chosen = request.cookies.get(LANGUAGE_COOKIE)
    if chosen in LANGUAGES:
        return chosen
    for wish in request.headers.get("accept-language", "").split(","):
        language = wish.split(";")[0].split("-")[0].strip().lower()
        if language in LANGUAGES:
            return language
    return parts.locale


def theme_of(request: Request) -> str:
    """What was chosen in this browser."""
    chosen = request.cookies.get(THEME_COOKIE)
    return chosen if chosen in THEMES else "auto"


# --- addresses -------------------------------------------------------------------------------------------------


def here(request: Request) -> str:
    """The address that is shown; of a part: of the page around it."""
    if wants_part(request):
        return current_address(request)
    return request.url.path + (f"?{request.url.query}" if request.url.query else "")


def current_address(request: Request) -> str:
    """Path and query of the page from which a request came: what htmx says, or the browser; "/" when neither does."""
    parts = urlsplit(request.headers.get("hx-current-url") or request.headers.get("referer") or "/")
    return local_path(parts.path + (f"?{parts.query}" if parts.query else ""))


def current_query(request: Request) -> dict[str, str]:
    """The query of the page from which a request came."""
    return dict(parse_qsl(urlsplit(current_address(request)).query, max_num_fields=50))


def local_path(value: object) -> str:
    """An address within this installation, or "/": nobody is led elsewhere by a link to us."""
    if not isinstance(value, str) or not value.startswith("/") or value.startswith(("//", "/\\")):
        return "/"
    return value if value.isprintable() and len(value) <= 2_000 and "\\" not in value else "/"  # noqa: PLR2004 - no address is longer


def see_other(path: str) -> Response:
    """After a form: go there."""
    return RedirectResponse(path, status_code=303)
