"""Canceling; an order that had ended before is returned as it ended."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from opensqt.model.errors import OrderNotFound, TradingHalted, UnknownSymbol
from opensqt.model.order import ClosedBy, CloseReason, Order, OrderRef, OrderStatus, Side
from opensqt.testing.contract.bench import LOT, OTHER_SYMBOL, SYMBOL, Bench, ref, venue_ref

BY_EITHER_ID = pytest.mark.parametrize("named", [ref, venue_ref], ids=["client id", "order id"])
Named = Callable[[Order], OrderRef]
MISSING = [OrderRef(symbol=SYMBOL, client_order_id="neverPlaced1"), OrderRef(symbol=SYMBOL, order_id="987654321")]


class TestCancelOrder:
    @BY_EITHER_ID
    async def test_it_is_canceled(self, bench: Bench, named: Named) -> None:
        order = await bench.resting()
        canceled = await bench.exchange.cancel_order(named(order))
        assert (canceled.status, canceled.client_order_id) == (OrderStatus.CANCELED, order.client_order_id)
        assert (canceled.closed_by, canceled.close_reason) == (ClosedBy.OWNER, CloseReason.REQUESTED)
        assert await bench.exchange.get_open_orders(SYMBOL) == []

    async def test_one_filled_in_part_keeps_what_it_filled(self, bench: Bench) -> None:
        """F4: a fill that crosses a cancel is counted, and its slot is not used too early."""
        order = await bench.resting_first()
        await bench.market.hit(order, LOT / 2)
        canceled = await bench.exchange.cancel_order(ref(order))
        assert (canceled.status, canceled.filled_quantity) == (OrderStatus.CANCELED, LOT / 2)

    async def test_one_that_a_fill_ended_first_is_returned_as_filled(self, bench: Bench) -> None:
        """F4: a fill that crosses a cancel is counted, and its slot is not used too early."""
        order = await bench.resting_first()
        await bench.market.hit(order, LOT)
        canceled = await bench.exchange.cancel_order(ref(order))
        assert (canceled.status, canceled.filled_quantity) == (OrderStatus.FILLED, LOT)

    async def test_one_canceled_before_is_returned_as_canceled(self, bench: Bench) -> None:
        order = await bench.resting()
        await bench.exchange.cancel_order(ref(order))
        assert (await bench.exchange.cancel_order(ref(order))).status is OrderStatus.CANCELED

    @pytest.mark.parametrize("missing", MISSING, ids=["client id", "order id"])
    async def test_one_that_never_was_is_not_found(self, bench: Bench, missing: OrderRef) -> None:
        with pytest.raises(OrderNotFound):
            await bench.exchange.cancel_order(missing)


class TestCancelAllOrders:
    async def test_every_open_order_of_the_symbol_ends_and_no_other(self, bench: Bench) -> None:
        """F30: a stop ends soon and takes away own orders only."""
        resting = {(await bench.resting()).client_order_id for _ in range(3)}
        price = await bench.exchange.get_latest_price(OTHER_SYMBOL)
        rules = bench.info.rules(OTHER_SYMBOL)
        assert rules is not None
        other = bench.order(Side.BUY, rules.round_price(price.bid * 98 / 100), LOT * 10, symbol=OTHER_SYMBOL)
        await bench.exchange.place_order(other)
        canceled = await bench.exchange.cancel_all_orders(SYMBOL)
        assert {one.client_order_id for one in canceled} == resting
        assert {(one.status, one.closed_by) for one in canceled} == {(OrderStatus.CANCELED, ClosedBy.OWNER)}
        assert [one.client_order_id for one in await bench.exchange.get_open_orders()] == [other.client_order_id]

    async def test_orders_that_are_being_placed_do_not_stay(self, bench: Bench) -> None:
        """F39: they are canceled as soon as the venue has them, or refused before they are sent."""
        orders = [bench.order(Side.BUY, await bench.far(Side.BUY)) for _ in range(3)]
        placing = [asyncio.create_task(bench.exchange.place_order(order)) for order in orders]
        await asyncio.sleep(0)
        await bench.exchange.cancel_all_orders(SYMBOL)
        outcomes = await asyncio.gather(*placing, return_exceptions=True)
        assert {type(outcome) for outcome in outcomes} <= {Order, TradingHalted}
        assert await bench.exchange.get_open_orders(SYMBOL) == []

    async def test_without_open_orders_nothing_is_returned(self, bench: Bench) -> None:
        assert await bench.exchange.cancel_all_orders(SYMBOL) == []

    async def test_an_unknown_symbol_is_refused(self, bench: Bench) -> None:
        with pytest.raises(UnknownSymbol):
            await bench.exchange.cancel_all_orders("NOPEUSDT")
