"""VK's API as a whole: which token may call what, how often, and what `execute` does with it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from connectors.sandbox.calls import Calls
from connectors.sandbox.faults import REFUSALS, Fault, Faults
from connectors.sandbox.limits import Window
from connectors.sandbox.model import Token
from connectors.sandbox.readings import Visit
from connectors.sandbox.vk import galleries, newsfeed, reading, rights, uploads, writing
from connectors.sandbox.vk.context import Call
from connectors.sandbox.vk.errors import VkError
from connectors.sandbox.vk.events import VkEvents
from connectors.sandbox.vk.machine import Machine
from connectors.sandbox.vk.params import Params
from connectors.sandbox.wire import utf8_json
from connectors.sandbox.world import World

_ANY = frozenset({"user", "service", "community"})
_READERS = frozenset({"user", "service"})
_WRITERS = frozenset({"user", "community"})
_USER = frozenset({"user"})
_OLDEST = (5, 0)


@dataclass(frozen=True, slots=True)
class Method:
    """One method: what it does and which kinds of token may call it."""

    act: Callable[[Call], Any]
    kinds: frozenset[str]


METHODS: dict[str, Method] = {
    "users.get": Method(reading.users_get, _ANY),
    "groups.getById": Method(reading.groups_get_by_id, _ANY),
    "groups.getLongPollServer": Method(reading.long_poll_server, _WRITERS),
    "groups.getTokenPermissions": Method(rights.of_community_key, frozenset({"community"})),
    "account.getAppPermissions": Method(rights.of_person, _USER),
    "newsfeed.search": Method(newsfeed.search, _READERS),
    "newsfeed.getMentions": Method(newsfeed.mentions, _USER),
    "photos.getById": Method(galleries.photos_get_by_id, _READERS),
    "photos.getAllComments": Method(galleries.photos_all_comments, _USER),
    "photos.getComments": Method(galleries.photos_get_comments, _USER),
    "photos.getWallUploadServer": Method(uploads.wall_upload_server, _USER),
    "photos.saveWallPhoto": Method(uploads.save_wall_photo, _USER),
    "photos.createComment": Method(writing.beside("photo"), _USER),
    "video.get": Method(galleries.video_get, _USER),
    "video.getComments": Method(galleries.video_get_comments, _USER),
    "video.createComment": Method(writing.beside("video"), _USER),
    "board.getTopics": Method(galleries.board_get_topics, _READERS),
    "board.getComments": Method(galleries.board_get_comments, _READERS),
    "board.createComment": Method(writing.beside("topic"), _USER),
    "utils.resolveScreenName": Method(reading.resolve_screen_name, _ANY),
    "wall.get": Method(reading.wall_get, _READERS),
    "wall.getById": Method(reading.wall_get_by_id, _READERS),
    "wall.getComments": Method(reading.wall_get_comments, _READERS),
    "wall.getComment": Method(reading.wall_get_comment, _USER),
    "wall.createComment": Method(writing.create_comment, _WRITERS),
    "wall.editComment": Method(writing.edit_comment, _USER),
    "wall.deleteComment": Method(writing.delete_comment, _USER),
    "wall.restoreComment": Method(writing.restore_comment, _USER),
    "wall.openComments": Method(writing.comments_switch(is_open=True), _WRITERS),
    "wall.closeComments": Method(writing.comments_switch(is_open=False), _WRITERS),
}
_QUOTAS = {"wall.get": "vk_wall_get_per_day", "newsfeed.search": "vk_search_per_day"}
_KIND_ERRORS = {"community": 27, "service": 28, "user": 15}


class VkApi:
    """Answers calls: the token first, then its rate, then the method's own rules."""

    def __init__(self, *, world: World, faults: Faults, calls: Calls, events: VkEvents) -> None:
        """Begin with all windows empty: quotas are counted since the sandbox started."""
        self._world = world
        self._faults = faults
        self._calls = calls
        self.events = events
        self._rates: dict[str, Window] = {}
        self._quotas: dict[tuple[str, str], Window] = {}

    def brought(self, group: int, content: bytes) -> dict[str, Any]:
        """What the upload server says of a file."""
        self._calls.add("vk", "upload", None, "ok")
        return uploads.brought(self._world, group, content)

    def token_label(self, params: dict[str, str]) -> str | None:
        """The label of the caller's token, None for a stranger's."""
        token = self._world.state.tokens.get(("vk", params.get("access_token", "")))
        return token.label if token else None

    def answer(self, method: str, values: dict[str, str], *, base: str, fault: Fault | None, visit: Visit) -> dict[str, Any]:
        """What VK answers: `response`, or `error` with its code; never raises for what a caller did."""
        label = self.token_label(values)
        try:
            call = self._open(values, base, visit)
            if fault is not None and fault.kind in REFUSALS:
                raise refusal(fault, base)
            answer = self._execute(call) if method == "execute" else {"response": self._invoke(method, call)}
        except VkError as error:
            self._calls.add("vk", method, label, str(error.code))
            return error.body(values, method)
        self._calls.add("vk", method, label, "ok")
        return answer

    def _open(self, values: dict[str, str], base: str, visit: Visit) -> Call:
        token = self._world.state.tokens.get(("vk", values.get("access_token", "")))
        if token is None:
            raise VkError(5)
        version = _version(values.get("v", ""))
        if version is None:
            raise VkError(8)
        self._pace(token)
        return Call(world=self._world, token=token, params=Params(values), base=base, version=version, events=self.events, visit=visit)

    def _pace(self, token: Token) -> None:
        limits, now = self._world.limits, self._world.clock.monotonic()
        limit = limits.vk_per_second(token.kind)
        self._calls.rate("vk", token.label, "second", limit=limit, seconds=limits.second, now=now)
        window = self._rates.setdefault(token.token, Window(limit, limits.second))
        if window.wait(now) > 0:
            raise VkError(6)
        window.add(now)

    def _invoke(self, name: str, call: Call) -> Any:
        method = METHODS.get(name)
        if method is None:
            raise VkError(3)
        if call.token.kind not in method.kinds:
            raise VkError(_KIND_ERRORS[call.token.kind])
        if name in _QUOTAS:
            self._spend(call.token, name)
        call.visit.reads("vk", name, call.params.values)
        return method.act(call)

    def _spend(self, token: Token, name: str) -> None:
        limits, now = self._world.limits, self._world.clock.monotonic()
        quota: int = getattr(limits, _QUOTAS[name])
        self._calls.rate("vk", token.label, f"{name} a day", limit=quota, seconds=limits.day, now=now)
        window = self._quotas.setdefault((token.token, name), Window(quota, limits.day))
        if window.wait(now) > 0:
            raise VkError(29)
        window.add(now)

    def _execute(self, call: Call) -> dict[str, Any]:
        if call.token.kind not in _WRITERS:
            raise VkError(_KIND_ERRORS[call.token.kind])
        if not call.params.text("code"):
            raise VkError(100, "code is undefined")
        errors: list[dict[str, Any]] = []
        made = 0

        def api(name: str, values: dict[str, Any]) -> Any:
            nonlocal made
            made += 1
            if made > self._world.limits.vk_execute_calls:
                raise VkError(13, "too many API calls")
            return self._inner(name, values, call, errors)

        machine = Machine(api, call.params.values, self._world.limits.vk_execute_operations)
        answer: dict[str, Any] = {"response": machine.run(call.params.text("code"))}
        if errors:
            answer["execute_errors"] = errors
        try:
            size = len(utf8_json(answer))
        except (ValueError, RecursionError) as error:  # a script can put a list into itself
            raise VkError(13, "response is not a tree") from error
        if size > self._world.limits.vk_execute_bytes:
            raise VkError(13, "response size is too big")
        return answer

    def _inner(self, name: str, values: dict[str, Any], outer: Call, errors: list[dict[str, Any]]) -> Any:
        params = Params.from_script(values)
        version = _version(params.text("v")) or outer.version
        call = replace(outer, params=params, version=version)
        label = outer.token.label
        try:
            fault = self._faults.take("vk", name, label, inner=True)
            if fault is not None:
                raise refusal(fault, outer.base)
            value = self._invoke(name, call)
        except VkError as error:
            self._calls.add("vk", name, label, str(error.code), inner=True)
            errors.append({"method": name, "error_code": error.code, "error_msg": error.text})
            return False
        self._calls.add("vk", name, label, "ok", inner=True)
        return value


def refusal(fault: Fault, base: str) -> VkError:
    """The error that a fault asks for."""
    if fault.kind == "captcha":
        return VkError(
            14,
            captcha_sid="239633676097",
            captcha_img=f"{base}/pictures/captcha.png",
            redirect_uri=f"{base}/captcha?sid=239633676097",
        )
    code = {"flood": fault.code or 9, "revoked": 5}.get(fault.kind, fault.code or 10)
    return VkError(code) if fault.text is None else VkError.said(code, fault.text)


def _version(text: str) -> tuple[int, int] | None:
    major, _, minor = text.partition(".")
    if not (major.isdecimal() and (minor or "0").isdecimal() and len(text) < 10):  # noqa: PLR2004 - longer is no version
        return None
    version = (int(major), int(minor or "0"))
    return version if version >= _OLDEST else None
