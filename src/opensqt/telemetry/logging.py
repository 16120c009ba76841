"""Structured logs with every secret removed, for all processes and for the libraries they use."""

from __future__ import annotations

import json
import logging
import os
import re
import sys
import time
from collections.abc import Callable, Mapping, MutableMapping
from contextlib import nullcontext
from datetime import UTC, datetime
from typing import Any

import orjson
import structlog

from opensqt.model.errors import ConfigError

MASK = "***"
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
_secrets: set[str] = set()
_longest_first: tuple[str, ...] = ()
_names: dict[str, str] = {}
"""Names of fields as they were redacted before."""
_NAMES_KEPT = 1_000
_fields: list[Callable[[], Mapping[str, str]]] = []
# Signatures and keys change with each request, so they are found by the name before them, not by value.
_NAMES = r"signature|api[-_]?key|secret|passphrase|token|sign|listenkey"
_HEADERS = r"X-MBX-APIKEY|ACCESS-KEY|ACCESS-SIGN|ACCESS-PASSPHRASE|authorization"
_IS = r"[\"']?\s*[=:]\s*[\"']?"
_PATTERNS = (
    re.compile(rf"((?:{_NAMES}){_IS})[A-Za-z0-9+/_=%.\-]{{6,}}", re.IGNORECASE),
    re.compile(rf"((?:{_HEADERS}){_IS}(?:bearer )?)[^\s\"',;&]+", re.IGNORECASE),
)

_TOKEN = re.compile(r"sqt_[A-Za-z0-9_\-]{6,}")
"""A client's token: the connector keeps no token's value, so it finds one by its prefix."""

_RARE: dict[str, structlog.typing.Processor] = {
    "positional_args": structlog.stdlib.PositionalArgumentsFormatter(),
    "stack_info": structlog.processors.StackInfoRenderer(),
    "exc_info": structlog.processors.format_exc_info,
}
"""What few lines need, by the field that asks for it."""

_HINTS = ("key", "sign", "token", "secret", "passphrase", "authorization")
"""Every name in `_PATTERNS` holds one of these. To look for them costs a tenth of what the patterns cost."""


def register_secrets(*values: str) -> None:
    """Remove these values from every log and error from now on. Values under 4 characters are ignored."""
    global _longest_first
    _secrets.update(value for value in values if len(value) >= 4)
    # A secret inside another one must not leave the rest of the other.
    _longest_first = tuple(sorted(_secrets, key=len, reverse=True))
    _names.clear()


def redact(text: str) -> str:
    """Return *text* with every secret replaced by ***."""
    for secret in _longest_first:
        if secret in text:
            text = text.replace(secret, MASK)
    if "sqt_" in text:
        text = _TOKEN.sub(MASK, text)
    if (":" in text or "=" in text) and _may_name_a_secret(text):
        for pattern in _PATTERNS:
            text = pattern.sub(rf"\g<1>{MASK}", text)
    return text


def redact_value(value: Any) -> Any:
    """Return a value of any type with every secret in it replaced by ***."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, dict):
        return {redact(str(key)): redact_value(below) for key, below in value.items()}
    if isinstance(value, list | tuple):
        return [redact_value(item) for item in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    return redact(str(value))


def add_fields(source: Callable[[], Mapping[str, str]]) -> None:
    """Add the fields that *source* returns to every line from now on."""
    if source not in _fields:
        _fields.append(source)


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """Return the logger of one part, e.g. `connector`."""
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return logger


def configured() -> bool:
    """Return whether `configure` was called: before it, a log line would go to stdout."""
    return structlog.is_configured()


def configure(level: str = "INFO", *, service: str, style: str | None = None) -> None:
    """Set logging up for this process. Logs go to stderr; stdout is for the output of commands.

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
    prepare = [structlog.contextvars.merge_contextvars, *_RARE.values(), _add_fields, _redact_event]
    # What is ours alone needs no redaction.
    origin: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        lambda _logger, _method, event: {"service": service, **event},
    ]
    renderer: structlog.typing.Processor = (
        _render_json
        if style == "json"
        else structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Formatter(renderer, foreign_pre_chain=[*prepare, *origin]))
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, _Line(service), _Writer(handler, renderer)],
        logger_factory=_logger,
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    logging.getLogger().handlers[:] = [handler]
    set_level(level)


def set_level(level: str) -> None:
    """Write lines of this level and above from now on."""
    root = logging.getLogger()
    root.setLevel(level.upper())
    for chatty in ("asyncio", "aiohttp.access", "ccxt", "sqlalchemy.engine", "aiosqlite"):
        logging.getLogger(chatty).setLevel(max(logging.WARNING, root.level))


class _Line:
    """Makes our own lines of what a call says: in one step, for every line passes it.

    It adds the context, the fields of `add_fields`, the service, level, logger and time, and removes secrets.
    """

    def __init__(self, service: str) -> None:
        self._service = service
        self._second = 0
        self._second_text = ""

    def __call__(
        self, logger: logging.Logger, method: str, event: MutableMapping[str, Any]
    ) -> MutableMapping[str, Any]:
        event = structlog.contextvars.merge_contextvars(logger, method, event)
        if not _RARE.keys().isdisjoint(event):
            for step in _RARE.values():
                event = step(logger, method, event)  # type: ignore[assignment]
        event = _redact_event(logger, method, _add_fields(logger, method, event))
        second, microsecond = divmod(time.time_ns() // 1000, 1_000_000)
        if second != self._second:
            self._second_text = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")
            self._second = second
        return {
            "service": self._service,
            **event,
            "level": "error" if method == "exception" else method,
            "logger": logger.name,
            "timestamp": f"{self._second_text}.{microsecond:06d}Z",
        }


class _Writer:
    """Writes our own lines to the one handler, without the record that a chain of handlers needs.

    Where there are other handlers, a test's or an embedding program's, a line takes the standard library's way.
    """

    def __init__(self, handler: logging.StreamHandler[Any], renderer: structlog.typing.Processor) -> None:
        self._handler = handler
        self._renderer = renderer
        self._root = logging.getLogger()

    def __call__(self, logger: logging.Logger, method: str, event: MutableMapping[str, Any]) -> Any:
        """Write the line; return what the logger makes a record of where it can't be written here."""
        handler, handlers = self._handler, self._root.handlers
        if len(handlers) != 1 or handlers[0] is not handler or logger.handlers or not logger.propagate:
            return structlog.stdlib.ProcessorFormatter.wrap_for_formatter(logger, method, event)
        with handler.lock or nullcontext():
            try:
                handler.stream.write(str(self._renderer(logger, method, event)) + "\n")
                handler.stream.flush()
            except Exception:  # noqa: BLE001 - as every handler: a line that can't be written stops nobody
                handler.handleError(logging.makeLogRecord({"name": logger.name, "msg": event}))
        raise structlog.DropEvent


class _Formatter(structlog.stdlib.ProcessorFormatter):
    """Renders our own lines without the copies that a formatter of several handlers needs: here is one."""

    def __init__(
        self, renderer: structlog.typing.Processor, *, foreign_pre_chain: list[structlog.typing.Processor]
    ) -> None:
        super().__init__(foreign_pre_chain=foreign_pre_chain, processors=[self.remove_processors_meta, renderer])
        self._renderer = renderer

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record."""
        if isinstance(record.msg, dict):
            # A copy all the same, for a renderer takes out of it what it has written.
            return str(self._renderer(None, record.levelname.lower(), dict(record.msg)))
        return super().format(record)


class _Logger(logging.Logger):
    """A logger whose lines do not say where in the code they were written, which costs a walk over the stack."""

    def findCaller(  # noqa: N802 - the standard library's name
        self, stack_info: bool = False, stacklevel: int = 1
    ) -> tuple[str, int, str, str | None]:
        """Return what stands for an unknown place."""
        return super().findCaller(stack_info, stacklevel) if stack_info else ("(unknown file)", 0, "", None)


def _logger(*names: str) -> logging.Logger:
    before = logging.getLoggerClass()
    logging.setLoggerClass(_Logger)
    try:
        return logging.getLogger(*names)
    finally:
        logging.setLoggerClass(before)


def _render_json(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> str:
    try:
        return orjson.dumps(event, default=repr, option=orjson.OPT_NON_STR_KEYS).decode()
    except orjson.JSONEncodeError:
        # Integers beyond 64 bits, and text that is no Unicode.
        return json.dumps(event, default=repr)


def _add_fields(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for source in _fields:
        event.update(source())
    return event


def configure_library() -> None:
    """Send log lines to the `logging` of the program that uses this library, unless it uses structlog."""
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
    # All texts at once: where the whole holds no secret, none of them does, and that is nearly every line.
    whole = "\n".join([value for value in event.values() if type(value) is str])
    clean = redact(whole) == whole
    redacted = {}
    for key, value in event.items():
        name = _names.get(key) or _redact_name(key)
        if type(value) is str:
            redacted[name] = value if clean else redact(value)
        else:
            redacted[name] = value if key.startswith("_") else redact_value(value)
    return redacted


def _may_name_a_secret(text: str) -> bool:
    if not text.isascii():
        return True  # the patterns ignore case by rules of their own there
    text = text.lower()
    return any(hint in text for hint in _HINTS)


def _redact_name(name: str) -> str:
    """Return a field's redacted name, and keep it: there are few, and each is on every line of its kind."""
    redacted = redact(name)
    if len(_names) < _NAMES_KEPT:
        _names[name] = redacted
    return redacted
