"""What only OKX has: a passphrase, short pages, and acknowledgements that come before the deed."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from opensqt.model.errors import CredentialsRefused, OutcomeUnknown, PostOnlyWouldCross
from opensqt.model.order import OrderRef, OrderStatus, OrderType, Side, TimeInForce
from opensqt.simulator import Simulator, SimulatorSettings
from opensqt.simulator.engine.order import NewOrder
from opensqt.venues.adapter import VenueAdapter
from opensqt.venues.factory import venue_type
from tests.chaos.adapter_rig import SYMBOL, on_simulator, settings


async def start(**key: Any) -> None:
    """Start and close an adapter on a simulated OKX."""
    simulated = SimulatorSettings(exchange="okx", port=0, past_minutes=10)
    async with Simulator(simulated) as simulator, VenueAdapter(venue_type("okx"), settings(simulator, **key)):
        pass


async def test_a_missing_passphrase_is_told_by_name() -> None:
    with pytest.raises(CredentialsRefused, match="no passphrase for okx: set PASSPHRASE"):
        await start(passphrase="")


async def test_a_wrong_passphrase_is_refused_at_the_start() -> None:
    with pytest.raises(CredentialsRefused, match="50105"):
        await start(passphrase="another")


def order(side: Side, **more: Any) -> NewOrder:
    return NewOrder(symbol=SYMBOL, side=side, quantity=Decimal("0.001"), **more)


async def test_more_trades_than_a_page_holds_are_all_told_once_and_in_order() -> None:
    """F6: 250 of them are three pages."""
    async with on_simulator("okx") as rig:
        begun_ms = rig.simulator.engine.now_ms()
        for number in range(250):
            side = Side.BUY if number % 2 else Side.SELL
            rig.simulator.engine.place("sim-key", order(side, order_type=OrderType.MARKET))
        told = await rig.exchange.list_fills(SYMBOL, since_ms=begun_ms)
        assert [fill.trade_id for fill in told] == [fill["trade_id"] for fill in rig.account["fills"]]


async def test_more_open_orders_than_a_batch_holds_are_all_canceled() -> None:
    """120 of them are two pages of open orders, and six batches."""
    async with on_simulator("okx") as rig:
        price = await rig.far()
        for level in range(120):
            rig.simulator.engine.place("sim-key", order(Side.BUY, price=price - level))
        canceled = await rig.exchange.cancel_all_orders(SYMBOL)
        assert len(canceled) == 120
        assert {one["status"] for one in rig.account["orders"]} == {OrderStatus.CANCELED}
        await rig.agrees()


async def test_more_candles_than_a_page_holds_are_told_without_a_hole() -> None:
    """1,000 of them are four pages."""
    simulated = SimulatorSettings(exchange="okx", port=0, clock="manual")
    async with Simulator(simulated) as simulator, VenueAdapter(venue_type("okx"), settings(simulator)) as exchange:
        bars = [(bar.open_time_ms, bar.close) for bar in simulator.engine.candles(SYMBOL, "1m", limit=1_000)]
        assert len(bars) == 1_000
        told = await exchange.get_historical_klines(SYMBOL, "1m", limit=1_000)
        assert [(bar.open_time_ms, bar.close) for bar in told] == bars
        ends = {"start_ms": bars[10][0], "end_ms": bars[409][0]}
        window = await exchange.get_historical_klines(SYMBOL, "1m", limit=1_000, **ends)
        assert [(bar.open_time_ms, bar.close) for bar in window] == bars[10:410]
        first = await exchange.get_historical_klines(SYMBOL, "1m", limit=5, start_ms=bars[10][0])
        assert [(bar.open_time_ms, bar.close) for bar in first] == bars[10:15]


async def test_a_cancel_that_is_acknowledged_and_not_done_is_no_cancel() -> None:
    """F3: a query that fails, or could not be made, is no proof of absence."""
    async with on_simulator("okx") as rig:
        placed = await rig.exchange.place_order(rig.request(price=await rig.far()))
        rig.fault(kind="ignore", on="cancel_order")
        with pytest.raises(OutcomeUnknown, match="still OPEN"):
            await rig.exchange.cancel_order(OrderRef(symbol=SYMBOL, order_id=placed.order_id))
        assert [one.order_id for one in await rig.exchange.get_open_orders(SYMBOL)] == [placed.order_id]


async def test_a_cancel_is_done_when_the_order_is_closed_and_not_when_it_is_acknowledged() -> None:
    async with on_simulator("okx") as rig:
        placed = await rig.exchange.place_order(rig.request(price=await rig.far()))
        canceled = await rig.exchange.cancel_order(OrderRef(symbol=SYMBOL, order_id=placed.order_id))
        assert canceled.status is OrderStatus.CANCELED


@pytest.mark.parametrize(
    "fault", [{"kind": "hide_orders", "for_ms": 3_000}, {"kind": "error_before", "on": "get_order"}]
)
async def test_a_post_only_order_that_cannot_be_asked_for_is_taken_at_its_acknowledgement(
    fault: dict[str, Any],
) -> None:
    """F1: it was accepted, so that nothing but the stream or a later query may say otherwise."""
    async with on_simulator("okx") as rig:
        rig.fault(**fault)
        request = rig.request(price=await rig.far(), time_in_force=TimeInForce.POST_ONLY)
        placed = await rig.exchange.place_order(request)
        assert (placed.status, placed.client_order_id) == (OrderStatus.OPEN, request.client_order_id)
        await rig.agrees()


async def test_post_only_orders_of_a_batch_that_would_take_are_told_one_by_one() -> None:
    """F18: a post-only order never takes."""
    async with on_simulator("okx") as rig:
        crossing = await rig.front(Side.SELL) + Decimal(1)
        requests = [
            rig.request(price=price, time_in_force=TimeInForce.POST_ONLY) for price in (await rig.far(), crossing)
        ]
        rests, refused = await rig.exchange.batch_place_orders(requests)
        assert getattr(rests, "status", rests) is OrderStatus.OPEN
        assert isinstance(refused, PostOnlyWouldCross)
        assert rig.account["fills"] == []
