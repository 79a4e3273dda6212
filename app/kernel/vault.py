"""Secrets at rest: encrypted with keys that the database never sees. Each purpose has keys of its own, made of the same ones."""

from __future__ import annotations

import base64
import os
import secrets
from typing import TYPE_CHECKING

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from app.kernel.errors import SetupError

if TYPE_CHECKING:
    from pathlib import Path

SHORTEST_KEY = 32
KEY_FILE = "secret.key"
PLATFORM_TOKENS = "platform tokens"
SIGN_IN = "sign-in"
WEBHOOKS = "webhooks"
PURPOSES = (PLATFORM_TOKENS, SIGN_IN, WEBHOOKS)


class Vault:
    """Seals and opens secrets. Several keys, by comma, allow a change of key: the first one seals, all open.

    What was sealed for one purpose does not open for another.
    """

    def __init__(self, keys: str, *, purpose: str = PLATFORM_TOKENS) -> None:
        """Raises SetupError when a key is shorter than 32 characters."""
        parts = [part.strip() for part in keys.split(",") if part.strip()]
        if not parts or any(len(part) < SHORTEST_KEY for part in parts):
            raise SetupError(
                "setup.secret_key",
                f"OTKLIK_SECRET_KEY needs at least {SHORTEST_KEY} random characters (openssl rand -base64 32 makes some).",
            )
        self._keys = [Fernet(_derive(part, purpose)) for part in dict.fromkeys(parts)]
        self._fernet = MultiFernet(self._keys)

    def seal(self, secret: str) -> bytes:
        """Encrypt."""
        return self._fernet.encrypt(secret.encode())

    def open(self, sealed: bytes) -> str:
        """Decrypt. Raises SetupError when it was sealed with another key."""
        try:
            return self._fernet.decrypt(sealed).decode()
        except InvalidToken as error:
            raise SetupError(
                "setup.secret_key",
                "The stored secrets were encrypted with another key. Set OTKLIK_SECRET_KEY (or restore secret.key in the data directory).",
            ) from error

    def key_of(self, sealed: bytes) -> int | None:
        """The place of the key that it was sealed with: 0 is the one that seals now, None is none of these."""
        for place, key in enumerate(self._keys):
            try:
                key.decrypt(sealed)
            except InvalidToken:
                continue
            return place
        return None

    def reseal(self, sealed: bytes) -> bytes:
        """The same secret, sealed with the first key. Raises SetupError when no key opens it."""
        return self.seal(self.open(sealed))


def open_vault(given: str | None, data_dir: Path, *, purpose: str = PLATFORM_TOKENS) -> Vault:
    """The vault of the given key, else of the key file in the data directory, made on first use (mode 0600)."""
    if given is not None:
        return Vault(given, purpose=purpose)
    path = data_dir / KEY_FILE
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            _create(path, secrets.token_urlsafe(32))
        return Vault(path.read_text(encoding="ascii").strip(), purpose=purpose)
    except (OSError, UnicodeDecodeError) as error:
        raise SetupError(
            "setup.secret_key", f"The key file {path} cannot be used: {error}. Set OTKLIK_SECRET_KEY or OTKLIK_DATA_DIR."
        ) from error


def add_key(data_dir: Path) -> Path:
    """Put a fresh key before those of the key file: it seals from now on, the others still open. Raises SetupError."""
    path = data_dir / KEY_FILE
    keys = _keys_of(path)
    _replace(path, ",".join([secrets.token_urlsafe(32), *keys]))
    return path


def keep_first_key(data_dir: Path) -> int:
    """Drop all keys but the first from the key file; how many were dropped."""
    path = data_dir / KEY_FILE
    first, *older = _keys_of(path)
    _replace(path, first)
    return len(older)


def _keys_of(path: Path) -> list[str]:
    try:
        return [part.strip() for part in path.read_text(encoding="ascii").split(",") if part.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise SetupError("setup.secret_key", f"The key file {path} cannot be used: {error}.") from error


def _replace(path: Path, keys: str) -> None:
    """The new content whole or the old one whole, whatever ends us in between."""
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    _write(draft, keys)
    draft.replace(path)


def _create(path: Path, key: str) -> None:
    """Write it whole or not at all; of two processes that start at once, one key wins."""
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    _write(draft, key)
    try:
        os.link(draft, path)
    except FileExistsError:
        pass  # somebody else's key is there already: that one counts
    finally:
        draft.unlink()


def _write(path: Path, keys: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(keys)
        file.flush()
        os.fsync(file.fileno())


def _derive(key: str, purpose: str) -> bytes:
    derived = HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=f"otklik: {purpose}".encode()).derive(key.encode())
    return base64.urlsafe_b64encode(derived)
