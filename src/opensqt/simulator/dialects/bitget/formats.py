"""What Bitget's JSON looks like: orders, fills, positions, balances, candles. Every number and id is text."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from opensqt.model.account import PositionMode
from opensqt.model.order import OrderStatus, OrderType, PositionSide, Side
from opensqt.simulator.account import closes
from opensqt.simulator.dialects import figures
from opensqt.simulator.events import BalanceView, BookLevel, PositionView, PublicTrade, SimCandle
from opensqt.simulator.order import ClosingReason, SimFill, SimOrder
from opensqt.simulator.settings import SimulatorSettings, SymbolSettings
from opensqt.simulator.tape import DayStatistics

POSITION_MODE = {PositionMode.ONE_WAY: "one_way_mode", PositionMode.HEDGE: "hedge_mode"}
_STATUS = {
    OrderStatus.OPEN: "live",
    OrderStatus.PARTIALLY_FILLED: "partially_filled",
    OrderStatus.FILLED: "filled",
}
_CANCEL_REASON = {ClosingReason.SELF_TRADE: "stp_cancel"}
_POSITION_SIDE = {PositionSide.BOTH: "net", PositionSide.LONG: "long", PositionSide.SHORT: "short"}
_NO_PRESETS = dict.fromkeys(
    (
        "presetStopSurplusPrice",
        "presetStopSurplusType",
        "presetStopSurplusExecutePrice",
        "presetStopLossPrice",
        "presetStopLossType",
        "presetStopLossExecutePrice",
    ),
    "",
)


def status(order: SimOrder) -> str:
    """Name an order's status; whatever ended without being filled is canceled here."""
    return _STATUS.get(order.status, "canceled")


def force(order: SimOrder) -> str:
    """Name an order's time in force."""
    return order.time_in_force.value.lower()


def order_side(order: SimOrder) -> str:
    """Name an order's side: in hedge mode that of its position, whether it opens or closes."""
    if order.position_side is PositionSide.BOTH:
        return order.side.value.lower()
    return "buy" if order.position_side is PositionSide.LONG else "sell"


def trade_side(side: Side, position_side: PositionSide) -> str:
    """Say whether an order or a fill opens or closes."""
    if position_side is PositionSide.BOTH:
        return f"{side.value.lower()}_single"
    return "close" if closes(side, position_side, reduce_only=False) else "open"


def _common(order: SimOrder, rules: SymbolSettings, leverage: int, profit: Decimal) -> dict[str, Any]:
    hedge = order.position_side is not PositionSide.BOTH
    ended = not order.status.is_open and order.status is not OrderStatus.FILLED
    return {
        "orderId": order.order_id,
        "clientOid": order.client_order_id,
        "size": figures.quantity(order.quantity, rules),
        "price": figures.price(order.price, rules) if order.price is not None else "",
        "side": order_side(order),
        "force": force(order),
        "orderType": order.order_type.value.lower(),
        "posSide": _POSITION_SIDE[order.position_side],
        "posMode": POSITION_MODE[PositionMode.HEDGE if hedge else PositionMode.ONE_WAY],
        "tradeSide": trade_side(order.side, order.position_side),
        "marginCoin": rules.quote_asset,
        "marginMode": "crossed",
        "leverage": str(leverage),
        "enterPointSource": "API",
        "cancelReason": _CANCEL_REASON.get(order.closing_reason, "normal_cancel") if ended else "",
        "totalProfits": figures.exact(profit),
        "cTime": str(order.created_ms),
        "uTime": str(order.updated_ms),
        **_NO_PRESETS,
    }


def _reduces(order: SimOrder) -> bool:
    return order.reduce_only or closes(order.side, order.position_side, order.reduce_only)


def order(
    order: SimOrder, rules: SymbolSettings, *, leverage: int, fills: Iterable[SimFill], detail: bool = False
) -> dict[str, Any]:
    """Write an order as the REST endpoints do; the one of a single order calls its status `state`."""
    ours = list(fills)
    fee = sum((fill.fee for fill in ours), figures.ZERO)
    profit = sum((fill.realized_pnl for fill in ours), figures.ZERO)
    return {
        "symbol": order.symbol,
        **_common(order, rules, leverage, profit),
        "state" if detail else "status": status(order),
        "baseVolume": figures.quantity(order.filled_quantity, rules),
        "quoteVolume": figures.exact(order.filled_notional),
        "priceAvg": average(order) if order.filled_quantity else "",
        "fee": figures.exact(-fee) if ours else "0",
        "reduceOnly": "YES" if _reduces(order) else "NO",
        "orderSource": "market" if order.order_type is OrderType.MARKET else "normal",
    }


def streamed_order(
    order: SimOrder, rules: SymbolSettings, *, leverage: int, fills: Iterable[SimFill], fill: SimFill | None
) -> dict[str, Any]:
    """Write an order as the orders channel does, with the fill that changed it if one did."""
    ours = list(fills)
    fee = sum((each.fee for each in ours), figures.ZERO)
    profit = sum((each.realized_pnl for each in ours), figures.ZERO)
    row = {
        "instId": order.symbol,
        **_common(order, rules, leverage, profit),
        "status": status(order),
        "accBaseVolume": figures.quantity(order.filled_quantity, rules),
        "notionalUsd": figures.exact(order.quantity * (order.price or order.average_price)),
        "feeDetail": [{"feeCoin": rules.quote_asset, "fee": figures.exact(-fee)}],
        "reduceOnly": "yes" if _reduces(order) else "no",
        "stpMode": "none",
    }
    if row["status"] != "canceled":
        row["priceAvg"] = average(order) if order.filled_quantity else "0"
    if fill is not None:
        row |= {
            "tradeId": fill.trade_id,
            "fillPrice": figures.price(fill.price, rules),
            "baseVolume": figures.quantity(fill.quantity, rules),
            "fillTime": str(fill.time_ms),
            "fillFee": figures.exact(-fill.fee),
            "fillFeeCoin": fill.fee_asset,
            "fillNotionalUsd": figures.exact(fill.notional),
            "tradeScope": "M" if fill.is_maker else "T",
            "pnl": figures.exact(fill.realized_pnl),
        }
    return row


def average(order: SimOrder) -> str:
    """Write an order's average price, which is a ratio."""
    return figures.rounded(order.average_price)


def own_trade(fill: SimFill, rules: SymbolSettings) -> dict[str, Any]:
    """Write a trade of the account as the REST endpoints do; its side is the order's."""
    hedge = fill.position_side is not PositionSide.BOTH
    side = fill.side.value.lower()
    if hedge:
        side = "buy" if fill.position_side is PositionSide.LONG else "sell"
    return {
        "tradeId": fill.trade_id,
        "symbol": fill.symbol,
        "orderId": fill.order_id,
        "price": figures.price(fill.price, rules),
        "baseVolume": figures.quantity(fill.quantity, rules),
        "feeDetail": _fee_detail(fill),
        "side": side,
        "quoteVolume": figures.exact(fill.notional),
        "profit": figures.exact(fill.realized_pnl),
        "enterPointSource": "api",
        "tradeSide": trade_side(fill.side, fill.position_side),
        "posMode": POSITION_MODE[PositionMode.HEDGE if hedge else PositionMode.ONE_WAY],
        "tradeScope": "maker" if fill.is_maker else "taker",
        "cTime": str(fill.time_ms),
    }


def streamed_trade(fill: SimFill, order: SimOrder, rules: SymbolSettings) -> dict[str, Any]:
    """Write a trade as the fill channel does; its side is the way the trade went."""
    row = own_trade(fill, rules)
    del row["enterPointSource"]
    extra = {"clientOid": fill.client_order_id, "orderType": order.order_type.value.lower(), "uTime": str(fill.time_ms)}
    return row | extra | {"side": fill.side.value.lower()}


def _fee_detail(fill: SimFill) -> list[dict[str, str]]:
    fee = figures.exact(-fill.fee)
    return [{"deduction": "no", "feeCoin": fill.fee_asset, "totalDeductionFee": "0", "totalFee": fee}]


def position(position: PositionView, rules: SymbolSettings, equity: Decimal) -> dict[str, Any]:
    """Write a position as the REST endpoints do: size without sign, the direction beside it."""
    return {"symbol": position.symbol, **_position(position, rules, equity), "locked": "0", "openDelegateSize": "0"} | {
        "marginRatio": _ratio(position.maintenance_margin, equity)
    }


def streamed_position(position: PositionView, rules: SymbolSettings, equity: Decimal) -> dict[str, Any]:
    """Write a position as the positions channel does."""
    return {
        "posId": f"{position.symbol}-{position.position_side.value}",
        "instId": position.symbol,
        **_position(position, rules, equity),
        "frozen": "0",
        "unrealizedPLR": _ratio(position.unrealized_pnl, position.initial_margin),
        "marginRate": _ratio(position.maintenance_margin, equity),
        "autoMargin": "off",
    }


def _position(position: PositionView, rules: SymbolSettings, equity: Decimal) -> dict[str, Any]:
    hedge = position.position_side is not PositionSide.BOTH
    size = figures.quantity(abs(position.quantity), rules)
    return {
        "marginCoin": rules.quote_asset,
        "marginSize": figures.rounded(position.initial_margin),
        "marginMode": "crossed",
        "holdSide": "long" if position.quantity > 0 else "short",
        "posMode": POSITION_MODE[PositionMode.HEDGE if hedge else PositionMode.ONE_WAY],
        "total": size,
        "available": size,
        "openPriceAvg": figures.rounded(position.entry_price),
        "leverage": str(position.leverage),
        "achievedProfits": figures.exact(position.realized_pnl),
        "unrealizedPL": figures.exact(position.unrealized_pnl),
        "liquidationPrice": figures.rounded(position.liquidation_price or figures.ZERO),
        "keepMarginRate": figures.exact(rules.maintenance_rate),
        "markPrice": figures.rounded(position.mark_price),
        "breakEvenPrice": figures.rounded(position.entry_price),
        "totalFee": "",
        "deductedFee": "0",
        "assetMode": "single",
        "cTime": str(position.updated_ms),
        "uTime": str(position.updated_ms),
    }


def account(balance: BalanceView) -> dict[str, Any]:
    """Write what is common to the account endpoints: equity is the wallet and open profit together."""
    free = figures.rounded(balance.available_balance)
    equity = figures.exact(balance.margin_balance)
    profit = figures.exact(balance.unrealized_pnl)
    return {
        "marginCoin": balance.asset,
        "locked": figures.rounded(balance.order_margin),
        "available": figures.exact(balance.wallet_balance),
        "crossedMaxAvailable": free,
        "isolatedMaxAvailable": free,
        "maxTransferOut": free,
        "accountEquity": equity,
        "usdtEquity": equity,
        "btcEquity": "0",
        "crossedRiskRate": _ratio(balance.maintenance_margin, balance.margin_balance),
        "unrealizedPL": profit,
        "coupon": "0",
        "crossedUnrealizedPL": profit,
        "isolatedUnrealizedPL": "0",
        "assetMode": "single",
    }


def streamed_account(balance: BalanceView) -> dict[str, Any]:
    """Write the balance as the account channel does."""
    free = figures.rounded(balance.available_balance)
    equity = figures.exact(balance.margin_balance)
    return {
        "marginCoin": balance.asset,
        "frozen": figures.rounded(balance.order_margin),
        "available": figures.exact(balance.wallet_balance),
        "maxOpenPosAvailable": free,
        "maxTransferOut": free,
        "equity": equity,
        "usdtEquity": equity,
        "crossedRiskRate": _ratio(balance.maintenance_margin, balance.margin_balance),
        "unrealizedPL": figures.exact(balance.unrealized_pnl),
        "assetsMode": "single",
    }


def candle(candle: SimCandle, rules: SymbolSettings, *, streamed: bool = False) -> list[str]:
    """Write a candle; the channel adds the volume in USDT."""
    row = [str(candle.open_time_ms)]
    row += [figures.price(value, rules) for value in (candle.open, candle.high, candle.low, candle.close)]
    row += [figures.quantity(candle.volume, rules), figures.exact(candle.quote_volume)]
    return [*row, row[-1]] if streamed else row


def levels(levels: Iterable[BookLevel], rules: SymbolSettings) -> list[list[str]]:
    """Write levels of a book."""
    return [[figures.price(level, rules), figures.quantity(amount, rules)] for level, amount in levels]


def trade(trade: PublicTrade, rules: SymbolSettings) -> dict[str, Any]:
    """Write a public trade."""
    return {
        "ts": str(trade.time_ms),
        "price": figures.price(trade.price, rules),
        "size": figures.quantity(trade.quantity, rules),
        "side": "sell" if trade.buyer_is_maker else "buy",
        "tradeId": trade.trade_id,
    }


def day(day: DayStatistics, rules: SymbolSettings) -> dict[str, Any]:
    """Write the 24 hour statistics, without the best prices."""
    change = (day.last - day.open) / day.open if day.open else figures.ZERO
    ratio = format(change, ".5f")
    return {
        "lastPr": figures.price(day.last, rules),
        "open24h": figures.price(day.open, rules),
        "high24h": figures.price(day.high, rules),
        "low24h": figures.price(day.low, rules),
        "change24h": ratio,
        "baseVolume": figures.quantity(day.volume, rules),
        "quoteVolume": figures.exact(day.quote_volume),
        "openUtc": figures.price(day.open, rules),
        "changeUtc24h": ratio,
    }


def contract(rules: SymbolSettings, settings: SimulatorSettings) -> dict[str, Any]:
    """Write a symbol as the contracts endpoint does; the price step is priceEndStep in units of the last place."""
    places = figures.decimals(rules.price_step)
    band = figures.exact(rules.price_band)
    return {
        "symbol": rules.symbol,
        "baseCoin": rules.base_asset,
        "quoteCoin": rules.quote_asset,
        "buyLimitPriceRatio": band,
        "sellLimitPriceRatio": band,
        "feeRateUpRatio": "0.005",
        "makerFeeRate": figures.exact(settings.maker_fee),
        "takerFeeRate": figures.exact(settings.taker_fee),
        "openCostUpRatio": "0.01",
        "supportMarginCoins": [rules.quote_asset],
        "minTradeNum": figures.exact(rules.min_quantity),
        "priceEndStep": figures.exact((rules.price_step.scaleb(places)).quantize(Decimal(1))),
        "volumePlace": str(figures.decimals(rules.quantity_step)),
        "pricePlace": str(places),
        "sizeMultiplier": figures.exact(rules.quantity_step),
        "symbolType": "perpetual",
        "minTradeUSDT": figures.exact(rules.min_notional),
        "maxSymbolOrderNum": str(rules.max_open_orders),
        "maxProductOrderNum": "1000",
        "maxPositionNum": "150",
        "symbolStatus": "normal",
        "offTime": "-1",
        "limitOpenTime": "-1",
        "deliveryTime": "",
        "deliveryStartTime": "",
        "deliveryPeriod": "",
        "launchTime": "",
        "fundInterval": str(settings.funding_interval_h),
        "minLever": "1",
        "maxLever": str(rules.max_leverage),
        "posLimit": "0.05",
        "maintainTime": "",
        "maxMarketOrderQty": figures.exact(rules.max_quantity),
        "maxOrderQty": figures.exact(rules.max_quantity),
    }


def _ratio(part: Decimal, whole: Decimal) -> str:
    return figures.rounded(part / whole) if whole else "0"
