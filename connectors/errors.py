"""What can go wrong with a platform, as the retry policy's vocabulary: a part of the contract, which offers it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import timedelta


class ConnectorError(Exception):
    """Anything a connector raises on purpose. `code` is a stable word (see connectors/README.md), `detail` for the log.

    `credential_key` names the token that it happened with, where one is to blame. Never a secret in any of them.
    """

    def __init__(self, code: str, detail: str = "", *, credential_key: str | None = None) -> None:
        super().__init__(f"{code}: {detail}" if detail else code)
        self.code = code
        self.detail = detail
        self.credential_key = credential_key


class TryLater(ConnectorError):
    """Not now: a limit, a flood pause, a platform that is down. From `send` it promises that nothing was published.

    `after` says how long to leave it alone, on our clock (a time scale is already taken off). `page_options`: what has become of the
    page's options, so that it will work then.
    """

    def __init__(
        self,
        code: str,
        detail: str = "",
        *,
        after: timedelta,
        credential_key: str | None = None,
        page_options: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(code, detail, credential_key=credential_key)
        self.after = after
        self.page_options = dict(page_options or {})


class PushedInstead(TryLater):
    """The platform does not let itself be read while it pushes: to `address`, of which it may complain.

    `address` is a host, with the path of Otklik's own hooks where it has it: whatever else stands in an address may be a secret.
    """

    def __init__(self, address: str, complaint: str, *, after: timedelta, credential_key: str) -> None:
        super().__init__("webhook", address, after=after, credential_key=credential_key)
        self.address = address
        self.complaint = complaint


class Rejected(ConnectorError):
    """The platform refuses this very request and will refuse it again: a person must change something."""


class AccessLost(ConnectorError):
    """The token or the right is gone (or needs a person: captcha, validation): nothing works until it is mended."""


class OutcomeUnknown(ConnectorError):
    """The request left and no answer came back: it may have been done.

    Only ever raised by what acts: `send`, `edit_answer`, `delete_answer`.
    """


class UnknownPayload(ConnectorError):
    """The platform answered something that the mapping does not know. `raw` is the answer, to be set aside.

    Never raised by what acts: an answer that cannot be read leaves the outcome unknown.
    """

    def __init__(self, code: str, detail: str = "", *, raw: bytes, credential_key: str | None = None) -> None:
        super().__init__(code, detail, credential_key=credential_key)
        self.raw = raw
