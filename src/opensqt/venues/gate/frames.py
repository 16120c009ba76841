"""Gate's frames as events. What a trade earned they do not tell: one that may have closed something is asked for."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any

from opensqt.model.account import Position
from opensqt.model.market import Candle
from opensqt.model.order import Fill, OrderUpdate
from opensqt.model.venue import SymbolRules
from opensqt.venues.gate import parse
from opensqt.venues.venue import Event, FillsPending, StreamReady

PRIVATE = frozenset({"futures.orders", "futures.usertrades", "futures.positions", "futures.balances"})
INTERVALS = frozenset({"1m", "5m", "15m", "30m", "1h", "4h", "1d"})
_TRADES_KEPT = 10_000


class Holdings:
    """Which way each symbol is held, as far as the stream told, to know whether a trade can have closed something."""

    def __init__(self) -> None:
        self._held: dict[str, tuple[Decimal, int]] = {}
        self._trades: OrderedDict[tuple[str, str], None] = OrderedDict()

    def begin(self, symbols: Iterable[str], told: Iterable[Position]) -> None:
        """Take in what a query told of symbols of which nothing is known yet; the rest are flat."""
        held = {position.symbol: position.quantity for position in told}
        for symbol in symbols:
            if symbol not in self._held:
                self._held[symbol] = (held.get(symbol, Decimal(0)), 0)

    def see(self, symbol: str, quantity: Decimal, time_ms: int) -> None:
        """Take in a position, unless a later trade is known."""
        known = self._held.get(symbol)
        if known is None or time_ms >= known[1]:
            self._held[symbol] = (quantity, time_ms)

    def only_opens(self, fill: Fill) -> bool:
        """Take in a trade, and say whether it certainly closed nothing; a repeated one is left as it was."""
        known = self._held.get(fill.symbol)
        name = (fill.symbol, fill.trade_id)
        if known is None or name in self._trades:
            return False
        self._trades[name] = None
        if len(self._trades) > _TRADES_KEPT:
            self._trades.popitem(last=False)
        held, time_ms = known
        self._held[fill.symbol] = (held + fill.side.sign * fill.quantity, max(time_ms, fill.event_time_ms))
        return held * fill.side.sign >= 0


class Frames:
    """Reads frames.

    Args:
        note_unknown: Told of channels that nothing of ours handles.
    """

    def __init__(self, count_unknown: Callable[[str], None]) -> None:
        self._count_unknown = count_unknown
        self.contracts: dict[str, SymbolRules] = {}
        self.hedge = False
        self.holdings = Holdings()
        self._acknowledged: set[str] = set()

    def begin(self) -> None:
        """Expect the private channels' acknowledgements anew."""
        self._acknowledged.clear()

    def read(self, frame: Any) -> Iterable[Event] | None:
        """Turn a frame into events, or answer None when it carries no data of ours."""
        channel, event = frame.get("channel"), frame.get("event")
        if event == "subscribe" and channel in PRIVATE and not frame.get("error"):
            self._acknowledged.add(channel)
            return (StreamReady(),) if self._acknowledged == PRIVATE else ()
        if event != "update":
            return None
        if channel == "futures.book_ticker":
            row = frame["result"]
            return (parse.price(row, self.contracts[row["s"]]),) if row["s"] in self.contracts else ()
        if channel == "futures.candlesticks":
            return [candle for row in frame["result"] for candle in self._candle(row)]
        if channel == "futures.balances":
            return [parse.balance(row) for row in frame["result"] if _is_margin_asset(row)]
        if channel not in PRIVATE:
            # What the venue will think of next: not ours to act on, and no error.
            self._count_unknown(str(channel))
            return ()
        rows = [row for row in frame["result"] if row["contract"] in self.contracts]
        if channel == "futures.orders":
            return [OrderUpdate(order=parse.order(row, self._rules(row), hedge=self.hedge)) for row in rows]
        if channel == "futures.usertrades":
            return [self._trade(row) for row in rows]
        return [event for row in rows if self.is_ours(row) for event in self._position(row)]

    def is_ours(self, row: parse.Row) -> bool:
        """Whether a position is of the mode that the account is in."""
        return (row["mode"] != "single") is self.hedge

    def _rules(self, row: parse.Row) -> SymbolRules:
        return self.contracts[row["contract"]]

    def _trade(self, row: parse.Row) -> Event:
        fill = parse.fill(row, self._rules(row), hedge=self.hedge)
        if self.hedge or not self.holdings.only_opens(fill):
            return FillsPending(fill.symbol)
        return fill

    def _position(self, row: parse.Row) -> Iterable[Event]:
        position = parse.position(row, self._rules(row))
        if not self.hedge:
            self.holdings.see(position.symbol, position.quantity, position.event_time_ms)
        return (position,)

    def _candle(self, row: parse.Row) -> list[Candle]:
        interval, _, name = row["n"].partition("_")
        if name not in self.contracts or interval not in INTERVALS:
            return []
        # Not every server says when a candle closed; the next one tells it, and a query then makes sure.
        return [parse.candle(row, self.contracts[name], interval, closed=row.get("w") is True)]


def _is_margin_asset(row: parse.Row) -> bool:
    return str(row.get("currency", parse.ASSET)).upper() == parse.ASSET
