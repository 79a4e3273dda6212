"""What can go wrong on purpose. Each error carries a stable code; the edge turns it into words and a status."""

from __future__ import annotations


class OtklikError(Exception):
    """Base of all expected errors. `code` is stable, `detail` says in English what to do, `params` fill the text."""

    def __init__(self, code: str, detail: str, **params: str | int) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.params = params


class NotFoundError(OtklikError):
    """It does not exist, or the operator may not know that it does."""


class ForbiddenError(OtklikError):
    """The operator sees it but may not do this."""


class InvalidError(OtklikError):
    """The input is wrong; `params["field"]` names where, when one field is to blame."""


class ConflictError(OtklikError):
    """The state has moved on: read again, then decide."""


class UnsupportedError(OtklikError):
    """This installation lacks the part that does it; `detail` says how to get it."""


class SetupError(OtklikError):
    """The machine or the settings are not as needed: one clear line, exit code 1."""
