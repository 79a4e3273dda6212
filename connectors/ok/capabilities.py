"""What Odnoklassniki lets an application do, as PLATFORMS.md has it, and what each verb costs."""

from connectors.contract import Capability

TEXT_LIMIT = 4_000
"""Not published by OK: the platform itself has the last word."""
PROBE_LIMIT = 50
KINDS = ("user",)
"""A token of somebody who administers the group, with VALUABLE_ACCESS, GROUP_CONTENT and LONG_ACCESS_TOKEN."""

CAPABILITIES = (
    Capability(verb="describe_page", methods=("url.getInfo", "group.getInfo"), token_kinds=KINDS, calls=2),
    Capability(verb="tell_pages", methods=("url.getInfo", "group.getInfo"), token_kinds=KINDS, calls=1),
    Capability(verb="check_page", methods=("group.getInfo", "discussions.getList"), token_kinds=KINDS, calls=2),
    Capability(verb="discover", methods=("discussions.getList",), token_kinds=KINDS, calls=1),
    Capability(verb="probe", methods=("discussions.getList", "discussions.getDiscussionCommentsCount"), token_kinds=KINDS, calls=1),
    Capability(verb="read_thread", methods=("discussions.getComments",), token_kinds=KINDS, calls=1),
    Capability(verb="fetch_reference", methods=("discussions.get", "discussions.getComment"), token_kinds=KINDS, calls=2),
    Capability(verb="send", methods=("discussions.addDiscussionComment", "discussions.getComment"), token_kinds=KINDS, calls=2),
    Capability(verb="find_sent", methods=("discussions.getComments",), token_kinds=KINDS, calls=1),
    Capability(verb="edit_answer", methods=("discussions.editDiscussionComment",), token_kinds=KINDS, calls=1),
    Capability(verb="delete_answer", methods=("discussions.deleteDiscussionComment",), token_kinds=KINDS, calls=1),
    Capability(verb="look_at_answer", methods=("discussions.getComment",), token_kinds=KINDS, calls=1),
)
