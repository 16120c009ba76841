"""What `opensqt status` shows of a whole exchange in memory."""

from __future__ import annotations

import io
from decimal import Decimal

import pytest
from rich.console import Console

from opensqt.cli.status import figure, moment, plain, show
from opensqt.exchange.memory import InMemoryExchange
from opensqt.model.order import OrderRequest, OrderType, Side


async def shown(exchange: InMemoryExchange, symbol: str = "") -> tuple[int, str]:
    console = Console(file=io.StringIO(), width=200)
    return await show(exchange, symbol, console), console.file.getvalue()


@pytest.fixture
async def exchange():
    async with InMemoryExchange() as exchange:
        exchange.set_price("BTCUSDT", Decimal("45000"), Decimal("45000.1"))
        yield exchange


async def test_a_healthy_account_without_orders_ends_with_0(exchange) -> None:
    code, text = await shown(exchange)
    assert code == 0
    assert "memory" in text
    assert ": healthy" in text
    assert "no position" in text
    assert "no open order" in text


async def test_a_sick_exchange_ends_with_1_and_its_reason(exchange) -> None:
    """F31."""
    exchange.fall_sick("the private stream is silent")
    code, text = await shown(exchange)
    assert code == 1
    assert "NOT healthy" in text
    assert "the private stream is silent" in text


async def test_positions_and_orders_are_told(exchange) -> None:
    for name, price, kind in (("a1", None, OrderType.MARKET), ("b2", "44000", OrderType.LIMIT)):
        await exchange.place_order(
            OrderRequest(
                symbol="BTCUSDT",
                side=Side.BUY,
                quantity=Decimal("0.012"),
                client_order_id=name,
                order_type=kind,
                price=Decimal(price) if price else None,
            )
        )
    _, text = await shown(exchange, "BTCUSDT")
    assert "open orders (1)" in text
    assert "44000" in text
    assert "b2" in text
    assert text.count("0.012") == 2


def test_figures_are_written_for_people() -> None:
    assert (figure(Decimal("1234.5")), figure(None)) == ("1,234.50", "-")
    assert (plain(Decimal("0.00100")), plain(Decimal("1E+3"))) == ("0.001", "1000")
    assert (moment(0), moment(1640995200000)) == ("", "00:00:00")
