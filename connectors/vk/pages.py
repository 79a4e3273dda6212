"""What VK says of many communities in one call, and what the tokens may do on one of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from connectors.contract import ConnectorError, PageSnapshot, Rejected, UnknownPayload
from connectors.pages import AbilityCheck, PageFacts, refused, token_missing
from connectors.payload import OddError, as_int, as_list, as_object, as_text, is_object, maybe_int, maybe_text
from connectors.vk import mentions
from connectors.vk.calls import Call
from connectors.vk.capabilities import ANY, READERS, WRITERS
from connectors.vk.links import Named, named

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from connectors.vk.client import VkClient

PAGES_LIMIT = 500
FIELDS = "members_count,screen_name,wall,verified"
WALL_RIGHT = 8192
"""The bit of `wall` in a mask of rights."""
OPEN_WALLS, CLOSED_WALLS = (1, 2), (0, 3)
"""Of a community's `wall`: off, open, limited (the community posts, people comment), closed."""


async def tell(client: VkClient, names: Sequence[str]) -> Mapping[str, PageFacts | ConnectorError]:
    """Of at most 500 communities, by links, screen names or ids, in one call; VK leaves out those that it does not know."""
    told: dict[str, PageFacts | ConnectorError] = {}
    asked: dict[str, Named] = {}
    searches = {name: search for name in names if (search := mentions.asked(name)) is not None}
    for name in {*names, *(search.name for search in searches.values())} - searches.keys():
        found = named(name)
        if found is None or found.person:
            told[name] = Rejected("not_a_page", f"not the address of a VK community: {name[:200]}")
        else:
            asked[name] = found
    groups = await _groups(client, [_word(one) for one in asked.values()])
    for name, one in asked.items():
        told[name] = groups.get(_word(one)) or Rejected("gone", f"VK shows no community {_word(one)}")
    return {name: _of_search(searches[name], told) if name in searches else told[name] for name in names}


def _of_search(search: mentions.Asked, told: Mapping[str, PageFacts | ConnectorError]) -> PageFacts | ConnectorError:
    """A search is described by the community that it is for."""
    community = told[search.name]
    if isinstance(community, ConnectorError):
        return community
    options = community.options
    found = mentions.snapshot(search, PageSnapshot(external_id=community.external_id, title=community.title, link="", options=options))
    return PageFacts(external_id=found.external_id, title=found.title, link=found.link, elsewhere=True)


def _word(name: Named) -> str:
    return str(name.community) if name.community else (name.screen_name or "").lower()


async def _groups(client: VkClient, words: Sequence[str]) -> dict[str, PageFacts]:
    """By number and by screen name. VK refuses a call of which it knows nobody."""
    if not words:
        return {}
    params: dict[str, str | int] = {"group_ids": ",".join(words), "fields": FIELDS}
    try:
        answer = await client.call(Call(method="groups.getById", params=params, kinds=ANY))
    except Rejected as error:
        if error.code in {"bad_request", "gone"}:
            return {}
        raise
    found: dict[str, PageFacts] = {}
    try:
        rows = as_list(answer.value.get("groups") if is_object(answer.value) else answer.value, "groups")
        for row in rows:
            number, facts = _facts(row)
            found[str(number)] = facts
            found[facts.options["screen_name"].lower()] = facts
    except OddError as odd:
        code = "malformed"
        raise UnknownPayload(code, str(odd), raw=answer.raw) from odd
    return found


def _facts(row: object) -> tuple[int, PageFacts]:
    group = as_object(row, "group")
    number = as_int(group.get("id"), "group.id")
    screen_name = maybe_text(group.get("screen_name")) or f"club{number}"
    wall, verified = maybe_int(group.get("wall")), maybe_int(group.get("verified"))
    return number, PageFacts(
        external_id=str(-number),
        title=as_text(group.get("name"), "group.name"),
        link=f"https://vk.com/{screen_name}",
        members=maybe_int(group.get("members_count")),
        official=None if verified is None else verified == 1,
        comments_open=None if wall not in (*OPEN_WALLS, *CLOSED_WALLS) else wall in OPEN_WALLS,
        options={"screen_name": screen_name} | ({} if wall is None else {"wall": str(wall)}),
    )


async def check(client: VkClient, page: str) -> Sequence[AbilityCheck]:
    """Each ability on a community's wall, with the tokens that there are; nothing is written."""
    try:
        facts = (await tell(client, [page]))[page]
    except ConnectorError as error:
        facts = error
    if isinstance(facts, ConnectorError):
        return [refused("see", facts, ANY), refused("open", facts), await _reads(client, page), await _answers(client, page)]
    state = {True: "yes", False: "no", None: "unclear"}[facts.comments_open]
    code = {True: "", False: "comments_closed", None: "not_told"}[facts.comments_open]
    opened = AbilityCheck(ability="open", state=state, code=code)  # type: ignore[arg-type] # the words above
    return [AbilityCheck(ability="see", state="yes"), await _reads(client, page), await _answers(client, page), opened]


async def _reads(client: VkClient, page: str) -> AbilityCheck:
    if not client.can(READERS, page):
        return token_missing("read", READERS)
    try:
        await client.call(Call(method="wall.get", params={"owner_id": page, "count": 1}, kinds=READERS, page=page))
    except ConnectorError as error:
        return refused("read", error, READERS)
    return AbilityCheck(ability="read", state="yes")


async def _answers(client: VkClient, page: str) -> AbilityCheck:
    """By the rights of the community's key, else of the person whose token it is; those must also run the community."""
    if client.can(("community",), page):
        call = Call(method="groups.getTokenPermissions", params={}, kinds=("community",), page=page)
    elif client.can(("user",), page):
        call = Call(method="account.getAppPermissions", params={}, kinds=("user",), page=page)
    else:
        return token_missing("answer", WRITERS)
    try:
        value = (await client.call(call)).value
    except ConnectorError as error:
        if error.code in {"unsupported", "malformed"}:
            return AbilityCheck(ability="answer", state="unclear", code=error.code, detail=error.detail)
        return refused("answer", error, WRITERS)
    mask = maybe_int(value.get("mask")) if is_object(value) else maybe_int(value)
    if mask is None:
        return AbilityCheck(ability="answer", state="unclear", code="not_told")
    if not mask & WALL_RIGHT:
        return AbilityCheck(ability="answer", state="no", code="wall_right", token_kinds=WRITERS)
    return AbilityCheck(ability="answer", state="yes")
