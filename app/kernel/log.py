"""Structured logs. Values are escaped by the renderers, so a hostile text cannot forge a line."""

from __future__ import annotations

import logging
import sys
from typing import Any, TextIO, cast

import structlog
from structlog.typing import FilteringBoundLogger

from app.kernel.untold import UNTOLD

logger: FilteringBoundLogger = structlog.get_logger()

# Written once here: everything that must never reach a log, whatever a caller passes.
_SECRET_KEYS = frozenset({"token", "password", "secret", "authorization", "cookie", "access_token"})


def _hide(_logger: object, _name: str, event: dict[str, Any]) -> dict[str, Any]:
    for key in event:
        if key.lower() in _SECRET_KEYS:
            event[key] = "***"
    return event


def _untold(renderer: Any) -> Any:  # noqa: ANN401 - structlog's own shape
    """The line as it is written, without any token that a library or a platform put into it."""
    return lambda logger, name, event: UNTOLD.clean(renderer(logger, name, event))


class _Untold(logging.Formatter):
    """What libraries log, at whatever level somebody lets them."""

    def format(self, record: logging.LogRecord) -> str:
        return UNTOLD.clean(super().format(record))


def _one_line(_logger: object, _name: str, event: dict[str, Any]) -> dict[str, Any]:
    for key, value in event.items():
        if isinstance(value, str) and not value.isprintable() and key != "exception":
            event[key] = value.encode("unicode_escape").decode("ascii")
    return event


class _StandardError:
    """Standard error as it is when a line is written, not as it was when the logs were set up: it may have been replaced since."""

    def write(self, line: str) -> int:
        return sys.stderr.write(line)

    def flush(self) -> None:
        sys.stderr.flush()


def set_up(*, level: str, as_json: bool) -> None:
    """Configure this process's logs, to standard error."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _hide,
        structlog.processors.format_exc_info,
        _one_line,
    ]
    renderer: Any = structlog.processors.JSONRenderer(ensure_ascii=False) if as_json else structlog.dev.ConsoleRenderer(colors=False)
    structlog.configure(
        processors=[*shared, _untold(renderer)],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        logger_factory=structlog.PrintLoggerFactory(cast("TextIO", _StandardError())),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(cast("TextIO", _StandardError()))
    handler.setFormatter(_Untold("%(asctime)s [%(levelname)s] %(name)s: %(message)s"))
    logging.basicConfig(level=max(logging.getLevelNamesMapping()[level], logging.WARNING), handlers=[handler])
