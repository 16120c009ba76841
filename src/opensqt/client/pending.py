"""What has arrived from a stream and its reader has not taken: conflated by key, or kept whole."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from opensqt.model.errors import StreamOverflow
from opensqt.model.stream import Batch
from opensqt.streams.conflation import merged

T = TypeVar("T")
_CAPACITY = 65_536
"""Updates of a loss-free stream; a connector that waits for acknowledgements never sends so many ahead."""


class PendingBatches(Generic[T]):
    """Batches that wait for a reader.

    Args:
        key: Names what an update is about; what waits holds only the newest update of each key. None keeps all
            updates, and `StreamOverflow` reports when they are too many.
        limit: Updates that are kept with a key, the newest; what is left out is a gap.
        capacity: Updates that are kept without a key.
    """

    def __init__(
        self, key: Callable[[T], Hashable] | None, *, limit: int | None = None, capacity: int = _CAPACITY
    ) -> None:
        self._key = key
        self._limit = limit
        self._capacity = capacity
        self._batches: deque[Batch[T]] = deque()
        self._size = 0

    def __bool__(self) -> bool:
        return bool(self._batches)

    def add(self, batch: Batch[T]) -> None:
        """Add what arrived.

        Raises:
            StreamOverflow: The reader is too far behind to be given everything.
        """
        if self._size + len(batch.updates) > self._capacity and self._key is None:
            raise StreamOverflow(f"the reader is more than {self._capacity} updates behind")
        last = self._batches.pop() if self._batches else None
        if last is not None and self._key is None and (batch.snapshot or batch.gap or last.snapshot):
            # A snapshot of a loss-free stream does not stand for the updates before it, nor has it those after it.
            self._batches.append(last)
            last = None
        self._batches.append(batch if last is None else merged(last, batch, self._key, self._limit))
        self._size += len(batch.updates)

    def take(self) -> Batch[T]:
        """Return what the reader is given next."""
        batch = self._batches.popleft()
        self._size = max(self._size - len(batch.updates), 0) if self._batches else 0
        return batch

    def clear(self) -> None:
        """Forget everything."""
        self._batches.clear()
        self._size = 0
