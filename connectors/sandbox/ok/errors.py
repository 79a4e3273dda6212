"""Refusals as OK words them: HTTP 200 with a number."""

from typing import Any

TEXTS: dict[int, str] = {
    1: "UNKNOWN : Unknown error",
    2: "SERVICE : Service is temporary unavailable. Please try again later",
    3: "METHOD : Method does not exist.",
    4: "REQUEST : Request is invalid or unsupported",
    8: "FLOOD_BLOCKED : Action is blocked due to flood",
    10: "PERMISSION_DENIED : User must grant an access to permission",
    11: "LIMIT_REACHED : Method call limit is reached",
    50: "NOT_ADMIN : User is not administrator of the group",
    100: "PARAM : Missing or invalid parameter",
    101: "PARAM_API_KEY : No application key",
    102: "PARAM_SESSION_EXPIRED : Session expired",
    104: "PARAM_SIGNATURE : Invalid signature",
    106: "PARAM_ENTITY_ID : Invalid entity id",
    160: "PARAM_GROUP_ID : Invalid group id",
    300: "NOT_FOUND : Not found",
    403: "AUTH_LOGIN_WEB_HUMAN_CHECK : Human check is needed",
    456: "GROUP_RESTRICTION : The group does not allow this",
    457: "EDIT_DENIED : The comment is not yours",
    700: "COMMENT_NOT_FOUND : Comment not found",
}


class OkError(Exception):
    """A refusal: its number and what follows OK's own words."""

    def __init__(self, code: int, detail: str = "") -> None:
        """Take OK's words for the number."""
        words = TEXTS.get(code, "UNKNOWN")
        self.code = code
        self.text = f"{words}: {detail}" if detail else words
        super().__init__(self.text)

    def body(self) -> dict[str, Any]:
        """The answer."""
        return {"error_code": self.code, "error_msg": self.text, "error_data": None}
