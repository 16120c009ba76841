"""What Binance's JSON looks like: orders, fills, positions, balances, candles. Numbers are text, ids are numbers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from opensqt.model.order import OrderStatus, OrderType, Side, TimeInForce
from opensqt.simulator.dialects import figures
from opensqt.simulator.events import BalanceView, BookLevel, PositionView, PublicTrade, SimCandle
from opensqt.simulator.order import ClosingReason, SimFill, SimOrder
from opensqt.simulator.settings import SymbolSettings
from opensqt.simulator.tape import DayStatistics

_STATUS = {OrderStatus.OPEN: "NEW"}
_TIME_IN_FORCE = {TimeInForce.POST_ONLY: "GTX"}


def status(order: SimOrder) -> str:
    """Name an order's status."""
    if order.status is OrderStatus.EXPIRED and order.closing_reason is ClosingReason.SELF_TRADE:
        return "EXPIRED_IN_MATCH"
    return _STATUS.get(order.status, order.status.value)


def time_in_force(order: SimOrder) -> str:
    """Name an order's time in force."""
    return _TIME_IN_FORCE.get(order.time_in_force, order.time_in_force.value)


def order(order: SimOrder, rules: SymbolSettings, *, as_accepted: bool = False) -> dict[str, Any]:
    """Write an order as the REST endpoints do; *as_accepted* leaves out what matching did (newOrderRespType=ACK)."""
    filled = figures.ZERO if as_accepted else order.filled_quantity
    notional = figures.ZERO if as_accepted else order.filled_notional
    return {
        "orderId": int(order.order_id),
        "symbol": order.symbol,
        "status": "NEW" if as_accepted else status(order),
        "clientOrderId": order.client_order_id,
        "price": figures.price(order.price, rules),
        "avgPrice": figures.rounded(figures.ZERO if as_accepted else order.average_price),
        "origQty": figures.quantity(order.quantity, rules),
        "executedQty": figures.quantity(filled, rules),
        "cumQty": figures.quantity(filled, rules),
        "cumQuote": figures.exact(notional),
        "timeInForce": time_in_force(order),
        "type": order.order_type.value,
        "reduceOnly": order.reduce_only,
        "closePosition": False,
        "side": order.side.value,
        "positionSide": order.position_side.value,
        "stopPrice": "0.00",
        "workingType": "CONTRACT_PRICE",
        "priceProtect": False,
        "origType": order.order_type.value,
        "priceMatch": "NONE",
        "selfTradePreventionMode": "EXPIRE_MAKER",
        "goodTillDate": 0,
        "time": order.created_ms,
        "updateTime": order.updated_ms,
    }


def fill(fill: SimFill, rules: SymbolSettings) -> dict[str, Any]:
    """Write a trade of the account."""
    return {
        "symbol": fill.symbol,
        "id": int(fill.trade_id),
        "orderId": int(fill.order_id),
        "side": fill.side.value,
        "price": figures.price(fill.price, rules),
        "qty": figures.quantity(fill.quantity, rules),
        "realizedPnl": figures.exact(fill.realized_pnl),
        "quoteQty": figures.exact(fill.notional),
        "commission": figures.exact(fill.fee),
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
        "positionAmt": figures.quantity(position.quantity, rules),
        "entryPrice": figures.rounded(position.entry_price),
        "breakEvenPrice": figures.rounded(position.entry_price),
        "markPrice": figures.rounded(position.mark_price),
        "unRealizedProfit": figures.rounded(position.unrealized_pnl),
        "liquidationPrice": figures.rounded(position.liquidation_price or figures.ZERO),
        "isolatedMargin": "0",
        "notional": figures.rounded(position.notional),
        "marginAsset": rules.quote_asset,
        "isolatedWallet": "0",
        "initialMargin": figures.rounded(position.initial_margin + position.order_margin),
        "maintMargin": figures.rounded(position.maintenance_margin),
        "positionInitialMargin": figures.rounded(position.initial_margin),
        "openOrderInitialMargin": figures.rounded(position.order_margin),
        "adl": 0,
        "bidNotional": "0",
        "askNotional": "0",
        "updateTime": position.updated_ms,
    }


def position_v2(position: PositionView, rules: SymbolSettings) -> dict[str, Any]:
    """Write a position as positionRisk v2 does, with leverage and margin type."""
    return {
        "symbol": position.symbol,
        "positionAmt": figures.quantity(position.quantity, rules),
        "entryPrice": figures.rounded(position.entry_price),
        "breakEvenPrice": figures.rounded(position.entry_price),
        "markPrice": figures.rounded(position.mark_price),
        "unRealizedProfit": figures.rounded(position.unrealized_pnl),
        "liquidationPrice": figures.rounded(position.liquidation_price or figures.ZERO),
        "leverage": str(position.leverage),
        "maxNotionalValue": "100000000",
        "marginType": position.margin_mode.value.lower(),
        "isolatedMargin": "0.00000000",
        "isAutoAddMargin": "false",
        "positionSide": position.position_side.value,
        "notional": figures.rounded(position.notional),
        "isolatedWallet": "0",
        "updateTime": position.updated_ms,
        "isolated": False,
        "adlQuantile": 0,
    }


def account_position(position: PositionView, rules: SymbolSettings, *, v2: bool) -> dict[str, Any]:
    """Write a position as it stands in the account endpoint."""
    row = {
        "symbol": position.symbol,
        "positionSide": position.position_side.value,
        "positionAmt": figures.quantity(position.quantity, rules),
        "unrealizedProfit": figures.rounded(position.unrealized_pnl),
        "isolatedMargin": "0",
        "notional": figures.rounded(position.notional),
        "isolatedWallet": "0",
        "initialMargin": figures.rounded(position.initial_margin + position.order_margin),
        "maintMargin": figures.rounded(position.maintenance_margin),
        "updateTime": position.updated_ms,
    }
    if v2:
        row |= {
            "positionInitialMargin": figures.rounded(position.initial_margin),
            "openOrderInitialMargin": figures.rounded(position.order_margin),
            "leverage": str(position.leverage),
            "isolated": False,
            "entryPrice": figures.rounded(position.entry_price),
            "breakEvenPrice": figures.rounded(position.entry_price),
            "maxNotional": "100000000",
            "bidNotional": "0",
            "askNotional": "0",
        }
    return row


def asset(balance: BalanceView, updated_ms: int) -> dict[str, Any]:
    """Write the margin asset as it stands in the account endpoint; clients take an update time of 0 for no asset."""
    return {
        "asset": balance.asset,
        "walletBalance": figures.exact(balance.wallet_balance),
        "unrealizedProfit": figures.rounded(balance.unrealized_pnl),
        "marginBalance": figures.rounded(balance.margin_balance),
        "maintMargin": figures.rounded(balance.maintenance_margin),
        "initialMargin": figures.rounded(balance.initial_margin),
        "positionInitialMargin": figures.rounded(balance.position_margin),
        "openOrderInitialMargin": figures.rounded(balance.order_margin),
        "crossWalletBalance": figures.exact(balance.wallet_balance),
        "crossUnPnl": figures.rounded(balance.unrealized_pnl),
        "availableBalance": figures.rounded(balance.available_balance),
        "maxWithdrawAmount": figures.rounded(balance.available_balance),
        "marginAvailable": True,
        "updateTime": updated_ms,
    }


def account_totals(balance: BalanceView) -> dict[str, Any]:
    """Write the totals at the top of the account endpoint."""
    return {
        "totalInitialMargin": figures.rounded(balance.initial_margin),
        "totalMaintMargin": figures.rounded(balance.maintenance_margin),
        "totalWalletBalance": figures.exact(balance.wallet_balance),
        "totalUnrealizedProfit": figures.rounded(balance.unrealized_pnl),
        "totalMarginBalance": figures.rounded(balance.margin_balance),
        "totalPositionInitialMargin": figures.rounded(balance.position_margin),
        "totalOpenOrderInitialMargin": figures.rounded(balance.order_margin),
        "totalCrossWalletBalance": figures.exact(balance.wallet_balance),
        "totalCrossUnPnl": figures.rounded(balance.unrealized_pnl),
        "availableBalance": figures.rounded(balance.available_balance),
        "maxWithdrawAmount": figures.rounded(balance.available_balance),
    }


def candle(candle: SimCandle, rules: SymbolSettings) -> list[Any]:
    """Write a candle as a row of the klines endpoint."""
    return [
        candle.open_time_ms,
        figures.price(candle.open, rules),
        figures.price(candle.high, rules),
        figures.price(candle.low, rules),
        figures.price(candle.close, rules),
        figures.quantity(candle.volume, rules),
        candle.close_time_ms,
        figures.exact(candle.quote_volume),
        candle.trades,
        figures.quantity(candle.taker_buy_volume, rules),
        figures.exact(candle.taker_buy_quote_volume),
        "0",
    ]


def levels(levels: Iterable[BookLevel], rules: SymbolSettings) -> list[list[str]]:
    """Write levels of a book."""
    return [[figures.price(level, rules), figures.quantity(amount, rules)] for level, amount in levels]


def trade(trade: PublicTrade, rules: SymbolSettings) -> dict[str, Any]:
    """Write a public trade."""
    return {
        "id": int(trade.trade_id),
        "price": figures.price(trade.price, rules),
        "qty": figures.quantity(trade.quantity, rules),
        "quoteQty": figures.exact(trade.price * trade.quantity),
        "time": trade.time_ms,
        "isBuyerMaker": trade.buyer_is_maker,
    }


def aggregate(trades: list[PublicTrade], rules: SymbolSettings) -> dict[str, Any]:
    """Write the trades of one taker at one price as one, short keys as in REST and streams alike."""
    first, last = trades[0], trades[-1]
    return {
        "a": first.aggregate_id,
        "p": figures.price(first.price, rules),
        "q": figures.quantity(sum((each.quantity for each in trades), figures.ZERO), rules),
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
        "priceChange": figures.price(change, rules),
        "priceChangePercent": format(change / day.open * 100 if day.open else figures.ZERO, ".3f"),
        "weightedAvgPrice": figures.price(day.quote_volume / day.volume if day.volume else day.last, rules),
        "lastPrice": figures.price(day.last, rules),
        "lastQty": figures.quantity(day.last_quantity, rules),
        "openPrice": figures.price(day.open, rules),
        "highPrice": figures.price(day.high, rules),
        "lowPrice": figures.price(day.low, rules),
        "volume": figures.quantity(day.volume, rules),
        "quoteVolume": figures.exact(day.quote_volume),
        "openTime": day.open_time_ms,
        "closeTime": day.close_time_ms,
        "firstId": int(day.first_trade_id or -1),
        "lastId": int(day.last_trade_id or -1),
        "count": day.trades,
    }


def symbol(rules: SymbolSettings) -> dict[str, Any]:
    """Write a symbol as exchangeInfo does, with its filters."""
    step, tick = figures.exact(rules.quantity_step), figures.exact(rules.price_step)
    up, down = figures.exact(1 + rules.price_band), figures.exact(1 - rules.price_band)
    lot = {"maxQty": figures.exact(rules.max_quantity), "minQty": figures.exact(rules.min_quantity), "stepSize": step}
    return {
        "symbol": rules.symbol,
        "pair": rules.symbol,
        "contractType": "PERPETUAL",
        "deliveryDate": 4133404800000,
        "onboardDate": 1569398400000,
        "status": "TRADING",
        "maintMarginPercent": "2.5000",
        "requiredMarginPercent": "5.0000",
        "baseAsset": rules.base_asset,
        "quoteAsset": rules.quote_asset,
        "marginAsset": rules.quote_asset,
        "pricePrecision": figures.decimals(rules.price_step),
        "quantityPrecision": figures.decimals(rules.quantity_step),
        "baseAssetPrecision": 8,
        "quotePrecision": 8,
        "underlyingType": "COIN",
        "underlyingSubType": ["PoW"],
        "triggerProtect": "0.0500",
        "liquidationFee": "0.012500",
        "marketTakeBound": figures.exact(rules.price_band),
        "maxMoveOrderLimit": 10000,
        "filters": [
            {"filterType": "PRICE_FILTER", "maxPrice": "10000000", "minPrice": tick, "tickSize": tick},
            {"filterType": "LOT_SIZE", **lot},
            {"filterType": "MARKET_LOT_SIZE", **lot},
            {"filterType": "MAX_NUM_ORDERS", "limit": rules.max_open_orders},
            {"filterType": "MAX_NUM_ALGO_ORDERS", "limit": 10},
            {"filterType": "MIN_NOTIONAL", "notional": figures.exact(rules.min_notional)},
            {"filterType": "PERCENT_PRICE", "multiplierUp": up, "multiplierDown": down, "multiplierDecimal": "4"},
        ],
        "orderTypes": [each.value for each in OrderType],
        "timeInForce": ["GTC", "IOC", "FOK", "GTX"],
    }
