"""Reads rows and frames of Bybit."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from decimal import Decimal
from itertools import chain
from typing import Any

import msgspec
from msgspec import field

from opensqt.model.account import Account, AccountNotice, MarginMode, NoticeKind, Position
from opensqt.model.errors import UnsupportedAccount
from opensqt.model.market import INTERVALS_MS, Candle, Price
from opensqt.model.order import Fee, Fill, Order, OrderStatus, OrderType, OrderUpdate, PositionSide, Side, TimeInForce
from opensqt.venues.bybit.causes import changes_position, close_reason, close_text, fill_kind
from opensqt.venues.events import BalanceChange, Event, FillsPending, FundingAnnounced, StreamReady
from opensqt.venues.parsing import (
    BookLevel,
    CandleRow,
    PriceAndQuantity,
    Row,
    best_of,
    candle_of_row,
    price_of,
    read_each,
)
from opensqt.venues.rows import (
    RowError,
    RowKind,
    VenueMessage,
    VenueRow,
    decimal,
    decode,
    decode_message,
    lookup,
    member,
    objects,
    sort_number,
    text_of,
)
from opensqt.venues.venue import Venue

ASSET = "USDT"
PRIVATE_TOPICS = ["order.linear", "execution.linear", "position.linear", "wallet"]
PRIVATE_ID = "private"
"""Id of the request that subscribes to them."""
PROTECTION_TOPIC = "dcp.future"
"""It has no data: the venue counts connections that subscribed to it. The ids of its requests begin with it."""
SIDE = {Side.BUY: "Buy", Side.SELL: "Sell"}
TYPE = {OrderType.LIMIT: "Limit", OrderType.MARKET: "Market"}
TIME_IN_FORCE = {
    TimeInForce.GTC: "GTC",
    TimeInForce.IOC: "IOC",
    TimeInForce.FOK: "FOK",
    TimeInForce.POST_ONLY: "PostOnly",
}
POSITION_SIDE = {PositionSide.BOTH: 0, PositionSide.LONG: 1, PositionSide.SHORT: 2}
INTERVALS = dict(zip(INTERVALS_MS, ["1", "3", "5", "15", "30", "60", "120", "240", "360", "720", "D"], strict=True))
_INTERVAL_BY_TEXT = {text: interval for interval, text in INTERVALS.items()}
_SIDE_BY_TEXT = {text: side for side, text in SIDE.items()}
_POSITION_SIDE_BY_INDEX = {index: side for side, index in POSITION_SIDE.items()}
_TIME_IN_FORCE_BY_TEXT = {text: force for force, text in TIME_IN_FORCE.items()} | {"RPI": TimeInForce.POST_ONLY}
_STATUS = {
    "Created": OrderStatus.OPEN,
    "New": OrderStatus.OPEN,
    "Untriggered": OrderStatus.OPEN,
    "Triggered": OrderStatus.OPEN,
    "Active": OrderStatus.OPEN,
    "PartiallyFilled": OrderStatus.PARTIALLY_FILLED,
    "Filled": OrderStatus.FILLED,
    "Cancelled": OrderStatus.CANCELED,
    "PartiallyFilledCanceled": OrderStatus.CANCELED,
    "Deactivated": OrderStatus.CANCELED,
    "Rejected": OrderStatus.REJECTED,
}
_FORCED = {"Liq": "in liquidation", "Adl": "being deleveraged"}
"""positionStatus: https://bybit-exchange.github.io/docs/v5/enum#positionstatus."""


ORDER = RowKind("order", "symbol", "orderId")
FILL = RowKind("fill", "symbol", "execId")
POSITION = RowKind("position", "symbol", "positionIdx")
_BALANCE = RowKind("balance", row_id="coin")
_FUNDING = "Funding"
"""Type of an execution that is a funding payment."""
MARGIN_MODE = {
    "REGULAR_MARGIN": MarginMode.CROSS,
    "PORTFOLIO_MARGIN": MarginMode.CROSS,
    "ISOLATED_MARGIN": MarginMode.ISOLATED,
}
"""By marginMode of the account: https://bybit-exchange.github.io/docs/v5/account/account-info."""
_TOPICS = frozenset({"kline", "order", "execution", "position", "wallet"})
"""Topics whose `data` is a list of rows."""
_IS_SNAPSHOT = {"snapshot": True, "delta": False}
_IS_LIMIT = {"Limit": True, "Market": False}
_POSITION_SIGN = {"Buy": 1, "Sell": -1, "None": 1, "": 1}


class OrderRow(VenueRow, frozen=True, rename="camel"):
    """An order; responses and the stream have the same fields."""

    symbol: str
    order_id: str
    side: str
    order_type: str
    qty: Decimal
    order_status: str
    position_idx: int
    updated_time: int
    reduce_only: bool
    order_link_id: str = ""
    price: Decimal = Decimal(0)
    cum_exec_qty: Decimal = Decimal(0)
    avg_price: Decimal | None = None
    time_in_force: str = ""
    reject_reason: str = ""
    cancel_type: str = ""


def parse_order(raw: Any) -> Order:
    """Read an order of a response or of the stream."""
    row = decode(raw, OrderRow)
    limit = lookup(_IS_LIMIT, row.order_type, "orderType")
    filled = row.cum_exec_qty
    end = close_reason(lookup(_STATUS, row.order_status, "orderStatus"), row.reject_reason, row.cancel_type)
    return Order(
        symbol=row.symbol,
        side=lookup(_SIDE_BY_TEXT, row.side, "side"),
        quantity=row.qty,
        client_order_id=row.order_link_id,
        status=end.status,
        order_id=row.order_id,
        price=(row.price or None) if limit else None,
        order_type=OrderType.LIMIT if limit else OrderType.MARKET,
        time_in_force=_TIME_IN_FORCE_BY_TEXT.get(row.time_in_force, TimeInForce.GTC) if limit else TimeInForce.GTC,
        reduce_only=row.reduce_only,
        position_side=lookup(_POSITION_SIDE_BY_INDEX, row.position_idx, "positionIdx"),
        filled_quantity=filled,
        average_price=row.avg_price if filled else None,
        reason=close_text(end, row.reject_reason, row.cancel_type),
        closed_by=end.closed_by,
        close_reason=end.close_reason,
        event_time_ms=row.updated_time,
        received_ns=time.time_ns(),
    )


class TradeRow(VenueRow, frozen=True, rename="camel"):
    """An execution of the account. Those that the venue makes may have no order."""

    symbol: str
    exec_id: str
    side: str
    exec_price: Decimal
    exec_qty: Decimal
    exec_time: int
    exec_type: str
    exec_fee: Decimal
    order_id: str = ""
    is_maker: bool = False
    order_link_id: str = ""
    closed_size: Decimal = Decimal(0)
    fee_currency: str = ASSET
    extra_fees: str = ""
    exec_pnl: Decimal | None = None


class ExtraFeeRow(VenueRow, frozen=True, rename="camel"):
    """A further fee of an execution, such as a tax."""

    fee_coin: str
    fee: Decimal


def lacks_fee(raw: Any) -> bool:
    """Return whether an execution has no fee: it is not known then, which is not a fee of zero."""
    return isinstance(raw, dict) and raw.get("execFee") in (None, "")


def parse_fill(raw: Any, *, hedge: bool, profit: str = "0") -> Fill:
    """Read a trade of the account; which position it changed follows from how much of it was closed."""
    row = decode(raw, TradeRow)
    kind = fill_kind(row.exec_type)
    side = lookup(_SIDE_BY_TEXT, row.side, "side")
    moved = PositionSide.LONG if (side is Side.BUY) is not (row.closed_size > 0) else PositionSide.SHORT
    return Fill(
        symbol=row.symbol,
        trade_id=row.exec_id,
        # The venue makes some executions without an order: such a one is its own.
        order_id=row.order_id or row.exec_id,
        client_order_id=row.order_link_id,
        side=side,
        position_side=moved if hedge else PositionSide.BOTH,
        price=row.exec_price,
        quantity=row.exec_qty,
        fee=row.exec_fee,
        fee_asset=row.fee_currency,
        other_fees=_extra_fees(row.extra_fees),
        is_maker=row.is_maker,
        realized_pnl=decimal(profit, "cashFlow") if row.exec_pnl is None else row.exec_pnl,
        kind=kind,
        event_time_ms=row.exec_time,
        received_ns=time.time_ns(),
    )


def _extra_fees(text: str) -> tuple[Fee, ...]:
    """Read the further fees of an execution, which are JSON in a text; empty for most accounts."""
    if not text:
        return ()
    try:
        listed = msgspec.json.decode(text)
    except msgspec.DecodeError:
        raise RowError(f"extraFees {text[:80]!r}: expected JSON") from None
    rows = [decode(raw, ExtraFeeRow) for raw in objects(listed or [], "extraFees")]
    return tuple(Fee(row.fee_coin, row.fee) for row in rows if row.fee)


class PositionRow(VenueRow, frozen=True, rename="camel"):
    """A position: queries call the entry avgPrice, the stream calls it entryPrice."""

    symbol: str
    size: Decimal
    position_idx: int
    side: str = ""
    entry_price: Decimal | None = None
    avg_price: Decimal = Decimal(0)
    mark_price: Decimal = Decimal(0)
    unrealised_pnl: Decimal = Decimal(0)
    liq_price: Decimal = Decimal(0)
    leverage: Decimal | None = None
    updated_time: int = 0


def parse_position(raw: Any, margin_mode: MarginMode = MarginMode.CROSS) -> Position:
    """Read a position; the size has no sign, and the side of a flat position is empty.

    Args:
        raw: As the venue sent it.
        margin_mode: That of the account: no row of a position shows it.
    """
    row = decode(raw, PositionRow)
    if row.size and not row.side:
        raise RowError("side: expected Buy or Sell, found none")
    return Position(
        symbol=row.symbol,
        quantity=lookup(_POSITION_SIGN, row.side, "side") * row.size,
        entry_price=row.avg_price if row.entry_price is None else row.entry_price,
        position_side=lookup(_POSITION_SIDE_BY_INDEX, row.position_idx, "positionIdx"),
        mark_price=row.mark_price or None,
        unrealized_pnl=row.unrealised_pnl,
        liquidation_price=row.liq_price or None,
        leverage=row.leverage,
        margin_mode=margin_mode,
        event_time_ms=row.updated_time,
        received_ns=time.time_ns(),
    )


class CoinRow(VenueRow, frozen=True, rename="camel"):
    """One coin of a wallet."""

    wallet_balance: Decimal = Decimal(0)
    unrealised_pnl: Decimal = Decimal(0)
    locked: Decimal = Decimal(0)
    total_position_im: Decimal = field(name="totalPositionIM", default=Decimal(0))
    total_order_im: Decimal = field(name="totalOrderIM", default=Decimal(0))
    total_position_mm: Decimal = field(name="totalPositionMM", default=Decimal(0))


class WalletRow(VenueRow, frozen=True, rename="camel"):
    """The wallet: what is available of all collateral, in US dollars. With isolated margin the venue sends no total."""

    total_available_balance: Decimal | None = None
    total_margin_balance: Decimal | None = None


def parse_account(raw: Any) -> Account:
    """Read the unified account: the asset's own amounts, and what is available of all collateral."""
    coins = objects(member(raw, "coin"), "coin")
    coin = decode(next((each for each in coins if member(each, "coin") == ASSET), {}), CoinRow)
    bound = coin.total_position_im + coin.total_order_im
    unbound = coin.wallet_balance - bound - coin.locked
    wallet = decode(raw, WalletRow)
    available = wallet.total_available_balance
    return Account(
        asset=ASSET,
        wallet_balance=coin.wallet_balance,
        unrealized_pnl=coin.unrealised_pnl,
        available_balance=max(unbound, Decimal(0)) if available is None else available,
        initial_margin=bound,
        maintenance_margin=coin.total_position_mm,
        received_ns=time.time_ns(),
        total_margin_balance=wallet.total_margin_balance,
    )


_ACCOUNT_MODES = {
    "3": "unified trading account 1.0",
    "4": "unified trading account 1.0 Pro",
    "5": "unified trading account 2.0",
    "6": "unified trading account 2.0 Pro",
}
"""By unifiedMarginStatus: https://bybit-exchange.github.io/docs/v5/acct-mode."""


def account_mode(info: Any) -> str:
    """Return the mode of the account.

    Raises:
        UnsupportedAccount: It is a classic account.
    """
    status = str(member(info, "unifiedMarginStatus"))
    if status not in _ACCOUNT_MODES:
        kind = "a classic one" if status == "1" else f"of a kind that is not known here (unifiedMarginStatus {status})"
        raise UnsupportedAccount(
            f"this Bybit account is {kind}: upgrade it to the unified trading account (bybit.com: Assets, Unified"
            " Trading, Upgrade), then start again"
        )
    return _ACCOUNT_MODES[status]


class StreamedCoinRow(VenueRow, frozen=True, rename="camel"):
    """One coin of a wallet frame."""

    coin: str
    wallet_balance: Decimal


class FrameTime(VenueRow, frozen=True, rename="camel"):
    """The time of a frame."""

    creation_time: int


def parse_balance_change(raw: Any, frame: Row) -> BalanceChange | None:
    """Read a coin of a wallet frame; None for another coin."""
    if member(raw, "coin") not in (None, ASSET):
        return None
    row = decode(raw, StreamedCoinRow)
    time_ms = decode(frame, FrameTime).creation_time
    return BalanceChange(wallet_balance=row.wallet_balance, event_time_ms=time_ms, received_ns=time.time_ns())


def parse_candle(raw: Any, symbol: str, interval: str) -> Candle:
    """Read a candle of a response as a closed one; the response does not show whether it is."""
    return candle_of_row(symbol, interval, decode_message(raw, CandleRow), closed=True)


class StreamedCandleRow(VenueMessage, frozen=True):
    """A candle of the stream."""

    interval: str
    open_time_ms: int = field(name="start")
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    quote_volume: Decimal = field(name="turnover")
    closed: bool = field(name="confirm")
    timestamp: int


def parse_streamed_candle(raw: Any, symbol: str) -> Candle:
    """Read a candle of the stream."""
    row = decode_message(raw, StreamedCandleRow)
    interval = lookup(_INTERVAL_BY_TEXT, row.interval, "interval")
    return candle_of_row(symbol, interval, row, closed=row.closed, time_ms=row.timestamp)


class BookRow(VenueMessage, frozen=True):
    """A book, or the levels of it that have changed."""

    symbol: str = field(name="s")
    bids: list[BookLevel] = field(name="b")
    asks: list[BookLevel] = field(name="a")


class QueriedBookRow(BookRow, frozen=True):
    """The book of a response."""

    ts: int
    cts: int = 0
    """The matching engine's time."""


def parse_price(raw: Any, symbol: str) -> Price | None:
    """Read the best bid and ask of a book; None while a side is empty."""
    row = decode_message(raw, QueriedBookRow)
    return price_of(symbol, best_of(row.bids), best_of(row.asks), row.cts or row.ts)


class BookFrame(VenueMessage, frozen=True):
    """A book of the stream."""

    type: str
    data: BookRow
    ts: int
    cts: int = 0
    """The matching engine's time."""


class BestPrices:
    """The best bid and ask of a symbol, kept from snapshots and differences.

    A side that the other one has crossed is stale, because its difference was lost. No price is returned until that
    side is known again, at the latest by the snapshot that the venue sends after three seconds without a change.
    """

    def __init__(self) -> None:
        self._bid: PriceAndQuantity | None = None
        self._ask: PriceAndQuantity | None = None

    def apply(self, frame: BookFrame) -> Price | None:
        """Apply a frame, and return the price if both sides are known."""
        data = frame.data
        if lookup(_IS_SNAPSHOT, frame.type, "type"):
            self._bid = self._ask = None
        self._bid, self._ask = _best(self._bid, data.bids), _best(self._ask, data.asks)
        if self._bid is not None and self._ask is not None and self._bid[0] >= self._ask[0]:
            if data.bids and data.asks:
                raise RowError("b, a: expected a bid below the ask")
            self._bid, self._ask = (self._bid if data.bids else None), (self._ask if data.asks else None)
        if self._bid is None or self._ask is None:
            return None
        return price_of(data.symbol, self._bid, self._ask, frame.cts or frame.ts)


def _best(known: PriceAndQuantity | None, levels: Iterable[BookLevel]) -> PriceAndQuantity | None:
    """Return the best level after a difference: quantity zero removes it, any other replaces it."""
    for level in levels:
        if level.quantity:
            known = (level.price, level.quantity)
        elif known is not None and known[0] == level.price:
            known = None
    return known


class Response(VenueMessage, frozen=True):
    """The response to a request of the stream."""

    op: str = ""
    req_id: str = ""
    success: bool = False


class BybitParser:
    """Reads the frames of one adapter; the field names are in the venue's WebSocket documents.

    Args:
        venue: The adapter, for its symbols and its position mode. It counts events that are not handled.
        on_order: Callback that receives each order of the stream.
        margin_mode: Returns the margin mode of the account.
    """

    def __init__(
        self, venue: Venue, on_order: Callable[[Order], object], margin_mode: Callable[[], MarginMode]
    ) -> None:
        self._venue = venue
        self._margin_mode = margin_mode
        self._on_order = on_order
        self._best_prices: dict[str, BestPrices] = {}
        self.on_protection: Callable[[Row], object] = lambda _frame: None
        """Called with each response to a subscription of PROTECTION_TOPIC, or to its end."""

    def parse(self, frame: Any) -> Iterable[Event] | None:
        """Return the events of a frame; see `Venue.parse`."""
        name = text_of(frame, "topic")
        topic, _, rest = name.partition(".")
        if topic == "orderbook":
            return self._price(frame)
        if not topic:
            return self._response(frame)
        if topic not in _TOPICS:
            self._venue.count_unknown(topic)
            return ()
        venue, rows = self._venue, objects(frame.get("data"), "data")
        if topic == "kline":
            symbol = rest.partition(".")[2]
            venue.listed_rules(symbol)
            return read_each(venue.set_aside, "candle", symbol, rows, lambda raw: parse_streamed_candle(raw, symbol))
        if topic == "order":
            return venue.read_rows(ORDER, rows, self._order_update)
        if topic == "execution":
            return self._executions(rows)
        if topic == "position":
            return [*venue.read_rows(POSITION, rows, self.position), *self._forced(rows)]
        coins = read_each(venue.set_aside, "balance", "", rows, lambda row: objects(member(row, "coin"), "coin"))
        return venue.read_rows(_BALANCE, chain.from_iterable(coins), lambda raw: parse_balance_change(raw, frame))

    def _price(self, raw: Row) -> Iterable[Event]:
        try:
            frame = decode_message(raw, BookFrame)
            self._venue.listed_rules(frame.data.symbol)
            price = self._best_prices.setdefault(frame.data.symbol, BestPrices()).apply(frame)
        except RowError:
            # The change is lost: what is known of the book may no longer hold.
            self._best_prices.pop(str(raw["topic"]).rpartition(".")[2], None)
            raise
        return () if price is None else (price,)

    def _response(self, frame: Row) -> Iterable[Event] | None:
        """Read the response to the subscription of the account, and leave every other one to ccxt."""
        response = decode_message(frame, Response)
        if not response.op:
            raise RowError("topic, op: expected one of them")
        if response.req_id.startswith(PROTECTION_TOPIC):
            self.on_protection(frame)
            return ()
        return (StreamReady(),) if response.req_id == PRIVATE_ID and response.success else None

    def position(self, raw: Row) -> Position:
        """Read a position."""
        return parse_position(raw, self._margin_mode())

    def _forced(self, rows: list[Any]) -> Iterable[AccountNotice]:
        """Return the positions that the venue is closing."""
        for raw in rows:
            how = _FORCED.get(str(raw.get("positionStatus"))) if isinstance(raw, dict) else None
            if how is not None:
                yield AccountNotice(
                    kind=NoticeKind.LIQUIDATION,
                    text=f"the position is {how}",
                    symbol=self._venue.identity(POSITION, raw)[0],
                    event_time_ms=sort_number(raw.get("updatedTime")),
                    received_ns=time.time_ns(),
                )

    def forget_price(self, symbol: str) -> None:
        """Drop the book of a symbol that is no longer subscribed."""
        self._best_prices.pop(symbol, None)

    def _order_update(self, row: Row) -> Event:
        order = parse_order(row)
        self._on_order(order)
        return OrderUpdate(order=order)

    def _executions(self, rows: list[Any]) -> list[Event]:
        """Read executions. One without its fee is queried: the list of executions has it."""
        kept = [row for row in rows if changes_position(row) or row["execType"] == _FUNDING]
        return self._venue.read_rows(FILL, kept, self._fill)

    def _fill(self, row: Row) -> Event:
        if row.get("execType") == _FUNDING:
            # The transaction log has the sign of the position, and this row has not.
            return FundingAnnounced()
        if lacks_fee(row):
            return FillsPending(row["symbol"])
        return parse_fill(row, hedge=self._venue.is_hedge)
