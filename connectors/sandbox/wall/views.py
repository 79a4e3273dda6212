"""What the templates show: plain values made from the world."""

from dataclasses import dataclass, field
from urllib.parse import quote
from zlib import crc32

from connectors.sandbox.clock import iso
from connectors.sandbox.model import Comment, Page, Post
from connectors.sandbox.world import World

THREADS = 30
POSTS = 15
_HUES = 8


@dataclass(frozen=True, slots=True)
class CommentView:
    """One comment as the wall shows it."""

    id: int
    post_id: int
    root_id: int | None
    reply_to: int | None
    reply_to_name: str | None
    author: str | None
    kind: str
    text: str
    pictures: list[str]
    link: str | None
    written_at: str
    edited: bool
    deleted: bool
    hue: int
    initials: str
    replies: list["CommentView"] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class PostView:
    """One post with the threads that are shown; `hidden` counts older threads left out."""

    id: int
    text: str
    picture: str | None
    link: str | None
    written_at: str
    edited: bool
    open: bool
    commentable: bool
    count: int
    hidden: int
    comments: list[CommentView]


@dataclass(frozen=True, slots=True)
class PageView:
    """A page in a list or above its wall."""

    platform: str
    name: str
    title: str
    about: str
    members: int
    posts: int
    verified: bool
    hue: int
    initials: str


def page_view(page: Page) -> PageView:
    """A page."""
    return PageView(
        platform=page.platform,
        name=page.name,
        title=page.title,
        about=page.about,
        members=page.members,
        posts=len(page.order),
        verified=page.verified,
        hue=_hue(page.name),
        initials=_initials(page.title),
    )


def post_view(world: World, page: Page, post: Post, *, threads: int | None = THREADS) -> PostView:
    """A post with its latest threads, all of them when `threads` is None."""
    roots = post.top if threads is None else post.top[-threads:]
    comments = []
    for root_id in roots:
        view = comment_view(world, page, page.comments[root_id])
        view.replies.extend(comment_view(world, page, page.comments[item]) for item in post.thread(root_id))
        comments.append(view)
    picture, link = _picture(post.photo)
    return PostView(
        id=post.id,
        text=post.text,
        picture=picture,
        link=link,
        written_at=iso(post.written_at) or "",
        edited=post.edited_at is not None,
        open=post.comments_open,
        commentable=page.platform != "telegram" or post.root_id is not None,
        count=post.live,
        hidden=len(post.top) - len(roots),
        comments=comments,
    )


def comment_view(world: World, page: Page, comment: Comment) -> CommentView:
    """A comment without its replies."""
    author = page.title if comment.voice == "bot" else world.author_name(page, comment)
    parent = None if comment.reply_to is None else page.comments[comment.reply_to]
    told = [_picture(photo) for photo in comment.pictures]
    deleted = comment.deleted_at is not None
    return CommentView(
        id=comment.id,
        post_id=comment.post_id,
        root_id=comment.root_id,
        reply_to=comment.reply_to,
        reply_to_name=_name(world, page, parent) if parent and parent.id != comment.root_id else None,
        author=author,
        kind="answer" if comment.is_answer else comment.voice,
        text="" if deleted else comment.text,
        pictures=[] if deleted else [address for address, _ in told if address is not None],
        link=None if deleted else next((link for _, link in told if link is not None), None),
        written_at=iso(comment.written_at) or "",
        edited=comment.edited_at is not None,
        deleted=deleted,
        hue=_hue(author or ""),
        initials=_initials(author or "?"),
    )


def shown_posts(page: Page, before: int | None) -> tuple[list[Post], int | None]:
    """A screenful of posts, newest first, and where the next one begins."""
    ids = page.order if before is None else [item for item in page.order if item < before]
    chosen = ids[-POSTS:][::-1]
    return [page.posts[item] for item in chosen], chosen[-1] if len(ids) > POSTS else None


def _name(world: World, page: Page, comment: Comment) -> str | None:
    return page.title if comment.voice == "bot" else world.author_name(page, comment)


def _picture(photo: str | None) -> tuple[str | None, str | None]:
    """Where the wall gets a picture, or a foreign address to name: nothing is loaded from outside."""
    if photo is None:
        return None, None
    if photo.startswith(("https://", "http://")):
        return None, photo
    return f"/pictures/{quote(photo, safe='', errors='replace')}.png", None


def _hue(name: str) -> int:
    return crc32(name.encode("utf-8", "replace")) % _HUES


def _initials(name: str) -> str:
    parts = [part for part in name.replace("«", " ").replace("»", " ").split() if part[0].isalnum()]
    return "".join(part[0] for part in parts[:2]).upper() or "?"
