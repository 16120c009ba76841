"""The JSON formats of Bitget's unified account (v3): orders, trades, positions and assets.

https://www.bitget.com/api-doc/uta/trade/Get-Order-Details, .../trade/Get-Order-Fills, .../trade/Get-Position,
.../account/Get-Account, .../account/Get-Financial-Records, and the pages of the four channels under
.../websocket/private.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from opensqt.model.account import PositionMode
from opensqt.model.order import OrderType, PositionSide, Side
from opensqt.simulator.dialects import decimals
from opensqt.simulator.dialects.bitget import formats
from opensqt.simulator.dialects.bitget.parameters import PRODUCT_TYPE
from opensqt.simulator.engine.account import closes
from opensqt.simulator.engine.events import BalanceView, FundingPaid, PositionView
from opensqt.simulator.engine.order import SimFill, SimOrder, is_liquidation, venue_close
from opensqt.simulator.settings import SymbolSettings

_STOP_FIELDS = ("TriggerBy", "OrderType", "LimitPrice")
STOPS = ("takeProfit", "stopLoss", *(f"{prefix}{name}" for prefix in ("tp", "sl") for name in _STOP_FIELDS))
"""The take-profit and the stop-loss that an order carries."""
_NO_STOPS = dict.fromkeys(("tpTriggerBy", "slTriggerBy", "takeProfit", "stopLoss", "tpOrderType", "slOrderType"))

_FUNDING_IDS, _IDS_IN_A_MS = 500_000, 1_000_000
FUNDING_IN, FUNDING_OUT = "CONTRACT_MAIN_SETTLE_FEE_USER_IN", "CONTRACT_MAIN_SETTLE_FEE_USER_OUT"
RECORD_TYPES = frozenset(
    {
        *(
            "TRANSFER_IN",
            "TRANSFER_OUT",
            "OPEN_LONG",
            "OPEN_SHORT",
            "CLOSE_LONG",
            "CLOSE_SHORT",
            "BUY_DEAL",
            "SELL_DEAL",
        ),
        *("BURST_CLOSE_LONG", "BURST_CLOSE_SHORT", "BURST_BUY_SSM", "BURST_SELL_SSM", FUNDING_IN, FUNDING_OUT),
        *("FIXED_SETTLE_FEE_USER_IN", "FIXED_SETTLE_FEE_USER_OUT"),
    }
)
"""Types of records that can be asked for, of those in https://www.bitget.com/api-doc/uta/enum."""


def _hold_mode(side: PositionSide) -> str:
    return formats.POSITION_MODE[PositionMode.ONE_WAY if side is PositionSide.BOTH else PositionMode.HEDGE]


def _position_side(side: PositionSide) -> str:
    return "" if side is PositionSide.BOTH else side.value.lower()


def _trade_side(side: Side, position_side: PositionSide) -> str:
    if position_side is PositionSide.BOTH:
        return f"{side.value.lower()}_single"
    return "close" if closes(side, position_side, reduce_only=False) else "open"


def _fees(fills: Iterable[SimFill], asset: str) -> list[dict[str, str]]:
    """Write the fees; unlike in v2, a fee that was paid is above zero."""
    ours = list(fills)
    if not ours:
        return [{"feeCoin": "", "fee": ""}]
    return [{"feeCoin": asset, "fee": decimals.exact(sum((fill.fee for fill in ours), decimals.ZERO))}]


def _order(order: SimOrder, rules: SymbolSettings, fills: Iterable[SimFill]) -> dict[str, Any]:
    status = formats.status(order)
    return {
        "category": PRODUCT_TYPE,
        "symbol": order.symbol,
        "orderId": order.order_id,
        "clientOid": order.client_order_id,
        "orderType": order.order_type.value.lower(),
        "side": order.side.value.lower(),
        "price": "0" if order.price is None else decimals.price(order.price, rules),
        "qty": decimals.quantity(order.quantity, rules),
        "amount": "0",
        "cumExecQty": decimals.quantity(order.filled_quantity, rules),
        "cumExecValue": decimals.exact(order.filled_notional),
        "avgPrice": formats.average(order) if order.filled_quantity else "0",
        "timeInForce": "gtc" if order.order_type is OrderType.MARKET else formats.force(order),
        "orderStatus": "cancelled" if status == "canceled" else status,
        "holdMode": _hold_mode(order.position_side),
        "feeDetail": _fees(fills, rules.quote_asset),
        "createdTime": str(order.created_ms),
        "updatedTime": str(order.updated_ms),
        "cancelReason": "normal_cancel" if status == "canceled" else "",
        "stpMode": "none",
    }


def order(order: SimOrder, rules: SymbolSettings, fills: Iterable[SimFill]) -> dict[str, Any]:
    """Write an order as the REST endpoints do."""
    extra = {"posSide": _position_side(order.position_side), "execType": "normal", **_NO_STOPS}
    extra |= {name: order.details[name] for name in STOPS if name in order.details}
    return _order(order, rules, fills) | extra | {"reduceOnly": "YES" if order.reduce_only else "NO"}


def streamed_order(order: SimOrder, rules: SymbolSettings, fills: Iterable[SimFill], leverage: int) -> dict[str, Any]:
    """Write an order as the channel does: it names the side of the position otherwise, and the product in small."""
    return _order(order, rules, fills) | {
        "category": PRODUCT_TYPE.lower(),
        "holdSide": _position_side(order.position_side),
        "tradeSide": _trade_side(order.side, order.position_side),
        "marginMode": "crossed",
        "marginCoin": rules.quote_asset,
        "leverage": str(leverage),
        "reduceOnly": "yes" if order.reduce_only else "no",
        "totalProfit": "0",
    }


def fill(fill: SimFill, rules: SymbolSettings, order: SimOrder) -> dict[str, Any]:
    """Write a trade of the account as the REST endpoint does; it names the position by what the trade did to it."""
    return {
        "execId": fill.trade_id,
        "execLinkId": fill.trade_id,
        "orderId": fill.order_id,
        "clientOid": "" if venue_close(fill) else fill.client_order_id,
        "category": PRODUCT_TYPE,
        "symbol": fill.symbol,
        "orderType": order.order_type.value.lower(),
        "side": fill.side.value.lower(),
        "execPrice": decimals.price(fill.price, rules),
        "execQty": decimals.quantity(fill.quantity, rules),
        "execValue": decimals.exact(fill.notional),
        "tradeScope": "maker" if fill.is_maker else "taker",
        "tradeSide": formats.trade_side(fill) if venue_close(fill) else _trade_side(fill.side, fill.position_side),
        "feeDetail": [{"feeCoin": fill.fee_asset, "fee": decimals.exact(fill.fee)}],
        "createdTime": str(fill.time_ms),
        "updatedTime": str(fill.time_ms),
        "execPnl": decimals.exact(fill.realized_pnl),
    }


def streamed_fill(fill_: SimFill, rules: SymbolSettings, order: SimOrder) -> dict[str, Any]:
    """Write a trade as the channel does."""
    row = fill(fill_, rules, order)
    del row["createdTime"]
    return row | {
        "execTime": str(fill_.time_ms),
        "holdSide": _position_side(fill_.position_side),
    }


def _position(position: PositionView, rules: SymbolSettings) -> dict[str, Any]:
    hedge = position.position_side is not PositionSide.BOTH
    direction = position.position_side.value.lower() if hedge else ("short" if position.quantity < 0 else "long")
    return {
        "symbol": position.symbol,
        "marginCoin": rules.quote_asset,
        "holdMode": _hold_mode(position.position_side),
        "posSide": direction,
        "marginMode": "crossed",
        "available": decimals.quantity(abs(position.quantity), rules),
        "frozen": "0",
        "leverage": str(position.leverage),
        "curRealisedPnl": decimals.exact(position.realized_pnl),
        "avgPrice": decimals.rounded(position.entry_price),
        "positionStatus": "normal" if position.quantity else "ended",
        "unrealisedPnl": decimals.exact(position.unrealized_pnl),
        "mmr": decimals.exact(rules.maintenance_rate),
        "profitRate": "0",
        "markPrice": decimals.rounded(position.mark_price),
        "breakEvenPrice": decimals.rounded(position.entry_price),
        "openFeeTotal": "0",
        "closeFeeTotal": "0",
        "createdTime": str(position.updated_ms),
        "updatedTime": str(position.updated_ms),
    }


def position(position: PositionView, rules: SymbolSettings) -> dict[str, Any]:
    """Write a position as the REST endpoint does."""
    return _position(position, rules) | {
        "category": PRODUCT_TYPE,
        "positionBalance": decimals.rounded(position.initial_margin),
        "total": decimals.quantity(abs(position.quantity), rules),
        "liquidationPrice": decimals.rounded(position.liquidation_price or decimals.ZERO),
        "totalFunding": decimals.exact(position.funding),
    }


def streamed_position(position: PositionView, rules: SymbolSettings) -> dict[str, Any]:
    """Write a position as the channel does."""
    liquidation = "" if position.liquidation_price is None else decimals.rounded(position.liquidation_price)
    return _position(position, rules) | {
        "marginSize": decimals.rounded(position.initial_margin),
        "size": decimals.quantity(abs(position.quantity), rules),
        "liqPrice": liquidation,
        "totalFundingFee": decimals.exact(position.funding),
    }


def fill_record(fill: SimFill, number: int) -> dict[str, str]:
    """Write the financial record of a trade: its profit, and its fee, which is below zero where one was paid.

    Args:
        fill: The trade.
        number: Its place among those of the account.
    """
    row = _record(fill.symbol, _record_type(fill), fill.realized_pnl, fill.time_ms, number % _FUNDING_IDS)
    return row | {"fee": decimals.exact(-fill.fee), "coin": fill.fee_asset}


def funding_record(paid: FundingPaid) -> dict[str, str]:
    """Write the financial record of a funding payment: its type shows the direction, and so does the sign."""
    kind = FUNDING_IN if paid.amount > 0 else FUNDING_OUT
    return _record(paid.symbol, kind, paid.amount, paid.time_ms, _FUNDING_IDS + paid.payment_id % _FUNDING_IDS)


def _record(symbol: str, kind: str, amount: Decimal, time_ms: int, number: int) -> dict[str, str]:
    """Write a record; its id rises with the time, and is its own for good."""
    return {
        "category": PRODUCT_TYPE,
        "id": str(time_ms * _IDS_IN_A_MS + number),
        "symbol": symbol,
        "coin": "USDT",
        "type": kind,
        "amount": decimals.exact(amount),
        "fee": "0",
        "balance": "",
        "ts": str(time_ms),
    }


def _record_type(fill: SimFill) -> str:
    if fill.position_side is PositionSide.BOTH:
        return f"BURST_{fill.side.value}_SSM" if is_liquidation(fill) else f"{fill.side.value}_DEAL"
    burst = "BURST_" if is_liquidation(fill) else ""
    action = "CLOSE" if closes(fill.side, fill.position_side, reduce_only=False) else "OPEN"
    return f"{burst}{action}_{fill.position_side.value}"


def assets(balance: BalanceView) -> dict[str, Any]:
    """Write the account: sums in US dollars, of which a simulated USDT is worth one, and the assets that are held."""
    total, equity = decimals.rounded(balance.total_margin_balance), decimals.rounded(balance.margin_balance)
    coins = [_asset(balance.asset, equity, decimals.exact(balance.wallet_balance))]
    if balance.collateral:
        worth = decimals.exact(balance.collateral)
        coins.append(_asset("USDC", worth, worth))
    profit = decimals.rounded(balance.unrealized_pnl)
    return {
        "accountEquity": total,
        "usdtEquity": total,
        "btcEquity": "0",
        "unrealisedPnl": profit,
        "usdtUnrealisedPnl": profit,
        "btcUnrealizedPnl": "0",
        "effEquity": total,
        "mmr": decimals.rounded(balance.maintenance_margin),
        "imr": decimals.rounded(balance.initial_margin),
        "mgnRatio": "0",
        "positionMgnRatio": "0",
        "assets": coins,
    }


def _asset(coin: str, equity: str, balance: str) -> dict[str, str]:
    return {
        "coin": coin,
        "equity": equity,
        "usdValue": equity,
        "balance": balance,
        "available": equity,
        "debt": "0",
        "locked": "0",
    }
