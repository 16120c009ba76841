"""Bybit's JSON formats: orders, executions, positions, wallets, books, candles. Almost all is text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from opensqt.model.market import INTERVALS_MS
from opensqt.model.order import OrderStatus, OrderType, PositionSide, Side, TimeInForce
from opensqt.simulator.dialects import decimals
from opensqt.simulator.dialects.bybit import other_fields
from opensqt.simulator.dialects.bybit.fill_details import FillDetail
from opensqt.simulator.engine.closed_positions import ClosingOrder
from opensqt.simulator.engine.events import (
    BalanceView,
    BookLevel,
    FundingPaid,
    PositionView,
    SimCandle,
    SimMark,
    SimTrade,
)
from opensqt.simulator.engine.order import ClosingReason, SimFill, SimOrder, VenueClose, venue_close
from opensqt.simulator.engine.tape import DayStatistics
from opensqt.simulator.settings import SymbolSettings

CATEGORY = "linear"
SIDES = {"Buy": Side.BUY, "Sell": Side.SELL}
SIDE = {side: name for name, side in SIDES.items()}
TYPES = {"Limit": OrderType.LIMIT, "Market": OrderType.MARKET}
TYPE = {kind: name for name, kind in TYPES.items()}
TIMES_IN_FORCE = {
    "GTC": TimeInForce.GTC,
    "IOC": TimeInForce.IOC,
    "FOK": TimeInForce.FOK,
    "PostOnly": TimeInForce.POST_ONLY,
}
TIME_IN_FORCE = {force: name for name, force in TIMES_IN_FORCE.items()}
POSITION_SIDES = {"0": PositionSide.BOTH, "1": PositionSide.LONG, "2": PositionSide.SHORT}
POSITION_INDEX = {side: int(index) for index, side in POSITION_SIDES.items()}
INTERVALS = dict(zip(["1", "3", "5", "15", "30", "60", "120", "240", "360", "720", "D"], INTERVALS_MS, strict=True))
INTERVALS |= {"W": "1w", "M": "1M"}
"""The venue's names of the intervals, mapped to OpenSQT's."""
INTERVAL = {ours: theirs for theirs, ours in INTERVALS.items()}
_STATUS = {
    OrderStatus.OPEN: "New",
    OrderStatus.PARTIALLY_FILLED: "PartiallyFilled",
    OrderStatus.FILLED: "Filled",
    OrderStatus.CANCELED: "Cancelled",
    OrderStatus.EXPIRED: "Cancelled",
}
_REJECT_REASON = {
    ClosingReason.NOT_FILLED_AT_ONCE: "EC_NoImmediateQtyToFill",
    ClosingReason.POST_ONLY: "EC_PostOnlyWillTakeLiquidity",
}
_CANCEL_TYPE = {
    ClosingReason.SELF_TRADE: "CancelBySmp",
    ClosingReason.REDUCE_ONLY: "CancelByReduceOnly",
    ClosingReason.LIQUIDATION: "CancelAllBeforeLiq",
    ClosingReason.COUNTDOWN: "CancelByDCP",
}


_CREATE_TYPE: dict[VenueClose | None, str] = {
    VenueClose.LIQUIDATION: "CreateByTakeOver_PassThrough",
    VenueClose.ADL: "CreateByAdl_PassThrough",
    VenueClose.SETTLEMENT: "CreateBySettle",
}
_EXECUTION_TYPE: dict[VenueClose | None, str] = {
    VenueClose.LIQUIDATION: "BustTrade",
    VenueClose.ADL: "AdlTrade",
    VenueClose.SETTLEMENT: "Settle",
}


def link_id(order: SimOrder) -> str:
    """Return the client's id, empty for an order that was placed without one."""
    made = order.client_order_id == f"auto{order.order_id}" or venue_close(order) is not None
    return "" if made else order.client_order_id


def _create_type(order: SimOrder) -> str:
    made_by = order.details.get("createType", "CreateByUser")
    return _CREATE_TYPE.get(venue_close(order), made_by)


def order(order: SimOrder, rules: SymbolSettings, fills: Iterable[SimFill]) -> dict[str, Any]:
    """Write an order in the format of both queries and the stream, with what its fills have cost so far."""
    left = order.remaining if order.status.is_open else decimals.ZERO
    average = decimals.exact(order.average_price) if order.filled_quantity else ""
    owner = (ClosingReason.NONE, ClosingReason.AMENDED)
    canceled = order.status is OrderStatus.CANCELED and order.closing_reason in owner
    reason = "EC_PerCancelRequest" if canceled else _REJECT_REASON.get(order.closing_reason, "EC_NoError")
    fallback = "CancelByUser" if canceled else "UNKNOWN"
    shown = ("takeProfit", "stopLoss", "tpTriggerBy", "slTriggerBy", "triggerPrice", "triggerBy", "placeType")
    limits = ("tpLimitPrice", "slLimitPrice")
    fills = list(fills)
    fees = sum((fill.fee for fill in fills), decimals.ZERO)
    profit = sum((fill.realized_pnl for fill in fills), decimals.ZERO)
    return {
        **other_fields.ORDER,
        "orderId": order.order_id,
        "orderLinkId": link_id(order),
        "blockTradeId": "",
        "symbol": order.symbol,
        "price": decimals.price(order.price, rules),
        "qty": decimals.quantity(order.quantity, rules),
        "side": SIDE[order.side],
        "isLeverage": "",
        "positionIdx": POSITION_INDEX[order.position_side],
        "orderStatus": _STATUS[order.status],
        "createType": _create_type(order),
        "cancelType": _CANCEL_TYPE.get(order.closing_reason, fallback),
        "rejectReason": reason,
        "avgPrice": average,
        "leavesQty": decimals.quantity(left, rules),
        "leavesValue": decimals.exact(left * (order.price or decimals.ZERO)),
        "cumExecQty": decimals.quantity(order.filled_quantity, rules),
        "cumExecValue": decimals.exact(order.filled_notional),
        "cumExecFee": decimals.exact(fees),
        "cumFeeDetail": {rules.quote_asset: decimals.exact(fees)} if fills else {},
        "closedPnl": decimals.exact(profit),
        "timeInForce": "IOC" if order.order_type is OrderType.MARKET else TIME_IN_FORCE[order.time_in_force],
        "orderType": TYPE[order.order_type],
        "stopOrderType": order.details.get("stopOrderType", ""),
        "orderIv": "",
        **{name: order.details.get(name, "") for name in (*shown, *limits)},
        "triggerDirection": int(order.details.get("triggerDirection", "0")),
        "tpslMode": order.details.get("tpslMode", "UNKNOWN"),
        "reduceOnly": order.reduce_only,
        "closeOnTrigger": order.details.get("closeOnTrigger") == "true",
        "lastPriceOnCreated": "",
        "smpType": "None",
        "smpGroup": 0,
        "smpOrderId": "",
        "createdTime": str(order.created_ms),
        "updatedTime": str(order.updated_ms),
    }


def execution(fill: SimFill, placed: SimOrder, detail: FillDetail, rules: SymbolSettings) -> dict[str, Any]:
    """Write a fill."""
    return {
        **other_fields.EXECUTION,
        "symbol": fill.symbol,
        "orderId": fill.order_id,
        "orderLinkId": link_id(placed),
        "side": SIDE[fill.side],
        "orderPrice": decimals.price(placed.price, rules),
        "orderQty": decimals.quantity(placed.quantity, rules),
        "leavesQty": decimals.quantity(detail.left, rules),
        "createType": _create_type(placed),
        "orderType": TYPE[placed.order_type],
        "stopOrderType": placed.details.get("stopOrderType", "UNKNOWN"),
        "execFee": decimals.exact(fill.fee),
        "execId": fill.trade_id,
        "execPrice": decimals.price(fill.price, rules),
        "execQty": decimals.quantity(fill.quantity, rules),
        "execType": _EXECUTION_TYPE.get(venue_close(placed), "Trade"),
        "execValue": decimals.exact(fill.notional),
        "execTime": str(fill.time_ms),
        "feeCurrency": fill.fee_asset,
        "isMaker": fill.is_maker,
        "feeRate": decimals.exact(fill.fee / fill.notional) if fill.notional else "0",
        "tradeIv": "",
        "markIv": "",
        "markPrice": decimals.price(fill.price, rules),
        "indexPrice": "",
        "underlyingPrice": "",
        "blockTradeId": "",
        "closedSize": decimals.quantity(detail.closed, rules),
        "seq": int(fill.trade_id),
    }


def funding(paid: FundingPaid, rules: SymbolSettings) -> dict[str, Any]:
    """Write a funding payment, which the venue lists among the executions."""
    return {
        **other_fields.FUNDING,
        "symbol": paid.symbol,
        "orderId": f"funding-{paid.time_ms}",
        "orderLinkId": "",
        "side": "Sell" if paid.position_side is PositionSide.SHORT else "Buy",
        "orderPrice": "0",
        "orderQty": "0",
        "leavesQty": "0",
        "createType": "",
        "orderType": "UNKNOWN",
        "stopOrderType": "UNKNOWN",
        "execFee": decimals.exact(-paid.amount),
        "execId": f"funding-{paid.symbol}-{POSITION_INDEX[paid.position_side]}-{paid.time_ms}",
        "execPrice": decimals.price(paid.mark_price, rules),
        "execQty": decimals.quantity(
            abs(paid.amount / (paid.rate * paid.mark_price)) if paid.rate else decimals.ZERO, rules
        ),
        "execType": "Funding",
        "execValue": decimals.exact(abs(paid.amount / paid.rate) if paid.rate else decimals.ZERO),
        "execTime": str(paid.time_ms),
        "feeCurrency": rules.quote_asset,
        "isMaker": False,
        "feeRate": decimals.exact(paid.rate),
        "markPrice": decimals.price(paid.mark_price, rules),
        "blockTradeId": "",
        "closedSize": "0",
        "seq": paid.time_ms,
    }


def position(position: PositionView, rules: SymbolSettings, stops: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Write a position; a flat one has no side.

    Args:
        position: The position.
        rules: Its symbol.
        stops: Its take-profit, stop-loss and trailing stop, by the venue's names.
    """
    quantity = position.quantity
    side = "" if not quantity else "Buy" if quantity > 0 else "Sell"
    liquidation = decimals.price(position.liquidation_price, rules) if position.liquidation_price else ""
    empty = ("bustPrice", "takeProfit", "stopLoss", "sessionAvgPrice", "mmrSysUpdatedTime", "leverageSysUpdatedTime")
    initial, maintenance = decimals.rounded(position.initial_margin), decimals.rounded(position.maintenance_margin)
    return {
        **other_fields.POSITION,
        "positionIdx": POSITION_INDEX[position.position_side],
        "riskId": 1,
        "riskLimitValue": "100000000",
        "symbol": position.symbol,
        "side": side,
        "size": decimals.quantity(abs(quantity), rules),
        "avgPrice": decimals.rounded(position.entry_price),
        "positionValue": decimals.exact(abs(quantity) * position.entry_price),
        "tradeMode": 0,
        "autoAddMargin": 0,
        "positionStatus": "Normal",
        "leverage": str(position.leverage),
        "markPrice": decimals.price(position.mark_price, rules),
        "liqPrice": liquidation,
        "positionIM": initial,
        "positionMM": maintenance,
        # By the mark price: here the other two are, too.
        "positionIMByMp": initial,
        "positionMMByMp": maintenance,
        "positionBalance": "0",
        "trailingStop": "0",
        "unrealisedPnl": decimals.rounded(position.unrealized_pnl),
        "curRealisedPnl": decimals.rounded(position.realized_pnl),
        "cumRealisedPnl": decimals.rounded(position.realized_pnl),
        **dict.fromkeys(empty, ""),
        "adlRankIndicator": 0,
        **(stops or {}),
        "tpslMode": "Full",
        "isReduceOnly": False,
        "createdTime": str(position.updated_ms),
        "updatedTime": str(position.updated_ms),
        "seq": position.updated_ms,
    }


def wallet(balance: BalanceView) -> dict[str, Any]:
    """Write the unified account; its totals are in US dollars, of which a simulated USDT is worth one."""
    margin = decimals.rounded(balance.margin_balance)
    total = decimals.rounded(balance.total_margin_balance)
    return {
        **other_fields.WALLET,
        "accountType": "UNIFIED",
        "accountIMRate": "",
        "accountMMRate": "",
        "accountLTV": "",
        "totalEquity": total,
        "totalMarginBalance": total,
        "totalWalletBalance": decimals.exact(balance.wallet_balance + balance.collateral),
        "totalAvailableBalance": decimals.rounded(balance.available_balance),
        "totalPerpUPL": decimals.rounded(balance.unrealized_pnl),
        "totalInitialMargin": decimals.rounded(balance.initial_margin),
        "totalMaintenanceMargin": decimals.rounded(balance.maintenance_margin),
        "coin": [
            {
                **other_fields.COIN,
                "coin": balance.asset,
                "equity": margin,
                "usdValue": margin,
                "walletBalance": decimals.exact(balance.wallet_balance),
                "locked": "0",
                "spotHedgingQty": "0",
                "borrowAmount": "0.00000000",
                "availableToWithdraw": "",
                "availableToBorrow": "",
                "accruedInterest": "0",
                "totalOrderIM": decimals.rounded(balance.order_margin),
                "totalPositionIM": decimals.rounded(balance.position_margin),
                "totalPositionMM": decimals.rounded(balance.maintenance_margin),
                "unrealisedPnl": decimals.rounded(balance.unrealized_pnl),
                "cumRealisedPnl": decimals.exact(balance.realized_pnl - balance.fees),
                "bonus": "0",
                "collateralSwitch": True,
                "marginCollateral": True,
            }
        ],
    }


def levels(levels: Iterable[BookLevel], rules: SymbolSettings) -> list[list[str]]:
    """Write levels of a book."""
    return [[decimals.price(level, rules), decimals.quantity(amount, rules)] for level, amount in levels]


def candle(candle: SimCandle, rules: SymbolSettings) -> list[str]:
    """Write a candle in the format of the query."""
    prices = (candle.open, candle.high, candle.low, candle.close)
    return [
        str(candle.open_time_ms),
        *(decimals.price(each, rules) for each in prices),
        decimals.quantity(candle.volume, rules),
        decimals.exact(candle.quote_volume),
    ]


def trade(trade: SimTrade, rules: SymbolSettings) -> dict[str, Any]:
    """Write a public trade in the format of the query; the side is the taker's."""
    return {
        "execId": trade.trade_id,
        "symbol": trade.symbol,
        "price": decimals.price(trade.price, rules),
        "size": decimals.quantity(trade.quantity, rules),
        "side": "Sell" if trade.buyer_is_maker else "Buy",
        "time": str(trade.time_ms),
        "isBlockTrade": False,
        "isRPITrade": False,
    }


def ticker(day: DayStatistics, mark: SimMark, best: tuple[Any, Any, Any, Any], rules: SymbolSettings) -> dict[str, Any]:
    """Write the 24 hour statistics, the mark and the best bid and ask (price, quantity, price, quantity)."""
    bid, bid_quantity, ask, ask_quantity = best
    change = (day.last - day.open) / day.open if day.open else decimals.ZERO
    return {
        **other_fields.TICKER,
        "symbol": day.symbol,
        "lastPrice": decimals.price(day.last, rules),
        "indexPrice": decimals.price(mark.index_price, rules),
        "markPrice": decimals.price(mark.mark_price, rules),
        "prevPrice24h": decimals.price(day.open, rules),
        "price24hPcnt": format(change, ".6f"),
        "highPrice24h": decimals.price(day.high, rules),
        "lowPrice24h": decimals.price(day.low, rules),
        "prevPrice1h": decimals.price(day.open, rules),
        "openInterest": "0",
        "openInterestValue": "0",
        "turnover24h": decimals.exact(day.quote_volume),
        "volume24h": decimals.quantity(day.volume, rules),
        "fundingRate": decimals.exact(mark.funding_rate),
        "nextFundingTime": str(mark.next_funding_ms),
        "bid1Price": decimals.price(bid, rules),
        "bid1Size": decimals.quantity(bid_quantity, rules),
        "ask1Price": decimals.price(ask, rules),
        "ask1Size": decimals.quantity(ask_quantity, rules),
        "deliveryTime": "0",
    }


def instrument(rules: SymbolSettings, funding_interval_h: int, status: str) -> dict[str, Any]:
    """Write a symbol with its filters."""
    tick, step = decimals.exact(rules.price_step), decimals.exact(rules.quantity_step)
    band = decimals.exact(rules.price_band)
    return {
        **other_fields.INSTRUMENT,
        "riskParameters": {"priceLimitRatioX": band, "priceLimitRatioY": band},
        "symbol": rules.symbol,
        "contractType": "LinearPerpetual",
        "status": status,
        "baseCoin": rules.base_asset,
        "quoteCoin": rules.quote_asset,
        "settleCoin": rules.quote_asset,
        "launchTime": "1584230400000",
        "deliveryTime": "0",
        "deliveryFeeRate": "",
        "priceScale": str(decimals.decimals(rules.price_step)),
        "leverageFilter": {"minLeverage": "1", "maxLeverage": f"{rules.max_leverage}.00", "leverageStep": "0.01"},
        "priceFilter": {"minPrice": tick, "maxPrice": "1999999.80", "tickSize": tick},
        "lotSizeFilter": {
            "maxOrderQty": decimals.exact(rules.max_quantity),
            "maxMktOrderQty": decimals.exact(rules.largest_market_order),
            "minOrderQty": decimals.exact(rules.min_quantity),
            "qtyStep": step,
            "postOnlyMaxOrderQty": decimals.exact(rules.max_quantity),
            "minNotionalValue": decimals.exact(rules.min_notional),
        },
        "unifiedMarginTrade": True,
        "fundingInterval": funding_interval_h * 60,
        "copyTrading": "none",
        "isPreListing": status == "PreLaunch",
        "preListingInfo": None,
    }


def closed_profit(closing: ClosingOrder, order: SimOrder, leverage: int) -> dict[str, str]:
    """Write what an order closed."""
    return {
        "symbol": closing.symbol,
        "orderId": closing.order_id,
        "side": SIDE[closing.side],
        "qty": decimals.exact(order.quantity),
        "orderPrice": decimals.exact(order.price or order.average_price),
        "orderType": TYPE[order.order_type],
        "execType": "BustTrade" if closing.liquidation else "Trade",
        "closedSize": decimals.exact(closing.closed),
        "cumEntryValue": decimals.rounded(closing.entry_notional),
        "avgEntryPrice": decimals.rounded(closing.entry_notional / closing.closed),
        "cumExitValue": decimals.rounded(closing.exit_notional),
        "avgExitPrice": decimals.rounded(closing.exit_notional / closing.closed),
        "closedPnl": decimals.rounded(closing.pnl - closing.open_fees - closing.close_fees),
        "fillCount": str(closing.fills),
        "leverage": str(leverage),
        "openFee": decimals.rounded(closing.open_fees),
        "closeFee": decimals.rounded(closing.close_fees),
        "createdTime": str(closing.first_ms),
        "updatedTime": str(closing.last_ms),
    }
