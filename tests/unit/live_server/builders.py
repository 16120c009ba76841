"""Model objects for the live server's tests, with only what a test cares about to be said."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from opensqt.live_server.fills import FillBook
from opensqt.live_server.view import View, WatchedSymbol
from opensqt.model.account import Account, Position
from opensqt.model.market import Price
from opensqt.model.order import Fill, Order, OrderStatus, OrderUpdate, PositionSide, Side
from opensqt.model.stream import Batch
from opensqt.model.venue import Capabilities, Check, ExchangeInfo, ExchangeStatus
from opensqt.testing.exchange import DEFAULT_SYMBOLS

SYMBOL = "ETHUSDT"
HEALTHY = ExchangeStatus(checks=(Check(name="venue", ok=True),))


class Clock:
    """UTC epoch nanoseconds that move when told."""

    def __init__(self, seconds: int = 1_700_000_000) -> None:
        self.ns = seconds * 10**9

    def __call__(self) -> int:
        return self.ns

    def advance(self, seconds: float) -> None:
        self.ns += int(seconds * 1e9)


def fill(trade_id: str, **values: Any) -> Fill:
    given: dict[str, Any] = {
        "symbol": SYMBOL,
        "trade_id": trade_id,
        "order_id": "1",
        "client_order_id": "a1",
        "side": Side.BUY,
        "position_side": PositionSide.BOTH,
        "price": Decimal(3000),
        "quantity": Decimal("0.1"),
        "fee": Decimal("0.06"),
        "fee_asset": "USDT",
        "is_maker": True,
        "event_time_ms": 1_700_000_000_000,
    }
    return Fill(**{**given, **values})


def order(client_order_id: str = "a1", status: OrderStatus = OrderStatus.OPEN, **values: Any) -> Order:
    given: dict[str, Any] = {
        "symbol": SYMBOL,
        "side": Side.BUY,
        "quantity": Decimal("0.1"),
        "client_order_id": client_order_id,
        "order_id": f"venue-{client_order_id}",
        "status": status,
        "price": Decimal("2999.50"),
        "event_time_ms": 1_700_000_000_123,
    }
    return Order(**{**given, **values})


def position(quantity: str = "0.1", **values: Any) -> Position:
    return Position(**{"symbol": SYMBOL, "quantity": Decimal(quantity), "entry_price": Decimal(3000), **values})


def price(bid: str, ask: str) -> Price:
    return Price(symbol=SYMBOL, bid=Decimal(bid), ask=Decimal(ask), event_time_ms=1_700_000_000_999)


def account() -> Account:
    return Account(
        asset="USDT",
        wallet_balance=Decimal("10000.10"),
        unrealized_pnl=Decimal("-1.5"),
        available_balance=Decimal("9000.00"),
    )


def batch(*updates: Any, snapshot: bool = False, gap: bool = False) -> Batch[Any]:
    return Batch(updates=updates, epoch="e", sequence=len(updates), snapshot=snapshot, gap=gap)


def update(one: Order, made: Fill | None = None) -> OrderUpdate:
    return OrderUpdate(order=one, fill=made)


def make_view(clock: Clock, *, candles: int = 100) -> View:
    info = ExchangeInfo(
        name="binance", exchange_type="usdt_perpetual", capabilities=Capabilities(), symbols=DEFAULT_SYMBOLS
    )
    rules = info.rules(SYMBOL)
    assert rules is not None
    watched = WatchedSymbol(symbol=SYMBOL, interval="1m", info=info, rules=rules, candles=candles, stale_after_s=3)
    return View(watched, FillBook(since_ms=0, quote_asset="USDT", clock=clock), clock=clock)
