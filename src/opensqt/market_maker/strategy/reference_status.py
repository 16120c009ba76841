"""The section `reference` of /status: the price that is trusted, its inputs, and why it is held."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from opensqt.market_maker.strategy.reference import PriceGuard


def reference_status(guard: PriceGuard, *, now: float, now_ms: int) -> dict[str, Any]:
    """Return the reference price as JSON, prices as strings.

    Args:
        guard: The guard.
        now: Monotonic seconds.
        now_ms: UTC epoch milliseconds.
    """
    market, data, hold = guard.market, guard.data, guard.hold
    return {
        "price": _text(market.reference) if market else None,
        "highest_buy": _text(market.buy_limit) if market else None,
        "lowest_sell": _text(market.sell_limit) if market else None,
        "last_trade": _text(data.trade.price) if data.trade else None,
        "mark_price": _text(data.mark.mark) if data.mark else None,
        "funding_rate": _text(market.funding_rate) if market else None,
        "next_funding_ms": market.next_funding_ms if market else None,
        "held": hold is not None,
        "held_reason": hold.reason if hold else "",
        "held_since_ms": now_ms - int((now - hold.since) * 1000) if hold else None,
        "holds": guard.holds,
        "missing": [name.value for name in guard.missing],
        "refused": dict(guard.data.refused),
    }


def _text(value: Decimal | None) -> str | None:
    """Plain digits, without the noise of a division."""
    if value is None:
        return None
    text = format(value.quantize(Decimal("1e-12")), "f")
    return text.rstrip("0").rstrip(".")
