"""The client that the current task acts for: set by the connector for each call, read where clients share a limit."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

INTERNAL = ""
"""Client name of requests that OpenSQT makes for itself."""

_client: ContextVar[str] = ContextVar("caller", default=INTERNAL)


def current_client() -> str:
    """Return the name of the client that the current task acts for; `INTERNAL` when there is none."""
    return _client.get()


@contextmanager
def on_behalf_of(client: str) -> Iterator[None]:
    """Set the current client for a block; tasks that are started within the block inherit it."""
    token = _client.set(client)
    try:
        yield
    finally:
        _client.reset(token)
