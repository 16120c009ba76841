"""Batches: an answer for each item, in order; one bad item never hides the others."""

from __future__ import annotations

from decimal import Decimal

import pytest

from opensqt.model.errors import ExchangeError, InvalidRequest, OrderDenied, OrderNotFound, PostOnlyWouldCross
from opensqt.model.order import Order, OrderRef, OrderStatus, Side, TimeInForce
from tests.contract.bench import LOT, SYMBOL, Bench, ref


def kinds(answers: list[Order | ExchangeError]) -> list[type]:
    return [type(answer) for answer in answers]


class TestPlacing:
    async def test_each_item_is_answered_in_its_place(self, bench: Bench) -> None:
        prices = [await bench.far(Side.BUY) - step for step in range(3)]
        requests = [bench.order(Side.BUY, price) for price in prices]
        answers = await bench.exchange.batch_place_orders(requests)
        assert [one.client_order_id for one in answers if isinstance(one, Order)] == [
            one.client_order_id for one in requests
        ]
        assert len(await bench.exchange.get_open_orders(SYMBOL)) == 3

    async def test_bad_items_stand_among_good_ones(self, bench: Bench) -> None:
        """F2: a batch is answered item by item, and a failed one is never sent again item by item."""
        far, crossing = await bench.far(Side.BUY), await bench.crossing(Side.BUY)
        requests = [
            bench.order(Side.BUY, far),
            bench.order(Side.BUY, far, Decimal("0.0105")),
            bench.order(Side.BUY, crossing, time_in_force=TimeInForce.POST_ONLY),
            bench.order(Side.BUY, far - 1),
        ]
        answers = await bench.exchange.batch_place_orders(requests)
        assert kinds(answers) == [Order, OrderDenied, PostOnlyWouldCross, Order]
        assert len(await bench.exchange.get_open_orders(SYMBOL)) == 2

    @pytest.mark.parametrize("bad", [{"client_order_id": "not-valid"}, {"quantity": Decimal("NaN")}])
    async def test_a_malformed_item_does_not_hide_the_others(self, bench: Bench, bad: dict[str, object]) -> None:
        far = await bench.far(Side.BUY)
        fields = {"quantity": LOT} | bad
        answers = await bench.exchange.batch_place_orders(
            [bench.order(Side.BUY, far), bench.order(Side.BUY, far, **fields)]
        )
        assert kinds(answers) in ([Order, InvalidRequest], [Order, OrderDenied])
        assert len(await bench.exchange.get_open_orders(SYMBOL)) == 1

    async def test_a_batch_longer_than_the_venue_takes_is_split(self, bench: Bench) -> None:
        size = min(bench.info.capabilities.max_batch + 2, 12)
        far = await bench.far(Side.BUY)
        requests = [bench.order(Side.BUY, far - step) for step in range(size)]
        answers = await bench.exchange.batch_place_orders(requests)
        assert kinds(answers) == [Order] * size
        open_ids = {one.client_order_id for one in await bench.exchange.get_open_orders(SYMBOL)}
        assert open_ids == {one.client_order_id for one in requests}

    async def test_an_empty_batch_answers_nothing(self, bench: Bench) -> None:
        assert await bench.exchange.batch_place_orders([]) == []
        assert await bench.exchange.batch_cancel_orders([]) == []


class TestCanceling:
    async def test_each_item_is_answered_in_its_place(self, bench: Bench) -> None:
        orders = [await bench.resting() for _ in range(2)]
        missing = OrderRef(symbol=SYMBOL, client_order_id="neverPlaced1")
        answers = await bench.exchange.batch_cancel_orders([ref(orders[0]), missing, ref(orders[1])])
        assert kinds(answers) == [Order, OrderNotFound, Order]
        assert [one.status for one in answers if isinstance(one, Order)] == [OrderStatus.CANCELED] * 2
        assert await bench.exchange.get_open_orders(SYMBOL) == []
