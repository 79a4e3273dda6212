"""What Viber lets a bot do, as its documentation has it, and what each verb costs. Not tried on Viber itself."""

from connectors.contract import Capability

TEXT_LIMIT = 7_000
NAME_LIMIT = 28
"""Characters of the name that an answer is signed with."""
BOTS = ("bot",)

CAPABILITIES = (
    Capability(verb="describe_page", methods=("get_account_info",), token_kinds=BOTS, calls=1),
    Capability(verb="check_page", methods=("get_account_info",), token_kinds=BOTS, calls=1),
    Capability(verb="poll", methods=("get_account_info",), token_kinds=BOTS, calls=1),
    Capability(verb="register_push", methods=("set_webhook",), token_kinds=BOTS, calls=1),
    Capability(verb="send", methods=("send_message",), token_kinds=BOTS, calls=1),
    Capability(verb="find_sent", methods=(), token_kinds=BOTS, calls=0),
)
