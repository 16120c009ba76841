"""The sections of /status on the profit: its parts, funding, closes by the venue, fees without a price, markouts."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from opensqt.market_maker.orders.accounting import Accounting
from opensqt.market_maker.profit.entry import AverageEntry
from opensqt.market_maker.profit.ledger import Amounts
from opensqt.market_maker.profit.markout import HORIZONS_S, Markouts, MarkoutSum
from opensqt.market_maker.profit.report import profit_parts
from opensqt.model.order import Side

WORST_LEVELS = 5
_AT = HORIZONS_S.index(30)


def profit_sections(accounting: Accounting, round_trips: Decimal, text: Callable[[Decimal], str]) -> dict[str, Any]:
    """Return the sections.

    Args:
        accounting: The sums.
        round_trips: Realized by round trip, quote, before fees.
        text: Writes a number.
    """
    ledger = accounting.ledger
    if ledger is None:
        return {"profit": None, "funding": None, "venue_made": {}, "unpriced_fees": {}, "markout": None}
    mark = accounting.valuation_price

    def price_of(entry: AverageEntry) -> str | None:
        return text(entry.price) if entry.price is not None else None

    def amounts(values: Amounts) -> dict[str, str]:
        return {name: text(value) for name, value in values.items()}

    parts = profit_parts(ledger, mark=mark, round_trips=round_trips) if mark is not None else {}
    return {
        "profit": {
            "since_ms": ledger.since_ms,
            "position": text(ledger.position),
            "entry_price": price_of(ledger.entry),
            "short_entry_price": price_of(ledger.short_entry),
            "mark": text(mark) if mark is not None else None,
            **amounts(parts),
            "spread_fills": ledger.spread_fills,
            "foreign_fills": ledger.foreign_fills,
        },
        "funding": {
            "received": text(ledger.funding),
            "payments": ledger.funding_payments,
            "newest_ms": ledger.newest_funding_ms or None,
            "other_assets": amounts(ledger.other_funding),
            "problem": accounting.funding_problem,
        },
        "venue_made": amounts(ledger.venue_made),
        "unpriced_fees": amounts(ledger.unpriced_fees),
        "markout": _markout(accounting.markouts, text),
    }


def _markout(markouts: Markouts, text: Callable[[Decimal], str]) -> dict[str, Any]:
    def row(found: MarkoutSum) -> dict[str, Any]:
        ratio = found.ratio
        return {"fills": found.fills, "gain": text(found.gain), "ratio": text(ratio) if ratio is not None else None}

    sides = {
        side.value: {
            f"{seconds}s": row(markouts.by_side.get((side, horizon), MarkoutSum()))
            for horizon, seconds in enumerate(HORIZONS_S)
        }
        for side in Side
    }
    worst = sorted(
        (found.gain, level, side) for (level, side, horizon), found in markouts.by_level.items() if horizon == _AT
    )[:WORST_LEVELS]
    levels = [{"level": level, "side": side.value, "gain": text(gain)} for gain, level, side in worst if gain < 0]
    return {**sides, f"worst_levels_{HORIZONS_S[_AT]}s": levels}
