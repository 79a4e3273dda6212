"""The numbers of advisory locks: each is held for one thing over all processes, so each stands here, and once."""

from __future__ import annotations

from enum import IntEnum, unique


@unique
class Lock(IntEnum):
    """Any numbers that only we use. 7_305_148_202 is the tests' own."""

    ROLES = 7_305_148_201
    MIGRATION = 7_305_148_203
    REPORTS = 7_305_148_204
    KEEPING = 7_305_148_205
    SEALS = 7_305_148_206
    ANSWER_LIMITS = 7_305_148_207
    NOTICES = 7_305_148_208
