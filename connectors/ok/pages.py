"""What OK says of many groups in one call, and what the tokens may do on one of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from connectors.contract import ConnectorError, Rejected, UnknownPayload
from connectors.ok import links, mapping
from connectors.ok.capabilities import KINDS
from connectors.pages import AbilityCheck, PageFacts, refused, token_missing
from connectors.payload import OddError, as_list

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from connectors.ok.client import OkClient

PAGES_LIMIT = 100
FIELDS = "uid,name,shortname,members_count"


async def tell(client: OkClient, names: Sequence[str]) -> Mapping[str, PageFacts | ConnectorError]:
    """Of at most 100 groups in one call; short names are asked about one by one first, for OK takes numbers only."""
    told: dict[str, PageFacts | ConnectorError] = {}
    numbers: dict[str, str] = {}
    for name in names:
        try:
            numbers[name] = await _number(client, name)
        except Rejected as error:
            told[name] = error
    if not numbers:
        return told
    answer = await client.read("group.getInfo", {"uids": ",".join(sorted(set(numbers.values()))), "fields": FIELDS}, page=None)
    try:
        groups = [mapping.page_snapshot([row]) for row in as_list(answer.value, "groups")]
    except OddError as odd:
        raise UnknownPayload("malformed", str(odd), raw=answer.raw) from odd
    found = {
        group.external_id: PageFacts(external_id=group.external_id, title=group.title, link=group.link, members=group.members)
        for group in groups
        if group is not None
    }
    for name, number in numbers.items():
        told[name] = found.get(number) or Rejected("gone", f"OK knows no group {number}")
    return told


async def _number(client: OkClient, name: str) -> str:
    found = links.named(name)
    if found is None or found.person:
        raise Rejected("not_a_page", f"not the address of a group on OK: {name[:200]}")
    if found.group is not None:
        return found.group
    answer = await client.read("url.getInfo", {"url": f"{links.SITE}/{found.short_name}"}, page=None)
    try:
        group = mapping.group_behind(answer.value)
    except OddError as odd:
        raise UnknownPayload("malformed", str(odd), raw=answer.raw) from odd
    if group is None:
        raise Rejected("not_a_page", f"{name[:200]} is no group on OK")
    return group


async def check(client: OkClient, page: str) -> Sequence[AbilityCheck]:
    """Reading is tried. Whether OK lets us answer, and whether comments are open, it tells only when it is done."""
    unclear = AbilityCheck(ability="open", state="unclear", code="not_told")
    if not client.tokens(page):
        return [token_missing(ability, KINDS) for ability in ("see", "read", "answer")] + [unclear]
    checks: list[AbilityCheck] = []
    try:
        facts = (await tell(client, [page]))[page]
        checks.append(AbilityCheck(ability="see", state="yes") if isinstance(facts, PageFacts) else refused("see", facts))
    except ConnectorError as error:
        checks.append(refused("see", error, KINDS))
    try:
        await client.read("discussions.getList", {"category": "GROUP", "count": "1"}, page=page)
        checks.append(AbilityCheck(ability="read", state="yes"))
    except ConnectorError as error:
        checks.append(refused("read", error, KINDS))
    return [*checks, AbilityCheck(ability="answer", state="unclear", code="only_by_trying"), unclear]
