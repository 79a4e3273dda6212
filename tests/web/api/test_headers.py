"""Every answer carries the security headers, what is private is kept nowhere; the series answer only to their collector."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import httpx
import pytest
from fastapi.routing import APIRoute

from app.web.app import create_app

if TYPE_CHECKING:
    from fastapi import FastAPI

    from app.kernel.parts import WebParts

EVERYWHERE = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


async def every_answer(web: FastAPI) -> list[tuple[str, httpx.Response]]:
    """Each route by each method, asked by nobody; and addresses that are none."""
    asked = []
    for route in web.routes:
        if isinstance(route, APIRoute):
            path = route.path
            for name in route.param_convertors:
                path = path.replace(f"{{{name}}}", "7")
            asked += [(method, path) for method in sorted((route.methods or set()) - {"HEAD"})]
    asked += [("GET", path) for path in ("/static/base.css", "/nothing", "/api/v1/nothing", "/static/nothing")]
    async with httpx.AsyncClient(transport=httpx.ASGITransport(web), base_url="http://otklik.example") as client:
        return [(f"{method} {path}", await client.request(method, path)) for method, path in asked]


@pytest.mark.parametrize("secure", [False, True])
async def test_every_answer_carries_the_security_headers(parts: WebParts, *, secure: bool) -> None:
    answers = await every_answer(create_app(replace(parts, secure_cookies=secure)))
    assert len(answers) > 40
    for what, answer in answers:
        for name, value in EVERYWHERE.items():
            assert answer.headers.get(name) == value, (what, name)
        policy = answer.headers["content-security-policy"]
        for part in ("default-src 'self'", "frame-ancestors 'none'", "object-src 'none'", "base-uri 'none'", "form-action 'self'"):
            assert part in policy, (what, part)
        assert "unsafe" not in policy, what
        for sense in ("camera=()", "geolocation=()", "microphone=()"):
            assert sense in answer.headers["permissions-policy"], what
        assert ("strict-transport-security" in answer.headers) is secure, what
        if "/static" not in what and "favicon" not in what:
            assert "no-store" in answer.headers["cache-control"], what
        assert "server" not in answer.headers, what


@pytest.mark.parametrize(
    ("address", "headers", "expected"),
    [
        ("127.0.0.1", {}, 200),
        ("::1", {}, 200),
        ("10.0.0.7", {}, 404),
        ("203.0.113.9", {}, 404),
        ("127.0.0.1", {"X-Forwarded-For": "203.0.113.9"}, 404),
        ("127.0.0.1", {"Forwarded": "for=203.0.113.9"}, 404),
        ("127.0.0.1", {"X-Real-IP": "127.0.0.1"}, 404),
    ],
)
async def test_without_a_token_only_this_machine_reads_the_series(
    web: FastAPI, address: str, headers: dict[str, str], expected: int
) -> None:
    transport = httpx.ASGITransport(web, client=(address, 4711))
    async with httpx.AsyncClient(transport=transport, base_url="http://otklik.example") as client:
        assert (await client.get("/metrics", headers=headers)).status_code == expected


async def test_with_a_token_whoever_has_it_reads_the_series_and_nobody_else(parts: WebParts) -> None:
    web = create_app(replace(parts, metrics_token="cedar-4711"))
    for address in ("127.0.0.1", "10.0.0.7"):
        transport = httpx.ASGITransport(web, client=(address, 4711))
        async with httpx.AsyncClient(transport=transport, base_url="http://otklik.example") as client:
            for given, expected in (("Bearer cedar-4711", 200), ("Bearer cedar", 404), ("Basic cedar-4711", 404), ("", 404)):
                answer = await client.get("/metrics", headers={"Authorization": given})
                assert answer.status_code == expected, (address, given)
