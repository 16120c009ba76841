"""The player of one recorded symbol: what was recorded happens again, at its time."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from opensqt.model.order import Side
from opensqt.simulator.engine.engine import SimEngine
from opensqt.simulator.market.participants import OutsideParticipants
from opensqt.simulator.market.recorded_book import RecordedBook
from opensqt.simulator.market.replay import Action, BookChange, Print, RateChange, Recording
from opensqt.simulator.settings import SymbolSettings

NEVER_MS = 2**62
"""The time of what does not happen any more."""


class Player:
    """Plays a recording: its trades, the changes of its book and its funding rates, each at its time."""

    def __init__(self, engine: SimEngine, rules: SymbolSettings, random: Random, recording: Recording) -> None:
        self._engine = engine
        self._symbol = rules.symbol
        self._actions: Iterator[Action] = recording.actions
        self.participants = OutsideParticipants(engine, rules, random, recording.start_price)
        self._side = Side.BUY
        self._last = self.participants.ticks(recording.start_price)
        self._traded = False
        self._book: RecordedBook | None = None
        self._rules = rules
        self.next: Action | None = next(self._actions)
        self.next_ms = recording.start_ms
        self._rest_ms = recording.rest_ms
        self.end_ms = recording.start_ms
        """Market time at which the recording ends, as far as it is known."""
        self.has_book = recording.has_book

    def act(self, *, paused: bool) -> None:
        """Do what is due and set `next_ms`; while paused, make no trades.

        Raises:
            ConfigError: The row after it is malformed.
        """
        now = self.next
        if now is None:
            return
        self.next = next(self._actions, None)
        self.end_ms = now.time_ms + self._rest_ms
        ended = self.participants.disturbances.expire(self.next_ms)
        self.next_ms = self.next.time_ms if self.next is not None else NEVER_MS
        match now:
            case BookChange():
                # The book is kept while paused, too: its rows are changes of what was before.
                self._change_book(now)
            case RateChange():
                self._engine.set_funding_rate(self._symbol, now.rate)
            case Print() if not paused:
                self._trade(now)
        if paused and ended:
            self.disturb()

    def disturb(self) -> None:
        """Show at once what was begun in the participants' disturbances."""
        if self._book is None:
            self.participants.requote_here()

    def _trade(self, now: Print) -> None:
        ticks = self.participants.ticks(now.price)
        if now.side is not None:
            self._side = now.side
        elif ticks != self._last:
            self._side = Side.BUY if ticks > self._last else Side.SELL
        self._last = ticks
        self._traded = True
        if self._book is not None:
            self._book.trade(now.price, now.quantity, self._side)
        else:
            self.participants.replay_trade(ticks, now.quantity, self._side)
        self._engine.set_mark(self._symbol, now.price)

    def _change_book(self, now: BookChange) -> None:
        if self._book is None:
            self.participants.leave()
            self._book = RecordedBook(self._engine, self._rules)
        self._book.change(now.changes)
        best = self._engine.best(self._symbol)
        if not self._traded and best.bid and best.ask:
            self._engine.set_mark(self._symbol, (best.bid + best.ask) / 2)
