"""One backtest: market data and the market maker's own engine, on a virtual clock that only the data moves."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from opensqt.backtest.venue import BacktestVenue, symbol_rules
from opensqt.config.market_maker import MarketMakerSettings
from opensqt.market_maker.app import build_engine
from opensqt.market_maker.engine_settings import Phase
from opensqt.market_maker.orders.events import Cancel, Command, Event, MonitorSymbolMissing
from opensqt.market_maker.orders.stored import Stored
from opensqt.market_maker.risk.ladder import AccountInputs
from opensqt.market_maker.strategy.price_inputs import InputName
from opensqt.model.account import PositionMode
from opensqt.model.errors import ConfigError
from opensqt.simulator.market.market import open_market
from opensqt.simulator.settings import SimulatorSettings

_SAMPLE_MS = 60_000
"""Market time between two looks at the equity, for the drawdown."""
_MOST_ROUNDS = 1_000
"""Decisions at one instant; more would be a grid that answers itself."""


@dataclass(slots=True)
class Result:
    """What a backtest came to. Money is in quote, quantities are in base coins."""

    symbol: str
    mode: str
    risk_control: bool = True
    start_ms: int = 0
    end_ms: int = 0
    start_price: Decimal = Decimal(0)
    end_price: Decimal = Decimal(0)
    round_trips: int = 0
    """Closing orders that were filled whole."""
    orders: int = 0
    fills: int = 0
    volume: Decimal = Decimal(0)
    realized: Decimal = Decimal(0)
    """Before fees, as the venue reports it."""
    unrealized: Decimal = Decimal(0)
    """At the mark price."""
    fees: Decimal = Decimal(0)
    funding: Decimal = Decimal(0)
    """Received; below zero was paid."""
    drawdown: Decimal = Decimal(0)
    """The largest fall of the equity from its peak."""
    halted_s: float = 0.0
    """Market seconds during which the grid placed no entries though it had a price."""
    position: Decimal = Decimal(0)
    largest_position: Decimal = Decimal(0)
    start_equity: Decimal = Decimal(0)
    end_equity: Decimal = Decimal(0)
    liquidations: int = 0
    stops: dict[str, int] = field(default_factory=dict)
    """How often each rule of risk control began to stop entries."""
    price_holds: int = 0
    """How often the price was not trusted for a time."""
    differences: list[str] = field(default_factory=list)
    """Where the grid's own sums are not those of the venue's ledger; empty when all agree."""

    @property
    def profit(self) -> Decimal:
        """Change of the equity."""
        return self.end_equity - self.start_equity


@dataclass(slots=True)
class Trace:
    """What happened in a backtest, for a picture. Times are UTC epoch milliseconds of the market."""

    prices: list[tuple[int, Decimal]] = field(default_factory=list)
    """The middle of bid and ask, after each move of the market."""
    fills: list[tuple[int, str, Decimal]] = field(default_factory=list)
    """Time, BUY or SELL, and price."""
    positions: list[tuple[int, Decimal]] = field(default_factory=list)
    """Base coins held after each fill."""
    orders: list[tuple[str, Decimal, int, int | None]] = field(default_factory=list)
    """BUY or SELL, price, and the times of an order's beginning and end; None while it is open."""


class Backtest:
    """A market maker on one market.

    Args:
        settings: Of the market maker; the exchange and the database in them are not used.
        market: Of the simulated venue. Its clock is made a manual one.
        trace: Takes in what happens, if it is wanted.

    Raises:
        ConfigError: The recording can't be read, the venue does not trade the symbol, or the settings break a rule of
            the safety check, so that there would be no entries.
    """

    def __init__(self, settings: MarketMakerSettings, market: SimulatorSettings, *, trace: Trace | None = None) -> None:
        trading = settings.trading
        found = tuple(rules for rules in market.symbols if rules.symbol == trading.symbol)
        played = market.replay is not None or trading.symbol in market.replays
        if not found and not played:
            known = ", ".join(rules.symbol for rules in market.symbols)
            raise ConfigError(f"trading.symbol {trading.symbol}: expected one that the simulated venue trades: {known}")
        # The other symbols would only take time; a recorded one without rules gets them from its recording.
        own = {"clock": "manual", "symbols": found, "replay_symbol": trading.symbol}
        self._market = open_market(market.model_copy(update=own))
        self._engine = self._market.engine
        self.notes = self._market.notes
        """What was assumed about the recording, a sentence each."""
        self.start_ms = self._engine.now_ms()
        """Market time at the start, UTC epoch milliseconds."""
        self._events: deque[Event] = deque()
        self._closing: set[str] = set()
        self._trace = trace
        self._venue = BacktestVenue(
            self._engine,
            trading.symbol,
            self._events.append,
            watched=settings.risk_control.interval if settings.risk_control.enabled else None,
            ranged=trading.volatility_candles if trading.dynamic_interval else None,
        )
        hedge = self._engine.position_mode(self._venue.account) is PositionMode.HEDGE
        rules = symbol_rules(market, self._engine.symbol(trading.symbol))
        self._grid = build_engine(
            settings,
            rules,
            Stored(),
            self._inputs(market),
            hedge=hedge,
            names=frozenset(InputName),
            real_time=False,
            now=0.0,
            now_ms=self.start_ms,
        )
        self._grid.risk.quiet = True
        for watched in self._grid.risk.settings.monitor.symbols:
            if watched != trading.symbol:
                self._events.append(MonitorSymbolMissing(watched, "the backtest plays one symbol"))
        if (safety := self._grid.risk.entry_check) is not None and safety.reason:
            raise ConfigError(f"safety check: {safety.reason}")
        self._symbol = trading.symbol
        self._result = Result(
            symbol=trading.symbol,
            mode=trading.grid_mode if trading.strategy == "grid" else trading.strategy,
            risk_control=settings.risk_control.enabled,
            start_ms=self.start_ms,
        )
        self._peak = self._equity()
        self._result.start_equity = self._peak
        self._result.start_price = self._venue.price().mid
        self._sample_at = self.start_ms
        self._last_ms = self.start_ms

    def run(self, until_ms: int | None = None) -> Result:
        """Play the market to its end.

        Args:
            until_ms: Market time at which it ends, UTC epoch milliseconds; needed where a generated market has no end.

        Raises:
            ValueError: A generated market without *until_ms*.
            ConfigError: A row of the recording is malformed.
        """
        if until_ms is None and not self._market.settings.recorded:
            raise ValueError("until_ms: a generated market has no end of its own")
        self._events.extend(self._venue.past_candles())
        self._events.extend(self._venue.prices())
        self._react()
        while not self._market.finished and (until_ms is None or self._market.next_ms <= until_ms):
            self._market.advance(max(0, self._market.next_ms - self._market.clock.market_ms()))
            self._react()
            self._measure()
        return self._close()

    @property
    def _now(self) -> float:
        return (self._engine.now_ms() - self.start_ms) / 1000

    def _react(self) -> None:
        """Hand over what happened, and carry out what is decided, until nothing happens any more."""
        now = self._now
        for _ in range(_MOST_ROUNDS):
            while self._events:
                self._grid.handle(self._events.popleft(), now)
            commands = self._grid.decide(now)
            self._closing |= {
                counted.fill.order_id for counted in self._grid.state.take_changes().fills if counted.profit
            }
            if not commands:
                return
            for command in cancels_first(commands):
                self._venue.carry_out(command)
        raise RuntimeError(f"the grid does not come to rest at {self._engine.now_ms()} ms")

    def _measure(self) -> None:
        now_ms, result = self._engine.now_ms(), self._result
        if self._trace is not None:
            self._trace.prices.append((now_ms, self._venue.price().mid))
        stopped = self._grid.halt_reason or self._grid.risk.triggered()
        if stopped or self._grid.phase is not Phase.RUNNING:
            result.halted_s += (now_ms - self._last_ms) / 1000
        self._last_ms = now_ms
        result.largest_position = max(result.largest_position, abs(self._grid.state.position))
        if now_ms >= self._sample_at:
            self._sample_at = now_ms + _SAMPLE_MS
            equity = self._equity()
            self._peak = max(self._peak, equity)
            result.drawdown = max(result.drawdown, self._peak - equity)

    def _inputs(self, market: SimulatorSettings) -> AccountInputs:
        return AccountInputs(
            price=self._venue.price().mid,
            available=self._engine.balance(self._venue.account).available_balance,
            leverage=Decimal(market.leverage),
            fee_rate=market.maker_fee,
            held_levels=0,
        )

    def _equity(self) -> Decimal:
        return self._engine.balance(self._venue.account).margin_balance

    def _close(self) -> Result:
        engine, result, account = self._engine, self._result, self._venue.account
        balance = engine.balance(account)
        fills = engine.fills(account, self._symbol)
        orders = engine.orders(account, self._symbol)
        result.end_ms = engine.now_ms()
        result.end_price = self._venue.price().mid
        result.orders = len(orders)
        result.fills = len(fills)
        result.volume = sum((fill.notional for fill in fills), Decimal(0))
        result.realized, result.fees, result.funding = balance.realized_pnl, balance.fees, balance.funding
        result.unrealized, result.end_equity = balance.unrealized_pnl, balance.margin_balance
        result.position = sum((view.quantity for view in engine.positions(account, self._symbol)), Decimal(0))
        result.round_trips = sum(1 for order in orders if order.order_id in self._closing and not order.remaining)
        result.liquidations = len({fill.order_id for fill in fills if fill.client_order_id.startswith("autoclose-")})
        result.stops = dict(sorted(self._grid.risk.triggers.items()))
        result.price_holds = self._grid.prices.holds
        result.differences = self._differences()
        if self._trace is not None:
            self._complete(self._trace)
        return result

    def _complete(self, trace: Trace) -> None:
        held = Decimal(0)
        for fill in self._engine.fills(self._venue.account, self._symbol):
            held += fill.side.sign * fill.quantity
            trace.fills.append((fill.time_ms, fill.side.value, fill.price))
            trace.positions.append((fill.time_ms, held))
        for order in self._engine.orders(self._venue.account, self._symbol):
            if order.price is not None:
                closed = order.updated_ms if order.status.is_closed else None
                trace.orders.append((order.side.value, order.price, order.created_ms, closed))

    def _differences(self) -> list[str]:
        """Return where the grid's sums differ from the ledger's."""
        totals, result, quote = self._grid.state.totals, self._result, self._grid.rules.quote_asset
        compared = (
            ("position", self._grid.state.position, result.position),
            ("fills", Decimal(totals.fills), Decimal(result.fills)),
            ("volume", totals.volume, result.volume),
            ("fees", totals.fees.get(quote, Decimal(0)), result.fees),
            ("realized profit", totals.realized_pnl, result.realized),
        )
        found = [f"{name}: {ours}, the ledger has {theirs}" for name, ours, theirs in compared if ours != theirs]
        if result.profit != result.realized + result.unrealized - result.fees + result.funding:
            found.append("the parts of the profit are not the change of the equity")
        if duplicates := self._engine.duplicate_client_order_ids(self._venue.account):
            found.append(f"client order ids used twice: {duplicates}")
        return found


def cancels_first(commands: Sequence[Command]) -> list[Command]:
    """Return the commands in the order in which they are carried out."""
    return sorted(commands, key=lambda command: not isinstance(command, Cancel))
