"""Reads rows and frames of a unified account.

Responses: https://www.bitget.com/api-doc/uta/trade/Get-Order-Details and its neighbors. Frames:
https://www.bitget.com/api-doc/uta/websocket/private/Order-Channel and its neighbors.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any

from msgspec import field

from opensqt.model.account import Account, MarginMode, Position, PositionMode
from opensqt.model.order import (
    ClosedBy,
    Fee,
    Fill,
    Order,
    OrderStatus,
    OrderType,
    OrderUpdate,
    PositionSide,
    Side,
    TimeInForce,
)
from opensqt.venues.bitget.causes import close_reason, fill_kind
from opensqt.venues.bitget.parse import ASSET, TIME_IN_FORCE, paid_fees
from opensqt.venues.events import BalancePending, Event, FillsPending, FundingAnnounced
from opensqt.venues.parsing import ChannelAcks, Row
from opensqt.venues.rows import RowError, RowKind, VenueRow, decimal, decode, lookup, member, objects
from opensqt.venues.venue import Venue

CATEGORY = "USDT-FUTURES"
_OTHER_CATEGORIES = frozenset({"SPOT", "MARGIN", "COIN-FUTURES", "USDC-FUTURES"})
TOPICS = ("order", "fill", "position", "account")
_STATUS = {
    "init": OrderStatus.OPEN,
    "new": OrderStatus.OPEN,
    "live": OrderStatus.OPEN,
    "partially_filled": OrderStatus.PARTIALLY_FILLED,
    "filled": OrderStatus.FILLED,
    "canceled": OrderStatus.CANCELED,
    "cancelled": OrderStatus.CANCELED,
}
_FORCES = {text: force for force, text in TIME_IN_FORCE.items()}
_SIDES = {side.value.lower(): side for side in Side}
_TYPES = {kind.value.lower(): kind for kind in OrderType}
_POSITION_SIDES = {"long": PositionSide.LONG, "short": PositionSide.SHORT}
HOLD_MODES = {"one_way_mode": PositionMode.ONE_WAY, "hedge_mode": PositionMode.HEDGE}
_IS_ONE_WAY = {text: mode is PositionMode.ONE_WAY for text, mode in HOLD_MODES.items()}
_IS_MAKER = {"maker": True, "taker": False}
_ENDED = "ended"
_MARGIN_MODES = {"crossed": MarginMode.CROSS, "isolated": MarginMode.ISOLATED}
ORDER = RowKind("order", "symbol", "orderId")
FILL = RowKind("fill", "symbol", "execId")
POSITION = RowKind("position", "symbol", "posSide")
_ACCEPTED = frozenset({"", "0", "00000"})
"""Codes of an accepted order of a batch. The documents' sample has none, and that of the same channel has 0."""
_NUMBER = re.compile(r"-?\d+(\.\d+)?")


class UnifiedOrderRow(VenueRow, frozen=True, rename="camel"):
    """An order; responses name the side of its position `posSide`, frames `holdSide`."""

    order_id: int | str
    side: str
    qty: Decimal
    order_type: str
    order_status: str
    hold_mode: str
    updated_time: int
    created_time: int = 0
    client_oid: str = ""
    pos_side: str = ""
    hold_side: str = ""
    time_in_force: str = ""
    price: Decimal = Decimal(0)
    cum_exec_qty: Decimal = Decimal(0)
    avg_price: Decimal = Decimal(0)
    reduce_only: str = ""
    cancel_reason: str = ""


def parse_order(raw: Any, symbol: str) -> Order:
    """Read an order of a response or of the stream; its `side` is that on which it trades."""
    row = decode(raw, UnifiedOrderRow)
    one_way = lookup(_IS_ONE_WAY, row.hold_mode, "holdMode")
    order_type = lookup(_TYPES, row.order_type, "orderType")
    end = close_reason(
        lookup(_STATUS, row.order_status, "orderStatus"),
        row.cancel_reason,
        row.time_in_force.lower(),
        market=order_type is OrderType.MARKET,
        age_ms=row.updated_time - row.created_time,
    )
    filled = row.cum_exec_qty
    return Order(
        symbol=symbol,
        side=lookup(_SIDES, row.side.lower(), "side"),
        quantity=row.qty,
        client_order_id=row.client_oid,
        status=end.status,
        order_id=str(row.order_id),
        order_type=order_type,
        price=(row.price or None) if order_type is OrderType.LIMIT else None,
        time_in_force=_FORCES.get(row.time_in_force.lower(), TimeInForce.GTC),
        reduce_only=row.reduce_only.lower() == "yes",
        position_side=PositionSide.BOTH
        if one_way
        else lookup(_POSITION_SIDES, row.pos_side or row.hold_side, "posSide"),
        filled_quantity=filled,
        average_price=row.avg_price if filled and row.avg_price else None,
        reason=row.cancel_reason if end.closed_by is not ClosedBy.OWNER else "",
        closed_by=end.closed_by,
        close_reason=end.close_reason,
        event_time_ms=row.updated_time,
        received_ns=time.time_ns(),
    )


class BatchResultRow(VenueRow, frozen=True, rename="camel"):
    """What became of one order of a batch; its ids say which it was."""

    client_oid: str = ""
    order_id: int | str = ""
    code: int | str = ""
    msg: str = ""

    @property
    def accepted(self) -> bool:
        """Whether the venue took the order."""
        return str(self.code) in _ACCEPTED


def parse_batch_result(raw: Any) -> BatchResultRow:
    """Read the result of one order of a batch, or of one cancel.

    https://www.bitget.com/api-doc/uta/trade/Place-Batch, https://www.bitget.com/api-doc/uta/trade/Cancel-Batch
    """
    row = decode(raw, BatchResultRow)
    if not row.client_oid and not row.order_id:
        raise RowError("clientOid, orderId: expected one of them")
    return row


class UnifiedFillRow(VenueRow, frozen=True, rename="camel"):
    """A trade of the account; only frames name the side of the position."""

    exec_id: int | str
    order_id: int | str
    side: str
    exec_price: Decimal
    exec_qty: Decimal
    trade_scope: str
    client_oid: str = ""
    hold_side: str = ""
    trade_side: str = ""
    exec_time: int = 0
    created_time: int = 0
    exec_pnl: Decimal = Decimal(0)
    fee_detail: list[Any] = field(default_factory=list)


class UnifiedFeeRow(VenueRow, frozen=True, rename="camel"):
    """The fee of a trade in one asset. Unlike in v2, a fee that was paid is above zero."""

    fee: Decimal
    fee_coin: str


def lacks_fee(raw: Row) -> bool:
    """Return whether a trade comes without its fee."""
    details = raw.get("feeDetail")
    return not details or any(member(each, "fee") in (None, "") for each in objects(details, "feeDetail"))


def parse_fill(raw: Any, symbol: str, position_side: PositionSide | None) -> Fill:
    """Read a trade of the account.

    Args:
        raw: As the venue sent it.
        symbol: Canonical name.
        position_side: That of its order, or BOTH in one-way mode; None where it is not known.
    """
    row = decode(raw, UnifiedFillRow)
    found = [decode(each, UnifiedFeeRow) for each in row.fee_detail]
    fees = paid_fees([Fee(each.fee_coin, each.fee) for each in found])
    side = lookup(_SIDES, row.side.lower(), "side")
    if position_side is None:
        position_side = _position_side(row, side)
    time_ms = row.exec_time or row.created_time
    if not time_ms:
        raise RowError("execTime, createdTime: expected one of them")
    return Fill(
        symbol=symbol,
        trade_id=str(row.exec_id),
        order_id=str(row.order_id),
        client_order_id=row.client_oid,
        side=side,
        position_side=position_side,
        price=row.exec_price,
        quantity=row.exec_qty,
        fee=fees[0].amount,
        fee_asset=fees[0].asset,
        other_fees=fees[1:],
        kind=fill_kind(row.trade_side),
        is_maker=lookup(_IS_MAKER, row.trade_scope, "tradeScope"),
        realized_pnl=row.exec_pnl,
        event_time_ms=time_ms,
        received_ns=time.time_ns(),
    )


def _position_side(row: UnifiedFillRow, side: Side) -> PositionSide:
    """Return the position of a trade: `holdSide` names it, or what the trade did to it follows from `tradeSide`."""
    if row.hold_side:
        return lookup(_POSITION_SIDES, row.hold_side, "holdSide")
    closes = "close" in row.trade_side
    return PositionSide.LONG if (side is Side.BUY) is not closes else PositionSide.SHORT


class UnifiedPositionRow(VenueRow, frozen=True, rename="camel"):
    """A position: its size has no sign, and `posSide` is the direction. Responses call the size `total`."""

    pos_side: str
    hold_mode: str
    margin_mode: str
    leverage: Decimal
    updated_time: int
    total: Decimal | None = None
    size: Decimal | None = None
    avg_price: Decimal | None = None
    open_price_avg: Decimal | None = None
    mark_price: Decimal = Decimal(0)
    unrealised_pnl: Decimal = Decimal(0)
    liquidation_price: Decimal = Decimal(0)
    liq_price: Decimal = Decimal(0)


def parse_position(raw: Any, symbol: str) -> Position:
    """Read a position of a response or of the stream."""
    row = decode(raw, UnifiedPositionRow)
    size = row.total if row.size is None else row.size
    if size is None:
        raise RowError("total, size: expected one of them")
    side = lookup(_POSITION_SIDES, row.pos_side, "posSide")
    entry = row.open_price_avg if row.avg_price is None else row.avg_price
    liquidation = row.liquidation_price or row.liq_price
    return Position(
        symbol=symbol,
        quantity=-size if side is PositionSide.SHORT else size,
        entry_price=(entry or Decimal(0)) if size else Decimal(0),
        position_side=PositionSide.BOTH if lookup(_IS_ONE_WAY, row.hold_mode, "holdMode") else side,
        mark_price=row.mark_price or None,
        unrealized_pnl=row.unrealised_pnl,
        liquidation_price=liquidation if liquidation > 0 else None,
        leverage=row.leverage,
        margin_mode=lookup(_MARGIN_MODES, row.margin_mode, "marginMode"),
        event_time_ms=row.updated_time,
        received_ns=time.time_ns(),
    )


class SymbolConfigRow(VenueRow, frozen=True, rename="camel"):
    """The settings of one symbol; under isolated margin its leverage may be that of each side."""

    margin_mode: str = "crossed"
    leverage: Any = None


def parse_leverage(raw: Any) -> Decimal | None:
    """Read the leverage of a symbol under cross margin; None from a row of isolated margin, and of none.

    https://www.bitget.com/api-doc/uta/account/Get-Account-Setting
    """
    row = decode(raw, SymbolConfigRow)
    if _MARGIN_MODES.get(row.margin_mode) is not MarginMode.CROSS or row.leverage is None:
        return None
    return decimal(row.leverage, "leverage")


class UnifiedAssetRow(VenueRow, frozen=True, rename="camel"):
    """One asset of the account.

    Its equity is its balance, what is frozen and the profit of open positions: https://www.bitget.com/api-doc/uta/intro.
    """

    equity: Decimal = Decimal(0)
    balance: Decimal = Decimal(0)
    locked: Decimal = Decimal(0)


class UnifiedAssetsRow(VenueRow, frozen=True, rename="camel"):
    """The sums over all assets, in US dollars; `effEquity` is what serves as margin."""

    eff_equity: Decimal
    imr: Decimal
    mmr: Decimal


def parse_account(raw: Any) -> Account:
    """Read the account: https://www.bitget.com/api-doc/uta/account/Get-Account."""
    assets = objects(member(raw, "assets") or [], "assets")
    usdt = decode(next((each for each in assets if member(each, "coin") == ASSET), {}), UnifiedAssetRow)
    totals = decode(raw, UnifiedAssetsRow)
    return Account(
        asset=ASSET,
        wallet_balance=usdt.balance + usdt.locked,
        unrealized_pnl=usdt.equity - usdt.balance - usdt.locked,
        available_balance=max(totals.eff_equity - totals.imr, Decimal(0)),
        initial_margin=totals.imr,
        maintenance_margin=totals.mmr,
        received_ns=time.time_ns(),
        total_margin_balance=totals.eff_equity,
    )


def is_future(raw: Any) -> bool:
    """Return whether a row is one of a USDT-margined future; the account has spot and margin rows, too.

    A position of the stream names the asset of its margin only. A row of a category that is not known is left to
    `UnifiedParser.symbol_of`, which reports it, and so is one that is no row.
    """
    if not isinstance(raw, dict):
        return True
    if raw.get("category"):
        return str(raw["category"]).upper() not in _OTHER_CATEGORIES
    return raw.get("marginCoin") in (None, "", ASSET)


class UnifiedParser:
    """Reads the private frames of a unified account.

    Orders, fills and positions come in topics of their own, in no fixed order.

    Args:
        venue: The adapter. It sets rows aside that can't be read, and knows the position mode.
        on_order: Callback that receives each order of the stream.
    """

    def __init__(self, venue: Venue, on_order: Callable[[Order], object]) -> None:
        self._venue = venue
        self._on_order = on_order
        self.acks = ChannelAcks(TOPICS)
        self._funding: dict[tuple[str, str, str], str] = {}
        """The funding of each open position so far, by the venue's symbol, side and margin mode."""

    def parse(self, frame: Row) -> Iterable[Event] | None:
        """Return the events of a frame; None for one that is of no private topic."""
        topic = member(frame.get("arg") or {}, "topic")
        if topic not in TOPICS:
            return None
        if "data" not in frame:
            return self.acks.on_ack(topic) if frame.get("event") == "subscribe" else None
        if topic == "account":
            # The frame lacks what is available.
            return (BalancePending(),)
        rows = [raw for raw in objects(frame["data"], "data") if is_future(raw)]
        venue = self._venue
        if topic == "order":
            return venue.read_rows(ORDER, rows, self._order)
        if topic == "fill":
            return venue.read_rows(FILL, rows, self._fill)
        announced = [FundingAnnounced()] if self._note_funding(rows) else []
        found = venue.read_rows(POSITION, rows, lambda raw: parse_position(raw, self.symbol_of(raw)))
        # A position that turned over may end and begin in one frame. In one-way mode both are the same position.
        return [*announced, *sorted(found, key=lambda position: not position.is_flat)]

    def _note_funding(self, rows: list[Any]) -> bool:
        """Keep the funding of the positions; return whether it has changed. No frame has a payment itself.

        https://www.bitget.com/api-doc/uta/websocket/private/Positions-Channel: `totalFundingFee` is the sum over the
        life of the position, and the frame of one that ended has none or 0. A position is pushed when it changes, and,
        as the change log has it, every five seconds.
        """
        funded = False
        for row in rows:
            if not isinstance(row, dict):
                continue
            key = (str(row.get("symbol")), str(row.get("posSide")), str(row.get("marginMode")))
            total = str(row.get("totalFundingFee"))
            before = self._funding.pop(key, None)
            if row.get("positionStatus") == _ENDED or not _NUMBER.fullmatch(total):
                continue
            self._funding[key] = total
            funded = funded or before not in (None, total)
        return funded

    def symbol_of(self, raw: Row) -> str:
        """Return the canonical name of a row that `Venue.is_listed` accepted.

        Raises:
            RowError: Its category is not known. It may be a future under a new word, or another product.
        """
        category = raw.get("category")
        if category and str(category).upper() != CATEGORY:
            raise RowError(f"category {str(category)[:60]!r}: expected {CATEGORY} or another known product")
        return self._venue.rules_by_id[raw["symbol"].upper()].symbol

    def _order(self, raw: Row) -> OrderUpdate:
        order = parse_order(raw, self.symbol_of(raw))
        self._on_order(order)
        return OrderUpdate(order=order)

    def _fill(self, raw: Row) -> Fill | FillsPending:
        if lacks_fee(raw):
            return FillsPending(self.symbol_of(raw))
        return parse_fill(raw, self.symbol_of(raw), None if self._venue.is_hedge else PositionSide.BOTH)
