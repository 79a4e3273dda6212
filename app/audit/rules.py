"""The chain of seals: what an entry and a link are in bytes, and what is wrong with a chain that is read again. Pure."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

DIGEST = 32
GENESIS = bytes(DIGEST)
"""What the first link has before it."""
MOST_FAULTS = 20
DROPPED = "audit.dropped"


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One line of the trail, as it is sealed."""

    id: int
    operator_id: int | None
    act: str
    subject: str
    subject_id: int | None
    data: Mapping[str, Any]
    recorded_at: datetime

    def digest(self) -> bytes:
        """SHA-256 of the line in its canonical form."""
        return hashlib.sha256(
            _canonical([self.id, self.operator_id, self.act, self.subject, self.subject_id, dict(self.data), moment_text(self.recorded_at)])
        ).digest()


@dataclass(frozen=True, kw_only=True, slots=True)
class Link:
    """One seal. `hash` covers everything but itself and `dropped`."""

    number: int
    previous: bytes
    ids: tuple[int, ...]
    digests: bytes
    sealed_at: datetime
    hash: bytes = b""
    dropped: bool = False

    def computed(self) -> bytes:
        """The hash that it should have."""
        head = _canonical([self.number, self.previous.hex(), list(self.ids), moment_text(self.sealed_at)])
        return hashlib.sha256(head + self.digests).digest()

    def digest_at(self, place: int) -> bytes:
        """What was sealed for the entry at this place."""
        return self.digests[place * DIGEST : (place + 1) * DIGEST]


def forge(*, number: int, previous: bytes, entries: Sequence[Entry], sealed_at: datetime) -> Link:
    """The next link of a chain."""
    digests = b"".join(entry.digest() for entry in entries)
    link = Link(number=number, previous=previous, ids=tuple(entry.id for entry in entries), digests=digests, sealed_at=sealed_at)
    return replace(link, hash=link.computed())


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """Something that is not as it was sealed. `code`: entry_missing, entry_differs, entry_added, seal_missing, seal_differs, and so on."""

    code: str
    detail: str
    seal: int | None = None
    entry: int | None = None


@dataclass(kw_only=True, slots=True)
class Check:
    """Walks a chain from its beginning (or, of an export, from its first link) and notes what is wrong, the first things first."""

    whole: bool
    """Whether the chain must begin at its first link."""
    links: int = 0
    entries: int = 0
    dropped: int = 0
    last: Link | None = None
    faults: list[Fault] = field(default_factory=list)
    unsealed: int = 0
    """Entries younger than the last seal: nothing protects them yet."""
    holes: int = 0
    """Numbers after the last entry that were given out and never arrived: rolled back, or removed before they were sealed."""
    hashes: set[bytes] = field(default_factory=set)
    _dropped_links: set[int] = field(default_factory=set)
    _told_of: set[int] = field(default_factory=set)

    def add(self, link: Link, entries: Mapping[int, Entry]) -> None:
        """Look at the next link with those of its entries that are there."""
        self._joins(link)
        if link.computed() != link.hash:
            self._fault("seal_differs", f"Seal {link.number} itself was changed.", seal=link.number)
        if link.dropped:
            self._dropped_links.add(link.number)
            self.dropped += len(link.ids)
        else:
            self._entries(link, entries)
        self.links += 1
        self.last = link
        self.hashes.add(link.hash)

    def finish(self) -> None:
        """What can be said only at the end: entries dropped after their term are told of in the trail itself."""
        for number in sorted(self._dropped_links - self._told_of):
            self._fault("drop_untold", f"The entries of seal {number} are gone, and no entry says that their term had passed.", seal=number)

    def _joins(self, link: Link) -> None:
        expected, before = (1, GENESIS) if self.last is None else (self.last.number + 1, self.last.hash)
        if self.last is None and not self.whole:
            return
        if link.number != expected:
            self._fault("seal_missing", f"Seal {expected} is missing: the next one is {link.number}.", seal=expected)
        elif link.previous != before:
            self._fault("chain_broken", f"Seal {link.number} does not follow from the one before it.", seal=link.number)

    def _entries(self, link: Link, entries: Mapping[int, Entry]) -> None:
        for place, number in enumerate(link.ids):
            entry = entries.get(number)
            if entry is None:
                self._fault("entry_missing", f"Entry {number} is missing (seal {link.number}).", seal=link.number, entry=number)
            elif entry.digest() != link.digest_at(place):
                self._fault("entry_differs", f"Entry {number} was changed since seal {link.number}.", seal=link.number, entry=number)
            else:
                self.entries += 1
                if entry.act == DROPPED and entry.subject_id is not None:
                    self._told_of.add(entry.subject_id)

    def loose(self, entry: Entry) -> None:
        """An entry that no seal holds yet."""
        self.unsealed += 1
        if entry.act == DROPPED and entry.subject_id is not None:
            self._told_of.add(entry.subject_id)

    @property
    def full(self) -> bool:
        """Whether so much is wrong that nothing more is noted."""
        return len(self.faults) >= MOST_FAULTS

    def _fault(self, code: str, detail: str, *, seal: int | None = None, entry: int | None = None) -> None:
        if not self.full:
            self.faults.append(Fault(code=code, detail=detail, seal=seal, entry=entry))

    def anchor(self, expected: bytes) -> None:
        """The chain must still hold a seal of this hash, which somebody kept elsewhere."""
        if expected not in self.hashes:
            self._fault("anchor_missing", "No seal has the given hash: the chain was cut or written anew.")

    def added(self, number: int) -> None:
        """An entry that no seal holds although its time has passed."""
        self._fault("entry_added", f"Entry {number} was put in after its time: no seal holds it.", entry=number)


def moment_text(moment: datetime) -> str:
    """A moment with microseconds in UTC, the same on every machine."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _canonical(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode("utf-8", "surrogatepass")
