"""What the screens of people, tokens and one's own account are given: plain frozen values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from app.people.administration import Person, PersonLine
from app.people.api_tokens import TokenLine
from app.people.second_factor import FactorState
from app.people.sessions import SessionLine
from app.web.ui.views import Choice


@dataclass(frozen=True, kw_only=True, slots=True)
class CodeForm:
    """The second step. `problem`: code, too_many."""

    name: str
    problem: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class SetUpForm:
    """Setting a device up: the picture's address, the same in letters, and the secret sealed. `problem` is a code."""

    picture: str
    key: str
    slip: str
    problem: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class RecoveryCodes:
    """Codes that are shown once, and where to go on to."""

    codes: tuple[str, ...]
    onward: str


@dataclass(frozen=True, kw_only=True, slots=True)
class AccountPage:
    """One's own account. `errors` are sentences by form; `done` says what was done."""

    login: str
    has_password: bool
    least: int
    factor: FactorState
    factor_needed: bool
    sessions: tuple[SessionLine, ...]
    identities: tuple[str, ...]
    errors: Mapping[str, str] = field(default_factory=dict)
    done: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class PeoplePage:
    """People whom the administrator may change, by name; `after` is where the next ones begin."""

    rows: tuple[PersonLine, ...]
    words: str = ""
    after: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class InviteForm:
    """Taking somebody on. `errors` are sentences by field."""

    roles: tuple[Choice, ...]
    places: tuple[Choice, ...]
    values: Mapping[str, str] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class PersonPage:
    """One person. `self`: who looks is who is shown; `link`: a link that was just made, told once; `done` as above."""

    person: Person
    sessions: tuple[SessionLine, ...]
    roles: tuple[Choice, ...]
    places: tuple[Choice, ...]
    self: bool
    link: str = ""
    link_kind: str = ""
    link_until: datetime | None = None
    done: str = ""
    error: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class TokensPage:
    """API tokens. `secret`: one that was just made, told once."""

    rows: tuple[TokenLine, ...]
    roles: tuple[Choice, ...]
    places: tuple[Choice, ...]
    permissions: tuple[Choice, ...]
    secret: str = ""
    done: str = ""
    values: Mapping[str, str] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)
