"""How far ahead of its reader a stream may be sent: the client acknowledges, and the connector waits for it."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import Any

from opensqt.model.errors import InvalidRequest
from opensqt.model.stream import Cursor
from opensqt.streams.feed import EntryReader

ORDERS_AHEAD = 256
"""Updates of a loss-free stream on their way at most: waiting makes none of them newer, but they take memory."""


class Unread:
    """What one client was sent and has not read, as far as the connector can know.

    Without acknowledgements that is a write that waits: gRPC takes what HTTP/2's window allows, and says no more.
    """

    def __init__(self) -> None:
        self.since: float | None = None
        """Since when, by the monotonic clock; None while everything sent counts as read."""

    def attach(self, entries: EntryReader[Any]) -> None:
        """Take in the client's place in the feed."""


class SendWindow(Unread):
    """The responses of one call that its client has not acknowledged.

    gRPC takes megabytes for a client that reads nothing before a write waits, so a write that returns says nothing
    about the reader. Only what the client acknowledges does.

    Args:
        updates: How many updates may be on their way; 0 allows one response, whatever it holds.
    """

    def __init__(self, *, updates: int = 0) -> None:
        super().__init__()
        self._entries: EntryReader[Any] | None = None
        """The client's place in the feed; its backlog counts from what the client has read."""
        self._limit = updates
        self._unread: deque[tuple[Cursor, float]] = deque()
        self._sizes: deque[int] = deque()
        self._on_way = 0
        self._sent = self._received = self._read = 0
        self._room = asyncio.Event()
        self._room.set()

    def attach(self, entries: EntryReader[Any]) -> None:
        """Count the backlog of *entries* from what the client has read."""
        self._entries = entries

    def sent(self, cursor: Cursor, updates: int) -> None:
        """Take in that a response was sent."""
        if self._entries is not None and not self._unread:
            self._entries.read_to = Cursor(cursor.epoch, max(cursor.sequence - updates, 0))
        self._sent += 1
        self._unread.append((cursor, time.monotonic()))
        self.since = self._unread[0][1]
        self._sizes.append(updates)
        self._on_way += updates
        if self._on_way > self._limit or not self._limit:
            self._room.clear()

    def acknowledge(self, *, received: int, read: int) -> None:
        """Take in what the client says.

        Raises:
            InvalidRequest: It has received or read what was not sent, or goes back.
        """
        if not self._received <= received <= self._sent:
            raise InvalidRequest(f"received {received}: expected {self._received} to {self._sent}")
        if not self._read <= read <= received:
            raise InvalidRequest(f"read {read}: expected {self._read} to {received}, the responses received")
        for _ in range(received - self._received):
            self._on_way -= self._sizes.popleft()
        while self._read < read:
            self._read += 1
            place, _ = self._unread.popleft()
            self.since = self._unread[0][1] if self._unread else None
            if self._entries is not None:
                # With nothing unread its place in the feed says it all, also where it reads one symbol of many.
                self._entries.read_to = place if self._unread else None
        self._received = received
        if self._on_way <= self._limit and not (self._sizes and not self._limit):
            self._room.set()

    async def room(self) -> None:
        """Wait until the next response may be sent."""
        await self._room.wait()
