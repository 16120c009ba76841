"""A subscription as a plain iterator of batches."""

from __future__ import annotations

import asyncio
import weakref
from typing import Any, Generic, Self, TypeVar

from opensqt.client.sync.loop import LoopThread
from opensqt.model.stream import Batch, Stream

T = TypeVar("T")


class SyncStream(Generic[T]):
    """Batches as they come; it comes back by itself after a loss, and a batch's `gap` tells what may be missing.

        with exchange.subscribe_price("BTCUSDT", timeout_s=5) as prices:
            for batch in prices:
                ...

    Args:
        loop: Where the stream lives.
        stream: The stream itself.
        timeout_s: How long one step waits; None waits for ever. After a TimeoutError the stream goes on, and
            nothing is lost.
    """

    def __init__(self, loop: LoopThread, stream: Stream[T], timeout_s: float | None) -> None:
        self._loop = loop
        self._stream = stream
        self._timeout_s = timeout_s
        self._pending: asyncio.Future[Batch[T] | None] | None = None
        # A loop that somebody left with `break` must not stay subscribed for ever.
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
        """Stop reading and release all that the subscription held. Idempotent."""
        if self._closing.detach():
            self._loop.spawn(self._stream.aclose())

    async def _read(self) -> Batch[T] | None:
        # A read that was not waited for to its end goes on; the next step takes what it brings.
        if self._pending is None:
            self._pending = asyncio.ensure_future(anext(self._stream, None))
            self._pending.add_done_callback(_seen)
        done, _ = await asyncio.wait({self._pending}, timeout=self._timeout_s)
        if not done:
            raise TimeoutError(f"nothing came within {self._timeout_s:g} s; the stream goes on")
        pending, self._pending = self._pending, None
        return pending.result()


def _seen(read: asyncio.Future[Any]) -> None:
    """Take note of how a read ended: the reader may have been interrupted and never ask."""
    if not read.cancelled():
        read.exception()
