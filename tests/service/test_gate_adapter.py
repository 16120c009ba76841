"""What Gate does differently, proven by its adapter on the simulator."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import pytest

from opensqt.config.venue import VenueSettings
from opensqt.model import client_order_id
from opensqt.model.account import PositionMode
from opensqt.model.errors import OrderNotFound
from opensqt.model.exchange import Exchange
from opensqt.model.order import OrderRef, OrderRequest, OrderType, PositionSide, Side
from opensqt.simulator import Simulator
from opensqt.simulator.faults import Fault
from opensqt.simulator.settings import AccountSettings, SymbolSettings
from opensqt.venues.factory import create_exchange
from tests.service.venue_clients import below, settings

SYMBOL = "BTCUSDT"


@asynccontextmanager
async def gate(*, recv_window_ms: int = 60_000, **simulated: Any) -> AsyncIterator[tuple[Simulator, Exchange]]:
    """A started adapter on a simulator whose market stands still."""
    fields: dict[str, Any] = {"exchange": "gate", "clock": "manual", "past_minutes": 10}
    async with Simulator(settings(**(fields | simulated))) as simulator:
        made = VenueSettings(
            name="gate", api_key="sim-key", secret="sim-secret", base_url=simulator.url, recv_window_ms=recv_window_ms
        )  # type: ignore[arg-type]
        exchange = create_exchange(made)
        await exchange.start()
        try:
            yield simulator, exchange
        finally:
            await exchange.close()


def order(side: Side, quantity: str = "0.010", **more: Any) -> OrderRequest:
    fields: dict[str, Any] = {"order_type": OrderType.MARKET, "client_order_id": client_order_id.new("ga")}
    return OrderRequest(symbol=SYMBOL, side=side, quantity=Decimal(quantity), **(fields | more))


async def test_a_late_order_is_refused_and_is_signed_and_sent_again() -> None:
    """F1: without an expiry the venue would accept the order for a minute."""
    async with gate(recv_window_ms=2_000) as (simulator, exchange):
        simulator.faults.add(Fault(kind="delay", on="place_order", delay_ms=2_500))
        placed = await exchange.place_order(order(Side.BUY))
        (found,) = simulator.engine.orders("sim-key")
        assert (found.order_id, simulator.statistics.requests["place_order"]) == (placed.order_id, 2)
        assert simulator.statistics.refused["REQUEST_EXPIRED"] == 1


async def test_a_closing_fill_has_its_profit_though_the_market_is_ahead_of_the_clock() -> None:
    """F36: the market's time is not the venue's clock."""
    async with gate() as (simulator, exchange):
        stream = exchange.subscribe_orders(SYMBOL)
        await anext(stream)
        await simulator.advance(180_000)
        await exchange.place_order(order(Side.BUY))
        await exchange.place_order(order(Side.SELL, reduce_only=True))
        earned: dict[str, Decimal] = {}
        async for batch in stream:
            earned |= {one.fill.trade_id: one.fill.realized_pnl for one in batch.updates if one.fill}
            if len(earned) == len(simulator.engine.fills("sim-key")):
                break
        assert earned == {fill.trade_id: fill.realized_pnl for fill in simulator.engine.fills("sim-key")}
        assert sum(earned.values()) < 0


@pytest.mark.parametrize("multiplier", ["0.0001", "0.001", "1", "10", "1000"])
async def test_contracts_of_every_size_become_coins(multiplier: str) -> None:
    """F11: through orders, fills, books, candles and positions."""
    step = Decimal(multiplier)
    rules = SymbolSettings(
        symbol=SYMBOL, base_asset="BTC", price_step=Decimal("0.0001"), quantity_step=step, min_quantity=step,
        max_quantity=step * 1_000_000, start_price=Decimal("0.5"), min_notional=Decimal(0),
        touch_notional=step * 50,
    )  # fmt: skip
    async with gate(symbols=(rules,)) as (simulator, exchange):
        placed = await exchange.place_order(order(Side.SELL, str(step * 3)))
        (fill, *more) = await exchange.list_fills(SYMBOL, since_ms=0)
        (position,) = await exchange.get_positions(SYMBOL)
        price = await exchange.get_latest_price(SYMBOL)
        best = simulator.engine.best(SYMBOL)
        assert (placed.quantity, placed.filled_quantity, position.quantity) == (step * 3, step * 3, step * -3)
        assert fill.quantity + sum((one.quantity for one in more), Decimal(0)) == step * 3
        assert (price.bid_quantity, price.ask_quantity) == (best.bid_quantity, best.ask_quantity)
        (candle,) = await exchange.get_historical_klines(SYMBOL, "1m", limit=1)
        assert candle.volume == simulator.engine.candles(SYMBOL, "1m", limit=1)[0].volume


async def test_in_dual_mode_a_closing_fill_names_its_position() -> None:
    """F12: the sign and the side of a position are kept, and flat is an explicit zero.
    F20: hedge mode and one-way mode are never mixed up.
    """
    async with gate(accounts=(AccountSettings(position_mode=PositionMode.HEDGE),)) as (_, exchange):
        await exchange.place_order(order(Side.BUY, position_side=PositionSide.LONG))
        await exchange.place_order(order(Side.SELL, "0.004", position_side=PositionSide.SHORT))
        await exchange.place_order(order(Side.SELL, "0.003", position_side=PositionSide.LONG))
        held = {one.position_side: one.quantity for one in await exchange.get_positions(SYMBOL)}
        assert held == {PositionSide.LONG: Decimal("0.007"), PositionSide.SHORT: Decimal("-0.004")}
        fills = await exchange.list_fills(SYMBOL, since_ms=0)
        assert [(fill.side, fill.position_side) for fill in fills][-1] == (Side.SELL, PositionSide.LONG)


async def test_an_id_that_is_a_path_reaches_nothing() -> None:
    """F30: `/..` behind an order's path would name all orders."""
    async with gate() as (simulator, exchange):
        kept = await exchange.place_order(order(Side.BUY, order_type=OrderType.LIMIT, price=below(simulator)))
        for ref in (OrderRef(symbol=SYMBOL, order_id=".."), OrderRef(symbol=SYMBOL, client_order_id="x/..")):
            with pytest.raises(OrderNotFound):
                await exchange.cancel_order(ref)
        assert [one.order_id for one in simulator.engine.open_orders("sim-key")] == [kept.order_id]
