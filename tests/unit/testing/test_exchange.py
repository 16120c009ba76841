"""The controls of InMemoryExchange, in addition to the contract: its market and its failures."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from opensqt.model import client_order_id
from opensqt.model.errors import (
    ExchangeError,
    OrderDenied,
    OrderNotFound,
    OutcomeUnknown,
    RateLimited,
    StreamOverflow,
    UnknownSymbol,
    Unreachable,
)
from opensqt.model.market import Candle, OrderBook
from opensqt.model.order import Order, OrderRef, OrderRequest, OrderStatus, OrderType, Side, TimeInForce
from opensqt.testing.exchange import InMemoryExchange, rules

BTC = "BTCUSDT"


@pytest.fixture
def exchange() -> InMemoryExchange:
    made = InMemoryExchange()
    made.set_price(BTC, Decimal(45_000), Decimal("45000.1"))
    return made


def asked(side: Side = Side.BUY, price: int | None = 44_000, quantity: str = "0.01", **more: Any) -> OrderRequest:
    return OrderRequest(
        symbol=BTC,
        side=side,
        quantity=Decimal(quantity),
        price=None if price is None else Decimal(price),
        order_type=OrderType.MARKET if price is None else OrderType.LIMIT,
        client_order_id=client_order_id.new(),
        **more,
    )


def ref(order: Order | OrderRequest) -> OrderRef:
    return OrderRef(symbol=BTC, client_order_id=order.client_order_id)


async def test_a_resting_order_fills_at_its_limit_when_the_price_reaches_it(exchange: InMemoryExchange) -> None:
    order = await exchange.place_order(asked())
    exchange.set_price(BTC, Decimal(43_000), Decimal(43_001))
    filled = await exchange.get_order(ref(order))
    assert (filled.status, filled.average_price) == (OrderStatus.FILLED, 44_000)
    (fill,) = await exchange.list_fills(BTC, since_ms=0)
    assert (fill.is_maker, fill.fee) == (True, Decimal(440) * Decimal("0.0002"))


async def test_a_touch_is_enough_but_nothing_less(exchange: InMemoryExchange) -> None:
    order = await exchange.place_order(asked())
    exchange.set_price(BTC, Decimal(43_990), Decimal("44000.1"))
    assert (await exchange.get_order(ref(order))).status is OrderStatus.OPEN
    exchange.set_price(BTC, Decimal(43_990), Decimal(44_000))
    assert (await exchange.get_order(ref(order))).status is OrderStatus.FILLED


async def test_a_taker_gets_the_touch_and_pays_more(exchange: InMemoryExchange) -> None:
    order = await exchange.place_order(asked(price=46_000))
    assert order.average_price == Decimal("45000.1")
    (fill,) = await exchange.list_fills(BTC, since_ms=0)
    assert (fill.is_maker, fill.fee) == (False, Decimal("450.001") * Decimal("0.0005"))


async def test_a_limit_order_takes_what_the_touch_holds_and_rests_with_the_remainder(
    exchange: InMemoryExchange,
) -> None:
    exchange.set_price(BTC, Decimal(45_000), Decimal("45000.1"), ask_quantity=Decimal("0.004"))
    order = await exchange.place_order(asked(price=46_000))
    assert (order.status, order.filled_quantity) == (OrderStatus.PARTIALLY_FILLED, Decimal("0.004"))


async def test_an_average_price_is_weighted_by_quantity(exchange: InMemoryExchange) -> None:
    exchange.set_price(BTC, Decimal(45_000), Decimal("45000.1"), ask_quantity=Decimal("0.005"))
    order = await exchange.place_order(asked(price=46_000))
    order = exchange.fill(ref(order), Decimal("0.005"))
    assert order.average_price == (Decimal("45000.1") + 46_000) / 2


async def test_a_reduce_only_order_expires_when_its_position_is_gone(exchange: InMemoryExchange) -> None:
    """F19: a reduce-only order never flips or opens a position."""
    await exchange.place_order(asked(price=None))
    exit_order = await exchange.place_order(asked(Side.SELL, 46_000, reduce_only=True))
    await exchange.place_order(asked(Side.SELL, None))
    exchange.set_price(BTC, Decimal(47_000), Decimal(47_001))
    assert (await exchange.get_order(ref(exit_order))).status is OrderStatus.EXPIRED
    (position,) = await exchange.get_positions(BTC)
    assert position.is_flat


async def test_a_reduce_only_order_is_cut_to_what_is_left_of_the_position(exchange: InMemoryExchange) -> None:
    """F19: a reduce-only order never flips or opens a position."""
    await exchange.place_order(asked(price=None))
    exit_order = await exchange.place_order(asked(Side.SELL, 46_000, reduce_only=True))
    await exchange.place_order(asked(Side.SELL, None, "0.006"))
    exchange.set_price(BTC, Decimal(47_000), Decimal(47_001))
    ended = await exchange.get_order(ref(exit_order))
    assert (ended.status, ended.filled_quantity) == (OrderStatus.EXPIRED, Decimal("0.004"))


@pytest.mark.parametrize("on", ["", "place_order"])
async def test_a_call_fails_the_given_number_of_times(exchange: InMemoryExchange, on: str) -> None:
    exchange.fail_next(RateLimited("slow"), on=on, times=2)
    for _ in range(2):
        with pytest.raises(RateLimited):
            await exchange.place_order(asked())
    assert (await exchange.place_order(asked())).status is OrderStatus.OPEN


async def test_a_failure_waits_for_its_own_call(exchange: InMemoryExchange) -> None:
    exchange.fail_next(Unreachable("no"), on="cancel_order")
    order = await exchange.place_order(asked())
    with pytest.raises(Unreachable):
        await exchange.cancel_order(ref(order))


async def test_a_failure_before_does_nothing(exchange: InMemoryExchange) -> None:
    request = asked()
    exchange.fail_next(OutcomeUnknown("lost"), on="place_order")
    with pytest.raises(OutcomeUnknown):
        await exchange.place_order(request)
    with pytest.raises(OrderNotFound):
        await exchange.get_order(ref(request))


async def test_a_lost_reply_leaves_the_order_behind(exchange: InMemoryExchange) -> None:
    """F1: an order is never sent twice, nor lost from sight, when a reply is lost."""
    request = asked()
    exchange.fail_next(OutcomeUnknown("lost"), on="place_order", after=True)
    with pytest.raises(OutcomeUnknown):
        await exchange.place_order(request)
    assert (await exchange.get_order(ref(request))).status is OrderStatus.OPEN


async def test_one_item_of_a_batch_can_fail(exchange: InMemoryExchange) -> None:
    exchange.fail_next(OutcomeUnknown("lost"), on="place_order", after=True)
    answers = await exchange.batch_place_orders([asked(), asked()])
    assert [isinstance(answer, ExchangeError) for answer in answers] == [True, False]
    assert len(await exchange.get_open_orders()) == 2


async def test_every_reader_hears_of_lost_continuity(exchange: InMemoryExchange) -> None:
    """F6: no fill or update is missed across a reconnect or a lost frame."""
    streams = [
        exchange.subscribe_price(BTC),
        exchange.subscribe_orders(),
        exchange.subscribe_klines(BTC, "1m"),
        exchange.subscribe_account(),
        exchange.subscribe_positions(),
    ]
    for stream in streams:
        await anext(stream)
    exchange.inject_gap()
    for stream in streams:
        batch = await anext(stream)
        assert (batch.gap, batch.snapshot) == (True, True)


async def test_an_overrun_orders_stream_ends_and_says_so() -> None:
    exchange = InMemoryExchange(feed_capacity=4)
    exchange.set_price(BTC, Decimal(45_000), Decimal("45000.1"))
    stream = exchange.subscribe_orders()
    await anext(stream)
    for _ in range(5):
        await exchange.place_order(asked())
    with pytest.raises(StreamOverflow):
        await anext(stream)


async def test_set_unhealthy_changes_the_status_until_the_reason_is_empty(exchange: InMemoryExchange) -> None:
    exchange.set_unhealthy("venue is down")
    status = await exchange.get_status()
    assert (status.healthy, status.checks[0].reason) == (False, "venue is down")
    exchange.set_unhealthy("")
    assert (await exchange.get_status()).healthy


async def test_given_candles_are_history(exchange: InMemoryExchange) -> None:
    one = Decimal(1)
    given = [
        Candle(
            symbol=BTC, interval="1h", open_time_ms=hour * 3_600_000, open=one, high=one, low=one, close=one, volume=one
        )
        for hour in (2, 0, 1)
    ]
    exchange.add_candles(given)
    found = await exchange.get_historical_klines(BTC, "1h", limit=3, end_ms=7_200_000)
    assert [candle.open_time_ms for candle in found] == [0, 3_600_000, 7_200_000]


async def test_other_symbols_can_be_traded() -> None:
    exchange = InMemoryExchange([rules("SOLUSDT", price_step="0.01")])
    exchange.set_price("SOLUSDT", Decimal(100), Decimal("100.01"))
    assert (await exchange.get_latest_price("SOLUSDT")).mid == Decimal("100.005")
    with pytest.raises(UnknownSymbol, match="expected one of SOLUSDT"):
        exchange.set_price(BTC, Decimal(1), Decimal(2))


@pytest.mark.parametrize(("bid", "ask"), [(0, 1), (2, 1), (1, 1)])
def test_a_price_that_is_none_is_refused(exchange: InMemoryExchange, bid: int, ask: int) -> None:
    with pytest.raises(ValueError, match="expected 0 < bid < ask"):
        exchange.set_price(BTC, Decimal(bid), Decimal(ask))


async def test_without_a_price_nothing_trades() -> None:
    with pytest.raises(Unreachable, match="call set_price first"):
        await InMemoryExchange().place_order(asked())


async def test_more_than_what_is_left_cannot_be_filled(exchange: InMemoryExchange) -> None:
    order = await exchange.place_order(asked())
    with pytest.raises(ValueError, match=r"quantity 1: .* is OPEN with 0\.01 left"):
        exchange.fill(ref(order), Decimal(1))


async def test_a_fill_or_kill_takes_all_or_nothing(exchange: InMemoryExchange) -> None:
    exchange.set_price(BTC, Decimal(45_000), Decimal("45000.1"), ask_quantity=Decimal("0.004"))
    order = await exchange.place_order(asked(price=46_000, time_in_force=TimeInForce.FOK))
    assert (order.status, order.filled_quantity) == (OrderStatus.EXPIRED, 0)


async def test_the_old_names_of_its_controls_still_work_and_warn(exchange: InMemoryExchange) -> None:
    with pytest.warns(DeprecationWarning, match="fall_sick is set_unhealthy now"):
        exchange.fall_sick("gone")
    assert [check.reason for check in (await exchange.get_status()).checks] == ["gone"]
    prices = exchange.subscribe_price("BTCUSDT")
    await anext(prices)
    with pytest.warns(DeprecationWarning, match="lose_continuity is inject_gap now"):
        exchange.lose_continuity()
    assert (await anext(prices)).gap


async def test_a_symbol_that_does_not_trade_is_shown_while_it_is_held(exchange: InMemoryExchange) -> None:
    """F43: what is held in a symbol that does not trade is seen, and can be closed."""

    def order(side: Side, *, reduce_only: bool = False) -> OrderRequest:
        return OrderRequest(
            symbol="BTCUSDT",
            side=side,
            quantity=Decimal("0.01"),
            client_order_id=client_order_id.new("t"),
            order_type=OrderType.MARKET,
            reduce_only=reduce_only,
        )

    await exchange.place_order(order(Side.BUY))
    exchange.set_untradable("BTCUSDT", "SETTLING")
    shown = (await exchange.get_exchange_info()).rules("BTCUSDT")
    assert shown is not None
    assert (shown.tradable, shown.untradable_reason) == (False, "SETTLING")
    with pytest.raises(OrderDenied, match="does not trade"):
        await exchange.place_order(order(Side.BUY))
    await exchange.place_order(order(Side.SELL, reduce_only=True))
    assert (await exchange.get_exchange_info()).rules("BTCUSDT") is None


async def read_book(exchange: InMemoryExchange, depth: int = 20) -> OrderBook:
    batch = await anext(exchange.subscribe_order_book(BTC, depth))
    return batch.updates[-1]


async def test_the_book_is_the_best_bid_and_ask_until_it_is_given_levels(exchange: InMemoryExchange) -> None:
    one = Decimal(1)
    assert [level[0] for level in (await read_book(exchange)).bids] == [Decimal(45_000)]
    exchange.set_order_book(
        BTC, [(Decimal(100), one), (Decimal(99), 2 * one)], [(Decimal(101), one), (Decimal(102), one)]
    )
    assert (await read_book(exchange)).bids == ((Decimal(100), one), (Decimal(99), 2 * one))
    assert (await read_book(exchange, 1)).asks == ((Decimal(101), one),)
    assert (await exchange.get_latest_price(BTC)).bid == 100


async def test_an_invalid_book_has_a_reason_and_no_levels_until_it_is_set_again(exchange: InMemoryExchange) -> None:
    """F14: a book with a hole in it is not traded on."""
    exchange.invalidate_order_book(BTC, "a change is missing")
    book = await read_book(exchange)
    assert (book.valid, book.invalid_reason, book.bids) == (False, "a change is missing", ())
    exchange.set_price(BTC, Decimal(10), Decimal(11))
    assert (await read_book(exchange)).valid


@pytest.mark.parametrize("prices", [[], [99, 100], [100, 100]])
async def test_levels_that_are_not_best_first_are_refused(exchange: InMemoryExchange, prices: list[int]) -> None:
    bids = [(Decimal(price), Decimal(1)) for price in prices]
    with pytest.raises(ValueError, match="best first"):
        exchange.set_order_book(BTC, bids, [(Decimal(101), Decimal(1))])


async def test_fills_and_added_trades_are_public_trades(exchange: InMemoryExchange) -> None:
    order = await exchange.place_order(asked())
    exchange.fill(ref(order), Decimal("0.004"))
    exchange.add_trade(BTC, Decimal(45_000), Decimal(2), Side.SELL)
    trades = (await anext(exchange.subscribe_trades(BTC))).updates
    assert [(trade.side, trade.quantity) for trade in trades] == [
        (Side.SELL, Decimal("0.004")),
        (Side.SELL, Decimal(2)),
    ]


async def test_the_mark_price_follows_the_market_until_it_is_set(exchange: InMemoryExchange) -> None:
    stream = exchange.subscribe_mark_price(BTC)
    assert (await anext(stream)).updates[-1].mark == Decimal("45000.05")
    exchange.set_mark_price(BTC, Decimal(44_990), funding_rate=Decimal("0.0001"), next_funding_ms=1_800_000_000_000)
    exchange.set_price(BTC, Decimal(10), Decimal(11))
    last = (await anext(stream)).updates[-1]
    assert (last.mark, last.funding_rate, last.next_funding_ms) == (
        Decimal(44_990),
        Decimal("0.0001"),
        1_800_000_000_000,
    )
