"""How the reads of this package are planned: once per connection, whatever the parameters are.

Row-level security makes planning dear (ten milliseconds for the queue, against two for running it). These statements
follow their indexes whatever is asked, so a plan for any parameters is the right one for all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import text

if TYPE_CHECKING:
    from app.kernel.db import ReadSession

_STEADY = text("SELECT set_config('plan_cache_mode', 'force_generic_plan', true)")
_FREE = text("SELECT set_config('plan_cache_mode', 'auto', true)")


async def plan_once(session: ReadSession) -> None:
    """From here to the end of the transaction, plans are kept."""
    await session.execute(_STEADY)


async def plan_anew(session: ReadSession) -> None:
    """From here on, plans may look at the parameters again: for what is rare and differs much."""
    await session.execute(_FREE)
