"""One topic's updates, kept once and read by any number of readers at their own pace.

All readers share one bounded log and hold only a place in it, so a slow or stopped reader costs nothing and
slows nobody. A reader that falls off the log gets the newest value of each key when the feed conflates, and
`StreamOverflow` when it may not lose anything. A reader that forwards updates reads entries instead: each keeps
its encoding, which the first such reader makes for all.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import deque
from collections.abc import Callable, Hashable, Iterable
from dataclasses import replace
from itertools import islice
from typing import Generic, Self, TypeVar

from opensqt.model.errors import ExchangeError, StreamOverflow
from opensqt.model.stream import Batch, Cursor

T = TypeVar("T")


class Entry(Generic[T]):
    """One update as a feed keeps it. The log and the snapshot share it."""

    __slots__ = ("encoding", "number", "update")

    def __init__(self, update: T, number: int) -> None:
        self.update = update
        self.number = number
        """Sequence of the update in the feed."""
        self.encoding: bytes | None = None
        """What `encode` made; None until a reader asked for it."""

    def encode(self, encode: Callable[[T], bytes]) -> bytes:
        """Return the update's encoding, which *encode* makes once; every reader must bring the same function."""
        if self.encoding is None:
            self.encoding = encode(self.update)
        return self.encoding


class Feed(Generic[T]):
    """The publishing end of a topic.

    Args:
        key: Names what an update is about; the newest update of each key is the snapshot.
        conflate: Whether a reader that is far behind may be given only the newest update of each key.
        keep: Whether an update's key stays in the snapshot after it (a closed order does not).
        remember: What the snapshot holds of an update (an order without the fill that moved it).
        capacity: Updates in the log; also how far back a cursor can be resumed.
        conflate_above: A reader with more updates than this waiting is given the newest of each key.
        snapshot_limit: Keys in the snapshot at most; the one updated longest ago goes first.
    """

    def __init__(
        self,
        *,
        key: Callable[[T], Hashable],
        conflate: bool,
        keep: Callable[[T], bool] = lambda _update: True,
        remember: Callable[[T], T] = lambda update: update,
        capacity: int = 8192,
        conflate_above: int = 512,
        snapshot_limit: int | None = None,
    ) -> None:
        self._key = key
        self._keep = keep
        self._remembered = remember
        self._conflate = conflate
        self._conflate_above = min(conflate_above, capacity)
        self._snapshot_limit = snapshot_limit
        self._log: deque[Entry[T]] = deque(maxlen=capacity)
        self._state: dict[Hashable, Entry[T]] = {}
        self._readers: set[EntryReader[T]] = set()
        self._ready = False
        self._closed: ExchangeError | None = None
        self._forgotten = 0
        """Number of the newest update that `snapshot_limit` took out of the snapshot."""
        self.epoch = _new_epoch()
        self.sequence = 0
        """Number of the last update published in this epoch."""
        self.published = 0
        """How many updates were published, in all epochs."""

    @property
    def readers(self) -> int:
        """How many readers listen."""
        return len(self._readers)

    @property
    def backlog(self) -> int:
        """How many updates the slowest reader has not taken yet."""
        return max((reader.behind for reader in self._readers), default=0)

    @property
    def ready(self) -> bool:
        """Whether a snapshot can be given: something was published or `replace` was called."""
        return self._ready

    @property
    def snapshot(self) -> tuple[T, ...]:
        """The newest update of each kept key, oldest first."""
        return tuple(entry.update for entry in self._state.values())

    def publish(self, updates: Iterable[T]) -> None:
        """Append updates and wake the readers."""
        for update in updates:
            self.sequence += 1
            self.published += 1
            entry = Entry(update, self.sequence)
            self._log.append(entry)
            self._remember(entry)
        self._ready = True
        self._wake()

    def replace(self, state: Iterable[T], *, gap: bool) -> None:
        """Set the whole snapshot.

        Args:
            state: What is true now.
            gap: Whether updates may have been missed. Readers then get the new snapshot, marked as a gap,
                in a new epoch. Without it they are only given what a late reader would start from.
        """
        self._state.clear()
        if gap:
            self._log.clear()
            self.epoch, self.sequence, self._forgotten = _new_epoch(), 0, 0
        for update in state:
            self._remember(Entry(update, self.sequence))
        self._ready = True
        self._wake()

    def close(self, error: ExchangeError) -> None:
        """End every reader with *error*, those that come later too."""
        self._closed = error
        self._wake()

    def subscribe(self, *, cursor: Cursor | None = None, where: Callable[[T], bool] | None = None) -> FeedReader[T]:
        """Start reading, after *cursor* if the log still reaches back to it; *where* filters the updates."""
        return FeedReader(self, cursor, where)

    def _remember(self, entry: Entry[T]) -> None:
        key = self._key(entry.update)
        self._state.pop(key, None)
        if not self._keep(entry.update):
            return
        kept = self._remembered(entry.update)
        self._state[key] = entry if kept is entry.update else Entry(kept, entry.number)
        if self._snapshot_limit is not None and len(self._state) > self._snapshot_limit:
            dropped = self._state.pop(next(iter(self._state)))
            self._forgotten = max(self._forgotten, dropped.number)

    def _wake(self) -> None:
        for reader in self._readers:
            reader._wake()

    def _read(self, reader: EntryReader[T]) -> Batch[Entry[T]] | None:
        """Return what stands after a reader's place, or None when there is nothing yet."""
        if not self._ready:
            return None
        behind = self.sequence - reader.sequence
        kept = len(self._log) if reader.limit is None else min(reader.limit, len(self._log))
        known = reader.epoch == self.epoch and behind >= 0
        if not known or (reader.fresh and behind > kept):
            state, lost = tuple(self._state.values()), bool(reader.epoch)
            return Batch(updates=state, epoch=self.epoch, sequence=self.sequence, snapshot=True, gap=lost)
        if behind == 0:
            # A resumed reader learns at once that it missed nothing.
            return Batch(updates=(), epoch=self.epoch, sequence=self.sequence) if reader.fresh else None
        if behind > kept and not self._conflate:
            raise StreamOverflow(f"reader is {behind} updates behind; the log holds {kept}")
        if self._conflate and behind > self._conflate_above:
            updates = tuple(entry for entry in self._state.values() if entry.number > reader.sequence)
            gap = self._forgotten > reader.sequence
        else:
            # From the right: a deque walks to any other place one update at a time.
            updates, gap = tuple(islice(reversed(self._log), behind))[::-1], False
        return Batch(updates=updates, epoch=self.epoch, sequence=self.sequence, gap=gap)


class EntryReader(Generic[T]):
    """The reading end for a reader that forwards updates: an async iterator of batches of entries."""

    def __init__(self, feed: Feed[T], cursor: Cursor | None, where: Callable[[T], bool] | None) -> None:
        self.feed = feed
        self.epoch = cursor.epoch if cursor else ""
        self.sequence = cursor.sequence if cursor else 0
        """Number of the last update that was read."""
        self.fresh = True
        """Whether nothing was read yet."""
        self.limit: int | None = None
        """How many updates it may be behind, where that is less than the log holds."""
        self.read_to: Cursor | None = None
        """Where the program stands for which this reader forwards, if it says so; `behind` counts from there."""
        self._where = where
        self._done = False
        self._waiter: asyncio.Future[None] | None = None
        feed._readers.add(self)

    @property
    def behind(self) -> int:
        """How many updates it has not read yet; none of them where a snapshot is due, which stands for all."""
        at = self.read_to or self
        return self.feed.sequence - at.sequence if at.epoch == self.feed.epoch else 0

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Batch[Entry[T]]:
        while True:
            if self._done:
                raise StopAsyncIteration
            if self.feed._closed is not None:
                self.close()
                raise self.feed._closed
            batch = self._take()
            if batch is not None:
                return batch
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None

    def close(self) -> None:
        """Stop reading. Idempotent."""
        self._done = True
        self.feed._readers.discard(self)
        self._wake()

    def _take(self) -> Batch[Entry[T]] | None:
        try:
            batch = self.feed._read(self)
        except StreamOverflow:
            self.close()
            raise
        if batch is None:
            return None
        first = self.fresh
        self.fresh, self.epoch, self.sequence = False, batch.epoch, batch.sequence
        where = self._where
        if where is None:
            return batch
        wanted = tuple(entry for entry in batch.updates if where(entry.update))
        if not wanted and not (first or batch.snapshot):
            return None
        return replace(batch, updates=wanted)

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class FeedReader(Generic[T]):
    """The reading end: an async iterator of batches of updates."""

    def __init__(self, feed: Feed[T], cursor: Cursor | None, where: Callable[[T], bool] | None) -> None:
        self.entries = EntryReader(feed, cursor, where)
        """The same place in the feed, for a reader that forwards updates; read one of the two."""

    @property
    def behind(self) -> int:
        """How many updates it has not read yet; none of them where a snapshot is due, which stands for all."""
        return self.entries.behind

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Batch[T]:
        batch = await anext(self.entries)
        return Batch(
            updates=tuple([entry.update for entry in batch.updates]),
            epoch=batch.epoch,
            sequence=batch.sequence,
            snapshot=batch.snapshot,
            gap=batch.gap,
            age_s=_age_s(batch),
        )

    async def aclose(self) -> None:
        """Stop reading. Idempotent."""
        self.entries.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.entries.close()

    def __del__(self) -> None:
        # The feed refers to the entries only. Without a reader nobody waits on them, so any thread may do this.
        self.entries.close()


def _age_s(batch: Batch[Entry[T]]) -> float:
    received_ns = getattr(batch.updates[-1].update, "received_ns", 0) if batch.updates else 0
    return max(time.time_ns() - received_ns, 0) / 1e9 if received_ns else 0.0


def _new_epoch() -> str:
    return secrets.token_hex(8)
