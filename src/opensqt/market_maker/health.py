"""Why a grid does not trade as it should, in plain sentences."""

from __future__ import annotations

from opensqt.market_maker.engine import Engine, Phase

PATIENCE_S = 60.0
"""An order whose outcome or fills can't be found for this long is told as a problem."""


def problems(engine: Engine, now: float) -> list[str]:
    """Say why the grid does not trade as it should; empty when it does."""
    found = []
    if engine.phase is Phase.STARTING:
        found.append(f"starting: {engine.reconcile_error or 'the exchange state is not compared yet'}")
    if engine.price is None or now - engine.price_at > engine.settings.price_max_age_s:
        age = "none came yet" if engine.price is None else f"the last came {now - engine.price_at:.0f} s ago"
        found.append(f"stale price: {age}")
    if engine.halted:
        found.append(f"halted: {engine.halted}")
    if engine.reconcile_error and engine.phase is not Phase.STARTING:
        found.append(f"reconcile: {engine.reconcile_error}")
    if engine.desk.order_backoff.until > now:
        found.append(f"orders paused: {engine.desk.pause_reason}")
    live = engine.state.live_orders()
    doubtful = [one for one in live if one.status.is_in_flight and now - one.since > PATIENCE_S]
    if doubtful:
        found.append(f"outcome unknown of {', '.join(order.client_order_id for order in doubtful)}")
    if engine.missing_since is not None and now - engine.missing_since > PATIENCE_S:
        found.append(f"fills missing for {', '.join(sorted(engine.desk.missing))}")
    return found
