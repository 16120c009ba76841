"""The kill switch, against a whole exchange in memory."""

from __future__ import annotations

import io
from decimal import Decimal

import pytest
from rich.console import Console

from opensqt.cli.cancel_all import Wanted, closing_orders, end_all
from opensqt.market_maker.orders.ids import OrderIds
from opensqt.model.account import Position
from opensqt.model.errors import Unreachable
from opensqt.model.order import OrderRequest, OrderType, PositionSide, Side
from opensqt.model.venue import Capabilities, ExchangeInfo, SymbolRules
from opensqt.testing.exchange import InMemoryExchange

OURS = OrderIds("SQ1", "BTCUSDT").make(-3, Side.BUY, 1)
OURS_TOO = OrderIds("SQ1", "BTCUSDT").make(-4, Side.BUY, 2)
FOREIGN = "web123"


@pytest.fixture
async def exchange():
    async with InMemoryExchange() as exchange:
        exchange.set_price("BTCUSDT", Decimal("45000"), Decimal("45000.1"))
        yield exchange


async def buy(exchange: InMemoryExchange, client_order_id: str, price: str | None = "44000") -> None:
    await exchange.place_order(
        OrderRequest(
            symbol="BTCUSDT",
            side=Side.BUY,
            quantity=Decimal("0.01"),
            client_order_id=client_order_id,
            order_type=OrderType.LIMIT if price else OrderType.MARKET,
            price=Decimal(price) if price else None,
        )
    )


async def end(exchange: InMemoryExchange, *, answer: bool = True, symbol: str = "BTCUSDT", **wanted) -> tuple[int, str]:
    console = Console(file=io.StringIO(), width=200)

    async def confirm(question: str) -> bool:
        console.print(question)
        return answer

    code = await end_all(exchange, Wanted(symbol=symbol, strategy="SQ1", **wanted), console, confirm=confirm)
    return code, console.file.getvalue()


async def open_ids(exchange: InMemoryExchange) -> set[str]:
    return {order.client_order_id for order in await exchange.get_open_orders("BTCUSDT")}


async def test_our_orders_go_and_foreign_ones_stay(exchange) -> None:
    """F30: a stop ends soon and takes away own orders only."""
    for client_order_id in (OURS, OURS_TOO, FOREIGN):
        await buy(exchange, client_order_id)
    code, said = await end(exchange)
    assert (code, await open_ids(exchange)) == (0, {FOREIGN})
    assert "2 orders on BTCUSDT" in said


async def test_everything_means_everything(exchange) -> None:
    await buy(exchange, FOREIGN)
    assert (await end(exchange, everything=True))[0] == 0
    assert not await open_ids(exchange)


async def test_nothing_is_touched_without_a_yes(exchange) -> None:
    await buy(exchange, OURS)
    assert (await end(exchange, answer=False))[0] == 1
    assert await open_ids(exchange) == {OURS}


async def test_a_position_stays_unless_it_is_to_be_flattened(exchange) -> None:
    await buy(exchange, OURS, price=None)
    assert (await end(exchange)) == (0, "nothing to do: no such order\n")
    [position] = await exchange.get_positions("BTCUSDT")
    assert position.quantity == Decimal("0.01")


async def test_flatten_closes_what_is_held(exchange) -> None:
    await buy(exchange, OURS, price=None)
    code, said = await end(exchange, flatten=True)
    [position] = await exchange.get_positions("BTCUSDT")
    assert (code, position.quantity) == (0, 0)
    assert "a position of 0.01 BTCUSDT" in said


async def test_what_could_not_be_done_is_told_and_ends_with_1(exchange) -> None:
    await buy(exchange, OURS, price=None)
    exchange.fail_next(Unreachable("no route"), on="place_order")
    code, said = await end(exchange, flatten=True)
    assert code == 1
    assert "no route" in said
    assert "still there: a position of 0.01 BTCUSDT" in said


def info(max_quantity: str | None) -> ExchangeInfo:
    step = Decimal("0.001")
    rules = SymbolRules(
        symbol="BTCUSDT",
        base_asset="BTC",
        quote_asset="USDT",
        price_step=step,
        quantity_step=step,
        min_quantity=step,
        min_notional=Decimal(5),
        max_quantity=Decimal(max_quantity) if max_quantity else None,
    )
    return ExchangeInfo(name="memory", exchange_type="usdt_perpetual", capabilities=Capabilities(), symbols=(rules,))


def position(quantity: str, side: PositionSide = PositionSide.BOTH) -> Position:
    return Position(symbol="BTCUSDT", quantity=Decimal(quantity), entry_price=Decimal(1), position_side=side)


@pytest.mark.parametrize(
    ("held", "most", "side", "parts"),
    [
        ("2.5", None, Side.SELL, ["2.5"]),
        ("-2.5", None, Side.BUY, ["2.5"]),
        ("2.5", "1", Side.SELL, ["1", "1", "0.5"]),
        ("2", "1", Side.SELL, ["1", "1"]),
        ("0", "1", Side.BUY, []),
    ],
)
def test_a_position_is_closed_in_orders_that_the_venue_takes(held, most, side, parts) -> None:
    made = list(closing_orders(position(held), info(most)))
    assert [order.quantity for order in made] == [Decimal(part) for part in parts]
    assert all(order.side is side and order.reduce_only for order in made)


def test_a_hedged_position_is_closed_on_its_own_side() -> None:
    """F20: hedge mode and one-way mode are never mixed up."""
    [order] = closing_orders(position("-1", PositionSide.SHORT), info(None))
    assert (order.side, order.position_side) == (Side.BUY, PositionSide.SHORT)
