"""The restarts of one grid among several: the delay before it begins again, and its orders meanwhile."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import pytest

from opensqt.market_maker import restart
from opensqt.market_maker.restart import RestartDelays, pull_orders
from opensqt.model.errors import ExchangeError, OrderNotFound, VenueError
from opensqt.model.order import Order, OrderRef, OrderRequest, OrderStatus, OrderType, Side
from opensqt.testing.exchange import InMemoryExchange


def test_the_delay_doubles_while_it_never_trades_for_long() -> None:
    """A grid that trades for a moment before each failure is not well again."""
    delays = RestartDelays(1.0)
    found = []
    for now in (0.0, 10.0, 20.0, 30.0):
        delays.began(now)
        found.append(delays.next_s(now + 5))
    assert found == [1, 2, 4, 8]


def test_the_delay_is_the_first_one_again_after_a_minute_of_trading() -> None:
    delays = RestartDelays(1.0)
    assert [delays.next_s(now) for now in (0.0, 1.0, 3.0)] == [1, 2, 4]
    delays.began(7.0)
    assert delays.next_s(67.0) == 1
    assert delays.next_s(500.0) == 2


class Reluctant(InMemoryExchange):
    """An exchange whose cancels fail for one order, so many times; it takes two orders a call."""

    failing = ""
    times = 0
    error: ExchangeError = VenueError("not now")

    async def batch_cancel_orders(self, refs: Sequence[OrderRef]) -> list[Order | ExchangeError]:
        assert len(refs) <= 2
        found = list(await super().batch_cancel_orders(refs))
        for number, ref in enumerate(refs):
            if ref.client_order_id == self.failing and self.times:
                self.times -= 1
                found[number] = self.error
        return found


@pytest.fixture
def exchange(monkeypatch: pytest.MonkeyPatch) -> Reluctant:
    monkeypatch.setattr(restart, "CANCEL_AGAIN_S", 0.01)
    return Reluctant()


async def refs(exchange: InMemoryExchange) -> list[OrderRef]:
    await exchange.start()
    exchange.set_price("BTCUSDT", bid=Decimal(200), ask=Decimal(201))
    made = []
    for number in range(5):
        request = OrderRequest(
            symbol="BTCUSDT",
            side=Side.BUY,
            order_type=OrderType.LIMIT,
            price=Decimal(100 + number),
            quantity=Decimal(1),
            client_order_id=f"own{number}",
        )
        await exchange.place_order(request)
        made.append(OrderRef(symbol="BTCUSDT", client_order_id=request.client_order_id))
    return made


async def test_a_cancel_that_fails_for_one_order_is_repeated_for_that_one(exchange: Reluctant) -> None:
    orders = await refs(exchange)
    exchange.failing, exchange.times = "own3", 2
    assert await pull_orders(exchange, orders, max_batch=2) == {}
    assert await exchange.get_open_orders("BTCUSDT") == []
    assert (await exchange.get_order(orders[3])).status is OrderStatus.CANCELED


async def test_an_order_whose_cancel_fails_for_good_is_named(exchange: Reluctant) -> None:
    orders = await refs(exchange)
    exchange.failing, exchange.times = "own3", 99
    assert await pull_orders(exchange, orders, max_batch=2) == {"own3": "not now"}
    exchange.error = OrderNotFound("there is none")
    assert await pull_orders(exchange, orders[3:4], max_batch=2) == {}
