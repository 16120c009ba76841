"""Settings of the live server: `configs/live_server.yaml`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator

from opensqt.config.load import Section, Tree, load
from opensqt.config.market_maker import VENUES, ExchangesSettings
from opensqt.config.remote import CLIENT_SHORTCUTS
from opensqt.model.market import INTERVALS_MS

SHORTCUTS: Mapping[str, str] = {
    **CLIENT_SHORTCUTS,
    "SYMBOL": "trading.symbol",
    "PORT": "server.port",
    "LOG_LEVEL": "system.log_level",
}


class LiveServerAppSettings(Section):
    """The source of the data."""

    current_exchange: Literal["remote", "binance", "bitget", "gate", "okx", "bybit"] = "remote"
    """`remote` goes through the connector. A venue's name is development mode: this process holds the keys."""


class WatchedSymbolSettings(Section):
    """The symbol that is shown."""

    symbol: str = Field(default="ETHUSDT", pattern=r"^[A-Z0-9]{2,20}$")
    """One symbol per live server."""


class ChartSettings(Section):
    """The chart."""

    interval: str = "1m"
    """Length of a candle."""
    candles: int = Field(default=100, ge=1, le=1000)
    """Candles that a page gets as it connects."""

    @field_validator("interval")
    @classmethod
    def _known_interval(cls, interval: str) -> str:
        if interval not in INTERVALS_MS:
            raise ValueError(f"expected one of {', '.join(INTERVALS_MS)}")
        return interval


class ProfitSettings(Section):
    """The start of the realized profit."""

    since: date | None = None
    """A day, YYYY-MM-DD, from 00:00 UTC; empty means 7 days before the start."""

    @field_validator("since", mode="before")
    @classmethod
    def _iso_day(cls, value: object) -> object:
        if value in ("", None):
            return None
        try:
            return date.fromisoformat(str(value))
        except ValueError:
            raise ValueError("expected a day such as 2026-01-31") from None

    @property
    def since_ms(self) -> int | None:
        """UTC epoch milliseconds."""
        if self.since is None:
            return None
        return int(datetime(self.since.year, self.since.month, self.since.day, tzinfo=UTC).timestamp()) * 1000


class WebServerSettings(Section):
    """The HTTP server and its clients."""

    host: str = "127.0.0.1"
    """Address to listen on. On another address than loopback every host that can connect sees the account."""
    port: int = Field(default=8081, ge=0, le=65535)
    """0 takes a free port."""
    allowed_hosts: tuple[str, ...] = ()
    """Host names of this server, besides localhost and plain addresses."""
    max_clients: int = Field(default=500, ge=1)
    """Pages open at the same time."""
    stale_after_seconds: float = Field(default=3, gt=0, le=60)
    """A price older than this is marked on the page."""
    refresh_interval: float = Field(default=15, gt=0, le=3600)
    """Seconds between two queries of balance, positions and fills, in addition to their streams."""


class LiveServerSystemSettings(Section):
    """The process."""

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"


class LiveServerSettings(Section):
    """The whole file."""

    app: LiveServerAppSettings = LiveServerAppSettings()
    exchanges: ExchangesSettings = ExchangesSettings()
    trading: WatchedSymbolSettings = WatchedSymbolSettings()
    chart: ChartSettings = ChartSettings()
    profit: ProfitSettings = ProfitSettings()
    server: WebServerSettings = WebServerSettings()
    system: LiveServerSystemSettings = LiveServerSystemSettings()


def load_settings(
    path: Path | None, *, environ: Mapping[str, str] = os.environ, flags: Mapping[str, Any] | None = None
) -> LiveServerSettings:
    """Read the settings file with the environment and then the flags on top.

    Args:
        path: The YAML file; None starts from the defaults.
        environ: The environment.
        flags: As `load` takes them.

    Raises:
        ConfigError: Naming the file, the key and what was expected.
    """
    return load(
        LiveServerSettings, path, environ=environ, shortcuts=SHORTCUTS, flags=flags, prepare=_only_the_used_venue
    )


def _only_the_used_venue(tree: Tree) -> Tree:
    """Return the tree without the keys of unused venues, whose variables need not be set then."""
    app, exchanges = tree.get("app"), tree.get("exchanges")
    used = app.get("current_exchange", "remote") if isinstance(app, dict) else "remote"
    if not isinstance(exchanges, dict):
        return tree
    return {
        **tree,
        "exchanges": {name: value for name, value in exchanges.items() if name in {used} or name not in VENUES},
    }
