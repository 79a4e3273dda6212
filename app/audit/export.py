"""The trail as JSON Lines that anybody can verify without us: each seal after the entries that it holds."""

from __future__ import annotations

import base64
import binascii
import json
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from app.audit.rules import Check, Entry, Link, moment_text
from app.audit.verify import entries_of, links, unsealed
from app.kernel.errors import InvalidError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from app.kernel.db import ReadSession

FORMAT = "otklik audit 1"
_LONGEST_LINE = 1_000_000
_PART = text("SELECT min(number) AS first, max(number) AS last FROM audit_seal WHERE last_at >= :since AND first_at < :until")


async def export(session: ReadSession, *, since: datetime, until: datetime) -> AsyncIterator[str]:
    """Lines: the head, then whole seals that hold something of [since, until), then what no seal holds yet."""
    part = (await session.execute(_PART, {"since": since, "until": until})).one()
    head: dict[str, object] = {"format": FORMAT, "from": moment_text(since), "to": moment_text(until)}
    yield _line(head | {"seals": None if part.first is None else [part.first, part.last]})
    if part.first is not None:
        async for link in links(session, after=part.first - 1, upto=part.last):
            found = {} if link.dropped else await entries_of(session, link.ids)
            for number in link.ids:
                if number in found:
                    yield _line(_of_entry(found[number]))
            yield _line(_of_link(link))
    async for entry in unsealed(session):
        if since <= entry.recorded_at < until:
            yield _line(_of_entry(entry))


def verify_lines(lines: Iterable[bytes]) -> Check:
    """Verify an export. InvalidError, with the line, for anything that is none."""
    check, held = Check(whole=False), dict[int, Entry]()
    for number, line in enumerate(lines, 1):
        told = _parsed(line, number)
        try:
            if number == 1:
                if told["format"] != FORMAT:
                    raise _wrong(number)
            elif told["kind"] == "entry":
                entry = _entry(told)
                held[entry.id] = entry
            else:
                link = _link(told)
                check.add(link, held)
                held = {key: entry for key, entry in held.items() if key not in set(link.ids)}
        except (KeyError, TypeError, ValueError, binascii.Error) as error:
            raise _wrong(number) from error
    if check.last is None and not held:
        check.finish()
        return check
    for entry in held.values():
        check.loose(entry)
    check.finish()
    return check


def _parsed(line: bytes, number: int) -> dict[str, Any]:
    try:
        told = json.loads(line) if len(line) <= _LONGEST_LINE else None
    except ValueError as error:
        raise _wrong(number) from error
    if not isinstance(told, dict):
        raise _wrong(number)
    return told


def _wrong(number: int) -> InvalidError:
    return InvalidError("audit.file", f"Line {number} is not of an export of the audit trail (otklik audit export).")


def _line(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n"


def _of_entry(entry: Entry) -> dict[str, object]:
    return {
        "kind": "entry", "id": entry.id, "operator_id": entry.operator_id, "act": entry.act, "subject": entry.subject,
        "subject_id": entry.subject_id, "data": entry.data, "recorded_at": moment_text(entry.recorded_at),
    }  # fmt: skip


def _of_link(link: Link) -> dict[str, object]:
    return {
        "kind": "seal", "number": link.number, "previous": link.previous.hex(), "hash": link.hash.hex(), "ids": link.ids,
        "digests": base64.b64encode(link.digests).decode(), "sealed_at": moment_text(link.sealed_at), "dropped": link.dropped,
    }  # fmt: skip


def _entry(told: dict[str, Any]) -> Entry:
    return Entry(
        id=int(told["id"]),
        operator_id=told["operator_id"],
        act=told["act"],
        subject=told["subject"],
        subject_id=told["subject_id"],
        data=dict(told["data"]),
        recorded_at=datetime.fromisoformat(told["recorded_at"]),
    )


def _link(told: dict[str, Any]) -> Link:
    return Link(
        number=int(told["number"]),
        previous=bytes.fromhex(told["previous"]),
        hash=bytes.fromhex(told["hash"]),
        ids=tuple(int(one) for one in told["ids"]),
        digests=base64.b64decode(told["digests"], validate=True),
        sealed_at=datetime.fromisoformat(told["sealed_at"]),
        dropped=told["dropped"] is True,
    )
