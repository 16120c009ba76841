"""Settings of the market maker's risk controls: what limits its entries. Exits are never limited."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field, field_validator

from opensqt.config.load import Section
from opensqt.model.market import INTERVALS_MS

Positive = Annotated[Decimal, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[Decimal, Field(ge=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1)]
Share = Annotated[Decimal, Field(ge=0, le=1, allow_inf_nan=False)]


class BreakerSettings(Section):
    """The circuit breaker: it stops entries for a time. 0 switches a condition off."""

    losses_in_a_row: int = Field(default=10, ge=0)
    """Exits, one after the other, that lost."""
    drawdown: Share = Decimal("0.2")
    """Fall of the account's equity from its highest within the window, as a fraction."""
    drawdown_window_seconds: Positive = Decimal(3600)
    latency_ms: NotNegative = Decimal(5000)
    """Median of the calls that place orders, milliseconds."""
    reject_rate: Share = Decimal("0.5")
    """Orders that the exchange refused for good, as a fraction of all; post-only and margin refusals don't count."""
    window_seconds: Positive = Decimal(60)
    """Of latency and rejects."""
    least_orders: Count = 20
    """Orders in the window below which neither latency nor rejects say anything."""
    cool_down_seconds: Positive = Decimal(900)
    """Seconds after which it closes by itself."""


class AutoReduceSettings(Section):
    """The automatic reduction of the oldest levels, which sells at a loss. Off until asked for."""

    share: Share = Decimal(0)
    """Fraction of the held levels that is offered at the touch, rounded up; 0 is off."""
    above: Annotated[Decimal, Field(gt=0, le=1, allow_inf_nan=False)] = Decimal("0.9")
    """Fraction of a limit on what is held at which it begins."""
    every_seconds: Positive = Decimal(3600)
    """Seconds between two beginnings."""


class RiskSettings(Section):
    """Everything that limits entries, besides the safety check."""

    enabled: bool = True
    """False switches off every limit of this section. The safety check stays."""
    monitor_symbols: tuple[Annotated[str, Field(pattern=r"^[A-Z0-9]{2,20}$")], ...] = (
        "BTCUSDT",
        "ETHUSDT",
        "SOLUSDT",
        "XRPUSDT",
        "DOGEUSDT",
    )
    """Symbols that the risk monitor watches; empty watches none."""
    interval: str = "1m"
    """Of the candles."""
    volume_multiplier: Positive = Decimal(3)
    average_window: int = Field(default=20, ge=2, le=999)
    """Candles, the current one included."""
    recovery_threshold: Count = 3
    """Symbols that must have closed above average with normal volume before an alarm is over."""
    global_strategy: Literal["any", "all"] = "all"
    """Whether one symbol in alarm is enough, or all have to be."""
    wallet_exposure_limit: NotNegative = Decimal(8)
    """Value of the position / wallet balance; 0 is no limit."""
    wallet_exposure_limit_total: NotNegative = Decimal(8)
    """Value of all positions of the account, and of the entries of all symbols of the process, by the wallet balance;
    0 is no limit."""
    exposure_limit: NotNegative = Decimal(0)
    """Value of all positions of the account, and of the entries of all symbols of the process, quote; 0 is no limit."""
    max_levels_held: int = Field(default=0, ge=0)
    """Levels that hold something, live entries included; 0 is no limit."""
    daily_loss_limit: Share = Decimal(0)
    """Loss since 00:00 UTC as a fraction of the equity then; 0 is no limit."""
    peak_loss_limit: Share = Decimal(0)
    """Loss since the highest equity as a fraction of it; 0 is no limit."""
    breaker: BreakerSettings = BreakerSettings()
    auto_reduce: AutoReduceSettings = AutoReduceSettings()

    @field_validator("interval")
    @classmethod
    def _known_interval(cls, interval: str) -> str:
        if interval not in INTERVALS_MS:
            raise ValueError(f"expected one of {', '.join(INTERVALS_MS)}")
        return interval
