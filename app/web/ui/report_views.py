"""What sign-in and error pages are given: plain frozen values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True, slots=True)
class SignInForm:
    """The sign-in page. `problem` is a code, `after` the address to go to, `provider` the name of an OIDC provider."""

    after: str = "/"
    login: str = ""
    problem: str = ""
    provider: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class InvitationForm:
    """The page on which a password is chosen. `problem` is a code with its parameters; `gone`: the link is used up.

    `reset`: for somebody who has come in before.
    """

    login: str
    name: str
    least: int
    problem: str = ""
    params: Mapping[str, str | int] = field(default_factory=dict)
    gone: bool = False
    reset: bool = False
    provider: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """An error page: the HTTP status, a code for the words, and where to go back to."""

    status: int
    code: str = ""
    detail: str = ""
    back_to: str = "/"
    reference: str = ""
