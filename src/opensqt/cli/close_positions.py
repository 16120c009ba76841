"""Closing positions at market, by reduce-only orders."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal

from opensqt.client.exchange import RemoteExchange
from opensqt.model import client_order_id
from opensqt.model.account import MarginMode, Position
from opensqt.model.errors import ExchangeError
from opensqt.model.order import OrderRequest, OrderType, Side
from opensqt.model.venue import ExchangeInfo

ID_PREFIX = "CLI"


def closing_orders(position: Position, info: ExchangeInfo) -> Iterator[OrderRequest]:
    """Yield the market orders that bring a position exactly to zero, none larger than the venue's maximum.

    What is held under cross and what is held under isolated margin are closed each for itself.
    """
    for margin_mode, quantity in position.parts.items():
        yield from _closing_part(position, margin_mode, quantity, info)


def _closing_part(
    position: Position, margin_mode: MarginMode, held: Decimal, info: ExchangeInfo
) -> Iterator[OrderRequest]:
    rules = info.rules(position.symbol)
    left = abs(held)
    largest = None if rules is None else rules.quantity_bounds(OrderType.MARKET)[1]
    most = left if rules is None or largest is None else rules.round_quantity(largest) or left
    while left > 0:
        quantity = min(left, most)
        left -= quantity
        yield OrderRequest(
            symbol=position.symbol,
            side=Side.SELL if held > 0 else Side.BUY,
            quantity=quantity,
            client_order_id=client_order_id.new(ID_PREFIX),
            order_type=OrderType.MARKET,
            reduce_only=True,
            position_side=position.position_side,
            margin_mode=margin_mode,
        )


async def close_positions(exchange: RemoteExchange, positions: Iterable[Position], halt_id: str) -> list[str]:
    """Close positions and return what failed. No order is sent twice: the next query shows what is left.

    Args:
        exchange: Started.
        positions: The positions to close.
        halt_id: The current halt of this command; empty for none.
    """
    info = await exchange.get_exchange_info()
    failures = []
    for position in positions:
        for request in closing_orders(position, info):
            try:
                if halt_id:
                    await exchange.place_during_halt(request, halt_id)
                else:
                    await exchange.place_order(request)
            except ExchangeError as error:
                failures.append(f"closing {request.quantity} {position.symbol}: {error.message}")
    return failures
