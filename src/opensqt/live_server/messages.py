"""The messages of the WebSocket: one `{"type", "data"}` each, made from the model.

Amounts and prices are decimal strings, times are whole UNIX seconds. An order's side is BUY or SELL, a fill's is buy
or sell, as in the earlier systems. docs/live-server.md lists the messages.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import orjson

from opensqt.model.account import Account, Position
from opensqt.model.market import Candle, Price
from opensqt.model.order import Fill, Order


@dataclass(frozen=True, slots=True)
class PageMessage:
    """One message to the page."""

    type: str
    data: Any
    latest: Hashable = None
    """Key of the state that it carries: it replaces a queued message of the same key. None: it is never left out."""

    def encode(self) -> bytes:
        """Write it as JSON text."""
        return orjson.dumps({"type": self.type, "data": self.data})


def plain(number: Decimal) -> str:
    """Return a decimal without an exponent."""
    return format(number, "f")


def kline(candle: Candle) -> PageMessage:
    """Return the message of one candle, forming or closed."""
    return PageMessage("kline", _kline(candle), ("kline", candle.open_time_ms))


def history(candles: Iterable[Candle]) -> PageMessage:
    """Return the message of all candles, oldest first."""
    return PageMessage("history", [_kline(candle) for candle in candles])


def account(state: Account, symbol: str, *, open_profit: Decimal | None = None) -> PageMessage:
    """Return the message of the balance.

    Args:
        state: The account as the venue reported it last.
        symbol: The symbol of the page.
        open_profit: Open profit of all positions at the current price; without it the venue's own value is shown.
    """
    profit = state.unrealized_pnl if open_profit is None else open_profit
    data = {
        "asset": state.asset,
        "free": plain(state.available_balance),
        "balance": plain(state.wallet_balance),
        "marginBalance": plain(state.wallet_balance + profit),
        "symbol": symbol,
    }
    return PageMessage("account", data, "account")


def order(state: Order) -> PageMessage:
    """Return the message of one order in its current state."""
    return PageMessage("orders", _order(state))


def orders(states: Iterable[Order]) -> PageMessage:
    """Return the message of all open orders; it replaces every order that a client has."""
    return PageMessage("orders", [_order(state) for state in states])


def trade_event(fill: Fill) -> PageMessage:
    """Return the message of a new fill."""
    return PageMessage("trade_event", _fill(fill))


def trades(fills: Iterable[Fill]) -> PageMessage:
    """Return the message of the recent fills, oldest first; it replaces every fill that a client has."""
    return PageMessage("trades", [_fill(fill) for fill in fills])


def price(state: Price) -> PageMessage:
    """Return the message of the best bid and ask."""
    data = {
        "symbol": state.symbol,
        "bid": plain(state.bid),
        "ask": plain(state.ask),
        "price": plain(current(state)),
        "time": state.event_time_ms // 1000,
    }
    return PageMessage("price", data, "price")


def current(state: Price) -> Decimal:
    """Return the price that open profit is calculated with: the middle of bid and ask."""
    return state.mid


@dataclass(frozen=True, slots=True, kw_only=True)
class Profit:
    """Sums over the fills since a time, quote."""

    since_ms: int
    realized: Decimal
    """Before fees, as the venue reported it with each fill."""
    fees: Decimal
    """Paid in the quote asset."""
    other_fees: dict[str, Decimal]
    """Paid in other assets; not part of `net`."""
    volume: Decimal
    fills: int

    @property
    def net(self) -> Decimal:
        """Realized profit after the fees that were paid in the quote asset."""
        return self.realized - self.fees


def unrealized(state: Position, now: Price | None) -> Decimal:
    """Return the open profit of a position at a price; the venue's own value when there is none."""
    at = current(now) if now is not None else state.mark_price
    return state.unrealized_pnl if at is None else (at - state.entry_price) * state.quantity


def position(state: Position, now: Price | None, profit: Profit | None) -> PageMessage:
    """Return the message of a position.

    Args:
        state: The position as the venue reported it last.
        now: The price to value it at; without one the venue's own value is shown.
        profit: The sums of its fills; None while they are not known, and then none are shown.
    """
    at = current(now) if now is not None else state.mark_price
    data: dict[str, Any] = {
        "symbol": state.symbol,
        "positionSide": state.position_side.value,
        "amount": plain(state.quantity),
        "entryPrice": plain(state.entry_price),
        "unrealizedPnL": plain(unrealized(state, now)),
        "realizedPnL": plain(profit.net) if profit else None,
        "currentPrice": plain(at) if at is not None else None,
        "leverage": plain(state.leverage) if state.leverage is not None else None,
        "liquidationPrice": plain(state.liquidation_price) if state.liquidation_price else None,
    }
    if profit is not None:
        data |= {
            "realizedSince": profit.since_ms // 1000,
            "grossPnL": plain(profit.realized),
            "fees": plain(profit.fees),
            "otherFees": {asset: plain(paid) for asset, paid in profit.other_fees.items()},
            "volume": plain(profit.volume),
            "fills": profit.fills,
        }
    return PageMessage("position", data, ("position", state.symbol, state.position_side))


def risk_status(symbol: str, kind: str, severity: str, text: str, now_ms: int) -> PageMessage:
    """Return the message of a check that began to fail, or passes again.

    Args:
        symbol: The symbol of the page.
        kind: Stable name of the check, e.g. `private_stream`.
        severity: `critical`, or `info` when it passes again.
        text: The reason.
        now_ms: UTC epoch milliseconds.
    """
    data = {"symbol": symbol, "type": kind, "severity": severity, "message": text, "timestamp": now_ms // 1000}
    return PageMessage("risk_status", data)


def _kline(candle: Candle) -> dict[str, Any]:
    return {
        "time": candle.open_time_ms // 1000,
        "open": plain(candle.open),
        "high": plain(candle.high),
        "low": plain(candle.low),
        "close": plain(candle.close),
        "volume": plain(candle.volume),
        "closed": candle.closed,
    }


def _order(state: Order) -> dict[str, Any]:
    return {
        "id": state.order_id or state.client_order_id,
        "clientOrderId": state.client_order_id,
        "price": plain(state.price) if state.price is not None else None,
        "side": state.side.value,
        "status": state.status.value,
        "open": not state.status.is_closed,
        "type": state.order_type.value,
        "symbol": state.symbol,
        "amount": plain(state.quantity),
        "filled": plain(state.filled_quantity),
        "reduceOnly": state.reduce_only,
        "positionSide": state.position_side.value,
        "closedBy": state.closed_by.value if state.closed_by else None,
        "closeReason": state.close_reason.value if state.close_reason else None,
        "reason": state.reason,
        "time": state.event_time_ms // 1000,
    }


def _fill(fill: Fill) -> dict[str, Any]:
    return {
        "id": fill.trade_id,
        "orderId": fill.order_id,
        "side": fill.side.value.lower(),
        "price": plain(fill.price),
        "amount": plain(fill.quantity),
        "symbol": fill.symbol,
        "time": fill.event_time_ms // 1000,
        "fee": plain(fill.fee),
        "feeAsset": fill.fee_asset,
        "fees": {asset: plain(paid) for asset, paid in fill.fees.items()},
        "kind": fill.kind.value,
        "realizedPnL": plain(fill.realized_pnl),
        "maker": fill.is_maker,
    }
