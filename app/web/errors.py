"""Errors become answers: RFC 9457 problems for programs, a page for people. Nothing of the inside is told."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import orjson
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import DBAPIError, StatementError, TimeoutError as PoolTimeoutError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Match

from app.audit.reads import TrailFullError
from app.kernel.errors import ConflictError, ForbiddenError, InvalidError, NotFoundError, OtklikError, UnsupportedError
from app.kernel.log import logger

PROBLEM_TYPE = "application/problem+json"
SIGN_IN_PATH = "/sign-in"
_RETRY_SOON, _RETRY_LATER = 1, 5
_MACHINE_PATHS = ("/api/", "/health/", "/metrics", "/hooks/")

# SQLSTATEs: of two transactions one must give way, or a wait was cut short - the same request may well succeed now.
_TRANSIENT = frozenset({"40001", "40P01", "55P03", "57014", "57P01", "57P02", "57P03", "53300"})
_REFUSED_BY_DATABASE = "42501"
_NOT_STORABLE = "22021"


class SignInNeededError(OtklikError):
    """Nobody is signed in, or the token is unknown, expired or revoked."""


class UnavailableError(OtklikError):
    """The database cannot be reached just now."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FieldProblem:
    """What is wrong with one field of the input; never the input itself."""

    field: str
    code: str
    detail: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """What went wrong, for whoever asked. `reference` finds the request in the log."""

    status: int
    code: str
    detail: str
    reference: str = ""
    errors: tuple[FieldProblem, ...] = ()
    retry_after: int | None = None
    params: Mapping[str, str | int] = field(default_factory=dict)
    """What fills the sentence of `code` in another language."""

    @property
    def title(self) -> str:
        """The status in words."""
        return HTTPStatus(self.status).phrase

    def as_json(self) -> dict[str, Any]:
        """The members of RFC 9457 and ours: `code`, `errors`."""
        body: dict[str, Any] = {
            "type": f"urn:otklik:problem:{self.code}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "instance": f"urn:otklik:request:{self.reference}",
            "code": self.code,
        }
        if self.errors:
            body["errors"] = [{"field": one.field, "code": one.code, "detail": one.detail} for one in self.errors]
        return body


ProblemPage = Callable[[Request, Problem], Awaitable[Response]]
"""Renders a problem for a person; the screens set `app.state.problem_page`."""


# --- which problem an error is ---------------------------------------------------------------------------------


def problem_of(error: Exception) -> Problem:
    """The problem to tell; unexpected errors keep their details to the log."""
    if isinstance(error, OtklikError):
        return _of_ours(error)
    if isinstance(error, RequestValidationError):
        return _of_validation(error)
    if isinstance(error, HTTPException):
        return Problem(status=error.status_code, code=f"http.{error.status_code}", detail=_http_detail(error))
    if isinstance(error, PoolTimeoutError):
        return _unavailable()
    if isinstance(error, DBAPIError):
        return _of_database(error)
    return Problem(status=500, code="unexpected", detail="Something broke on our side. The request was logged under this instance.")


def _of_ours(error: OtklikError) -> Problem:
    errors: tuple[FieldProblem, ...] = ()
    named = error.params.get("field")
    if named is not None:
        errors = (FieldProblem(field=str(named), code=error.code, detail=error.detail),)
    seconds = error.params.get("seconds")
    if isinstance(error, UnavailableError):
        return _unavailable()
    if isinstance(error, TrailFullError):
        return Problem(status=503, code=error.code, detail=error.detail, retry_after=_RETRY_LATER)
    if isinstance(error, ForbiddenError) and isinstance(seconds, int):
        return Problem(status=429, code=error.code, detail=error.detail, retry_after=seconds, params=error.params)
    return Problem(status=_status(error), code=error.code, detail=error.detail, errors=errors, params=error.params)


def _status(error: OtklikError) -> int:
    statuses: tuple[tuple[type[OtklikError], int], ...] = (
        (SignInNeededError, 401),
        (NotFoundError, 404),
        (ForbiddenError, 403),
        (InvalidError, 422),
        (ConflictError, 409),
        (UnsupportedError, 406),
    )
    return next((status for kind, status in statuses if isinstance(error, kind)), 500)


def _of_validation(error: RequestValidationError) -> Problem:
    found = list(error.errors())
    if any(one.get("type") == "json_invalid" for one in found):
        return Problem(status=400, code="body.json", detail="The body is not JSON.")
    if any(one.get("loc") == ("body",) and isinstance(one.get("input"), bytes) for one in found):
        return Problem(status=422, code="body.type", detail="Send the body as JSON, with the header Content-Type: application/json.")
    errors = tuple(
        FieldProblem(
            field=".".join(str(part) for part in one.get("loc", ())[1:]) or str(one.get("loc", ("body",))[0]),
            code=str(one.get("type", "invalid")),
            detail=str(one.get("msg", "Wrong.")),
        )
        for one in found[:50]
    )
    fields = ", ".join(dict.fromkeys(one.field for one in errors))
    return Problem(status=422, code="request.invalid", detail=f"Wrong or missing: {fields}.", errors=errors)


def _http_detail(error: HTTPException) -> str:
    if error.status_code == HTTPStatus.NOT_FOUND:
        return "There is nothing at this address."
    return str(error.detail)


def _of_database(error: DBAPIError) -> Problem:
    state = getattr(error.orig, "sqlstate", None)
    if error.connection_invalidated or (isinstance(state, str) and state.startswith("08")):
        return _unavailable()
    if state in _TRANSIENT:
        return Problem(status=503, code="busy", detail="Too much at once: try again.", retry_after=_RETRY_SOON)
    if state == _REFUSED_BY_DATABASE:
        return Problem(status=403, code="access.refused", detail="This is outside your scope.")
    if state == _NOT_STORABLE:
        return Problem(status=422, code="text.unstorable", detail="The text has characters that cannot be stored.")
    return Problem(status=500, code="unexpected", detail="Something broke on our side. The request was logged under this instance.")


def _unavailable() -> Problem:
    return Problem(status=503, code="unavailable", detail="The database cannot be reached: try again shortly.", retry_after=_RETRY_LATER)


# --- how it is told --------------------------------------------------------------------------------------------


def add_error_handlers(app: FastAPI) -> None:
    """Answer expected errors where they happen. What is unexpected reaches `middleware.Edge`."""
    for kind in (OtklikError, RequestValidationError, HTTPException, DBAPIError, PoolTimeoutError):
        app.add_exception_handler(kind, answer)


async def answer(request: Request, error: Exception) -> Response:
    """The answer to a request that failed with this error."""
    reference = str(request.scope.get("state", {}).get("request_id", ""))
    problem = replace(problem_of(error), reference=reference)
    request.scope.setdefault("state", {})["problem"] = problem.code
    if isinstance(error, StatementError):
        error.hide_parameters = True  # they are what people wrote, and the log is no place for that
    if problem.status >= HTTPStatus.INTERNAL_SERVER_ERROR or problem.code == "access.refused":
        logger.error("request_failed", path=request.url.path, code=problem.code, exc_info=error)
    response = await _told(request, problem)
    for name, value in _headers(problem, error).items():
        response.headers.setdefault(name, value)
    if problem.status == HTTPStatus.METHOD_NOT_ALLOWED:
        response.headers["Allow"] = ", ".join(sorted(_allowed(request)))
    return response


async def _told(request: Request, problem: Problem) -> Response:
    if for_machine(request.url.path):
        return Response(orjson.dumps(problem.as_json()), status_code=problem.status, media_type=PROBLEM_TYPE)
    if problem.status == HTTPStatus.UNAUTHORIZED:
        return _to_sign_in(request)
    page: ProblemPage | None = getattr(request.app.state, "problem_page", None)
    if page is not None:
        try:
            return await page(request, problem)
        except Exception:  # noqa: BLE001 - whatever the page needed may be what is broken
            logger.exception("problem_page_failed", code=problem.code)
    return PlainTextResponse(f"{problem.status} {problem.title}\n{problem.detail}\n{problem.reference}\n", status_code=problem.status)


def _to_sign_in(request: Request) -> Response:
    """People are sent to sign in and come back; a fragment makes its whole page go there."""
    after = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    if "hx-request" in request.headers:
        current = request.headers.get("hx-current-url", "")
        path = "/" + current.partition("://")[2].partition("/")[2]
        return Response(status_code=401, headers={"HX-Redirect": f"{SIGN_IN_PATH}?after={quote(path)}"})
    if request.method not in {"GET", "HEAD"}:
        return RedirectResponse(SIGN_IN_PATH, status_code=303)
    return RedirectResponse(f"{SIGN_IN_PATH}?after={quote(after)}", status_code=303)


def _headers(problem: Problem, error: Exception) -> dict[str, str]:
    headers = dict(error.headers or {}) if isinstance(error, HTTPException) else {}
    if problem.retry_after is not None:
        headers["Retry-After"] = str(problem.retry_after)
    if problem.status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    return headers


def _allowed(request: Request) -> set[str]:
    """The methods of every route of this path; starlette names only those of the first."""
    methods: set[str] = set()
    for route in request.app.router.routes:
        if route.matches(request.scope)[0] is not Match.NONE:
            methods |= getattr(route, "methods", None) or set()
    return methods


def for_machine(path: str) -> bool:
    """Whether a program asks: it is answered in JSON, whatever it accepts."""
    return path.startswith(_MACHINE_PATHS)
