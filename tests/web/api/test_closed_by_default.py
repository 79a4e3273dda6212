"""Every route demands a permission, or somebody signed in, or stands on the list of public ones. No way around it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from fastapi.routing import APIRoute
from starlette.routing import Mount, Route

from app.web.app import PUBLIC, SIGNED_IN
from app.web.deps import Requires, current_access

if TYPE_CHECKING:
    import httpx
    from fastapi import FastAPI
    from fastapi.dependencies.models import Dependant

UNSAFE = frozenset({"POST", "PUT", "PATCH", "DELETE"})


def calls(dependant: Dependant) -> Iterator[object]:
    """Everything that a route depends on."""
    for one in dependant.dependencies:
        yield one.call
        yield from calls(one)


def methods(route: APIRoute) -> set[str]:
    """The methods that it answers to."""
    return set(route.methods or ())


def test_every_route_is_closed(web: FastAPI) -> None:
    seen = set()
    for route in web.routes:
        assert isinstance(route, APIRoute | Route | Mount), f"{route!r} is of a kind that this test cannot see into"
        seen.add(route.path)
        if route.path in PUBLIC:
            continue
        assert isinstance(route, APIRoute), f"{route.path} can demand nothing: put it on the public list or make it a route"
        asked = list(calls(route.dependant))
        if route.path in SIGNED_IN:
            assert current_access in asked, f"{route.path} lets anybody in"
        else:
            assert any(isinstance(one, Requires) for one in asked), f"{route.path} demands no permission"
    assert "/api/v1/appeals" in seen


def test_a_number_in_a_path_fits_a_row(web: FastAPI) -> None:
    """One beyond bigint is refused by the route, and not by PostgreSQL as a fault of ours."""
    numbers = [
        (route.path, one)
        for route in web.routes
        if isinstance(route, APIRoute)
        for one in route.dependant.path_params
        if one.field_info.annotation is int
    ]
    assert len(numbers) > 10
    for path, one in numbers:
        most = next((bound.le for bound in one.field_info.metadata if hasattr(bound, "le")), None)
        assert most is not None, f"{path}: take {one.name} as RowId"
        assert most < 2**63


async def test_a_public_form_is_guarded_against_forgery(client: httpx.AsyncClient, web: FastAPI) -> None:
    """Without the token of our own page, and from another site's page, it is refused before it does anything."""
    for route in web.routes:
        if isinstance(route, APIRoute) and route.path in PUBLIC and methods(route) & UNSAFE:
            path = route.path.replace("{token}", "x")
            for headers in ({}, {"Sec-Fetch-Site": "cross-site"}):
                answer = await client.post(path, data={"login": "anna", "password": "кедр", "csrf": "guess"}, headers=headers)
                assert answer.status_code >= 400, path
                assert "otklik_session" not in answer.headers.get("set-cookie", ""), path


def test_a_permission_is_asked_before_anything_is_written(web: FastAPI) -> None:
    """An unsafe API route names a permission that its readers lack."""
    reading = {"appeal.read", "page.read", "report.read"}
    for route in web.routes:
        if isinstance(route, APIRoute) and route.path.startswith("/api/") and methods(route) & UNSAFE:
            demanded = {one.permission.value for one in calls(route.dependant) if isinstance(one, Requires)}
            assert demanded - reading, route.path


@pytest.mark.parametrize(
    "headers", [{}, {"Authorization": "Bearer otk_no-such"}, {"Authorization": "Basic b3RrOng="}, {"Cookie": "otklik_session=x"}]
)
async def test_nobody_gets_an_answer_without_signing_in(client: httpx.AsyncClient, web: FastAPI, headers: dict[str, str]) -> None:
    asked = 0
    for route in web.routes:
        if isinstance(route, APIRoute) and route.path not in PUBLIC:
            for method in methods(route) - {"HEAD"}:
                path = route.path
                for name in route.param_convertors:
                    path = path.replace(f"{{{name}}}", "1").replace(f"{{{name}:int}}", "1")
                answer = await client.request(method, path, headers=headers)
                if path.startswith("/api/"):
                    assert answer.status_code == 401, (method, path)
                    assert answer.headers["www-authenticate"] == "Bearer"
                    assert answer.json()["status"] == 401
                else:
                    assert answer.status_code == 303, (method, path, answer.status_code)
                    assert answer.headers["location"].startswith("/sign-in"), path
                asked += 1
    assert asked > 4
