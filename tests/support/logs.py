"""The set-up of logging, which is the process's and so outlives a test that changes it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import structlog


def never_cache_loggers() -> None:
    """Let every line ask for the set-up anew, for the rest of this process.

    Our programs set logging up once and keep each logger at its first line. In a test run such a logger would keep the
    processors of the test that used it first, and no test after it could capture its lines.
    """
    configure = structlog.configure

    def configure_uncached(*arguments: Any, **settings: Any) -> None:
        configure(*arguments, **(settings | {"cache_logger_on_first_use": False}))

    structlog.configure = configure_uncached


@contextmanager
def logging_restored() -> Iterator[None]:
    """Put back what the block changes: structlog's set-up, and the root logger's handlers and level."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    was_configured, settings = structlog.is_configured(), structlog.get_config()
    try:
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
        if was_configured:
            structlog.configure(**settings)
        elif structlog.is_configured():
            structlog.reset_defaults()
