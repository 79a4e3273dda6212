"""The thread of an appeal: the post, its comments, our answers under the comments they answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby
from typing import TYPE_CHECKING, Any

from app.appeals.rules import Status
from app.appeals.unheard import unheard
from app.replies.rules import NEEDS_A_PERSON, SENT_AGAIN, SOUGHT, TRANSITIONS, AnswerKind, ReplyState, same_words
from app.sources.rules import NO_ACCESS
from app.web.ui.amendment_view import amendment_view, changes, former_words, is_told, problem_of
from app.web.ui.queue_view import number_text
from app.web.ui.reply_views import ReplyView
from app.web.ui.views import Attachment, MergedAppeal, MergedComment, PostView, Revision, ThreadComment

if TYPE_CHECKING:
    from app.appeals.card_rows import Card, CommentRow, ReplyRow
    from app.media.rules import MediaHosts
    from app.replies.amending import Leave

_DECISIONS = {"found": ReplyState.SENT, "resend": ReplyState.QUEUED, "withdraw": ReplyState.WITHDRAWN}


@dataclass(frozen=True, kw_only=True, slots=True)
class May:
    """What whoever looks may do with answers: work on them, let go what a limit held back, approve what another wrote.

    `mend_at`: the page's card, if they look after the page. `amend`: what the platform lets be done to an answer, by the change's name;
    `lacking`: with which token it would let something be done, when it lets nothing.
    """

    operator_id: int
    work: bool
    release: bool
    approve: bool
    now: datetime
    mend_at: str = ""
    lacking: str = ""
    amend: Callable[[ReplyRow], Mapping[str, Leave]] = lambda _reply: {}


def post_view(found: Card, media: MediaHosts) -> PostView | None:
    """The post above the thread, if there is one."""
    post = found.post
    if post is None:
        return None
    return PostView(
        text=post.text,
        published_at=post.published_at,
        url=web_address(post.link),
        attachments=attachments(post.attachments, media, platform=found.appeal.platform, at=f"post/{post.id}"),
        gone=post.gone_at is not None,
    )


def answerable(comment: CommentRow) -> bool:
    """Whether an answer may stand under it."""
    return comment.of_appeal and not comment.by_page and comment.deleted_at is None


def thread_view(found: Card, media: MediaHosts, may: May) -> tuple[ThreadComment, ...]:
    """Comments in the order of writing. Our own answers stand under what they answer, not once more as the page's comment."""
    ours = {reply.external_id for reply in found.replies if not reply.by_hand and reply.external_id is not None}
    shown = [comment for comment in found.comments if not (comment.by_page and comment.external_id in ours)]
    told = {comment.external_id for comment in shown}
    replies = [reply for reply in found.replies if not (reply.by_hand and reply.external_id in told)]
    if not shown:
        return _alone(found, [_reply(reply, may) for reply in replies])
    under = {place: [_reply(reply, may) for reply in some] for place, some in _places(shown, replies).items()}
    files = {
        comment.id: attachments(comment.attachments, media, platform=found.appeal.platform, at=f"comment/{comment.id}") for comment in shown
    }
    missed = unheard(found.events) if found.appeal.status in {Status.ANSWERED, Status.CLOSED} else frozenset()
    told_here = tuple(
        replace(_comment(comment, files[comment.id], under.get(comment.id, ())), unheard=comment.id in missed) for comment in shown
    )
    return told_here if _stands_among(found.appeal.text, shown) else (*_alone(found, ()), *told_here)


def merged_view(found: Card) -> tuple[MergedAppeal, ...]:
    """The threads of what was merged into the appeal, one after the other."""
    return tuple(
        MergedAppeal(
            number=number_text(number),
            platform=rows[0].platform,
            page=rows[0].page_title or "",
            comments=tuple(
                MergedComment(
                    author=row.author_name or "",
                    voice="page" if row.by_page else "citizen" if row.of_appeal else "other",
                    text=row.text,
                    written_at=row.written_at,
                    url=web_address(row.link),
                    deleted=row.deleted_at is not None,
                    answered=row.answered,
                )
                for row in rows
            ),
        )
        for number, rows in ((number, list(group)) for number, group in groupby(found.merged, key=lambda row: row.number))
    )


def _stands_among(words: str | None, shown: Sequence[CommentRow]) -> bool:
    """Whether an appeal's own words, if it has any, are those of a comment: what another system brought may miss in the thread."""
    return not words or any(same_words(words, comment.text) for comment in shown)


def _alone(found: Card, replies: Iterable[ReplyView]) -> tuple[ThreadComment, ...]:
    """Of an appeal that no comment brought: its own words stand as one."""
    appeal = found.appeal
    return (
        ThreadComment(
            id="0",
            author=appeal.author_name or "",
            voice="citizen",
            text=appeal.text or "",
            written_at=appeal.written_at,
            url=web_address(appeal.link),
            replies=tuple(replies),
        ),
    )


def _places(shown: Sequence[CommentRow], replies: Iterable[ReplyRow]) -> Mapping[int, Sequence[ReplyRow]]:
    """Replies by the comment under which they stand: their own, or the appeal's last one when that is not shown."""
    known = {comment.id for comment in shown}
    own = [comment.id for comment in shown if comment.of_appeal] or [shown[-1].id]
    under: dict[int, list[ReplyRow]] = {}
    for reply in replies:
        place = reply.comment_id if reply.comment_id in known and reply.comment_id is not None else own[-1]
        under.setdefault(place, []).append(reply)
    return under


def _comment(comment: CommentRow, files: tuple[Attachment, ...], replies: Iterable[ReplyView]) -> ThreadComment:
    voice = "page" if comment.by_page else "citizen" if comment.of_appeal or comment.by_author else "other"
    return ThreadComment(
        id=str(comment.id),
        author=comment.author_name or "",
        voice=voice,
        text=comment.text,
        written_at=comment.written_at,
        depth=0 if comment.reply_to_external_id is None else 1,
        answerable=answerable(comment),
        length=comment.length if comment.length > len(comment.text) else 0,
        edited_at=comment.edited_at,
        deleted_at=comment.deleted_at,
        url=web_address(comment.link),
        revisions=tuple(
            Revision(text=one.text, observed_at=_replaced_at(comment, one.revision))
            for one in comment.revisions
            if one.revision < comment.revision
        ),
        attachments=files,
        replies=tuple(replies),
    )


def _replaced_at(comment: CommentRow, revision: int) -> Any:  # noqa: ANN401 - a moment of a typed row
    """When a revision gave way to the next one, as far as it is known."""
    after = next((one for one in comment.revisions if one.revision == revision + 1), comment.revisions[-1])
    return after.edited_at or after.observed_at


def _reply(reply: ReplyRow, may: May) -> ReplyView:
    waits_again = reply.state is ReplyState.QUEUED and reply.attempts > 0
    return ReplyView(
        id=str(reply.id),
        state=reply.state.value,
        text=reply.text,
        operator=reply.operator_name or "",
        at=reply.published_at or reply.created_at,
        to_comment=str(reply.comment_id or ""),
        interim=reply.kind is AnswerKind.INTERIM,
        unapproved=reply.unapproved,
        also=reply.also,
        url=web_address(reply.link),
        problem="publishing_stopped" if reply.stopped else problem_of(reply) if reply.state is not ReplyState.SENT else "",
        problem_detail=(reply.error_detail or "") if reply.state in NEEDS_A_PERSON - {ReplyState.UNCERTAIN} else "",  # there it is ours
        mend_at=may.mend_at if reply.state is ReplyState.FAILED and reply.error_code in NO_ACCESS else "",
        next_attempt_at=reply.due_at if waits_again else None,
        decisions=_decisions(reply, may),
        pictures=tuple(f"/media/reply/{reply.id}/{place}" for place in reply.pictures),
        former=former_words(reply),
        amendments=tuple(amendment_view(one, may) for one in reply.amendments if is_told(one)),
        **changes(reply, may),
    )


def _decisions(reply: ReplyRow, may: May) -> tuple[str, ...]:
    """What a person may say of an answer.

    One that is being sent, or looked for, is left alone; one that was held is let go by a coordinator; one that the platform
    refused may have been posted by hand, where there is something left to post it under; one that awaits approval is approved by
    another than its author.
    """
    state = reply.state
    if state is ReplyState.AWAITING and may.approve and reply.operator_id != may.operator_id:
        return ("approve", "withdraw") if may.work else ("approve",)
    if not may.work or state is ReplyState.SENDING or (state is ReplyState.FAILED and reply.error_code == SOUGHT):
        return ()
    if state is ReplyState.FAILED:
        return ("resend", "withdraw") if reply.error_code == "gone" else ("posted", "resend", "withdraw")
    resends = state in SENT_AGAIN and (state is not ReplyState.HELD or may.release)
    possible = [name for name, after in _DECISIONS.items() if after in TRANSITIONS[state]]
    return tuple(name for name in possible if name != "resend" or resends)


def attachments(stored: Iterable[Mapping[str, Any]], media: MediaHosts, *, platform: str, at: str) -> tuple[Attachment, ...]:
    """References to pictures and files; `at` is their comment or post as the proxy of pictures names it."""
    return tuple(
        Attachment(
            kind=(kind := str(one.get("kind", "other"))),
            title=str(one.get("title") or ""),
            url=web_address(one.get("url")),
            picture=f"/media/{at}/{place}" if media.shows(platform, kind, one.get("url")) else "",
        )
        for place, one in enumerate(stored)
    )


def web_address(value: object) -> str:
    """The address, if it leads to the web: nothing that a platform tells may run as a script here."""
    return value if isinstance(value, str) and value.lower().startswith(("https://", "http://")) else ""
