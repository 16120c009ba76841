"""The connector's settings: configs/connector.yaml and the environment."""

from __future__ import annotations

import ipaddress
from pathlib import Path

from pydantic import Field, ValidationInfo, field_validator

from opensqt.config.load import Section
from opensqt.config.venue import VenueSettings

_SHORTEST_DEAD_MACHINE_S = 10
"""It is renewed every third of the time, and two renewals may fail; it is also the shortest that OKX accepts."""


class ConnectorServerSettings(Section):
    """Listening, clients and limits of the connector."""

    tls_cert_file: Path | None = None
    """PEM file of the server's certificate; empty serves plain text."""
    tls_key_file: Path | None = Field(default=None, validate_default=True)
    """PEM file of its key."""
    tls_client_ca_file: Path | None = None
    """PEM file of an authority; every client then has to show a certificate that it signed."""
    clients_file: Path | None = None
    """Clients that may connect, their roles and limits; `opensqt token` writes it. Empty: every client may trade."""
    insecure: bool = False
    """Allow listening beyond loopback although every host that can connect may then trade, or read tokens."""
    host: str = "127.0.0.1"
    """Address to listen on."""
    port: int = Field(default=50051, ge=0, le=65535)
    """gRPC port; 0 takes any free one."""
    metrics_port: int | None = Field(default=9101, ge=0, le=65535)
    """Port of /metrics; 0 takes any free one, null serves none."""
    metrics_host: str = "127.0.0.1"
    """Address of /metrics. It needs no token and shows volumes: use other addresses only on a protected network."""
    metrics_allowed_hosts: tuple[str, ...] = ()
    """Host names by which /metrics is asked for, besides localhost and plain addresses."""
    linger_s: float = Field(default=10.0, ge=0)
    """Seconds that a market data subscription at the exchange outlives its last client. A client that reconnects in
    this time can resume. `exchange.linger_s` wins where it is given."""
    stream_buffer: int = Field(default=8192, ge=16)
    """Updates of one stream that a client may be behind, and from which it can resume; the exchange's feed keeps
    8,192, of orders as many as this if that is more. `exchange.order_buffer` wins where it is given."""
    order_wait_s: float = Field(default=30.0, gt=0)
    """Seconds that an order call waits for a proven outcome; the caller's own deadline wins when it is sooner."""
    health_interval_s: float = Field(default=1.0, gt=0)
    """Seconds between two evaluations of the health of exchange and connector."""
    drain_s: float = Field(default=2.0, ge=0, le=8)
    """Seconds at least, when stopping, in which health answers NOT_SERVING before the port closes."""
    max_calls_in_flight: int = Field(default=256, ge=1)
    """Unary calls that one client may have in flight; one more is refused with RESOURCE_EXHAUSTED. The same number of
    cancels and heartbeats is allowed in addition."""
    max_streams: int = Field(default=1000, ge=1)
    """Streams that one client may have open."""
    max_connections: int = Field(default=1000, ge=1)
    """Connections that one address may have; what comes beyond is closed within a second."""
    dead_machine_s: int = Field(default=0, ge=0, le=120)
    """Seconds after which the exchange itself cancels the orders of clients that hold a lease, when this machine is not
    heard of any more; 0 is off, else 10 to 120. It is off unless asked for, because the countdown of most exchanges
    reaches further than our own orders: docs/connector.md."""
    audit_file: Path | None = None
    """Every trading call as one line of JSON, appended; empty leaves the audit to the log."""

    @field_validator("tls_cert_file", "tls_key_file", "tls_client_ca_file", "clients_file", "audit_file", mode="before")
    @classmethod
    def _empty_is_none(cls, value: object) -> object:
        return None if value == "" else value

    @field_validator("dead_machine_s")
    @classmethod
    def _long_enough_to_be_renewed(cls, value: int) -> int:
        if 0 < value < _SHORTEST_DEAD_MACHINE_S:
            raise ValueError(f"expected 0 (off) or {_SHORTEST_DEAD_MACHINE_S} to 120 seconds")
        return value

    @field_validator("tls_key_file")
    @classmethod
    def _a_pair(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        if (value is None) is not (info.data.get("tls_cert_file") is None):
            raise ValueError("expected together with tls_cert_file, or neither of the two")
        return value

    @field_validator("tls_client_ca_file")
    @classmethod
    def _only_with_tls(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        if value is not None and info.data.get("tls_cert_file") is None:
            raise ValueError(
                "expected tls_cert_file and tls_key_file with it: without TLS no client shows a certificate"
            )
        return value

    @field_validator("host")
    @classmethod
    def _loopback_unless_protected(cls, value: str, info: ValidationInfo) -> str:
        given = info.data
        known = given.get("clients_file") is not None or given.get("tls_client_ca_file") is not None
        # A token sent in plain text can be read on the network, so a token alone is no protection.
        if not (_is_loopback(value) or given.get("insecure") or (given.get("tls_cert_file") is not None and known)):
            raise ValueError(
                "every host that can connect to this port may trade, so only loopback (127.0.0.1) is allowed without"
                " TLS (tls_cert_file, tls_key_file) and either clients_file or tls_client_ca_file;"
                " give --insecure (insecure: true) where the network itself keeps strangers out"
            )
        return value


class JournalSettings(Section):
    """The order journal."""

    path: str = ""
    """SQLite file; empty is data/connector-EXCHANGE.db, or memory with a simulated exchange."""
    keep_days: float = Field(default=7.0, gt=0)
    """Days that the outcome of a closed order is remembered."""


class ConnectorTelemetrySettings(Section):
    """Telemetry of the connector."""

    otlp_endpoint: str = ""
    """http://HOST:4317 of an OpenTelemetry collector for the traces; empty uses the OTEL_... variables."""


class ConnectorSettings(Section):
    """The whole file."""

    exchange: VenueSettings
    """The account."""
    simulated: bool = False
    """Trade on a simulator inside this process: no key, no network, no money."""
    server: ConnectorServerSettings = Field(default_factory=ConnectorServerSettings)
    journal: JournalSettings = Field(default_factory=JournalSettings)
    telemetry: ConnectorTelemetrySettings = ConnectorTelemetrySettings()
    log_level: str = "INFO"
    """DEBUG, INFO, WARNING or ERROR."""

    @field_validator("log_level")
    @classmethod
    def _known_level(cls, value: str) -> str:
        if value.upper() not in ("DEBUG", "INFO", "WARNING", "ERROR"):
            raise ValueError("expected DEBUG, INFO, WARNING or ERROR")
        return value.upper()

    @property
    def venue(self) -> VenueSettings:
        """The account as the connector runs it: how long and how much it keeps follows from what clients may have."""
        # The connector itself reads the orders, too: a client's small buffer leaves it the whole one.
        kept = max(self.server.stream_buffer, self.exchange.order_buffer)
        follows = {"linger_s": self.server.linger_s, "order_buffer": kept}
        given = self.exchange.model_fields_set
        return self.exchange.model_copy(update={name: value for name, value in follows.items() if name not in given})

    @property
    def journal_path(self) -> str:
        """Path of the journal. The test network has its own, because its orders are not the account's."""
        if self.journal.path:
            return self.journal.path
        if self.simulated or self.exchange.public_only:
            return ":memory:"
        return f"data/connector-{self.exchange.name}{'-testnet' if self.exchange.testnet else ''}.db"


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
