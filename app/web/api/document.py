"""The OpenAPI document: what the API is, how one signs in, and that every error is a problem."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.security import HTTPBearer
from pydantic import BaseModel, ConfigDict, Field

from app.web.errors import PROBLEM_TYPE

BEARER = HTTPBearer(scheme_name="token", description="`otklik token create` gives one: `otk_…`", auto_error=False)
"""For the document only: `app.web.deps` reads the header itself."""

_ABOUT = """
Appeals of citizens, for other systems of the region: read and take down appeals, answer them, read how soon people are
answered.

**Signing in.** `Authorization: Bearer otk_…`. A token has roles and a scope (agencies, territories) like a person; what
lies outside is answered as if it did not exist. A revoked token is refused within five seconds.

**Numbers** of appeals are nine digits, written `481-937-512`; they are taken with or without dashes.

**Moments** are RFC 3339 with a zone. **Lists** are read page by page: pass `next` as `cursor` until it is null.

**Doing it once.** `Idempotency-Key` (any text of up to 200 characters, your own for each act) makes a repeated request
answer as the first did. The same key with another content is a conflict (409).

**Errors** are `application/problem+json` (RFC 9457) with a stable `code`; `errors` name the fields to blame. 503 and 429
carry `Retry-After`.
""".strip()

_TAGS = [
    {"name": "appeals", "description": "The citizens' matters that must be answered."},
    {"name": "replies", "description": "Answers on their way to the platform."},
    {"name": "pages", "description": "Official pages that are watched."},
    {"name": "reports", "description": "How soon people are answered, by one definition for screen, API and export."},
    {"name": "health", "description": "For whoever runs the service. Public: nothing here is about people."},
]


class FieldProblemModel(BaseModel):
    """What is wrong with one field."""

    field: str
    code: str
    detail: str


class ProblemModel(BaseModel):
    """RFC 9457, with a stable `code` and the fields to blame."""

    model_config = ConfigDict(
        title="Problem",
        json_schema_extra={
            "examples": [
                {
                    "type": "urn:otklik:problem:appeal.unknown",
                    "title": "Not Found",
                    "status": 404,
                    "detail": "There is no appeal 481937512 that you may see.",
                    "instance": "urn:otklik:request:6f1c2d0e9b7a4c35a1e0f4d2c8b79610",
                    "code": "appeal.unknown",
                }
            ]
        },
    )

    type: str
    title: str
    status: int
    detail: str
    instance: str = Field(description="Names this request in our log")
    code: str = Field(description="Stable; decide by it")
    errors: list[FieldProblemModel] = []


_SAID = {
    400: "The body is not JSON; where a picture is brought, it broke off",
    401: "No token, or one that is unknown, expired or revoked",
    403: "The token's roles do not allow this",
    404: "There is none that this token may see",
    406: "This installation does not give it in that form",
    409: "The state has moved on, or the Idempotency-Key was used for another request",
    413: "The body is larger than 1 MiB; of a picture, larger than all of an answer's together",
    422: "Something in the request is wrong; `errors` say what",
    503: "The database cannot be reached, or there is too much at once: try again after `Retry-After` seconds",
}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route: these problems and those that any route can have."""
    return {status: {"model": ProblemModel, "description": _SAID[status]} for status in sorted({401, 403, 422, 503, *statuses})}


def describe(app: FastAPI) -> None:
    """Make the application's document."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = get_openapi(title="Otklik", version=_version(), description=_ABOUT, routes=app.routes, tags=_TAGS)
            app.openapi_schema = _with_problems(document)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign] # FastAPI's documented way


def _with_problems(document: dict[str, Any]) -> dict[str, Any]:
    """Errors have a media type of their own; FastAPI's own shape of validation errors is never sent."""
    for operations in document["paths"].values():
        for operation in operations.values():
            for status, response in operation["responses"].items():
                if status >= "400" and "content" in response:
                    response["content"] = {PROBLEM_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemModel"}}}
    schemas = document["components"]["schemas"]
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    return document


def _version() -> str:
    try:
        return version("otklik")
    except PackageNotFoundError:  # a checkout that is not installed
        return "0"
