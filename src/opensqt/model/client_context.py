"""The client that the current task acts for: set by the connector for each call, read where clients share a limit."""

from __future__ import annotations

from contextlib import AbstractContextManager
from contextvars import ContextVar

from opensqt.model.scoped import Scoped

INTERNAL = ""
"""Client name of requests that OpenSQT makes for itself."""

_client: ContextVar[str] = ContextVar("caller", default=INTERNAL)


def current_client() -> str:
    """Return the name of the client that the current task acts for; `INTERNAL` when there is none."""
    return _client.get()


def on_behalf_of(client: str) -> AbstractContextManager[None]:
    """Set the current client for a block; tasks that are started within the block inherit it."""
    return Scoped(_client, client)
