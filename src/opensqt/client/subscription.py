"""One subscription at a connector: read without end, resumed after each loss, kept for a reader that takes its time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from opensqt.client.backoff import was_stable
from opensqt.client.channel import ConnectorChannel
from opensqt.client.pending import PendingBatches
from opensqt.client.stream_call import AcknowledgedCall, NoAcknowledgements, PlainCall
from opensqt.client.transit import Transit
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

R = TypeVar("R")
T = TypeVar("T")
_FINAL = (RequestError, AccessError, StreamOverflow)
"""Errors that a retry does not mend: they are raised to the reader."""

log = get_logger("remote")


@dataclass(frozen=True, slots=True)
class Topic(Generic[T]):
    """What is subscribed to, and how its updates are read."""

    name: str
    """For logs."""
    kind: str
    """One of `STREAM_KINDS`."""
    method: str
    """The streaming method that is called where the connector knows no acknowledgements."""
    request: Callable[[Cursor | None], Any]
    """Makes the request that begins after a cursor."""
    decode: Callable[[Any], T]
    """Decodes one update."""
    key: Callable[[T], Hashable] | None
    """Names what an update is about where the newest of each is enough; None where no update may be lost."""
    limit: int | None = None
    """How many updates with different keys wait for the reader at most."""
    beyond_exchange_service: bool = False
    """Whether the method is one of GatewayService."""


class StreamSubscription(Generic[T]):
    """The part of a stream that works while nobody reads. It knows nothing of its reader, who may just go away.

    Its task starts with the first read, and reads the call at once, whatever the reader does: a reader that is slow
    gets the newest, and nothing old waits in gRPC's own buffers.

    Args:
        channel: The connection.
        topic: What is subscribed to.
        cursor: Where to resume.
        on_end: Called once, when the subscription has ended.
    """

    def __init__(
        self,
        channel: ConnectorChannel,
        topic: Topic[T],
        *,
        cursor: Cursor | None,
        on_end: Callable[[StreamSubscription[Any]], None],
    ) -> None:
        self._channel = channel
        self._topic = topic
        self._cursor = cursor
        self._on_end = on_end
        self._pending: PendingBatches[T] = PendingBatches(topic.key, limit=topic.limit)
        self._call: AcknowledgedCall | PlainCall | None = None
        self._acknowledges = True
        """Whether the connector may know acknowledgements."""
        self._reading = False
        """Whether the reader waits, so that what arrives is read at once."""
        self._task: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._transit = Transit()
        self._as_of_ns = 0
        """When the newest update that arrived was received from the venue, by our monotonic clock."""
        self._failures = 0
        self._subscribed = time.monotonic()
        self._arrived = asyncio.Event()
        self._ended = False
        self._error: ExchangeError | None = None

    async def next(self) -> Batch[T] | None:
        """Return what has arrived, or wait for it; None after the end.

        Raises:
            ExchangeError: The subscription ended with it, and what came before it was taken.
        """
        if self._task is None and not self._ended:
            self._loop = asyncio.get_running_loop()
            self._task = self._loop.create_task(self._run(), name=f"stream {self._topic.name}")
        while not self._pending:
            if self._ended:
                if self._error is not None:
                    raise self._error
                return None
            self._arrived.clear()
            self._reading = True
            try:
                await self._arrived.wait()
            finally:
                self._reading = False
        batch = replace(self._pending.take(), age_s=max(time.monotonic_ns() - self._as_of_ns, 0) / 1e9)
        if self._call is not None and not self._pending:
            # The updates of a loss-free stream are acknowledged only here: the connector keeps what is not read.
            self._call.acknowledge(read=True)
        return batch

    def end(self, error: ExchangeError | None = None) -> None:
        """End it, and forget what waits for the reader, who gets the error if there is one. Idempotent."""
        if not self._ended:
            self._pending.clear()
            self._end(error)

    def abandon(self) -> None:
        """End it from any thread: nothing refers to its reader any more."""
        if self._loop is None:
            self.end()
        elif not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self.end)

    def _end(self, error: ExchangeError | None) -> None:
        self._ended, self._error = True, error
        self._drop_call()
        if self._task is not None:
            self._task.cancel()
        self._arrived.set()
        self._on_end(self)

    async def _run(self) -> None:
        """Read until the end. What the reader must handle ends it; anything else is tried again."""
        try:
            while not self._ended:
                try:
                    await self._read_call()
                except ExchangeError as error:
                    await self._handle_failure(error)
        except asyncio.CancelledError:
            if not self._ended:
                # The loop ends, and the reader with it.
                self.end(Unreachable(f"{self._topic.name}: the event loop ended"))
            raise
        except Exception as error:
            log.exception("a stream failed unexpectedly", topic=self._topic.name)
            self._end(Unreachable(f"{self._topic.name}: the stream failed unexpectedly: {error!r}"))
            raise

    async def _read_call(self) -> None:
        """Subscribe, and keep what arrives until the call ends."""
        self._subscribed, self._transit = time.monotonic(), Transit()
        request, channel = self._topic.request(self._cursor), self._channel
        call: AcknowledgedCall | PlainCall
        if self._acknowledges:
            call = AcknowledgedCall(channel.acknowledged_streams, self._topic.kind, request, channel.metadata())
        else:
            stub = channel.acknowledged_streams if self._topic.beyond_exchange_service else channel.streams
            call = PlainCall(stub, self._topic.method, request, channel.metadata())
        self._call = call
        try:
            while True:
                message = await call.read()
                self._failures = 0
                self._add(self._batch(message), call.sent_ns)
                if self._topic.key is not None:
                    call.acknowledge(read=self._reading)
        except NoAcknowledgements:
            log.info("the connector is older than acknowledged streams", topic=self._topic.name)
            self._acknowledges = False
        finally:
            self._drop_call()

    def _add(self, batch: Batch[T], sent_ns: int) -> None:
        news = bool(batch.updates) or batch.snapshot or not self._pending
        self._pending.add(batch)
        self._cursor = batch.cursor
        self._arrived.set()
        if not news:
            # A stream that was resumed and has missed nothing makes what waits no younger.
            return
        self._as_of_ns = time.monotonic_ns()
        if sent_ns:
            self._as_of_ns -= self._transit.delay_ns(sent_ns, self._as_of_ns)
            received_ns = getattr(batch.updates[-1], "received_ns", 0) if batch.updates else 0
            self._as_of_ns -= max(sent_ns - received_ns, 0) if received_ns else 0

    async def _handle_failure(self, error: ExchangeError) -> None:
        """Wait before the next attempt, or end with an error that the reader must handle."""
        if isinstance(error, _FINAL):
            self._end(error)
            return
        try:
            if await self._channel.recover(error):
                return
        except (ConnectorUnavailable, Unreachable) as gone:
            self._end(gone)
            return
        await self._retry_later(error)

    async def _retry_later(self, error: ExchangeError) -> None:
        """Wait by this stream's own count: the connector serves, so only this topic fails."""
        retry_policy = self._channel.retry_policy
        self._failures = 1 if was_stable(self._subscribed) else self._failures + 1
        action = f"subscribe to {self._topic.name} at {self._channel.address}"
        log.warning(
            retry_policy.describe_failure(self._failures, action, error),
            attempt=self._failures,
            attempts=retry_policy.attempts,
        )
        if self._failures >= retry_policy.attempts:
            self._end(
                ConnectorUnavailable(
                    f"connector {self._channel.address}: {self._topic.name} could not be subscribed in"
                    f" {retry_policy.attempts} attempts ({error})"
                )
            )
            return
        await asyncio.sleep(max(retry_policy.delay_s(self._failures), error.retry_after_s or 0))

    def _batch(self, message: Any) -> Batch[T]:
        decode = self._topic.decode
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
                updates.append(self._topic.decode(update))
            except codec.MalformedMessage as error:
                log.error("an update can't be decoded and is set aside", topic=self._topic.name, error=str(error))
        return tuple(updates)

    def _drop_call(self) -> None:
        call, self._call = self._call, None
        if call is not None:
            call.cancel()
