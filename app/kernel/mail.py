"""One letter to one address through the mail server of the settings, and what is known of it afterwards."""

from __future__ import annotations

import asyncio
import smtplib
import ssl
from dataclasses import dataclass, field
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from app.kernel.outgoing import loopback

if TYPE_CHECKING:
    from datetime import datetime

_PORTS = {"smtp": 587, "smtps": 465}
_GO_AHEAD, _TAKEN, _LASTING = 354, 250, 500


class MailRefusedError(Exception):
    """The server did not take it. `lasting`: it will not take it later either; `sent`: it may have taken it all the same."""

    def __init__(self, detail: str, *, lasting: bool = False, sent: bool = False) -> None:
        super().__init__(detail)
        self.detail = detail
        self.lasting = lasting
        self.sent = sent


@dataclass(frozen=True, kw_only=True, slots=True)
class MailServer:
    """Where letters are handed in. `secure`: "tls" from the start, "starttls", or "plain" (this machine only)."""

    host: str
    port: int
    secure: str
    sender: str
    login: str = ""
    password: str = field(default="", repr=False)


def parse_mail_server(url: str, sender: str) -> MailServer:
    """smtp://user:password@host:587 (STARTTLS; plain only to this machine) or smtps://…:465. ValueError for anything else."""
    try:
        parts = urlsplit(url)
        port = parts.port or _PORTS[parts.scheme]
    except (ValueError, KeyError):
        raise ValueError("write smtp://user:password@host:587 or smtps://login:password@host:465") from None
    if not parts.hostname or parts.path.strip("/") or parts.query or parts.fragment:
        raise ValueError("write smtp://user:password@host:587 or smtps://login:password@host:465")
    if not mail_address(sender):
        raise ValueError("the sender is no mail address")
    here = parts.hostname == "localhost" or loopback(parts.hostname)
    return MailServer(
        host=parts.hostname,
        port=port,
        secure="tls" if parts.scheme == "smtps" else "plain" if here else "starttls",
        sender=sender,
        login=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
    )


def mail_address(words: str) -> str:
    """The address as servers write it, "" when it is none: one address alone, without a name beside it."""
    local, _, domain = words.strip().rpartition("@")
    try:
        Address(username=local, domain=domain.encode("idna").decode("ascii"))
        plain = f"{local}@{domain.encode('idna').decode('ascii')}"
    except (ValueError, UnicodeError, IndexError):
        return ""
    good = bool(local) and local.isascii() and plain.isprintable() and not set(plain) & set(' <>()[],;:\\"') and "." in domain.strip(".")
    return plain if good and len(plain) <= 254 else ""  # noqa: PLR2004 - the longest that mail servers take


class Mailer:
    """Hands letters in, each in a thread of its own, with a time-out on every step."""

    def __init__(self, server: MailServer, *, seconds: float = 15) -> None:
        self._server = server
        self._seconds = seconds

    async def send(self, *, to: str, subject: str, words: str, guid: str, at: datetime) -> None:
        """Hand one letter in. `guid` makes its Message-ID: the same for every attempt. MailRefusedError says what went wrong."""
        letter = EmailMessage(policy=SMTP)
        letter["From"] = self._server.sender
        letter["To"] = to
        letter["Subject"] = subject
        letter["Date"] = format_datetime(at)
        letter["Message-ID"] = f"<{guid}@{self._server.sender.rpartition('@')[2]}>"
        letter["Auto-Submitted"] = "auto-generated"
        letter.set_content(words)
        await asyncio.to_thread(self._hand_in, to, letter.as_bytes())

    def _hand_in(self, to: str, letter: bytes) -> None:
        handed = False
        try:
            with self._connected() as smtp:
                self._take(smtp.mail(self._server.sender))
                self._take(smtp.rcpt(to))
                self._take(smtp.docmd("DATA"), _GO_AHEAD)
                handed = True  # from here on the server may have it, whatever we hear
                # As RFC 5321 says: a line that begins with a dot gets another one.
                smtp.send(letter.rstrip(b"\r\n").replace(b"\r\n.", b"\r\n..") + b"\r\n.\r\n")
                answer = smtp.getreply()
                handed = False
                self._take(answer)
        except (OSError, smtplib.SMTPException) as error:  # an SMTPException is an OSError; both are said for the reader
            raise MailRefusedError(_told(error), lasting=isinstance(error, smtplib.SMTPAuthenticationError), sent=handed) from None

    def _connected(self) -> smtplib.SMTP:
        """A session that may send. Certificates are checked; a server that offers no STARTTLS gets no password and no letter."""
        server, context = self._server, ssl.create_default_context()
        if server.secure == "tls":
            smtp: smtplib.SMTP = smtplib.SMTP_SSL(server.host, server.port, timeout=self._seconds, context=context)
        else:
            smtp = smtplib.SMTP(server.host, server.port, timeout=self._seconds)
        try:
            if server.secure == "starttls":
                smtp.starttls(context=context)
            smtp.ehlo_or_helo_if_needed()
            if server.login:
                smtp.login(server.login, server.password)
        except BaseException:
            smtp.close()
            raise
        return smtp

    @staticmethod
    def _take(answer: tuple[int, bytes], expected: int = _TAKEN) -> None:
        code, words = answer
        if code != expected:
            raise MailRefusedError(f"{code} {words.decode('utf-8', 'replace')[:200]}", lasting=code >= _LASTING)


def _told(error: Exception) -> str:
    """What went wrong, without what we sent: a server's answer may repeat a password."""
    code = getattr(error, "smtp_code", None)
    return f"{type(error).__name__}{'' if code is None else f' {code}'}"
