"""Connectors as the journeys use them: each call measured, each surprise turned into the retry vocabulary."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

from app.kernel import metrics
from app.kernel.log import logger
from app.kernel.untold import UNTOLD
from connectors.contract import ConnectorError, TryLater, UnknownPayload

if TYPE_CHECKING:
    from collections.abc import Iterator

BUG_PAUSE = timedelta(minutes=1)


@contextmanager
def calling(platform: str, operation: str) -> Iterator[None]:
    """Measure one call. Anything but a ConnectorError is a bug of the connector: said loudly, tried again later."""
    with metrics.CONNECTOR_CALL_SECONDS.time(platform=platform, operation=operation) as outcome:
        try:
            yield
        except ConnectorError as error:
            outcome.set(type(error).__name__)
            _untell(error)
            raise
        except Exception as error:
            outcome.set("bug")
            logger.exception("connector_bug", platform=platform, operation=operation)
            code = "bug"
            raise TryLater(code, UNTOLD.clean(f"{type(error).__name__}: {error}"), after=BUG_PAUSE) from error


def _untell(error: ConnectorError) -> None:
    """What is written down and shown of it holds no token, even if the platform repeated one."""
    error.detail = UNTOLD.clean(error.detail)
    error.args = tuple(UNTOLD.clean(part) if isinstance(part, str) else part for part in error.args)
    if isinstance(error, UnknownPayload):
        error.raw = UNTOLD.clean_bytes(error.raw)
