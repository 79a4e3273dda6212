"""The ground truth: everything that was written, as a test compares it with what a client stored."""

from typing import Any

from connectors.sandbox.clock import iso
from connectors.sandbox.model import Comment, Page
from connectors.sandbox.world import World


def truth(world: World, platform: str | None = None, page_name: str | None = None) -> dict[str, Any]:
    """Comments and answers in the order in which they came into the world.

    An answer is what came through the platform's API in the page's name. What a person wrote by hand as the page
    is a comment whose author is the page. Ids are strings; times are whole seconds, ISO 8601 in UTC. Pictures of an album are
    those of its first message, and pictures without words in reply to an answer are that answer's.
    """
    comments: list[dict[str, Any]] = []
    answers: list[dict[str, Any]] = []
    heads: dict[tuple[str, object], dict[str, Any]] = {}
    for page, comment in world.state.record:
        if platform not in {None, page.platform} or page_name not in {None, page.name}:
            continue
        if comment.is_answer:
            answer = _answer(page, comment)
            of = None if comment.text else heads.get((page.name, comment.album)) or heads.get((page.name, comment.reply_to))
            if of is None:
                answers.append(answer)
                heads[page.name, comment.album or comment.id] = heads[page.name, comment.id] = answer
            else:
                of["pictures"] += answer["pictures"]
                heads[page.name, comment.album or comment.id] = of
        else:
            comments.append(_comment(world, page, comment))
    for page in world.state.pages.values():
        if platform in {None, page.platform} and page_name in {None, page.name}:
            answers += [_stray(page, stray_id) for stray_id in page.strays]
    return {"comments": comments, "answers": answers}


def _comment(world: World, page: Page, comment: Comment) -> dict[str, Any]:
    return {
        **_place(page, comment),
        "author": world.author_name(page, comment),
        "author_id": str(comment.author_id) if comment.voice == "citizen" else None,
        "by_page": comment.voice != "citizen",
        "text": comment.text,
        "photo": comment.photo,
        "written_at": iso(comment.written_at),
        "edited_at": iso(comment.edited_at),
        "deleted_at": iso(comment.deleted_at),
    }


def _answer(page: Page, comment: Comment) -> dict[str, Any]:
    return {
        **_place(page, comment),
        "text": comment.text,
        "pictures": list(comment.pictures) if comment.deleted_at is None else [],
        "published_at": iso(comment.written_at),
        "edited_at": iso(comment.edited_at),
        "deleted_at": iso(comment.deleted_at),
    }


def _stray(page: Page, stray_id: int) -> dict[str, Any]:
    stray = page.strays[stray_id]
    return {
        "platform": page.platform,
        "page": page.name,
        "post_id": None,
        "id": str(stray.id),
        "reply_to": None if stray.reply_to is None else str(stray.reply_to),
        "text": stray.text,
        "pictures": [],
        "published_at": iso(stray.written_at),
        "edited_at": None,
        "deleted_at": None,
    }


def _place(page: Page, comment: Comment) -> dict[str, Any]:
    return {
        "platform": page.platform,
        "page": page.name,
        "post_id": str(comment.post_id),
        "id": str(comment.id),
        "reply_to": None if comment.reply_to is None else str(comment.reply_to),
    }
