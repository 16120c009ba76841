"""Structured logs with every secret taken out: one place for all processes and for the libraries they use."""

from __future__ import annotations

import logging
import os
import re
import sys
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any

import structlog

from opensqt.model.errors import ConfigError

MASK = "***"
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
_secrets: set[str] = set()
_longest_first: tuple[str, ...] = ()
_fields: list[Callable[[], Mapping[str, str]]] = []
# Signatures and keys are made anew for each request, so they are known by where they stand, not by value.
_NAMES = r"signature|api[-_]?key|secret|passphrase|token|sign|listenkey"
_HEADERS = r"X-MBX-APIKEY|ACCESS-KEY|ACCESS-SIGN|ACCESS-PASSPHRASE|authorization"
_IS = r"[\"']?\s*[=:]\s*[\"']?"
_PATTERNS = (
    re.compile(rf"((?:{_NAMES}){_IS})[A-Za-z0-9+/_=%.\-]{{6,}}", re.IGNORECASE),
    re.compile(rf"((?:{_HEADERS}){_IS}(?:bearer )?)[^\s\"',;&]+", re.IGNORECASE),
)

_TOKEN = re.compile(r"sqt_[A-Za-z0-9_\-]{6,}")
"""A token of ours: the connector keeps no token's value, so it knows one by how it begins."""


def protect(*values: str) -> None:
    """Take these values out of every log and error from now on. Values under 4 characters are ignored."""
    global _longest_first
    _secrets.update(value for value in values if len(value) >= 4)
    # One inside another must not leave the other's rest.
    _longest_first = tuple(sorted(_secrets, key=len, reverse=True))


def redact(text: str) -> str:
    """Answer *text* with every secret replaced by ***."""
    for secret in _longest_first:
        if secret in text:
            text = text.replace(secret, MASK)
    if "sqt_" in text:
        text = _TOKEN.sub(MASK, text)
    if ":" in text or "=" in text:  # no pattern matches without; most of what is logged has neither
        for pattern in _PATTERNS:
            text = pattern.sub(rf"\g<1>{MASK}", text)
    return text


def add_fields(source: Callable[[], Mapping[str, str]]) -> None:
    """Put what *source* answers at the time of a line on every line from now on."""
    if source not in _fields:
        _fields.append(source)


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """Answer the logger of one part, e.g. `connector`."""
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return logger


def configured() -> bool:
    """Say whether `configure` was called: before it, a log line would go to stdout."""
    return structlog.is_configured()


def configure(level: str = "INFO", *, service: str, style: str | None = None) -> None:
    """Set logging up for this process. Logs go to stderr; stdout stays free for what a command answers.

    Args:
        level: DEBUG, INFO, WARNING or ERROR.
        service: The process's name, part of every line.
        style: `console` or `json`; by default LOG_FORMAT, else console on a terminal and json elsewhere.

    Raises:
        ConfigError: There is no such level.
    """
    if level.upper() not in LEVELS:
        raise ConfigError(f"LOG_LEVEL {level!r}: expected {', '.join(LEVELS[:-1])} or {LEVELS[-1]}")
    style = style or os.environ.get("LOG_FORMAT") or ("console" if sys.stderr.isatty() else "json")
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
        lambda _logger, _method, event: {"service": service, **event},
        _add_fields,
        _redact_event,
    ]
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if style == "json"
        else structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
    )
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for chatty in ("asyncio", "aiohttp.access", "ccxt", "sqlalchemy.engine", "aiosqlite"):
        logging.getLogger(chatty).setLevel(max(logging.WARNING, root.level))


def _add_fields(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for source in _fields:
        event.update(source())
    return event


def configure_library() -> None:
    """Hand our lines to the logging of the program that uses us, under `opensqt`, unless it has set structlog up."""
    if structlog.is_configured():
        return
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.contextvars.merge_contextvars,
            structlog.processors.format_exc_info,
            _redact_event,
            _one_line,
        ],
        logger_factory=lambda *names: logging.getLogger(".".join(("opensqt", *names))),
        wrapper_class=structlog.stdlib.BoundLogger,
    )


def _one_line(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> str:
    facts = ", ".join(f"{key}={value}" for key, value in event.items() if key != "event")
    return f"{event.get('event', '')}{f' ({facts})' if facts else ''}"


def _redact_event(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    return {redact(key): value if key.startswith("_") else _redact_value(value) for key, value in event.items()}


def _redact_value(value: Any) -> Any:
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, dict):
        return {redact(str(key)): _redact_value(below) for key, below in value.items()}
    if isinstance(value, list | tuple):
        return [_redact_value(item) for item in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    return redact(str(value))
