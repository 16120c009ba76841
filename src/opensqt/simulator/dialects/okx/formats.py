"""OKX's JSON formats: orders, fills, positions, balances, candles. Everything is text, sizes are contracts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

import orjson

from opensqt.model.order import OrderStatus, OrderType, PositionSide, Side, TimeInForce
from opensqt.simulator.dialects.okx import other_fields
from opensqt.simulator.dialects.okx.instruments import OkxInstrument, divided, plain
from opensqt.simulator.engine.closed_positions import ClosedPosition
from opensqt.simulator.engine.events import (
    BalanceView,
    BookLevel,
    BookTicker,
    PositionView,
    SimCandle,
    SimMark,
    SimTrade,
)
from opensqt.simulator.engine.order import ClosingReason, SimFill, SimOrder, VenueClose, venue_close
from opensqt.simulator.engine.tape import DayStatistics

_STATE = {
    OrderStatus.OPEN: "live",
    OrderStatus.PARTIALLY_FILLED: "partially_filled",
    OrderStatus.FILLED: "filled",
    OrderStatus.CANCELED: "canceled",
    OrderStatus.EXPIRED: "canceled",
}
_KIND = {TimeInForce.GTC: "limit", TimeInForce.POST_ONLY: "post_only", TimeInForce.IOC: "ioc", TimeInForce.FOK: "fok"}
SIDES = {PositionSide.BOTH: "net", PositionSide.LONG: "long", PositionSide.SHORT: "short"}
_SOURCE = {
    ClosingReason.NONE: "1",
    ClosingReason.AMENDED: "1",
    ClosingReason.NOT_FILLED_AT_ONCE: "14",
    ClosingReason.POST_ONLY: "31",
    ClosingReason.SELF_TRADE: "32",
    ClosingReason.REDUCE_ONLY: "17",
    ClosingReason.LIQUIDATION: "3",
    ClosingReason.COUNTDOWN: "20",
}
"""cancelSource: the cause of a cancel."""
_FOK_SOURCE = "13"
_NO_CHANGE = "0"


_CATEGORY: dict[VenueClose | None, str] = {VenueClose.LIQUIDATION: "full_liquidation", VenueClose.ADL: "adl"}


def client_id(of: SimOrder | SimFill) -> str:
    """Return the client id; empty where the engine made one because none was given."""
    made = of.client_order_id == f"auto{of.order_id}" or venue_close(of) is not None
    return "" if made else of.client_order_id


def kind(order: SimOrder) -> str:
    """Return an order's type, which includes its time in force."""
    return "market" if order.order_type is OrderType.MARKET else _KIND[order.time_in_force]


def cancel_source(order: SimOrder) -> str:
    """Return why an order was canceled; empty when it was not."""
    if _STATE[order.status] != "canceled":
        return ""
    if order.time_in_force is TimeInForce.FOK and order.closing_reason is ClosingReason.NOT_FILLED_AT_ONCE:
        return _FOK_SOURCE
    return _SOURCE[order.closing_reason]


def order(order: SimOrder, swap: OkxInstrument, leverage: int, last: SimFill | None, fees: Decimal) -> dict[str, Any]:
    """Write an order with its last fill.

    Args:
        order: The order.
        swap: Its instrument.
        leverage: The current leverage.
        last: Its newest fill, if any.
        fees: The fees of the order so far.
    """
    return {
        "instType": "SWAP",
        "instId": swap.inst_id,
        "ordId": order.order_id,
        "clOrdId": client_id(order),
        "tag": order.tag,
        "ccy": "",
        "category": _CATEGORY.get(venue_close(order), "normal"),
        "side": order.side.value.lower(),
        "posSide": SIDES[order.position_side],
        "ordType": kind(order),
        "tdMode": "cross",
        "tgtCcy": "",
        "px": swap.price(order.price),
        "pxType": "",
        "pxUsd": "",
        "pxVol": "",
        "sz": swap.contracts(order.quantity),
        "accFillSz": swap.contracts(order.filled_quantity),
        "avgPx": divided(order.average_price) if order.filled_quantity else "",
        "state": _STATE[order.status],
        "lever": str(leverage),
        "pnl": plain(last.realized_pnl) if last is not None else "0",
        "fee": plain(-fees),
        "feeCcy": swap.rules.quote_asset,
        "rebate": "0",
        "rebateCcy": swap.rules.quote_asset,
        "reduceOnly": "true" if order.reduce_only else "false",
        "cancelSource": cancel_source(order),
        "cancelSourceReason": "",
        "source": order.details.get("source", ""),
        "stpId": "",
        "stpMode": "cancel_maker",
        "isTpLimit": "false",
        "quickMgnType": "",
        "attachAlgoClOrdId": "",
        "attachAlgoOrds": attached(order.order_id, orjson.loads(order.details.get("attachAlgoOrds", "[]"))),
        "algoClOrdId": order.details.get("algoClOrdId", ""),
        "algoId": order.conditional_id,
        "slOrdPx": "",
        "slTriggerPx": "",
        "slTriggerPxType": "",
        "tpOrdPx": "",
        "tpTriggerPx": "",
        "tpTriggerPxType": "",
        **_last_fill(last, swap),
        "cTime": str(order.created_ms),
        "uTime": str(order.updated_ms),
    }


def attached(order_id: str, items: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Write what an order has attached."""
    fields = ("tpTriggerPx", "tpTriggerPxType", "tpOrdPx", "slTriggerPx", "slTriggerPxType", "slOrdPx", "sz")
    return [
        {
            "attachAlgoId": f"{order_id}{number:02}",
            "attachAlgoClOrdId": str(item.get("attachAlgoClOrdId", "")),
            "tpOrdKind": "condition",
            "amendPxOnTriggerType": "0",
            "amendPxOnTriggerId": "",
            "failCode": "",
            "failReason": "",
            **{name: str(item.get(name, "")) for name in fields},
        }
        for number, item in enumerate(items, 1)
    ]


def _last_fill(last: SimFill | None, swap: OkxInstrument) -> dict[str, Any]:
    if last is None:
        return {"fillPx": "", "fillSz": "0", "fillTime": "", "tradeId": ""}
    return {
        "fillPx": swap.price(last.price),
        "fillSz": swap.contracts(last.quantity),
        "fillTime": str(last.time_ms),
        "tradeId": last.trade_id,
    }


def execution(fill: SimFill, swap: OkxInstrument) -> dict[str, Any]:
    """Write the fields that the orders channel adds to an order when it reports one of its fills."""
    return {
        "execType": "M" if fill.is_maker else "T",
        "fillFee": plain(-fill.fee),
        "fillFeeCcy": fill.fee_asset,
        "fillPnl": plain(fill.realized_pnl),
        "fillNotionalUsd": divided(fill.notional),
        "fillMarkPx": swap.price(fill.price),
    }


NO_EXECUTION = {
    "execType": "",
    "fillFee": "0",
    "fillFeeCcy": "",
    "fillPnl": "0",
    "fillNotionalUsd": "",
    "fillMarkPx": "",
}
"""The fields that the orders channel adds when it reports no fill."""


_CLOSED_NET: dict[VenueClose | None, tuple[str, str]] = {
    VenueClose.LIQUIDATION: ("106", "107"),
    VenueClose.ADL: ("127", "128"),
}
"""Types of the trades of a net position that the venue makes: of a buy and of a sell."""
_CLOSED_SIDE: dict[VenueClose | None, tuple[str, str]] = {
    VenueClose.LIQUIDATION: ("104", "105"),
    VenueClose.ADL: ("125", "126"),
}
"""The same where long and short are held apart: of the long and of the short position."""


def sub_type(fill: SimFill) -> str:
    """Return the type of a trade; the order of the types is that of the venue's list."""
    buys = fill.side is Side.BUY
    if fill.position_side is PositionSide.BOTH:
        names = _CLOSED_NET.get(venue_close(fill), ("1", "2"))
        return names[0] if buys else names[1]
    long = fill.position_side is PositionSide.LONG
    if (closed := _CLOSED_SIDE.get(venue_close(fill))) is not None:
        return closed[0] if long else closed[1]
    names = ("3", "4") if buys is long else ("5", "6")
    return names[0] if long else names[1]


def fill(fill: SimFill, swap: OkxInstrument, bill_id: int) -> dict[str, Any]:
    """Write a trade of the account."""
    return {
        "instType": "SWAP",
        "instId": swap.inst_id,
        "tradeId": fill.trade_id,
        "ordId": fill.order_id,
        "clOrdId": client_id(fill),
        "billId": str(bill_id),
        "subType": sub_type(fill),
        "tag": "",
        "fillPx": swap.price(fill.price),
        "fillSz": swap.contracts(fill.quantity),
        "fillIdxPx": swap.price(fill.price),
        "fillPnl": plain(fill.realized_pnl),
        "fillMarkPx": swap.price(fill.price),
        "side": fill.side.value.lower(),
        "posSide": SIDES[fill.position_side],
        "execType": "M" if fill.is_maker else "T",
        "feeCcy": fill.fee_asset,
        "fee": plain(-fill.fee),
        "ts": str(fill.time_ms),
        "fillTime": str(fill.time_ms),
    }


def position(position: PositionView, swap: OkxInstrument, now_ms: int) -> dict[str, Any]:
    """Write a position: signed in net mode, a size with a side in long/short mode."""
    quantity = position.quantity
    shown = quantity if position.position_side is PositionSide.BOTH else abs(quantity)
    held = bool(quantity)
    notional = abs(position.notional)
    ratio = position.unrealized_pnl / position.initial_margin if position.initial_margin else Decimal(0)
    return {
        "instType": "SWAP",
        "instId": swap.inst_id,
        "posId": f"{swap.symbol}{SIDES[position.position_side]}",
        "posSide": SIDES[position.position_side],
        "posCcy": "",
        "mgnMode": position.margin_mode.value.lower(),
        "ccy": swap.rules.quote_asset,
        "pos": swap.contracts(shown),
        "availPos": swap.contracts(abs(quantity)) if held else "",
        "avgPx": divided(position.entry_price) if held else "",
        "bePx": divided(position.entry_price) if held else "",
        "markPx": divided(position.mark_price),
        "last": divided(position.mark_price),
        "upl": divided(position.unrealized_pnl) if held else "",
        "uplRatio": divided(ratio) if held else "",
        "uplLastPx": divided(position.unrealized_pnl) if held else "",
        "realizedPnl": plain(position.realized_pnl),
        "pnl": plain(position.realized_pnl),
        "fee": "",
        "fundingFee": plain(position.funding),
        "lever": str(position.leverage),
        "liqPx": divided(position.liquidation_price) if position.liquidation_price else "",
        "imr": divided(position.initial_margin) if held else "",
        "mmr": divided(position.maintenance_margin) if held else "",
        "margin": "",
        "mgnRatio": "",
        "notionalUsd": divided(notional) if held else "",
        "interest": "",
        "liab": "",
        "liabCcy": "",
        "adl": "1",
        "tradeId": "",
        "usdPx": "1",
        "closeOrderAlgo": [],
        "cTime": str(position.updated_ms or now_ms),
        "uTime": str(position.updated_ms or now_ms),
        "pTime": str(now_ms),
        **other_fields.POSITION,
    }


def balance(balance: BalanceView, updated_ms: int) -> dict[str, Any]:
    """Write the account in futures mode: margin is the currency's, and the account as a whole has none."""
    equity = divided(balance.margin_balance)
    available = divided(balance.available_balance)
    frozen = divided(balance.initial_margin)
    margins = {"imr": frozen, "mmr": divided(balance.maintenance_margin), "upl": divided(balance.unrealized_pnl)}
    detail = {
        "ccy": balance.asset,
        "eq": equity,
        "cashBal": plain(balance.wallet_balance),
        "availEq": available,
        "availBal": available,
        "frozenBal": frozen,
        "ordFrozen": divided(balance.order_margin),
        "disEq": equity,
        "eqUsd": equity,
        "isoEq": "0",
        "isoUpl": "0",
        "upl": margins["upl"],
        "imr": margins["imr"],
        "mmr": margins["mmr"],
        "mgnRatio": "",
        "notionalLever": "",
        "stgyEq": "0",
        "uTime": str(updated_ms),
        **other_fields.DETAIL,
    }
    whole = ("adjEq", "availEq", "ordFroz", "mgnRatio", "notionalUsd", *margins)
    return {
        "totalEq": divided(balance.total_margin_balance),
        "isoEq": "0",
        **dict.fromkeys(whole, ""),
        **other_fields.BALANCE,
        "details": [detail],
        "uTime": str(updated_ms),
    }


def shared_balance(found: BalanceView, updated_ms: int) -> dict[str, Any]:
    """Write the account in a mode in which all currencies are margin together: margin is the account's, in dollars."""
    row = balance(found, updated_ms)
    (detail,) = row["details"]
    detail |= {
        "imr": "",
        "mmr": "",
        "frozenBal": "0",
        "ordFrozen": "0",
        "availEq": detail["eq"],
        "availBal": detail["eq"],
    }
    details = [detail]
    if found.collateral:
        worth = divided(found.collateral)
        zeros = dict.fromkeys(("frozenBal", "ordFrozen", "isoEq", "isoUpl", "upl", "stgyEq"), "0")
        amounts = dict.fromkeys(("eq", "cashBal", "availEq", "availBal", "disEq", "eqUsd"), worth)
        details.append(detail | zeros | amounts | {"ccy": "USDC"})
    return row | {
        "adjEq": divided(found.total_margin_balance),
        "availEq": divided(found.available_balance),
        "ordFroz": divided(found.order_margin),
        "imr": divided(found.initial_margin),
        "mmr": divided(found.maintenance_margin),
        "upl": divided(found.unrealized_pnl),
        "details": details,
    }


def candle(candle: SimCandle, swap: OkxInstrument) -> list[str]:
    """Write a candle: its volume in contracts, in coins, in quote, and whether it is complete."""
    prices = (candle.open, candle.high, candle.low, candle.close)
    return [
        str(candle.open_time_ms),
        *(swap.price(price) for price in prices),
        swap.contracts(candle.volume),
        plain(candle.volume),
        plain(candle.quote_volume),
        "1" if candle.closed else "0",
    ]


def levels(levels: Iterable[BookLevel], swap: OkxInstrument) -> list[list[str]]:
    """Write levels of a book; the number of orders per level is not known and written as one."""
    return [
        [swap.price(price), swap.contracts(quantity), _NO_CHANGE, "1" if quantity else "0"]
        for price, quantity in levels
    ]


def best(best: BookTicker, swap: OkxInstrument) -> dict[str, Any]:
    """Write the best bid and ask as the bbo-tbt channel does."""
    return {
        "asks": levels([(best.ask, best.ask_quantity)] if best.ask_quantity else [], swap),
        "bids": levels([(best.bid, best.bid_quantity)] if best.bid_quantity else [], swap),
        "ts": str(best.time_ms),
        "seqId": best.update_id,
    }


def trade(trade: SimTrade, swap: OkxInstrument) -> dict[str, Any]:
    """Write a public trade."""
    return {
        "instId": swap.inst_id,
        "tradeId": trade.trade_id,
        "px": swap.price(trade.price),
        "sz": swap.contracts(trade.quantity),
        "side": "sell" if trade.buyer_is_maker else "buy",
        "source": "0",
        "ts": str(trade.time_ms),
    }


def ticker(day: DayStatistics, best: BookTicker, swap: OkxInstrument, now_ms: int) -> dict[str, Any]:
    """Write the last price, the best quotes and the last 24 hours."""
    return {
        "instType": "SWAP",
        "instId": swap.inst_id,
        "last": swap.price(day.last),
        "lastSz": swap.contracts(day.last_quantity),
        "askPx": swap.price(best.ask),
        "askSz": swap.contracts(best.ask_quantity),
        "bidPx": swap.price(best.bid),
        "bidSz": swap.contracts(best.bid_quantity),
        "open24h": swap.price(day.open),
        "high24h": swap.price(day.high),
        "low24h": swap.price(day.low),
        "vol24h": swap.contracts(day.volume),
        "volCcy24h": plain(day.volume),
        "sodUtc0": swap.price(day.open),
        "sodUtc8": swap.price(day.open),
        "ts": str(now_ms),
    }


def funding(mark: SimMark, swap: OkxInstrument, interval_ms: int) -> dict[str, Any]:
    """Write the next funding."""
    rate = plain(mark.funding_rate)
    return {
        "instType": "SWAP",
        "instId": swap.inst_id,
        "method": "current_period",
        "formulaType": "withRate",
        "fundingRate": rate,
        "fundingTime": str(mark.next_funding_ms),
        "nextFundingRate": "",
        "nextFundingTime": str(mark.next_funding_ms + interval_ms),
        "minFundingRate": "-0.00375",
        "maxFundingRate": "0.00375",
        "prevFundingTime": str(mark.next_funding_ms - interval_ms),
        "settFundingRate": rate,
        "settState": "settled",
        "premium": "0",
        "interestRate": "0.0001",
        "impactValue": "20000",
        "ts": str(mark.time_ms),
    }


def mark(mark: SimMark, swap: OkxInstrument) -> dict[str, Any]:
    """Write the mark price."""
    return {
        "instType": "SWAP",
        "instId": swap.inst_id,
        "markPx": divided(mark.mark_price),
        "ts": str(mark.time_ms),
    }


def closed_position(closed: ClosedPosition, swap: OkxInstrument, leverage: int) -> dict[str, Any]:
    """Write a position that was closed, as the history of positions does."""
    side = "net" if closed.position_side is PositionSide.BOTH else ("long" if closed.long else "short")
    part = not closed.ended
    kind = ("4" if part else "3") if closed.liquidated else ("1" if part else "2")
    fees = closed.open_fees + closed.close_fees
    margin = closed.closed * closed.entry_price / leverage
    return {
        "instType": "SWAP",
        "instId": swap.inst_id,
        "uly": swap.family,
        "mgnMode": "cross",
        "type": kind,
        "posId": f"{swap.symbol}{SIDES[closed.position_side]}",
        "posSide": side,
        "direction": "long" if closed.long else "short",
        "lever": str(leverage),
        "ccy": swap.rules.quote_asset,
        "openAvgPx": divided(closed.entry_price),
        "nonSettleAvgPx": "",
        "closeAvgPx": divided(closed.exit_price),
        "openMaxPos": swap.contracts(closed.most),
        "closeTotalPos": swap.contracts(closed.closed),
        "pnl": plain(closed.pnl),
        "pnlRatio": divided(closed.net_pnl / margin),
        "realizedPnl": divided(closed.net_pnl),
        "settledPnl": "",
        "fee": divided(-fees),
        "fundingFee": plain(closed.funding),
        "liqPenalty": "0",
        "triggerPx": "",
        "cTime": str(closed.opened_ms),
        "uTime": str(closed.updated_ms),
    }
