"""Reads rows and frames of OKX. Contracts become base coins, and base coins contracts, only here."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from decimal import Decimal
from itertools import chain
from typing import Any

import msgspec

from opensqt.model.account import Account, MarginMode, Position
from opensqt.model.errors import UnsupportedAccount
from opensqt.model.market import INTERVALS_MS, Candle, Price
from opensqt.model.order import Fill, Order, OrderStatus, OrderType, PositionSide, Side, TimeInForce
from opensqt.model.venue import SymbolRules
from opensqt.venues.account.state import sides
from opensqt.venues.events import BalanceChange, Event, FundingAnnounced
from opensqt.venues.okx.causes import close_reason, close_text, fill_kind
from opensqt.venues.parsing import BookRow, ChannelAcks, Row, best_of, candle_of_row, price_of, read_each
from opensqt.venues.rows import (
    RowError,
    RowKind,
    VenueRow,
    decode,
    decode_message,
    lookup,
    member,
    objects,
    text_of,
)
from opensqt.venues.venue import Venue

ASSET = "USDT"
IS_FUNDING = "funding_fee"
"""Event of the channel `balance_and_position` that announces a funding payment."""
PRIVATE_ARGS = [
    {"channel": "orders", "instType": "SWAP"},
    {"channel": "positions", "instType": "SWAP"},
    {"channel": "account"},
    {"channel": "balance_and_position"},
]
TIME_IN_FORCE = {
    TimeInForce.GTC: "limit",
    TimeInForce.IOC: "ioc",
    TimeInForce.FOK: "fok",
    TimeInForce.POST_ONLY: "post_only",
}
"""The venue has no time in force: these are its order types of limit orders."""
_TIME_IN_FORCE_BY_TEXT = {text: force for force, text in TIME_IN_FORCE.items()} | {"optimal_limit_ioc": TimeInForce.IOC}
_STATUS = {
    "live": OrderStatus.OPEN,
    "partially_filled": OrderStatus.PARTIALLY_FILLED,
    "filled": OrderStatus.FILLED,
    "canceled": OrderStatus.CANCELED,
    "mmp_canceled": OrderStatus.CANCELED,
}
POSITION_SIDE = {PositionSide.BOTH: "net", PositionSide.LONG: "long", PositionSide.SHORT: "short"}
_POSITION_SIDE_BY_TEXT = {text: side for side, text in POSITION_SIDE.items()}
INTERVALS = {name: name.replace("h", "H") for name in INTERVALS_MS} | {"6h": "6Hutc", "12h": "12Hutc", "1d": "1Dutc"}
"""Without `utc` the longer ones would begin at Hong Kong's hours."""
_INTERVAL_BY_CHANNEL = {f"candle{bar}": interval for interval, bar in INTERVALS.items()}


def contracts(quantity: Decimal, rules: SymbolRules) -> str:
    """Return base coins as contracts."""
    return format((quantity / rules.contract_size).normalize(), "f")


_SIDE = {side.value.lower(): side for side in Side}
_MARGIN_MODE = {"cross": MarginMode.CROSS, "isolated": MarginMode.ISOLATED}
ORDER = RowKind("order", "instId", "ordId")
FILL = RowKind("fill", "instId", "tradeId")
POSITION = RowKind("position", "instId", "posSide")
_BALANCE = RowKind("balance", row_id="ccy")


class OrderRow(VenueRow, frozen=True, rename="camel"):
    """An order of a response or of the orders channel."""

    ord_id: str
    side: str
    sz: Decimal
    ord_type: str
    pos_side: str
    state: str
    u_time: int
    reduce_only: bool
    acc_fill_sz: Decimal = Decimal(0)
    cl_ord_id: str = ""
    px: Decimal | None = None
    avg_px: Decimal | None = None
    cancel_source: str = ""
    cancel_source_reason: str = ""


def parse_order(raw: Any, rules: SymbolRules) -> Order:
    """Read an order of a response or of the orders channel."""
    row = decode(raw, OrderRow)
    filled = row.acc_fill_sz * rules.contract_size
    market = row.ord_type in ("market", "optimal_limit_ioc")
    end = close_reason(lookup(_STATUS, row.state, "state"), row.cancel_source)
    return Order(
        symbol=rules.symbol,
        side=lookup(_SIDE, row.side, "side"),
        quantity=row.sz * rules.contract_size,
        client_order_id=row.cl_ord_id,
        status=end.status,
        order_id=row.ord_id,
        price=None if market else row.px,
        order_type=OrderType.MARKET if market else OrderType.LIMIT,
        time_in_force=_TIME_IN_FORCE_BY_TEXT.get(row.ord_type, TimeInForce.GTC),
        reduce_only=row.reduce_only,
        position_side=lookup(_POSITION_SIDE_BY_TEXT, row.pos_side, "posSide"),
        filled_quantity=filled,
        average_price=row.avg_px if filled else None,
        reason=close_text(row.cancel_source, row.cancel_source_reason),
        closed_by=end.closed_by,
        close_reason=end.close_reason,
        event_time_ms=row.u_time,
        received_ns=time.time_ns(),
    )


class StreamedFillRow(VenueRow, frozen=True, rename="camel"):
    """The fill of a row of the orders channel."""

    trade_id: str
    ord_id: str
    side: str
    pos_side: str
    fill_px: Decimal
    fill_sz: Decimal
    fill_time: int
    fill_fee: Decimal
    cl_ord_id: str = ""
    fill_fee_ccy: str = ASSET
    exec_type: str = ""
    fill_pnl: Decimal = Decimal(0)
    category: str = ""


def _has_fill(raw: Row) -> bool:
    return bool(raw.get("tradeId")) or raw.get("fillSz") not in (None, "", "0")


def lacks_fee(raw: Row) -> bool:
    """Return whether a row of the orders channel has a fill, and no fee."""
    return _has_fill(raw) and raw.get("fillFee") in (None, "")


def parse_streamed_fill(raw: Any, rules: SymbolRules) -> Fill | None:
    """Read the fill of a row of the orders channel; None where it has none, or none with a fee."""
    if not _has_fill(raw) or lacks_fee(raw):
        return None
    row = decode(raw, StreamedFillRow)
    if not row.fill_sz:
        return None
    return Fill(
        symbol=rules.symbol,
        trade_id=row.trade_id,
        order_id=row.ord_id,
        client_order_id=row.cl_ord_id,
        side=lookup(_SIDE, row.side, "side"),
        position_side=lookup(_POSITION_SIDE_BY_TEXT, row.pos_side, "posSide"),
        price=row.fill_px,
        quantity=row.fill_sz * rules.contract_size,
        # The venue's amounts below zero were paid.
        fee=-row.fill_fee,
        fee_asset=row.fill_fee_ccy,
        is_maker=row.exec_type == "M",
        realized_pnl=row.fill_pnl,
        kind=fill_kind(row.category),
        event_time_ms=row.fill_time,
        received_ns=time.time_ns(),
    )


class TradeRow(VenueRow, frozen=True, rename="camel"):
    """A trade of the account."""

    trade_id: str
    ord_id: str
    side: str
    pos_side: str
    fill_px: Decimal
    fill_sz: Decimal
    fee: Decimal
    fee_ccy: str
    exec_type: str
    ts: int = 0
    fill_time: int = 0
    cl_ord_id: str = ""
    fill_pnl: Decimal = Decimal(0)
    sub_type: str = ""


def parse_fill(raw: Any, rules: SymbolRules) -> Fill:
    """Read a trade of the account."""
    row = decode(raw, TradeRow)
    if not row.fill_time and not row.ts:
        raise RowError("fillTime, ts: expected one of them")
    return Fill(
        symbol=rules.symbol,
        trade_id=row.trade_id,
        order_id=row.ord_id,
        client_order_id=row.cl_ord_id,
        side=lookup(_SIDE, row.side, "side"),
        position_side=lookup(_POSITION_SIDE_BY_TEXT, row.pos_side, "posSide"),
        price=row.fill_px,
        quantity=row.fill_sz * rules.contract_size,
        fee=-row.fee,
        fee_asset=row.fee_ccy,
        is_maker=row.exec_type == "M",
        realized_pnl=row.fill_pnl,
        kind=fill_kind(sub_type=row.sub_type),
        event_time_ms=row.fill_time or row.ts,
        received_ns=time.time_ns(),
    )


class PositionRow(VenueRow, frozen=True, rename="camel"):
    """A position."""

    pos_side: str
    pos: Decimal
    mgn_mode: str
    u_time: int
    avg_px: Decimal = Decimal(0)
    mark_px: Decimal | None = None
    upl: Decimal = Decimal(0)
    liq_px: Decimal | None = None
    lever: Decimal | None = None


def parse_position(raw: Any, rules: SymbolRules) -> Position:
    """Read a position: signed in net mode; in long/short mode the side is the sign."""
    row = decode(raw, PositionRow)
    side = lookup(_POSITION_SIDE_BY_TEXT, row.pos_side, "posSide")
    quantity = row.pos * rules.contract_size
    return Position(
        symbol=rules.symbol,
        quantity=-abs(quantity) if side is PositionSide.SHORT else quantity,
        entry_price=row.avg_px if quantity else Decimal(0),
        position_side=side,
        mark_price=row.mark_px,
        unrealized_pnl=row.upl,
        liquidation_price=row.liq_px,
        leverage=row.lever,
        margin_mode=lookup(_MARGIN_MODE, row.mgn_mode, "mgnMode"),
        event_time_ms=row.u_time,
        received_ns=time.time_ns(),
    )


class BalanceRow(VenueRow, frozen=True, rename="camel"):
    """The balance of an asset; a field that the account mode does not have is an empty text."""

    ccy: str = ""
    cash_bal: Decimal = Decimal(0)
    upl: Decimal = Decimal(0)
    avail_eq: Decimal | None = None
    avail_bal: Decimal = Decimal(0)
    imr: Decimal | None = None
    frozen_bal: Decimal = Decimal(0)
    mmr: Decimal = Decimal(0)


class ResponseTime(VenueRow, frozen=True, rename="camel"):
    """The time of a response."""

    u_time: int = 0


class TotalsRow(VenueRow, frozen=True, rename="camel"):
    """The account as a whole, in US dollars; in futures mode the venue sends these fields empty."""

    adj_eq: Decimal
    imr: Decimal
    mmr: Decimal
    avail_eq: Decimal | None = None


def parse_account(response: Any, *, multi_currency: bool = False) -> Account:
    """Read the balance: https://www.okx.com/docs-v5/en/#trading-account-rest-api-get-balance.

    Args:
        response: As the venue sent it.
        multi_currency: Whether every currency of the account serves as margin. Margin and what is available are then
            those of the account as a whole, in US dollars; the fields of one currency lack them.
    """
    details = objects(member(response, "details"), "details")
    row = decode(next((raw for raw in details if member(raw, "ccy") == ASSET), {}), BalanceRow)
    if multi_currency:
        totals = decode(response, TotalsRow)
        available = totals.adj_eq - totals.imr if totals.avail_eq is None else totals.avail_eq
        return Account(
            asset=ASSET,
            wallet_balance=row.cash_bal,
            unrealized_pnl=row.upl,
            available_balance=max(available, Decimal(0)),
            initial_margin=totals.imr,
            maintenance_margin=totals.mmr,
            event_time_ms=decode(response, ResponseTime).u_time,
            received_ns=time.time_ns(),
            total_margin_balance=totals.adj_eq,
        )
    return Account(
        asset=ASSET,
        wallet_balance=row.cash_bal,
        unrealized_pnl=row.upl,
        available_balance=row.avail_bal if row.avail_eq is None else row.avail_eq,
        initial_margin=row.frozen_bal if row.imr is None else row.imr,
        maintenance_margin=row.mmr,
        event_time_ms=decode(response, ResponseTime).u_time,
        received_ns=time.time_ns(),
    )


class StreamedBalanceRow(VenueRow, frozen=True, rename="camel"):
    """The balance of an asset in the account channel."""

    ccy: str
    cash_bal: Decimal
    u_time: int


def parse_balance_change(raw: Any) -> BalanceChange | None:
    """Read a balance of the account channel; None for another asset."""
    if member(raw, "ccy") not in (None, ASSET):
        return None
    row = decode(raw, StreamedBalanceRow)
    return BalanceChange(wallet_balance=row.cash_bal, event_time_ms=row.u_time, received_ns=time.time_ns())


def parse_price(raw: Any, rules: SymbolRules) -> Price | None:
    """Read the best levels of a book; None while a side is empty."""
    row = decode_message(raw, BookRow)
    return price_of(rules.symbol, best_of(row.bids), best_of(row.asks), row.ts, rules.contract_size)


class CandleRow(msgspec.Struct, frozen=True, array_like=True):
    """A candle, as a list."""

    open_time_ms: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    contracts: Decimal
    volume: Decimal
    quote_volume: Decimal
    confirmed: bool


def parse_candle(raw: Any, rules: SymbolRules, interval: str) -> Candle:
    """Read a candle; the venue sends no other time of it than its opening."""
    row = decode_message(raw, CandleRow)
    return candle_of_row(rules.symbol, interval, row, closed=row.confirmed)


_SPOT, _FUTURES, MULTI_CURRENCY, _PORTFOLIO = "spot", "futures", "multi-currency margin", "portfolio margin"
_ACCOUNT_MODES = {"1": _SPOT, "2": _FUTURES, "3": MULTI_CURRENCY, "4": _PORTFOLIO}
"""By acctLv: https://www.okx.com/docs-v5/en/#trading-account-rest-api-get-account-configuration."""
_SWITCH = "switch it to Futures mode or Multi-currency margin mode (okx.com: Trade, Settings, Account mode)"


def account_mode(config: Any) -> str:
    """Return the mode of the account.

    Raises:
        UnsupportedAccount: In spot mode no swap trades. In portfolio margin mode the venue does not apply
            `reduceOnly`, so that an order that is to close a position could open one.
    """
    level = member(config, "acctLv")
    mode = _ACCOUNT_MODES.get(str(level), "")
    if mode == _SPOT:
        raise UnsupportedAccount(
            f"this OKX account is in spot mode, in which no swap trades: {_SWITCH}, then start again"
        )
    if mode == _PORTFOLIO:
        raise UnsupportedAccount(
            "this OKX account is in portfolio margin mode, in which OKX does not apply reduce-only orders:"
            f" {_SWITCH}, then start again"
        )
    if not mode:
        raise UnsupportedAccount(f"this OKX account is in a mode that is not known here (acctLv {level!r}): {_SWITCH}")
    return mode


class OkxParser:
    """Reads the frames of one adapter: `{"arg": ..., "data": [...]}`, or an `event` that responds to a request.

    Args:
        venue: The adapter, for its instruments and its position mode. It counts events that are not handled.
    """

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self.acks = ChannelAcks(arg["channel"] for arg in PRIVATE_ARGS)
        self.on_amended: Callable[[Row], None] = lambda _raw: None
        """Called with each row of an order that reports the result of an amendment."""

    def parse(self, frame: Any) -> Iterable[Event] | None:
        """Return the events of a frame; see `Venue.parse`."""
        if event := text_of(frame, "event"):
            return self._on_event(event, frame)
        arg, rows = member(frame, "arg"), objects(frame.get("data"), "data")
        channel = text_of(arg, "channel")
        venue = self._venue
        if channel == "bbo-tbt":
            rules = venue.listed_rules(arg.get("instId"))
            return read_each(venue.set_aside, "price", rules.symbol, rows, lambda raw: parse_price(raw, rules))
        if channel.startswith("candle"):
            rules, interval = venue.listed_rules(arg.get("instId")), lookup(_INTERVAL_BY_CHANNEL, channel, "channel")
            return read_each(
                venue.set_aside, "candle", rules.symbol, rows, lambda raw: parse_candle(raw, rules, interval)
            )
        if channel == "orders":
            for raw in rows:
                if isinstance(raw, dict) and raw.get("reqId") and raw.get("amendResult"):
                    self.on_amended(raw)
            return venue.read_updates(
                (ORDER, FILL),
                rows,
                lambda raw: parse_order(raw, self.rules_of(raw)),
                lambda raw: parse_streamed_fill(raw, self.rules_of(raw)),
                lacks_fee,
            )
        if channel == "positions":
            return self.positions(rows)
        if channel == "account":
            details = read_each(
                venue.set_aside, "balance", "", rows, lambda row: objects(member(row, "details"), "details")
            )
            return venue.read_rows(_BALANCE, chain.from_iterable(details), parse_balance_change)
        if channel == "balance_and_position":
            # Balances and positions come in the other channels, too; only this one has the reason.
            kinds = read_each(venue.set_aside, "balance", "", rows, lambda row: (text_of(row, "eventType"),))
            return (FundingAnnounced(),) if (IS_FUNDING,) in kinds else ()
        if not channel:
            raise RowError("channel: expected a text, found none")
        venue.count_unknown(channel)
        return ()

    def positions(self, rows: Iterable[Any]) -> list[Position]:
        """Read positions; those of the mode that the account is not in are left out."""
        found = self._venue.read_rows(POSITION, rows, lambda raw: parse_position(raw, self.rules_of(raw)))
        return [position for position in found if position.position_side in sides(self._venue.position_mode)]

    def rules_of(self, raw: Row) -> SymbolRules:
        """Return the rules of a row that `Venue.is_listed` accepted."""
        return self._venue.rules_by_id[raw["instId"].upper()]

    def _on_event(self, event: str, frame: Row) -> Iterable[Event] | None:
        if event in ("login", "error"):
            return None
        if event == "subscribe":
            return self.acks.on_ack(text_of(frame.get("arg"), "channel"))
        if event not in ("unsubscribe", "channel-conn-count"):
            self._venue.count_unknown(event)
        return ()
