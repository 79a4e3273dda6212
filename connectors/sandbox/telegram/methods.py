"""The Bot API's methods, except getUpdates."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from connectors.sandbox.model import Comment, Page, Post, Token
from connectors.sandbox.telegram import objects
from connectors.sandbox.telegram.errors import TelegramError, bad, forbidden, moved
from connectors.sandbox.telegram.params import Params
from connectors.sandbox.world import NewComment, World, WorldError

Json = dict[str, Any]
_MODERATION = 48 * 3600
_ALBUM = (2, 10)


@dataclass(frozen=True, slots=True)
class Call:
    """What a method needs to know."""

    world: World
    bot: Token
    params: Params
    base: str


@dataclass(frozen=True, slots=True)
class Chat:
    """A chat that a bot named: a page's channel, its discussion group, or a private dialog of its own."""

    page: Page
    is_group: bool
    dialog: Post | None = None

    @property
    def id(self) -> int:
        """The chat's id."""
        if self.dialog is not None:
            return self.dialog.id
        return self.page.group_chat_id if self.is_group else self.page.chat_id


def find_chat(call: Call, name: str = "chat_id") -> Chat:
    """The chat by id or @username. Raises TelegramError as Telegram does."""
    raw = call.params.text(name)
    if not raw:
        raise bad("chat_id is empty")
    chat = _by_username(call, raw[1:]) if raw.startswith("@") else _by_id(call, raw)
    if chat is None:
        raise bad("chat not found")
    return chat


def member_chat(call: Call) -> Chat:
    """A chat of which the bot is a member. Raises TelegramError(403) otherwise."""
    chat = find_chat(call)
    if chat.dialog is not None:
        return chat
    if not call.bot.serves(chat.page) or not (chat.is_group or call.bot.admin):
        kind = "supergroup" if chat.is_group else "channel"
        was = chat.page.outside.get(call.bot.user_id)
        description = f"bot was kicked from the {kind} chat" if was == "kicked" else f"bot is not a member of the {kind} chat"
        raise forbidden(description)
    return chat


def get_me(call: Call) -> Json:
    """The bot itself."""
    return objects.me(call.bot)


def get_chat(call: Call) -> Json:
    """A channel or group with the chat linked to it."""
    chat = find_chat(call)
    page = chat.page
    if chat.is_group:
        return objects.full_chat(objects.group(page), linked=page.chat_id, about="")
    linked = page.group_chat_id if page.discussion is not None else None
    return objects.full_chat(objects.channel(page), linked=linked, about=page.about)


def get_chat_member(call: Call) -> Json:
    """A member's rights; only bots and those who wrote are known."""
    chat = find_chat(call)
    user_id = call.params.number("user_id", 0)
    bot = call.world.state.bots.get(user_id)
    if bot is not None:
        return _membership(bot, chat)
    author = call.world.state.authors.get("telegram", user_id)
    if author is None:
        raise bad("PARTICIPANT_ID_INVALID")
    return {"status": "member" if chat.is_group else "left", "user": objects.person(author)}


def get_chat_administrators(call: Call) -> list[Json]:
    """The bots that administer a chat."""
    chat = find_chat(call)
    bots = [bot for bot in call.world.state.bots.values() if bot.admin and bot.serves(chat.page)]
    return [_membership(bot, chat) for bot in bots]


def get_chat_member_count(call: Call) -> int:
    """How many follow a channel."""
    return max(1, find_chat(call).page.members)


def send_message(call: Call) -> Json:
    """Send a text: into a thread when it replies to one, into a channel as a post."""
    return _published(call, _text(call))


def _published(call: Call, text: str, photo: str | None = None, album: str | None = None) -> Json:
    chat = member_chat(call)
    if chat.dialog is None and not chat.is_group:
        return objects.channel_message(chat.page, call.world.add_post(chat.page, text, photo=photo))
    if chat.is_group and call.params.has("message_thread_id"):
        raise bad("message thread not found")  # a discussion group is no forum: tdlib/telegram-bot-api#447
    target, page = _reply_target(call), chat.page
    new = NewComment(
        text=text, photo=photo, album=album, voice="bot", author_id=call.bot.user_id, reply_to=target, via_api=True
    )  # fmt: skip
    if chat.dialog is not None:
        return objects.private_message(call.world.state, page, call.world.add_comment(page, chat.dialog, new))
    if target is None or target in page.strays:
        stray = call.world.add_stray(page, text, bot_id=call.bot.user_id, reply_to=target)
        return objects.stray_message(call.world.state, page, stray)
    post_id, reply_to = _thread(page, target)
    try:
        comment = call.world.add_comment(page, call.world.post(page, post_id), replace(new, reply_to=reply_to))
    except WorldError as error:
        raise bad(str(error)) from error
    return objects.group_message(call.world.state, page, comment)


def send_photo(call: Call) -> Json:
    """Send one picture, with a caption or without."""
    member_chat(call)
    return _published(call, _caption(call, call.params), _picture(call, call.params, "photo"))


def send_media_group(call: Call) -> list[Json]:
    """Send an album of pictures: each is a message of its own."""
    member_chat(call)
    media = call.params.tree("media")
    if not isinstance(media, list) or not all(isinstance(one, dict) and one.get("type") == "photo" for one in media):
        raise bad("can't parse media: expected an Array of InputMediaPhoto")
    if not _ALBUM[0] <= len(media) <= _ALBUM[1]:
        raise bad("media must include 2-10 items")
    items = [Params(one) for one in media]
    captions = [_caption(call, one) for one in items]
    _reply_target(call)
    names = [_picture(call, one, "media") for one in items]
    album = f"{call.bot.user_id}{call.world.sequence}"
    return [_published(call, caption, name, album) for caption, name in zip(captions, names, strict=True)]


def edit_message_text(call: Call) -> Json:
    """Change a text message of the bot's own."""
    chat = member_chat(call)
    text = _text(call)
    comment = _own_message(call, chat, "edit")
    if comment.photo is not None:
        raise bad("there is no text in the message to edit")
    return _edited(call, chat, comment, text)


def edit_message_caption(call: Call) -> Json:
    """Change the caption of a picture of the bot's own."""
    chat = member_chat(call)
    comment = _own_message(call, chat, "edit")
    if comment.photo is None:
        raise bad("there is no caption in the message to edit")
    return _edited(call, chat, comment, _caption(call, call.params))


def _edited(call: Call, chat: Chat, comment: Comment, text: str) -> Json:
    if comment.text == text:
        raise bad(
            "message is not modified: specified new message content and reply markup are exactly the same as a "
            "current content and reply markup of the message"
        )
    call.world.edit_comment(chat.page, comment, text)
    if chat.dialog is not None:
        return objects.private_message(call.world.state, chat.page, comment)
    return objects.group_message(call.world.state, chat.page, comment)


def delete_message(call: Call) -> bool:
    """Delete an own message, or as administrator anybody's; nobody is told by an update."""
    chat = member_chat(call)
    comment = _message(call, chat)
    if comment is None:
        raise bad("message to delete not found")
    if comment.author_id != call.bot.user_id and not call.bot.admin:
        raise bad("message can't be deleted")
    if call.world.now() - comment.written_at > _MODERATION:
        raise bad("message can't be deleted for everyone")
    call.world.delete_comment(chat.page, comment)
    return True


def get_file(call: Call) -> Json:
    """Where a picture can be fetched."""
    file_id = call.params.text("file_id")
    if not file_id.startswith("sandbox-"):
        raise bad("invalid file_id")
    return {"file_id": file_id, "file_unique_id": f"u{file_id}", "file_path": f"photos/{file_id}.png"}


METHODS: dict[str, Callable[[Call], Any]] = {
    "getme": get_me,
    "getchat": get_chat,
    "getchatmember": get_chat_member,
    "getchatadministrators": get_chat_administrators,
    "getchatmembercount": get_chat_member_count,
    "sendmessage": send_message,
    "sendphoto": send_photo,
    "sendmediagroup": send_media_group,
    "editmessagetext": edit_message_text,
    "editmessagecaption": edit_message_caption,
    "deletemessage": delete_message,
    "getfile": get_file,
    "logout": lambda _call: True,
    "close": lambda _call: True,
}


def _by_username(call: Call, name: str) -> Chat | None:
    wanted = name.lower()
    if page := call.world.state.find("telegram", wanted):
        return Chat(page, is_group=False)
    if page := call.world.state.groups.get(wanted):
        return Chat(page, is_group=True)
    return None


def _by_id(call: Call, raw: str) -> Chat | None:
    if not raw.removeprefix("-").isdecimal():
        return None
    chat_id = call.params.number("chat_id", 0)
    own = call.world.state.find("telegram", call.bot.username)
    if own is not None and chat_id in own.posts:
        return Chat(own, is_group=False, dialog=own.posts[chat_id])
    if (new := call.world.state.moved.get(chat_id)) is not None:
        raise moved(new)
    page = call.world.state.chats.get(chat_id)
    return None if page is None else Chat(page, is_group=chat_id == page.group_chat_id)


def _membership(bot: Token, chat: Chat) -> Json:
    user = objects.bot_user(bot)
    if not bot.serves(chat.page) or not (chat.is_group or bot.admin):
        return objects.gone_member(user, chat.page.outside.get(bot.user_id, "left"))
    if not bot.admin:
        return {"status": "member", "user": user}
    rights = dict.fromkeys(
        (
            "can_manage_chat",
            "can_delete_messages",
            "can_manage_video_chats",
            "can_restrict_members",
            "can_promote_members",
            "can_change_info",
            "can_invite_users",
            "can_post_stories",
            "can_edit_stories",
            "can_delete_stories",
        ),
        True,
    )
    more = {"can_be_edited": False, "is_anonymous": False}
    if not chat.is_group:
        more |= {"can_post_messages": True, "can_edit_messages": True}
    return {"status": "administrator", "user": user, **more, **rights}


def _text(call: Call) -> str:
    if call.params.has("parse_mode"):
        raise bad("can't parse entities: the sandbox takes plain text only")
    text = call.params.text("text")
    if not text.strip():
        raise bad("message text is empty")
    if len(text) > call.world.limits.telegram_text:
        raise bad("message is too long")
    return text


def _caption(call: Call, params: Params) -> str:
    if params.has("parse_mode"):
        raise bad("can't parse entities: the sandbox takes plain text only")
    text = params.text("caption")
    if len(text) > call.world.limits.telegram_caption:
        raise bad("message caption is too long")
    return text


def _picture(call: Call, params: Params, name: str) -> str:
    """A picture that came with the call: under the name itself, or under the one that `attach://` says."""
    content = params.file(name) or call.params.file(params.text(name).removeprefix("attach://"))
    try:
        return call.world.upload(content or b"")
    except WorldError as error:
        raise bad("IMAGE_PROCESS_FAILED") from error


def _reply_target(call: Call) -> int | None:
    reply = call.params.tree("reply_parameters")
    if reply is None:
        return call.params.number("reply_to_message_id", 0) or None
    if not isinstance(reply, dict):
        raise bad("can't parse reply parameters: expected an Object")
    inner = Params(reply)
    target = inner.number("message_id", 0)
    chat = find_chat(call)
    known = target in chat.page.roots or target in chat.page.comments or target in chat.page.strays
    gone = target in chat.page.comments and chat.page.comments[target].deleted_at is not None
    if inner.has("chat_id") and inner.text("chat_id") not in {str(chat.id), f"@{chat.page.discussion}"}:
        raise bad("chat not found")
    if known and not gone:
        return target
    if inner.flag("allow_sending_without_reply"):
        return None
    raise bad("message to be replied not found")


def _thread(page: Page, target: int) -> tuple[int, int | None]:
    if target in page.roots:
        return page.roots[target], None
    comment = page.comments.get(target)
    if comment is None:
        raise bad("message to be replied not found")
    return comment.post_id, comment.id


def _message(call: Call, chat: Chat) -> Comment | None:
    """The living message that a call names, in a group or a private dialog."""
    comment = chat.page.comments.get(call.params.number("message_id", 0)) if chat.is_group or chat.dialog is not None else None
    elsewhere = comment is not None and chat.dialog is not None and comment.post_id != chat.dialog.id
    return None if comment is None or comment.deleted_at is not None or elsewhere else comment


def _own_message(call: Call, chat: Chat, act: str) -> Comment:
    comment = _message(call, chat)
    if comment is None:
        description = f"message to {act} not found"
        raise bad(description)
    if comment.voice != "bot" or comment.author_id != call.bot.user_id:
        description = f"message can't be {act}ed"
        raise bad(description)
    return comment


def unauthorized() -> TelegramError:
    """What a token gets that no bot has."""
    return TelegramError(401, "Unauthorized")
