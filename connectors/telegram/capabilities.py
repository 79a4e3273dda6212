"""What Telegram lets a bot do, as PLATFORMS.md has it, and what each verb costs."""

from datetime import timedelta

from connectors.contract import Capability, Pictures

TEXT_LIMIT = 4096
CAPTION_LIMIT = 1024
"""Of the words that stand under a picture, in one message with it."""
BOTS = ("bot",)
PICTURES = Pictures(most=10, most_bytes=10_000_000, token_kinds=BOTS)

CAPABILITIES = (
    Capability(verb="describe_page", methods=("getChat", "getMe", "getChatMember"), token_kinds=BOTS, calls=4),
    Capability(verb="check_page", methods=("getChat", "getMe", "getChatMember"), token_kinds=BOTS, calls=4),
    Capability(verb="poll", methods=("getUpdates",), token_kinds=BOTS, calls=1),
    Capability(verb="send", methods=("sendMessage", "sendPhoto", "sendMediaGroup"), token_kinds=BOTS, calls=1),
    Capability(verb="attach_pictures", methods=("sendPhoto", "sendMediaGroup"), token_kinds=BOTS, calls=1),
    Capability(verb="fetch_media", methods=("getFile",), token_kinds=BOTS, calls=2),
    Capability(verb="find_sent", methods=(), token_kinds=BOTS, calls=0),
    Capability(verb="edit_answer", methods=("editMessageText", "editMessageCaption"), token_kinds=BOTS, calls=1),
    Capability(verb="delete_answer", methods=("deleteMessage",), token_kinds=BOTS, calls=1, within=timedelta(hours=48)),
)
