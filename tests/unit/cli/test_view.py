"""The demo's view: what matters is on it, also before anything is known and when something is wrong."""

from __future__ import annotations

import io
from decimal import Decimal

from rich.console import Console

from opensqt.cli.view import Frame, draw, line
from opensqt.cli.watch import DemoState, ProcessHealth
from opensqt.model.market import Price
from opensqt.model.order import Fill, Order, OrderStatus, PositionSide, Side

FRAME = Frame(
    exchange="binance",
    symbol="BTCUSDT",
    interval=Decimal(20),
    page="http://127.0.0.1:8081",
    folder="/tmp/demo",
    duration_s=60,
)


def order(name: str, side: Side, price: str) -> Order:
    return Order(
        symbol="BTCUSDT",
        side=side,
        quantity=Decimal("0.003"),
        client_order_id=name,
        status=OrderStatus.OPEN,
        price=Decimal(price),
    )


def demo_state() -> DemoState:
    made = DemoState(
        price=Price(symbol="BTCUSDT", bid=Decimal("45000.0"), ask=Decimal("45000.2")),
        totals={
            "fills": 7,
            "position": "0.006",
            "realized_pnl": "1.25",
            "fees": "0.5",
            "volume": "900",
            "unrealized_pnl": "-3",
        },
        health=(ProcessHealth("simulator", True, ""), ProcessHealth("connector", False, "private_stream: silent")),
    )
    for number, (side, price) in enumerate([(Side.BUY, "44980"), (Side.BUY, "44960"), (Side.SELL, "45020")]):
        made.orders[str(number)] = order(str(number), side, price)
    made.fills.appendleft(
        Fill(
            symbol="BTCUSDT",
            trade_id="1",
            order_id="1",
            client_order_id="1",
            side=Side.SELL,
            position_side=PositionSide.BOTH,
            price=Decimal("45010"),
            quantity=Decimal("0.003"),
            fee=Decimal("0.02"),
            fee_asset="USDT",
            is_maker=True,
            realized_pnl=Decimal("0.06"),
            event_time_ms=1640995200000,
        )
    )
    return made


def drawn(made: DemoState) -> str:
    console = Console(file=io.StringIO(), width=120)
    console.print(draw(FRAME, made, 12))
    return console.file.getvalue()


def test_the_ladder_has_sells_above_the_price_and_buys_below() -> None:
    text = drawn(demo_state())
    places = [text.index(each) for each in ("45020", "45,000.1", "44980", "44960")]
    assert places == sorted(places)


def test_money_fills_page_and_folder_are_on_it() -> None:
    text = drawn(demo_state())
    for part in ("0.006", "1.25", "-3.00", "45010", "+0.0600", "00:00:00", FRAME.page, FRAME.folder, "12 s of 60"):
        assert part in text


def test_a_part_that_is_not_well_says_why() -> None:
    """F31: health never says yes while a part is dead."""
    assert "connector (private_stream: silent)" in drawn(demo_state())


def test_it_can_be_drawn_before_anything_is_known() -> None:
    assert "no price yet" in drawn(DemoState())


def test_the_line_says_the_same() -> None:
    assert line(demo_state(), 12).split("  ")[-1] == "not healthy: connector"
    assert "fills 7" in line(demo_state(), 12)
    assert line(DemoState(), 0).startswith("    0 s  price -  orders 0  fills 0")
