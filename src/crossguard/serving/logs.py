"""Structured logs: one JSON object a line, or plain text on a terminal. They never hold what a post says.

structlog would replace the two formatters, and be one more dependency of every server.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import traceback
import warnings
from datetime import UTC, datetime
from typing import Any, Final

from crossguard.serving.gathering import GatheringHandler

logger = logging.getLogger("crossguard.serving")
_KNOWN: Final = ("crossguard", "uvicorn")
"""Libraries whose messages quote nothing of a post; those of others, such as asyncio, may."""
_encode = json.JSONEncoder(ensure_ascii=False, default=str).encode


def event(name: str, level: int = logging.INFO, **fields: Any) -> None:
    """Logs an event with its fields."""
    if logger.isEnabledFor(level):
        # Without looking for the line that logs, which no formatter tells and a request would pay for.
        logger.handle(logger.makeRecord(logger.name, level, __file__, 0, name, (), None, extra={"fields": fields}))


def failure(name: str, error: BaseException, **fields: Any) -> None:
    """Logs an unexpected error: its type and where it happened, not its message, which may quote a post."""
    event(name, logging.ERROR, error=type(error).__name__, where=_where(error), **fields)


class JsonFormatter(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """Returns the line of a record."""
        return _encode(_fields(record))


class TextFormatter(logging.Formatter):
    """`time level event key=value`, for eyes."""

    def format(self, record: logging.LogRecord) -> str:
        """Returns the line of a record."""
        fields = _fields(record)
        head = f"{fields.pop('time')} {fields.pop('level'):<7} {fields.pop('event')}"
        return " ".join([head, *(f"{name}={value}" for name, value in fields.items())])


def configure(level: str, style: str) -> None:
    """Sends events, and the warnings of libraries, to stderr, in place of what was configured before."""
    handler = GatheringHandler(sys.stderr)
    text = style == "text" or (style == "auto" and sys.stderr.isatty())
    handler.setFormatter(TextFormatter() if text else JsonFormatter())
    logging.getLogger().handlers[:] = [handler]
    for name in _KNOWN:
        target = logging.getLogger(name)
        target.handlers[:] = [handler]
        target.propagate = False
    warnings.showwarning = _warned  # type: ignore[assignment]  # called without names
    logging.getLogger("crossguard").setLevel(level.upper())
    # uvicorn's own information repeats ours; its warnings are news.
    logging.getLogger("uvicorn").setLevel("WARNING")


def _warned(_: Warning | str, category: type[Warning], filename: str, lineno: int, *__: Any) -> None:
    event("warning", logging.WARNING, warning=category.__name__, where=f"{filename}:{lineno}")


def _where(error: BaseException) -> list[str]:
    frames = traceback.extract_tb(error.__traceback__)
    return [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
    known = record.name.partition(".")[0] in _KNOWN
    head = {"time": moment, "level": record.levelname.lower(), "event": record.getMessage() if known else record.name}
    error = record.exc_info[1] if record.exc_info else None
    if error is not None:
        head["error"] = type(error).__name__
        # The others have names that tell, or numbers of their own; that of a library may be a text.
        if type(error) is OSError and error.errno and isinstance(error.errno, int):
            head["reason"] = os.strerror(error.errno)
    where = {} if known else {"where": _where(error) if error else f"{record.filename}:{record.lineno}"}
    return {**head, **where, **getattr(record, "fields", {})}
