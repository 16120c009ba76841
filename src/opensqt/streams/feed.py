"""One topic's updates, kept once and read by any number of readers at their own pace.

All readers share one bounded log and hold only a place in it, so a slow or stopped reader costs nothing and
slows nobody. A reader that falls off the log gets the newest value of each key when the feed conflates, and
`StreamOverflow` when it may not lose anything.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from collections.abc import Callable, Hashable, Iterable
from itertools import islice
from typing import Generic, Self, TypeVar

from opensqt.model.errors import ExchangeError, StreamOverflow
from opensqt.model.stream import Batch, Cursor

T = TypeVar("T")


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
        self._what = remember
        self._conflate = conflate
        self._conflate_above = min(conflate_above, capacity)
        self._snapshot_limit = snapshot_limit
        self._log: deque[T] = deque(maxlen=capacity)
        self._state: dict[Hashable, tuple[int, T]] = {}
        self._readers: set[FeedReader[T]] = set()
        self._ready = False
        self._closed: ExchangeError | None = None
        self._forgotten = 0
        """Number of the newest update that `snapshot_limit` took out of the snapshot."""
        self.epoch = _new_epoch()
        self.sequence = 0
        """Number of the last update published in this epoch."""

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
        return tuple(update for _, update in self._state.values())

    def publish(self, updates: Iterable[T]) -> None:
        """Append updates and wake the readers."""
        for update in updates:
            self.sequence += 1
            self._log.append(update)
            self._remember(update)
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
            self._remember(update)
        self._ready = True
        self._wake()

    def close(self, error: ExchangeError) -> None:
        """End every reader with *error*, those that come later too."""
        self._closed = error
        self._wake()

    def subscribe(self, *, cursor: Cursor | None = None, where: Callable[[T], bool] | None = None) -> FeedReader[T]:
        """Start reading, after *cursor* if the log still reaches back to it; *where* filters the updates."""
        reader = FeedReader(self, cursor, where)
        self._readers.add(reader)
        return reader

    def _remember(self, update: T) -> None:
        key = self._key(update)
        self._state.pop(key, None)
        if not self._keep(update):
            return
        self._state[key] = (self.sequence, self._what(update))
        if self._snapshot_limit is not None and len(self._state) > self._snapshot_limit:
            number, _ = self._state.pop(next(iter(self._state)))
            self._forgotten = max(self._forgotten, number)

    def _wake(self) -> None:
        for reader in self._readers:
            reader._wake()

    def _read(self, epoch: str, sequence: int, *, fresh: bool) -> Batch[T] | None:
        """Give what stands after a place, or None when there is nothing yet."""
        if not self._ready:
            return None
        behind = self.sequence - sequence
        known = epoch == self.epoch and behind >= 0
        if not known or (fresh and behind > len(self._log)):
            lost = bool(epoch)
            return Batch(updates=self.snapshot, epoch=self.epoch, sequence=self.sequence, snapshot=True, gap=lost)
        if behind == 0:
            # A resumed reader is told at once that it missed nothing.
            return Batch(updates=(), epoch=self.epoch, sequence=self.sequence) if fresh else None
        if behind > len(self._log) and not self._conflate:
            raise StreamOverflow(f"reader is {behind} updates behind; the log holds {len(self._log)}")
        if self._conflate and behind > self._conflate_above:
            updates = tuple(update for number, update in self._state.values() if number > sequence)
            gap = self._forgotten > sequence
        else:
            # From the right: a deque walks to any other place one update at a time.
            updates, gap = tuple(islice(reversed(self._log), behind))[::-1], False
        return Batch(updates=updates, epoch=self.epoch, sequence=self.sequence, gap=gap)


class FeedReader(Generic[T]):
    """The reading end: an async iterator of batches."""

    def __init__(self, feed: Feed[T], cursor: Cursor | None, where: Callable[[T], bool] | None) -> None:
        self._feed = feed
        self._where = where
        self._epoch = cursor.epoch if cursor else ""
        self._sequence = cursor.sequence if cursor else 0
        self._fresh = True
        self._done = False
        self._waiter: asyncio.Future[None] | None = None

    @property
    def behind(self) -> int:
        """How many updates it has not taken yet; none of them where a snapshot is due, which stands for all."""
        return self._feed.sequence - self._sequence if self._epoch == self._feed.epoch else 0

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Batch[T]:
        while True:
            if self._done:
                raise StopAsyncIteration
            if self._feed._closed is not None:
                await self.aclose()
                raise self._feed._closed
            batch = self._take()
            if batch is not None:
                return batch
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None

    async def aclose(self) -> None:
        """Stop reading. Idempotent."""
        self._done = True
        self._feed._readers.discard(self)
        self._wake()

    def _take(self) -> Batch[T] | None:
        try:
            batch = self._feed._read(self._epoch, self._sequence, fresh=self._fresh)
        except StreamOverflow:
            self._done = True
            self._feed._readers.discard(self)
            raise
        if batch is None:
            return None
        first = self._fresh
        self._fresh, self._epoch, self._sequence = False, batch.epoch, batch.sequence
        if self._where is None:
            return batch
        wanted = tuple(update for update in batch.updates if self._where(update))
        if not wanted and not (first or batch.snapshot):
            return None
        return Batch(updates=wanted, epoch=batch.epoch, sequence=batch.sequence, snapshot=batch.snapshot, gap=batch.gap)

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


def _new_epoch() -> str:
    return secrets.token_hex(8)
