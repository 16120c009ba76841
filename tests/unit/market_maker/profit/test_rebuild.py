"""The ledger of a grid that traded before there was one."""

from __future__ import annotations

from decimal import Decimal

from opensqt.market_maker.profit.rebuild import rebuilt
from opensqt.model.order import Side
from tests.unit.market_maker.profit.test_ledger import fill


def test_what_was_assigned_to_levels_costs_what_the_profit_leaves() -> None:
    """Found 2 from 95, bought 1 at 90, sold one of the found at 100: 5 earned, 1 from 95 and 1 from 90 held."""
    ledger = rebuilt(
        [fill(Side.BUY, "1", "90"), fill(Side.SELL, "1", "100")],
        since_ms=1,
        position=Decimal(2),
        cost=Decimal(185),
        round_trips=Decimal(5),
        quote_asset="USDT",
    )
    mark = Decimal(97)
    assert ledger.entry.quantity == 2
    assert abs(ledger.trading(mark) - (5 + 2 * mark - 185)) < Decimal("1e-9")
