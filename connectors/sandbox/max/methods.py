"""MAX's methods that comments and private messages need, by the names of its description."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from connectors.sandbox.max import objects
from connectors.sandbox.max.errors import MaxError, bad, denied, gone
from connectors.sandbox.model import Comment, Page, Post, Token
from connectors.sandbox.world import NewComment, World, WorldError

Json = dict[str, Any]
_MOST, _DEFAULT = 100, 50
_READ, _WRITE, _DELETE = "read_all_messages", "write", "delete"


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What a method needs to know. `path` are the parts of the address, `query` its parameters, `body` the parsed JSON."""

    world: World
    bot: Token
    path: dict[str, str]
    query: dict[str, str]
    body: Json
    base: str

    def number(self, name: str, default: int, *, low: int = 0, high: int | None = None) -> int:
        """A whole number of the query."""
        raw = self.query.get(name)
        if raw is None:
            return default
        if not raw.removeprefix("-").isdecimal() or not low <= int(raw) <= (high if high is not None else int(raw)):
            raise bad(f"{name} is out of range")
        return int(raw)

    def count(self) -> int:
        """How many rows are asked for."""
        return self.number("count", _DEFAULT, low=1, high=_MOST)

    def pages(self) -> Iterable[Page]:
        """Where the bot is: its channels, and itself with its dialogs."""
        return (page for page in self.world.state.of("max") if self.bot.hears(page))

    def channel(self, name: str) -> Page:
        """A channel by number or name, its own or a public one."""
        found = (page for page in self.world.state.of("max") if page.name.lower() != self.bot.username.lower())
        for page in found:
            if name in {str(objects.chat_id(page)), page.name, f"@{page.name}"}:
                return page
        raise gone("chat")

    def post(self, right: str) -> tuple[Page, Post]:
        """The post of the address, in a channel where the bot has the right."""
        raw = self.path["message"].removeprefix("mid.")
        for page in self.world.state.of("max"):
            post = page.posts.get(int(raw)) if raw.isdecimal() else None
            if post is not None and post.deleted_at is None and not is_dialogs(page, self.bot):
                if not self.bot.serves(page):
                    raise denied("membership")
                self.needs(_READ)
                self.needs(right)
                return page, post
        raise gone("message")

    def dialog(self) -> tuple[Page, Post] | None:
        """The private dialog that `chat_id` names, or the one with `user_id`, if there is one."""
        raw = self.query.get("chat_id", "") or self._dialog_with(self.query.get("user_id", ""))
        for page in self.pages():
            post = page.posts.get(int(raw)) if raw.isdecimal() else None
            if post is not None and post.deleted_at is None and is_dialogs(page, self.bot):
                return page, post
        return None

    def _dialog_with(self, user: str) -> str:
        """The number of the dialog in which this person wrote to the bot."""
        written = (one for page in self.pages() if is_dialogs(page, self.bot) for one in page.comments.values())
        return next((str(one.post_id) for one in written if one.voice == "citizen" and str(one.author_id) == user), "")

    def needs(self, right: str) -> None:
        """Refuse when the bot, as administrator, lacks a right."""
        if right not in self.bot.rights:
            raise denied(right)


def is_dialogs(page: Page, bot: Token) -> bool:
    """Whether a page of the sandbox stands for the bot itself: it has the bot's name, and its posts are dialogs."""
    return page.name.lower() == bot.username.lower()


def my_info(call: Call) -> Json:
    """The bot itself."""
    return objects.bot_user(call.bot) | {"commands": []}


def get_chat(call: Call) -> Json:
    """A channel."""
    return objects.chat(call.channel(call.path["chat"]))


def get_membership(call: Call) -> Json:
    """What the bot may do in a channel."""
    page = call.channel(call.path["chat"])
    if not call.bot.serves(page):
        raise denied("membership")
    member = {"is_owner": False, "is_admin": bool(call.bot.rights), "join_time": 0, "last_access_time": 0}
    return objects.bot_user(call.bot) | member | {"permissions": sorted(call.bot.rights) or None}


def get_messages(call: Call) -> Json:
    """Messages of a channel (its posts) or of a dialog, the newest first, from a moment back."""
    until = call.number("from", 2**62)
    if (found := call.dialog()) is not None:
        page, post = found
        rows = [objects.dialog_message(call.world.state, page, one, call.base) for one in _living(page, post)]
    else:
        page = call.channel(call.query.get("chat_id", ""))
        if not call.bot.serves(page):
            raise denied(_READ)
        call.needs(_READ)
        rows = [objects.post_message(page, page.posts[number], call.base) for number in page.order]
    rows = [row for row in rows if row["timestamp"] <= until]
    rows.sort(key=lambda row: row["timestamp"], reverse=True)
    return {"messages": rows[: call.count()]}


def get_message(call: Call) -> Json:
    """A post, or a message of a dialog, by its number."""
    found = _in_dialog(call, call.path["message"])
    if found is not None:
        return objects.dialog_message(call.world.state, *found, call.base)
    page, post = call.post(_READ)
    return objects.post_message(page, post, call.base)


def get_comments(call: Call) -> Json:
    """Comments of a post, the newest first, before a moment."""
    page, post = call.post(_READ)
    before, after = call.number("before", 2**62), call.number("after", 0)
    asked = [word for word in call.query.get("comment_ids", "").split(",") if word]
    rows = [objects.comment_message(call.world.state, page, one) for one in _living(page, post)]
    if asked:
        rows = [row for row in rows if row["body"]["mid"] in asked]
    rows = [row for row in rows if after < row["timestamp"] < before]
    rows.sort(key=lambda row: row["timestamp"], reverse=True)
    return {"messages": rows[: call.count()]}


def get_comment(call: Call) -> Json:
    """One comment."""
    page, post = call.post(_READ)
    return objects.comment_message(call.world.state, page, _comment(page, post, call.path["comment"]))


def upload_url(call: Call) -> Json:
    """Where a picture is brought."""
    if call.query.get("type") != "image":
        raise bad("type")
    return {"url": f"{call.base}/upload/max"}


def send_comment(call: Call) -> Json:
    """Write a comment as the bot; it carries no attachments."""
    page, post = call.post(_WRITE)
    if call.body.get("attachments"):
        raise bad("comments carry no attachments")
    if not post.comments_open:
        raise denied("comments are closed")
    return {"message": objects.comment_message(call.world.state, page, _written(call, page, post))}


def edit_comment(call: Call) -> Json:
    """Change a comment of the bot's own, within 26 hours."""
    page, post = call.post(_WRITE)
    comment = _own(call, page, post)
    if call.world.clock.time() - comment.written_at > call.world.limits.max_edit:
        raise MaxError(422, "comments.timeout_exceeded", "the comment is too old to be edited")
    call.world.edit_comment(page, comment, _text(call))
    return {"success": True}


def delete_comment(call: Call) -> Json:
    """Delete anybody's comment, with the right to it."""
    page, post = call.post(_DELETE)
    call.world.delete_comment(page, _comment(page, post, call.query.get("comment_id", "")))
    return {"success": True}


def send_message(call: Call) -> Json:
    """Answer in a private dialog."""
    found = call.dialog()
    if found is None:
        raise bad("the sandbox sends messages to dialogs only")
    page, post = found
    return {"message": objects.dialog_message(call.world.state, page, _written(call, page, post), call.base)}


def edit_message(call: Call) -> Json:
    """Change a message of the bot's own in a dialog, for a week."""
    page, comment = _own_in_dialog(call)
    if call.world.clock.time() - comment.written_at > call.world.limits.max_edit_message:
        raise MaxError(422, "comments.timeout_exceeded", "the message is too old to be edited")
    call.world.edit_comment(page, comment, _text(call))
    return {"success": True}


def delete_message(call: Call) -> Json:
    """Delete a message of the bot's own in a dialog."""
    page, comment = _own_in_dialog(call)
    call.world.delete_comment(page, comment)
    return {"success": True}


def _own_in_dialog(call: Call) -> tuple[Page, Comment]:
    found = _in_dialog(call, call.query.get("message_id", ""))
    if found is None:
        raise gone("message")
    if found[1].voice != "bot" or found[1].author_id != call.bot.user_id:
        raise denied("edit")
    return found


def _in_dialog(call: Call, raw: str) -> tuple[Page, Comment] | None:
    for page in call.pages():
        comment = page.comments.get(int(raw)) if raw.isdecimal() and is_dialogs(page, call.bot) else None
        if comment is not None and comment.deleted_at is None:
            return page, comment
    return None


METHODS: dict[str, Callable[[Call], Json]] = {
    "getMyInfo": my_info,
    "getChat": get_chat,
    "getMembership": get_membership,
    "getMessages": get_messages,
    "getMessageById": get_message,
    "getComments": get_comments,
    "getCommentById": get_comment,
    "getUploadUrl": upload_url,
    "sendComment": send_comment,
    "editComment": edit_comment,
    "deleteComment": delete_comment,
    "sendMessage": send_message,
    "editMessage": edit_message,
    "deleteMessage": delete_message,
}


def _living(page: Page, post: Post) -> list[Comment]:
    return [one for one in page.thread_of(post) if one.deleted_at is None]


def _comment(page: Page, post: Post, raw: str) -> Comment:
    comment = page.comments.get(int(raw)) if raw.isdecimal() else None
    if comment is None or comment.post_id != post.id or comment.deleted_at is not None:
        raise gone("comment")
    return comment


def _own(call: Call, page: Page, post: Post) -> Comment:
    comment = _comment(page, post, call.query.get("comment_id", ""))
    if comment.voice != "bot" or comment.author_id != call.bot.user_id:
        raise denied("edit")
    return comment


def _text(call: Call) -> str:
    text = call.body.get("text")
    if not isinstance(text, str) or not text.strip():
        raise bad("text is empty")
    if len(text) > call.world.limits.max_text:
        raise bad("text is too long")
    return text


def _pictures(call: Call) -> list[str]:
    """The pictures that a message names. Refused for one that nobody brought."""
    found: list[str] = []
    for one in call.body.get("attachments") or ():
        payload = one.get("payload") if isinstance(one, dict) and one.get("type") == "image" else None
        if not isinstance(payload, dict):
            raise bad("attachments")
        photos = payload.get("photos")
        tokens = [photo.get("token") for photo in photos.values() if isinstance(photo, dict)] if isinstance(photos, dict) else []
        found += [str(token) for token in tokens or [payload.get("token")]]
    if not set(found) <= set(call.world.state.uploads):
        raise bad("attachments")
    return found


def _written(call: Call, page: Page, post: Post) -> Comment:
    link = call.body.get("link")
    parent: Comment | None = None
    if link is not None:
        if not isinstance(link, dict) or link.get("type") != "reply":
            raise bad("only replies are links of comments")
        parent = _comment(page, post, str(link.get("mid", "")))
    pictures = _pictures(call)
    new = NewComment(
        text=_text(call), voice="bot", author_id=call.bot.user_id, reply_to=parent.id if parent else None, via_api=True,
        photo=pictures[0] if pictures else None, more=tuple(pictures[1:]),
    )  # fmt: skip
    try:
        return call.world.add_comment(page, post, new)
    except WorldError as error:
        raise bad(str(error)) from error
