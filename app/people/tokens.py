"""Secrets that are handed out once. Only their SHA-256 is stored: 256 random bits need no slower hash."""

from __future__ import annotations

import hashlib
import secrets

API_TOKEN_PREFIX = "otk_"  # noqa: S105 - a mark that scanners of leaked secrets can look for, not a secret
_LONGEST = 200


def new_token(prefix: str = "") -> tuple[str, bytes]:
    """A fresh token and the hash to store."""
    token = prefix + secrets.token_urlsafe(32)
    return token, token_hash(token)


def token_hash(token: str) -> bytes:
    """What is stored and looked up; anything that came over the wire may be passed in."""
    return hashlib.sha256(token[:_LONGEST].encode("utf-8", "surrogatepass")).digest()
