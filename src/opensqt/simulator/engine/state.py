"""State of the venue, shared by matching, settlement and the engine, and the queue of events not yet published."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from opensqt.model.order import PositionSide, Side
from opensqt.simulator.engine.account import SimAccount
from opensqt.simulator.engine.book import Book, Resting
from opensqt.simulator.engine.events import (
    AccountChanged,
    AccountReason,
    BookTicker,
    CandleUpdate,
    DepthUpdate,
    Event,
    Execution,
    OrderChanged,
    SimMark,
)
from opensqt.simulator.engine.expiries import Expiries
from opensqt.simulator.engine.margin import Margin
from opensqt.simulator.engine.mark_bars import MarkBars
from opensqt.simulator.engine.order import RefusalReason, Refused, SimFill, SimOrder
from opensqt.simulator.engine.tape import Tape
from opensqt.simulator.settings import SimulatorSettings, SymbolSettings

DEFAULT_FUNDING_RATE = Decimal("0.0001")
_FIRST_ORDER_ID = 1_000_001
_FIRST_PAYMENT_ID = 4_000_001
_MARK_EVERY_MS = 1_000


UNLISTED = "unlisted"
"""The state of a symbol that is in no list of the venue any more, though it may be held."""


class Instrument:
    """One perpetual: its rules, its book, its tape, its mark."""

    def __init__(self, rules: SymbolSettings, now_ms: int) -> None:
        self.rules = rules
        self.book = Book(rules.symbol)
        self.tape = Tape(rules.symbol, now_ms, rules.start_price)
        self.mark = rules.start_price
        self.marks = MarkBars(rules.symbol, now_ms, rules.start_price)
        self.funding_rate = DEFAULT_FUNDING_RATE
        self.mark_published_ms: int | None = None
        self.last_best: tuple[Decimal, Decimal, Decimal, Decimal] | None = None
        self.listing_state = ""
        """The venue's term for the state in which the symbol does not trade; empty while it trades."""


class VenueState:
    """The state of the venue.

    Args:
        settings: Symbols and accounts.
        now_ms: Market time at the start.
    """

    def __init__(self, settings: SimulatorSettings, now_ms: int) -> None:
        self.settings = settings
        self.now_ms = now_ms
        """Current market time."""
        self.instruments = {rules.symbol: Instrument(rules, now_ms) for rules in settings.symbols}
        self.accounts = {each.key: SimAccount(each, settings.leverage) for each in settings.accounts}
        self.margin = Margin(
            {rules.symbol: rules for rules in settings.symbols}, lambda symbol: self.instruments[symbol].mark
        )
        self.funding_interval_ms = settings.funding_interval_h * 3_600_000
        self.next_funding_ms = now_ms - now_ms % self.funding_interval_ms + self.funding_interval_ms
        self.expiries = Expiries()
        self.watched_prints: dict[str, list[Decimal]] = {}
        """Prices of the prints, in their order, of the symbols in which a conditional order waits."""
        self.subscribers: list[Callable[[Event], None]] = []
        self._order_id = _FIRST_ORDER_ID - 1
        self._payment_id = _FIRST_PAYMENT_ID - 1
        self._outside_id = 0
        self._events: list[Event] = []

    def instrument(self, symbol: str) -> Instrument:
        """Return one perpetual, or raise `Refused`."""
        found = self.instruments.get(symbol)
        if found is None:
            raise Refused(
                RefusalReason.UNKNOWN_SYMBOL, f"symbol {symbol!r}: expected one of {', '.join(self.instruments)}"
            )
        return found

    def next_order_id(self) -> str:
        """Return a new order id: digits, increasing by one."""
        self._order_id += 1
        return str(self._order_id)

    def next_payment_id(self) -> int:
        """Return a new id of a funding payment, increasing by one."""
        self._payment_id += 1
        return self._payment_id

    def next_outside_id(self) -> str:
        """Return a new id that no account's order can have."""
        self._outside_id += 1
        return f"outside-{self._outside_id}"

    def rest(self, order_id: str, owner: str, side: Side, price: Decimal, quantity: Decimal, symbol: str) -> None:
        """Put the remainder of an order into the book."""
        resting = Resting(order_id=order_id, owner=owner, side=side, price=price, quantity=quantity)
        self.instruments[symbol].book.add(resting)

    def queue_event(self, event: Event) -> None:
        """Queue an event for the next `publish`."""
        self._events.append(event)

    def queue_order_event(self, order: SimOrder, execution: Execution, fill: SimFill | None = None) -> None:
        """Store an order's new snapshot and queue its event."""
        self.accounts[order.account].put(order)
        self.queue_event(
            OrderChanged(account=order.account, order=order, execution=execution, fill=fill, time_ms=self.now_ms)
        )

    def queue_account_event(
        self, account: SimAccount, reason: AccountReason, change: Decimal, symbol: str, side: PositionSide
    ) -> None:
        """Queue an event with the balance and one position."""
        account.updated_ms = self.now_ms
        self.queue_event(
            AccountChanged(
                account=account.key,
                reason=reason,
                balance=self.margin.balance(account, self.instruments[symbol].rules.quote_asset),
                balance_change=change,
                positions=(self.margin.position(account, symbol, side),),
                time_ms=self.now_ms,
            )
        )

    def best(self, symbol: str) -> BookTicker:
        """Return the best bid and ask; zero on an empty side."""
        book = self.instruments[symbol].book
        zero = Decimal(0)
        bid, bid_quantity = book.best(Side.BUY) or (zero, zero)
        ask, ask_quantity = book.best(Side.SELL) or (zero, zero)
        return BookTicker(
            symbol=symbol,
            bid=bid,
            bid_quantity=bid_quantity,
            ask=ask,
            ask_quantity=ask_quantity,
            update_id=book.update_id,
            time_ms=self.now_ms,
        )

    def mark_price(self, symbol: str) -> SimMark:
        """Return the mark price and the next funding."""
        instrument = self.instruments[symbol]
        return SimMark(
            symbol=symbol,
            mark_price=instrument.mark,
            index_price=instrument.mark,
            funding_rate=instrument.funding_rate,
            next_funding_ms=self.next_funding_ms,
            time_ms=self.now_ms,
        )

    def publish(self) -> None:
        """Publish the queued events, then the changes of books, candles and marks."""
        for symbol, instrument in self.instruments.items():
            self._gather(symbol, instrument)
        events, self._events = self._events, []
        for event in events:
            for callback in tuple(self.subscribers):
                callback(event)

    def _gather(self, symbol: str, instrument: Instrument) -> None:
        first = instrument.book.update_id + 1
        bids, asks = instrument.book.take_changes()
        if bids or asks:
            last = instrument.book.update_id
            self.queue_event(
                DepthUpdate(
                    symbol=symbol,
                    first_update_id=first,
                    last_update_id=last,
                    bids=bids,
                    asks=asks,
                    time_ms=self.now_ms,
                )
            )
            best = self.best(symbol)
            shown = (best.bid, best.bid_quantity, best.ask, best.ask_quantity)
            if shown != instrument.last_best:
                instrument.last_best = shown
                self.queue_event(best)
        for candle in instrument.tape.take_changed():
            self.queue_event(CandleUpdate(candle=candle, time_ms=self.now_ms))
        if instrument.mark_published_ms is None or self.now_ms - instrument.mark_published_ms >= _MARK_EVERY_MS:
            instrument.mark_published_ms = self.now_ms
            self.queue_event(self.mark_price(symbol))
