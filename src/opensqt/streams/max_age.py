"""A stream that raises instead of handing over data that is too old."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Generic, Self, TypeVar

from opensqt.model.errors import InvalidRequest, StaleData
from opensqt.model.stream import Batch, Stream
from opensqt.streams.conflation import KEYS, LIMITS, merged

T = TypeVar("T")


def with_max_age(stream: Stream[T], max_age_s: float | None, *, kind: str, symbol: str = "") -> Stream[T]:
    """Return the stream, held to *max_age_s* unless that is None.

    Raises:
        InvalidRequest: The age is no positive number.
    """
    if max_age_s is None:
        return stream
    if not max_age_s > 0:
        raise InvalidRequest(f"max_age_s {max_age_s}: expected more than 0 seconds, or None", symbol=symbol)
    return MaxAgeStream(stream, max_age_s, kind=kind, symbol=symbol)


class MaxAgeStream(Generic[T]):
    """Reads another stream, and raises `StaleData` in place of a batch that is too old. Nothing is lost by it.

    The updates of a refused batch are part of the next one. Of orders, the next read returns the refused batch itself,
    however old: a fill that came late is a fill.

    Args:
        stream: Read by nobody else.
        max_age_s: How old the newest update of a batch may be.
        kind: One of `STREAM_KINDS`.
        symbol: For the error; empty where the stream has all.
    """

    def __init__(self, stream: Stream[T], max_age_s: float, *, kind: str, symbol: str) -> None:
        self._stream = stream
        self._max_age_s = max_age_s
        self._kind = kind
        self._symbol = symbol
        self._key = KEYS[kind]
        self._refused: Batch[T] | None = None
        self._refused_at = 0.0

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Batch[T]:
        if self._refused is not None and self._key is None:
            return self._take_refused(self._refused)
        batch = await anext(self._stream)
        if self._refused is not None:
            refused = self._take_refused(self._refused)
            # A stream that was resumed and has missed nothing makes what came before it no younger.
            unchanged = not batch.updates and not batch.snapshot
            batch = merged(refused, batch, self._key, LIMITS.get(self._kind))
            batch = replace(batch, age_s=refused.age_s) if unchanged else batch
        if batch.age_s > self._max_age_s:
            self._refused, self._refused_at = batch, time.monotonic()
            name = f"{self._kind} {self._symbol}".strip()
            raise StaleData(
                f"{name}: the newest update is {batch.age_s:.3f} s old; at most {self._max_age_s:g} s are allowed",
                symbol=self._symbol,
            )
        return batch

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Stop reading. Idempotent."""
        await self._stream.aclose()

    def _take_refused(self, refused: Batch[T]) -> Batch[T]:
        self._refused = None
        return replace(refused, age_s=refused.age_s + time.monotonic() - self._refused_at)
