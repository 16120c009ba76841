"""A subscription as a blocking iterator of batches."""

from __future__ import annotations

import asyncio
import weakref
from typing import Generic, Self, TypeVar

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
        # A read that timed out takes nothing from the stream, so nothing grows old between two steps.
        timeout = asyncio.timeout(self._timeout_s)
        try:
            async with timeout:
                return await anext(self._stream, None)
        except TimeoutError:
            if not timeout.expired():
                raise
            raise TimeoutError(f"no update within {self._timeout_s:g} s; the stream goes on") from None
