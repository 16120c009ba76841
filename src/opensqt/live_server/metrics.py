"""The Prometheus metrics of the live server."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest


class LiveServerMetrics:
    """Counters of one live server, in a registry of their own.

    Args:
        exchange: The venue's name, a label.
    """

    def __init__(self, exchange: str) -> None:
        self._exchange = exchange
        self._live: dict[str, bool] = {}
        self._registry = CollectorRegistry()
        self._connected = Gauge(
            "exchange_stream_connected", "1 while the stream delivers", ["exchange", "stream"], registry=self._registry
        )
        self._received = Counter(
            "exchange_stream_messages", "Updates received from a stream", ["stream"], registry=self._registry
        )
        self._clients = Gauge("live_server_clients", "Pages connected", registry=self._registry)
        self._closed = Counter(
            "live_server_clients_closed",
            "Clients closed by the server: too_slow, refused",
            ["reason"],
            registry=self._registry,
        )
        self._sent = Counter("live_server_messages_sent", "Messages written to clients", registry=self._registry)
        self._price_age = Gauge("live_server_price_age_seconds", "Age of the newest price", registry=self._registry)

    def streamed(self, stream: str, updates: int) -> None:
        """Count updates of a stream; they prove that it is connected."""
        self._live[stream] = True
        self._received.labels(stream).inc(updates)

    def disconnected(self, stream: str) -> None:
        """Record that a stream ended."""
        self._live[stream] = False

    def closed(self, reason: str) -> None:
        """Count a client that was closed by the server."""
        self._closed.labels(reason).inc()

    def sent(self, messages: int) -> None:
        """Count messages written to one client."""
        self._sent.inc(messages)

    def text(self, *, clients: int, connected: bool, price_age_s: float | None) -> bytes:
        """Return all metrics in Prometheus' text format.

        Args:
            clients: Number of connected pages.
            connected: Whether the exchange responds; while it does not, no stream counts as connected.
            price_age_s: Seconds since the newest price was received.
        """
        for stream, live in self._live.items():
            self._connected.labels(self._exchange, stream).set(live and connected)
        self._clients.set(clients)
        self._price_age.set(float("nan") if price_age_s is None else price_age_s)
        return generate_latest(self._registry)
