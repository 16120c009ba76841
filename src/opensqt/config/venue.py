"""Settings of an adapter: one account on one venue."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field, SecretStr, field_validator

from opensqt.config.load import Section
from opensqt.model.account import PositionMode


class VenueSettings(Section):
    """One account on one venue, with timeouts and intervals."""

    name: str
    """binance, bitget, gate, okx or bybit."""
    api_key: SecretStr = SecretStr("")
    secret: SecretStr = SecretStr("")
    passphrase: SecretStr = SecretStr("")
    """Only for the venues that require one: Bitget and OKX."""
    testnet: bool = False
    """Use the venue's test network."""
    region: str = "global"
    """Where the account is registered: global, or a region of the venue that has hosts of its own (docs/venues.md)."""
    base_url: str = ""
    """http://HOST:PORT of a running simulator; empty is the venue itself. WebSocket addresses follow from it."""
    public_only: bool = False
    """Market data only: no key is needed and order calls are refused."""
    symbols: tuple[str, ...] = ()
    """Symbols to watch for fills from the start; others are added with their first order or position."""
    leverage: Mapping[str, int] = Field(default_factory=dict)
    """Leverage to set and to verify at start, by symbol; the others are left as they are."""
    position_mode: PositionMode | None = None
    """The mode to switch to at start (refused with a position open); None leaves the account's own."""
    recv_window_ms: int = Field(default=5_000, ge=100, le=60_000)
    """Milliseconds after its timestamp in which the venue accepts a signed request."""
    request_timeout_s: float = Field(default=10.0, gt=0)
    """Seconds without a response after which a request has failed."""
    reconcile_interval_s: float = Field(default=5.0, gt=0)
    """Seconds between two comparisons of orders, positions and fills with the venue."""
    stale_after_s: float = Field(default=10.0, gt=0)
    """Seconds without data after which a channel is checked, and replaced when the venue has newer data."""
    linger_s: float = Field(default=5.0, ge=0)
    """Seconds that a market data subscription outlives its last reader."""
    order_buffer: int = Field(default=8192, ge=16)
    """Updates of the account's orders that a reader may be behind, and from which it can resume."""
    clock_interval_s: float = Field(default=60.0, gt=0)
    """Seconds between two measurements of the venue's clock."""
    rules_interval_s: float = Field(default=300.0, gt=0)
    """Seconds between two loads of the symbol rules, which show a symbol that stops or begins to trade."""
    key_renewal_s: float = Field(default=1_200.0, gt=0)
    """Seconds between two renewals of a private stream's key, where the venue uses one."""
    visibility_margin_s: float = Field(default=5.0, ge=0)
    """Seconds after its acceptance in which an order may be missing in the venue's queries."""

    @field_validator("region")
    @classmethod
    def _lower_case(cls, value: str) -> str:
        return value.strip().lower() or "global"

    @field_validator("base_url")
    @classmethod
    def _http_address(cls, value: str) -> str:
        if value and not value.startswith(("http://", "https://")):
            raise ValueError("expected http://HOST:PORT")
        return value.rstrip("/")
