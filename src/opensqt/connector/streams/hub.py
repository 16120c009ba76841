"""One upstream per topic, however many clients listen: started by the first, closed a little after the last."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from opensqt.connector.metrics.registry import Metrics
from opensqt.connector.streams.frames import Entry, encode
from opensqt.connector.streams.topics import KINDS, Topic
from opensqt.connector.tasks import Tasks
from opensqt.model.clock import now_ms
from opensqt.model.errors import ExchangeError, RequestError, Unreachable
from opensqt.model.exchange import Exchange
from opensqt.model.stream import Batch, Cursor
from opensqt.model.venue import Check
from opensqt.service.backoff import Backoff
from opensqt.streams.feed import Feed, FeedReader
from opensqt.telemetry import logging

_log = logging.get_logger("connector.hub")
_MAX_WAIT_S = 10.0
_TELL_AFTER_MS = 2_000


class Hub:
    """Every topic that somebody listens to.

    Args:
        exchange: Where the updates come from.
        tasks: Owns the upstream readers.
        metrics: Counts what comes in.
        linger_s: How long a topic outlives its last reader, so that one who comes back can resume.
        capacity: Updates of a topic that are kept for slow and for returning readers.
    """

    def __init__(self, exchange: Exchange, tasks: Tasks, metrics: Metrics, *, linger_s: float, capacity: int) -> None:
        self.exchange = exchange
        self.metrics = metrics
        self.capacity = capacity
        self._tasks = tasks
        self._linger_s = linger_s
        self._upstreams: dict[Topic, _Upstream] = {}
        self._closed: ExchangeError | None = None

    @property
    def topics(self) -> dict[Topic, int]:
        """The topics with an upstream, and how many readers each has."""
        return {topic: upstream.feed.readers for topic, upstream in self._upstreams.items()}

    @property
    def feeds(self) -> Mapping[Topic, Feed[Entry]]:
        """What the readers of each topic read."""
        return {topic: upstream.feed for topic, upstream in self._upstreams.items()}

    @asynccontextmanager
    async def subscribe(
        self, topic: Topic, *, symbol: str = "", cursor: Cursor | None = None
    ) -> AsyncIterator[FeedReader[Entry]]:
        """Read a topic, all of it or one symbol's part, until the block is left."""
        if self._closed is not None:
            raise self._closed
        upstream = self._upstreams.get(topic)
        if upstream is None:
            upstream = _Upstream(self, topic)
            self._upstreams[topic] = upstream
            reading = upstream.run(lambda: self._forget(topic))
            upstream.task = self._tasks.spawn(f"upstream:{topic}", reading, shared=True)
        upstream.cancel_linger()
        wanted = (lambda entry: entry.symbol == symbol) if symbol else None
        reader = upstream.feed.subscribe(cursor=cursor, where=wanted)
        try:
            yield reader
        finally:
            await reader.aclose()
            if not upstream.feed.readers and self._upstreams.get(topic) is upstream:
                loop = asyncio.get_running_loop()
                upstream.linger = loop.call_later(self._linger_s, self._close_upstream, topic)

    def checks(self) -> list[Check]:
        """Answer a failed check for each topic whose upstream has been down for a while."""
        told_before_ms = now_ms() - _TELL_AFTER_MS
        return [
            Check(name=f"stream:{topic}", ok=False, reason=upstream.trouble, since_ms=upstream.down_since_ms)
            for topic, upstream in self._upstreams.items()
            if upstream.down_since_ms and upstream.down_since_ms < told_before_ms
        ]

    def close(self, error: ExchangeError) -> None:
        """End every reader, and every later one, with *error*."""
        self._closed = error
        for topic in list(self._upstreams):
            self._upstreams[topic].feed.close(error)
            self._close_upstream(topic)

    def _close_upstream(self, topic: Topic) -> None:
        upstream = self._upstreams[topic]
        upstream.cancel_linger()
        if upstream.task is not None:
            self._tasks.dismiss(upstream.task)
        self._forget(topic)

    def _forget(self, topic: Topic) -> None:
        upstream = self._upstreams.pop(topic, None)
        if upstream is not None:
            upstream.cancel_linger()
            self.metrics.forget_stream(str(topic))


class _Upstream:
    """One topic: its subscription at the exchange and the feed that the clients read."""

    def __init__(self, hub: Hub, topic: Topic) -> None:
        self._hub = hub
        self._topic = topic
        self._kind = KINDS[topic.kind]
        self.feed: Feed[Entry] = Feed(
            key=lambda entry: entry.key,
            keep=lambda entry: entry.keep,
            remember=Entry.remembered,
            conflate=self._kind.conflate,
            capacity=hub.capacity,
            snapshot_limit=self._kind.snapshot_limit,
        )
        self.task: asyncio.Task[None] | None = None
        self.linger: asyncio.TimerHandle | None = None
        self.trouble = ""
        self.down_since_ms = 0
        self._backoff = Backoff(0.1, _MAX_WAIT_S)
        self._connected = False
        hub.metrics.stream_connected(str(topic), connected=False)

    def cancel_linger(self) -> None:
        if self.linger is not None:
            self.linger.cancel()
            self.linger = None

    async def run(self, forget: Callable[[], None]) -> None:
        """Read the exchange's stream for as long as anybody listens, whatever happens to it."""
        cursor: Cursor | None = None
        while True:
            try:
                stream = self._kind.subscribe(self._hub.exchange, self._topic, cursor)
                try:
                    async for batch in stream:
                        self._take(batch)
                        cursor = batch.cursor
                finally:
                    await stream.aclose()
                error: Exception = Unreachable(f"{self._topic}: the stream ended")
            except RequestError as refused:
                # Asking again can't help: each client is told what is wrong with what it asked for.
                forget()
                self.feed.close(refused)
                return
            except Exception as failed:  # noqa: BLE001 - whatever it is, clients wait here while it is tried again
                error = failed
            await asyncio.sleep(self._failed(error))

    def _take(self, batch: Batch[Any]) -> None:
        if not self._connected:
            self._recovered()
        after = self.feed.sequence
        entries = [self._entry(update, after + place) for place, update in enumerate(batch.updates, start=1)]
        self._hub.metrics.count_stream(self._topic.kind, len(entries))
        if batch.snapshot:
            self.feed.replace(entries, gap=batch.gap or self.feed.ready)
        elif batch.gap:
            state = {entry.key: entry for entry in (*self.feed.snapshot, *entries)}
            self.feed.replace(state.values(), gap=True)
        elif entries:
            self.feed.publish(entries)

    def _entry(self, update: Any, number: int) -> Entry:
        kind = self._kind
        keep, state = kind.keep(update), kind.state(update)
        return Entry(
            data=encode(kind.encode(update)),
            key=kind.key(update),
            symbol=kind.symbol(update),
            keep=keep,
            number=number,
            state=encode(kind.encode(state)) if keep and state is not update else None,
        )

    def _recovered(self) -> None:
        if self._backoff.failures:
            _log.info("upstream is back", topic=str(self._topic), failures=self._backoff.failures)
        self._backoff.reset()
        self.down_since_ms, self.trouble = 0, ""
        self._connected = True
        self._hub.metrics.stream_connected(str(self._topic), connected=True)

    def _failed(self, error: Exception) -> float:
        """Note the failure and answer how long to wait before the next attempt."""
        self._connected = False
        self._hub.metrics.stream_connected(str(self._topic), connected=False)
        self.down_since_ms = self.down_since_ms or now_ms()
        ours = isinstance(error, ExchangeError)
        self.trouble = logging.redact(str(error)) if ours else f"{type(error).__name__}; see the log"
        retry_after_s = error.retry_after_s if isinstance(error, ExchangeError) else None
        wait_s = self._backoff.next_s(at_least_s=retry_after_s)
        _log.warning(
            "upstream failed",
            topic=str(self._topic),
            failures=self._backoff.failures,
            next_in_s=round(wait_s, 3),
            reason=self.trouble,
            exc_info=None if ours else error,
        )
        return wait_s
