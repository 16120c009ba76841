"""The newest of each price input, checked as it arrives, and the book's best quotes without our own orders."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from enum import StrEnum

from opensqt.market_maker.strategy.inputs import MarkUpdate, OrderBookUpdate, PriceInput, PriceUpdate, TradeUpdate
from opensqt.market_maker.strategy.own_orders import OwnOrders
from opensqt.model.clock import is_plausible
from opensqt.model.market import BookLevel, MarkPrice, OrderBook, Price, PublicTrade
from opensqt.model.order import BUY, SELL, Side

PriceInputValue = Price | OrderBook | PublicTrade | MarkPrice

_LONG_AGO = float("-inf")


class InputName(StrEnum):
    """The inputs of the reference price."""

    BOOK = "book"
    """The order book, and the best bid and ask."""
    TRADE = "trade"
    MARK = "mark"


class PriceInputs:
    """The newest price inputs of one symbol.

    Args:
        symbol: Inputs of another one are refused.
        real_time: Whether the venue's event times follow our clock: then those of the future are refused, and a trade
            is as old as its own time says. A simulated market may run faster, or years ago.
    """

    def __init__(self, symbol: str, *, real_time: bool) -> None:
        self._symbol = symbol
        self._real_time = real_time
        self._best: Price | None = None
        self._book: OrderBook | None = None
        self.trade: PublicTrade | None = None
        self.mark: MarkPrice | None = None
        self._best_at = self._book_at = self.trade_at = self.mark_at = _LONG_AGO
        self.refused: Counter[str] = Counter()
        """Inputs that were not used, by reason."""
        self.refused_at = _LONG_AGO
        self.refused_last = ""
        self.newest: PriceInputValue | None = None
        """The input with the latest time of the venue."""

    def take(self, event: PriceInput, now: float) -> bool:
        """Take in an input as the newest of its kind; return whether it was not refused."""
        at = now - event.age_s
        match event:
            case PriceUpdate(value=price):
                if self._refuses(price, (price.bid, price.ask), now):
                    return False
                if price.bid > price.ask:
                    return self._refuse("crossed", f"bid {price.bid} above ask {price.ask}", now)
                self._best, self._best_at = price, at
            case OrderBookUpdate(value=book):
                best = (*(price for price, _ in book.bids[:1]), *(price for price, _ in book.asks[:1]))
                if self._refuses(book, best, now):
                    return False
                if len(best) == 2 and best[0] > best[1]:
                    return self._refuse("crossed", f"bid {best[0]} above ask {best[1]}", now)
                self._book, self._book_at = book, at
            case TradeUpdate(value=trade):
                if self._refuses(trade, (trade.price,), now):
                    return False
                late_s = (trade.received_ns / 1e9 - trade.event_time_ms / 1e3) if trade.received_ns else 0.0
                self.trade, self.trade_at = trade, at - (max(0.0, late_s) if self._real_time else 0.0)
            case MarkUpdate(value=mark):
                if self._refuses(mark, (mark.mark,), now):
                    return False
                self.mark, self.mark_at = mark, at
        value = event.value
        if self.newest is None or value.event_time_ms >= self.newest.event_time_ms:
            self.newest = value
        return True

    def quote(self, own: OwnOrders) -> tuple[Decimal | None, Decimal | None, float] | None:
        """Return the best quotes of the others by the newest of book and best quote; None while neither is known.

        Where the best quote is ours alone, the next level of the book counts.

        Returns:
            Bid and ask, None on a side that has none but ours, and the monotonic seconds of their receipt.
        """
        book, best = self._book, self._best
        if book is not None and not book.valid:
            book = None
        if book is not None and self._best_at < self._book_at:
            best = None
        if best is None and book is None:
            return None
        bid = ask = None
        if book is not None:
            bid, ask = _of_others(book.bids, BUY, own), _of_others(book.asks, SELL, own)
        if best is not None:
            bid = _newer(best.bid, best.bid_quantity, bid, BUY, own)
            ask = _newer(best.ask, best.ask_quantity, ask, SELL, own)
        return bid, ask, self._best_at if best is not None else self._book_at

    def _refuses(self, value: PriceInputValue, prices: tuple[Decimal, ...], now: float) -> bool:
        if value.symbol != self._symbol:
            return not self._refuse("another symbol", value.symbol, now)
        if self._real_time and not is_plausible(value.event_time_ms, value.received_ns):
            return not self._refuse("a time of the future", f"{value.event_time_ms} ms", now)
        for price in prices:
            if not (price.is_finite() and price > 0):
                return not self._refuse("no price", ", ".join(map(str, prices)), now)
        return False

    def _refuse(self, reason: str, detail: str, now: float) -> bool:
        self.refused[reason] += 1
        self.refused_at, self.refused_last = now, f"{reason}: {detail}"
        return False


def _of_others(levels: tuple[BookLevel, ...], side: Side, own: OwnOrders) -> Decimal | None:
    """Return the best price of one side at which others have something."""
    return next((price for price, quantity in levels if quantity > own.at(side, price)), None)


def _newer(price: Decimal, quantity: Decimal, behind: Decimal | None, side: Side, own: OwnOrders) -> Decimal | None:
    """Return the best price of one side by a best quote that is newer than the book.

    Args:
        price: The best price, of whomever.
        quantity: Base coins there; 0 where the source does not report them.
        behind: The best price of the others in the book.
        side: BUY for bids.
        own: Our orders.
    """
    ours = own.at(side, price)
    if not ours or quantity > ours:
        return price
    if behind is None:
        return None
    # The others of an older book that are better than the best quote are gone.
    return min(price, behind) if side is BUY else max(price, behind)
