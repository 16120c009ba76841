"""The account's state: orders, fills, positions and the balance, from the account stream and verified by queries."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal

from opensqt.model.account import Account, AccountNotice, MarginMode, NoticeKind, Position, PositionMode
from opensqt.model.clock import is_plausible, now_ms
from opensqt.model.errors import (
    ExchangeError,
    OrderNotFound,
    PermissionDenied,
    RequestError,
    Unsupported,
    UnsupportedAccount,
    VenueError,
)
from opensqt.model.order import (
    Fill,
    FillKind,
    Order,
    OrderRef,
    OrderStatus,
    OrderType,
    OrderUpdate,
    PositionSide,
)
from opensqt.streams.feed import Feed
from opensqt.telemetry.logging import get_logger
from opensqt.venues.account.notices import AccountNotices
from opensqt.venues.account.positions import combine
from opensqt.venues.account.tracker import OrderTracker
from opensqt.venues.account.unread import UnreadRows
from opensqt.venues.events import BalanceChange
from opensqt.venues.rows import RowError
from opensqt.venues.transport.errors import PARSE_ERRORS
from opensqt.venues.venue import Venue

_log = get_logger("venue")
_OVERLAP_MS = 300_000
"""Overlap of a trade query with the previous one; repeated fills count once."""
_ALL_TRADES_EVERY_S = 60.0
_ORDERS_BY_VENUE_KEPT = 1_000
_EARLY_FILLS_KEPT = 1_000
"""Number of orders whose early fills are kept. A query finds those that were dropped."""
_QUERY_STALENESS_NS = 2_000_000_000
"""Maximum age of the data in a response, as venues' queries may be stale."""
_ABSENT_LOOKS = 3
"""So many reconciliations in a row must not find an order before it counts as ended: one query may be wrong."""
_FILLS_RETRIED_S = 3600.0
"""Seconds for which the trades are queried again from before one that can't be read."""
ONE_ROW_ERRORS = (RowError, RequestError, VenueError)
"""Errors that concern one row or one symbol. The comparison goes on without it, and reports it."""
MODE_ERRORS = (*ONE_ROW_ERRORS, PermissionDenied, Unsupported, UnsupportedAccount)
"""Errors that say that the account is in a mode that the adapter does not trade in, or that the mode is not known."""
PositionKey = tuple[str, PositionSide, MarginMode]


class AccountState:
    """The state of the account, and the feeds that publish it.

    Args:
        venue: Sends the queries.
    """

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._set_aside = venue.set_aside
        self.tracker = OrderTracker()
        venue.known_order = self.tracker.known_if_same
        self.orders: Feed[OrderUpdate] = Feed(
            key=lambda update: self.tracker.key(update.order),
            conflate=False,
            keep=lambda update: not update.order.status.is_closed,
            remember=lambda update: replace(update, fill=None) if update.fill else update,
            capacity=venue.settings.order_buffer,
        )
        self.positions: Feed[Position] = Feed(
            key=lambda position: (position.symbol, position.position_side), conflate=True
        )
        self.accounts: Feed[Account] = Feed(key=lambda account: account.asset, conflate=True)
        self.symbols: dict[str, None] = dict.fromkeys(venue.settings.symbols)
        self._positions: dict[PositionKey, Position] = {}
        self._updated_by_stream: set[PositionKey] = set()
        self._account: Account | None = None
        self._counts_since_ms: dict[str, int] = {}
        self._watermarks: dict[str, int] = {}
        self._early_fills: dict[tuple[str, str], list[Fill]] = {}
        self._absent_looks: Counter[tuple[str, str]] = Counter()
        """How often in a row each open order was not found."""
        self._querying = asyncio.Lock()
        self._all_trades_at_s = 0.0
        self.unread_positions: tuple[str, ...] = ()
        """The rows of the last query that could not be read and whose position was not known before: a size unknown."""
        self.notices = AccountNotices()
        self._account_mode = ""
        """As it was at the last full comparison, or empty."""
        self._orders_by_venue: dict[tuple[str, str], None] = {}
        """Symbol and id of the orders that only stand for fills, which the venue made without an order."""
        self.missed_updates: Counter[str] = Counter()
        """Number of changes that a reconciliation found and the stream had not published: `orders`, `positions`."""
        self._unread: UnreadRows = UnreadRows(())
        """What was set aside before the comparison that runs."""

    def apply_order(self, order: Order, fill: Fill | None = None) -> bool:
        """Apply the state of an order, publish what changed, and return whether anything did."""
        update = self.tracker.apply(order, fill)
        if order.symbol not in self.symbols:
            self.symbols[order.symbol] = None
            # Fills of this symbol from before now are history unless their order is known.
            self._count_fills_since(order.symbol, min(order.event_time_ms, now_ms()) - 1)
        if update is not None:
            self._publish(update)
        for early in self._early_fills.pop((order.symbol, order.order_id), ()):
            self.apply_fill(early)
        return update is not None

    def apply_fill(self, fill: Fill) -> bool:
        """Apply a fill that the stream sent without its order. A fill that is ahead of its order is kept for it.

        Returns:
            Whether its order is known, or will be. The venue may have made the fill, and no order: query it then.
        """
        order = self.tracker.find(_order_of(fill))
        if order is None:
            self._early_fills.setdefault((fill.symbol, fill.order_id), []).append(fill)
            if len(self._early_fills) > _EARLY_FILLS_KEPT:
                del self._early_fills[next(iter(self._early_fills))]
            return fill.kind is FillKind.TRADE
        # Not every venue's trade stream names the position side; the order does.
        update = self.tracker.apply_fill(replace(fill, position_side=order.position_side))
        if update is not None:
            self._publish(update)
        return True

    def apply_position(self, position: Position) -> None:
        """Apply a streamed position."""
        key = self._key(position)
        known = self._positions.get(key)
        if known is not None and position.event_time_ms < known.event_time_ms:
            return
        self._updated_by_stream.add(key)
        self.symbols.setdefault(position.symbol)
        self._set_position(key, position)

    def apply_account_mode(self, mode: str) -> None:
        """Publish that the account was switched to a mode."""
        self._account_mode = ""
        self._notice_mode(NoticeKind.ACCOUNT_MODE, f"the account was switched to {mode}")

    def apply_notice(self, notice: AccountNotice) -> None:
        """Apply a notice about the account, and publish it with the balance."""
        self.notices.add(notice)
        if self._account is not None:
            self._set_account(self._account)

    def apply_balance(self, change: BalanceChange) -> None:
        """Apply a streamed wallet balance. A query finds how much of it is available."""
        known = self._account
        if known is None or change.event_time_ms < known.event_time_ms:
            return
        self._set_account(
            replace(
                known,
                wallet_balance=change.wallet_balance,
                event_time_ms=change.event_time_ms,
                received_ns=change.received_ns,
            )
        )

    def apply_leverage(self, symbol: str, leverage: Decimal) -> None:
        """Apply the leverage of a symbol after a change, to the positions of the symbol, too."""
        self._venue.leverages[symbol] = leverage
        for key, position in list(self._positions.items()):
            if position.symbol == symbol and position.leverage != leverage:
                self._set_position(key, replace(position, leverage=leverage, received_ns=time.time_ns()))

    def untradable_held(self) -> dict[str, str]:
        """Return the symbols that are held or have open orders and do not trade, each with its state."""
        held = {position.symbol for position in self._positions.values() if not position.is_flat}
        held |= {order.symbol for order in self.tracker.open_orders()}
        rules = (self._venue.rules[symbol] for symbol in sorted(held & self._venue.rules.keys()))
        return {one.symbol: one.untradable_reason for one in rules if not one.tradable}

    def order_by_venue(self, ref: OrderRef) -> Order | None:
        """Return the order that stands for fills which the venue made without one; None for any other."""
        return self.tracker.find(ref) if (ref.symbol, ref.order_id) in self._orders_by_venue else None

    def known_positions(self) -> list[Position]:
        """Return the positions as last known."""
        return combine(self._positions.values())

    def forget_positions(self) -> None:
        """Begin anew with flat positions: the position mode has changed, and the sides of before exist no more."""
        self._positions.clear()
        self._updated_by_stream.clear()
        for symbol in self.symbols:
            for side in sides(self._venue.position_mode):
                position = replace(flat(symbol, side), leverage=self._venue.leverages.get(symbol))
                self._positions[self._key(position)] = position
        self.positions.replace(self.known_positions(), gap=True)

    async def load(self) -> None:
        """Load the first snapshot. It can run again after a failure.

        The account stream must be connected, and its events held back until this is done.
        """
        for order in await self._venue.open_orders():
            self.symbols.setdefault(order.symbol)
        # History first, orders after: a fill between the two is in the orders' baseline.
        for symbol in list(self.symbols):
            try:
                history = await self._venue.fills(symbol, 0)
            except ONE_ROW_ERRORS as error:
                # The first comparison queries them again.
                self._set_aside.add("query", symbol, "trades", error)
                continue
            self.tracker.skip_fills(history)
            self._count_fills_since(symbol, _newest_ms(history))
        for order in await self._venue.open_orders():
            self.symbols.setdefault(order.symbol)
            self.tracker.adopt(order)
        self.orders.replace([OrderUpdate(order=order) for order in self.tracker.open_orders()], gap=False)
        self._account_mode = self._venue.account_mode
        await self.refresh_positions()
        if await self._venue.load_unlisted():
            # What is held of a symbol that left the list before the start can be read now.
            for order in await self._venue.open_orders():
                self.symbols.setdefault(order.symbol)
                self.tracker.adopt(order)
            self.orders.replace([OrderUpdate(order=order) for order in self.tracker.open_orders()], gap=False)
            await self.refresh_positions()
        self.positions.replace(self.known_positions(), gap=False)
        await self.refresh_account()

    async def reconcile(self, *, full: bool) -> None:
        """Compare with the venue and publish what was missed. A failed query changes nothing.

        What can't be read, or is refused for one symbol, is set aside and tried again by the next comparison.

        Args:
            full: Query the trades of every symbol, not only where something is missing. Used after a reconnect.
        """
        async with self._querying:
            if time.monotonic() - self._all_trades_at_s > _ALL_TRADES_EVERY_S:
                full = True
            # Though the modes can't be queried, the rest is compared; the comparison fails for it at its end.
            failure = await self._query_modes() if full else None
            self._unread = UnreadRows(self._set_aside.all_rows())
            orders = await self._query_orders(all_symbols=full)
            moved = await self.refresh_positions()
            self.missed_updates["positions"] += len(self._unread.other_positions(moved))
            missing = {order.symbol for order in orders if self.tracker.misses_fills(order)}
            missing |= moved | {order.symbol for order in self.tracker.incomplete()}
            missing |= self._symbols_of_unread_fills()
            for symbol in list(self.symbols) if full else sorted(missing):
                await self._try_to_query_fills(symbol)
            if full:
                self._all_trades_at_s = time.monotonic()
            for order in orders:
                self._count_missed(self.apply_order(order), order)
            try:
                await self.refresh_account()
            except ONE_ROW_ERRORS as error:
                self._set_aside.add("balance", "", "account", error)
            if failure is not None:
                raise failure

    async def refresh_account(self) -> None:
        """Query the balance and publish it if it changed."""
        queried_s = time.monotonic()
        self._set_account(await self._venue.account())
        self._set_aside.expire("balance", queried_s)

    async def refresh_positions(self) -> set[str]:
        """Query the positions and publish those that changed.

        Returns:
            The symbols of positions that had changed without an event of the stream.
        """
        self._updated_by_stream.clear()
        queried_s = time.monotonic()
        found = {self._key(position): position for position in await self._venue.positions()}
        self._set_aside.expire("position", queried_s)
        known_symbols = {key[0] for key in self._positions}
        unread = [row for row in self._set_aside.rows("position") if row.symbol not in known_symbols]
        self.unread_positions = tuple(str(row) for row in unread)
        # A row that can't be read must not pass for a position that is flat.
        hidden = {symbol for symbol in self.symbols if self._set_aside.hides("position", symbol)}
        for key, known in self._positions.items():
            if key not in found and not known.is_flat and known.symbol not in hidden:
                found[key] = replace(flat(known.symbol, known.position_side), margin_mode=known.margin_mode)
        for symbol in self.symbols.keys() - hidden:
            for side in sides(self._venue.position_mode):
                position = flat(symbol, side)
                found.setdefault(self._key(position), position)
        moved = set()
        for key, position in found.items():
            before = self._positions.get(key)
            # What the stream published during the query, or just before it, is newer than the response.
            if key in self._updated_by_stream or (before is not None and _is_older(position, before)):
                continue
            self.symbols.setdefault(position.symbol)
            if before is not None and before.quantity != position.quantity:
                moved.add(position.symbol)
            self._set_position(key, position)
        return moved

    async def _query_modes(self) -> ExchangeError | None:
        """Query the modes of the account. Another program, or somebody on the venue's site, may have switched them.

        Returns:
            The error, where the venue could not be queried.
        """
        venue = self._venue
        position_mode, margin_mode = venue.position_mode, venue.margin_mode
        try:
            await venue.load_position_mode()
        except MODE_ERRORS as error:
            self._notice_mode(NoticeKind.ACCOUNT_MODE, str(error))
            return None
        except ExchangeError as error:
            return error
        except PARSE_ERRORS as error:
            self._set_aside.add("query", "", "modes", repr(error))
            return None
        self._set_aside.remove("query", "", "modes")
        if venue.position_mode is not position_mode:
            text = f"the account was switched from {position_mode} to {venue.position_mode} mode"
            self._notice_mode(NoticeKind.POSITION_MODE, text)
        if venue.margin_mode is not margin_mode:
            text = f"the account was switched from {margin_mode} to {venue.margin_mode} margin"
            self._notice_mode(NoticeKind.ACCOUNT_MODE, text)
        if self._account_mode not in ("", venue.account_mode):
            text = f"the account was switched from {self._account_mode} to {venue.account_mode}"
            self._notice_mode(NoticeKind.ACCOUNT_MODE, text)
        self._account_mode = venue.account_mode
        return None

    def _notice_mode(self, kind: NoticeKind, text: str) -> None:
        self.apply_notice(AccountNotice(kind=kind, text=text, received_ns=time.time_ns()))

    async def query_fills(self, symbol: str) -> None:
        """Query the trades of a symbol because its stream announced new ones. They count as no lost frame."""
        async with self._querying:
            if symbol not in self._counts_since_ms:
                return
            missed = self.missed_updates["orders"]
            try:
                await self._query_fills(symbol)
            finally:
                self.missed_updates["orders"] = missed

    async def _query_orders(self, *, all_symbols: bool) -> list[Order]:
        """Query the open orders, and one by one those that were open and are not among them."""
        known = self.tracker.open_orders()
        queried_ns, queried_s = time.time_ns(), time.monotonic()
        found: list[Order] = []
        if all_symbols or not self.symbols:
            found += await self._venue.open_orders()
            self._set_aside.expire("order", queried_s, nameless=True)
        else:
            for symbol in list(self.symbols):
                found += await self._query_open_orders(symbol)
        listed = {(order.symbol, order.order_id) for order in found}
        missing = {(order.symbol, order.order_id) for order in known} - listed
        self._absent_looks = Counter({key: looks for key, looks in self._absent_looks.items() if key in missing})
        for order in known:
            if (order.symbol, order.order_id) in listed:
                continue
            now = self.tracker.find(_ref(order))
            if now is None or now.status.is_closed:
                continue
            found += await self._query_order(now, queried_ns)
        return found + await self._query_unread_orders(queried_s)

    async def _query_open_orders(self, symbol: str) -> list[Order]:
        """Query the open orders of a symbol. A symbol for which this is refused hides no other."""
        try:
            found = await self._venue.open_orders(symbol)
        except ONE_ROW_ERRORS as error:
            self._set_aside.add("query", symbol, "open orders", error)
            return []
        self._set_aside.remove("query", symbol, "open orders")
        return found

    async def _query_unread_orders(self, before_s: float) -> list[Order]:
        """Query, one by one, the orders that were set aside before and that no list of open orders showed again."""
        found: list[Order] = []
        for row in self._set_aside.rows("order"):
            if row.seen_s >= before_s or not row.row_id:
                continue
            if row.symbol not in self._venue.rules:
                # Only a list of all orders can show it again.
                continue
            ref = OrderRef(symbol=row.symbol, order_id=row.row_id)
            try:
                found.append(await self._venue.order(ref))
            except RequestError:
                # The venue knows no order of this id: the id was not one, either.
                self._set_aside.remove("order", row.symbol, row.row_id)
            except ONE_ROW_ERRORS as error:
                self._set_aside.add("order", row.symbol, row.row_id, error)
            else:
                self._set_aside.remove("order", row.symbol, row.row_id)
        return found

    async def _query_order(self, order: Order, queried_ns: int) -> list[Order]:
        key = (order.symbol, order.order_id)
        try:
            found = await self._venue.order(_ref(order))
        except OrderNotFound:
            # Queries may be stale: they may not show an accepted order yet, so absence proves nothing on a young one.
            if queried_ns - order.received_ns < self._venue.settings.visibility_margin_s * 2e9:
                return []
            self._absent_looks[key] += 1
            if self._absent_looks[key] < _ABSENT_LOOKS:
                return []
            _log.warning("the venue no longer knows an open order", symbol=order.symbol, order_id=order.order_id)
            found = replace(order, status=OrderStatus.CANCELED, reason="the venue no longer knows the order")
        except ONE_ROW_ERRORS as error:
            self._set_aside.add("order", order.symbol, order.order_id, error)
            return []
        self._absent_looks.pop(key, None)
        self._set_aside.remove("order", order.symbol, order.order_id)
        return [found]

    def _symbols_of_unread_fills(self) -> set[str]:
        """Return the symbols whose trades are queried again, because one was set aside not long ago."""
        now_s = time.monotonic()
        rows = (*self._set_aside.rows("fill"), *self._set_aside.rows("fill_without_order"))
        recent = {row.symbol for row in rows if now_s - row.first_s < _FILLS_RETRIED_S}
        return recent & self._venue.rules.keys()

    async def _try_to_query_fills(self, symbol: str) -> None:
        """Query the trades of a symbol. A symbol for which this is refused hides no other."""
        queried_s = time.monotonic()
        try:
            await self._query_fills(symbol)
        except ONE_ROW_ERRORS as error:
            self._set_aside.add("query", symbol, "trades", error)
        else:
            self._set_aside.remove("query", symbol, "trades")
            # A query may be stale, so it proves nothing about a row that came just before it.
            before_s = queried_s - self._venue.settings.visibility_margin_s
            for kind in ("fill", "fill_without_order"):
                self._set_aside.expire(kind, before_s, symbol=symbol, within_s=_FILLS_RETRIED_S)

    async def _query_fills(self, symbol: str) -> None:
        """Query the trades since the watermark, less an overlap, and publish those that were not counted."""
        watermark = self._watermarks.get(symbol, 0)
        oldest = min((o.event_time_ms for o in self.tracker.incomplete() if o.symbol == symbol), default=watermark)
        fills = await self._venue.fills(symbol, max(min(watermark, oldest) - _OVERLAP_MS, 0))
        if symbol not in self._watermarks:
            self._count_fills_since(symbol, _newest_ms(fills))
        for fill in fills:
            if not self.tracker.has_fill(symbol, fill.trade_id):
                await self._apply_queried_fill(fill)
        if symbol not in self._symbols_of_unread_fills():
            self._watermarks[symbol] = max(watermark, _newest_ms(fills))

    async def _apply_queried_fill(self, fill: Fill) -> None:
        """Apply a fill that only a query found. If its order is not known and it is not history, query the order."""
        order = self.tracker.find(_order_of(fill))
        if order is not None:
            update = self.tracker.apply_fill(self._venue.with_order(fill, order))
            # An order from before the start may be known because a client queried it; its fills were published then.
            if update is not None and fill.event_time_ms >= self._counts_since_ms[fill.symbol]:
                self._count_missed(True, order, fill)
                self._publish(update)
        elif fill.event_time_ms <= self._counts_since_ms[fill.symbol]:
            self.tracker.skip_fills([fill])
        else:
            try:
                order = await self._query_order_of(fill)
            except ONE_ROW_ERRORS as error:
                self._set_aside.add("fill_without_order", fill.symbol, fill.trade_id, f"order {fill.order_id}: {error}")
                return
            self._count_missed(self.apply_order(order, self._venue.with_order(fill, order)), order, fill)
        self._set_aside.remove("fill_without_order", fill.symbol, fill.trade_id)

    def _count_missed(self, changed: bool, order: Order, fill: Fill | None = None) -> None:
        """Count a change of an order that the stream had not published, unless it was in a row that was set aside."""
        if changed and not self._unread.may_hold(order, fill):
            self.missed_updates["orders"] += 1

    async def _query_order_of(self, fill: Fill) -> Order:
        """Query the order of a fill. For a fill that the venue made without one, return an order as large as it."""
        if fill.kind is FillKind.TRADE or fill.order_id != fill.trade_id:
            try:
                return await self._venue.order(_order_of(fill))
            except OrderNotFound:
                if fill.kind is FillKind.TRADE:
                    raise
        self._orders_by_venue[fill.symbol, fill.order_id] = None
        if len(self._orders_by_venue) > _ORDERS_BY_VENUE_KEPT:
            del self._orders_by_venue[next(iter(self._orders_by_venue))]
        return _order_by_venue(fill)

    def _publish(self, update: OrderUpdate) -> None:
        self.orders.publish((update,))
        if update.fill is not None:
            self.notices.add_fill(update.fill)

    def _count_fills_since(self, symbol: str, event_time_ms: int) -> None:
        """Count the fills of a symbol from this venue time on."""
        self._counts_since_ms[symbol] = self._watermarks[symbol] = max(event_time_ms, 0)

    def _set_position(self, key: PositionKey, position: Position) -> None:
        known = self._positions.get(key)
        if position.leverage is not None and key[2] is MarginMode.CROSS:
            # A flat position may come without it, and another program may have changed it.
            self._venue.leverages[position.symbol] = position.leverage
        leverage = position.leverage or self._venue.leverages.get(position.symbol)
        kept = known if known is not None and not position.is_flat else None
        position = replace(
            position,
            leverage=leverage,
            mark_price=position.mark_price or (kept.mark_price if kept else None),
            liquidation_price=position.liquidation_price or (kept.liquidation_price if kept else None),
            event_time_ms=max(position.event_time_ms, known.event_time_ms if known else 0),
        )
        before = self._combined(key)
        self._positions[key] = position
        after = self._combined(key)
        if not before or [replace(after[0], received_ns=before[0].received_ns)] != before:
            self.positions.publish(after)

    def _key(self, position: Position) -> PositionKey:
        """Return the key of a position: a venue that holds one under either margin mode reports the two separately."""
        mode = position.margin_mode if self._venue.holds_by_margin_mode else MarginMode.CROSS
        return position.symbol, position.position_side, mode

    def _combined(self, key: PositionKey) -> list[Position]:
        """Return the position of a symbol's side as clients see it; an empty list while none is known."""
        symbol, side, _ = key
        keys = [(symbol, side, mode) for mode in MarginMode]
        return combine(self._positions[each] for each in keys if each in self._positions)

    def _set_account(self, account: Account) -> None:
        known = self._account
        self.notices.apply_account(account)
        account = replace(account, notices=self.notices.current())
        if known is not None:
            account = replace(account, event_time_ms=max(account.event_time_ms, known.event_time_ms))
        self._account = account
        if known is not None and known.asset != account.asset:
            self.accounts.replace((account,), gap=False)
        elif known is None or replace(account, received_ns=known.received_ns) != known:
            self.accounts.publish((account,))


def sides(mode: PositionMode) -> Iterable[PositionSide]:
    """Return the position sides of a position mode."""
    return (PositionSide.BOTH,) if mode is PositionMode.ONE_WAY else (PositionSide.LONG, PositionSide.SHORT)


def flat(symbol: str, side: PositionSide) -> Position:
    """Return an explicit flat position."""
    return Position(
        symbol=symbol,
        quantity=Decimal(0),
        entry_price=Decimal(0),
        position_side=side,
        received_ns=time.time_ns(),
    )


def _is_older(queried: Position, known: Position) -> bool:
    """Return whether a response is older than the known position.

    Queries may be stale. A position that a response left out has no event time.
    """
    if queried.quantity == known.quantity:
        return False
    if queried.event_time_ms:
        return queried.event_time_ms < known.event_time_ms
    return queried.received_ns - known.received_ns < _QUERY_STALENESS_NS


def _newest_ms(fills: list[Fill]) -> int:
    now = time.time_ns()
    return max((fill.event_time_ms for fill in fills if is_plausible(fill.event_time_ms, now)), default=0)


def _order_of(fill: Fill) -> OrderRef:
    return OrderRef(symbol=fill.symbol, order_id=fill.order_id)


def _order_by_venue(fill: Fill) -> Order:
    return Order(
        symbol=fill.symbol,
        side=fill.side,
        quantity=fill.quantity,
        client_order_id="",
        status=OrderStatus.FILLED,
        order_id=fill.order_id,
        order_type=OrderType.MARKET,
        position_side=fill.position_side,
        filled_quantity=fill.quantity,
        average_price=fill.price,
        reason=f"made by the venue, without an order: {fill.kind}",
        event_time_ms=fill.event_time_ms,
        received_ns=fill.received_ns,
    )


def _ref(order: Order) -> OrderRef:
    return OrderRef(symbol=order.symbol, order_id=order.order_id)
