"""The connector's settings: configs/connector.yaml and the environment."""

from __future__ import annotations

import ipaddress

from pydantic import Field, ValidationInfo, field_validator

from opensqt.config.load import Section
from opensqt.config.venue import VenueSettings


class ServerSettings(Section):
    """How the connector listens and how it treats its clients."""

    insecure: bool = False
    """Allow listening beyond loopback although anybody who reaches the port could then trade."""
    host: str = "127.0.0.1"
    """Address to listen on."""
    port: int = Field(default=50051, ge=0, le=65535)
    """gRPC port; 0 takes any free one."""
    metrics_port: int | None = Field(default=9101, ge=0, le=65535)
    """Port of /metrics; 0 takes any free one, null serves none."""
    linger_s: float = Field(default=10.0, ge=0)
    """Seconds that a stream from the exchange outlives its last client, so that one who comes back can resume."""
    stream_buffer: int = Field(default=8192, ge=16)
    """Updates of one topic that are kept for slow and for returning clients."""
    order_wait_s: float = Field(default=30.0, gt=0)
    """Seconds that an order call waits for a proven outcome; the caller's own deadline wins when it is sooner."""
    health_interval_s: float = Field(default=1.0, gt=0)
    """Seconds between two looks at the exchange's and our own health."""
    drain_s: float = Field(default=2.0, ge=0, le=8)
    """Seconds at least, when stopping, in which health answers NOT_SERVING before the port closes."""

    @field_validator("host")
    @classmethod
    def _loopback_unless_insecure(cls, value: str, info: ValidationInfo) -> str:
        if not info.data.get("insecure") and not _is_loopback(value):
            raise ValueError(
                "whoever reaches this port can trade, so only loopback (127.0.0.1) is allowed;"
                " give --insecure (insecure: true) where the network itself keeps strangers out"
            )
        return value


class JournalSettings(Section):
    """The order journal."""

    path: str = ""
    """SQLite file; empty is data/connector-EXCHANGE.db, or memory with a simulated exchange."""
    keep_days: float = Field(default=7.0, gt=0)
    """Days that the outcome of a closed order is remembered."""


class TelemetrySettings(Section):
    """What is told to those who watch over it."""

    otlp_endpoint: str = ""
    """http://HOST:4317 of an OpenTelemetry collector that is sent traces; empty goes by the OTEL_... variables."""


class ConnectorSettings(Section):
    """All of it."""

    exchange: VenueSettings
    """The account."""
    simulated: bool = False
    """Trade on a simulator inside this process: no key, no network, no money."""
    server: ServerSettings = Field(default_factory=ServerSettings)
    journal: JournalSettings = Field(default_factory=JournalSettings)
    telemetry: TelemetrySettings = TelemetrySettings()
    log_level: str = "INFO"
    """DEBUG, INFO, WARNING or ERROR."""

    @field_validator("log_level")
    @classmethod
    def _known_level(cls, value: str) -> str:
        if value.upper() not in ("DEBUG", "INFO", "WARNING", "ERROR"):
            raise ValueError("expected DEBUG, INFO, WARNING or ERROR")
        return value.upper()

    @property
    def journal_path(self) -> str:
        """Where the journal is; the test network has its own, for its orders are not the account's."""
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
