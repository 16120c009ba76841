"""A subscription as a blocking iterator of batches."""

from __future__ import annotations

import asyncio
import weakref
from typing import Any, Generic, Self, TypeVar

from opensqt.client.sync.loop import LoopThread
from opensqt.model.stream import Batch, Stream

T = TypeVar("T")


class SyncStream(Generic[T]):
    """Iterates over batches. It resubscribes automatically after a loss; `gap` marks that updates may be missing.

        with exchange.subscribe_price("BTCUSDT", timeout_s=5) as prices:
            for batch in prices:
                ...

    Args:
        loop: The loop that reads the stream.
        stream: The stream itself.
        timeout_s: Maximum wait of one step; None waits without a limit. After a TimeoutError the stream continues, and
            no update is lost.
    """

    def __init__(self, loop: LoopThread, stream: Stream[T], timeout_s: float | None) -> None:
        self._loop = loop
        self._stream = stream
        self._timeout_s = timeout_s
        self._pending: asyncio.Future[Batch[T] | None] | None = None
        # A loop that was left with `break` must not stay subscribed.
        self._closing = weakref.finalize(self, lambda: loop.spawn(stream.aclose()))
        self._closing.atexit = False

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Batch[T]:
        batch = self._loop.run(self._read())
        if batch is None:
            raise StopIteration
        return batch

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop reading and release the resources of the subscription. Idempotent."""
        if self._closing.detach():
            self._loop.spawn(self._stream.aclose())

    async def _read(self) -> Batch[T] | None:
        # A read that timed out continues; the next step takes its result.
        if self._pending is None:
            self._pending = asyncio.ensure_future(anext(self._stream, None))
            self._pending.add_done_callback(_retrieve_exception)
        done, _ = await asyncio.wait({self._pending}, timeout=self._timeout_s)
        if not done:
            raise TimeoutError(f"no update within {self._timeout_s:g} s; the stream goes on")
        pending, self._pending = self._pending, None
        return pending.result()


def _retrieve_exception(read: asyncio.Future[Any]) -> None:
    """Retrieve the exception of a read, so that asyncio does not warn: an interrupted reader never does."""
    if not read.cancelled():
        read.exception()
