"""Reading as somebody: a transaction of the web role in their name, and their reach."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from app.people.queries import access_of_operator

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from app.kernel.db import Database, ReadSession
    from app.people.models import Operator
    from app.people.rules import Access


@asynccontextmanager
async def reading_as(web_db: Database, person: Operator) -> AsyncIterator[tuple[ReadSession, Access]]:
    """A read-only transaction that row-level security binds to this person."""
    async with web_db.read(operator_id=person.id) as session:
        access = await access_of_operator(session, operator_id=person.id)
        assert access is not None
        yield session, access
