"""What VK lets whom do, as PLATFORMS.md has it, and what each verb costs."""

from connectors.contract import Capability, Pictures

TEXT_LIMIT = 16_384
"""Not published by VK: longer texts were never seen, and the platform itself has the last word."""
PROBE_LIMIT = 100
READERS = ("service", "user")
"""Wall readings: a community token gets error 27. A service token first, for it never expires."""
WRITERS = ("community", "user")
"""Comments in the community's name: a service token gets error 28."""
ABROAD = ("user",)
"""Comments in the community's name elsewhere: its own token writes on its own wall alone."""
LISTENERS = ("community", "user")
"""Bots Long Poll: a service token gets error 28."""
AMENDERS = ("user",)
"""What stands is changed and deleted by a user token alone: that of an administrator."""
PICTURES = Pictures(most=2, most_bytes=10_000_000, token_kinds=("user",))
"""How many a comment takes VK does not publish: two are taken for safe. It lets a user token alone upload for a wall."""
ANY = ("service", "user", "community")

WALL, PHOTO, VIDEO, TOPIC = "wall", "photo", "video", "topic"
"""Kinds of place on which people comment."""

CAPABILITIES = (
    Capability(verb="describe_page", methods=("utils.resolveScreenName", "groups.getById"), token_kinds=ANY, calls=2),
    Capability(verb="tell_pages", methods=("groups.getById",), token_kinds=ANY, calls=1),
    Capability(
        verb="check_page",
        methods=("groups.getById", "wall.get", "groups.getTokenPermissions", "account.getAppPermissions"),
        token_kinds=ANY,
        calls=3,
    ),
    Capability(verb="discover", methods=("wall.get",), token_kinds=READERS, calls=1),
    Capability(verb="probe", methods=("wall.getById",), token_kinds=READERS, calls=1),
    Capability(verb="read_thread", methods=("wall.getComments",), token_kinds=READERS, calls=1),
    Capability(verb="fetch_reference", methods=("wall.getById", "wall.getComments"), token_kinds=READERS, calls=2),
    Capability(
        verb="send",
        methods=("wall.createComment", "wall.getComment", "photos.getWallUploadServer", "photos.saveWallPhoto"),
        token_kinds=WRITERS,
        calls=2,
    ),
    Capability(verb="listen", methods=("groups.getLongPollServer",), token_kinds=LISTENERS, calls=1),
    Capability(verb="mentions", methods=("newsfeed.search",), token_kinds=READERS, calls=1),
    Capability(verb="mentions", methods=("newsfeed.getMentions",), token_kinds=("user",), calls=1),
    Capability(verb="list_places", methods=("board.getTopics", "photos.getById"), token_kinds=READERS, calls=2),
    Capability(verb="list_places", methods=("photos.getAllComments", "video.get"), token_kinds=ABROAD, calls=2),
    Capability(verb="find_sent", methods=("wall.getComments",), token_kinds=READERS, calls=1),
    Capability(verb="edit_answer", methods=("wall.getComment", "wall.editComment"), token_kinds=AMENDERS, calls=2, at=WALL),
    Capability(verb="delete_answer", methods=("wall.deleteComment",), token_kinds=AMENDERS, calls=1, at=WALL),
    Capability(verb="look_at_answer", methods=("wall.getComment",), token_kinds=AMENDERS, calls=1, at=WALL),
)
