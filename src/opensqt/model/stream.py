"""Streams: batches of updates, each with its position in the stream."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Generic, Protocol, Self, TypeVar

T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Cursor:
    """The last position of a stream that a reader has seen; pass it to a subscription to resume there."""

    epoch: str
    sequence: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch(Generic[T_co]):
    """All updates that queued for a reader since its last read, oldest first."""

    updates: tuple[T_co, ...]
    epoch: str
    """Changes when continuity was lost; sequences of two epochs do not compare."""
    sequence: int
    """Number of the last update in this batch."""
    snapshot: bool = False
    """The updates are the whole state, not changes: discard the earlier state."""
    gap: bool = False
    """Updates may have been missed before this batch: reconcile."""
    age_s: float = field(default=0.0, compare=False)
    """Seconds since the newest update was received from the venue, as this batch was handed over. Through a connector
    it holds whatever the clocks of the two machines say, for the fastest way of a response is taken as no time; a
    connector older than `ReadStream` counts from the arrival here. A quiet stream's snapshot is old and still true."""

    @property
    def cursor(self) -> Cursor:
        """Where to resume after this batch."""
        return Cursor(self.epoch, self.sequence)


class Stream(Protocol[T_co]):
    """An endless series of batches; the first is a snapshot unless a cursor could be resumed.

    Read it in a block, so that it ends with the block:

        async with exchange.subscribe_price("BTCUSDT") as prices:
            async for batch in prices:
                ...

    A stream that nothing refers to any more ends by itself.
    """

    async def __aenter__(self) -> Self: ...

    async def __aexit__(self, *_: object) -> None: ...

    def __aiter__(self) -> AsyncIterator[Batch[T_co]]: ...

    async def __anext__(self) -> Batch[T_co]: ...

    async def aclose(self) -> None:
        """Stop reading and release the resources of the subscription. Idempotent."""
        ...
