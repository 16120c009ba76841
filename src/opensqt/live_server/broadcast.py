"""One message, many clients: each is encoded once, and each client has a bounded outbox of its own.

A client that can't keep up gets the newest price, candle, position and balance. Orders and fills are never left
out: a client whose outbox is full of them is told to come back and start from a fresh snapshot.
"""

from __future__ import annotations

import asyncio
from collections.abc import Hashable, Iterable
from itertools import count

from opensqt.live_server.messages import Message


class Outbox:
    """What one client has not been sent yet.

    Args:
        limit: Messages that may wait; the snapshot is not counted.
    """

    def __init__(self, snapshot: Iterable[bytes], limit: int) -> None:
        self._numbers = count()
        self._waiting: dict[Hashable, bytes] = {next(self._numbers): text for text in snapshot}
        self._limit = limit + len(self._waiting)
        self._news = asyncio.Event()
        self._news.set()
        self.overflowed = asyncio.Event()
        """Set when something that may not be lost had no room."""

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, text: bytes, latest: Hashable) -> None:
        """Queue a message; one that is the newest word on something takes the place of the older."""
        if self.overflowed.is_set():
            return
        # Wrapped, so that a key can never be taken for a number.
        key: Hashable = next(self._numbers) if latest is None else ("latest", latest)
        if key not in self._waiting and len(self._waiting) >= self._limit:
            self._waiting.clear()
            self.overflowed.set()
            return
        self._waiting[key] = text
        self._news.set()

    async def take(self) -> list[bytes]:
        """Wait until something is there, and take all of it."""
        await self._news.wait()
        self._news.clear()
        taken = list(self._waiting.values())
        self._waiting.clear()
        return taken


class Hub:
    """The clients that listen.

    Args:
        limit: Messages that may wait for one client.
    """

    def __init__(self, *, limit: int = 1000) -> None:
        self._limit = limit
        self._clients: set[Outbox] = set()

    def __len__(self) -> int:
        return len(self._clients)

    def join(self, snapshot: Iterable[Message]) -> Outbox:
        """Add a client; it gets *snapshot* and then all that is published from now on."""
        outbox = Outbox([message.encode() for message in snapshot], self._limit)
        self._clients.add(outbox)
        return outbox

    def leave(self, outbox: Outbox) -> None:
        """Remove a client. Idempotent."""
        self._clients.discard(outbox)

    def publish(self, messages: Iterable[Message]) -> None:
        """Hand messages to every client. Never waits."""
        for message in messages:
            if not self._clients:
                return
            text = message.encode()
            for outbox in self._clients:
                outbox.put(text, message.latest)
