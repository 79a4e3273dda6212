"""Platform tokens in the database: sealed by the vault, opened only to build connectors."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import text

from app.audit.service import record
from app.kernel.errors import InvalidError
from app.kernel.untold import UNTOLD
from connectors.contract import Credential

if TYPE_CHECKING:
    from app.kernel.db import ReadSession, WriteSession
    from app.kernel.vault import Vault
    from connectors.contract import Plugin


@dataclass(frozen=True, kw_only=True, slots=True)
class CredentialLine:
    """A credential in a list: never the secret."""

    id: int
    platform: str
    kind: str
    page: str | None
    created_at: datetime


def clean_token(secret: str) -> str:
    """A token without the blanks around it. Raises InvalidError when there is none, or it holds what no token does."""
    secret = secret.strip()
    if not secret or not secret.isprintable():
        raise InvalidError("credential.secret", "The token is empty or holds characters that no token has.", field="token")
    UNTOLD.learn(secret)
    return secret


async def add_credential(
    session: WriteSession, vault: Vault, plugin: Plugin, *, kind: str, secret: str, page_id: int | None, now: datetime
) -> int:
    """Seal and store a token. Raises InvalidError for a kind that the platform does not have or an empty token."""
    if kind not in plugin.credential_kinds:
        kinds = ", ".join(plugin.credential_kinds)
        raise InvalidError("credential.kind", f"{plugin.title} has tokens of the kinds {kinds}, not {kind!r}.", field="kind")
    secret = clean_token(secret)
    credential_id: int = (
        await session.execute(
            text(
                "INSERT INTO credential (platform, kind, page_id, secret, created_at) "
                "VALUES (:platform, :kind, :page_id, :secret, :now) RETURNING id"
            ),
            {"platform": plugin.platform, "kind": kind, "page_id": page_id, "secret": vault.seal(secret), "now": now},
        )
    ).scalar_one()
    await record(
        session,
        operator_id=None,
        act="add",
        subject="credential",
        subject_id=credential_id,
        data={"platform": plugin.platform, "kind": kind},
    )
    return credential_id


async def revoke_credential(session: WriteSession, *, credential_id: int, now: datetime) -> bool:
    """Stop using a token; False when there is none in use with this id."""
    done = await session.execute(
        text("UPDATE credential SET revoked_at = :now WHERE id = :id AND revoked_at IS NULL RETURNING id"),
        {"id": credential_id, "now": now},
    )
    if done.one_or_none() is None:
        return False
    await record(session, operator_id=None, act="revoke", subject="credential", subject_id=credential_id)
    return True


async def list_credentials(session: ReadSession) -> list[CredentialLine]:
    """Those in use."""
    rows = await session.execute(
        text(
            "SELECT c.id, c.platform, c.kind, p.title AS page, c.created_at FROM credential c LEFT JOIN page p ON p.id = c.page_id "
            "WHERE c.revoked_at IS NULL ORDER BY c.platform, c.kind, c.id"
        )
    )
    return [CredentialLine(**row._mapping) for row in rows]  # noqa: SLF001 - SQLAlchemy's documented name


async def credentials_mark(session: ReadSession) -> str:
    """Changes with the tokens in use: added, replaced, revoked or sealed anew."""
    found: str | None = await session.scalar(
        text("SELECT md5(string_agg(id || ':' || md5(secret), ',' ORDER BY id)) FROM credential WHERE revoked_at IS NULL")
    )
    return found or ""


async def open_credentials(session: ReadSession, vault: Vault) -> dict[str, tuple[Credential, ...]]:
    """The tokens in use by platform, opened. Raises SetupError when the key is another one."""
    rows = await session.execute(
        text(
            "SELECT c.id, c.platform, c.kind, c.secret, p.external_id FROM credential c LEFT JOIN page p ON p.id = c.page_id "
            "WHERE c.revoked_at IS NULL ORDER BY c.id"
        )
    )
    opened: dict[str, list[Credential]] = {}
    for row in rows:
        credential = Credential(key=str(row.id), kind=row.kind, secret=vault.open(row.secret), page_external_id=row.external_id)
        UNTOLD.learn(credential.secret)
        opened.setdefault(row.platform, []).append(credential)
    return {platform: tuple(credentials) for platform, credentials in opened.items()}
