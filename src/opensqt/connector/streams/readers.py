"""The clients' readers: each is attached to the exchange's own feed, so an update is kept once for all of them.

The connector has no log, epoch or grace period of its own. The exchange opens a stream's subscription for the first
reader and closes it after the last one. A stream that comes from no feed, such as another connector's, is read by
each client for itself.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

from opensqt.connector.metrics.registry import ConnectorMetrics
from opensqt.connector.streams.keys import KINDS, StreamKey
from opensqt.connector.streams.window import Unread
from opensqt.model.client_context import INTERNAL, on_behalf_of
from opensqt.model.clock import now_ms
from opensqt.model.errors import ExchangeError, RequestError, StreamOverflow, Unreachable
from opensqt.model.exchange import Exchange
from opensqt.model.stream import Batch, Cursor, Stream
from opensqt.model.venue import Check
from opensqt.service.backoff import Backoff
from opensqt.streams.feed import Entry, EntryReader, Feed, FeedReader
from opensqt.telemetry import logging
from opensqt.wire.options import STREAM_KINDS

_log = logging.get_logger("connector.streams")
_MAX_WAIT_S = 10.0
_REPORT_AFTER_MS = 2_000


class StreamReaders:
    """Every stream that a client reads.

    Args:
        exchange: Where the updates come from.
        metrics: Counts what comes in.
        limit: How many updates a client may be behind, and how far back it can resume.
    """

    def __init__(self, exchange: Exchange, metrics: ConnectorMetrics, *, limit: int) -> None:
        self.exchange = exchange
        self.metrics = metrics
        self._limit = limit
        self._streams: dict[StreamKey, _SharedStream] = {}

    @property
    def counts(self) -> dict[StreamKey, int]:
        """The streams that are read, and how many clients read each."""
        return {key: stream.clients for key, stream in self._streams.items()}

    @property
    def backlogs(self) -> dict[str, int]:
        """By kind, how many updates the slowest client has not read yet."""
        backlogs = dict.fromkeys(STREAM_KINDS, 0)
        for key, stream in self._streams.items():
            backlogs[key.kind] = max(backlogs[key.kind], *(reader.behind for reader in stream.readers), 0)
        return backlogs

    @property
    def unread_s(self) -> dict[str, float]:
        """By kind, for how long the slowest client has had a response that it has not read."""
        now, waits = time.monotonic(), dict.fromkeys(STREAM_KINDS, 0.0)
        for key, stream in self._streams.items():
            since = min((unread.since for unread in stream.unread if unread.since is not None), default=now)
            waits[key.kind] = max(waits[key.kind], now - since)
        return waits

    async def read(
        self, key: StreamKey, *, symbol: str = "", cursor: Cursor | None = None, unread: Unread | None = None
    ) -> AsyncGenerator[Batch[Entry[Any]], None]:
        """Read a stream, all of it or one symbol's part, until the iterator is closed.

        A stream that fails is subscribed again, at the place where it failed.

        Args:
            key: The stream.
            symbol: The only symbol that is wanted; empty for all.
            cursor: Where to resume.
            unread: What the client was sent and has not read.

        Raises:
            RequestError: The exchange refuses what is asked for.
            StreamOverflow: The client was too slow for a stream that may lose nothing.
        """
        stream = self._streams.get(key)
        if stream is None:
            stream = self._streams[key] = _SharedStream(key, self.metrics)
        stream.clients += 1
        unread = unread or Unread()
        stream.unread.add(unread)
        backoff = Backoff(0.1, _MAX_WAIT_S)
        try:
            while True:
                try:
                    # A subscription is shared, so its requests count for no client.
                    with on_behalf_of(INTERNAL):
                        source = KINDS[key.kind].subscribe(self.exchange, key, symbol, cursor)
                    try:
                        async for batch in self._attach(stream, source, unread):
                            stream.succeeded()
                            backoff.reset()
                            cursor = batch.cursor
                            yield batch
                    finally:
                        await self._detach(stream, source)
                    error: Exception = Unreachable(f"{key}: the stream ended")
                except (RequestError, StreamOverflow):
                    raise
                except Exception as failed:  # noqa: BLE001 - whatever it is, the client waits here while it is tried again
                    error = failed
                wait_s = backoff.next_s(at_least_s=error.retry_after_s if isinstance(error, ExchangeError) else None)
                stream.failed(error, failures=backoff.failures, wait_s=wait_s)
                await asyncio.sleep(wait_s)
        finally:
            stream.clients -= 1
            stream.unread.discard(unread)
            if not stream.clients:
                del self._streams[key]
                self.metrics.forget_stream(str(key))

    def count_updates(self) -> None:
        """Bring the count of the exchange's updates up to date."""
        for stream in self._streams.values():
            stream.count_updates()

    def checks(self) -> list[Check]:
        """Return a failed check for each stream that has been down for a while."""
        down_before_ms = now_ms() - _REPORT_AFTER_MS
        return [
            Check(name=f"stream:{key}", ok=False, reason=stream.last_error, since_ms=stream.down_since_ms)
            for key, stream in self._streams.items()
            if stream.down_since_ms and stream.down_since_ms < down_before_ms
        ]

    def _attach(self, stream: _SharedStream, source: Stream[Any], unread: Unread) -> AsyncIterator[Batch[Entry[Any]]]:
        if not isinstance(source, FeedReader):
            return stream.entries_of(source)
        source.entries.limit = self._limit
        unread.attach(source.entries)
        stream.attach(source.entries)
        return source.entries

    async def _detach(self, stream: _SharedStream, source: Stream[Any]) -> None:
        if isinstance(source, FeedReader):
            stream.detach(source.entries)
        await source.aclose()


class _SharedStream:
    """One stream that clients read: how many there are, and whether it delivers."""

    def __init__(self, key: StreamKey, metrics: ConnectorMetrics) -> None:
        self.clients = 0
        self.readers: set[EntryReader[Any]] = set()
        self.unread: set[Unread] = set()
        self.last_error = ""
        self.down_since_ms = 0
        self._key = key
        self._metrics = metrics
        self._failures = 0
        """The most that one client had in a row."""
        self._connected = False
        self._feed: Feed[Any] | None = None
        self._counted = 0
        metrics.stream_connected(str(key), connected=False)

    def attach(self, reader: EntryReader[Any]) -> None:
        self.count_updates()
        if self._feed is not reader.feed:
            self._feed = reader.feed
            # The snapshot that the first reader gets came from the exchange, too.
            self._counted = reader.feed.published - len(reader.feed.snapshot)
        self.readers.add(reader)

    def detach(self, reader: EntryReader[Any]) -> None:
        self.count_updates()
        self.readers.discard(reader)

    def count_updates(self) -> None:
        if self._feed is not None and self._feed.published > self._counted:
            self._metrics.count_stream(self._key.kind, self._feed.published - self._counted)
            self._counted = self._feed.published

    async def entries_of(self, source: Stream[Any]) -> AsyncIterator[Batch[Entry[Any]]]:
        """Read a stream that comes from no feed here; of each update only the end of its batch is known as a place."""
        async for batch in source:
            self._metrics.count_stream(self._key.kind, len(batch.updates))
            entries = tuple(Entry(update, batch.sequence) for update in batch.updates)
            yield Batch(
                updates=entries,
                epoch=batch.epoch,
                sequence=batch.sequence,
                snapshot=batch.snapshot,
                gap=batch.gap,
            )

    def succeeded(self) -> None:
        """Take in that the stream delivered."""
        if self._connected:
            return
        if self._failures:
            _log.info("stream is back", stream=str(self._key), failures=self._failures)
        self._failures, self.down_since_ms, self.last_error = 0, 0, ""
        self._connected = True
        self._metrics.stream_connected(str(self._key), connected=True)

    def failed(self, error: Exception, *, failures: int, wait_s: float) -> None:
        """Take in a client's failure, its *failures*-th in a row, after which it waits for *wait_s*."""
        self._connected = False
        self._metrics.stream_connected(str(self._key), connected=False)
        self.down_since_ms = self.down_since_ms or now_ms()
        ours = isinstance(error, ExchangeError)
        self.last_error = logging.redact(str(error)) if ours else f"{type(error).__name__}; see the log"
        if failures > self._failures:
            # Once for all clients: they fail alike.
            self._failures = failures
            _log.warning(
                "stream failed",
                stream=str(self._key),
                failures=failures,
                next_in_s=round(wait_s, 3),
                reason=self.last_error,
                exc_info=None if ours else error,
            )
