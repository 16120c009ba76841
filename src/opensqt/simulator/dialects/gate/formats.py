"""Gate's JSON formats: orders, trades, positions, contracts. Sizes are signed contracts, times seconds."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import orjson

from opensqt.model.account import MarginMode, PositionMode
from opensqt.model.order import OrderStatus, OrderType, PositionSide, TimeInForce
from opensqt.simulator.dialects import decimals
from opensqt.simulator.engine.account import closes
from opensqt.simulator.engine.closed_positions import ClosedPosition
from opensqt.simulator.engine.events import BalanceView, BookLevel, PositionView, SimCandle, SimMark, SimTrade
from opensqt.simulator.engine.order import ClosingReason, SimFill, SimOrder, VenueClose, is_liquidation
from opensqt.simulator.engine.tape import DayStatistics
from opensqt.simulator.settings import SimulatorSettings, SymbolSettings

PREFIX = "t-"
"""Prefix of every client id."""
_TIF = {
    TimeInForce.GTC: "gtc",
    TimeInForce.IOC: "ioc",
    TimeInForce.FOK: "fok",
    TimeInForce.POST_ONLY: "poc",
}
_MODE = {PositionSide.BOTH: "single", PositionSide.LONG: "dual_long", PositionSide.SHORT: "dual_short"}
_CLOSED_BY = {
    ClosingReason.SELF_TRADE: "stp",
    ClosingReason.REDUCE_ONLY: "reduce_only",
    ClosingReason.LIQUIDATION: "liquidated",
}
_RISK_LIMIT = "100000000"


def contract(rules: SymbolSettings) -> str:
    """Return the name of a contract."""
    return f"{rules.base_asset}_{rules.quote_asset}"


def multiplier(rules: SymbolSettings) -> Decimal:
    """Return the base coins of a contract: one quantity step, unless the settings give another size."""
    return rules.contract_size or rules.quantity_step


def plain(value: Decimal) -> str:
    """Write a number without exponent and without trailing zeros."""
    return decimals.exact(value.normalize()) if value else "0"


def seconds(time_ms: int) -> orjson.Fragment:
    """Write a time in seconds, as a number with its milliseconds."""
    return orjson.Fragment(f"{time_ms // 1000}.{time_ms % 1000:03d}".encode())


def number(text: str) -> orjson.Fragment:
    """Write a text as a JSON number."""
    return orjson.Fragment(text.encode())


class Sizes:
    """Writes base coins as contracts: as text for a client that requested it (X-Gate-Size-Decimal), else as numbers."""

    def __init__(self, *, as_text: bool) -> None:
        self.as_text = as_text

    def of(self, quantity: Decimal, rules: SymbolSettings) -> str | int:
        """Write a signed quantity; only clients that requested text get fractions of a contract, as on the venue."""
        contracts = quantity / multiplier(rules)
        return plain(contracts) if self.as_text else int(contracts)


_CLOSED: dict[str, str] = {
    VenueClose.LIQUIDATION: "liq-{}",
    VenueClose.ADL: "auto_deleveraging",
    VenueClose.INSURANCE: "insurance",
    VenueClose.SETTLEMENT: "clear",
}
"""`text` of an order that the venue places to close a position."""


def text(order_id: str, client_order_id: str) -> str:
    """Write the user's own id; for an order without one, its origin."""
    begin = client_order_id.removesuffix(order_id)
    if begin in _CLOSED:
        return _CLOSED[begin].format(order_id)
    return "api" if client_order_id == f"auto{order_id}" else PREFIX + client_order_id


def finish_as(order: SimOrder) -> str:
    """Return how an order ended; empty while it is open."""
    if order.status.is_open:
        return ""
    if order.status is OrderStatus.FILLED:
        return "filled"
    if order.status is OrderStatus.CANCELED:
        return "cancelled"
    return _CLOSED_BY.get(order.closing_reason, "ioc")


def order(
    order: SimOrder, rules: SymbolSettings, user: int, settings: SimulatorSettings, sizes: Sizes
) -> dict[str, Any]:
    """Write an order as the REST endpoints do."""
    sign = order.side.sign
    row: dict[str, Any] = {
        "id": int(order.order_id),
        "user": user,
        "contract": contract(rules),
        "create_time": seconds(order.created_ms),
        "update_time": seconds(order.updated_ms),
        "size": sizes.of(sign * order.quantity, rules),
        "iceberg": sizes.of(decimals.ZERO, rules),
        "left": sizes.of(sign * order.remaining, rules),
        "price": "0" if order.order_type is OrderType.MARKET else decimals.price(order.price, rules),
        "fill_price": decimals.rounded(order.average_price) if order.filled_quantity else "0",
        "mkfr": decimals.exact(settings.maker_fee),
        "tkfr": decimals.exact(settings.taker_fee),
        "tif": tif(order),
        "refu": 0,
        "is_reduce_only": closes(order.side, order.position_side, order.reduce_only),
        "is_close": False,
        "is_liq": is_liquidation(order),
        "text": text(order.order_id, order.client_order_id),
        "status": "open" if order.status.is_open else "finished",
        "stp_id": 0,
        "stp_act": "-",
        "amend_text": order.amend_text or "-",
        "pid": 0,
    }
    if not order.status.is_open:
        row |= {"finish_time": seconds(order.updated_ms), "finish_as": finish_as(order)}
    return row


def tif(order: SimOrder) -> str:
    """Return an order's time in force; a market order is IOC."""
    return "ioc" if order.order_type is OrderType.MARKET else _TIF[order.time_in_force]


def trade(fill: SimFill, rules: SymbolSettings, sizes: Sizes) -> dict[str, Any]:
    """Write a trade of the account; `close_size` is the part of it that closed a position."""
    sign = fill.side.sign
    closing = closes(fill.side, fill.position_side, bool(fill.realized_pnl))
    return {
        "create_time": seconds(fill.time_ms),
        "contract": contract(rules),
        "order_id": fill.order_id,
        "size": sizes.of(sign * fill.quantity, rules),
        "close_size": sizes.of(sign * fill.quantity if closing else decimals.ZERO, rules),
        "price": decimals.price(fill.price, rules),
        "role": "maker" if fill.is_maker else "taker",
        "text": text(fill.order_id, fill.client_order_id),
        "fee": decimals.exact(fill.fee),
        "point_fee": "0",
    }


def position(view: PositionView, rules: SymbolSettings, user: int, pending: int, sizes: Sizes) -> dict[str, Any]:
    """Write a position; leverage 0 means cross margin."""
    isolated = view.margin_mode is MarginMode.ISOLATED
    return {
        "user": user,
        "contract": contract(rules),
        "size": sizes.of(view.quantity, rules),
        "leverage": str(view.leverage) if isolated else "0",
        "risk_limit": _RISK_LIMIT,
        "leverage_max": str(rules.max_leverage),
        "maintenance_rate": decimals.exact(rules.maintenance_rate),
        "value": decimals.rounded(abs(view.notional)),
        "margin": "0",
        "entry_price": decimals.rounded(view.entry_price) if view.quantity else "0",
        "liq_price": decimals.rounded(view.liquidation_price or decimals.ZERO),
        "mark_price": decimals.rounded(view.mark_price),
        "initial_margin": decimals.rounded(view.initial_margin),
        "maintenance_margin": decimals.rounded(view.maintenance_margin),
        "unrealised_pnl": decimals.rounded(view.unrealized_pnl),
        "realised_pnl": decimals.rounded(view.realized_pnl),
        "history_pnl": "0",
        "last_close_pnl": "0",
        "realised_point": "0",
        "history_point": "0",
        "adl_ranking": 6,
        "pending_orders": pending,
        "close_order": None,
        "mode": _MODE[view.position_side],
        "cross_leverage_limit": "0" if isolated else str(view.leverage),
        "lever": str(view.leverage),
        "pos_margin_mode": view.margin_mode.value.lower(),
        "update_time": view.updated_ms // 1000,
        "update_id": 1,
        "open_time": view.updated_ms // 1000 if view.quantity else 0,
    }


def account(balance: BalanceView, user: int, mode: PositionMode) -> dict[str, Any]:
    """Write the futures account."""
    hedge = mode is PositionMode.HEDGE
    return {
        "user": user,
        "currency": balance.asset,
        "total": decimals.exact(balance.wallet_balance),
        "unrealised_pnl": decimals.rounded(balance.unrealized_pnl),
        "position_margin": "0",
        "order_margin": "0",
        "available": decimals.rounded(balance.available_balance),
        "point": "0",
        "bonus": "0",
        "in_dual_mode": hedge,
        "position_mode": "dual" if hedge else "single",
        "margin_mode": 0,
        "enable_credit": True,
        "enable_evolved_classic": True,
        "position_initial_margin": decimals.rounded(balance.position_margin),
        "maintenance_margin": decimals.rounded(balance.maintenance_margin),
        "cross_order_margin": decimals.rounded(balance.order_margin),
        "cross_initial_margin": decimals.rounded(balance.position_margin),
        "cross_maintenance_margin": decimals.rounded(balance.maintenance_margin),
        "cross_unrealised_pnl": decimals.rounded(balance.unrealized_pnl),
        "cross_available": decimals.rounded(balance.available_balance),
        "cross_margin_balance": decimals.rounded(balance.margin_balance),
        "isolated_position_margin": "0",
        "history": {
            "dnw": decimals.exact(balance.wallet_balance - balance.realized_pnl + balance.fees - balance.funding),
            "pnl": decimals.exact(balance.realized_pnl),
            "fee": decimals.exact(-balance.fees),
            "refr": "0",
            "fund": decimals.exact(balance.funding),
            "point_dnw": "0",
            "point_fee": "0",
            "point_refr": "0",
            "bonus_dnw": "0",
            "bonus_offset": "0",
        },
    }


def instrument(rules: SymbolSettings, mark: SimMark, last: Decimal, settings: SimulatorSettings, sizes: Sizes) -> Any:
    """Write a contract, without its state."""
    return {
        "name": contract(rules),
        "type": "direct",
        "quanto_multiplier": decimals.exact(multiplier(rules)),
        "ref_discount_rate": "0",
        "ref_rebate_rate": "0.2",
        "order_price_deviate": decimals.exact(rules.price_band),
        "maintenance_rate": decimals.exact(rules.maintenance_rate),
        "mark_type": "index",
        "last_price": decimals.price(last, rules),
        "mark_price": decimals.rounded(mark.mark_price),
        "index_price": decimals.rounded(mark.index_price),
        "funding_rate": decimals.exact(mark.funding_rate),
        "funding_rate_indicative": decimals.exact(mark.funding_rate),
        "funding_interval": settings.funding_interval_h * 3600,
        "funding_next_apply": mark.next_funding_ms // 1000,
        "funding_offset": 0,
        "interest_rate": "0.0003",
        "mark_price_round": "0.00000001",
        "order_price_round": decimals.exact(rules.price_step),
        "order_size_min": plain(rules.min_quantity / multiplier(rules)),
        "order_size_max": sizes.of(rules.max_quantity, rules),
        "market_order_size_max": str(sizes.of(rules.largest_market_order, rules)),
        "enable_decimal": rules.quantity_step < multiplier(rules),
        "orders_limit": rules.max_open_orders,
        "leverage_min": "1",
        "leverage_max": str(rules.max_leverage),
        "maker_fee_rate": decimals.exact(settings.maker_fee),
        "taker_fee_rate": decimals.exact(settings.taker_fee),
        "risk_limit_base": _RISK_LIMIT,
        "risk_limit_step": _RISK_LIMIT,
        "risk_limit_max": _RISK_LIMIT,
        "config_change_time": 1_600_000_000,
        "create_time": 1_600_000_000,
    }


def listing(state: str) -> dict[str, Any]:
    """Write the fields for the state of a contract; one whose delisting was announced still has the status trading."""
    announced = state == "in_delisting"
    return {
        "in_delisting": announced or state in ("delisting", "delisted"),
        "status": "trading" if announced or not state else state,
    }


def ticker(rules: SymbolSettings, day: DayStatistics, mark: SimMark, best: tuple[str, str]) -> dict[str, Any]:
    """Write the 24 hour statistics with the best *bid* and *ask*."""
    change = (day.last - day.open) / day.open * 100 if day.open else decimals.ZERO
    quote = decimals.exact(day.quote_volume)
    return {
        "contract": contract(rules),
        "last": decimals.price(day.last, rules),
        "change_percentage": format(change, ".4f"),
        "total_size": "0",
        "low_24h": decimals.price(day.low, rules),
        "high_24h": decimals.price(day.high, rules),
        "volume_24h": str(int(day.volume / multiplier(rules))),
        "volume_24h_base": decimals.exact(day.volume),
        "volume_24h_quote": quote,
        "volume_24h_settle": quote,
        "mark_price": decimals.rounded(mark.mark_price),
        "index_price": decimals.rounded(mark.index_price),
        "funding_rate": decimals.exact(mark.funding_rate),
        "funding_rate_indicative": decimals.exact(mark.funding_rate),
        "highest_bid": best[0],
        "lowest_ask": best[1],
        "basis_rate": "0",
        "basis_value": "0",
    }


def candle(bar: SimCandle, rules: SymbolSettings, sizes: Sizes) -> dict[str, Any]:
    """Write a candle; its volume is in contracts."""
    return {
        "t": bar.open_time_ms // 1000,
        "v": sizes.of(bar.volume, rules),
        "c": decimals.price(bar.close, rules),
        "h": decimals.price(bar.high, rules),
        "l": decimals.price(bar.low, rules),
        "o": decimals.price(bar.open, rules),
    }


def levels(rows: Iterable[BookLevel], rules: SymbolSettings, sizes: Sizes) -> list[dict[str, Any]]:
    """Write levels of a book."""
    return [{"p": decimals.price(level, rules), "s": sizes.of(amount, rules)} for level, amount in rows]


def public_trade(each: SimTrade, rules: SymbolSettings, sizes: Sizes) -> dict[str, Any]:
    """Write a public trade; a negative size was sold by the taker."""
    return {
        "id": int(each.trade_id),
        "contract": contract(rules),
        "size": sizes.of(-each.quantity if each.buyer_is_maker else each.quantity, rules),
        "price": decimals.price(each.price, rules),
    }


def closed_position(closed: ClosedPosition, rules: SymbolSettings, sizes: Sizes) -> dict[str, Any]:
    """Write a position that was closed."""
    entry, leaving = decimals.rounded(closed.entry_price), decimals.rounded(closed.exit_price)
    return {
        "time": seconds(closed.updated_ms),
        "contract": contract(rules),
        "side": "long" if closed.long else "short",
        "pnl": decimals.rounded(closed.net_pnl),
        "pnl_pnl": decimals.exact(closed.pnl),
        "pnl_fund": decimals.exact(closed.funding),
        "pnl_fee": decimals.rounded(-closed.open_fees - closed.close_fees),
        "text": "liquidated" if closed.liquidated else "api",
        "max_size": str(sizes.of(closed.most, rules)),
        "accum_size": str(sizes.of(closed.closed, rules)),
        "first_open_time": closed.opened_ms // 1000,
        "long_price": entry if closed.long else leaving,
        "short_price": leaving if closed.long else entry,
    }


def price_candle(bar: SimCandle) -> dict[str, Any]:
    """Write a candle of the mark or index price, which has no volume."""
    prices = {"o": bar.open, "h": bar.high, "l": bar.low, "c": bar.close}
    return {"t": bar.open_time_ms // 1000, **{name: decimals.exact(price) for name, price in prices.items()}}
