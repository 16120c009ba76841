"""The generated market: moves by itself, comes out the same from the same seed, and fills nothing for free."""

from __future__ import annotations

import asyncio
import itertools
from decimal import Decimal

import pytest

from opensqt.model.order import OrderStatus, OrderType, Side
from opensqt.simulator.engine.events import Event, FundingPaid, SimTrade
from opensqt.simulator.engine.order import NewOrder, Refused, SimOrder
from opensqt.simulator.ledger import ledger
from opensqt.simulator.market.market import Market, open_market
from opensqt.simulator.settings import SimulatorSettings
from tests.support import eventually

START_MS = 1_700_000_000_000
KEY, SYMBOL = "sim-key", "BTCUSDT"


def _market(seed: int = 7, **more) -> Market:
    return open_market(SimulatorSettings(**{"seed": seed, "clock": "manual", "start_ms": START_MS, **more}))


@pytest.fixture
def market() -> Market:
    return _market()


def _limit(market: Market, side: Side, price: Decimal, quantity: str = "0.001") -> SimOrder:
    order = NewOrder(symbol=SYMBOL, side=side, quantity=Decimal(quantity), price=price)
    return market.engine.place(KEY, order)


def _trade(market: Market) -> dict:
    """A small trading day: orders around the market, some canceled, some taking."""
    for step in range(40):
        best = market.engine.best(SYMBOL)
        placed = _limit(market, Side.BUY, best.bid - 20 * Decimal("0.1") * (step % 7))
        market.advance(700)
        if step % 5 == 0 and market.engine.find(KEY, SYMBOL, order_id=placed.order_id).status.is_open:
            market.engine.cancel(KEY, SYMBOL, order_id=placed.order_id)
        if step % 9 == 0:
            order = NewOrder(symbol=SYMBOL, side=Side.SELL, quantity=Decimal("0.002"), order_type=OrderType.MARKET)
            market.engine.place(KEY, order)
    return ledger(market.engine)


def test_same_seed_and_same_requests_give_the_same_ledger():
    """F35: the simulator fills only what a market would, and the same seed gives the same ledger."""
    first, second = _trade(_market()), _trade(_market())
    assert first == second
    assert len(first["accounts"][KEY]["fills"]) > 5


def test_another_seed_gives_another_market():
    """F35: the simulator fills only what a market would, and the same seed gives the same ledger."""
    assert _trade(_market(seed=7)) != _trade(_market(seed=8))


def test_one_large_step_gives_the_same_market_as_many_small_ones():
    coarse, fine = _market(), _market()
    coarse.advance(20_000)
    for _ in range(200):
        fine.advance(100)
    assert coarse.engine.trades(SYMBOL) == fine.engine.trades(SYMBOL)


def test_orders_fill_exactly_where_the_market_traded_through_them(market):
    """F35: the simulator fills only what a market would, and the same seed gives the same ledger."""
    trades: list[SimTrade] = []
    market.engine.subscribe(lambda event: trades.append(event) if isinstance(event, SimTrade) else None)
    start = market.engine.best(SYMBOL)
    buys = [_limit(market, Side.BUY, start.bid - 5 * n) for n in range(1, 60)]
    market.advance(60_000)
    lowest = min(trade.price for trade in trades if trade.symbol == SYMBOL)
    now = {order.order_id: market.engine.find(KEY, SYMBOL, order_id=order.order_id) for order in buys}
    assert all(order.status is OrderStatus.FILLED for order in now.values() if order.price > lowest)
    assert all(order.filled_quantity == 0 for order in now.values() if order.price < lowest)
    assert any(order.price > lowest for order in now.values())
    assert any(order.price < lowest for order in now.values())


def test_every_fill_of_a_resting_order_is_on_the_public_tape_as_a_sale_to_it(market):
    """F35: the simulator fills only what a market would, and the same seed gives the same ledger."""
    trades: dict[str, SimTrade] = {}

    def keep(event: Event) -> None:
        if isinstance(event, SimTrade) and event.symbol == SYMBOL:
            trades[event.trade_id] = event

    market.engine.subscribe(keep)
    bid = market.engine.best(SYMBOL).bid
    for n in range(10):
        _limit(market, Side.BUY, bid - 5 * n)
    market.advance(60_000)
    fills = market.engine.fills(KEY)
    assert fills
    assert all(fill.is_maker and trades[fill.trade_id].buyer_is_maker for fill in fills)


def test_a_large_order_is_a_wall_until_it_is_used_up(market):
    """F35: the simulator fills only what a market would, and the same seed gives the same ledger."""
    market.engine.set_leverage(KEY, SYMBOL, 100)
    wall = _limit(market, Side.BUY, market.engine.best(SYMBOL).bid - 10, "20")
    market.advance(30_000)
    now = market.engine.find(KEY, SYMBOL, order_id=wall.order_id)
    fills = market.engine.fills(KEY)
    assert now.filled_quantity > 0
    assert sum(fill.quantity for fill in fills) == now.filled_quantity
    assert len({fill.trade_id for fill in fills}) == len(fills) > 1


def test_a_grid_of_levels_is_crossed_several_times_a_minute(market):
    levels = set()
    crossings = 0
    for _ in range(240):
        market.advance(250)
        level = market.engine.last_price(SYMBOL) // 20
        crossings += level not in levels
        levels = {level}
    assert crossings > 10


def test_a_second_brings_about_ten_to_twenty_moves_of_each_symbol(market):
    moves = {"BTCUSDT": 0, "ETHUSDT": 0}
    market.engine.subscribe(
        lambda event: moves.update({event.symbol: moves[event.symbol] + 1}) if _moved(event) else None
    )
    market.advance(10_000)
    assert all(100 <= count <= 200 for count in moves.values())


def test_the_made_up_past_ends_where_the_market_starts(market):
    bars = market.engine.candles(SYMBOL, "1m", limit=1000)
    assert len(bars) > 500
    assert bars[-1].open == bars[-2].close == Decimal(45000)
    assert all(later.open_time_ms - earlier.open_time_ms == 60_000 for earlier, later in itertools.pairwise(bars))
    assert all(bar.low <= min(bar.open, bar.close) <= max(bar.open, bar.close) <= bar.high for bar in bars)


def test_the_past_has_volumes_like_the_present(market):
    market.advance(160_000)
    bars = market.engine.candles(SYMBOL, "1m", limit=300)
    past = sum(bar.volume for bar in bars[:200]) / 200
    present = sum(bar.volume for bar in bars[-3:-1]) / 2
    assert past / 2 < present < past * 2


def test_a_paused_symbol_stands_still_and_the_others_go_on(market):
    market.pause(SYMBOL)
    before, other = market.engine.book(SYMBOL).bids, market.engine.book("ETHUSDT").bids
    market.advance(5_000)
    assert market.engine.book(SYMBOL).bids == before
    assert market.engine.book("ETHUSDT").bids != other
    market.resume(SYMBOL)
    market.advance(5_000)
    assert market.engine.book(SYMBOL).bids != before


def test_an_outside_market_order_fills_the_best_order_exactly(market):
    order = _limit(market, Side.BUY, market.engine.best(SYMBOL).bid + Decimal("0.1"), "0.010")
    assert market.send_outside_order(SYMBOL, Side.SELL, Decimal("0.004")) == Decimal("0.004")
    now = market.engine.find(KEY, SYMBOL, order_id=order.order_id)
    assert (now.status, now.filled_quantity) == (OrderStatus.PARTIALLY_FILLED, Decimal("0.004"))


def test_an_outside_limit_order_rests_with_what_it_did_not_take(market):
    best = market.engine.best(SYMBOL)
    taken = market.send_outside_order(SYMBOL, Side.BUY, best.ask_quantity + 1, best.ask)
    assert taken == best.ask_quantity
    assert market.engine.best(SYMBOL).bid == best.ask


@pytest.mark.parametrize(("quantity", "price"), [("0", None), ("0.0001", None), ("1", "0.05"), ("-1", None)])
def test_an_outside_order_that_makes_no_sense_is_refused(market, quantity, price):
    with pytest.raises(Refused, match="expected above zero and a multiple"):
        market.send_outside_order(SYMBOL, Side.BUY, Decimal(quantity), Decimal(price) if price else None)


def test_funding_comes_at_its_hour_between_two_moves():
    """F35: the simulator fills only what a market would, and the same seed gives the same ledger."""
    hour_ms = 1_700_006_400_000
    market = _market(start_ms=hour_ms - 1_234)
    paid: list[FundingPaid] = []
    market.engine.subscribe(lambda event: paid.append(event) if isinstance(event, FundingPaid) else None)
    market.engine.place(
        KEY, NewOrder(symbol=SYMBOL, side=Side.BUY, quantity=Decimal("0.01"), order_type=OrderType.MARKET)
    )
    market.advance(1_233)
    rate, before = market.engine.mark(SYMBOL).funding_rate, market.engine.balance(KEY).wallet_balance
    market.advance(3_000)
    assert [(payment.time_ms, payment.rate) for payment in paid] == [(hour_ms, rate)]
    assert market.engine.balance(KEY).wallet_balance == before - Decimal("0.01") * paid[0].mark_price * rate


def test_each_funding_has_its_own_rate():
    market = _market(start_ms=1_700_006_400_000 - 1_000)
    market.advance(900)
    first = market.engine.mark(SYMBOL).funding_rate
    market.advance(1_000)
    assert market.engine.mark(SYMBOL).funding_rate != first
    assert [mark.funding_rate for mark in market.engine.funding_history(SYMBOL)] == [first]


def test_the_book_does_not_grow_with_time(market, large):
    """F27: memory does not grow with time."""
    for _ in range(240 if large else 20):
        market.advance(10_000)
        best = market.engine.best(SYMBOL)
        market.send_outside_order(SYMBOL, Side.SELL, Decimal("0.5"), best.bid)
    book = market.engine.book(SYMBOL)
    assert len(book.bids) + len(book.asks) < 50


def test_a_live_clock_can_not_be_stepped():
    market = open_market(SimulatorSettings())
    with pytest.raises(ValueError, match="expected a manual one"):
        market.advance(1)


async def test_a_live_market_runs_by_itself():
    market = open_market(SimulatorSettings(speed=Decimal(20)))
    start = market.engine.now_ms()
    task = asyncio.create_task(market.run())
    await eventually(lambda: task.done() or len(market.engine.trades(SYMBOL)) > 20)
    assert market.engine.now_ms() > start
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def _moved(event: Event) -> bool:
    return type(event).__name__ == "BookTicker"
