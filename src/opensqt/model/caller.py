"""On whose behalf the current task asks: set by the connector for each call, read where clients share something."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

OURSELVES = ""
"""The name of nobody: our own upkeep."""

_caller: ContextVar[str] = ContextVar("caller", default=OURSELVES)


def caller() -> str:
    """Answer the client's name; empty for our own upkeep."""
    return _caller.get()


@contextmanager
def on_behalf_of(client: str) -> Iterator[None]:
    """Do what is within for *client*; tasks that are started within inherit it."""
    token = _caller.set(client)
    try:
        yield
    finally:
        _caller.reset(token)
