"""What MAX lets a bot do, as PLATFORMS.md has it, and what each verb costs. Methods go by the names of its description."""

from datetime import timedelta

from connectors.bots import DIALOGS
from connectors.contract import Capability, Pictures

TEXT_LIMIT = 4_000
PROBE_LIMIT = 20
BOTS = ("bot",)
COMMENTS = "comments"
"""A kind of place: under posts of a channel. The other one is in private with the bot."""
PICTURES = Pictures(most=10, most_bytes=10_000_000, token_kinds=BOTS, at=DIALOGS)
"""Comments carry no attachments. How many a message carries is not published; an image may have 50 MB."""
RIGHTS = ("read_all_messages", "write")
"""Of the bot as administrator of the channel: to read comments, and to answer them."""

CAPABILITIES = (
    Capability(verb="describe_page", methods=("getChatByLink", "getMembership", "getMyInfo"), token_kinds=BOTS, calls=3),
    Capability(verb="check_page", methods=("getChat", "getMembership", "getMyInfo"), token_kinds=BOTS, calls=2),
    Capability(verb="discover", methods=("getMessages",), token_kinds=BOTS, calls=1),
    Capability(verb="probe", methods=("getComments", "getMessages"), token_kinds=BOTS, calls=PROBE_LIMIT),
    Capability(verb="read_thread", methods=("getComments", "getMessages"), token_kinds=BOTS, calls=1),
    Capability(verb="fetch_reference", methods=("getChat", "getMessages", "getCommentById"), token_kinds=BOTS, calls=3),
    Capability(verb="listen", methods=("getUpdates",), token_kinds=BOTS, calls=1),
    Capability(verb="send", methods=("sendComment", "sendMessage", "getUploadUrl"), token_kinds=BOTS, calls=1),
    Capability(verb="find_sent", methods=("getComments", "getMessages"), token_kinds=BOTS, calls=1),
    Capability(verb="edit_answer", methods=("editComment",), token_kinds=BOTS, calls=1, within=timedelta(hours=26), at=COMMENTS),
    Capability(verb="edit_answer", methods=("editMessage",), token_kinds=BOTS, calls=1, within=timedelta(days=7), at=DIALOGS),
    Capability(verb="delete_answer", methods=("deleteComment", "deleteMessage"), token_kinds=BOTS, calls=1),
    Capability(verb="look_at_answer", methods=("getCommentById", "getMessageById"), token_kinds=BOTS, calls=1),
)
