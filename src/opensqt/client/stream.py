"""A stream from a connector that subscribes again by itself, resumes where it was, and tells when that failed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any, Generic, Self, TypeVar

import grpc

from opensqt.client.backoff import lasted
from opensqt.client.channel import Link
from opensqt.model.errors import (
    AccessError,
    ConnectorUnavailable,
    ExchangeError,
    RequestError,
    StreamOverflow,
    Unreachable,
)
from opensqt.model.stream import Batch, Cursor
from opensqt.telemetry.logging import get_logger
from opensqt.wire import codec
from opensqt.wire import errors as wire_errors

R = TypeVar("R")
T = TypeVar("T")
_FINAL = (RequestError, AccessError, StreamOverflow)
"""Errors that asking again does not mend: they are the reader's to see."""

log = get_logger("remote")


class RemoteStream(Generic[T]):
    """One subscription, read by one task at a time.

    Args:
        link: The connection.
        topic: What it is about, for logs.
        subscribe: Starts the call from a cursor; run again after each loss.
        decode: One update.
        cursor: Where to resume.
        on_close: Told once, when the stream ends for good.
    """

    def __init__(
        self,
        link: Link,
        topic: str,
        subscribe: Callable[[Cursor | None], Any],
        decode: Callable[[Any], T],
        *,
        cursor: Cursor | None,
        on_close: Callable[[RemoteStream[Any]], None],
    ) -> None:
        self._link = link
        self._topic = topic
        self._subscribe = subscribe
        self._decode = decode
        self._cursor = cursor
        self._on_close = on_close
        self._call: Any = None
        self._failures = 0
        self._subscribed = time.monotonic()
        self._resume_at = 0.0
        self._closed = asyncio.Event()
        self._error: ExchangeError | None = None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Batch[T]:
        while not self._closed.is_set():
            try:
                message = await self._read()
            except ExchangeError as error:
                await self._after(error)
                continue
            if message is not None:
                self._failures = 0
                batch = self._batch(message)
                self._cursor = batch.cursor
                return batch
        if self._error is not None:
            raise self._error
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """Stop reading; a pending read ends. Idempotent."""
        self.end(None)

    def end(self, error: ExchangeError | None) -> None:
        """End the stream; with an error the reader gets that, else it just ends."""
        if self._closed.is_set():
            return
        self._error = error
        self._closed.set()
        self._drop_call()
        self._on_close(self)

    async def _read(self) -> Any:
        """Answer the next message, or None when the stream was closed meanwhile."""
        if self._call is None:
            # Here and not after the failure, so that a reader who gives up its reads does not skip the wait.
            if (pause := self._resume_at - time.monotonic()) > 0:
                await self._unless_closed(asyncio.sleep(pause))
            if self._closed.is_set():
                return None
            self._subscribed = time.monotonic()
            self._call = self._subscribe(self._cursor)
        try:
            message = await self._call.read()
        except grpc.aio.AioRpcError as failure:
            self._drop_call()
            raise wire_errors.from_rpc_error(failure) from None
        except asyncio.CancelledError:
            # gRPC ends the call with the read; the next read subscribes again, at the cursor.
            self._drop_call()
            task = asyncio.current_task()
            if self._closed.is_set() and task is not None and not task.cancelling():
                return None
            raise
        if message is grpc.aio.EOF:
            self._drop_call()
            raise Unreachable("the connector ended the stream")
        return message

    async def _after(self, error: ExchangeError) -> None:
        """Wait before the next attempt, or end the stream with what the reader must know."""
        if isinstance(error, _FINAL):
            self.end(error)
            return
        try:
            if await self._unless_closed(self._link.recover(error)) is not False:
                return
        except (ConnectorUnavailable, Unreachable) as gone:
            self.end(gone)
            return
        self._count(error)

    def _count(self, error: ExchangeError) -> None:
        """Set the next attempt by our own count: the connector is well, so the trouble is this topic's."""
        patience = self._link.patience
        self._failures = 1 if lasted(self._subscribed) else self._failures + 1
        what = f"subscribe to {self._topic} at {self._link.address}"
        log.warning(patience.told(self._failures, what, error), attempt=self._failures, attempts=patience.attempts)
        if self._failures >= patience.attempts:
            self.end(
                ConnectorUnavailable(
                    f"connector {self._link.address}: {self._topic} could not be subscribed in {patience.attempts}"
                    f" attempts ({error})"
                )
            )
            return
        self._resume_at = time.monotonic() + max(patience.wait_s(self._failures), error.retry_after_s or 0)

    async def _unless_closed(self, work: Coroutine[Any, Any, R]) -> R | None:
        """Answer what *work* answers, or None when the stream is closed before it is done."""
        task, closed = asyncio.ensure_future(work), asyncio.ensure_future(self._closed.wait())
        try:
            await asyncio.wait({task, closed}, return_when=asyncio.FIRST_COMPLETED)
            return task.result() if task.done() and not task.cancelled() else None
        finally:
            task.cancel()
            closed.cancel()

    def _batch(self, message: Any) -> Batch[T]:
        decode = self._decode
        try:
            updates, whole = tuple([decode(update) for update in message.updates]), True
        except codec.MalformedMessage:
            updates, whole = self._salvage(message), False
        # A connector older than `position` says it in the response itself.
        at = message.position if message.position.epoch else message
        batch = Batch(
            updates=updates,
            epoch=at.epoch,
            sequence=at.sequence,
            snapshot=message.snapshot,
            gap=message.gap,
        )
        # What was set aside is lost to the reader, and that must be told.
        return batch if whole else replace(batch, gap=True)

    def _salvage(self, message: Any) -> tuple[T, ...]:
        updates = []
        for update in message.updates:
            try:
                updates.append(self._decode(update))
            except codec.MalformedMessage as error:
                log.error("an update can't be read and is set aside", topic=self._topic, error=str(error))
        return tuple(updates)

    def _drop_call(self) -> None:
        call, self._call = self._call, None
        if call is not None:
            call.cancel()
