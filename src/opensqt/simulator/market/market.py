"""The market around the accounts: advances generated or recorded outside flow as market time passes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from decimal import Decimal
from random import Random
from typing import Protocol

from opensqt.model.errors import ConfigError
from opensqt.model.order import Side
from opensqt.simulator.clock import SimulatorClock
from opensqt.simulator.engine.engine import SimEngine
from opensqt.simulator.engine.order import RefusalReason, Refused
from opensqt.simulator.market.participants import OutsideParticipants
from opensqt.simulator.market.path import PricePath
from opensqt.simulator.market.player import NEVER_MS, Player
from opensqt.simulator.market.replay import Recording, open_files, open_recording
from opensqt.simulator.market.rules_file import recorded_rules
from opensqt.simulator.market.symbols import coarse_step, recorded_symbol
from opensqt.simulator.settings import SimulatorSettings, SymbolSettings

_INTERVAL_MS = 70
"""Market time between two moves of a generated symbol, on average."""
_INTERVAL_BESIDE_RECORDING_MS = 5_000
"""The same, of a symbol that is generated beside a recording. Never of the speed: at any speed a ledger is the same."""
_PAST_VOLUME = 3_400
"""Typical quotes traded in a minute of the generated past; measured from the trades of the outside participants."""
_FUNDING_RATES = (-50, 250)
"""Millionths: range of the funding rate of the generated market, drawn anew for each funding period."""
_MILLIONTH = Decimal("0.000001")
_SLICE_S = 0.02
"""Maximum time that catching up may block the event loop."""
_FURTHEST = Decimal("0.5")
"""A disturbance is nearer than this share of the price."""
_REST_S = 0.05
"""Maximum time between two reads of the clock."""
_QUOTE = "quote (USDT)"
_SAY = "say --volume base or --volume quote"


class _PriceSource(Protocol):
    """The source that moves one symbol."""

    next_ms: int
    """Market time of its next action."""

    participants: OutsideParticipants

    def act(self, *, paused: bool) -> None:
        """Do what is due and set `next_ms`; while paused, skip it."""

    def disturb(self) -> None:
        """Show at once what was begun in the participants' disturbances."""


class _Generator:
    """Moves a symbol along its generated path."""

    def __init__(
        self, engine: SimEngine, rules: SymbolSettings, random: Random, start_ms: int, interval_ms: int
    ) -> None:
        self._engine = engine
        self._symbol = rules.symbol
        self._random = random
        self._interval_ms = interval_ms
        past_minutes = engine.settings.past_minutes
        self._funding_period = -1
        self.participants = OutsideParticipants(engine, rules, random, rules.start_price)
        self._centre = self.participants.ticks(rules.start_price)
        self._path = PricePath(random, self.participants.ticks(rules.start_price), rules.volatility_bps, interval_ms)
        typical = rules.touch_notional / rules.start_price * _PAST_VOLUME
        engine.remember(
            rules.symbol,
            self._path.past(past_minutes, start_ms, rules.price_step, typical, rules.quantity_step),
        )
        self.next_ms = start_ms + interval_ms

    def act(self, *, paused: bool) -> None:
        period = self.next_ms // self._engine.funding_interval_ms
        if period != self._funding_period:
            self._funding_period = period
            self._engine.set_funding_rate(self._symbol, self._random.randint(*_FUNDING_RATES) * _MILLIONTH)
        ended = self.participants.disturbances.expire(self.next_ms)
        self.next_ms += self._random.randint(self._interval_ms // 2, self._interval_ms * 3 // 2)
        if paused:
            if ended:
                self.disturb()
            return
        self._centre = self._path.move()
        self.disturb()
        if not self._random.randrange(3):
            self.participants.trade_small()
        self._engine.set_mark(self._symbol, self._centre * self.participants.tick)

    def disturb(self) -> None:
        # The mark stays with the path: a flash move is one of this book alone.
        shift = self.participants.disturbances.shift
        self.participants.move_to(self._centre + int(self._centre * shift))


class Market:
    """The market of one venue. Make it with `open_market`."""

    def __init__(
        self,
        settings: SimulatorSettings,
        clock: SimulatorClock,
        engine: SimEngine,
        recordings: Mapping[str, Recording] | None = None,
        notes: Sequence[str] = (),
    ) -> None:
        self.settings = settings
        self.clock = clock
        self.engine = engine
        self.notes = tuple(notes)
        """What was assumed about a recording, a sentence each, for whoever plays it."""
        self.finished = False
        """Whether a recording was played to its end; quotes then stay as they are, and a clock that runs stands."""
        self._paused: set[str] = set()
        self._round = asyncio.Event()
        self._players: dict[str, Player] = {}
        recordings = recordings or {}
        self._sources: dict[str, _PriceSource] = {}
        start_ms = engine.now_ms()
        usual = _INTERVAL_MS if not recordings else _INTERVAL_BESIDE_RECORDING_MS
        interval_ms = settings.move_interval_ms or usual
        for rules in settings.symbols:
            random = Random(f"{settings.seed}:{rules.symbol}")  # noqa: S311 - chance that can be repeated is the point
            if (recording := recordings.get(rules.symbol)) is not None:
                self._sources[rules.symbol] = self._players[rules.symbol] = Player(engine, rules, random, recording)
                past = (bar for bar in recording.history if bar.open_time_ms < start_ms)
                engine.remember(rules.symbol, past)
            else:
                self._sources[rules.symbol] = _Generator(engine, rules, random, start_ms, interval_ms)
        engine.publish()
        self._show_played()

    async def run(self) -> None:
        """Advance the market with its clock, until cancelled.

        Raises:
            ConfigError: A row of the recording is malformed; file, line, column and value are named.
        """
        if self.clock.manual:
            await asyncio.Event().wait()
        while True:
            until_ms = min(self.clock.due_ms(), self._end_ms())
            enough = time.monotonic() + _SLICE_S
            late = False
            while self._step_instant(until_ms):
                if late := time.monotonic() > enough:
                    break
            self._show_played()
            if not late:
                self._rest(min(until_ms, self._end_ms()))
            self._round.set()
            self._round = asyncio.Event()
            await asyncio.sleep(0 if late else self._pause_s())

    async def run_until(self, market_ms: int) -> None:
        """Let the clock run up to a market time and return when it stands still there, or the recording is over.

        Raises:
            ValueError: The clock is manual, or the time is over.
        """
        self.clock.run_until(market_ms)
        while self.clock.market_ms() < market_ms and not self.ended:
            await self._round.wait()
        self._rest(self.clock.market_ms())

    @property
    def ended(self) -> bool:
        """Whether a recording was played to its end, and market time stands still there."""
        return self.finished and not self.clock.manual and self.engine.now_ms() >= self._end_ms()

    @property
    def next_ms(self) -> int:
        """Market time of the next action of any symbol, UTC epoch milliseconds."""
        return self._sources[self._next()].next_ms

    def step(self, until_ms: int) -> None:
        """Execute everything that is due until then."""
        while self._step_instant(until_ms):
            pass
        self._rest(until_ms)

    def advance(self, milliseconds: int) -> None:
        """Advance a manual clock, and execute everything that is due then.

        Raises:
            ValueError: The clock is live, or the step is below zero.
        """
        self.step(self.clock.advance(milliseconds))

    def send_outside_order(self, symbol: str, side: Side, quantity: Decimal, price: Decimal | None = None) -> Decimal:
        """Send an order of an outside participant at once.

        Args:
            symbol: Canonical.
            side: BUY takes asks, SELL takes bids.
            quantity: Base coins.
            price: Limit of the order; the remainder rests there. Without it the order is a market order.

        Returns:
            The filled quantity.

        Raises:
            Refused: UNKNOWN_SYMBOL, or INVALID for a quantity or price that is not above zero or off its step.
        """
        rules = self.engine.symbol(symbol)
        _check_step("quantity", quantity, rules.quantity_step)
        if price is not None:
            _check_step("price", price, rules.price_step)
        self.engine.advance(self.clock.market_ms())
        if price is None:
            filled = self.engine.trade_outside(symbol, side, quantity)
        else:
            rests = self.engine.quote_outside(symbol, side, price, quantity)
            filled = quantity - self.engine.outside_quantity(symbol, rests)
        self.engine.publish()
        return filled

    def open_hole(self, symbol: str, side: Side, distance: Decimal, for_ms: int) -> None:
        """Take one side of the book away: for a time the best quote of outside participants is that much further away.

        Args:
            symbol: Canonical.
            side: BUY takes the bids away, SELL the asks. Orders of the accounts stay.
            distance: Share of the price, 0.02 is 2 %.
            for_ms: Market time.

        Raises:
            Refused: UNKNOWN_SYMBOL.
            ValueError: The book is recorded, or the distance or the time is out of range.
        """
        source = self._disturbed(symbol, distance, for_ms)
        self._check_generated_book(symbol)
        source.participants.disturbances.open_hole(side, distance, self.engine.now_ms() + for_ms)
        source.disturb()
        self.engine.publish()

    def sweep(self, symbol: str, side: Side, distance: Decimal, for_ms: int = 0) -> Decimal:
        """Take everything on one side of the book up to a distance at once, as one large order does.

        Args:
            symbol: Canonical.
            side: The taker's: BUY takes the asks.
            distance: Share of the price.
            for_ms: Market time for which the side stays empty up to there; 0 has it quoted again with the next move.

        Returns:
            The quantity that was traded, base coins.

        Raises:
            Refused: UNKNOWN_SYMBOL.
            ValueError: The distance or the time is out of range.
        """
        source = self._disturbed(symbol, distance, for_ms)
        if for_ms:
            self._check_generated_book(symbol)
        filled = source.participants.sweep(side, distance)
        if for_ms:
            source.participants.disturbances.open_hole(side.opposite, distance, self.engine.now_ms() + for_ms)
            source.disturb()
        self.engine.publish()
        return filled

    def flash_move(self, symbol: str, side: Side, distance: Decimal, for_ms: int) -> None:
        """Move book and trades away from the mark at once, and back after a time. Only in a generated market.

        Args:
            symbol: Canonical.
            side: BUY is up.
            distance: Share of the price.
            for_ms: Market time.

        Raises:
            Refused: UNKNOWN_SYMBOL.
            ValueError: The symbol is played from a recording, or the distance or the time is out of range.
        """
        source = self._disturbed(symbol, distance, for_ms)
        if symbol in self._players:
            raise ValueError(f"symbol {symbol}: expected a generated one, this one is played from a recording")
        source.participants.disturbances.move(side.sign * distance, self.engine.now_ms() + for_ms)
        source.disturb()
        self.engine.publish()

    def pause(self, symbol: str) -> None:
        """Stop the generator or the recording in a symbol; quotes stay as they are."""
        self._paused.add(self.engine.symbol(symbol).symbol)

    def resume(self, symbol: str) -> None:
        """Continue; what the pause skipped stays skipped."""
        self._paused.discard(self.engine.symbol(symbol).symbol)

    def _disturbed(self, symbol: str, distance: Decimal, for_ms: int) -> _PriceSource:
        source = self._sources[self.engine.symbol(symbol).symbol]
        if not 0 < distance < _FURTHEST:
            raise ValueError(f"distance {distance}: expected above 0 and below {_FURTHEST}, a share of the price")
        if for_ms < 0:
            raise ValueError(f"for_ms {for_ms}: expected zero or above")
        self.engine.advance(self.clock.market_ms())
        return source

    def _check_generated_book(self, symbol: str) -> None:
        if symbol in self._players and self._players[symbol].has_book:
            raise ValueError(f"symbol {symbol}: expected one whose book is generated, this one's is recorded")

    def _next(self) -> str:
        return min(self._sources, key=lambda symbol: self._sources[symbol].next_ms)

    def _step_instant(self, until_ms: int) -> bool:
        """Execute all actions of the next instant, if it is due; return whether one was due.

        An instant is executed whole, so that no request comes between two trades of one millisecond.
        """
        if self.finished or (instant_ms := self.next_ms) > until_ms:
            return False
        while not self.finished and (symbol := self._next()) and self._sources[symbol].next_ms == instant_ms:
            self.engine.advance(instant_ms)
            self._sources[symbol].act(paused=symbol in self._paused)
            self.engine.publish()
            self.finished = self._all_played()
        return True

    def _show_played(self) -> None:
        self.clock.played_ms = self._end_ms() if self.finished else self.next_ms - 1

    def _end_ms(self) -> int:
        """Return the market time at which time ends: with the recording, once its last trade was played."""
        if not self.finished:
            return NEVER_MS
        return max(player.end_ms for player in self._players.values())

    def _all_played(self) -> bool:
        return bool(self._players) and all(player.next is None for player in self._players.values())

    def _rest(self, until_ms: int) -> None:
        """Advance time where no action is due any longer: candles close, funding is paid."""
        self.engine.advance(until_ms)
        self.engine.publish()

    def _pause_s(self) -> float:
        if self.finished:
            return _REST_S
        due_ms = self._sources[self._next()].next_ms - self.clock.market_ms()
        return min(_REST_S, max(0.001, due_ms / 1000 / float(self.clock.speed)))


def open_market(settings: SimulatorSettings) -> Market:
    """Make clock, engine and market from the settings; the books are quoted when it returns.

    Raises:
        ConfigError: The recording can't be read, has an unknown layout, or its first rows are malformed.
    """
    recordings: dict[str, Recording] = {}
    notes: list[str] = []
    start_ms = settings.start_ms
    if settings.recorded:
        if start_ms is not None:
            raise ConfigError(f"start_ms {start_ms}: expected none with a recording, which has its own time")
        settings, recordings = _recorded(settings, notes)
        start_ms = min(recording.start_ms for recording in recordings.values())
    if not settings.symbols:
        raise ConfigError("symbols: expected at least one")
    clock = SimulatorClock(
        start_ms=start_ms, speed=settings.speed, manual=settings.clock == "manual", held=settings.clock == "held"
    )
    return Market(settings, clock, SimEngine(settings, clock), recordings, notes)


def _recorded(settings: SimulatorSettings, notes: list[str]) -> tuple[SimulatorSettings, dict[str, Recording]]:
    """Return the recordings, and the settings with their symbols and start prices."""
    symbols = {rules.symbol: rules for rules in settings.symbols}
    built_in = SimulatorSettings().symbols
    recordings = {}
    for symbol, paths in settings.recorded.items():
        files = open_files(symbol, paths, settings.replay_volume)
        notes += [f"{file.path}: volume is taken as {_QUOTE}; {_SAY}" for file in files if file.volume_assumed]
        rules = symbols.get(symbol)
        if rules is None or rules in built_in:
            rules = recorded_rules(symbol, paths) or rules
        if rules is None:
            rules = recorded_symbol(symbol, files)
        elif note := coarse_step(rules, files):
            notes.append(note)
        recordings[symbol] = open_recording(files, rules, settings.replay_history)
        symbols[symbol] = rules.model_copy(update={"start_price": recordings[symbol].start_price})
    return settings.model_copy(update={"symbols": tuple(symbols.values())}), recordings


def _check_step(name: str, value: Decimal, step: Decimal) -> None:
    if not value.is_finite() or value <= 0 or value % step:
        raise Refused(RefusalReason.INVALID, f"{name} {value}: expected above zero and a multiple of {step}")
