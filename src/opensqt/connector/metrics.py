"""The connector's Prometheus metrics, one registry per connector, and the page that serves them."""

from __future__ import annotations

import errno
from collections.abc import Callable

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

from opensqt.config.load import ConfigError

_BUCKETS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)


class Metrics:
    """What is counted.

    Args:
        exchange: The label of every stream's gauge.
    """

    def __init__(self, exchange: str) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        self._exchange = exchange
        self._requests = Counter(
            "grpc_requests_total", "Calls answered, by gRPC status", ["method", "status"], registry=self.registry
        )
        self._duration = Histogram(
            "grpc_request_duration_seconds",
            "From a unary call's arrival to its answer",
            ["method"],
            registry=self.registry,
            buckets=_BUCKETS,
        )
        self._connected = Gauge(
            "exchange_stream_connected", "1 while the upstream delivers", ["exchange", "stream"], registry=self.registry
        )
        self._messages = Counter(
            "exchange_stream_messages_total", "Updates from the exchange", ["stream"], registry=self.registry
        )
        self._readers = Gauge("connector_stream_readers", "Clients on streams", registry=self.registry)
        self._unresolved = Gauge(
            "connector_orders_unresolved", "Orders whose outcome is not proven yet", registry=self.registry
        )
        self._leases = Gauge("connector_leases_held", "Leases held by clients", registry=self.registry)
        self._canceling = Gauge(
            "connector_leases_canceling", "Clients whose orders are being canceled", registry=self.registry
        )
        self._leases_ended = Counter("connector_leases_ended_total", "Leases that ran out", registry=self.registry)
        self._serving = Gauge("connector_serving", "1 while health is SERVING", registry=self.registry)

    def count_request(self, method: str, status: str, seconds: float | None = None) -> None:
        """Count one finished call; *seconds* only for a unary one."""
        self._requests.labels(method, status).inc()
        if seconds is not None:
            self._duration.labels(method).observe(seconds)

    def stream_connected(self, stream: str, *, connected: bool) -> None:
        """Tell whether the upstream of a topic delivers."""
        self._connected.labels(self._exchange, stream).set(connected)

    def forget_stream(self, stream: str) -> None:
        """Drop a topic that nobody listens to any more."""
        self._connected.remove(self._exchange, stream)

    def count_stream(self, kind: str, updates: int) -> None:
        """Count updates that came in."""
        self._messages.labels(kind).inc(updates)

    def watch(self, *, readers: Callable[[], float], unresolved: Callable[[], float]) -> None:
        """Say where to look for the figures that are asked for only when the page is."""
        self._readers.set_function(readers)
        self._unresolved.set_function(unresolved)

    def watch_leases(self, *, held: Callable[[], float], canceling: Callable[[], float]) -> None:
        """Say where to look for the figures of the clients' leases."""
        self._leases.set_function(held)
        self._canceling.set_function(canceling)

    def count_ended_lease(self) -> None:
        """Count a lease that ran out."""
        self._leases_ended.inc()

    def serving(self, serving: bool) -> None:
        """Tell whether health is SERVING."""
        self._serving.set(serving)

    def text(self) -> bytes:
        """Answer all of it in Prometheus' text format."""
        return generate_latest(self.registry)


class MetricsPage:
    """Serves `/metrics` over HTTP."""

    def __init__(self, metrics: Metrics, *, host: str, port: int) -> None:
        self._metrics = metrics
        self._host = host
        self._port = port
        self._runner: web.AppRunner | None = None
        self.address = ""

    async def start(self) -> None:
        """Listen.

        Raises:
            ConfigError: The port is in use.
        """
        app = web.Application()
        app.router.add_get("/metrics", self._answer)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self._host, self._port).start()
        except OSError as error:
            await self.close()
            reason = "already in use" if error.errno == errno.EADDRINUSE else f"can't be had: {error.strerror}"
            raise ConfigError(
                f"metrics port {self._port}: {reason}; give another with --metrics-port (0: any)"
            ) from None
        host, port, *_ = self._runner.addresses[0]
        self.address = f"{host}:{port}"

    async def close(self) -> None:
        """Stop listening. Idempotent."""
        if self._runner is not None:
            runner, self._runner = self._runner, None
            await runner.cleanup()

    async def _answer(self, _request: web.Request) -> web.Response:
        return web.Response(body=self._metrics.text(), headers={"Content-Type": CONTENT_TYPE_LATEST})
