"""Tables: staff, what they may do and where, how they come in."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ARRAY, BigInteger, Boolean, CheckConstraint, ForeignKey, Index, LargeBinary, String, UniqueConstraint, text as sql
from sqlalchemy.orm import Mapped, mapped_column

from app.kernel.db import Base, moment, row_id, word
from app.people.rules import Role


class Operator(Base):
    """A staff member, or a service (`is_service`) that comes with a token. `login` is kept in lower case."""

    __tablename__ = "operator"
    __table_args__ = (CheckConstraint("login = lower(login)", name="login_lower"),)

    id: Mapped[int] = row_id()
    login: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str] = word()
    password_hash: Mapped[str | None]
    is_service: Mapped[bool] = mapped_column(Boolean, server_default=sql("false"))
    locale: Mapped[str] = mapped_column(server_default=sql("'ru'"))
    letters: Mapped[bool] = mapped_column(Boolean, server_default=sql("true"))
    created_at: Mapped[datetime] = moment(default_now=True)
    deactivated_at: Mapped[datetime | None] = moment(nullable=True)


class OperatorRole(Base):
    """A (role, scope) row with its period: an agency, a territory, or - both empty - the whole region."""

    __tablename__ = "operator_role"
    __table_args__ = (
        CheckConstraint("agency_id IS NULL OR territory_id IS NULL", name="one_scope"),
        CheckConstraint(f"role IN ({', '.join(repr(role.value) for role in Role)})", name="role"),
        Index("ix_operator_role_operator_id", "operator_id", postgresql_where=sql("until IS NULL")),
    )

    id: Mapped[int] = row_id()
    operator_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("operator.id"))
    role: Mapped[str] = word()
    agency_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("agency.id"))
    territory_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("territory.id"))
    since: Mapped[datetime] = moment(default_now=True)
    until: Mapped[datetime | None] = moment(nullable=True)


class OperatorSession(Base):
    """A browser that is signed in. The cookie's value is never stored, only its SHA-256.

    `second_factor`: whoever came in by it also proved a second factor. `address` is what the limits count, `agent` what
    the browser calls itself: a person knows their own sessions by them.
    """

    __tablename__ = "operator_session"
    __table_args__ = (CheckConstraint("came_by IN ('password', 'link', 'oidc')", name="came_by"),)

    id: Mapped[int] = row_id()
    token_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    operator_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("operator.id"), index=True)
    created_at: Mapped[datetime] = moment(default_now=True)
    seen_at: Mapped[datetime] = moment(default_now=True)
    expires_at: Mapped[datetime] = moment()
    ended_at: Mapped[datetime | None] = moment(nullable=True)
    address: Mapped[str] = mapped_column(server_default=sql("''"))
    agent: Mapped[str] = mapped_column(server_default=sql("''"))
    came_by: Mapped[str] = mapped_column(server_default=sql("'password'"))
    second_factor: Mapped[bool] = mapped_column(Boolean, server_default=sql("false"))


class ApiToken(Base):
    """A bearer token of a service; only its SHA-256 is stored, and its first characters to know it by.

    `permissions` narrow what the service's roles allow; empty means all that a token of these roles may do.
    """

    __tablename__ = "api_token"

    id: Mapped[int] = row_id()
    token_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    operator_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("operator.id"), index=True)
    created_at: Mapped[datetime] = moment(default_now=True)
    expires_at: Mapped[datetime | None] = moment(nullable=True)
    revoked_at: Mapped[datetime | None] = moment(nullable=True)
    hint: Mapped[str] = mapped_column(server_default=sql("''"))
    permissions: Mapped[list[str] | None] = mapped_column(ARRAY(String))
    last_used_at: Mapped[datetime | None] = moment(nullable=True)
    replaced_at: Mapped[datetime | None] = moment(nullable=True)


class Invitation(Base):
    """A link that lets its bearer choose a password, once, until it expires: to come in first, or after forgetting it."""

    __tablename__ = "invitation"
    __table_args__ = (CheckConstraint("kind IN ('invitation', 'reset')", name="kind"),)

    id: Mapped[int] = row_id()
    token_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    operator_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("operator.id"), index=True)
    created_at: Mapped[datetime] = moment(default_now=True)
    expires_at: Mapped[datetime] = moment()
    used_at: Mapped[datetime | None] = moment(nullable=True)
    kind: Mapped[str] = mapped_column(server_default=sql("'invitation'"))


class SecondFactor(Base):
    """The secret of a person's one-time codes, sealed. `last_step` is the newest code's: none is taken twice."""

    __tablename__ = "second_factor"

    operator_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("operator.id"), primary_key=True, autoincrement=False)
    secret: Mapped[bytes] = mapped_column(LargeBinary)
    last_step: Mapped[int] = mapped_column(BigInteger)
    confirmed_at: Mapped[datetime] = moment()


class RecoveryCode(Base):
    """What opens the second step once when the device is lost; only its SHA-256 is stored."""

    __tablename__ = "recovery_code"
    __table_args__ = (UniqueConstraint("operator_id", "code_hash"),)

    id: Mapped[int] = row_id()
    operator_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("operator.id"))
    code_hash: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = moment(default_now=True)
    used_at: Mapped[datetime | None] = moment(nullable=True)


class ExternalIdentity(Base):
    """Who a person is at an OIDC provider. The pair is the provider's; addresses and names there prove nothing."""

    __tablename__ = "external_identity"
    __table_args__ = (UniqueConstraint("issuer", "subject"),)

    id: Mapped[int] = row_id()
    operator_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("operator.id"), index=True)
    issuer: Mapped[str] = word()
    subject: Mapped[str] = word()
    linked_at: Mapped[datetime] = moment(default_now=True)


class SignInAttempt(Base):
    """A failed sign-in, by a password or by a code of the second step: what the limits count."""

    __tablename__ = "sign_in_attempt"
    __table_args__ = (
        CheckConstraint("kind IN ('password', 'code')", name="kind"),
        Index("ix_sign_in_attempt_login_at", "login", "at"),
        Index("ix_sign_in_attempt_address_at", "address", "at"),
    )

    id: Mapped[int] = row_id()
    login: Mapped[str] = word()
    address: Mapped[str] = word()
    at: Mapped[datetime] = moment(default_now=True)
    kind: Mapped[str] = mapped_column(server_default=sql("'password'"))
