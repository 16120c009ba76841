"""Binance's JSON formats: orders, fills, positions, balances, candles. Numbers are text, ids are numbers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from opensqt.model.account import MarginMode
from opensqt.model.order import OrderStatus, OrderType, Side, TimeInForce
from opensqt.simulator.dialects import decimals
from opensqt.simulator.engine.events import BalanceView, BookLevel, PositionView, SimCandle, SimTrade
from opensqt.simulator.engine.order import ClosingReason, SimFill, SimOrder
from opensqt.simulator.engine.tape import DayStatistics
from opensqt.simulator.settings import SymbolSettings

_STATUS = {OrderStatus.OPEN: "NEW"}
_EXPIRY_REASON = {
    ClosingReason.SELF_TRADE: "1",
    ClosingReason.NOT_FILLED_AT_ONCE: "2",
    ClosingReason.REDUCE_ONLY: "4",
    ClosingReason.LIQUIDATION: "5",
}
_TIME_IN_FORCE = {TimeInForce.POST_ONLY: "GTX"}
ORDER_TYPES_OF_ALGO = ("STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET", "TRAILING_STOP_MARKET")
"""Types that a symbol lists, and whose orders the algo service takes."""


def status(order: SimOrder) -> str:
    """Return an order's status."""
    if order.status is OrderStatus.EXPIRED and order.closing_reason is ClosingReason.SELF_TRADE:
        return "EXPIRED_IN_MATCH"
    return _STATUS.get(order.status, order.status.value)


def expiry_reason(order: SimOrder) -> str:
    """Return the number of the reason why the venue ended an order."""
    if order.closing_reason is ClosingReason.NOT_FILLED_AT_ONCE and order.order_type is OrderType.MARKET:
        return "9"
    return _EXPIRY_REASON.get(order.closing_reason, "0")


def time_in_force(order: SimOrder) -> str:
    """Return an order's time in force."""
    named = order.details.get("timeInForce", "")
    return "GTD" if named == "GTD" else _TIME_IN_FORCE.get(order.time_in_force, order.time_in_force.value)


def order(order: SimOrder, rules: SymbolSettings, *, as_accepted: bool = False) -> dict[str, Any]:
    """Write an order as the REST endpoints do; *as_accepted* omits the result of matching (newOrderRespType=ACK)."""
    filled = decimals.ZERO if as_accepted else order.filled_quantity
    notional = decimals.ZERO if as_accepted else order.filled_notional
    return {
        "orderId": int(order.order_id),
        "symbol": order.symbol,
        "status": "NEW" if as_accepted else status(order),
        "clientOrderId": order.client_order_id,
        "price": decimals.price(order.price, rules),
        "avgPrice": decimals.rounded(decimals.ZERO if as_accepted else order.average_price),
        "origQty": decimals.quantity(order.quantity, rules),
        "executedQty": decimals.quantity(filled, rules),
        "cumQty": decimals.quantity(filled, rules),
        "cumQuote": decimals.exact(notional),
        "timeInForce": time_in_force(order),
        "type": order.order_type.value,
        "reduceOnly": order.reduce_only,
        "closePosition": order.details.get("closePosition") == "true",
        "side": order.side.value,
        "positionSide": order.position_side.value,
        "stopPrice": order.details.get("stopPrice", "0.00"),
        "workingType": order.details.get("workingType", "CONTRACT_PRICE"),
        "priceProtect": False,
        "origType": order.details.get("type", order.order_type.value),
        "priceMatch": order.details.get("priceMatch", "NONE"),
        "selfTradePreventionMode": "EXPIRE_MAKER",
        "goodTillDate": int(order.details.get("goodTillDate", "0")),
        "time": order.created_ms,
        "updateTime": order.updated_ms,
    }


def amended(amended: SimOrder, rules: SymbolSettings) -> dict[str, Any]:
    """Write an amended order: the venue adds the pair, and what was filled in the base coin."""
    written = order(amended, rules)
    return {**written, "pair": amended.symbol, "cumBase": written["cumQty"]}


def fill(fill: SimFill, rules: SymbolSettings) -> dict[str, Any]:
    """Write a trade of the account."""
    return {
        "symbol": fill.symbol,
        "id": int(fill.trade_id),
        "orderId": int(fill.order_id),
        "side": fill.side.value,
        "price": decimals.price(fill.price, rules),
        "qty": decimals.quantity(fill.quantity, rules),
        "realizedPnl": decimals.exact(fill.realized_pnl),
        "quoteQty": decimals.exact(fill.notional),
        "commission": decimals.exact(fill.fee),
        "commissionAsset": fill.fee_asset,
        "time": fill.time_ms,
        "positionSide": fill.position_side.value,
        "buyer": fill.side is Side.BUY,
        "maker": fill.is_maker,
    }


def position_v3(position: PositionView, rules: SymbolSettings) -> dict[str, Any]:
    """Write a position as positionRisk v3 does."""
    return {
        "symbol": position.symbol,
        "positionSide": position.position_side.value,
        "positionAmt": decimals.quantity(position.quantity, rules),
        "entryPrice": decimals.rounded(position.entry_price),
        "breakEvenPrice": decimals.rounded(position.entry_price),
        "markPrice": decimals.rounded(position.mark_price),
        "unRealizedProfit": decimals.rounded(position.unrealized_pnl),
        "liquidationPrice": decimals.rounded(position.liquidation_price or decimals.ZERO),
        "isolatedMargin": _isolated_margin(position),
        "notional": decimals.rounded(position.notional),
        "marginAsset": rules.quote_asset,
        "isolatedWallet": "0",
        "initialMargin": decimals.rounded(position.initial_margin + position.order_margin),
        "maintMargin": decimals.rounded(position.maintenance_margin),
        "positionInitialMargin": decimals.rounded(position.initial_margin),
        "openOrderInitialMargin": decimals.rounded(position.order_margin),
        "adl": 0,
        "bidNotional": "0",
        "askNotional": "0",
        "updateTime": position.updated_ms,
    }


def position_v2(position: PositionView, rules: SymbolSettings) -> dict[str, Any]:
    """Write a position as positionRisk v2 does, with leverage and margin type."""
    return {
        "symbol": position.symbol,
        "positionAmt": decimals.quantity(position.quantity, rules),
        "entryPrice": decimals.rounded(position.entry_price),
        "breakEvenPrice": decimals.rounded(position.entry_price),
        "markPrice": decimals.rounded(position.mark_price),
        "unRealizedProfit": decimals.rounded(position.unrealized_pnl),
        "liquidationPrice": decimals.rounded(position.liquidation_price or decimals.ZERO),
        "leverage": str(position.leverage),
        "maxNotionalValue": "100000000",
        "marginType": position.margin_mode.value.lower(),
        "isolatedMargin": _isolated_margin(position),
        "isAutoAddMargin": "false",
        "positionSide": position.position_side.value,
        "notional": decimals.rounded(position.notional),
        "isolatedWallet": "0",
        "updateTime": position.updated_ms,
        "isolated": position.margin_mode is MarginMode.ISOLATED,
        "adlQuantile": 0,
    }


def account_position(position: PositionView, rules: SymbolSettings, *, v2: bool) -> dict[str, Any]:
    """Write a position in the format of the account endpoint."""
    row = {
        "symbol": position.symbol,
        "positionSide": position.position_side.value,
        "positionAmt": decimals.quantity(position.quantity, rules),
        "unrealizedProfit": decimals.rounded(position.unrealized_pnl),
        "isolatedMargin": _isolated_margin(position),
        "notional": decimals.rounded(position.notional),
        "isolatedWallet": "0",
        "initialMargin": decimals.rounded(position.initial_margin + position.order_margin),
        "maintMargin": decimals.rounded(position.maintenance_margin),
        "updateTime": position.updated_ms,
    }
    if v2:
        row |= {
            "positionInitialMargin": decimals.rounded(position.initial_margin),
            "openOrderInitialMargin": decimals.rounded(position.order_margin),
            "leverage": str(position.leverage),
            "isolated": position.margin_mode is MarginMode.ISOLATED,
            "entryPrice": decimals.rounded(position.entry_price),
            "breakEvenPrice": decimals.rounded(position.entry_price),
            "maxNotional": "100000000",
            "bidNotional": "0",
            "askNotional": "0",
        }
    return row


def _isolated_margin(position: PositionView) -> str:
    return decimals.rounded(position.initial_margin if position.margin_mode is MarginMode.ISOLATED else decimals.ZERO)


def asset(balance: BalanceView, updated_ms: int) -> dict[str, Any]:
    """Write the margin asset in the format of the account endpoint; clients read an update time of 0 as no asset."""
    return {
        "asset": balance.asset,
        "walletBalance": decimals.exact(balance.wallet_balance),
        "unrealizedProfit": decimals.rounded(balance.unrealized_pnl),
        "marginBalance": decimals.rounded(balance.margin_balance),
        "maintMargin": decimals.rounded(balance.maintenance_margin),
        "initialMargin": decimals.rounded(balance.initial_margin),
        "positionInitialMargin": decimals.rounded(balance.position_margin),
        "openOrderInitialMargin": decimals.rounded(balance.order_margin),
        "crossWalletBalance": decimals.exact(balance.wallet_balance),
        "crossUnPnl": decimals.rounded(balance.unrealized_pnl),
        "availableBalance": decimals.rounded(balance.available_balance),
        "maxWithdrawAmount": decimals.rounded(balance.available_balance),
        "marginAvailable": True,
        "updateTime": updated_ms,
    }


def collateral(balance: BalanceView, updated_ms: int) -> dict[str, Any]:
    """Write the other asset that serves as margin in multi-assets mode; in this mode all show the same as available."""
    worth = decimals.rounded(balance.collateral)
    zeros = ("unrealizedProfit", "maintMargin", "initialMargin", "positionInitialMargin", "openOrderInitialMargin")
    return {
        "asset": "FDUSD",
        **dict.fromkeys((*zeros, "crossUnPnl"), "0.00000000"),
        "walletBalance": worth,
        "marginBalance": worth,
        "crossWalletBalance": worth,
        "availableBalance": decimals.rounded(balance.available_balance),
        "maxWithdrawAmount": worth,
        "marginAvailable": True,
        "updateTime": updated_ms,
    }


def account_totals(balance: BalanceView) -> dict[str, Any]:
    """Write the totals at the top of the account endpoint: the sums over all assets, in US dollars."""
    wallet = decimals.exact(balance.wallet_balance + balance.collateral)
    return {
        "totalInitialMargin": decimals.rounded(balance.initial_margin),
        "totalMaintMargin": decimals.rounded(balance.maintenance_margin),
        "totalWalletBalance": wallet,
        "totalUnrealizedProfit": decimals.rounded(balance.unrealized_pnl),
        "totalMarginBalance": decimals.rounded(balance.total_margin_balance),
        "totalPositionInitialMargin": decimals.rounded(balance.position_margin),
        "totalOpenOrderInitialMargin": decimals.rounded(balance.order_margin),
        "totalCrossWalletBalance": wallet,
        "totalCrossUnPnl": decimals.rounded(balance.unrealized_pnl),
        "availableBalance": decimals.rounded(balance.available_balance),
        "maxWithdrawAmount": decimals.rounded(balance.available_balance),
    }


def candle(candle: SimCandle, rules: SymbolSettings) -> list[Any]:
    """Write a candle as a row of the klines endpoint."""
    return [
        candle.open_time_ms,
        decimals.price(candle.open, rules),
        decimals.price(candle.high, rules),
        decimals.price(candle.low, rules),
        decimals.price(candle.close, rules),
        decimals.quantity(candle.volume, rules),
        candle.close_time_ms,
        decimals.exact(candle.quote_volume),
        candle.trades,
        decimals.quantity(candle.taker_buy_volume, rules),
        decimals.exact(candle.taker_buy_quote_volume),
        "0",
    ]


def levels(levels: Iterable[BookLevel], rules: SymbolSettings) -> list[list[str]]:
    """Write levels of a book."""
    return [[decimals.price(level, rules), decimals.quantity(amount, rules)] for level, amount in levels]


def trade(trade: SimTrade, rules: SymbolSettings) -> dict[str, Any]:
    """Write a public trade."""
    return {
        "id": int(trade.trade_id),
        "price": decimals.price(trade.price, rules),
        "qty": decimals.quantity(trade.quantity, rules),
        "quoteQty": decimals.exact(trade.price * trade.quantity),
        "time": trade.time_ms,
        "isBuyerMaker": trade.buyer_is_maker,
    }


def aggregate(trades: list[SimTrade], rules: SymbolSettings) -> dict[str, Any]:
    """Write the trades of one taker at one price as one, with the short keys of REST and streams."""
    first, last = trades[0], trades[-1]
    return {
        "a": first.aggregate_id,
        "p": decimals.price(first.price, rules),
        "q": decimals.quantity(sum((each.quantity for each in trades), decimals.ZERO), rules),
        "f": int(first.trade_id),
        "l": int(last.trade_id),
        "T": last.time_ms,
        "m": first.buyer_is_maker,
    }


def day(day: DayStatistics, rules: SymbolSettings) -> dict[str, Any]:
    """Write the 24 hour statistics."""
    change = day.last - day.open
    return {
        "symbol": day.symbol,
        "priceChange": decimals.price(change, rules),
        "priceChangePercent": format(change / day.open * 100 if day.open else decimals.ZERO, ".3f"),
        "weightedAvgPrice": decimals.price(day.quote_volume / day.volume if day.volume else day.last, rules),
        "lastPrice": decimals.price(day.last, rules),
        "lastQty": decimals.quantity(day.last_quantity, rules),
        "openPrice": decimals.price(day.open, rules),
        "highPrice": decimals.price(day.high, rules),
        "lowPrice": decimals.price(day.low, rules),
        "volume": decimals.quantity(day.volume, rules),
        "quoteVolume": decimals.exact(day.quote_volume),
        "openTime": day.open_time_ms,
        "closeTime": day.close_time_ms,
        "firstId": int(day.first_trade_id or -1),
        "lastId": int(day.last_trade_id or -1),
        "count": day.trades,
    }


def symbol(rules: SymbolSettings, status: str, most_conditional: int) -> dict[str, Any]:
    """Write a symbol as exchangeInfo does, with its filters."""
    step, tick = decimals.exact(rules.quantity_step), decimals.exact(rules.price_step)
    up, down = decimals.exact(1 + rules.price_band), decimals.exact(1 - rules.price_band)
    lot = {"maxQty": decimals.exact(rules.max_quantity), "minQty": decimals.exact(rules.min_quantity), "stepSize": step}
    return {
        "symbol": rules.symbol,
        "pair": rules.symbol,
        "contractType": "PERPETUAL",
        "deliveryDate": 4133404800000,
        "onboardDate": 1569398400000,
        "status": status,
        "maintMarginPercent": "2.5000",
        "requiredMarginPercent": "5.0000",
        "baseAsset": rules.base_asset,
        "quoteAsset": rules.quote_asset,
        "marginAsset": rules.quote_asset,
        "pricePrecision": decimals.decimals(rules.price_step),
        "quantityPrecision": decimals.decimals(rules.quantity_step),
        "baseAssetPrecision": 8,
        "quotePrecision": 8,
        "underlyingType": "COIN",
        "underlyingSubType": ["PoW"],
        "triggerProtect": "0.0500",
        "liquidationFee": "0.012500",
        "marketTakeBound": decimals.exact(rules.price_band),
        "maxMoveOrderLimit": 10000,
        "filters": [
            {"filterType": "PRICE_FILTER", "maxPrice": "10000000", "minPrice": tick, "tickSize": tick},
            {"filterType": "LOT_SIZE", **lot},
            {"filterType": "MARKET_LOT_SIZE", **lot, "maxQty": decimals.exact(rules.largest_market_order)},
            {"filterType": "MAX_NUM_ORDERS", "limit": rules.max_open_orders},
            {"filterType": "MAX_NUM_ALGO_ORDERS", "limit": most_conditional},
            {"filterType": "MIN_NOTIONAL", "notional": decimals.exact(rules.min_notional)},
            {"filterType": "PERCENT_PRICE", "multiplierUp": up, "multiplierDown": down, "multiplierDecimal": "4"},
        ],
        "orderTypes": [*(each.value for each in OrderType), *ORDER_TYPES_OF_ALGO],
        "timeInForce": ["GTC", "IOC", "FOK", "GTX", "GTD"],
    }
