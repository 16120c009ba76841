"""Queries: one order, the open orders, the exchange's description and its health."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from opensqt.model.errors import OrderNotFound, UnknownSymbol
from opensqt.model.order import Order, OrderRef, OrderStatus, Side
from opensqt.testing.contract.bench import LOT, OTHER_SYMBOL, SYMBOL, Bench, ref, venue_ref

Named = Callable[[Order], OrderRef]
BY_EITHER_ID = pytest.mark.parametrize("named", [ref, venue_ref], ids=["client id", "order id"])


class TestGetOrder:
    @BY_EITHER_ID
    async def test_an_open_one_is_found(self, bench: Bench, named: Named) -> None:
        order = await bench.resting()
        found = await bench.exchange.get_order(named(order))
        assert (found.client_order_id, found.order_id, found.status) == (
            order.client_order_id,
            order.order_id,
            OrderStatus.OPEN,
        )

    @BY_EITHER_ID
    async def test_a_filled_one_is_still_found(self, bench: Bench, named: Named) -> None:
        order = await bench.resting_first()
        await bench.market.hit(order, LOT)
        assert (await bench.becomes(named(order), OrderStatus.FILLED)).client_order_id == order.client_order_id

    @BY_EITHER_ID
    async def test_a_canceled_one_is_still_found(self, bench: Bench, named: Named) -> None:
        order = await bench.resting()
        await bench.exchange.cancel_order(ref(order))
        assert (await bench.exchange.get_order(named(order))).status is OrderStatus.CANCELED

    async def test_the_client_id_wins_when_both_are_given(self, bench: Bench) -> None:
        one, other = await bench.resting(), await bench.resting()
        both = OrderRef(symbol=SYMBOL, client_order_id=one.client_order_id, order_id=other.order_id)
        assert (await bench.exchange.get_order(both)).client_order_id == one.client_order_id

    async def test_one_that_never_was_is_not_found(self, bench: Bench) -> None:
        with pytest.raises(OrderNotFound):
            await bench.exchange.get_order(OrderRef(symbol=SYMBOL, client_order_id="neverPlaced1"))


class TestOpenOrders:
    async def test_they_are_those_of_the_symbol_or_of_all(self, bench: Bench) -> None:
        here = await bench.resting()
        price = await bench.exchange.get_latest_price(OTHER_SYMBOL)
        rules = bench.info.rules(OTHER_SYMBOL)
        assert rules is not None
        low = rules.round_price(price.bid * 98 / 100)
        there = await bench.exchange.place_order(bench.order(Side.BUY, low, LOT * 10, symbol=OTHER_SYMBOL))
        assert [one.client_order_id for one in await bench.exchange.get_open_orders(SYMBOL)] == [here.client_order_id]
        everywhere = {one.client_order_id for one in await bench.exchange.get_open_orders()}
        assert everywhere == {here.client_order_id, there.client_order_id}

    async def test_an_unknown_symbol_is_refused(self, bench: Bench) -> None:
        with pytest.raises(UnknownSymbol):
            await bench.exchange.get_open_orders("NOPEUSDT")


class TestExchangeInfo:
    async def test_it_has_the_rules_of_each_symbol(self, bench: Bench) -> None:
        for symbol in (SYMBOL, OTHER_SYMBOL):
            rules = bench.info.rules(symbol)
            assert rules is not None
            assert (rules.base_asset + rules.quote_asset, rules.quote_asset) == (symbol, "USDT")
            assert min(rules.price_step, rules.quantity_step, rules.min_quantity) > 0
        assert bench.info.rules("NOPEUSDT") is None

    async def test_it_has_type_mode_and_capabilities(self, bench: Bench) -> None:
        able = bench.info.capabilities
        assert bench.info.exchange_type == "usdt_perpetual"
        assert bench.info.position_mode in able.position_modes
        assert able.trading
        assert "1m" in able.intervals
        assert able.max_batch >= 1


class TestStatus:
    async def test_a_started_exchange_is_healthy_and_lists_its_checks(self, bench: Bench) -> None:
        status = await bench.exchange.get_status()
        assert status.healthy, status.checks
        assert status.checks
