"""A market whose mark price stays away for good: what is held keeps its way out, on real sockets."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from opensqt.market_maker.orders.ids import OrderIds
from opensqt.market_maker.service import MarketMaker
from opensqt.model.order import Side
from opensqt.simulator import Simulator
from tests.service.grid_rig import SYMBOL, Ledger, running, simulator, unchanged_for_a_second
from tests.support import eventually

FOR_GOOD_MS = 3_600_000
GUARD = {"exits_after_seconds": "3"}


def exits(ledger: Ledger, maker: MarketMaker) -> dict[int, Decimal]:
    """Level to price of the open orders that close, each with the flags of an exit."""
    mode = maker.engine.settings.grid.mode
    found = {}
    for order in ledger.open_orders:
        name = OrderIds("SQ1", SYMBOL).read(order["client_order_id"])
        if name is None or Side(order["side"]) in mode.opens:
            continue
        assert order["reduce_only"], order
        assert order["time_in_force"] == "POST_ONLY", order
        found[name.level] = Decimal(order["price"])
    return found


def own_levels(maker: MarketMaker) -> dict[int, Decimal]:
    """Level to the price one level further on, of all that is held."""
    state = maker.engine.state
    assert state.grid is not None
    held = {level: slot.quantity for level, slot in state.slots.items() if slot.quantity}
    return {level: state.grid.price_of(level + (1 if quantity > 0 else -1)) for level, quantity in held.items()}


def all_offered(ledger: Ledger, maker: MarketMaker, least: int) -> bool:
    """Whether each held level has an exit at its own level's price."""
    held = own_levels(maker)
    return len(held) >= least and exits(ledger, maker) == held and maker.engine.prices.hold is not None


def leave(sim: Simulator, side: Side) -> None:
    """Have book and trades leave the mark price by two percent, for good."""
    sim.market.flash_move(SYMBOL, side, Decimal("0.02"), FOR_GOOD_MS)


@pytest.mark.parametrize(("mode", "side"), [("long", Side.SELL), ("short", Side.BUY)])
async def test_levels_that_fill_in_a_disputed_price_are_offered_after_a_restart_too(
    tmp_path: Path, mode: str, side: Side
) -> None:
    """F40, F41: book and mark stay 2 % apart: what filled on the way had no exit, neither then nor after a restart."""
    async with simulator() as sim:
        ledger = Ledger(sim)
        given = {"grid_mode": mode, "price_guard": GUARD, "buy_window_size": "4", "sell_window_size": "4"}
        async with running(sim, tmp_path / "grid.db", **given) as maker:
            await eventually(lambda: len(ledger.open_orders) >= 4)
            leave(sim, side)
            await eventually(lambda: all_offered(ledger, maker, 4), what="exits at their own level's price")
            assert len(ledger.open_orders) == len(exits(ledger, maker)), "entries stay held"
        assert not ledger.open_orders
        async with running(sim, tmp_path / "grid.db", **given) as maker:
            assert maker.engine.market is None
            await eventually(lambda: all_offered(ledger, maker, 4), what="exits after a restart")
            assert await unchanged_for_a_second(sim, lambda: len(ledger.account["orders"]))
            assert len(ledger.open_orders) == len(exits(ledger, maker)), "entries stay held"
