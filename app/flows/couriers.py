"""The ways out: mail, a bot in Telegram or MAX, a person's own webhook. Each says what is known afterwards, and logs no address."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol

import orjson
from standardwebhooks import Webhook

from app.kernel.mail import MailRefusedError
from app.kernel.outgoing import RefusedError
from app.kernel.untold import UNTOLD
from app.notices.letters import Known, Outcome

if TYPE_CHECKING:
    from app.kernel.mail import Mailer
    from app.kernel.outgoing import Answer, Outgoing
    from app.notices.wording import Wording

TELEGRAM_URL = "https://api.telegram.org"
MAX_URL = "https://platform-api2.max.ru"
_GOOD = range(200, 300)
_BROKEN = range(500, 600)
_TOO_MANY = 429
_NOT_LET_IN = frozenset({401, 404})  # our token is wrong or the address of the API is: an administrator will put it right


@dataclass(frozen=True, kw_only=True, slots=True)
class Parcel:
    """One letter as it goes out. `guid` is the same for every attempt; `secret` signs what goes to a webhook."""

    address: str
    wording: Wording
    guid: str
    at: datetime
    secret: str | None = None


class Courier(Protocol):
    """One way out."""

    async def carry(self, parcel: Parcel) -> Known:
        """Send it once; never raises for what the other side does."""
        ...


class MailCourier:
    """By mail; the guid is the Message-ID."""

    def __init__(self, mailer: Mailer) -> None:
        self._mailer = mailer

    async def carry(self, parcel: Parcel) -> Known:
        """Hand the wording in."""
        wording = parcel.wording
        try:
            await self._mailer.send(to=parcel.address, subject=wording.subject, words=wording.words, guid=parcel.guid, at=parcel.at)
        except MailRefusedError as error:
            outcome = Outcome.UNKNOWN if error.sent else Outcome.REFUSED if error.lasting else Outcome.LATER
            return Known(outcome=outcome, detail=error.detail)
        return Known(outcome=Outcome.DELIVERED)


class TelegramCourier:
    """By a bot. Telegram knows no idempotency key: what may have arrived is not repeated."""

    def __init__(self, outgoing: Outgoing, *, url: str, token: str) -> None:
        self._outgoing = outgoing
        self._url = f"{url.rstrip('/')}/bot{token}/sendMessage"
        UNTOLD.learn(token)

    async def carry(self, parcel: Parcel) -> Known:
        """Write to the chat."""
        body = {"chat_id": int(parcel.address), "text": parcel.wording.words, "link_preview_options": {"is_disabled": True}}
        return await _post(self._outgoing, self._url, body, wait=_telegram_pause)


class MaxCourier:
    """By a bot in MAX: a person is a positive number, a chat of several a negative one."""

    def __init__(self, outgoing: Outgoing, *, url: str, token: str) -> None:
        self._outgoing = outgoing
        self._url = f"{url.rstrip('/')}/messages"
        self._token = token
        UNTOLD.learn(token)

    async def carry(self, parcel: Parcel) -> Known:
        """Write to the person or the chat."""
        to = "chat_id" if parcel.address.startswith("-") else "user_id"
        url = f"{self._url}?{to}={parcel.address}&disable_link_preview=true"
        return await _post(self._outgoing, url, {"text": parcel.wording.words}, headers={"Authorization": self._token})


class HookCourier:
    """To a person's own system, signed by Standard Webhooks. Its id lets them drop a repetition, so a broken answer is repeated."""

    def __init__(self, outgoing: Outgoing) -> None:
        self._outgoing = outgoing

    async def carry(self, parcel: Parcel) -> Known:
        """Tell the same as the wording, for a program."""
        if parcel.secret is None:
            return Known(outcome=Outcome.REFUSED, detail="no secret to sign with")
        code = parcel.wording.items[0].get("code") if parcel.wording.items else None
        data: dict[str, Any] = {"code": code, "secret": parcel.secret} if code else {"notices": list(parcel.wording.items)}
        body = orjson.dumps({"type": "notice.code" if code else "notice", "timestamp": parcel.at.isoformat(), "data": data})
        number = f"msg_{parcel.guid}"
        headers = {
            "webhook-id": number,
            "webhook-timestamp": str(int(parcel.at.timestamp())),
            "webhook-signature": Webhook(parcel.secret).sign(number, parcel.at, body.decode()),
        }
        known = await _post(self._outgoing, parcel.address, body, headers=headers)
        return Known(outcome=Outcome.LATER, detail=known.detail) if known.detail.startswith("5") else known


async def _post(
    outgoing: Outgoing,
    url: str,
    body: object,
    *,
    headers: dict[str, str] | None = None,
    wait: Any = None,  # noqa: ANN401 - a function or none
) -> Known:
    content = body if isinstance(body, bytes) else orjson.dumps(body)
    try:
        answer = await outgoing.call("POST", url, headers={"Content-Type": "application/json", **(headers or {})}, body=content)
    except RefusedError as error:
        if error.code == "redirect":
            return Known(outcome=Outcome.REFUSED, detail=error.code)
        return Known(outcome=Outcome.UNKNOWN if error.sent else Outcome.LATER, detail=error.code)
    if answer.status in _GOOD:
        return Known(outcome=Outcome.DELIVERED)
    if answer.status == _TOO_MANY:
        return Known(outcome=Outcome.LATER, detail="429", after=wait(answer) if wait else timedelta(0))
    if answer.status in _BROKEN:
        return Known(outcome=Outcome.UNKNOWN, detail=str(answer.status))
    return Known(outcome=Outcome.LATER if answer.status in _NOT_LET_IN else Outcome.REFUSED, detail=str(answer.status))


def _telegram_pause(answer: Answer) -> timedelta:
    """As its answer asks, within a day; nothing when it does not say."""
    try:
        seconds = orjson.loads(answer.body)["parameters"]["retry_after"]
        return timedelta(seconds=min(max(float(seconds), 0), 86_400))
    except (ValueError, KeyError, TypeError):
        return timedelta(0)
