"""Bitget's JSON formats: orders, fills, positions, balances, candles. Every number and id is text."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from opensqt.model.account import MarginMode, PositionMode
from opensqt.model.order import OrderStatus, OrderType, PositionSide
from opensqt.simulator.dialects import decimals
from opensqt.simulator.engine.account import closes
from opensqt.simulator.engine.closed_positions import ClosedPosition
from opensqt.simulator.engine.events import BalanceView, BookLevel, PositionView, SimCandle, SimTrade
from opensqt.simulator.engine.order import ClosingReason, SimFill, SimOrder, VenueClose, is_liquidation, venue_close
from opensqt.simulator.engine.tape import DayStatistics
from opensqt.simulator.settings import SimulatorSettings, SymbolSettings

MARGIN_MODE = {MarginMode.CROSS: "crossed", MarginMode.ISOLATED: "isolated"}
POSITION_MODE = {PositionMode.ONE_WAY: "one_way_mode", PositionMode.HEDGE: "hedge_mode"}
_STATUS = {
    OrderStatus.OPEN: "live",
    OrderStatus.PARTIALLY_FILLED: "partially_filled",
    OrderStatus.FILLED: "filled",
}
_CANCEL_REASON = {ClosingReason.SELF_TRADE: "stp_cancel", ClosingReason.LIQUIDATION: ""}
_POSITION_SIDE = {PositionSide.BOTH: "net", PositionSide.LONG: "long", PositionSide.SHORT: "short"}
PRESETS = (
    "presetStopSurplusPrice",
    "presetStopSurplusType",
    "presetStopSurplusExecutePrice",
    "presetStopLossPrice",
    "presetStopLossType",
    "presetStopLossExecutePrice",
)
"""Take-profit and stop-loss that an order carries."""


def status(order: SimOrder) -> str:
    """Return an order's status; an order that ended without being filled is canceled here."""
    return _STATUS.get(order.status, "canceled")


def force(order: SimOrder) -> str:
    """Return an order's time in force."""
    return order.time_in_force.value.lower()


def order_side(order: SimOrder) -> str:
    """Return an order's side: in hedge mode that of its position, whether it opens or closes."""
    if order.position_side is PositionSide.BOTH:
        return order.side.value.lower()
    return "buy" if order.position_side is PositionSide.LONG else "sell"


_CLOSED: dict[VenueClose | None, str] = {VenueClose.LIQUIDATION: "burst_", VenueClose.ADL: "dte_sys_adl_"}
"""How `tradeSide` begins where the venue closes a position."""


def trade_side(of: SimOrder | SimFill) -> str:
    """Return whether an order or a fill opens or closes, and whether a liquidation does it."""
    side, position_side = of.side, of.position_side
    burst = _CLOSED.get(venue_close(of), "")
    if position_side is PositionSide.BOTH:
        return f"{burst}{side.value.lower()}_single"
    if burst:
        return f"{burst}close_{_POSITION_SIDE[position_side]}"
    return "close" if closes(side, position_side, reduce_only=False) else "open"


def order_source(order: SimOrder) -> str:
    """Return what placed an order."""
    if is_liquidation(order):
        return "liquidation"
    return order.details.get("orderSource", "market" if order.order_type is OrderType.MARKET else "normal")


def _common(order: SimOrder, rules: SymbolSettings, leverage: int, profit: Decimal) -> dict[str, Any]:
    hedge = order.position_side is not PositionSide.BOTH
    ended = not order.status.is_open and order.status is not OrderStatus.FILLED
    return {
        "orderId": order.order_id,
        "clientOid": "" if venue_close(order) else order.client_order_id,
        "size": decimals.quantity(order.quantity, rules),
        "price": decimals.price(order.price, rules) if order.price is not None else "",
        "side": order_side(order),
        "force": force(order),
        "orderType": order.order_type.value.lower(),
        "posSide": _POSITION_SIDE[order.position_side],
        "posMode": POSITION_MODE[PositionMode.HEDGE if hedge else PositionMode.ONE_WAY],
        "tradeSide": trade_side(order),
        "marginCoin": rules.quote_asset,
        "marginMode": MARGIN_MODE[order.margin_mode],
        "leverage": str(leverage),
        "enterPointSource": "SYS" if venue_close(order) else "API",
        "orderSource": order_source(order),
        "cancelReason": _CANCEL_REASON.get(order.closing_reason, "normal_cancel") if ended else "",
        "totalProfits": decimals.exact(profit),
        "cTime": str(order.created_ms),
        "uTime": str(order.updated_ms),
        **{name: order.details.get(name, "") for name in PRESETS},
    }


def _reduces(order: SimOrder) -> bool:
    return order.reduce_only or closes(order.side, order.position_side, order.reduce_only)


def order(
    order: SimOrder, rules: SymbolSettings, *, leverage: int, fills: Iterable[SimFill], detail: bool = False
) -> dict[str, Any]:
    """Write an order as the REST endpoints do; the endpoint of a single order names the status `state`."""
    ours = list(fills)
    fee = sum((fill.fee for fill in ours), decimals.ZERO)
    profit = sum((fill.realized_pnl for fill in ours), decimals.ZERO)
    return {
        "symbol": order.symbol,
        **_common(order, rules, leverage, profit),
        "state" if detail else "status": status(order),
        "baseVolume": decimals.quantity(order.filled_quantity, rules),
        "quoteVolume": decimals.exact(order.filled_notional),
        "priceAvg": average(order) if order.filled_quantity else "",
        "fee": decimals.exact(-fee) if ours else "0",
        "reduceOnly": "YES" if _reduces(order) else "NO",
    }


def streamed_order(
    order: SimOrder, rules: SymbolSettings, *, leverage: int, fills: Iterable[SimFill], fill: SimFill | None
) -> dict[str, Any]:
    """Write an order as the orders channel does, with the fill that changed it if one did."""
    ours = list(fills)
    fee = sum((each.fee for each in ours), decimals.ZERO)
    profit = sum((each.realized_pnl for each in ours), decimals.ZERO)
    row = {
        "instId": order.symbol,
        **_common(order, rules, leverage, profit),
        "status": status(order),
        "accBaseVolume": decimals.quantity(order.filled_quantity, rules),
        "notionalUsd": decimals.exact(order.quantity * (order.price or order.average_price)),
        "feeDetail": [{"feeCoin": rules.quote_asset, "fee": decimals.exact(-fee)}],
        "reduceOnly": "yes" if _reduces(order) else "no",
        "stpMode": "none",
    }
    if row["status"] != "canceled":
        row["priceAvg"] = average(order) if order.filled_quantity else "0"
    if fill is not None:
        row |= {
            "tradeId": fill.trade_id,
            "fillPrice": decimals.price(fill.price, rules),
            "baseVolume": decimals.quantity(fill.quantity, rules),
            "fillTime": str(fill.time_ms),
            "fillFee": decimals.exact(-fill.fee),
            "fillFeeCoin": fill.fee_asset,
            "fillNotionalUsd": decimals.exact(fill.notional),
            "tradeScope": "M" if fill.is_maker else "T",
            "pnl": decimals.exact(fill.realized_pnl),
        }
    return row


def average(order: SimOrder) -> str:
    """Write an order's average price, which is a ratio."""
    return decimals.rounded(order.average_price)


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
        "price": decimals.price(fill.price, rules),
        "baseVolume": decimals.quantity(fill.quantity, rules),
        "feeDetail": _fee_detail(fill),
        "side": side,
        "quoteVolume": decimals.exact(fill.notional),
        "profit": decimals.exact(fill.realized_pnl),
        "enterPointSource": "sys" if venue_close(fill) else "api",
        "tradeSide": trade_side(fill),
        "posMode": POSITION_MODE[PositionMode.HEDGE if hedge else PositionMode.ONE_WAY],
        "tradeScope": "maker" if fill.is_maker else "taker",
        "cTime": str(fill.time_ms),
    }


def streamed_trade(fill: SimFill, order: SimOrder, rules: SymbolSettings) -> dict[str, Any]:
    """Write a trade as the fill channel does; its side is the direction of the trade."""
    row = own_trade(fill, rules)
    del row["enterPointSource"]
    extra = {"clientOid": fill.client_order_id, "orderType": order.order_type.value.lower(), "uTime": str(fill.time_ms)}
    return row | extra | {"side": fill.side.value.lower()}


def _fee_detail(fill: SimFill) -> list[dict[str, str]]:
    fee = decimals.exact(-fill.fee)
    return [{"deduction": "no", "feeCoin": fill.fee_asset, "totalDeductionFee": "0", "totalFee": fee}]


def position(position: PositionView, rules: SymbolSettings, equity: Decimal) -> dict[str, Any]:
    """Write a position as the REST endpoints do: size without sign, the direction in another field."""
    return {
        "symbol": position.symbol,
        **_position(position, rules, equity),
        "locked": "0",
        "openDelegateSize": "0",
        "autoMargin": "off",
        "marginRatio": _ratio(position.maintenance_margin, equity),
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
    size = decimals.quantity(abs(position.quantity), rules)
    return {
        "marginCoin": rules.quote_asset,
        "marginSize": decimals.rounded(position.initial_margin),
        "marginMode": MARGIN_MODE[position.margin_mode],
        "holdSide": "long" if position.quantity > 0 else "short",
        "posMode": POSITION_MODE[PositionMode.HEDGE if hedge else PositionMode.ONE_WAY],
        "total": size,
        "available": size,
        "openPriceAvg": decimals.rounded(position.entry_price),
        "leverage": str(position.leverage),
        "achievedProfits": decimals.exact(position.realized_pnl),
        "unrealizedPL": decimals.exact(position.unrealized_pnl),
        "liquidationPrice": decimals.rounded(position.liquidation_price or decimals.ZERO),
        "keepMarginRate": decimals.exact(rules.maintenance_rate),
        "markPrice": decimals.rounded(position.mark_price),
        "breakEvenPrice": decimals.rounded(position.entry_price),
        "totalFee": decimals.exact(position.funding) if position.funding else "",
        "deductedFee": "0",
        "assetMode": "single",
        "cTime": str(position.updated_ms),
        "uTime": str(position.updated_ms),
    }


def account(balance: BalanceView) -> dict[str, Any]:
    """Write the common fields of the account endpoints: equity is the wallet and open profit together."""
    free = decimals.rounded(balance.available_balance)
    equity = decimals.exact(balance.margin_balance)
    profit = decimals.exact(balance.unrealized_pnl)
    return {
        "marginCoin": balance.asset,
        "locked": decimals.rounded(balance.order_margin),
        "available": decimals.exact(balance.wallet_balance),
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
        # They are of the assets that are margin together in union mode.
        **dict.fromkeys(("unionTotalMargin", "unionAvailable", "unionMm"), "0"),
        "assetList": [],
    }


def streamed_account(balance: BalanceView) -> dict[str, Any]:
    """Write the balance as the account channel does."""
    free = decimals.rounded(balance.available_balance)
    equity = decimals.exact(balance.margin_balance)
    return {
        "marginCoin": balance.asset,
        "frozen": decimals.rounded(balance.order_margin),
        "available": decimals.exact(balance.wallet_balance),
        "maxOpenPosAvailable": free,
        "maxTransferOut": free,
        "equity": equity,
        "usdtEquity": equity,
        "crossedRiskRate": _ratio(balance.maintenance_margin, balance.margin_balance),
        "unrealizedPL": decimals.exact(balance.unrealized_pnl),
        "assetsMode": "single",
    }


def candle(candle: SimCandle, rules: SymbolSettings, *, streamed: bool = False) -> list[str]:
    """Write a candle; the channel adds the volume in USDT."""
    row = [str(candle.open_time_ms)]
    row += [decimals.price(value, rules) for value in (candle.open, candle.high, candle.low, candle.close)]
    row += [decimals.quantity(candle.volume, rules), decimals.exact(candle.quote_volume)]
    return [*row, row[-1]] if streamed else row


def levels(levels: Iterable[BookLevel], rules: SymbolSettings) -> list[list[str]]:
    """Write levels of a book."""
    return [[decimals.price(level, rules), decimals.quantity(amount, rules)] for level, amount in levels]


def trade(trade: SimTrade, rules: SymbolSettings) -> dict[str, Any]:
    """Write a public trade."""
    return {
        "ts": str(trade.time_ms),
        "price": decimals.price(trade.price, rules),
        "size": decimals.quantity(trade.quantity, rules),
        "side": "sell" if trade.buyer_is_maker else "buy",
        "tradeId": trade.trade_id,
    }


def day(day: DayStatistics, rules: SymbolSettings) -> dict[str, Any]:
    """Write the 24 hour statistics, without the best prices."""
    change = (day.last - day.open) / day.open if day.open else decimals.ZERO
    ratio = format(change, ".5f")
    return {
        "lastPr": decimals.price(day.last, rules),
        "open24h": decimals.price(day.open, rules),
        "high24h": decimals.price(day.high, rules),
        "low24h": decimals.price(day.low, rules),
        "change24h": ratio,
        "baseVolume": decimals.quantity(day.volume, rules),
        "quoteVolume": decimals.exact(day.quote_volume),
        "usdtVolume": decimals.exact(day.quote_volume),
        "openUtc": decimals.price(day.open, rules),
        "changeUtc24h": ratio,
    }


def contract(rules: SymbolSettings, settings: SimulatorSettings, status: str) -> dict[str, Any]:
    """Write a symbol as the contracts endpoint does; the price step is priceEndStep in units of the last place."""
    places = decimals.decimals(rules.price_step)
    band = decimals.exact(rules.price_band)
    return {
        "symbol": rules.symbol,
        "baseCoin": rules.base_asset,
        "quoteCoin": rules.quote_asset,
        "buyLimitPriceRatio": band,
        "sellLimitPriceRatio": band,
        "feeRateUpRatio": "0.005",
        "makerFeeRate": decimals.exact(settings.maker_fee),
        "takerFeeRate": decimals.exact(settings.taker_fee),
        "openCostUpRatio": "0.01",
        "supportMarginCoins": [rules.quote_asset],
        "minTradeNum": decimals.exact(rules.min_quantity),
        "priceEndStep": decimals.exact((rules.price_step.scaleb(places)).quantize(Decimal(1))),
        "volumePlace": str(decimals.decimals(rules.quantity_step)),
        "pricePlace": str(places),
        "sizeMultiplier": decimals.exact(rules.quantity_step),
        "symbolType": "perpetual",
        "minTradeUSDT": decimals.exact(rules.min_notional),
        "maxSymbolOrderNum": str(rules.max_open_orders),
        "maxProductOrderNum": "1000",
        "maxPositionNum": "150",
        "symbolStatus": status,
        "offTime": "-1",
        "limitOpenTime": "-1",
        "deliveryTime": "",
        "deliveryStartTime": "",
        "deliveryPeriod": "",
        "launchTime": "",
        "fundInterval": str(settings.funding_interval_h),
        "minLever": "1",
        "maxLever": str(rules.max_leverage),
        "isRwa": "NO",
        "posLimit": "0.05",
        "maintainTime": "",
        "maxMarketOrderQty": decimals.exact(rules.largest_market_order),
        "maxOrderQty": decimals.exact(rules.max_quantity),
    }


def _ratio(part: Decimal, whole: Decimal) -> str:
    return decimals.rounded(part / whole) if whole else "0"


def closed_position(closed: ClosedPosition, number: str, mode: MarginMode) -> dict[str, str]:
    """Write a position that was closed, as the history of positions does."""
    return {
        "positionId": number,
        "marginCoin": "USDT",
        "symbol": closed.symbol,
        "holdSide": "long" if closed.long else "short",
        "openAvgPrice": decimals.rounded(closed.entry_price),
        "closeAvgPrice": decimals.rounded(closed.exit_price),
        "marginMode": MARGIN_MODE[mode],
        "openTotalPos": decimals.exact(closed.opened),
        "closeTotalPos": decimals.exact(closed.closed),
        "pnl": decimals.exact(closed.pnl),
        "netProfit": decimals.rounded(closed.net_pnl),
        "totalFunding": decimals.exact(closed.funding),
        "openFee": decimals.rounded(-closed.open_fees),
        "closeFee": decimals.rounded(-closed.close_fees),
        "posMode": POSITION_MODE[
            PositionMode.ONE_WAY if closed.position_side is PositionSide.BOTH else PositionMode.HEDGE
        ],
        "ctime": str(closed.opened_ms),
        "cTime": str(closed.opened_ms),
        "utime": str(closed.updated_ms),
        "uTime": str(closed.updated_ms),
    }
