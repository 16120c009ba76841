"""Makes the risk controls of a grid from the settings and from what the database holds."""

from __future__ import annotations

from opensqt.config.risk import RiskSettings
from opensqt.market_maker.risk.controls import RiskControls
from opensqt.market_maker.risk.entry_check import EntryCheck
from opensqt.market_maker.risk.settings import (
    BreakerLimits,
    ExposureLimits,
    LossSettings,
    MonitorSettings,
    ReduceLimits,
    RiskLimits,
)


def make_controls(
    settings: RiskSettings, entry_check: EntryCheck, *, symbol: str, stored: str, now: float, now_ms: int
) -> RiskControls:
    """Return the controls, with what an earlier run stored.

    Args:
        settings: The section risk_control.
        entry_check: The safety check.
        symbol: Of the grid.
        stored: What the database holds of the controls; empty for a new one.
        now: Monotonic seconds.
        now_ms: UTC epoch milliseconds at *now*.
    """
    limits = risk_limits(settings) if settings.enabled else RiskLimits()
    controls = RiskControls(limits, entry_check, symbol=symbol, now=now, now_ms=now_ms)
    if settings.enabled:
        controls.restore(stored)
    return controls


def risk_limits(settings: RiskSettings) -> RiskLimits:
    """Return the limits of the settings."""
    breaker, reduce = settings.breaker, settings.auto_reduce
    return RiskLimits(
        exposure=ExposureLimits(
            wallet_symbol=settings.wallet_exposure_limit,
            wallet_total=settings.wallet_exposure_limit_total,
            quote_total=settings.exposure_limit,
            levels=settings.max_levels_held,
        ),
        losses=LossSettings(day=settings.daily_loss_limit, peak=settings.peak_loss_limit),
        breaker=BreakerLimits(
            losses_in_a_row=breaker.losses_in_a_row,
            drawdown=breaker.drawdown,
            drawdown_window_s=float(breaker.drawdown_window_seconds),
            latency_ms=float(breaker.latency_ms),
            reject_rate=breaker.reject_rate,
            window_s=float(breaker.window_seconds),
            least_orders=breaker.least_orders,
            cool_down_s=float(breaker.cool_down_seconds),
        ),
        monitor=MonitorSettings(
            symbols=settings.monitor_symbols,
            interval=settings.interval,
            volume_multiplier=settings.volume_multiplier,
            average_window=settings.average_window,
            recovery_threshold=settings.recovery_threshold,
            any_symbol=settings.global_strategy == "any",
        ),
        reduce=ReduceLimits(share=reduce.share, above=reduce.above, every_s=float(reduce.every_seconds)),
    )
