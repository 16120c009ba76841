"""InMemoryExchange: the whole Exchange protocol in one object, for the tests of a strategy.

Nothing moves on its own: `set_price` moves the market, `fill` makes a partial fill, `fail_next` makes a call fail.
"""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Self, TypeVar

from opensqt.model.account import Account, MarginMode, Position, PositionMode
from opensqt.model.client_context import current_client
from opensqt.model.clock import Clock, now_ns
from opensqt.model.errors import ExchangeError, InvalidRequest, Unreachable
from opensqt.model.funding import FundingPayment
from opensqt.model.market import (
    DEFAULT_DEPTH,
    INTERVALS_MS,
    MAX_DEPTH,
    BookLevel,
    Candle,
    MarkPrice,
    OrderBook,
    Price,
    PublicTrade,
)
from opensqt.model.order import AmendRequest, Fill, Order, OrderRef, OrderRequest, OrderUpdate, Side
from opensqt.model.stream import Cursor, Stream
from opensqt.model.venue import (
    Capabilities,
    Check,
    ExchangeInfo,
    ExchangeStatus,
    MarginModeScope,
    RateBudget,
    SymbolRules,
)
from opensqt.streams.max_age import with_max_age
from opensqt.testing.ledger import Ledger
from opensqt.testing.venue import InMemoryVenue

A = TypeVar("A")
T = TypeVar("T")


def rules(symbol: str, *, price_step: str, quantity_step: str = "0.001", min_notional: str = "5") -> SymbolRules:
    """Make the rules of a USDT symbol with Binance's regular fees."""
    return SymbolRules(
        symbol=symbol,
        base_asset=symbol.removesuffix("USDT"),
        quote_asset="USDT",
        price_step=Decimal(price_step),
        quantity_step=Decimal(quantity_step),
        min_quantity=Decimal(quantity_step),
        min_notional=Decimal(min_notional),
        max_quantity=Decimal(1000),
        max_leverage=Decimal(125),
        maker_fee=Decimal("0.0002"),
        taker_fee=Decimal("0.0005"),
    )


DEFAULT_SYMBOLS = (rules("BTCUSDT", price_step="0.1"), rules("ETHUSDT", price_step="0.01"))


@dataclass(frozen=True, slots=True)
class _Failure:
    error: ExchangeError
    operation: str
    after: bool


class InMemoryExchange:
    """An Exchange without a venue.

    A resting order fills at its limit as soon as the other side's price crosses it. An order that crosses on arrival
    takes the quantity of the best quote, at its price.

    Args:
        symbols: Rules of the symbols that trade.
        balance: Wallet balance at the start, in USDT.
        position_mode: One-way or hedge, at the start.
        leverage: Leverage of every symbol at the start.
        clock: Returns UTC epoch nanoseconds; pass your own to close candles without waiting.
        feed_capacity: Updates by which a reader of the orders stream may be behind before it overflows.
    """

    name = "memory"

    def __init__(
        self,
        symbols: Iterable[SymbolRules] = DEFAULT_SYMBOLS,
        *,
        balance: Decimal = Decimal(10_000),
        position_mode: PositionMode = PositionMode.ONE_WAY,
        leverage: Decimal = Decimal(10),
        clock: Clock = now_ns,
        feed_capacity: int = 8192,
    ) -> None:
        rules_of = {one.symbol: one for one in symbols}
        self._rules = rules_of
        self._info = ExchangeInfo(
            name=self.name,
            exchange_type="usdt_perpetual",
            capabilities=Capabilities(
                margin_modes=frozenset(MarginMode),
                max_batch=50,
                intervals=frozenset(INTERVALS_MS),
                set_leverage=True,
                margin_mode_scope=MarginModeScope.SYMBOL,
                set_position_mode=True,
                funding_payments=True,
                order_book_depth=MAX_DEPTH,
                public_trades=True,
                mark_price=True,
                amend_order=True,
            ),
            symbols=tuple(rules_of.values()),
            simulated=True,
            position_mode=position_mode,
        )
        ledger = Ledger(rules_of, balance=balance, mode=position_mode, leverage=leverage)
        self._clock = clock
        self.venue = InMemoryVenue(rules_of, ledger, clock, orders_capacity=feed_capacity)
        self._failures: list[_Failure] = []
        self._unhealthy_reason = ""

    # Controls of a test: the market, and failures of calls.

    def set_price(
        self,
        symbol: str,
        bid: Decimal,
        ask: Decimal,
        *,
        bid_quantity: Decimal = Decimal(100),
        ask_quantity: Decimal = Decimal(100),
    ) -> None:
        """Move the market: resting orders that the new price crosses fill completely, at their limit.

        Args:
            symbol: A symbol that trades.
            bid: Best bid.
            ask: Best ask, above the bid.
            bid_quantity: Base coins that a selling taker finds; refilled after each order.
            ask_quantity: Base coins that a buying taker finds; refilled after each order.
        """
        self.venue.require_symbol(symbol)
        if not 0 < bid < ask:
            raise ValueError(f"bid {bid}, ask {ask}: expected 0 < bid < ask")
        now = self._clock()
        price = Price(
            symbol=symbol,
            bid=bid,
            ask=ask,
            bid_quantity=bid_quantity,
            ask_quantity=ask_quantity,
            event_time_ms=now // 1_000_000,
            received_ns=now,
        )
        self.venue.move(price)

    def set_order_book(self, symbol: str, bids: Sequence[BookLevel], asks: Sequence[BookLevel]) -> None:
        """Set all levels of the order book, and move the market to its best bid and ask.

        Without it the book is the best bid and ask of `set_price` alone.

        Args:
            symbol: A symbol that trades.
            bids: Price and quantity of each level, best first; at least one.
            asks: As the bids.
        """
        for name, side, sign in (("bids", bids, -1), ("asks", asks, 1)):
            prices = [price * sign for price, _quantity in side]
            if not prices or prices != sorted(set(prices)):
                raise ValueError(f"{name} {[str(price) for price, _quantity in side]}: expected levels, best first")
        (bid, bid_quantity), (ask, ask_quantity) = bids[0], asks[0]
        self.set_price(symbol, bid, ask, bid_quantity=bid_quantity, ask_quantity=ask_quantity)
        self.venue.public.set_book(symbol, bids, asks, now_ns=self._clock())

    def invalidate_order_book(self, symbol: str, reason: str) -> None:
        """Mark the order book invalid for *reason*, as after a hole in a venue's sequence, until it is set again."""
        self.venue.public.invalidate_book(self.venue.require_symbol(symbol), reason, now_ns=self._clock())

    def add_trade(self, symbol: str, price: Decimal, quantity: Decimal, side: Side = Side.BUY) -> PublicTrade:
        """Publish a trade between others; *side* is the taker's. Fills of orders are published by themselves."""
        symbol = self.venue.require_symbol(symbol)
        return self.venue.public.trade(symbol, price, quantity, side, now_ns=self._clock())

    def set_mark_price(
        self,
        symbol: str,
        mark: Decimal,
        *,
        index: Decimal | None = None,
        funding_rate: Decimal | None = None,
        next_funding_ms: int = 0,
    ) -> None:
        """Publish a mark price with the next funding, which until then is half way between bid and ask.

        It moves no position; `set_price` does.
        """
        now = self._clock()
        self.venue.public.set_mark_price(
            MarkPrice(
                symbol=self.venue.require_symbol(symbol),
                mark=mark,
                index=index,
                funding_rate=funding_rate,
                next_funding_ms=next_funding_ms,
                event_time_ms=now // 1_000_000,
                received_ns=now,
            )
        )

    def fill(self, ref: OrderRef, quantity: Decimal) -> Order:
        """Fill part of a resting order at its limit, whatever the price is."""
        return self.venue.fill(self.venue.find(ref), quantity)

    def pay_funding(self, symbol: str, rate: Decimal) -> list[FundingPayment]:
        """Pay funding on the positions of a symbol at its mid price: with a rate above zero a long position pays.

        Returns:
            The payments, which the stream delivers, too.
        """
        return self.venue.pay_funding(symbol, rate)

    def add_candles(self, candles: Iterable[Candle]) -> None:
        """Add past candles, oldest first, for history."""
        self.venue.candles.add(candles)

    def fail_next(self, error: ExchangeError, *, on: str = "", times: int = 1, after: bool = False) -> None:
        """Make the next calls fail.

        Args:
            error: The error that they raise.
            on: Name of the method, e.g. `place_order`; empty means any. In a batch, `place_order` and
                `cancel_order` fail single items.
            times: Number of calls.
            after: Execute the call and then fail, as when a reply is lost.
        """
        self._failures.extend([_Failure(error, on, after)] * times)

    def stop_failing(self) -> None:
        """Forget the failures that `fail_next` ordered and that did not happen yet."""
        self._failures.clear()

    def inject_gap(self) -> None:
        """Send every reader the current state as a snapshot that is marked as a gap: updates may have been missed."""
        self.venue.inject_gap()

    def set_unhealthy(self, reason: str) -> None:
        """Make `get_status` unhealthy for *reason*; an empty reason makes it healthy again."""
        self._unhealthy_reason = reason

    def set_untradable(self, symbol: str, reason: str) -> None:
        """Make a symbol one that does not trade for *reason*, the venue's term; empty makes it trade again.

        Orders that open a position are denied from then on; what is held can be closed, and orders can be canceled.
        """
        self.venue.require_symbol(symbol)
        self._rules[symbol] = replace(self._rules[symbol], untradable_reason=reason)

    def lose_continuity(self) -> None:
        """Call `inject_gap`. Deprecated: the old name, for one release."""
        warnings.warn("lose_continuity is inject_gap now", DeprecationWarning, stacklevel=2)
        self.inject_gap()

    def fall_sick(self, reason: str) -> None:
        """Call `set_unhealthy`. Deprecated: the old name, for one release."""
        warnings.warn("fall_sick is set_unhealthy now", DeprecationWarning, stacklevel=2)
        self.set_unhealthy(reason)

    # The Exchange protocol.

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def start(self) -> None:
        """See `Exchange`. It fails only after `fail_next`."""
        await self._call("start", lambda: None)

    async def close(self) -> None:
        """End the streams."""
        self.venue.close(Unreachable("the exchange was closed"))

    async def place_order(self, request: OrderRequest) -> Order:
        """See `Exchange`. The same id with the same content returns the order in its current state."""
        return await self._call("place_order", lambda: self.venue.place(request))

    async def batch_place_orders(self, requests: Sequence[OrderRequest]) -> list[Order | ExchangeError]:
        """See `Exchange`."""
        return await self._call(
            "batch_place_orders",
            lambda: [self._item("place_order", self.venue.place, request) for request in requests],
        )

    async def amend_order(self, request: AmendRequest) -> Order:
        """See `Exchange`. The same id with the same content returns the order in its current state."""
        return await self._call("amend_order", lambda: self.venue.amend(request))

    async def cancel_order(self, ref: OrderRef) -> Order:
        """See `Exchange`. A closed order is returned as it ended."""
        return await self._call("cancel_order", lambda: self.venue.cancel(ref))

    async def batch_cancel_orders(self, refs: Sequence[OrderRef]) -> list[Order | ExchangeError]:
        """See `Exchange`."""
        return await self._call(
            "batch_cancel_orders", lambda: [self._item("cancel_order", self.venue.cancel, ref) for ref in refs]
        )

    async def cancel_all_orders(self, symbol: str) -> list[Order]:
        """See `Exchange`."""
        return await self._call("cancel_all_orders", lambda: self.venue.cancel_all(symbol))

    async def get_order(self, ref: OrderRef) -> Order:
        """See `Exchange`."""
        return await self._call("get_order", lambda: self.venue.find(ref))

    async def get_open_orders(self, symbol: str = "") -> list[Order]:
        """See `Exchange`."""
        return await self._call("get_open_orders", lambda: self.venue.open_orders(symbol))

    async def get_account(self) -> Account:
        """See `Exchange`."""
        return await self._call("get_account", self.venue.account)

    async def get_positions(self, symbol: str = "") -> list[Position]:
        """See `Exchange`."""
        return await self._call("get_positions", lambda: self.venue.positions(symbol))

    async def get_latest_price(self, symbol: str) -> Price:
        """See `Exchange`.

        Raises:
            Unreachable: `set_price` was not called for the symbol yet.
        """
        return await self._call("get_latest_price", lambda: self.venue.price(symbol))

    async def get_historical_klines(
        self,
        symbol: str,
        interval: str,
        *,
        limit: int = 100,
        start_ms: int | None = None,
        end_ms: int | None = None,
    ) -> list[Candle]:
        """See `Exchange`."""

        def history() -> list[Candle]:
            if not 1 <= limit <= 1000:
                raise InvalidRequest(f"limit {limit}: expected 1 to 1000")
            return self.venue.candles.history(
                self.venue.require_symbol(symbol), _interval(interval), limit=limit, start_ms=start_ms, end_ms=end_ms
            )

        return await self._call("get_historical_klines", history)

    async def get_exchange_info(self) -> ExchangeInfo:
        """See `Exchange`."""
        return await self._call("get_exchange_info", self._current_info)

    async def list_fills(self, symbol: str, *, since_ms: int) -> list[Fill]:
        """See `Exchange`."""

        def fills() -> list[Fill]:
            self.venue.require_symbol(symbol)
            return [fill for fill in self.venue.fills if fill.symbol == symbol and fill.event_time_ms >= since_ms]

        return await self._call("list_fills", fills)

    async def list_funding_payments(self, symbol: str = "", *, since_ms: int) -> list[FundingPayment]:
        """See `Exchange`."""

        def payments() -> list[FundingPayment]:
            self.venue.require_symbol(symbol, all_too=True)
            paid = self.venue.funding_payments
            return [one for one in paid if symbol in ("", one.symbol) and one.event_time_ms >= since_ms]

        return await self._call("list_funding_payments", payments)

    async def set_leverage(self, symbol: str, leverage: int) -> Decimal:
        """See `Exchange`."""
        return await self._call("set_leverage", lambda: self.venue.set_leverage(symbol, leverage))

    async def set_margin_mode(self, symbol: str, mode: MarginMode) -> MarginMode:
        """See `Exchange`. The mode is only reported: the whole balance carries every position."""
        return await self._call("set_margin_mode", lambda: self.venue.set_margin_mode(symbol, mode))

    async def set_position_mode(self, mode: PositionMode) -> PositionMode:
        """See `Exchange`."""

        def switch() -> PositionMode:
            found = self.venue.set_position_mode(mode)
            self._info = replace(self._info, position_mode=found)
            return found

        return await self._call("set_position_mode", switch)

    async def get_status(self) -> ExchangeStatus:
        """See `Exchange`."""
        return ExchangeStatus(
            checks=(Check(name="venue", ok=not self._unhealthy_reason, reason=self._unhealthy_reason),)
        )

    async def get_rate_budget(self) -> RateBudget:
        """See `Exchange`. Nothing is limited here."""
        return RateBudget(client=current_client())

    def subscribe_price(
        self, symbol: str, *, cursor: Cursor | None = None, max_age_s: float | None = None
    ) -> Stream[Price]:
        """See `Exchange`. `RemoteExchange.subscribe_price` describes `max_age_s`."""
        feed = self.venue.price_feeds[self.venue.require_symbol(symbol)]
        return with_max_age(feed.subscribe(cursor=cursor), max_age_s, kind="price", symbol=symbol)

    def subscribe_orders(
        self, symbol: str = "", *, cursor: Cursor | None = None, max_age_s: float | None = None
    ) -> Stream[OrderUpdate]:
        """See `Exchange`. `RemoteExchange.subscribe_price` describes `max_age_s`."""
        self.venue.require_symbol(symbol, all_too=True)
        of_symbol = (lambda update: update.order.symbol == symbol) if symbol else None
        stream = self.venue.order_feed.subscribe(cursor=cursor, where=of_symbol)
        return with_max_age(stream, max_age_s, kind="orders", symbol=symbol)

    def subscribe_klines(
        self, symbol: str, interval: str, *, cursor: Cursor | None = None, max_age_s: float | None = None
    ) -> Stream[Candle]:
        """See `Exchange`. `RemoteExchange.subscribe_price` describes `max_age_s`."""
        feed = self.venue.candles.feed_for(self.venue.require_symbol(symbol), _interval(interval))
        return with_max_age(feed.subscribe(cursor=cursor), max_age_s, kind="klines", symbol=symbol)

    def subscribe_account(self, *, cursor: Cursor | None = None, max_age_s: float | None = None) -> Stream[Account]:
        """See `Exchange`. `RemoteExchange.subscribe_price` describes `max_age_s`."""
        return with_max_age(self.venue.account_feed.subscribe(cursor=cursor), max_age_s, kind="account")

    def subscribe_positions(
        self, symbol: str = "", *, cursor: Cursor | None = None, max_age_s: float | None = None
    ) -> Stream[Position]:
        """See `Exchange`. `RemoteExchange.subscribe_price` describes `max_age_s`."""
        self.venue.require_symbol(symbol, all_too=True)
        of_symbol = (lambda position: position.symbol == symbol) if symbol else None
        stream = self.venue.position_feed.subscribe(cursor=cursor, where=of_symbol)
        return with_max_age(stream, max_age_s, kind="positions", symbol=symbol)

    def subscribe_order_book(
        self,
        symbol: str,
        depth: int = DEFAULT_DEPTH,
        *,
        cursor: Cursor | None = None,
        max_age_s: float | None = None,
    ) -> Stream[OrderBook]:
        """See `Exchange`. `RemoteExchange.subscribe_price` describes `max_age_s`."""
        if not 1 <= depth <= MAX_DEPTH:
            raise InvalidRequest(f"depth {depth}: expected 1 to {MAX_DEPTH}", symbol=symbol)
        feed = self.venue.public.book_feed(self.venue.require_symbol(symbol), depth)
        return with_max_age(feed.subscribe(cursor=cursor), max_age_s, kind="order_book", symbol=symbol)

    def subscribe_trades(
        self, symbol: str, *, cursor: Cursor | None = None, max_age_s: float | None = None
    ) -> Stream[PublicTrade]:
        """See `Exchange`. `RemoteExchange.subscribe_price` describes `max_age_s`."""
        feed = self.venue.public.trade_feeds[self.venue.require_symbol(symbol)]
        return with_max_age(feed.subscribe(cursor=cursor), max_age_s, kind="trades", symbol=symbol)

    def subscribe_mark_price(
        self, symbol: str, *, cursor: Cursor | None = None, max_age_s: float | None = None
    ) -> Stream[MarkPrice]:
        """See `Exchange`. `RemoteExchange.subscribe_price` describes `max_age_s`."""
        feed = self.venue.public.mark_price_feeds[self.venue.require_symbol(symbol)]
        return with_max_age(feed.subscribe(cursor=cursor), max_age_s, kind="mark_price", symbol=symbol)

    def subscribe_funding_payments(
        self, symbol: str = "", *, cursor: Cursor | None = None, max_age_s: float | None = None
    ) -> Stream[FundingPayment]:
        """See `Exchange`. `RemoteExchange.subscribe_price` describes `max_age_s`."""
        self.venue.require_symbol(symbol, all_too=True)
        of_symbol = (lambda payment: payment.symbol == symbol) if symbol else None
        stream = self.venue.funding_feed.subscribe(cursor=cursor, where=of_symbol)
        return with_max_age(stream, max_age_s, kind="funding_payments", symbol=symbol)

    def _current_info(self) -> ExchangeInfo:
        held = {one.symbol for one in self.venue.positions() if not one.is_flat}
        held |= {order.symbol for order in self.venue.open_orders()}
        shown = (rules for rules in self._rules.values() if rules.tradable or rules.symbol in held)
        return replace(self._info, symbols=tuple(shown))

    async def _call(self, operation: str, do: Callable[[], T]) -> T:
        # A real exchange always yields to other tasks before it returns.
        await asyncio.sleep(0)
        return self._or_fail(operation, do)

    def _item(self, operation: str, do: Callable[[A], Order], item: A) -> Order | ExchangeError:
        try:
            return self._or_fail(operation, lambda: do(item))
        except ExchangeError as error:
            return error

    def _or_fail(self, operation: str, do: Callable[[], T]) -> T:
        failure = next((one for one in self._failures if one.operation in ("", operation)), None)
        if failure is None:
            return do()
        self._failures.remove(failure)
        if failure.after:
            do()
        raise failure.error


def _interval(interval: str) -> str:
    if interval not in INTERVALS_MS:
        raise InvalidRequest(f"interval {interval!r}: expected one of {', '.join(INTERVALS_MS)}")
    return interval
