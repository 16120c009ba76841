"""Batches: a result for each item, in order; one bad item never hides the others."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from opensqt.model.errors import ExchangeError, InvalidRequest, OrderDenied, OrderNotFound, PostOnlyWouldCross
from opensqt.model.order import Order, OrderRef, OrderStatus, Side, TimeInForce
from opensqt.testing.contract.bench import LOT, OTHER_SYMBOL, SYMBOL, Bench, ref


def kinds(results: list[Order | ExchangeError]) -> list[type]:
    """Return the types of the results."""
    return [type(result) for result in results]


class TestBatchPlacing:
    async def test_each_item_has_its_result_in_its_place(self, bench: Bench) -> None:
        prices = [await bench.far(Side.BUY) - step for step in range(3)]
        requests = [bench.order(Side.BUY, price) for price in prices]
        results = await bench.exchange.batch_place_orders(requests)
        assert [one.client_order_id for one in results if isinstance(one, Order)] == [
            one.client_order_id for one in requests
        ]
        assert len(await bench.exchange.get_open_orders(SYMBOL)) == 3

    async def test_each_order_goes_to_its_own_symbol(self, bench: Bench) -> None:
        """However the symbols are mixed: one on another symbol than it names is a position that nobody wants."""
        rules = bench.info.rules(OTHER_SYMBOL)
        assert rules is not None
        there = rules.round_price((await bench.exchange.get_latest_price(OTHER_SYMBOL)).bid * Decimal("0.98"))
        here = await bench.far(Side.BUY)
        elsewhere: dict[str, Any] = {"symbol": OTHER_SYMBOL, "quantity": LOT * 10}
        requests = [
            bench.order(Side.BUY, here),
            bench.order(Side.BUY, there, **elsewhere),
            bench.order(Side.BUY, here - 1),
            bench.order(Side.BUY, there - 1, **elsewhere),
        ]
        results = await bench.exchange.batch_place_orders(requests)
        assert kinds(results) == [Order] * 4
        placed = [(one.symbol, one.client_order_id, one.price) for one in results if isinstance(one, Order)]
        assert placed == [(one.symbol, one.client_order_id, one.price) for one in requests]
        for symbol in (SYMBOL, OTHER_SYMBOL):
            open_ids = {one.client_order_id for one in await bench.exchange.get_open_orders(symbol)}
            assert open_ids == {one.client_order_id for one in requests if one.symbol == symbol}

    async def test_bad_items_stand_among_good_ones(self, bench: Bench) -> None:
        """F2: a batch is answered item by item, and a failed one is never sent again item by item."""
        far, crossing = await bench.far(Side.BUY), await bench.crossing(Side.BUY)
        requests = [
            bench.order(Side.BUY, far),
            bench.order(Side.BUY, far, Decimal("0.0105")),
            bench.order(Side.BUY, crossing, time_in_force=TimeInForce.POST_ONLY),
            bench.order(Side.BUY, far - 1),
        ]
        results = await bench.exchange.batch_place_orders(requests)
        assert kinds(results) == [Order, OrderDenied, PostOnlyWouldCross, Order]
        assert len(await bench.exchange.get_open_orders(SYMBOL)) == 2

    @pytest.mark.parametrize("bad", [{"client_order_id": "not-valid"}, {"quantity": Decimal("NaN")}])
    async def test_a_malformed_item_does_not_hide_the_others(self, bench: Bench, bad: dict[str, Any]) -> None:
        far = await bench.far(Side.BUY)
        fields: dict[str, Any] = {"quantity": LOT} | bad
        results = await bench.exchange.batch_place_orders(
            [bench.order(Side.BUY, far), bench.order(Side.BUY, far, **fields)]
        )
        assert kinds(results) in ([Order, InvalidRequest], [Order, OrderDenied])
        assert len(await bench.exchange.get_open_orders(SYMBOL)) == 1

    async def test_a_batch_longer_than_the_venue_takes_is_split(self, bench: Bench) -> None:
        size = min(bench.info.capabilities.max_batch + 2, 12)
        far = await bench.far(Side.BUY)
        requests = [bench.order(Side.BUY, far - step) for step in range(size)]
        results = await bench.exchange.batch_place_orders(requests)
        assert kinds(results) == [Order] * size
        open_ids = {one.client_order_id for one in await bench.exchange.get_open_orders(SYMBOL)}
        assert open_ids == {one.client_order_id for one in requests}

    async def test_an_empty_batch_has_no_results(self, bench: Bench) -> None:
        assert await bench.exchange.batch_place_orders([]) == []
        assert await bench.exchange.batch_cancel_orders([]) == []


class TestBatchCanceling:
    async def test_each_item_has_its_result_in_its_place(self, bench: Bench) -> None:
        orders = [await bench.resting() for _ in range(2)]
        missing = OrderRef(symbol=SYMBOL, client_order_id="neverPlaced1")
        results = await bench.exchange.batch_cancel_orders([ref(orders[0]), missing, ref(orders[1])])
        assert kinds(results) == [Order, OrderNotFound, Order]
        assert [one.status for one in results if isinstance(one, Order)] == [OrderStatus.CANCELED] * 2
        assert await bench.exchange.get_open_orders(SYMBOL) == []
