"""The list of official pages and one page's card, with everything they can show."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, timedelta

from app.sources.facts import Day
from app.sources.rules import PageState
from app.web.ui.care_views import AsideView, CareView, PushView, TroubleView
from app.web.ui.connecting import CheckView, ConnectPage
from app.web.ui.page_views import PageCard, PageLine, PageQuery, PagesPage, StateCount, trend
from app.web.ui.views import Choice
from connectors.pages import ABILITIES
from tests.web.screen_bits import HOSTILE, NOW, ago

PROBLEMS = {PageState.FAULTY: "malformed", PageState.NO_ACCESS: "no_right", PageState.CLOSED: ""}


def line(state: PageState, place: int = 0) -> PageLine:
    """A page in a state."""
    return PageLine(
        id=str(place), platform="vk" if place % 2 else "unheard-of", title=HOSTILE, url=f"https://vk.com/{HOSTILE}", agency=HOSTILE,
        territory=HOSTILE, sphere=HOSTILE, members=None if place else 1200, state=state.value, polled_at=ago(1) if place else None,
        failures=place, problem=PROBLEMS.get(state, ""), official=bool(place % 2), comments_open=None, overdue_s=4000.0,
        lag_s=(None, 3.0, 400.0)[place % 3], stopped=bool(place % 2), may_stop=True,
    )  # fmt: skip


def pages(*, empty: bool = False, query: PageQuery | None = None) -> PagesPage:
    """The list."""
    choices = (Choice(value="1", label=HOSTILE, chosen=True),)
    return PagesPage(
        rows=() if empty else tuple(line(state, place) for place, state in enumerate(PageState)),
        query=query or PageQuery(),
        states=tuple(StateCount(state=state.value, count=place or None) for place, state in enumerate(PageState)),
        platforms=choices, agencies=choices, territories=choices, spheres=choices, orders=choices, next_cursor="1.<b>",
    )  # fmt: skip


def card(*, bare: bool = False) -> PageCard:
    """One page."""
    days = [Day(day=date(2026, 11, 1) + timedelta(days=place), members=1000 - place * place, official=True) for place in range(9)]
    return PageCard(
        line=line(PageState.FINE, 0 if bare else 1),
        trend=None if bare else trend(days),
        connected_at=NOW,
        described_at=None if bare else NOW,
        care=None if bare else care(),
        tried=not bare,
    )


def care() -> CareView:
    """Everything in the way, everything that comes by itself."""
    addresses = {"captcha": "https://id.vk.com/check?<b>", "validation": "", "unheard_of": ""}
    return CareView(
        troubles=tuple(TroubleView(code=code, fix=HOSTILE, detail=HOSTILE, url=url) for code, url in addresses.items()),
        unsent=("000-000-001",),
        pushes=(
            PushView(way="push", since=NOW, last_at=None, waiting=3),
            PushView(way="push", since=NOW, last_at=NOW),
            PushView(way="listen", since=NOW, last_at=None),
            PushView(way="listen", since=NOW, last_at=NOW, problem="listening_off", detail=HOSTILE),
        ),
        may_push=True,
        aside=(
            AsideView(reason=HOSTILE, times=1, first_at=NOW, last_at=NOW),
            AsideView(reason="unknown_post", times=1_200, first_at=NOW, last_at=NOW),
        ),
    )


def connecting(state: str, *, read: str = "yes") -> ConnectPage:
    """A page on its way."""
    choices = (Choice(value="1", label=HOSTILE, hint=HOSTILE, chosen=True),)
    checks = tuple(CheckView(ability=one, state=read if one == "read" else "unclear", fix=HOSTILE) for one in ABILITIES)
    return ConnectPage(
        platforms=choices, values={"link": HOSTILE}, error=HOSTILE, state=state, intake="3", platform="vk", link=HOSTILE, title=HOSTILE,
        url="https://vk.com/x", members=7, official=False, needed=HOSTILE, tokens=((HOSTILE, 2),), checks=checks,
        problem=HOSTILE if state == "refused" else "", page_id="5" if state == "connected" else "", agencies=choices,
        territories=choices, spheres=choices,
    )  # fmt: skip


VIEWS: Mapping[str, tuple[str, Callable[[], Mapping[str, object]]]] = {
    "pages": ("pages.html", lambda: {"page": pages(query=PageQuery(state="late", q=HOSTILE, agency="1"))}),
    "pages, none fits": ("pages.html", lambda: {"page": pages(empty=True, query=PageQuery(state="late"))}),
    "pages, none": ("pages.html", lambda: {"page": pages(empty=True)}),
    "page": ("page.html", lambda: {"page": card()}),
    "connecting, begin": ("connect.html", lambda: {"page": connecting("")}),
    "connecting, asked": ("connect.html", lambda: {"page": connecting("asked")}),
    "connecting, told": ("connect.html", lambda: {"page": connecting("told")}),
    "connecting, no token": ("connect.html", lambda: {"page": connecting("told", read="no")}),
    "connecting, refused": ("connect.html", lambda: {"page": connecting("refused")}),
    "connecting, connected": ("connect.html", lambda: {"page": connecting("connected")}),
    "page, bare": ("page.html", lambda: {"page": card(bare=True)}),
}
