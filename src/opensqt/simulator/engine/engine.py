"""The core of the venue: accepts requests and outside orders, matches them, keeps the accounts, publishes events.

Pure and synchronous: no task, no socket, no wall clock except the injected one. Amounts are base coins, prices and
money quote, times market milliseconds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial

from opensqt.model.account import MarginMode, PositionMode
from opensqt.model.market import INTERVALS_MS
from opensqt.model.order import OrderStatus, OrderType, Side, TimeInForce
from opensqt.simulator.clock import SimulatorClock
from opensqt.simulator.engine.account import SimAccount
from opensqt.simulator.engine.admission import Admission
from opensqt.simulator.engine.book import ZERO
from opensqt.simulator.engine.conditional import SimConditional
from opensqt.simulator.engine.conditional_orders import ConditionalOrders
from opensqt.simulator.engine.countdowns import Countdowns, CountdownScope
from opensqt.simulator.engine.events import (
    BalanceView,
    BookLevel,
    BookTicker,
    Event,
    FundingPaid,
    PositionView,
    SettingsChanged,
    SimCandle,
    SimMark,
    SimTrade,
)
from opensqt.simulator.engine.expiries import ExpiryKey
from opensqt.simulator.engine.intervals import DERIVED
from opensqt.simulator.engine.matching import Matcher
from opensqt.simulator.engine.order import (
    ClosingReason,
    NewOrder,
    RefusalReason,
    Refused,
    SimFill,
    SimOrder,
    VenueClose,
)
from opensqt.simulator.engine.settlement import Settlement
from opensqt.simulator.engine.state import UNLISTED, VenueState
from opensqt.simulator.engine.tape import DayStatistics, PastBar
from opensqt.simulator.engine.triggers import ConditionalBook
from opensqt.simulator.settings import SimulatorSettings, SymbolSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class BookSnapshot:
    """The best levels of a book, best first, as of an update id."""

    symbol: str
    last_update_id: int
    bids: tuple[BookLevel, ...]
    asks: tuple[BookLevel, ...]
    time_ms: int


class SimEngine:
    """One venue. Accounts are named by their API key.

    Every method that changes something publishes its events before it returns. Subscribers must not call back.
    """

    def __init__(self, settings: SimulatorSettings, clock: SimulatorClock) -> None:
        self.settings = settings
        self.clock = clock
        self.state = VenueState(settings, clock.market_ms())
        self._matcher = Matcher(self.state)
        self._admission = Admission(self.state)
        self._conditionals = ConditionalBook(self.state, self._place_triggered)
        self._settlement = Settlement(self.state, self._matcher, self._conditionals.end_all)
        self.conditional = ConditionalOrders(self.state, self._conditionals, self._catch_up, self._finish)
        self.countdowns = Countdowns()

    # The venue

    def now_ms(self) -> int:
        """Return the market time; it never goes back."""
        return self.state.now_ms

    def symbols(self) -> tuple[SymbolSettings, ...]:
        """Return the settings of every symbol that trades here."""
        return self.settings.symbols

    def listed(self) -> tuple[SymbolSettings, ...]:
        """Return the settings of every symbol that the venue lists."""
        return tuple(rules for rules in self.symbols() if self.listing_state(rules.symbol) != UNLISTED)

    def symbol(self, symbol: str) -> SymbolSettings:
        """Return the settings of one symbol.

        Raises:
            Refused: UNKNOWN_SYMBOL.
        """
        return self.state.instrument(symbol).rules

    def listing_state(self, symbol: str) -> str:
        """Return the venue's term for the state in which a symbol does not trade; empty while it trades."""
        return self.state.instrument(symbol).listing_state

    def set_listing_state(self, symbol: str, state: str) -> None:
        """Put a symbol into a state in which it does not trade; empty lets it trade again."""
        self.state.instrument(symbol).listing_state = state

    def account_keys(self) -> tuple[str, ...]:
        """Return the API keys of the accounts."""
        return tuple(account.key for account in self.settings.accounts)

    def subscribe(self, callback: Callable[[Event], None]) -> Callable[[], None]:
        """Call *callback* with every event from this call on, in order.

        Returns:
            A function that unsubscribes.
        """
        subscribers = self.state.subscribers
        subscribers.append(callback)
        return lambda: subscribers.remove(callback)

    # Orders

    def place(self, account: str, order: NewOrder) -> SimOrder:
        """Place an order: match it, and rest the remainder.

        Returns:
            The order after matching: OPEN, PARTIALLY_FILLED, FILLED, or EXPIRED if it must not rest.

        Raises:
            Refused: Nothing was done; see its reason.
        """
        self._catch_up()
        books = self._account(account)
        self._admission.check(books, order)
        self._check_attached(books, order)
        made = self._make(books, order, self.state.next_order_id())
        self._conditionals.attach(made, order.attached)
        placed = self._matcher.submit(made)
        self._finish()
        return placed

    def check(self, account: str, order: NewOrder) -> None:
        """Raise `Refused` as `place` would, and do nothing else."""
        self._catch_up()
        self._admission.check(self._account(account), order)
        self._check_attached(self._account(account), order)

    def amend(
        self,
        account: str,
        symbol: str,
        *,
        order_id: str = "",
        client_order_id: str = "",
        price: Decimal | None = None,
        quantity: Decimal | None = None,
        text: str = "",
    ) -> SimOrder:
        """Amend the price or the total quantity of one open limit order, and match it where it crosses.

        Args:
            account: API key.
            symbol: Canonical.
            order_id: Takes precedence over the client's id.
            client_order_id: The client's id.
            price: None keeps it.
            quantity: In all, what is filled included; None keeps it.
            text: What the owner calls the amendment.

        Returns:
            The order after it.

        Raises:
            Refused: Nothing was done; see its reason.
        """
        self._catch_up()
        order = self.find(account, symbol, order_id=order_id, client_order_id=client_order_id)
        if not order.status.is_open:
            raise Refused(
                RefusalReason.ORDER_CLOSED, f"order {order.order_id}: expected an open order, it is {order.status}"
            )
        rules = self.symbol(symbol)
        changed = replace(
            order,
            price=order.price if price is None else price,
            quantity=order.quantity if quantity is None else quantity,
        )
        self._admission.check_amended(self._account(account), order, changed)
        assert changed.price is not None  # noqa: S101 - a limit order has one; the filters saw to it
        amended = self._matcher.amend(
            order, changed.price.quantize(rules.price_step), changed.quantity.quantize(rules.quantity_step), text
        )
        self._finish()
        return amended

    def cancel(self, account: str, symbol: str, *, order_id: str = "", client_order_id: str = "") -> SimOrder:
        """Cancel one open order; the order id takes precedence when both are given.

        Raises:
            Refused: UNKNOWN_ORDER, or ORDER_CLOSED when it is closed already.
        """
        self._catch_up()
        order = self.find(account, symbol, order_id=order_id, client_order_id=client_order_id)
        if not order.status.is_open:
            raise Refused(
                RefusalReason.ORDER_CLOSED, f"order {order.order_id}: expected an open order, it is {order.status}"
            )
        canceled = self._matcher.cancel(order)
        self._finish()
        return canceled

    def cancel_all(self, account: str, symbol: str) -> list[SimOrder]:
        """Cancel every open order of a symbol and return them, oldest first."""
        self._catch_up()
        self.state.instrument(symbol)
        canceled = [self._matcher.cancel(order) for order in self._account(account).open_in(symbol)]
        self._finish()
        return canceled

    def start_countdown(self, scope: CountdownScope, timeout_ms: int) -> int:
        """Cancel the orders of *scope* in *timeout_ms*, unless that is asked for again or stopped before.

        Returns:
            Market time at which they are canceled.
        """
        self._catch_up()
        due_ms = self.state.now_ms + timeout_ms
        self.countdowns.set(scope, due_ms)
        return due_ms

    def stop_countdown(self, scope: CountdownScope) -> None:
        """Stop a countdown, if it runs."""
        self._catch_up()
        self.countdowns.clear(scope)

    def find(self, account: str, symbol: str, *, order_id: str = "", client_order_id: str = "") -> SimOrder:
        """Return one order, open or closed; by client id the newest that had it.

        Raises:
            Refused: UNKNOWN_ORDER.
        """
        self.state.instrument(symbol)
        books = self._account(account)
        found = books.orders.get(order_id) if order_id else None
        if not order_id:
            same = books.by_client_id(client_order_id, symbol)
            found = next((order for order in same if order.status.is_open), same[-1] if same else None)
        if found is None or found.symbol != symbol:
            named = f"order_id {order_id!r}" if order_id else f"client_order_id {client_order_id!r}"
            raise Refused(RefusalReason.UNKNOWN_ORDER, f"{named}: expected an order of {symbol}")
        return found

    def open_orders(self, account: str, symbol: str | None = None) -> list[SimOrder]:
        """Return the open orders, oldest first."""
        books = self._account(account)
        if symbol is not None:
            self.state.instrument(symbol)
            return books.open_in(symbol)
        found = [order for orders in books.open.values() for order in orders.values()]
        return sorted(found, key=lambda order: int(order.order_id))

    def orders(
        self,
        account: str,
        symbol: str | None = None,
        *,
        since_ms: int | None = None,
        until_ms: int | None = None,
        from_id: int | None = None,
        limit: int | None = None,
    ) -> list[SimOrder]:
        """Return orders of any status, oldest first, by the time of their creation.

        Args:
            account: API key.
            symbol: None for all.
            since_ms: Earliest time.
            until_ms: Latest time.
            from_id: First order id.
            limit: Maximum number: the oldest when since_ms or from_id is given, else the newest.
        """
        return self._account(account).order_history(
            symbol, since_ms=since_ms, until_ms=until_ms, from_id=from_id, limit=limit
        )

    def fills(
        self,
        account: str,
        symbol: str | None = None,
        *,
        since_ms: int | None = None,
        until_ms: int | None = None,
        from_id: int | None = None,
        order_id: str | None = None,
        limit: int | None = None,
    ) -> list[SimFill]:
        """Return fills, oldest first; the filters as for `orders`, with from_id as a trade id."""
        return self._account(account).fill_history(
            symbol, since_ms=since_ms, until_ms=until_ms, from_id=from_id, order_id=order_id, limit=limit
        )

    def duplicate_client_order_ids(self, account: str) -> list[str]:
        """Return the client ids that were accepted more than once."""
        return list(self._account(account).duplicates)

    # Accounts

    def balance(self, account: str) -> BalanceView:
        """Return the margin asset's balance at the current marks."""
        return self.state.margin.balance(self._account(account), self.settings.symbols[0].quote_asset)

    def positions(self, account: str, symbol: str | None = None) -> list[PositionView]:
        """Return the positions, flat ones included: BOTH in one-way mode, LONG and SHORT in hedge mode, per symbol."""
        books = self._account(account)
        symbols = tuple(self.state.instruments) if symbol is None else (self.state.instrument(symbol).rules.symbol,)
        return [view for name in symbols for view in self.state.margin.positions(books, name)]

    def open_interest(self, symbol: str) -> Decimal:
        """Return the base coins that the accounts hold on one side; the outside participants hold nothing."""
        held = [view.quantity for key in self.account_keys() for view in self.positions(key, symbol)]
        return max(sum((one for one in held if one > 0), ZERO), -sum((one for one in held if one < 0), ZERO))

    def most_quantity(
        self, account: str, symbol: str, side: Side, price: Decimal | None = None, leverage: int | None = None
    ) -> Decimal:
        """Return the base coins that an order may have: what the balance carries, and what it would close."""
        rules = self.symbol(symbol)
        price = price or self.mark(symbol).mark_price
        carried = self.balance(account).available_balance * (leverage or self.leverage(account, symbol)) / price
        closes = sum((-view.quantity * side.sign for view in self.positions(account, symbol)), ZERO)
        return min(carried - carried % rules.quantity_step + max(closes, ZERO), rules.max_quantity)

    def funding_payments(self, account: str, symbol: str | None = None) -> list[FundingPaid]:
        """Return every funding payment, oldest first."""
        return [paid for paid in self._account(account).fundings if symbol is None or paid.symbol == symbol]

    def leverage(self, account: str, symbol: str) -> int:
        """Return the leverage of a symbol."""
        self.state.instrument(symbol)
        return self._account(account).leverage(symbol)

    def has_own_leverage(self, account: str, symbol: str) -> bool:
        """Return whether the leverage of a symbol was set, and is not that of every symbol of a new account."""
        self.state.instrument(symbol)
        return self._account(account).has_own_leverage(symbol)

    def set_leverage(self, account: str, symbol: str, leverage: int) -> int:
        """Set the leverage of a symbol and return it.

        Raises:
            Refused: LEVERAGE out of range; INSUFFICIENT_MARGIN if its positions would lack margin.
        """
        self._catch_up()
        rules = self.state.instrument(symbol).rules
        books, margin = self._account(account), self.state.margin
        if not 1 <= leverage <= rules.max_leverage:
            raise Refused(RefusalReason.LEVERAGE, f"leverage {leverage}: expected 1 to {rules.max_leverage}")
        now = sum(margin.bound(books, symbol), ZERO)
        then = sum(margin.bound(books, symbol, leverage=leverage), ZERO)
        if then > now and margin.usable(books) - margin.initial(books) - (then - now) < 0:
            raise Refused(
                RefusalReason.INSUFFICIENT_MARGIN, f"leverage {leverage}: expected margin of {then} to be there"
            )
        books.set_leverage(symbol, leverage)
        self._publish_settings(books, [symbol], margin_mode_changed=False)
        return leverage

    def account_mode(self, account: str) -> str:
        """Return the mode of an account, in the dialect's term."""
        return self._account(account).account_mode

    def set_settlement_asset(self, account: str, asset: str) -> None:
        """Book profit and fees of an account in *asset*, which is worth as much as the contracts' own."""
        self._account(account).asset = asset

    def position_mode(self, account: str) -> PositionMode:
        """Return the position mode: one-way or hedge."""
        return self._account(account).mode

    def set_position_mode(self, account: str, mode: PositionMode) -> None:
        """Set the position mode.

        Raises:
            Refused: NO_CHANGE, POSITION_OPEN or ORDERS_OPEN.
        """
        books = self._account(account)
        if books.mode is mode:
            raise Refused(RefusalReason.NO_CHANGE, f"position_mode {mode}: expected a mode other than the current one")
        if self.open_orders(account) or self.conditional.waiting(account):
            raise Refused(RefusalReason.ORDERS_OPEN, f"position_mode {mode}: expected no open order at the change")
        if books.held():
            raise Refused(RefusalReason.POSITION_OPEN, f"position_mode {mode}: expected no open position at the change")
        books.mode = mode

    def margin_mode(self, account: str, symbol: str) -> MarginMode:
        """Return the margin mode of a symbol."""
        self.state.instrument(symbol)
        return self._account(account).margin_mode(symbol)

    def set_margin_mode(self, account: str, symbol: str | None, mode: MarginMode) -> None:
        """Set the margin mode of a symbol, or of all symbols.

        The mode is only reported: the margin of the whole account carries an isolated position, too.

        Raises:
            Refused: NO_CHANGE, POSITION_OPEN or ORDERS_OPEN.
        """
        books = self._account(account)
        symbols = list(self.state.instruments) if symbol is None else [self.symbol(symbol).symbol]
        if all(books.margin_mode(each) is mode for each in symbols):
            raise Refused(RefusalReason.NO_CHANGE, f"margin_mode {mode}: expected a mode other than the current one")
        if any(books.open_in(each) for each in symbols):
            raise Refused(RefusalReason.ORDERS_OPEN, f"margin_mode {mode}: expected no open order at the change")
        if any(held in symbols for held, _, _ in books.held()):
            raise Refused(RefusalReason.POSITION_OPEN, f"margin_mode {mode}: expected no open position at the change")
        for each in symbols:
            books.set_margin_mode(each, mode)
        self._publish_settings(books, symbols, margin_mode_changed=True)

    # Public data

    def book(self, symbol: str, depth: int = 1000) -> BookSnapshot:
        """Return the best levels, the accounts' own orders included."""
        book = self.state.instrument(symbol).book
        return BookSnapshot(
            symbol=symbol,
            last_update_id=book.update_id,
            bids=book.levels(Side.BUY, depth),
            asks=book.levels(Side.SELL, depth),
            time_ms=self.state.now_ms,
        )

    def best(self, symbol: str) -> BookTicker:
        """Return the best bid and ask."""
        self.state.instrument(symbol)
        return self.state.best(symbol)

    def last_price(self, symbol: str) -> Decimal:
        """Return the last trade's price; the start price before the first trade."""
        return self.state.instrument(symbol).tape.last_price

    def mark(self, symbol: str) -> SimMark:
        """Return mark price, funding rate and the time of the next funding."""
        self.state.instrument(symbol)
        return self.state.mark_price(symbol)

    def day(self, symbol: str) -> DayStatistics:
        """Return the statistics of the last 24 hours."""
        return self.state.instrument(symbol).tape.day(self.state.now_ms)

    def candles(
        self,
        symbol: str,
        interval: str,
        *,
        start_ms: int | None = None,
        end_ms: int | None = None,
        limit: int = 500,
    ) -> list[SimCandle]:
        """Return bars, oldest first, the forming one last.

        Args:
            symbol: Canonical.
            interval: A key of INTERVALS_MS or of DERIVED.
            start_ms: Open time of the first bar to return.
            end_ms: Open time of the last bar to return.
            limit: Maximum number: the oldest when start_ms is given, else the newest.
        """
        tape = self.state.instrument(symbol).tape
        if interval not in INTERVALS_MS and interval not in DERIVED:
            known = ", ".join((*INTERVALS_MS, *DERIVED))
            raise Refused(RefusalReason.INVALID, f"interval {interval!r}: expected one of {known}")
        return tape.candles(interval, start_ms=start_ms, end_ms=end_ms, limit=limit)

    def mark_candles(
        self,
        symbol: str,
        interval: str,
        *,
        start_ms: int | None = None,
        end_ms: int | None = None,
        limit: int = 500,
    ) -> list[SimCandle]:
        """Return bars of the mark price, which is the index price too; the arguments are those of `candles`."""
        marks = self.state.instrument(symbol).marks
        return marks.candles(interval, self.state.now_ms, start_ms=start_ms, end_ms=end_ms, limit=limit)

    def follow_candles(self, symbol: str, interval: str) -> None:
        """Publish the candles of an interval from now on; the common ones always are."""
        if interval in DERIVED:
            self.state.instrument(symbol).tape.follow(interval)

    def trades(self, symbol: str, *, limit: int = 500) -> Sequence[SimTrade]:
        """Return the latest trades, oldest first; some thousands are kept."""
        return self.state.instrument(symbol).tape.latest(limit)

    def funding_history(self, symbol: str) -> Sequence[SimMark]:
        """Return the past fundings, oldest first: rate, mark and time."""
        self.state.instrument(symbol)
        return tuple(self._settlement.fundings[symbol])

    # Actions of the market

    def remember(self, symbol: str, bars: Iterable[PastBar]) -> None:
        """Add candles, oldest first, from before the start."""
        past = list(bars)
        self.state.instrument(symbol).tape.remember(past)
        self.state.instrument(symbol).marks.remember(past)

    def advance(self, now_ms: int) -> None:
        """Advance market time: candles close, funding is paid, countdowns end, orders expire."""
        due: list[tuple[int, Callable[[], None]]] = [
            (at, partial(self._cancel_by_countdown, scope)) for at, scope in self.countdowns.take_due(now_ms)
        ]
        due.extend((at, partial(self._expire, key)) for at, key in self.state.expiries.take_due(now_ms))
        for due_ms, act in sorted(due, key=lambda one: one[0]):
            self._settlement.advance(due_ms)
            act()
        self._settlement.advance(now_ms)

    def set_mark(self, symbol: str, price: Decimal) -> None:
        """Move the mark price: what it triggers is placed, then accounts that can't carry it are liquidated."""
        instrument = self.state.instrument(symbol)
        if price == instrument.mark:
            return
        instrument.mark = price
        instrument.marks.note(price, self.state.now_ms)
        self._conditionals.note_mark(symbol)
        self._conditionals.settle()
        self._settlement.check_holders(symbol)
        self._conditionals.settle()

    @property
    def funding_interval_ms(self) -> int:
        """Market time from one funding to the next."""
        return self.state.funding_interval_ms

    def set_funding_rate(self, symbol: str, rate: Decimal) -> None:
        """Set the rate of the next funding."""
        self.state.instrument(symbol).funding_rate = rate

    def pay_funding(self) -> None:
        """Pay funding on all positions now, whatever the hour is."""
        self._catch_up()
        self._settlement.pay_funding()
        self._finish()

    def close_position(self, account: str, symbol: str, why: VenueClose, quantity: Decimal | None = None) -> None:
        """Close what an account holds of a symbol as the venue does, or *quantity* of it, at market."""
        self._catch_up()
        self._settlement.close(self._account(account), self.symbol(symbol).symbol, why, quantity)
        self._finish()

    def trade_outside(self, symbol: str, side: Side, quantity: Decimal, price: Decimal | None = None) -> Decimal:
        """Trade as an outside participant against the book, up to *price*.

        Returns:
            The filled quantity; the remainder is canceled.
        """
        filled = self._matcher.take_outside(symbol, side, quantity, price)
        self._conditionals.settle()
        return filled

    def quote_outside(self, symbol: str, side: Side, price: Decimal, quantity: Decimal) -> str:
        """Trade as an outside participant up to *price* and rest the remainder there.

        Returns:
            The id of the resting remainder, for `withdraw_outside`; empty if there is none.
        """
        rests = self._matcher.quote_outside(symbol, side, price, quantity)
        self._conditionals.settle()
        return rests

    def withdraw_outside(self, symbol: str, order_id: str, quantity: Decimal | None = None) -> None:
        """Remove an outside participant's quote from the book, if it is still there, or *quantity* of it."""
        book = self.state.instruments[symbol].book
        resting = book.get(order_id)
        if resting is not None:
            book.reduce(resting, resting.quantity if quantity is None else min(quantity, resting.quantity))

    def outside_quantity(self, symbol: str, order_id: str) -> Decimal:
        """Return the remaining quantity of an outside participant's quote."""
        resting = self.state.instruments[symbol].book.get(order_id)
        return resting.quantity if resting is not None else ZERO

    def publish(self) -> None:
        """Publish the market's changes since the last call. Requests of accounts publish their own events."""
        self.state.publish()

    def _cancel_by_countdown(self, scope: CountdownScope) -> None:
        for order in self.open_orders(scope.account, scope.symbol or None):
            if scope.tag in ("", order.tag):
                self._matcher.cancel(order, ClosingReason.COUNTDOWN)
        self._finish()

    def _expire(self, key: ExpiryKey) -> None:
        kind, account, known_as = key
        if kind == "conditional":
            self._conditionals.expire(known_as)
        else:
            order = self._account(account).orders[known_as]
            if order.status.is_open:
                self._matcher.cancel(order, ClosingReason.EXPIRY)
        self._finish()

    def _make(self, books: SimAccount, order: NewOrder, order_id: str, conditional_id: str = "") -> SimOrder:
        """Make the first snapshot of an accepted order."""
        rules, now_ms = self.symbol(order.symbol), self.state.now_ms
        if order.expires_ms is not None:
            self.state.expiries.set(("order", books.key, order_id), order.expires_ms)
        return SimOrder(
            account=books.key,
            order_id=order_id,
            client_order_id=order.client_order_id or f"auto{order_id}",
            symbol=order.symbol,
            side=order.side,
            position_side=order.position_side,
            order_type=order.order_type,
            time_in_force=TimeInForce.GTC if order.order_type is OrderType.MARKET else order.time_in_force,
            reduce_only=order.reduce_only,
            # Written with the decimal places of the steps, so that equal prices look the same to every client.
            price=order.price.quantize(rules.price_step) if order.price is not None else None,
            quantity=order.quantity.quantize(rules.quantity_step),
            status=OrderStatus.OPEN,
            margin_mode=books.margin_mode(order.symbol),
            created_ms=now_ms,
            updated_ms=now_ms,
            tag=order.tag,
            conditional_id=conditional_id,
            expires_ms=order.expires_ms,
            details=order.details,
        )

    def _check_attached(self, books: SimAccount, order: NewOrder) -> None:
        for child in order.attached:
            self._conditionals.check(books, replace(child, quantity=child.quantity or order.quantity))

    def _place_triggered(self, books: SimAccount, order: NewOrder, fired: SimConditional) -> None:
        """Place the order of a conditional one."""
        self._admission.check(books, order)
        keeps_id = self.settings.rules.triggered_keeps_id
        order_id = fired.conditional_id if keeps_id else self.state.next_order_id()
        self._conditionals.announce(fired, order_id)
        self._matcher.submit(self._make(books, order, order_id, fired.conditional_id))

    def _finish(self) -> None:
        """Settle what was triggered, and publish."""
        self._conditionals.settle()
        self.state.publish()

    def _account(self, key: str) -> SimAccount:
        return self.state.accounts[key]

    def _catch_up(self) -> None:
        """Advance to the clock's time: a request happens then, not at the market's last step."""
        self.advance(self.clock.market_ms())

    def _publish_settings(self, books: SimAccount, symbols: Iterable[str], *, margin_mode_changed: bool) -> None:
        for symbol in symbols:
            self.state.queue_event(
                SettingsChanged(
                    account=books.key,
                    symbol=symbol,
                    leverage=books.leverage(symbol),
                    margin_mode=books.margin_mode(symbol),
                    margin_mode_changed=margin_mode_changed,
                    time_ms=self.state.now_ms,
                )
            )
        self.state.publish()
