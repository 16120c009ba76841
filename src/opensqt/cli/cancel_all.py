"""`opensqt cancel-all`: the kill switch. Cancels our orders and, when asked, closes the positions at market."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from rich.console import Console

from opensqt.market_maker.orders.ids import OrderIds
from opensqt.model import client_order_id
from opensqt.model.account import Position
from opensqt.model.errors import ExchangeError, OrderNotFound
from opensqt.model.exchange import Exchange
from opensqt.model.order import Order, OrderRef, OrderRequest, OrderType, Side
from opensqt.model.venue import ExchangeInfo

ID_PREFIX = "CLI"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is to be ended.

    Attributes:
        symbol: Canonical; empty means every symbol.
        strategy: Orders whose client_order_id is of this strategy are ours.
        everything: Other people's orders on the account too.
        flatten: The positions too.
    """

    symbol: str
    strategy: str
    everything: bool = False
    flatten: bool = False


async def end_all(
    exchange: Exchange, wanted: Wanted, console: Console, *, confirm: Callable[[str], Awaitable[bool]]
) -> int:
    """Cancel, close, look again, and answer 0 when nothing is left that was to go, else 1.

    Args:
        exchange: Started.
        wanted: What to end.
        console: Where to tell it.
        confirm: Asks the person; sees what would be done.
    """
    orders, positions = await _left(exchange, wanted)
    if not orders and not positions:
        console.print("nothing to do: no such order" + (" and no position" if wanted.flatten else ""))
        return 0
    if not await confirm(_question(orders, positions)):
        console.print("nothing was done")
        return 1
    failures = [*await _cancel(exchange, orders), *await _close(exchange, positions)]
    orders, positions = await _left(exchange, wanted)
    for text in failures:
        console.print(f"[red]{text}[/red]", highlight=False)
    if not orders and not positions:
        console.print("done: nothing of it is left")
        return 0
    console.print(
        f"[bold red]still there:[/bold red] {_named(orders, positions)};"
        " stop what lays them again (the market maker), then run this again or use the venue's page"
    )
    return 1


def is_ours(order: Order, strategy: str) -> bool:
    """Say whether the order's id is one that the strategy makes for its symbol."""
    return OrderIds(strategy, order.symbol).read(order.client_order_id) is not None


def closing_orders(position: Position, info: ExchangeInfo) -> Iterator[OrderRequest]:
    """The market orders that bring a position to zero, none larger than the venue takes, and never beyond it."""
    rules = info.rules(position.symbol)
    left = abs(position.quantity)
    most = rules.max_quantity if rules is not None and rules.max_quantity is not None else left
    while left > 0:
        quantity = min(left, most)
        left -= quantity
        yield OrderRequest(
            symbol=position.symbol,
            side=Side.SELL if position.quantity > 0 else Side.BUY,
            quantity=quantity,
            client_order_id=client_order_id.new(ID_PREFIX),
            order_type=OrderType.MARKET,
            reduce_only=True,
            position_side=position.position_side,
        )


async def _left(exchange: Exchange, wanted: Wanted) -> tuple[list[Order], list[Position]]:
    orders = [
        order
        for order in await exchange.get_open_orders(wanted.symbol)
        if wanted.everything or is_ours(order, wanted.strategy)
    ]
    positions = await exchange.get_positions(wanted.symbol) if wanted.flatten else []
    return orders, [position for position in positions if not position.is_flat]


async def _cancel(exchange: Exchange, orders: Sequence[Order]) -> list[str]:
    """Cancel and answer what failed. An order that is gone already is what was wanted."""
    refs = [
        OrderRef(symbol=order.symbol, client_order_id=order.client_order_id, order_id=order.order_id)
        for order in orders
    ]
    outcomes = await exchange.batch_cancel_orders(refs) if refs else []
    return [
        f"cancel of {ref.client_order_id or ref.order_id} on {ref.symbol}: {outcome.message}"
        for ref, outcome in zip(refs, outcomes, strict=True)
        if isinstance(outcome, ExchangeError) and not isinstance(outcome, OrderNotFound)
    ]


async def _close(exchange: Exchange, positions: Sequence[Position]) -> list[str]:
    """Close and answer what failed. Nothing is sent a second time: looking again tells what is left."""
    info = await exchange.get_exchange_info() if positions else None
    failures = []
    for position in positions:
        assert info is not None  # noqa: S101 - asked for whenever there is a position
        for request in closing_orders(position, info):
            try:
                await exchange.place_order(request)
            except ExchangeError as error:
                failures.append(f"closing {request.quantity} {position.symbol}: {error.message}")
    return failures


def _question(orders: Sequence[Order], positions: Sequence[Position]) -> str:
    deeds = " and ".join([*["cancel"] * bool(orders), *["close at market"] * bool(positions)])
    return f"{deeds}: {_named(orders, positions)}. Go on?"


def _named(orders: Sequence[Order], positions: Sequence[Position]) -> str:
    counts: dict[str, int] = {}
    for order in orders:
        counts[order.symbol] = counts.get(order.symbol, 0) + 1
    return ", ".join(
        [
            *(f"{count} order{'s' if count > 1 else ''} on {symbol}" for symbol, count in sorted(counts.items())),
            *(f"a position of {_quantity(position.quantity)} {position.symbol}" for position in positions),
        ]
    )


def _quantity(quantity: Decimal) -> str:
    return f"{quantity.normalize():f}"
