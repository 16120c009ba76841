"""What the connector counts as it happens, one registry per connector; what is only looked up stands in `collector`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

from opensqt.telemetry.distribution import SIZES, Distribution
from opensqt.wire.options import STREAM_KINDS

_BUCKETS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)


class ConnectorMetrics:
    """What is counted.

    Args:
        exchange: The label of every stream's gauge.
    """

    def __init__(self, exchange: str) -> None:
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        GCCollector(registry=registry)
        self.batch_sizes = {kind: Distribution(SIZES) for kind in STREAM_KINDS}
        """Updates in one batch, by the kind of its stream. A batch a client is too often for a Histogram's lock."""
        self._exchange = exchange
        self._requests = Counter(
            "grpc_requests_total", "Calls answered, by gRPC status", ["method", "status"], registry=registry
        )
        self._duration = Histogram(
            "grpc_request_duration_seconds",
            "From a unary call's arrival to its answer",
            ["method"],
            registry=registry,
            buckets=_BUCKETS,
        )
        self._errors = Counter(
            "connector_call_errors_total", "Calls that failed, by their reason", ["reason"], registry=registry
        )
        self._orders = Counter(
            "connector_orders_total",
            "Orders by what became of their call",
            ["call", "outcome"],
            registry=registry,
        )
        self._connected = Gauge(
            "exchange_stream_connected", "1 while the upstream delivers", ["exchange", "stream"], registry=registry
        )
        self._messages = Counter(
            "exchange_stream_messages_total", "Updates from the exchange", ["stream"], registry=registry
        )
        self._gaps = Counter("connector_stream_gaps_total", "Gaps reported to clients", ["kind"], registry=registry)
        self._overflows = Counter(
            "connector_stream_overflows_total", "Streams ended for a reader too slow", ["kind"], registry=registry
        )
        self._leases = Gauge("connector_leases_held", "Leases held by clients", registry=registry)
        self._canceling = Gauge(
            "connector_leases_canceling", "Clients whose orders are being canceled", registry=registry
        )
        self._halts = Gauge("connector_halts", "Halts of trading that stand", registry=registry)
        self._leases_ended = Counter("connector_leases_ended_total", "Leases that ran out", registry=registry)
        self._serving = Gauge("connector_serving", "1 while health is SERVING", registry=registry)
        Gauge("connector_asyncio_tasks", "Tasks of the event loop", registry=registry).set_function(_tasks)
        for kind in STREAM_KINDS:
            # There from the start, so that the first one is seen as a rise.
            self._gaps.labels(kind)
            self._overflows.labels(kind)
        self._counts: dict[tuple[str, str], Counter] = {}
        self._order_counts: dict[tuple[str, str], Counter] = {}
        self._times: dict[str, Histogram] = {}

    def count_request(self, method: str, status: str, seconds: float | None = None) -> None:
        """Count one finished call; *seconds* only for a unary one."""
        # Looking a child up by its labels costs more than counting.
        count = self._counts.get((method, status))
        if count is None:
            count = self._counts[method, status] = self._requests.labels(method, status)
        count.inc()
        if seconds is not None:
            times = self._times.get(method)
            if times is None:
                times = self._times[method] = self._duration.labels(method)
            times.observe(seconds)

    def count_error(self, reason: str) -> None:
        """Count a call that failed."""
        self._errors.labels(reason).inc()

    def count_orders(self, call: str, outcomes: Mapping[str, int]) -> None:
        """Count the orders of a trading call; *call* is place or cancel."""
        for outcome, orders in outcomes.items():
            count = self._order_counts.get((call, outcome))
            if count is None:
                count = self._order_counts[call, outcome] = self._orders.labels(call, outcome)
            count.inc(orders)

    def stream_connected(self, stream: str, *, connected: bool) -> None:
        """Record whether a stream delivers."""
        self._connected.labels(self._exchange, stream).set(connected)

    def forget_stream(self, stream: str) -> None:
        """Drop a stream that no client reads any more."""
        self._connected.remove(self._exchange, stream)

    def count_stream(self, kind: str, updates: int) -> None:
        """Count updates that came in."""
        self._messages.labels(kind).inc(updates)

    def count_gap(self, kind: str) -> None:
        """Count a gap that was reported to a client."""
        self._gaps.labels(kind).inc()

    def count_overflow(self, kind: str) -> None:
        """Count a stream that ended because its reader was too slow."""
        self._overflows.labels(kind).inc()

    def watch_leases(self, *, held: Callable[[], float], canceling: Callable[[], float]) -> None:
        """Set where the numbers of the clients' leases are looked up."""
        self._leases.set_function(held)
        self._canceling.set_function(canceling)

    def watch_halts(self, standing: Callable[[], float]) -> None:
        """Say where to look for the number of halts."""
        self._halts.set_function(standing)

    def count_ended_lease(self) -> None:
        """Count a lease that ran out."""
        self._leases_ended.inc()

    def serving(self, serving: bool) -> None:
        """Record whether health is SERVING."""
        self._serving.set(serving)

    def text(self) -> bytes:
        """Write the page."""
        return generate_latest(self.registry)


def _tasks() -> float:
    try:
        return len(asyncio.all_tasks())
    except RuntimeError:  # no loop runs here, so it has no tasks
        return 0
