"""What a form or an address holds, read with suspicion."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated
from zoneinfo import ZoneInfo

from fastapi import Depends, Request
from starlette.datastructures import UploadFile

from app.kernel.errors import InvalidError

_LARGEST = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Fields:
    """The text fields of a form, and its files."""

    values: Mapping[str, str]
    uploads: Sequence[tuple[str, UploadFile]] = ()

    async def files(self, name: str) -> list[bytes]:
        """What was chosen in a field of files; a field that was left empty is none."""
        return [content for field, file in self.uploads if field == name and (content := await file.read())]

    def text(self, name: str) -> str:
        """A field as it was written, "" when it is not there."""
        return self.values.get(name, "")

    def number(self, name: str) -> int | None:
        """A row's number, None when there is none or it is not one."""
        return row_number(self.values.get(name, ""))

    def version(self) -> int:
        """The version of what the person saw. InvalidError `request.version` without it."""
        found = self.number("version")
        if found is None:
            raise InvalidError("request.version", "The form has no version: load the page again.", field="version")
        return found


async def form_fields(request: Request) -> AsyncIterator[Fields]:
    """The form of this request; its files are closed when the request has been answered."""
    form = await request.form()
    try:
        texts = {name: value for name, value in form.items() if isinstance(value, str)}
        yield Fields(texts, [(name, value) for name, value in form.multi_items() if isinstance(value, UploadFile)])
    finally:
        await form.close()


Form = Annotated[Fields, Depends(form_fields)]


def row_number(value: str) -> int | None:
    """A positive bigint, or None."""
    if not (value.isascii() and value.isdigit()) or len(value) > 19:  # noqa: PLR2004 - digits of a bigint
        return None
    number = int(value)
    return number if 0 < number <= _LARGEST else None


def local_moment(value: str, zone: ZoneInfo) -> datetime | None:
    """A local date and time as the browser gives it; None when it is left empty. InvalidError `appeal.written`."""
    if not value:
        return None
    try:
        local = datetime.fromisoformat(value)
    except ValueError:
        raise InvalidError("appeal.written", "Give a date and a time.", field="written_at") from None
    return local if local.tzinfo is not None else local.replace(tzinfo=zone)
