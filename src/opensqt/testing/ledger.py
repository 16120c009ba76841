"""Positions and balance of an InMemoryExchange, moved by its fills: arithmetic only, no loop, no I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from opensqt.model.account import Account, MarginMode, Position, PositionMode
from opensqt.model.funding import FundingPayment
from opensqt.model.market import Price
from opensqt.model.order import Fill, Order, OrderRequest, PositionSide, Side

_ZERO = Decimal(0)
_CLOSING = {PositionSide.LONG: Side.SELL, PositionSide.SHORT: Side.BUY}


def settle(position: Position, side: Side, quantity: Decimal, price: Decimal) -> tuple[Position, Decimal]:
    """Move a position by one fill.

    Args:
        position: Before the fill.
        side: Of the fill.
        quantity: Base coins, above zero.
        price: Quote per base coin.

    Returns:
        The position after it, and the profit it realized in quote, before fees.
    """
    held = position.quantity
    change = quantity * side.sign
    after = held + change
    if held * change >= 0:
        entry = (abs(held) * position.entry_price + quantity * price) / abs(after)
        return replace(position, quantity=after, entry_price=entry), _ZERO
    closed = min(quantity, abs(held))
    realized = (price - position.entry_price) * closed * (1 if held > 0 else -1)
    if after == 0:
        return replace(position, quantity=_ZERO, entry_price=_ZERO), realized
    entry = price if held * after < 0 else position.entry_price
    return replace(position, quantity=after, entry_price=entry), realized


class Ledger:
    """Balance and positions of one cross-margin account.

    Args:
        symbols: Symbols that trade.
        balance: Balance at the start, in quote.
        mode: One net position per symbol, or a long and a short one.
        leverage: Leverage of every symbol at the start.
    """

    def __init__(self, symbols: Iterable[str], *, balance: Decimal, mode: PositionMode, leverage: Decimal) -> None:
        self._leverages = dict.fromkeys(symbols, leverage)
        self._margin_modes = dict.fromkeys(self._leverages, MarginMode.CROSS)
        self._wallet = balance
        self.set_mode(mode)

    def set_mode(self, mode: PositionMode) -> None:
        """Switch the position mode; every position must be flat."""
        sides = (PositionSide.BOTH,) if mode is PositionMode.ONE_WAY else (PositionSide.LONG, PositionSide.SHORT)
        self.mode = mode
        self._positions = {
            (symbol, side): Position(
                symbol=symbol,
                quantity=_ZERO,
                entry_price=_ZERO,
                position_side=side,
                leverage=leverage,
                margin_mode=self._margin_modes[symbol],
            )
            for symbol, leverage in self._leverages.items()
            for side in sides
        }

    def set_leverage(self, symbol: str, leverage: Decimal) -> None:
        """Set the leverage of a symbol."""
        self._leverages[symbol] = leverage
        self._update(symbol, leverage=leverage)

    def margin_mode(self, symbol: str) -> MarginMode:
        """Return the margin mode of a symbol."""
        return self._margin_modes[symbol]

    def set_margin_mode(self, symbol: str, mode: MarginMode) -> None:
        """Set the margin mode of a symbol. It is only reported: the whole balance carries every position."""
        self._margin_modes[symbol] = mode
        self._update(symbol, margin_mode=mode)

    def pay_funding(self, payment: FundingPayment) -> None:
        """Apply a funding payment to the balance."""
        self._wallet += payment.amount

    def _update(self, symbol: str, **changes: Any) -> None:
        for key, position in self._positions.items():
            if key[0] == symbol:
                self._positions[key] = replace(position, **changes)

    def accepts_side(self, side: PositionSide) -> bool:
        """Return whether a position side fits the account's mode."""
        return (side is PositionSide.BOTH) == (self.mode is PositionMode.ONE_WAY)

    def closable(self, request: OrderRequest | Order) -> Decimal:
        """Return the base coins that the order would close rather than open."""
        held = self._positions[request.symbol, request.position_side].quantity
        return abs(held) if held * request.side.sign < 0 else _ZERO

    def must_reduce(self, request: OrderRequest | Order) -> bool:
        """Return whether the order may only close: by its flag, or because it is the closing side in hedge mode."""
        return request.reduce_only or _CLOSING.get(request.position_side) is request.side

    def apply(self, fill: Fill) -> Fill:
        """Apply one fill to position and balance; return it with the profit that it realized."""
        key = (fill.symbol, fill.position_side)
        moved, realized = settle(self._positions[key], fill.side, fill.quantity, fill.price)
        self._positions[key] = replace(moved, event_time_ms=fill.event_time_ms, received_ns=fill.received_ns)
        self._wallet += realized - fill.fee
        return replace(fill, realized_pnl=realized)

    def opening_value(self, request: OrderRequest | Order, price: Decimal) -> Decimal:
        """Return the value of the opening part of an order, in quote."""
        if self.must_reduce(request):
            return _ZERO
        rest = request.remaining_quantity if isinstance(request, Order) else request.quantity
        return max(rest - self.closable(request), _ZERO) * price

    def margin_for(self, symbol: str, value: Decimal) -> Decimal:
        """Return the margin that a position of this value, in quote, requires."""
        return value / self._leverages[symbol]

    def positions(self, prices: Mapping[str, Price], symbol: str = "") -> list[Position]:
        """Return every position of a symbol, or of all symbols, valued at the mid prices; flat positions too."""
        return [self._valued(position, prices) for (of, _), position in self._positions.items() if symbol in ("", of)]

    def account(self, prices: Mapping[str, Price], opening_values: Mapping[str, Decimal], *, now_ns: int) -> Account:
        """Return the account, its positions valued at the mid prices.

        Args:
            prices: The newest prices.
            opening_values: By symbol, the value that the open orders would open, in quote.
            now_ns: Time of the result.
        """
        unrealized = _ZERO
        values = dict(opening_values)
        for position in self._positions.values():
            if position.quantity:
                values[position.symbol] += abs(position.quantity) * position.entry_price
                unrealized += self._valued(position, prices).unrealized_pnl
        margin = sum((self.margin_for(symbol, value) for symbol, value in values.items() if value), _ZERO)
        return Account(
            asset="USDT",
            wallet_balance=self._wallet,
            unrealized_pnl=unrealized,
            available_balance=max(self._wallet + unrealized - margin, _ZERO),
            initial_margin=margin,
            event_time_ms=now_ns // 1_000_000,
            received_ns=now_ns,
        )

    def _valued(self, position: Position, prices: Mapping[str, Price]) -> Position:
        price = prices.get(position.symbol)
        if price is None:
            return position
        profit = (price.mid - position.entry_price) * position.quantity
        return replace(position, mark_price=price.mid, unrealized_pnl=profit)
