"""Trades in the venue's order, however they arrive."""

from __future__ import annotations

import random
from dataclasses import replace
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from opensqt.market_maker.profit.ledger import ProfitLedger
from opensqt.market_maker.profit.sequence import CountedTrade, TradeSequence
from opensqt.model.order import Fill
from tests.unit.market_maker.profit.test_ledger import EMPTY, fills


def numbered(trades: list[tuple[Fill, bool]]) -> list[tuple[Fill, bool]]:
    """Two trades in each millisecond of the venue."""
    return [
        (replace(trade, trade_id=str(number), event_time_ms=number // 2), foreign)
        for number, (trade, foreign) in enumerate(trades)
    ]


@given(st.lists(st.tuples(fills, st.booleans()), max_size=20), st.randoms(use_true_random=False), st.integers(0, 20))
def test_any_order_of_arrival_and_a_restart_give_the_same_ledger(
    trades: list[tuple[Fill, bool]], dice: random.Random, restart_at: int
) -> None:
    """F50 F8: the parts are those of the venue's order, and so is what each trade realized."""
    in_order = numbered(trades)
    expected = _count(in_order, restart_at=-1)
    mixed = dice.sample(in_order, len(in_order))
    assert _count(mixed, restart_at) == expected


def _count(trades: list[tuple[Fill, bool]], restart_at: int) -> tuple[ProfitLedger, dict[str, Decimal]]:
    ledger, sequence = EMPTY, TradeSequence()
    realized: dict[str, tuple[Fill, bool, Decimal]] = {}
    for number, (trade, foreign) in enumerate(trades):
        if number == restart_at:
            stored = [CountedTrade(fill=one, foreign=who, realized=part) for one, who, part in realized.values()]
            sequence = TradeSequence(stored)
        ledger, part, changed = sequence.insert(ledger, trade, foreign=foreign)
        realized[trade.trade_id] = (trade, foreign, part)
        for other in changed:
            realized[other.fill.trade_id] = (other.fill, other.foreign, other.realized)
    kinds = {kind: part for kind, part in ledger.venue_made.items() if part}
    return replace(ledger, venue_made=kinds), {name: part for name, (_, _, part) in realized.items()}
