"""One message, many clients: each is encoded once, and each client has a bounded outbox of its own.

A client that can't keep up gets the newest price, candle, position and balance. Orders and fills are never left
out: a client whose outbox is full of them is closed, and starts from a fresh snapshot when it connects again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Hashable, Iterable
from itertools import count

from opensqt.live_server.messages import PageMessage


class Outbox:
    """The messages that one client has not been sent yet.

    Args:
        snapshot: The messages that it starts with.
        limit: Messages that may be queued; the snapshot is not counted.
    """

    def __init__(self, snapshot: Iterable[bytes], limit: int) -> None:
        self._numbers = count()
        self._queued: dict[Hashable, bytes] = {next(self._numbers): text for text in snapshot}
        self._limit = limit + len(self._queued)
        self._available = asyncio.Event()
        self._available.set()
        self.overflowed = asyncio.Event()
        """Set when there was no room for a message that must not be left out."""

    def __len__(self) -> int:
        return len(self._queued)

    def put(self, text: bytes, latest: Hashable) -> None:
        """Queue a message; with a key it replaces the older message of the same key."""
        if self.overflowed.is_set():
            return
        # Wrapped, so that a key is never equal to a number.
        key: Hashable = next(self._numbers) if latest is None else ("latest", latest)
        if key not in self._queued and len(self._queued) >= self._limit:
            self._queued.clear()
            self.overflowed.set()
            return
        self._queued[key] = text
        self._available.set()

    async def drain(self) -> list[bytes]:
        """Wait for messages, and return and remove all that are queued."""
        await self._available.wait()
        self._available.clear()
        drained = list(self._queued.values())
        self._queued.clear()
        return drained


class Broadcaster:
    """Sends each message to every client.

    Args:
        limit: Messages that may be queued for one client.
    """

    def __init__(self, *, limit: int = 1000) -> None:
        self._limit = limit
        self._clients: set[Outbox] = set()

    def __len__(self) -> int:
        return len(self._clients)

    def join(self, snapshot: Iterable[PageMessage]) -> Outbox:
        """Add a client; it gets *snapshot* and then every message that is published from now on."""
        outbox = Outbox([message.encode() for message in snapshot], self._limit)
        self._clients.add(outbox)
        return outbox

    def leave(self, outbox: Outbox) -> None:
        """Remove a client. Idempotent."""
        self._clients.discard(outbox)

    def publish(self, messages: Iterable[PageMessage]) -> None:
        """Queue messages for every client. Never waits."""
        for message in messages:
            if not self._clients:
                return
            text = message.encode()
            for outbox in self._clients:
                outbox.put(text, message.latest)
