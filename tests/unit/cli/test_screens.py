"""The views of `opensqt status --watch` fit a terminal of 80 columns and 24 rows, whatever there is to show."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from rich.text import Text

from opensqt.cli import connector_screen, maker_status
from opensqt.cli.status import Report
from opensqt.model.account import Account, Position
from opensqt.model.order import Order, OrderStatus, Side
from opensqt.model.venue import Capabilities, Channel, Check, ExchangeInfo, ExchangeStatus, Halt, RateBudget, RateLimit

NOW = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)
LONG = "a reason that goes on and on, with everything that the exchange has to say about it, " * 4


def order(side: str, number: int) -> dict[str, Any]:
    return {"side": side, "price": f"{100_000 + number}.123456", "quantity": "0.00123456789", "level": number}


def maker(problems: int = 0, orders: int = 0) -> dict[str, Any]:
    return {
        "symbol": "BTCUSDT",
        "exchange": "binance",
        "mode": "long",
        "phase": "RUNNING",
        "price": "100000.123456789",
        "bid": "100000.1",
        "ask": "100000.2",
        "price_age_s": 0.25,
        "anchor": "99999.9",
        "interval": "25",
        "slots": [{"position": "FILLED"}] * 3,
        "open_orders": [order("SELL", number) for number in range(orders, 0, -1)]
        + [order("BUY", -number) for number in range(orders)],
        "position": "0.003",
        "average_price": None,
        "fills": 12,
        "volume": "12345678.123456",
        "realized_pnl": "12.5",
        "unrealized_pnl": "-3.25",
        "fees": "1.5",
        "grid_profit": "11",
        "last_reconcile_ms": 1_700_000_000_000,
        "control": {"paused": "entries", "overrides": ["trading.order_quantity"] * 5, "needs_restart": []},
        "problems": [f"halted: {LONG}"] * problems,
    }


def connector(red: int = 0, orders: int = 0) -> Report:
    open_orders = [
        Order(
            symbol="BTCUSDT",
            side=Side.BUY,
            quantity=Decimal("0.001"),
            client_order_id=f"SQ1B21c3BTC1MkP0ab{number}",
            status=OrderStatus.OPEN,
            price=Decimal(100_000 + number),
        )
        for number in range(orders)
    ]
    checks = [Check(name=f"market_data:price:{number}", ok=False, reason=LONG) for number in range(red)]
    return Report(
        info=ExchangeInfo(name="binance", exchange_type="usdt_perpetual", capabilities=Capabilities(), symbols=()),
        status=ExchangeStatus(
            checks=(*checks, Check(name="venue", ok=True)),
            channels=(Channel(name="orders", connected=True), Channel(name="price", connected=not red)),
            clock_offset_ms=-12,
            halts=tuple(Halt(halt_id=str(n), client="opensqt", reason=LONG) for n in range(red)),
        ),
        account=Account(
            asset="USDT", wallet_balance=Decimal(10**9), unrealized_pnl=Decimal(-1), available_balance=Decimal(5)
        ),
        positions=[Position(symbol=f"S{n}USDT", quantity=Decimal(1), entry_price=Decimal(2)) for n in range(red)],
        orders=open_orders,
        budget=RateBudget(limits=(RateLimit(name="weight", limit=2400, left=2000, window_s=60.0),) * (red + 1)),
    )


MANY = [(0, 0), (0, 3), (1, 12), (6, 60)]
"""Numbers of problems and of orders on each side."""


@pytest.mark.parametrize("size", [(80, 24), (120, 50), (40, 12)], ids=str)
@pytest.mark.parametrize(("problems", "orders"), MANY)
@pytest.mark.parametrize("view", ["maker", "connector"])
def test_a_view_fits_the_terminal(view: str, problems: int, orders: int, size: tuple[int, int]) -> None:
    columns, rows = size
    lines: list[Text] = (
        maker_status.lines(maker(problems, orders), columns, rows, now=NOW)
        if view == "maker"
        else connector_screen.lines(connector(problems, orders), columns, rows, now=NOW)
    )
    assert 2 <= len(lines) < rows
    assert max(line.cell_len for line in lines) <= columns
    assert not any("\n" in line.plain for line in lines)


def test_the_orders_nearest_to_the_price_are_shown_and_the_rest_is_counted() -> None:
    text = "\n".join(line.plain for line in maker_status.lines(maker(0, 30), 80, 24, now=NOW))
    assert "100001.123456" in text
    assert "100000.123456" in text
    assert "100030.123456" not in text
    assert " more" in text


def test_every_problem_is_shown_or_counted() -> None:
    text = "\n".join(line.plain for line in maker_status.lines(maker(7, 3), 80, 24, now=NOW))
    assert text.count("! halted") == 4
    assert "and 3 more" in text


def test_before_the_grid_is_there_the_view_says_so() -> None:
    lines = maker_status.lines({"phase": "CONNECTING", "problems": ["starting: connecting"]}, 80, 24, now=NOW)
    text = "\n".join(line.plain for line in lines)
    assert "no price yet" in text
    assert "starting: connecting" in text


def test_an_account_without_orders_says_so() -> None:
    text = "\n".join(line.plain for line in connector_screen.lines(connector(), 80, 24, now=NOW))
    assert "no open order" in text
    assert "healthy" in text


def test_a_standby_shows_for_whom_it_waits_and_one_that_trades_its_number() -> None:
    text = "standby: waiting for market-maker on a-machine-with-a-long-name.example, pid 7 (BTCUSDT, number 3), renewed"
    waiting = {"phase": "STANDBY", "standby": text, "holder": {"role": "standby"}, "problems": []}
    lines = maker_status.lines(waiting, 80, 24, now=NOW)
    assert "pid 7 (BTCUSDT, number 3)" in " ".join(line.plain.strip() for line in lines)
    assert max(line.cell_len for line in lines) <= 80
    status = {**maker(0, 3), "holder": {"role": "trading", "holder": "market-maker on a", "number": 4}}
    lines = maker_status.lines(status, 80, 24, now=NOW)
    assert any("trading, number 4" in line.plain for line in lines)
