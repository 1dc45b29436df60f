"""Structured logs: one JSON object a line, or plain text on a terminal. They never hold what a post says.

structlog would replace the two formatters, and be one more dependency of every server.
"""

from __future__ import annotations

import json
import logging
import sys
import traceback
from datetime import UTC, datetime
from typing import Any

from crossguard.serving.gathering import GatheringHandler

logger = logging.getLogger("crossguard.serving")
_encode = json.JSONEncoder(ensure_ascii=False, default=str).encode


def event(name: str, level: int = logging.INFO, **fields: Any) -> None:
    """Logs an event with its fields."""
    if logger.isEnabledFor(level):
        # Without looking for the line that logs, which no formatter tells and a request would pay for.
        logger.handle(logger.makeRecord(logger.name, level, __file__, 0, name, (), None, extra={"fields": fields}))


def failure(name: str, error: BaseException, **fields: Any) -> None:
    """Logs an unexpected error: its type and where it happened, not its message, which may quote a post."""
    frames = traceback.extract_tb(error.__traceback__)
    where = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
    event(name, logging.ERROR, error=type(error).__name__, where=where, **fields)


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
    """Sends Crossguard's and uvicorn's events to stderr, in place of what was configured before."""
    handler = GatheringHandler(sys.stderr)
    text = style == "text" or (style == "auto" and sys.stderr.isatty())
    handler.setFormatter(TextFormatter() if text else JsonFormatter())
    for name in ("crossguard", "uvicorn"):
        target = logging.getLogger(name)
        target.handlers[:] = [handler]
        target.propagate = False
    logging.getLogger("crossguard").setLevel(level.upper())
    # uvicorn's own information repeats ours; its warnings are news.
    logging.getLogger("uvicorn").setLevel("WARNING")


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
    head = {"time": moment, "level": record.levelname.lower(), "event": record.getMessage()}
    if record.exc_info and record.exc_info[0] is not None:
        head["error"] = record.exc_info[0].__name__
    return {**head, **getattr(record, "fields", {})}
