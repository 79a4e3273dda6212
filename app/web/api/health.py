"""For whoever runs the service: is it alive, can it work, how does it feel. Public: nothing here is about people."""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
from typing import Literal

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, TimeoutError as PoolTimeoutError

from app.kernel import metrics
from app.kernel.errors import NotFoundError
from app.web.deps import Parts

router = APIRouter(tags=["health"])

READY_WITHIN = 2.0


class Alive(BaseModel):
    """The process answers."""

    status: Literal["ok"] = "ok"


class Ready(BaseModel):
    """Whether requests may be sent here; `reason` says why not."""

    status: Literal["ok", "unavailable"]
    reason: str | None = None
    live: bool
    """Whether news reach the screens of this process."""


@router.get("/health/live", summary="The process answers")
async def alive() -> Alive:
    """Does not look at the database: a restart would not bring that back."""
    return Alive()


@router.get("/health/ready", summary="The process can work", responses={503: {"model": Ready, "description": "Send requests elsewhere"}})
async def ready(parts: Parts, response: Response) -> Ready:
    """The database is reached, and stands at this program's newest migration."""
    reason = None
    try:
        async with asyncio.timeout(READY_WITHIN), parts.database.read() as session:
            version = (await session.execute(text("SELECT version_num FROM alembic_version"))).scalar_one_or_none()
        if version != parts.migration:
            reason = f"The database is at migration {version}, this program at {parts.migration}."
    except (OSError, DBAPIError, PoolTimeoutError):  # a time-out is an OSError too
        reason = "The database cannot be reached."
    if reason is not None:
        response.status_code = 503
        response.headers["Retry-After"] = "5"
    return Ready(status="ok" if reason is None else "unavailable", reason=reason, live=parts.live.connected)


_FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip")


async def collector(request: Request, parts: Parts) -> None:
    """Whoever may collect: with the token of the settings, or, when there is none, from this machine itself."""
    token = parts.metrics_token
    if token is not None:
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        allowed = scheme.lower() == "bearer" and hmac.compare_digest(given.strip().encode("utf-8", "surrogatepass"), token.encode())
    else:
        allowed = _is_here(request) and not any(name in request.headers for name in _FORWARDED)
    if not allowed:
        raise NotFoundError("http.404", "There is nothing at this address.")


def _is_here(request: Request) -> bool:
    try:
        return request.client is not None and ipaddress.ip_address(request.client.host).is_loopback
    except ValueError:
        return False


@router.get("/metrics", summary="Series in Prometheus' text format", response_class=Response, dependencies=[Depends(collector)])
async def series() -> Response:
    """Times and counts of this process. Routes, not addresses, are labels."""
    return Response(metrics.exposition(), media_type="text/plain; version=0.0.4; charset=utf-8")
