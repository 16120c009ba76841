"""A stream from a connector: it resubscribes automatically, resumes at its cursor, and marks a gap where it can't."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any, Generic, Self, TypeVar

import grpc

from opensqt.client.backoff import was_stable
from opensqt.client.channel import ConnectorChannel
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
"""Errors that a retry does not mend: they are raised to the reader."""

log = get_logger("remote")


class RemoteStream(Generic[T]):
    """One subscription, read by one task at a time.

    Args:
        channel: The connection.
        topic: Description of the stream, for logs.
        subscribe: Starts the call at a cursor; called again after each loss.
        decode: Decodes one update.
        cursor: Where to resume.
        on_close: Called once, when the stream has ended.
    """

    def __init__(
        self,
        channel: ConnectorChannel,
        topic: str,
        subscribe: Callable[[Cursor | None], Any],
        decode: Callable[[Any], T],
        *,
        cursor: Cursor | None,
        on_close: Callable[[RemoteStream[Any]], None],
    ) -> None:
        self._channel = channel
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
                await self._handle_failure(error)
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
        """End the stream. With an error the reader gets that error, else the iteration just ends."""
        if self._closed.is_set():
            return
        self._error = error
        self._closed.set()
        self._drop_call()
        self._on_close(self)

    async def _read(self) -> Any:
        """Return the next message, or None when the stream was closed while it waited."""
        if self._call is None:
            # Here and not after the failure, so that a reader that cancels its reads does not skip the delay.
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
            # gRPC ends the call with the read; the next read resubscribes at the cursor.
            self._drop_call()
            task = asyncio.current_task()
            if self._closed.is_set() and task is not None and not task.cancelling():
                return None
            raise
        if message is grpc.aio.EOF:
            self._drop_call()
            raise Unreachable("the connector ended the stream")
        return message

    async def _handle_failure(self, error: ExchangeError) -> None:
        """Wait before the next attempt, or end the stream with an error that the reader must handle."""
        if isinstance(error, _FINAL):
            self.end(error)
            return
        try:
            if await self._unless_closed(self._channel.recover(error)) is not False:
                return
        except (ConnectorUnavailable, Unreachable) as gone:
            self.end(gone)
            return
        self._schedule_retry(error)

    def _schedule_retry(self, error: ExchangeError) -> None:
        """Schedule the next attempt by this stream's own count: the connector serves, so only this topic fails."""
        retry_policy = self._channel.retry_policy
        self._failures = 1 if was_stable(self._subscribed) else self._failures + 1
        action = f"subscribe to {self._topic} at {self._channel.address}"
        log.warning(
            retry_policy.describe_failure(self._failures, action, error),
            attempt=self._failures,
            attempts=retry_policy.attempts,
        )
        if self._failures >= retry_policy.attempts:
            self.end(
                ConnectorUnavailable(
                    f"connector {self._channel.address}: {self._topic} could not be subscribed in"
                    f" {retry_policy.attempts} attempts ({error})"
                )
            )
            return
        self._resume_at = time.monotonic() + max(retry_policy.delay_s(self._failures), error.retry_after_s or 0)

    async def _unless_closed(self, work: Coroutine[Any, Any, R]) -> R | None:
        """Return the result of *work*, or None when the stream is closed before it is done."""
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
            updates, whole = self._decode_partially(message), False
        # A connector older than `position` gives it in the response itself.
        at = message.position if message.position.epoch else message
        batch = Batch(
            updates=updates,
            epoch=at.epoch,
            sequence=at.sequence,
            snapshot=message.snapshot,
            gap=message.gap,
        )
        # An update that is set aside is lost to the reader, so the batch must be marked.
        return batch if whole else replace(batch, gap=True)

    def _decode_partially(self, message: Any) -> tuple[T, ...]:
        updates = []
        for update in message.updates:
            try:
                updates.append(self._decode(update))
            except codec.MalformedMessage as error:
                log.error("an update can't be decoded and is set aside", topic=self._topic, error=str(error))
        return tuple(updates)

    def _drop_call(self) -> None:
        call, self._call = self._call, None
        if call is not None:
            call.cancel()
