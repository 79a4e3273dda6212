"""A platform's token is replaced by a new one only after the platform has let the new one do what the old one may.

No transaction is open while the platform is asked. The row stays: its number is what pages and cursors know the token by.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sqlalchemy import text

from app.audit.service import record
from app.exchange.credentials import clean_token
from app.kernel.errors import ConflictError, InvalidError, NotFoundError
from app.kernel.untold import UNTOLD
from connectors.contract import ConnectorError, Credential, Options, PageRef
from connectors.pages import ChecksAbilities

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.kernel.db import ReadSession, WriteSession
    from app.kernel.vault import Vault
    from connectors.contract import Connector, Plugin

MOST_PAGES = 5
"""So many pages is a token that serves several tried on."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Page:
    """A page to try a token on."""

    link: str
    ref: PageRef | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class OldToken:
    """The token that is to be replaced. `sealed` as it was read: whoever replaces it meanwhile is noticed."""

    id: int
    platform: str
    credential: Credential
    sealed: bytes = field(repr=False)
    pages: tuple[Page, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Trial:
    """How a platform is asked with one token alone."""

    plugin: Plugin
    api_url: str | None
    time_scale: float = 1.0

    def connector(self, credential: Credential) -> Connector:
        """A connector that holds this token and no other."""
        return self.plugin.build(Options(api_url=self.api_url, credentials=(credential,), time_scale=self.time_scale))


async def find_credential(session: ReadSession, vault: Vault, *, credential_id: int, check_on: str | None) -> OldToken:
    """A token in use and the pages to try another one on. Raises NotFoundError."""
    row = (await session.execute(_FIND, {"id": credential_id})).one_or_none()
    if row is None:
        raise NotFoundError("credential.unknown", f"No token {credential_id} is in use. See: otklik credentials list")
    pages: tuple[Page, ...] = (Page(link=check_on or ""),)
    if check_on is None:
        found = await session.execute(_PAGES, {"platform": row.platform, "page": row.page_id, "key": str(row.id), "most": MOST_PAGES})
        pages = tuple(Page(link=one.link, ref=PageRef(external_id=one.external_id, options=one.options)) for one in found)
    credential = Credential(key=str(row.id), kind=row.kind, secret=vault.open(row.secret), page_external_id=row.external_id)
    UNTOLD.learn(credential.secret)
    return OldToken(id=row.id, platform=row.platform, credential=credential, sealed=row.secret, pages=pages)


async def check_token(trial: Trial, old: OldToken, *, secret: str) -> str:
    """Ask the platform with the new token alone; what it may do, in words. Raises InvalidError when that is less than the old one may.

    An old token that is dead already sets no measure: then the new one must be good for something.
    """
    if not old.pages:
        raise InvalidError("credential.untried", f"No {old.platform} page is watched to try the token on. Name one: --check-on LINK")
    new = Credential(
        key=old.credential.key, kind=old.credential.kind, secret=clean_token(secret), page_external_id=old.credential.page_external_id
    )
    may, refusals = await _tried(trial, new, old.pages)
    could, _ = await _tried(trial, old.credential, old.pages)
    less = sorted(could - may)
    if less or not may:
        lost = ", ".join(f"{ability} on {link}" for ability, link in less) or "anything at all"
        why = ", ".join(dict.fromkeys(refusals)) or "less than the old one"
        raise InvalidError(
            "credential.refused", f"The old token stays: the platform does not let the new one {lost} ({why}).", field="token"
        )
    return f"{trial.plugin.title} lets it {', '.join(sorted({ability for ability, _ in may}))}"


async def replace_credential(session: WriteSession, vault: Vault, plugin: Plugin, old: OldToken, *, secret: str) -> int:
    """Seal the new token in the place of the old one. Raises ConflictError when somebody else has changed it meanwhile."""
    done = await session.execute(_REPLACE, {"id": old.id, "sealed": old.sealed, "secret": vault.seal(clean_token(secret))})
    if done.one_or_none() is None:
        raise ConflictError("credential.changed", f"Token {old.id} was changed or revoked meanwhile. See: otklik credentials list")
    data = {"platform": plugin.platform, "kind": old.credential.kind}
    await record(session, operator_id=None, act="replace", subject="credential", subject_id=old.id, data=data)
    return old.id


async def _tried(trial: Trial, credential: Credential, pages: Sequence[Page]) -> tuple[set[tuple[str, str]], list[str]]:
    """What the token may do on which page, and why not; the secret stands in none of it."""
    connector = trial.connector(credential)
    may: set[tuple[str, str]] = set()
    refusals: list[str] = []
    try:
        for page in pages:
            try:
                ref = page.ref
                if ref is None or not isinstance(connector, ChecksAbilities):
                    told = await connector.describe_page(page.link)
                    may.add(("see", page.link))
                    ref = PageRef(external_id=told.external_id, options=told.options)
                if isinstance(connector, ChecksAbilities):
                    for check in await connector.check_page(ref.external_id, page_options=ref.options):
                        if check.state == "yes":
                            may.add((check.ability, page.link))
                        elif check.code:
                            refusals.append(check.code)
            except ConnectorError as error:
                refusals.append(error.code)
    finally:
        await connector.close()
    return may, refusals


_FIND = text(
    "SELECT c.id, c.platform, c.kind, c.secret, c.page_id, p.external_id FROM credential c LEFT JOIN page p ON p.id = c.page_id "
    "WHERE c.id = :id AND c.revoked_at IS NULL"
)
# Its own page, else those that the token was seen to carry, else any of the platform.
_PAGES = text(
    "SELECT link, external_id, options FROM page WHERE platform = :platform AND active AND id = coalesce(CAST(:page AS bigint), id) "
    "ORDER BY NOT EXISTS (SELECT FROM jsonb_each_text(options) o WHERE o.value = CAST(:key AS text)), id LIMIT :most"
)
_REPLACE = text("UPDATE credential SET secret = :secret WHERE id = :id AND secret = :sealed AND revoked_at IS NULL RETURNING id")
