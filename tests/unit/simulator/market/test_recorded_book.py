"""A recorded book is played as it was recorded, and an order of an account waits in its queues."""

from __future__ import annotations

import random
from decimal import Decimal
from pathlib import Path

import pytest

from opensqt.model.errors import ConfigError
from opensqt.model.order import OrderStatus, Side
from opensqt.simulator.engine.events import SimTrade
from opensqt.simulator.engine.order import NewOrder, SimOrder
from opensqt.simulator.market.market import Market, open_market
from opensqt.simulator.settings import SimulatorSettings
from tests.unit.recordings import made

KEY, SYMBOL = "sim-key", "XRPUSDT"
START_US = made.START_MS * 1000
DEPTH = "exchange,symbol,timestamp,local_timestamp,is_snapshot,side,price,amount\n"
TRADES = "exchange,symbol,timestamp,local_timestamp,id,side,price,amount\n"


def _level(ms: int, side: str, price: str, amount: object, *, snapshot: bool = False) -> str:
    time_us = START_US + ms * 1000
    return f"binance-futures,{SYMBOL},{time_us},{time_us},{str(snapshot).lower()},{side},{price},{amount}\n"


def _trade(ms: int, side: str, price: str, amount: object) -> str:
    time_us = START_US + ms * 1000
    return f"binance-futures,{SYMBOL},{time_us},{time_us},{ms},{side},{price},{amount}\n"


SNAPSHOT = (
    _level(0, "bid", "0.6200", 500, snapshot=True)
    + _level(0, "bid", "0.6199", 300.5, snapshot=True)
    + _level(0, "ask", "0.6202", 400, snapshot=True)
    + _level(0, "ask", "0.6203", 100, snapshot=True)
)


def _market(folder: Path, depth: str, trades: str = "") -> Market:
    paths = [made.write(folder, "incremental_book_L2.csv", (DEPTH + depth).encode())]
    if trades:
        paths.append(made.write(folder, "trades.csv", (TRADES + trades).encode()))
    market = open_market(SimulatorSettings(replays={SYMBOL: tuple(paths)}, symbols=(), clock="manual"))
    market.advance(1)
    return market


def _book(market: Market) -> tuple[dict[Decimal, Decimal], dict[Decimal, Decimal]]:
    book = market.engine.book(SYMBOL)
    return dict(book.bids), dict(book.asks)


def _buy(market: Market, price: str, quantity: str) -> SimOrder:
    order = NewOrder(symbol=SYMBOL, side=Side.BUY, quantity=Decimal(quantity), price=Decimal(price))
    return market.engine.place(KEY, order)


def _filled(market: Market, order: SimOrder) -> Decimal:
    return market.engine.find(KEY, SYMBOL, order_id=order.order_id).filled_quantity


def test_the_book_is_the_recorded_one_after_every_change(tmp_path: Path) -> None:
    """Levels added, changed and removed, and a second snapshot: the same as a program that applies them one by one."""
    chance, depth, expected = random.Random(3), SNAPSHOT, []
    sides = {"bid": {"0.6200": 500.0, "0.6199": 300.5}, "ask": {"0.6202": 400.0, "0.6203": 100.0}}
    for ms in range(10, 600):
        if ms == 300:
            sides = {"bid": {"0.6190": 20.0}, "ask": {"0.6210": 30.0}}
            for side, (price, amount) in (("bid", ("0.6190", 20.0)), ("ask", ("0.6210", 30.0))):
                depth += _level(ms, side, price, amount, snapshot=True)
        else:
            side = chance.choice(("bid", "ask"))
            base = 6190 if side == "bid" else 6202
            price, amount = f"0.{base + chance.randint(0, 10)}", chance.choice((0, chance.randint(1, 5000) / 10))
            sides[side].pop(price, None)
            if amount:
                sides[side][price] = amount
            depth += _level(ms, side, price, amount)
        expected.append(tuple({Decimal(p): Decimal(str(q)) for p, q in sides[s].items()} for s in ("bid", "ask")))
    market = _market(tmp_path, depth)
    market.advance(8)
    for book in expected:
        market.advance(1)
        assert _book(market) == book


def test_an_order_waits_behind_the_recorded_queue(tmp_path: Path) -> None:
    """F35: what trades at its price fills the 500 before it first, and then the order as far as it goes."""
    trades = _trade(100, "sell", "0.6200", 450) + _trade(200, "sell", "0.6200", 80) + _trade(300, "sell", "0.6200", 60)
    market = _market(tmp_path, SNAPSHOT, trades)
    order = _buy(market, "0.6200", "100")
    filled = []
    for _ in range(3):
        market.advance(100)
        filled.append(_filled(market, order))
    assert filled == [0, 30, 90]


def test_what_is_canceled_at_its_price_was_behind_the_order(tmp_path: Path) -> None:
    """F35: a sum says not which order was canceled, so the queue before the order is as long as it can be."""
    depth = SNAPSHOT + _level(20, "bid", "0.6200", 800) + _level(30, "bid", "0.6200", 450)
    market = _market(tmp_path, depth, _trade(100, "sell", "0.6200", 460))
    order = _buy(market, "0.6200", "100")
    market.advance(120)
    assert _filled(market, order) == 10


def test_a_trade_through_the_price_fills_the_order_whole(tmp_path: Path) -> None:
    """F35: a seller at 0.6199 would have met the order at 0.6200 first."""
    market = _market(tmp_path, SNAPSHOT, _trade(100, "sell", "0.6199", 200))
    order = _buy(market, "0.6200", "100")
    market.advance(120)
    now = market.engine.find(KEY, SYMBOL, order_id=order.order_id)
    assert (now.status, now.average_price) == (OrderStatus.FILLED, Decimal("0.6200"))


def test_an_order_that_the_recorded_book_moves_through_fills(tmp_path: Path) -> None:
    """F35: an ask at or below a resting buy would have traded with it, though the recording has no trade there."""
    market = _market(tmp_path, SNAPSHOT + _level(50, "ask", "0.6201", 30))
    order = _buy(market, "0.6201", "100")
    market.advance(100)
    assert _filled(market, order) == 30


def test_a_trade_comes_before_the_change_of_the_book_that_has_it_already(tmp_path: Path) -> None:
    """At the same time the trade is first: otherwise the queue before an order would shrink twice."""
    depth = SNAPSHOT + _level(100, "bid", "0.6200", 300)
    market = _market(tmp_path, depth, _trade(100, "sell", "0.6200", 200) + _trade(200, "sell", "0.6200", 250))
    order = _buy(market, "0.6200", "100")
    market.advance(150)
    assert (_filled(market, order), _book(market)[0][Decimal("0.6200")]) == (0, 400)
    market.advance(100)
    assert _filled(market, order) == 0


def test_recorded_trades_are_made_with_the_recorded_book(tmp_path: Path) -> None:
    """Every trade once, at its price, with its quantity and side; the mark follows the trades."""
    trades = _trade(100, "sell", "0.6200", 520.5) + _trade(150, "buy", "0.6203", 10) + _trade(160, "buy", "0.6205", 7)
    market = _market(tmp_path, SNAPSHOT, trades)
    seen: list[SimTrade] = []
    market.engine.subscribe(lambda event: seen.append(event) if isinstance(event, SimTrade) else None)
    market.advance(500)
    sums: dict[tuple[Decimal, bool], Decimal] = {}
    for trade in seen:
        key = trade.price, trade.buyer_is_maker
        sums[key] = sums.get(key, Decimal(0)) + trade.quantity
    assert sums == {
        (Decimal("0.6200"), True): Decimal("520.5"),
        (Decimal("0.6203"), False): 10,
        (Decimal("0.6205"), False): 7,
    }
    assert market.engine.mark(SYMBOL).mark_price == Decimal("0.6205")


def test_events_of_hftbacktest_begin_with_the_snapshot_beside_them(tmp_path: Path) -> None:
    """Its own snapshots have no time: they are the book at the first event."""
    ns = made.START_MS * 1_000_000
    snapshot = made.npz([(4 | made.BOTH | made.BUY, 0, 0, 0.62, 50.0), (4 | made.BOTH | made.SELL, 0, 0, 0.63, 40.0)])
    events = made.npz([(1 | made.BOTH | made.BUY, ns + 5_000_000, ns + 5_000_000, 0.61, 20.0)])
    paths = made.write(tmp_path, "events.npz", events), made.write(tmp_path, "snapshot.npz", snapshot)
    settings = {"symbols": (), "clock": "manual"}
    market = open_market(SimulatorSettings(replays={SYMBOL: paths}, **settings))
    assert market.engine.now_ms() == made.START_MS + 5
    market.advance(1)
    assert _book(market) == ({Decimal("0.62"): 50, Decimal("0.61"): 20}, {Decimal("0.63"): 40})
    with pytest.raises(ConfigError, match=r"snapshot.npz: expected rows with a time; name the events beside"):
        open_market(SimulatorSettings(replays={SYMBOL: paths[1:]}, **settings))
