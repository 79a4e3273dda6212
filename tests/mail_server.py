"""A small mail server: speaks SMTP, keeps what it took, and can refuse, fall silent or die after the letter was handed in."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import TYPE_CHECKING

from tests.connectors.raw_server import serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@dataclass
class MailServer:
    """`answers`: what it says to RCPT and after DATA, in turn; the last for ever. "silence" says nothing, "hang up" goes away."""

    port: int = 0
    to_rcpt: list[str] = field(default_factory=lambda: ["250 OK"])
    to_data: list[str] = field(default_factory=lambda: ["250 OK"])
    taken: list[bytes] = field(default_factory=list)
    handed_in: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        """As the settings write it."""
        return f"smtp://127.0.0.1:{self.port}"

    def letters(self) -> list[EmailMessage]:
        """All that were handed in, read."""
        return [message_from_bytes(one, policy=policy.default) for one in self.taken]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One session."""
        try:
            await self._say(writer, "220 mail.example")
            while line := (await reader.readline()).decode().strip():
                verb = line.split()[0].upper()
                if verb in {"EHLO", "HELO", "MAIL", "RSET"}:
                    await self._say(writer, "250 OK")
                elif verb == "RCPT":
                    await self._say(writer, self._next(self.to_rcpt))
                elif verb == "DATA":
                    await self._say(writer, "354 Go on")
                    self.taken.append((await reader.readuntil(b"\r\n.\r\n")).removesuffix(b".\r\n").replace(b"\r\n..", b"\r\n."))
                    self.handed_in.set()
                    await self._say(writer, self._next(self.to_data))
                else:
                    await self._say(writer, "221 Bye" if verb == "QUIT" else "502 Unknown")
        except (OSError, asyncio.IncompleteReadError):
            return
        finally:
            writer.close()

    @staticmethod
    def _next(answers: list[str]) -> str:
        return answers.pop(0) if len(answers) > 1 else answers[0]

    @staticmethod
    async def _say(writer: asyncio.StreamWriter, line: str) -> None:
        if line == "silence":
            await asyncio.sleep(3_600)
        if line == "hang up":
            raise OSError
        writer.write(f"{line}\r\n".encode())
        await writer.drain()


@asynccontextmanager
async def mail_server() -> AsyncIterator[MailServer]:
    """On a free loopback port."""
    found = MailServer()
    async with serving(found.serve) as found.port:
        yield found
