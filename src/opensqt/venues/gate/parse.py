"""Reads rows and frames of Gate: signed contracts become sides and base coins, seconds become milliseconds."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal
from typing import Any

from msgspec import field

from opensqt.model.account import Account, MarginMode, Position
from opensqt.model.errors import PermissionDenied, UnsupportedAccount
from opensqt.model.market import Candle, Price
from opensqt.model.order import Fee, Fill, Order, OrderStatus, OrderType, OrderUpdate, PositionSide, Side, TimeInForce
from opensqt.model.venue import SymbolRules
from opensqt.venues.events import BalanceChange, BalancePending, Event, FillsPending, FundingAnnounced
from opensqt.venues.gate.causes import close_reason, close_text, fill_kind
from opensqt.venues.order_end import OrderEnd, order_end
from opensqt.venues.parsing import ChannelAcks, PriceAndQuantity, Row, candle_of_row, price_of, read_each
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
    text_of,
)
from opensqt.venues.venue import Venue

ASSET = "USDT"
IS_FUNDING = "fund"
"""Type of a change of the balance, in the account book and in the stream."""
INTERVALS = {interval: interval for interval in ("1m", "5m", "15m", "30m", "1h", "4h", "1d")}
PREFIX = "t-"
"""Gate requires it in front of every client order id."""
TIME_IN_FORCE = {
    TimeInForce.GTC: "gtc",
    TimeInForce.IOC: "ioc",
    TimeInForce.FOK: "fok",
    TimeInForce.POST_ONLY: "poc",
}
_TIME_IN_FORCE_BY_TEXT = {text: force for force, text in TIME_IN_FORCE.items()}
POSITION_SIDE_BY_MODE = {
    "single": PositionSide.BOTH,
    "dual_long": PositionSide.LONG,
    "dual_short": PositionSide.SHORT,
}
_PRIVATE_CHANNELS = frozenset({"futures.orders", "futures.usertrades", "futures.positions", "futures.balances"})
_LISTS = _PRIVATE_CHANNELS | {"futures.candlesticks"}
"""Channels whose `result` is a list of rows."""
_RESPONSES = frozenset({"subscribe", "unsubscribe"})
_PONG = "futures.pong"
"""Channel of a frame without an event."""
_POINTS = "point"
POINTS = "POINT"
"""The asset of a fee that was paid in points, as the venue calls them in its balances."""
_TRADES_REMEMBERED = 10_000


def number(value: Any) -> Decimal:
    """Read a number that comes as text or as a JSON number; a missing one is zero."""
    return Decimal(str(value)) if value not in (None, "") else Decimal(0)


def milliseconds(seconds: Any) -> int:
    """Read a time in seconds."""
    return int(number(seconds) * 1000)


def client_order_id(text: Any) -> str:
    """Read a client order id; the venue's site and app write texts without the prefix, which are no client ids."""
    given = str(text or "")
    return given.removeprefix(PREFIX) if given.startswith(PREFIX) else ""


_STATUS = {"open": True, "finished": False}
ORDER = RowKind("order", "contract", "id")
FILL = RowKind("fill", "contract", "trade_id", "id")
POSITION = RowKind("position", "contract", "mode")
_BALANCE = RowKind("balance", row_id="currency")


class OrderRow(VenueRow, frozen=True):
    """An order of a response or of the stream; the stream has times in milliseconds next to the seconds."""

    id: int | str
    size: Decimal
    left: Decimal
    price: Decimal
    status: str
    is_reduce_only: bool
    text: str = ""
    fill_price: Decimal = Decimal(0)
    tif: str = ""
    finish_as: str = ""
    create_time: Decimal = Decimal(0)
    update_time: Decimal = Decimal(0)
    finish_time: Decimal = Decimal(0)
    create_time_ms: Decimal = Decimal(0)
    finish_time_ms: Decimal = Decimal(0)


def parse_order(raw: Any, rules: SymbolRules, *, hedge: bool) -> Order:
    """Read an order of a response or of the stream."""
    row = decode(raw, OrderRow)
    side = Side.BUY if row.size > 0 else Side.SELL
    filled = abs(row.size - row.left) * rules.contract_size
    end = _end(row, filled, is_open=lookup(_STATUS, row.status, "status"))
    return Order(
        symbol=rules.symbol,
        side=side,
        quantity=abs(row.size) * rules.contract_size,
        client_order_id=client_order_id(row.text),
        status=end.status,
        order_id=str(row.id),
        price=row.price or None,
        order_type=OrderType.LIMIT if row.price else OrderType.MARKET,
        # The time in force of a market order shows only that the order does not rest.
        time_in_force=_TIME_IN_FORCE_BY_TEXT.get(row.tif, TimeInForce.GTC) if row.price else TimeInForce.GTC,
        reduce_only=row.is_reduce_only,
        position_side=_position_side(side, reduces=row.is_reduce_only, hedge=hedge),
        filled_quantity=filled,
        average_price=row.fill_price if filled and row.fill_price else None,
        reason=close_text(row.finish_as),
        closed_by=end.closed_by,
        close_reason=end.close_reason,
        event_time_ms=_order_time_ms(row),
        received_ns=time.time_ns(),
    )


def _end(row: OrderRow, filled: Decimal, *, is_open: bool) -> OrderEnd:
    if is_open:
        return order_end(OrderStatus.PARTIALLY_FILLED if filled else OrderStatus.OPEN, None)
    if not row.left:
        return order_end(OrderStatus.FILLED, None)
    return close_reason(OrderStatus.CANCELED, row.finish_as, post_only=row.tif == TIME_IN_FORCE[TimeInForce.POST_ONLY])


def _order_time_ms(row: OrderRow) -> int:
    time_ms = row.finish_time_ms or row.create_time_ms
    seconds = row.finish_time or row.update_time or row.create_time
    if not time_ms and not seconds:
        raise RowError("create_time: expected a time")
    return int(time_ms) if time_ms else milliseconds(seconds)


def _position_side(side: Side, *, reduces: bool, hedge: bool) -> PositionSide:
    """Return the position that an order belongs to: in dual mode its side and whether it reduces show it together."""
    if not hedge:
        return PositionSide.BOTH
    return PositionSide.LONG if (side is Side.BUY) is not reduces else PositionSide.SHORT


class TradeRow(VenueRow, frozen=True):
    """A trade of a response or of the stream."""

    order_id: int | str
    size: Decimal
    price: Decimal
    fee: Decimal
    role: str
    point_fee: Decimal = Decimal(0)
    id: int | str = ""
    trade_id: int | str = ""
    text: str = ""
    close_size: Decimal = Decimal(0)
    create_time: Decimal = Decimal(0)
    create_time_ms: Decimal = Decimal(0)

    @property
    def name(self) -> str:
        """The id of the trade: a response may have an id of its row beside it."""
        return str(self.trade_id or self.id)


_IS_MAKER = {"maker": True, "taker": False}


def parse_fill(raw: Any, rules: SymbolRules, *, hedge: bool) -> Fill:
    """Read a trade; the stream does not show how much of it closed a position, the order does then."""
    row = decode(raw, TradeRow)
    if not row.name or not (row.create_time_ms or row.create_time):
        raise RowError("id, create_time: expected both")
    side = Side.BUY if row.size > 0 else Side.SELL
    fees = _fees(row)
    return Fill(
        symbol=rules.symbol,
        trade_id=row.name,
        order_id=str(row.order_id),
        client_order_id=client_order_id(row.text),
        side=side,
        position_side=_position_side(side, reduces=bool(row.close_size), hedge=hedge),
        price=row.price,
        quantity=abs(row.size) * rules.contract_size,
        fee=fees[0].amount,
        fee_asset=fees[0].asset,
        other_fees=fees[1:],
        is_maker=lookup(_IS_MAKER, row.role, "role"),
        kind=fill_kind(row.text),
        event_time_ms=int(row.create_time_ms) or milliseconds(row.create_time),
        received_ns=time.time_ns(),
    )


def _fees(row: TradeRow) -> tuple[Fee, ...]:
    """Return what was paid: in the margin asset, in points, or in both. Points have no sign of a rebate."""
    fees = (Fee(ASSET, row.fee), Fee(POINTS, abs(row.point_fee)))
    return tuple(fee for fee in fees if fee.amount) or fees[:1]


class AccountRow(VenueRow, frozen=True):
    """The balance; cross and isolated positions have separate margins."""

    total: Decimal
    unrealised_pnl: Decimal
    available: Decimal
    cross_initial_margin: Decimal | None = None
    cross_order_margin: Decimal = Decimal(0)
    isolated_position_margin: Decimal = Decimal(0)
    cross_maintenance_margin: Decimal = Decimal(0)
    position_margin: Decimal = Decimal(0)
    order_margin: Decimal = Decimal(0)
    maintenance_margin: Decimal = Decimal(0)


def parse_account(raw: Any) -> Account:
    """Read the balance."""
    row = decode(raw, AccountRow)
    cross = row.cross_initial_margin
    return Account(
        asset=ASSET,
        wallet_balance=row.total,
        unrealized_pnl=row.unrealised_pnl,
        available_balance=row.available,
        initial_margin=row.position_margin + row.order_margin
        if cross is None
        else cross + row.cross_order_margin + row.isolated_position_margin,
        maintenance_margin=row.maintenance_margin if cross is None else row.cross_maintenance_margin,
        received_ns=time.time_ns(),
    )


CLASSIC, SINGLE_CURRENCY = "classic", "unified, single-currency margin"
_ACCOUNT_MODES = {
    0: CLASSIC,
    1: "unified, multi-currency margin",
    2: "unified, portfolio margin",
    3: SINGLE_CURRENCY,
}
"""By margin_mode of the futures account; its 0 is also the classic spot mode of a unified account.

https://www.gate.com/docs/developers/apiv4/en/#query-futures-account
"""


def account_mode(raw: Any) -> str:
    """Return the mode of the account, from the response of the futures account.

    Raises:
        UnsupportedAccount: The mode is not known here.
    """
    found = member(raw, "margin_mode")
    mode = _ACCOUNT_MODES.get(found or 0)
    if mode is None:
        raise UnsupportedAccount(
            f"this Gate account is in a mode that is not known here (margin_mode {found!r}): switch it to the classic,"
            " single-currency, multi-currency or portfolio margin mode (gate.com: Assets, Unified account, Account"
            " mode), then start again"
        )
    return mode


class FuturesProfitRow(VenueRow, frozen=True):
    """What the futures account of a unified account has that the unified account lacks. Its balance is no wallet."""

    unrealised_pnl: Decimal = Decimal(0)
    cross_unrealised_pnl: Decimal | None = None


class UnifiedBalanceRow(VenueRow, frozen=True):
    """The balance of an asset. The last three are those of USDT in single-currency margin mode, and else 0."""

    equity: Decimal = Decimal(0)
    iso_balance: Decimal = Decimal(0)
    im: Decimal = Decimal(0)
    mm: Decimal = Decimal(0)
    available_margin: Decimal = Decimal(0)


class UnifiedTotalsRow(VenueRow, frozen=True):
    """The sums over all assets, in US dollars. In single-currency margin mode they are 0."""

    total_initial_margin: Decimal = Decimal(0)
    total_maintenance_margin: Decimal = Decimal(0)
    total_margin_balance: Decimal = Decimal(0)
    total_available_margin: Decimal = Decimal(0)


def parse_unified_account(raw: Any, futures: Any, mode: str) -> Account:
    """Read a unified account: https://www.gate.com/docs/developers/apiv4/en/#get-unified-account-information.

    The equity of an asset is its balance and the profit of its cross positions. The balance of an isolated position is
    apart from it.

    Args:
        raw: The response of the unified account.
        futures: The response of the futures account.
        mode: That of the account. In single-currency margin mode only USDT serves as margin of futures.
    """
    balances = member(raw, "balances")
    if not isinstance(balances, dict):
        raise RowError(f"balances {str(balances)[:60]!r}: expected an object")
    usdt = decode(balances.get(ASSET, {}), UnifiedBalanceRow)
    profit = decode(futures, FuturesProfitRow)
    cross = profit.unrealised_pnl if profit.cross_unrealised_pnl is None else profit.cross_unrealised_pnl
    totals = decode(raw, UnifiedTotalsRow)
    single = mode == SINGLE_CURRENCY
    return Account(
        asset=ASSET,
        wallet_balance=usdt.equity - cross + usdt.iso_balance,
        unrealized_pnl=profit.unrealised_pnl,
        available_balance=usdt.available_margin if single else totals.total_available_margin,
        initial_margin=(usdt.im if single else totals.total_initial_margin) + usdt.iso_balance,
        maintenance_margin=usdt.mm if single else totals.total_maintenance_margin,
        received_ns=time.time_ns(),
        total_margin_balance=None if single else totals.total_margin_balance,
    )


class PositionRow(VenueRow, frozen=True):
    """A position; a response has its time in whole seconds, too coarse to order by, so it is left out."""

    size: Decimal
    leverage: Decimal
    entry_price: Decimal
    mode: str
    liq_price: Decimal = Decimal(0)
    mark_price: Decimal = Decimal(0)
    unrealised_pnl: Decimal = Decimal(0)
    cross_leverage_limit: Decimal = Decimal(0)
    time_ms: int = 0


def parse_position(raw: Any, rules: SymbolRules) -> Position:
    """Read a position of a response or of the stream."""
    row = decode(raw, PositionRow)
    return Position(
        symbol=rules.symbol,
        quantity=row.size * rules.contract_size,
        entry_price=row.entry_price,
        position_side=lookup(POSITION_SIDE_BY_MODE, row.mode, "mode"),
        mark_price=row.mark_price or None,
        unrealized_pnl=row.unrealised_pnl,
        liquidation_price=row.liq_price or None,
        leverage=row.leverage or row.cross_leverage_limit or None,
        margin_mode=MarginMode.ISOLATED if row.leverage else MarginMode.CROSS,
        event_time_ms=row.time_ms,
        received_ns=time.time_ns(),
    )


class BalanceRow(VenueRow, frozen=True):
    """The balance after a change."""

    balance: Decimal
    type: str = ""
    currency: str = ASSET
    time: Decimal = Decimal(0)
    time_ms: Decimal = Decimal(0)


def parse_balance_change(raw: Any) -> BalanceChange | None:
    """Read the balance after a change; None for another asset, and for points, whose rows name no currency.

    The types of points are `point_dnw`, `point_fee` and `point_refr`:
    https://www.gate.com/docs/developers/apiv4/en/#query-futures-account-change-history.
    """
    row = decode(raw, BalanceRow)
    if row.currency.upper() != ASSET or row.type.startswith(_POINTS):
        return None
    if not row.time_ms and not row.time:
        raise RowError("time_ms, time: expected one of them")
    return BalanceChange(
        wallet_balance=row.balance,
        event_time_ms=int(row.time_ms) or milliseconds(row.time),
        received_ns=time.time_ns(),
    )


class QueriedLevel(VenueMessage, frozen=True):
    """One level of the book of a response."""

    price: Decimal = field(name="p")
    quantity: Decimal = field(name="s")


class QueriedBookRow(VenueMessage, frozen=True):
    """The book of a response."""

    bids: list[QueriedLevel]
    asks: list[QueriedLevel]
    current: Decimal


def parse_price(raw: Any, rules: SymbolRules) -> Price | None:
    """Read the best bid and ask of a book; None while a side is empty."""
    row = decode_message(raw, QueriedBookRow)
    if not row.bids or not row.asks:
        return None
    bid, ask = row.bids[0], row.asks[0]
    return _price(rules, (bid.price, bid.quantity), (ask.price, ask.quantity), milliseconds(row.current))


class PriceRow(VenueMessage, frozen=True):
    """The best bid and ask of the stream. The price of an empty side is an empty text."""

    symbol: str = field(name="s")
    bid: str = field(name="b")
    bid_quantity: Decimal = field(name="B")
    ask: str = field(name="a")
    ask_quantity: Decimal = field(name="A")
    time_ms: int = field(name="t")


def parse_streamed_price(row: PriceRow, rules: SymbolRules) -> Price | None:
    """Read the best bid and ask of the stream; None while a side is empty."""
    if (row.bid_quantity and not row.bid) or (row.ask_quantity and not row.ask):
        raise RowError("b, a: expected the price of a side that has a quantity")
    bid, ask = (decimal(row.bid or 0, "b"), row.bid_quantity), (decimal(row.ask or 0, "a"), row.ask_quantity)
    return _price(rules, bid, ask, row.time_ms)


def _price(rules: SymbolRules, bid: PriceAndQuantity, ask: PriceAndQuantity, time_ms: int) -> Price | None:
    """Return the price; the venue may send the size of either side with a sign."""
    return price_of(
        rules.symbol, (bid[0], abs(bid[1])), (ask[0], abs(ask[1])), time_ms, contract_size=rules.contract_size
    )


class CandleRow(VenueMessage, frozen=True):
    """A candle of a response or of the stream; responses and some frames do not show whether it is closed.

    The volume in quote coins is `sum` in responses and `a` in frames:
    https://www.gate.com/docs/developers/futures/ws/en/#candlesticks-notification.
    """

    time_s: Decimal = field(name="t")
    open: Decimal = field(name="o")
    high: Decimal = field(name="h")
    low: Decimal = field(name="l")
    close: Decimal = field(name="c")
    volume: Decimal = field(name="v")
    """Contracts."""
    sum: Decimal = Decimal(0)
    amount: Decimal = field(name="a", default=Decimal(0))
    name: str = field(name="n", default="")
    """Interval and symbol."""
    is_over: bool = field(name="w", default=False)

    @property
    def open_time_ms(self) -> int:
        """Its opening."""
        return milliseconds(self.time_s)

    @property
    def quote_volume(self) -> Decimal:
        """Its volume in quote coins."""
        return self.sum or self.amount


def parse_candle(row: CandleRow, rules: SymbolRules, interval: str, *, closed: bool = True) -> Candle:
    """Read a candle of a response or of the stream."""
    return candle_of_row(rules.symbol, interval, row, closed=closed, unit=rules.contract_size)


def key_warnings(keys: Row) -> list[str]:
    """Return warnings of rights that a key should not have.

    Args:
        keys: Response of `main_keys`.

    Raises:
        PermissionDenied: The key may not trade futures.
    """
    rights = {row["name"]: row for row in keys.get("perms") or ()}
    if rights and rights.get("futures", {}).get("read_only", True):
        raise PermissionDenied("this key may not trade futures: give it that right, read and write")
    warnings = []
    if "wallet" in rights and not rights["wallet"].get("read_only"):
        warnings.append("this key may withdraw and move money out of the account: take the wallet right from it")
    return warnings


def closing_trades(rows: Iterable[Any]) -> set[str]:
    """Return the ids of the trades that closed something; a row that can't be read is none of them."""
    found = set()
    for raw in rows:
        try:
            row = decode(raw, TradeRow)
        except RowError:
            # `Venue.read_rows` has set it aside.
            continue
        if row.close_size:
            found.add(row.name)
    return found


class HeldSides:
    """The net position of each symbol by the stream, which shows whether a trade can have closed something."""

    def __init__(self) -> None:
        self._held: dict[str, tuple[Decimal, int]] = {}
        self._trades: OrderedDict[tuple[str, str], None] = OrderedDict()

    def begin(self, symbols: Iterable[str], positions: Iterable[Position]) -> None:
        """Apply queried positions to symbols that are not known yet; a symbol without a position is flat."""
        held = {position.symbol: position.quantity for position in positions}
        for symbol in symbols:
            if symbol not in self._held:
                self._held[symbol] = (held.get(symbol, Decimal(0)), 0)

    def apply_position(self, symbol: str, quantity: Decimal, time_ms: int) -> None:
        """Apply a position, unless a later trade is known."""
        known = self._held.get(symbol)
        if known is None or time_ms >= known[1]:
            self._held[symbol] = (quantity, time_ms)

    def apply_fill(self, fill: Fill) -> bool:
        """Apply a trade once, and return whether it certainly closed nothing; False for a repeated one."""
        known = self._held.get(fill.symbol)
        name = (fill.symbol, fill.trade_id)
        if known is None or name in self._trades:
            return False
        self._trades[name] = None
        if len(self._trades) > _TRADES_REMEMBERED:
            self._trades.popitem(last=False)
        held, time_ms = known
        self._held[fill.symbol] = (held + fill.side.sign * fill.quantity, max(time_ms, fill.event_time_ms))
        return held * fill.side.sign >= 0


class GateParser:
    """Reads the frames of one adapter; the field names are in the venue's WebSocket documents.

    The stream has no profit of a trade: one that may have closed something becomes `FillsPending`, and is queried.

    Args:
        venue: The adapter, for its contracts and its position mode. It counts events that are not handled.
    """

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self.held_sides = HeldSides()
        self.acks = ChannelAcks(_PRIVATE_CHANNELS)
        self._mark_prices: dict[str, Decimal] = {}
        self.is_unified = False
        """Whether the account is unified. Its stream shows that a balance changed, and not the balance."""

    def parse(self, frame: Any) -> Iterable[Event] | None:
        """Return the events of a frame; see `Venue.parse`."""
        channel, event = text_of(frame, "channel"), text_of(frame, "event")
        if not channel:
            raise RowError("channel: expected a text, found none")
        if event != "update":
            return self._response(channel, event, frame)
        venue = self._venue
        if channel == "futures.book_ticker":
            return self._price(decode_message(frame.get("result"), PriceRow))
        if channel not in _LISTS:
            # Future channels need no action, and are not an error.
            venue.count_unknown(channel)
            return ()
        rows = objects(frame.get("result"), "result")
        if channel == "futures.candlesticks":
            return read_each(venue.set_aside, "candle", "", rows, self._candle)
        if channel == "futures.balances":
            return self._balances(rows)
        if channel == "futures.orders":
            return venue.read_rows(ORDER, rows, self._order_update)
        if channel == "futures.usertrades":
            fills: list[Event] = list(venue.read_rows(FILL, rows, self._trade))
            return [*fills, BalancePending()] if self.is_unified else fills
        return self.positions(rows, streamed=True)

    def _response(self, channel: str, event: str, frame: Row) -> Iterable[Event] | None:
        """Record an acknowledged channel of the account, and leave every other response to ccxt."""
        if event == "subscribe" and channel in _PRIVATE_CHANNELS and not frame.get("error"):
            return self.acks.on_ack(channel)
        if event in _RESPONSES or channel == _PONG or frame.get("error"):
            return None
        if not event:
            raise RowError("event: expected a text, found none")
        self._venue.count_unknown(f"{channel} {event}")
        return ()

    def _price(self, row: PriceRow) -> Iterable[Event]:
        price = parse_streamed_price(row, self._venue.listed_rules(row.symbol))
        return () if price is None else (price,)

    def positions(self, rows: Iterable[Any], *, streamed: bool = False) -> list[Position]:
        """Read positions; those of the mode that the account is not in are left out.

        Frames have no open profit and no mark price: the profit then follows from the mark price of the last query.
        """
        found = self._venue.read_rows(POSITION, rows, self._position)
        hedge = self._venue.is_hedge
        current = [position for position in found if (position.position_side is not PositionSide.BOTH) is hedge]
        if streamed and not hedge:
            for position in current:
                self.held_sides.apply_position(position.symbol, position.quantity, position.event_time_ms)
        return current

    def _position(self, raw: Row) -> Position:
        position = parse_position(raw, self.rules_of(raw))
        if position.mark_price is not None:
            self._mark_prices[position.symbol] = position.mark_price
        mark_price = self._mark_prices.get(position.symbol)
        if raw.get("unrealised_pnl") not in (None, "") or mark_price is None or position.is_flat:
            return position
        profit = position.quantity * (mark_price - position.entry_price)
        return replace(position, mark_price=mark_price, unrealized_pnl=profit)

    def _balances(self, rows: list[Any]) -> Iterable[Event]:
        if any(isinstance(row, dict) and row.get("type") == IS_FUNDING for row in rows):
            # The row has neither an id nor the contract.
            yield FundingAnnounced()
        if self.is_unified:
            yield BalancePending()
            return
        yield from self._venue.read_rows(_BALANCE, rows, parse_balance_change)

    def rules_of(self, raw: Row) -> SymbolRules:
        """Return the rules of a row that `Venue.is_listed` accepted."""
        return self._venue.rules_by_id[raw["contract"].upper()]

    def _order_update(self, raw: Row) -> Event:
        return OrderUpdate(order=parse_order(raw, self.rules_of(raw), hedge=self._venue.is_hedge))

    def _trade(self, raw: Row) -> Event:
        hedge = self._venue.is_hedge
        fill = parse_fill(raw, self.rules_of(raw), hedge=hedge)
        if hedge or not self.held_sides.apply_fill(fill):
            return FillsPending(fill.symbol)
        return fill

    def _candle(self, raw: Any) -> Candle:
        row = decode_message(raw, CandleRow)
        interval, _, name = row.name.partition("_")
        rules = self._venue.listed_rules(name)
        # Some servers do not mark a closed candle; the next candle then leads to a query of it.
        return parse_candle(row, rules, lookup(INTERVALS, interval, "n"), closed=row.is_over)
