"""The venue's core: takes requests and outside flow, matches them, keeps the accounts, tells what happened.

Pure and synchronous: no task, no socket, no wall clock beyond the one handed in. Amounts are base coins, prices and
money quote, times market milliseconds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from opensqt.model.account import MarginMode, PositionMode
from opensqt.model.order import Side
from opensqt.simulator.clock import SimulatorClock
from opensqt.simulator.events import (
    BalanceView,
    BookLevel,
    BookTicker,
    Event,
    FundingPaid,
    MarkPrice,
    PositionView,
    PublicTrade,
    SimCandle,
)
from opensqt.simulator.order import NewOrder, SimFill, SimOrder
from opensqt.simulator.settings import SimulatorSettings, SymbolSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class BookSnapshot:
    """The best levels of a book, best first, as of an update id."""

    symbol: str
    last_update_id: int
    bids: tuple[BookLevel, ...]
    asks: tuple[BookLevel, ...]
    time_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DayStatistics:
    """The last 24 hours of a symbol, to the quarter of an hour."""

    symbol: str
    open: Decimal
    high: Decimal
    low: Decimal
    last: Decimal
    last_quantity: Decimal
    volume: Decimal
    """Base coins."""
    quote_volume: Decimal
    trades: int
    first_trade_id: str
    last_trade_id: str
    open_time_ms: int
    close_time_ms: int


class Engine:
    """One venue. Accounts are named by their API key.

    Every method that changes something tells its subscribers before it returns. Subscribers must not call back.
    """

    def __init__(self, settings: SimulatorSettings, clock: SimulatorClock) -> None:
        self.settings = settings
        self.clock = clock
        self._subscribers: list[Callable[[Event], None]] = []

    # The venue

    def now_ms(self) -> int:
        """Market time; never goes back."""
        raise NotImplementedError

    def symbols(self) -> tuple[SymbolSettings, ...]:
        """Every symbol that trades here."""
        return self.settings.symbols

    def symbol(self, symbol: str) -> SymbolSettings:
        """The settings of one symbol.

        Raises:
            Refused: UNKNOWN_SYMBOL.
        """
        raise NotImplementedError

    def account_keys(self) -> tuple[str, ...]:
        """The API keys of the accounts."""
        return tuple(account.key for account in self.settings.accounts)

    def subscribe(self, callback: Callable[[Event], None]) -> Callable[[], None]:
        """Call *callback* with every event from now on, in order.

        Returns:
            A function that ends it.
        """
        raise NotImplementedError

    # Orders

    def place(self, account: str, order: NewOrder) -> SimOrder:
        """Take an order, match it, rest what is left.

        Returns:
            The order after matching: OPEN, PARTIALLY_FILLED, FILLED, or EXPIRED for what could not be done at once.

        Raises:
            Refused: Nothing was done; the reason tells why.
        """
        raise NotImplementedError

    def check(self, account: str, order: NewOrder) -> None:
        """Raise `Refused` as `place` would, and do nothing else."""
        raise NotImplementedError

    def cancel(self, account: str, symbol: str, *, order_id: str = "", client_order_id: str = "") -> SimOrder:
        """Cancel one open order; the order id wins when both are given.

        Raises:
            Refused: UNKNOWN_ORDER, or ORDER_CLOSED when nothing of it is open any more.
        """
        raise NotImplementedError

    def cancel_all(self, account: str, symbol: str) -> list[SimOrder]:
        """Cancel every open order of a symbol and answer them, oldest first."""
        raise NotImplementedError

    def find(self, account: str, symbol: str, *, order_id: str = "", client_order_id: str = "") -> SimOrder:
        """Answer one order, open or closed; by client id the newest that had it.

        Raises:
            Refused: UNKNOWN_ORDER.
        """
        raise NotImplementedError

    def open_orders(self, account: str, symbol: str | None = None) -> list[SimOrder]:
        """The open orders, oldest first."""
        raise NotImplementedError

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
        """Every order ever, oldest first, by the time it was created.

        Args:
            account: API key.
            symbol: None for all.
            since_ms: First time wanted.
            until_ms: Last time wanted.
            from_id: First order id wanted.
            limit: How many at most: the oldest when since_ms or from_id is given, else the newest.
        """
        raise NotImplementedError

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
        """Every fill ever, oldest first; the filters as for `orders`, from_id being a trade id."""
        raise NotImplementedError

    def duplicate_client_order_ids(self, account: str) -> list[str]:
        """The client ids that were accepted more than once."""
        raise NotImplementedError

    # Accounts

    def balance(self, account: str) -> BalanceView:
        """The margin asset at the current marks."""
        raise NotImplementedError

    def positions(self, account: str, symbol: str | None = None) -> list[PositionView]:
        """The positions, flat ones included: BOTH in one-way mode, LONG and SHORT in hedge mode, per symbol."""
        raise NotImplementedError

    def funding_payments(self, account: str, symbol: str | None = None) -> list[FundingPaid]:
        """Every funding payment, oldest first."""
        raise NotImplementedError

    def leverage(self, account: str, symbol: str) -> int:
        """The leverage in force."""
        raise NotImplementedError

    def set_leverage(self, account: str, symbol: str, leverage: int) -> int:
        """Set it and answer it.

        Raises:
            Refused: LEVERAGE out of range; INSUFFICIENT_MARGIN when the account could not carry what it holds.
        """
        raise NotImplementedError

    def position_mode(self, account: str) -> PositionMode:
        """One-way or hedge."""
        raise NotImplementedError

    def set_position_mode(self, account: str, mode: PositionMode) -> None:
        """Change it.

        Raises:
            Refused: NO_CHANGE, POSITION_OPEN or ORDERS_OPEN.
        """
        raise NotImplementedError

    def margin_mode(self, account: str, symbol: str) -> MarginMode:
        """CROSS; isolated margin is not simulated."""
        raise NotImplementedError

    def set_margin_mode(self, account: str, symbol: str, mode: MarginMode) -> None:
        """Ask for cross margin.

        Raises:
            Refused: NO_CHANGE for CROSS, UNSUPPORTED for ISOLATED.
        """
        raise NotImplementedError

    # What everybody sees

    def book(self, symbol: str, depth: int = 1000) -> BookSnapshot:
        """The best levels, the accounts' own orders among them."""
        raise NotImplementedError

    def best(self, symbol: str) -> BookTicker:
        """The best bid and ask."""
        raise NotImplementedError

    def last_price(self, symbol: str) -> Decimal:
        """The last trade's price; the start price before the first trade."""
        raise NotImplementedError

    def mark(self, symbol: str) -> MarkPrice:
        """Mark price, funding rate and the time of the next funding."""
        raise NotImplementedError

    def day(self, symbol: str) -> DayStatistics:
        """The last 24 hours."""
        raise NotImplementedError

    def candles(
        self,
        symbol: str,
        interval: str,
        *,
        start_ms: int | None = None,
        end_ms: int | None = None,
        limit: int = 500,
    ) -> list[SimCandle]:
        """Bars, oldest first, the forming one last.

        Args:
            symbol: Canonical.
            interval: A key of INTERVALS_MS.
            start_ms: Open time of the first one wanted.
            end_ms: Open time of the last one wanted.
            limit: How many at most: the oldest when start_ms is given, else the newest.
        """
        raise NotImplementedError

    def trades(self, symbol: str, *, limit: int = 500) -> Sequence[PublicTrade]:
        """The latest trades, oldest first; some thousands are kept."""
        raise NotImplementedError

    def funding_history(self, symbol: str) -> Sequence[MarkPrice]:
        """What each past funding was charged at, oldest first: rate, mark and time."""
        raise NotImplementedError

    # What the market does to it

    def advance(self, now_ms: int) -> None:
        """Move market time on: candles close, funding is paid."""
        raise NotImplementedError

    def set_mark(self, symbol: str, price: Decimal) -> None:
        """Move the mark price; liquidates accounts that can't carry their positions at it."""
        raise NotImplementedError

    def trade_outside(self, symbol: str, side: Side, quantity: Decimal, price: Decimal | None = None) -> Decimal:
        """Let an outside participant take what the book holds, up to *price*.

        Returns:
            What was filled; the rest is gone.
        """
        raise NotImplementedError
