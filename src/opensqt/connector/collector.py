"""Metrics that are looked up when the page is asked for, and cost nothing until then."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from opensqt.connector.metrics.registry import ConnectorMetrics
from opensqt.connector.orders.dead_machine import DeadMachineSwitch
from opensqt.connector.streams.readers import StreamReaders
from opensqt.model.errors import ExchangeError
from opensqt.model.exchange import Exchange
from opensqt.model.venue import ExchangeStatus, RateBudget
from opensqt.telemetry.distribution import Distribution
from opensqt.venues.metrics import HasVenueMetrics, VenueMetrics
from opensqt.version import __version__
from opensqt.wire.options import STREAM_KINDS

_ANSWER_WITHIN_S = 1.0
_CONFIGURATION = "configuration:"
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class ScrapeSources:
    """Where to look."""

    exchange: Exchange
    streams: StreamReaders
    status: Callable[[], ExchangeStatus]
    calls_in_flight: Callable[[], int]
    orders_unresolved: Callable[[], int]
    resolution_seconds: Distribution
    journal_commit_seconds: Distribution
    journal_commit_sizes: Distribution
    journal_failures: Callable[[], int]
    loop_lag_seconds: Distribution
    audit_lines_dropped: Callable[[], int] = lambda: 0
    health_watchers_dropped: Callable[[], int] = lambda: 0
    connections_closed: Callable[[], int] = lambda: 0
    dead_machine: DeadMachineSwitch | None = None


class ScrapeCollector(Collector):
    """The metrics that are looked up.

    Args:
        metrics: What is counted; its page gets these, too.
        sources: Where to look.
    """

    def __init__(self, metrics: ConnectorMetrics, sources: ScrapeSources) -> None:
        self._metrics = metrics
        self._from = sources
        self._budget = RateBudget()
        metrics.registry.register(self)

    async def page(self) -> bytes:
        """Write the page."""
        try:
            async with asyncio.timeout(_ANSWER_WITHIN_S):
                self._budget = await self._from.exchange.get_rate_budget()
        except (ExchangeError, TimeoutError):
            # The page is asked for most when things go wrong: it shows all else.
            self._budget = RateBudget()
        self._from.streams.count_updates()
        return self._metrics.text()

    def collect(self) -> Iterable[Metric]:
        """Look everything up."""
        yield from self._process()
        yield from self._streams()
        yield from self._orders()
        yield from self._dead_machine()
        yield from self._health()
        yield from self._limits()
        exchange = self._from.exchange
        yield from _venue(exchange.venue_metrics if isinstance(exchange, HasVenueMetrics) else VenueMetrics())

    def _process(self) -> Iterator[Metric]:
        labels = {"version": __version__, "exchange": self._from.exchange.name}
        yield _gauge("connector_info", "Always 1; what runs here", ("version", "exchange"), {tuple(labels.values()): 1})
        yield _gauge(
            "connector_calls_in_flight", "Unary calls not answered yet", (), {(): self._from.calls_in_flight()}
        )
        dropped = self._from.audit_lines_dropped()
        yield _counter("connector_audit_lines_dropped", "Lines that the audit file will never have", (), {(): dropped})
        slow = self._from.health_watchers_dropped()
        yield _counter("connector_health_watchers_dropped", "Watchers of health that read nothing", (), {(): slow})
        closed = self._from.connections_closed()
        yield _counter("connector_connections_closed", "Connections beyond an address's limit", (), {(): closed})
        lag = self._from.loop_lag_seconds
        yield _histogram("connector_event_loop_lag_seconds", "How late the event loop woke up", (), {(): lag})

    def _streams(self) -> Iterator[Metric]:
        readers = dict.fromkeys(STREAM_KINDS, 0)
        for key, clients in self._from.streams.counts.items():
            readers[key.kind] += clients
        yield _gauge("connector_stream_readers", "Clients on streams", ("kind",), _by_name(readers))
        yield _gauge(
            "connector_stream_backlog",
            "Updates that the slowest client has not taken",
            ("kind",),
            _by_name(self._from.streams.backlogs),
        )
        yield _gauge(
            "connector_stream_unread_seconds",
            "How long the slowest client has had a response that it has not read",
            ("kind",),
            _by_name(self._from.streams.unread_s),
        )
        sizes = _by_name(self._metrics.batch_sizes)
        yield _histogram("connector_stream_batch_size", "Updates written to a client at once", ("kind",), sizes)

    def _orders(self) -> Iterator[Metric]:
        at = self._from
        yield _gauge(
            "connector_orders_unresolved", "Orders whose outcome is not proven yet", (), {(): at.orders_unresolved()}
        )
        yield _histogram(
            "connector_order_resolution_seconds",
            "From when an outcome was unknown until it was proven",
            (),
            {(): at.resolution_seconds},
        )
        yield _histogram(
            "connector_journal_commit_seconds", "One commit of the order journal", (), {(): at.journal_commit_seconds}
        )
        yield _histogram("connector_journal_commit_size", "Changes in one commit", (), {(): at.journal_commit_sizes})
        yield _counter(
            "connector_journal_failures", "Commits of the journal that failed", (), {(): at.journal_failures()}
        )

    def _dead_machine(self) -> Iterator[Metric]:
        switch = self._from.dead_machine
        if switch is None:
            return
        yield _gauge(
            "connector_dead_machine_left_seconds",
            "How long the exchange waits before it cancels orders of lease holders; 0 where it is not armed",
            ("symbol",),
            _by_name(switch.left_s()),
        )
        yield _counter(
            "connector_dead_machine_failures",
            "Attempts to arm or to stop the exchange's countdown that failed",
            (),
            {(): switch.failures},
        )
        yield _counter(
            "connector_dead_machine_canceled_orders",
            "Orders that the exchange canceled because its countdown ran out",
            (),
            {(): switch.elapsed.canceled_orders},
        )

    def _health(self) -> Iterator[Metric]:
        status = self._from.status()
        checks = {check.name: int(check.ok) for check in status.checks}
        yield _gauge("connector_check", "1 while a check of health is ok", ("check",), _by_name(checks))
        stale = {
            check.name.removeprefix(_CONFIGURATION): 1
            for check in status.checks
            if check.name.startswith(_CONFIGURATION)
        }
        yield _gauge(
            "connector_configuration_refused",
            "1 while a file's new content can't be taken up",
            ("source",),
            _by_name(stale),
        )
        ages = {
            channel.name: channel.data_age_ms / 1000 for channel in status.channels if channel.data_age_ms is not None
        }
        yield _gauge(
            "exchange_stream_data_age_seconds", "Since the exchange last sent anything", ("stream",), _by_name(ages)
        )
        offset = status.clock_offset_ms
        yield _gauge(
            "exchange_clock_offset_seconds",
            "The exchange's clock minus ours",
            (),
            {} if offset is None else {(): offset / 1000},
        )

    def _limits(self) -> Iterator[Metric]:
        left = {limit.name: limit.left / limit.limit for limit in self._budget.limits if limit.limit}
        yield _gauge(
            "exchange_rate_budget_left_ratio",
            "What is left of a limit of the exchange, 0 to 1",
            ("limit",),
            _by_name(left),
        )
        yield _gauge(
            "exchange_rate_budget_silent_seconds",
            "How long the exchange still asks for silence",
            (),
            {(): self._budget.silent_s},
        )


def _venue(metrics: VenueMetrics) -> Iterator[Metric]:
    waiting = _by_name(metrics.queued())
    yield _gauge("exchange_requests_waiting", "Requests that wait for the rate budget", ("lane",), waiting)
    waits = _by_name(metrics.queue_seconds)
    yield _histogram("exchange_request_wait_seconds", "A request's wait for the rate budget", ("lane",), waits)
    times = _by_name(metrics.requests)
    yield _histogram(
        "exchange_request_duration_seconds", "From when a request left until it was answered", ("lane",), times
    )
    errors = _by_name(metrics.errors)
    yield _counter("exchange_request_errors", "Requests to the exchange that failed", ("reason",), errors)
    malformed = _by_name({stream: metrics.malformed_frames[stream] for stream in ("market", "private")})
    yield _counter("exchange_malformed_frames", "Frames of the exchange that could not be read", ("stream",), malformed)
    own = _by_name({stream: metrics.own_errors[stream] for stream in ("market", "private")})
    yield _counter("exchange_frame_errors", "Errors of this program in handling a frame", ("stream",), own)
    unhandled = _by_name(metrics.unhandled_events)
    yield _counter("exchange_unhandled_events", "Events of a kind that is not known here", ("kind",), unhandled)
    unread = _by_name(metrics.unreadable_rows)
    yield _counter("exchange_unreadable_rows", "Rows of the exchange that could not be read", ("kind",), unread)
    notices = _by_name(metrics.account_notices)
    yield _counter("exchange_account_notices", "Margin calls, liquidations and switched modes", ("kind",), notices)
    aside = _by_name(metrics.rows_set_aside())
    yield _gauge("exchange_rows_set_aside", "Rows of the exchange that can't be read now", ("kind",), aside)
    yield _gauge(
        "exchange_untradable_held",
        "Symbols that are held or have open orders and do not trade at the exchange",
        ("symbol", "state"),
        dict.fromkeys(metrics.untradable_held().items(), 1),
    )
    opened = _by_name({kind: metrics.connections[kind] for kind in ("market", "private")})
    yield _counter("exchange_connections_opened", "WebSocket connections made to the exchange", ("kind",), opened)


def _by_name(values: Mapping[str, T]) -> dict[tuple[str, ...], T]:
    return {(name,): value for name, value in values.items()}


def _gauge(
    name: str, documentation: str, labels: tuple[str, ...], values: Mapping[tuple[str, ...], float]
) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, documentation, labels=labels)
    for given, value in values.items():
        family.add_metric(given, value)
    return family


def _counter(
    name: str, documentation: str, labels: tuple[str, ...], values: Mapping[tuple[str, ...], float]
) -> CounterMetricFamily:
    family = CounterMetricFamily(name, documentation, labels=labels)
    for given, value in values.items():
        family.add_metric(given, value)
    return family


def _histogram(
    name: str, documentation: str, labels: tuple[str, ...], values: Mapping[tuple[str, ...], Distribution]
) -> HistogramMetricFamily:
    family = HistogramMetricFamily(name, documentation, labels=labels)
    for given, value in values.items():
        family.add_metric(given, value.buckets(), value.total)
    return family
