"""In which form a report is given, and with which tag. One way for every report."""

from __future__ import annotations

import hashlib
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from app.reports.export import as_csv, as_parquet, as_xlsx
from app.web.api.document import problems

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pydantic import BaseModel
    from starlette.requests import Request

    from app.reports.tables import Sheet


class Format(StrEnum):
    """How it is given."""

    JSON = "json"
    CSV = "csv"
    XLSX = "xlsx"
    PARQUET = "parquet"


_FILES: Mapping[Format, tuple[str, Callable[[Sheet], bytes]]] = {
    Format.CSV: ("text/csv; charset=utf-8", as_csv),
    Format.XLSX: ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", as_xlsx),
    Format.PARQUET: ("application/vnd.apache.parquet", as_parquet),
}


def forms(model: type[BaseModel]) -> dict[int | str, dict[str, Any]]:
    """For the document: a report in any form, and what else is answered."""
    return {
        **problems(404, 406),
        200: {"model": model, "content": {kind: {} for kind, _ in _FILES.values()}},
        304: {"description": "As it was"},
    }


def told(request: Request, kind: Format, out: Callable[[], BaseModel], sheet: Callable[[], Sheet]) -> Response:
    """The report in the form that is asked for; nothing when the asker has it already.

    A file's tag is of what stands in it, so that none is written for nothing; its bytes may be put otherwise, so the tag is weak.
    UnsupportedError when this installation does not write that form.
    """
    if kind is Format.JSON:
        body = out().model_dump_json(by_alias=True).encode("utf-8")
        tag = f'"{_digest(body)}"'
        return _had(request, tag) or Response(body, media_type="application/json", headers=_headers(tag))
    made = sheet()
    media, make = _FILES[kind]
    tag = f'W/"{_digest(f"{kind.value} {made!r}".encode())}"'
    disposition = {"Content-Disposition": f'attachment; filename="{made.name}.{kind.value}"'}
    return _had(request, tag) or Response(make(made), media_type=media, headers=_headers(tag) | disposition)


def _had(request: Request, tag: str) -> Response | None:
    known = {one.strip().removeprefix("W/") for one in request.headers.get("if-none-match", "").split(",")}
    return Response(status_code=304, headers=_headers(tag)) if tag.removeprefix("W/") in known else None


def _headers(tag: str) -> dict[str, str]:
    return {"ETag": tag, "Cache-Control": "private, no-cache"}


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:32]
