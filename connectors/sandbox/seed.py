"""The first world: a file's pages, tokens, posts and threads, written in the order in which they happened."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta, timezone
from pathlib import Path

from connectors.sandbox.journal import Event
from connectors.sandbox.model import Comment, Page, Post
from connectors.sandbox.specs import Fields, new_comment, page_event, photo, token_event
from connectors.sandbox.world import NewComment, World, WorldError

_POST_HOURS = 48.0
_HOUR = 3600
_MOSCOW = timezone(timedelta(hours=3))


class WorldFileError(Exception):
    """The world file cannot be used; the text says where and why."""


@dataclass(slots=True)
class _Entry:
    """One post or comment of the file; `made` is what became of it."""

    moment: int
    page: Page | None
    text: str
    photo: str | None = None
    comment: NewComment | None = None
    parent: "_Entry | None" = None
    post: "_Entry | None" = None
    made_post: Post | None = None
    made: Comment | None = None


def load(world: World, path: Path) -> None:
    """Fill an empty world from a file; nothing is written when the file is wrong. Raises WorldFileError."""
    try:
        content = Fields(json.loads(path.read_text(encoding="utf-8-sig")), "the world file")
        pages = [(page_event(fields), fields) for fields in map(Fields, content.items("pages"))]
        tokens = [token_event(Fields(item)) for item in content.items("tokens")]
        entries = [list(_entries(world, fields)) for _, fields in pages]
    except (OSError, ValueError, WorldError) as error:
        message = f"{path}: {error}"
        raise WorldFileError(message) from error
    try:
        _write(world, [event for event, _ in pages], tokens, entries)
    except WorldError as error:
        message = f"{path}: {error}"
        raise WorldFileError(message) from error


def _write(world: World, pages: list[Event], tokens: list[Event], entries: list[list[_Entry]]) -> None:
    every: list[_Entry] = []
    start = min((entry.moment for group in entries for entry in group), default=world.now())
    with world.at(start):
        for event, group in zip(pages, entries, strict=True):
            page = world.add_page(event)
            for entry in group:
                entry.page = page
            every += group
        for event in tokens:
            world.add_token(event)
    for entry in sorted(every, key=lambda entry: entry.moment):
        with world.at(entry.moment):
            _make(world, entry)


def _make(world: World, entry: _Entry) -> None:
    page = entry.page
    if page is None:
        return
    if entry.comment is None or entry.post is None:
        entry.made_post = world.add_post(page, entry.text, photo=entry.photo)
        return
    parent = entry.parent.made if entry.parent else None
    if entry.post.made_post is not None:
        comment = replace(entry.comment, reply_to=parent.id if parent else None)
        entry.made = world.add_comment(page, entry.post.made_post, comment)


def _entries(world: World, page: Fields) -> Iterator[_Entry]:
    now = world.now()
    for item in page.items("posts"):
        fields = Fields(item, "a post")
        hours = _hours_ago(fields, _POST_HOURS, now)
        post = _Entry(now - int(hours * _HOUR), None, fields.text("text"), photo(fields))
        yield post
        yield from _comments(fields, "comments", hours, _Thread(post=post, parent=None, now=now))


def _hours_ago(fields: Fields, default: float, now: int) -> float:
    """`hours_ago`; or `at`, a time of day in Moscow, so many `days_ago`: people write by day, and offices answer by day."""
    at = fields.word("at", "")
    if not at:
        return fields.hours("hours_ago", default)
    day = datetime.fromtimestamp(now, _MOSCOW).date() - timedelta(days=fields.hours("days_ago", 0))
    try:
        moment = datetime.combine(day, time.fromisoformat(at), _MOSCOW)
    except ValueError as error:
        message = f"at: {at!r} is not a time of day; write 09:30"
        raise WorldError(message) from error
    return max((now - moment.timestamp()) / _HOUR, 0.0)


@dataclass(frozen=True, slots=True)
class _Thread:
    post: _Entry
    parent: _Entry | None
    now: int


def _comments(holder: Fields, name: str, above: float, thread: _Thread) -> Iterator[_Entry]:
    for item in holder.items(name):
        fields = Fields(item, "a comment")
        hours = min(_hours_ago(fields, above * 0.5, thread.now), above)
        entry = _Entry(
            thread.now - int(hours * _HOUR),
            None,
            "",
            comment=new_comment(fields, thread.now),
            parent=thread.parent,
            post=thread.post,
        )
        yield entry
        yield from _comments(fields, "replies", hours, _Thread(thread.post, entry, thread.now))
