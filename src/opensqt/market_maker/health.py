"""The reasons why a grid does not trade as it should."""

from __future__ import annotations

from collections.abc import Collection

from opensqt.market_maker.engine import GridEngine
from opensqt.market_maker.engine_settings import Phase
from opensqt.market_maker.risk import report
from opensqt.model.venue import ExchangeStatus

CONNECTING = "starting: connecting to the exchange"
"""The problem of a process whose grid is not there yet."""
REPORT_AFTER_S = 60.0
"""An order whose outcome is unknown or whose fills are missing for longer than this is reported as a problem."""


def problems(engine: GridEngine, now: float) -> list[str]:
    """Return the reasons why the grid does not trade as it should; empty when it does."""
    found = []
    if engine.phase is Phase.STARTING:
        found.append(f"starting: {engine.reconcile_error or 'the exchange state is not compared yet'}")
    if engine.market is None:
        found.append(f"stale price: {engine.prices.hold.reason if engine.prices.hold else 'none received yet'}")
    elif now - engine.price_at > engine.settings.price_max_age_s:
        found.append(f"stale price: the last one is {now - engine.price_at:.0f} s old")
    found += engine.prices.problems(now)
    if engine.store_problem:
        found.append(engine.store_problem)
    if engine.halt_reason:
        found.append(f"halted: {engine.halt_reason}")
    found += report.problems(engine.risk)
    found += engine.course.problems()
    if engine.reconcile_error and engine.phase is not Phase.STARTING:
        found.append(f"reconcile: {engine.reconcile_error}")
    if engine.orders.order_backoff.until > now:
        found.append(f"orders paused: {engine.orders.pause_reason}")
    found += engine.plausible.problems(now)
    found += engine.orders.refusals.problems(now)
    if engine.orders.margin_backoff.failures > 1:
        wait_s = max(0.0, engine.orders.margin_backoff.until - now)
        text = "insufficient margin: one entry is tried in"
        found.append(f"{text} {wait_s:.0f} s; add margin, or lower trading.order_quantity or trading.buy_window_size")
    live = engine.state.live_orders()
    unresolved = [order for order in live if order.status.is_in_flight and now - order.since > REPORT_AFTER_S]
    if unresolved:
        found.append(f"outcome unknown of {', '.join(order.client_order_id for order in unresolved)}")
    if engine.missing_since is not None and now - engine.missing_since > REPORT_AFTER_S:
        found.append(f"fills missing for {', '.join(sorted(engine.orders.missing_fills))}")
    return found


def venue_problems(venue: ExchangeStatus, symbol: str, watched: Collection[str] = ()) -> list[str]:
    """Return what is wrong with the exchange and the way to it, as far as it concerns one grid.

    A stream of another symbol is the business of the grid, or of the client, that trades it.

    Args:
        venue: Its checks.
        symbol: Of the grid.
        watched: Symbols whose candles the risk monitor reads.
    """
    failed = [check for check in venue.checks if not check.ok and _concerns(check.name, symbol, watched)]
    return [f"{check.name}: {check.reason}" for check in failed]


def _concerns(name: str, symbol: str, watched: Collection[str]) -> bool:
    """Return whether a check, such as `market_data:kline:BTCUSDT:1m` or `venue`, concerns the grid of a symbol."""
    _, *topic = name.split(":")
    if len(topic) < 2:
        return True
    kind, of = topic[:2]
    return of == symbol or (kind == "kline" and of in watched)
