"""Trades in the order of the venue, however they arrive.

What a trade realizes by the average entry depends on the trades before it. A trade that arrives late, found by a query
after a restart, is put where it belongs: the ones after it are undone and counted again.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal

from opensqt.market_maker.profit.ledger import ProfitLedger
from opensqt.model.immutable import immutable
from opensqt.model.order import Fill

KEPT = 1_000
"""Trades that a late one may be put before."""


@immutable
class CountedTrade:
    """A trade, and what it realized by the average entry."""

    fill: Fill
    foreign: bool
    """Whether no order of the grid made it."""
    realized: Decimal

    @property
    def key(self) -> tuple[int, int]:
        """The place in the venue's order."""
        return _place(self.fill)


class TradeSequence:
    """The last trades of a ledger.

    Args:
        counted: Those of an earlier run, in any order.
    """

    def __init__(self, counted: Iterable[CountedTrade] = ()) -> None:
        self._trades = sorted(counted, key=lambda trade: trade.key)

    @property
    def newest_ms(self) -> int:
        """Venue time of the newest trade; 0 without one."""
        return self._trades[-1].fill.event_time_ms if self._trades else 0

    def clear(self) -> None:
        """Forget the trades: a later one is not put before them any more."""
        self._trades.clear()

    def insert(
        self, ledger: ProfitLedger, fill: Fill, *, foreign: bool
    ) -> tuple[ProfitLedger, Decimal, list[CountedTrade]]:
        """Count a trade at its place.

        Returns:
            The ledger after it, what the trade realized, and those of the others that realize another amount now.
        """
        key, at = _place(fill), len(self._trades)
        if self._trades and key < self._trades[-1].key:
            at = bisect_right(self._trades, key, key=lambda known: known.key)
        later, self._trades = self._trades[at:], self._trades[:at] if at < len(self._trades) else self._trades
        for known in reversed(later):
            ledger = ledger.untraded(known.fill, foreign=known.foreign, realized=known.realized)
        ledger, realized = ledger.traded(fill, foreign=foreign)
        self._trades.append(CountedTrade(fill=fill, foreign=foreign, realized=realized))
        changed = []
        for known in later:
            ledger, again = ledger.traded(known.fill, foreign=known.foreign)
            self._trades.append(replace(known, realized=again))
            if again != known.realized:
                changed.append(self._trades[-1])
        if len(self._trades) > 2 * KEPT:
            del self._trades[:-KEPT]
        return ledger, realized, changed


def _place(fill: Fill) -> tuple[int, int]:
    """Return the place in the venue's order: time, then the trade id where it is a number."""
    trade_id = fill.trade_id
    return fill.event_time_ms, int(trade_id) if trade_id.isdecimal() else 0
