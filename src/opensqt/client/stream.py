"""A stream from a connector: the reader's end of a subscription, which ends with it."""

from __future__ import annotations

import weakref
from typing import Generic, Self, TypeVar

from opensqt.client.subscription import StreamSubscription
from opensqt.model.stream import Batch

T = TypeVar("T")


class RemoteStream(Generic[T]):
    """One subscription, read by one task at a time.

    A stream that nothing refers to any more ends: a loop over it that was left by `break` leaves no call open.

    Args:
        subscription: Not started; no other stream reads it.
    """

    def __init__(self, subscription: StreamSubscription[T]) -> None:
        self._subscription = subscription
        self._abandoned = weakref.finalize(self, subscription.abandon)
        self._abandoned.atexit = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Batch[T]:
        batch = await self._subscription.next()
        if batch is None:
            raise StopAsyncIteration
        return batch

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Stop reading; a pending read ends. Idempotent."""
        self._abandoned.detach()
        self._subscription.end()
