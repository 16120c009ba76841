"""The grids of one process: several symbols over one connection and one database, each without the others' errors."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from opensqt.config.market_maker import MarketMakerSettings
from opensqt.market_maker.alerts.service import Alerts
from opensqt.market_maker.app import assemble_on, make_maker, settings_for
from opensqt.market_maker.control.service import Load, grid_commands, stored_commands
from opensqt.market_maker.control.several import SeveralCommands
from opensqt.market_maker.health import CONNECTING
from opensqt.market_maker.lease import trading_lease
from opensqt.market_maker.metrics import merged_text
from opensqt.market_maker.restart import RestartDelays, pull_orders
from opensqt.market_maker.service import MarketMaker, first_failure
from opensqt.market_maker.shared_exposure import SharedExposure
from opensqt.market_maker.store.control_state import load_control
from opensqt.market_maker.store.store import Store
from opensqt.model.errors import AccessError, ConfigError, ConnectorUnavailable, ExchangeError, TradingClaimed
from opensqt.model.exchange import Exchange
from opensqt.model.order import OrderRef
from opensqt.model.venue import ClaimRequest
from opensqt.service.stop import Stopped, unless_stopped
from opensqt.telemetry.logging import get_logger, redact

_log = get_logger("market_maker.portfolio")

RESTART_BASE_S = 1.0
_SUMMED = ("realized_pnl", "unrealized_pnl", "grid_profit", "fees", "volume")
"""Amounts of /status that are added over the grids, quote."""


@dataclass(slots=True)
class _Member:
    """One symbol, and how its market maker is."""

    settings: MarketMakerSettings
    maker: MarketMaker | None = None
    failure: str = CONNECTING
    """Why it does not trade; empty while it does."""
    left: list[str] = field(default_factory=list)
    """Client ids of orders whose end is not confirmed."""
    unsaved: bool = False
    settled: bool = False
    """Whether it has traded, or has shown why it can't."""
    again: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when it has to begin again before its delay is over."""
    replaced: bool = False
    """Whether another program trades it now."""

    @property
    def symbol(self) -> str:
        return self.settings.trading.symbol


class Portfolio:
    """Runs a market maker for each symbol. One that fails pulls its quotes and begins anew after a back-off.

    What ends all of them is the loss of the connection or of the right to use it. A grid that another program has taken
    over stays stopped.

    Args:
        settings: Of each symbol.
        exchange: Started; shared by all.
        store: Open, and holding each symbol.
        claim: Returns the claim of a symbol.
        alerts: Of the process.
        load: Reads the settings file again, of all symbols.
        take_venue: Symbols whose levels follow the venue's position at their start.
        restart_base_s: Delay after a grid's first failure; it doubles with each one in a row, to a minute.
    """

    def __init__(
        self,
        settings: Sequence[MarketMakerSettings],
        exchange: Exchange,
        store: Store,
        claim: Callable[[MarketMakerSettings], Awaitable[ClaimRequest]],
        *,
        alerts: Alerts,
        load: Load,
        take_venue: Collection[str] = (),
        restart_base_s: float = RESTART_BASE_S,
    ) -> None:
        self._grids = [_Member(one) for one in settings]
        self._exchange = exchange
        self._store = store
        self._claim = claim
        self._alerts = alerts
        self._load = load
        self._take_venue = set(take_venue)
        self._restart_base_s = restart_base_s
        self._shared = SharedExposure()
        self._trading = 0
        self._none_trades = asyncio.Event()
        self._all_settled = asyncio.Event()
        self.commands = SeveralCommands(
            self.symbols, store, status=self.status, reason=self._reason, reload=self._reload_failed
        )

    @property
    def symbols(self) -> list[str]:
        """The symbols, in the order of the settings."""
        return [grid.symbol for grid in self._grids]

    @property
    def left(self) -> list[str]:
        """Client ids of orders whose end the venue has not confirmed, after the end."""
        return [client_order_id for grid in self._grids for client_order_id in grid.left]

    @property
    def unsaved(self) -> bool:
        """Whether changes of a grid could not be stored before the end."""
        return any(grid.unsaved for grid in self._grids)

    @property
    def replaced(self) -> bool:
        """Whether another program trades every symbol now."""
        return all(grid.replaced for grid in self._grids)

    @property
    def failed(self) -> bool:
        """Whether a grid does not trade."""
        return any(grid.failure for grid in self._grids)

    def problems(self) -> list[str]:
        """Return the reasons why a grid is not healthy, each with its symbol; empty when all are."""
        found = [f"{grid.symbol}: {problem}" for grid in self._grids for problem in _problems(grid)]
        return [*found, *self._alerts.problems()]

    def status(self) -> dict[str, Any]:
        """Return all grids as JSON: each by its symbol, and what is summed over them."""
        grids = {grid.symbol: _status(grid) for grid in self._grids}
        return {
            "control": {"socket": self.commands.socket_path},
            "symbols": self.symbols,
            "grids": grids,
            "totals": {name: _sum(grids, name) for name in _SUMMED},
            "problems": self.problems(),
        }

    def status_of(self, symbol: str) -> dict[str, Any] | None:
        """Return one grid as JSON; None when it is not one of these."""
        return next((_status(grid) for grid in self._grids if grid.symbol == symbol), None)

    def maker(self, symbol: str) -> MarketMaker | None:
        """Return the market maker of a symbol; None while it does not trade."""
        return next((grid.maker for grid in self._grids if grid.symbol == symbol), None)

    def metrics_text(self) -> bytes:
        """Return the metrics of all grids in Prometheus' text format."""
        makers = [grid.maker.metrics for grid in self._grids if grid.maker is not None]
        return merged_text(makers, self._alerts.delivery.counts)

    async def run(self, stop: asyncio.Event, on_ready: Callable[[], None]) -> None:
        """Trade until *stop*.

        Args:
            stop: Set when it has to end.
            on_ready: Called once, when each grid trades or has shown why it can't.

        Raises:
            ConfigError: No grid could begin.
            ConnectorUnavailable: The exchange is lost for good.
            AccessError: This client may not use it any more; one that names a symbol stops that grid only.
        """
        try:
            async with asyncio.TaskGroup() as group:
                ready = group.create_task(self._announce(on_ready))
                grids = [group.create_task(self._keep(grid, stop), name=grid.symbol) for grid in self._grids]
                await asyncio.wait(grids)
                ready.cancel()
        except BaseExceptionGroup as failures:
            raise first_failure(failures) from None

    async def _announce(self, on_ready: Callable[[], None]) -> None:
        await self._all_settled.wait()
        if all(grid.failure and grid.maker is None for grid in self._grids):
            raise ConfigError("; ".join(f"{grid.symbol}: {grid.failure}" for grid in self._grids))
        on_ready()

    async def _keep(self, grid: _Member, stop: asyncio.Event) -> None:
        """Run one grid until *stop*, again and again when it fails."""
        delays = RestartDelays(self._restart_base_s, jitter=random.random)
        try:
            while not (stop.is_set() or grid.replaced):
                try:
                    await self._trade(grid, stop, lambda: delays.began(time.monotonic()))
                    return
                except (ConnectorUnavailable, Stopped):
                    raise
                except AccessError as error:
                    if error.symbol != grid.symbol:
                        raise
                    # This client may do all it did, but not with this symbol.
                    await self._fail(grid, f"{error.reason}: {error.message}")
                except TradingClaimed as error:
                    await self._replace(grid, error)
                    return
                except ConfigError as error:
                    await self._fail(grid, str(error))
                except (ExchangeError, SQLAlchemyError) as error:
                    await self._fail(grid, f"{type(error).__name__}: {error}")
                except (Exception, SystemExit, asyncio.CancelledError) as error:
                    # A defect in one grid must not take the others along, nor what its strategy raises to end itself.
                    if _is_cancelled():
                        raise
                    _log.exception("a grid failed unexpectedly", symbol=grid.symbol)
                    await self._fail(grid, f"unexpected {type(error).__name__}: {error}")
                await _wait(stop, grid.again, delays.next_s(time.monotonic()))
        except Stopped:
            return

    async def _trade(self, grid: _Member, stop: asyncio.Event, on_begin: Callable[[], None]) -> None:
        symbol, load = grid.symbol, partial(self._load_grid, grid.symbol)
        stored = await unless_stopped(stop, stored_commands(grid.settings, self._store, load))
        settings = stored[1]
        take_venue = "apply" if symbol in self._take_venue else ""
        claim = await self._claim(settings)

        def begins() -> None:
            grid.failure = ""
            self._take_venue.discard(symbol)
            on_begin()
            self._settle(grid)

        async with trading_lease(self._exchange, settings.system.lease_seconds, claim) as lease_exit:
            assembling = assemble_on(self._exchange, settings, self._store, take_venue=take_venue)
            setup = await unless_stopped(stop, assembling)
            if not setup.may_start:
                raise ConfigError(f"safety check: {setup.broken_text}; see market-maker --check")
            maker = make_maker(setup, settings, self._store, lease_exit.ask, shared=self._shared)
            # A pause that came while it did not trade is in the database.
            stored = (await load_control(self._store, symbol), *stored[1:])
            self.commands.grids[symbol] = grid_commands(
                maker, self._alerts, self._store, stored, load=load, to_engine=partial(settings_for, setup)
            )
            grid.maker = maker
            with self._counted():
                grid.left = await maker.run(stop, begins)
                grid.unsaved = maker.unsaved
            # All grids are one client with one lease: it is released when none of them has left an order.
            await self._none_trades.wait()
            lease_exit.keep_until_expiry = bool(self.left) and settings.system.cancel_on_exit

    @contextmanager
    def _counted(self) -> Iterator[None]:
        """Count a grid as one that trades while the block runs."""
        self._trading += 1
        self._none_trades.clear()
        try:
            yield
        finally:
            self._trading -= 1
            if not self._trading:
                self._none_trades.set()

    def _settle(self, grid: _Member) -> None:
        grid.settled = True
        if all(each.settled for each in self._grids):
            self._all_settled.set()

    async def _fail(self, grid: _Member, reason: str) -> None:
        """Note why a grid does not trade, and cancel its orders: nobody watches them until it begins again."""
        grid.failure = redact(reason)
        self._settle(grid)
        _log.error("a grid does not trade", symbol=grid.symbol, reason=grid.failure)
        self.commands.grids.pop(grid.symbol, None)
        maker, grid.maker = grid.maker, None
        if maker is None:
            return
        try:
            await self._pull(grid, maker)
        except ConnectorUnavailable:
            raise
        except Exception as error:  # noqa: BLE001 - it concerns this grid only
            _log.exception("a grid's orders could not be cancelled", symbol=grid.symbol)
            grid.failure += f"; its orders could not be cancelled: {redact(f'{type(error).__name__}: {error}')}"

    async def _pull(self, grid: _Member, maker: MarketMaker) -> None:
        """Cancel the orders of a grid that failed, if it is still ours."""
        try:
            await maker.right.confirm()
        except TradingClaimed as error:
            await self._replace(grid, error)
            return
        except ExchangeError as error:
            grid.failure += f"; its orders stay, for nobody can say who trades it now: {redact(error.message)}"
            return
        live = [order for order in maker.engine.state.live_orders() if not order.status.is_closed]
        refs = [
            OrderRef(symbol=grid.symbol, client_order_id=order.client_order_id, order_id=order.order_id)
            for order in live
        ]
        if not refs:
            self._shared.remove(grid.symbol)
            return
        left = await pull_orders(self._exchange, refs, max_batch=maker.max_batch)
        if left:
            grid.failure += f"; {len(left)} of its orders could not be cancelled: {redact(next(iter(left.values())))}"
        else:
            self._shared.remove(grid.symbol)

    async def _replace(self, grid: _Member, error: TradingClaimed) -> None:
        """Note that another program trades the grid. The orders are that program's now: nothing is cancelled."""
        grid.replaced, grid.maker = True, None
        self._shared.remove(grid.symbol)
        await self._fail(grid, f"{error.message}; restart it to take part again")

    def _load_grid(self, symbol: str, overrides: Mapping[str, str]) -> MarketMakerSettings:
        """Return the settings of one grid from the file, with what was changed while it ran.

        Raises:
            ConfigError: The file is wrong, or the symbol is not in it any more.
        """
        for key in overrides:
            if not key.startswith("trading."):
                raise ConfigError(
                    f"{key}: belongs to the whole process, and several symbols trade in it; change the settings file"
                    " and send SIGHUP"
                )
        return self._load({}).grid(symbol, overrides)

    def _reload_failed(self) -> None:
        """Read the settings again of the grids that don't trade, and have them begin at once."""
        for grid in self._grids:
            if not grid.failure:
                continue
            try:
                grid.settings = self._load_grid(grid.symbol, {})
            except ConfigError as error:
                _log.error("settings not taken up", symbol=grid.symbol, reason=str(error))
            else:
                grid.again.set()

    def _reason(self, symbol: str) -> str:
        return next((grid.failure for grid in self._grids if grid.symbol == symbol), "")


def _is_cancelled() -> bool:
    """Return whether this task is to end: a strategy's own code may raise what says so, too."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _problems(grid: _Member) -> list[str]:
    if grid.maker is None or grid.failure:
        return [f"does not trade: {grid.failure}" if grid.failure not in ("", CONNECTING) else CONNECTING]
    try:
        return grid.maker.problems()
    except Exception as error:  # noqa: BLE001 - the others' problems must be seen
        return [_unreadable(error)]


def _status(grid: _Member) -> dict[str, Any]:
    if grid.maker is None:
        return {"symbol": grid.symbol, "phase": "CONNECTING", "problems": _problems(grid)}
    try:
        return grid.maker.status()
    except Exception as error:  # noqa: BLE001 - the others' state must be seen
        return {"symbol": grid.symbol, "phase": grid.maker.engine.phase.value, "problems": [_unreadable(error)]}


def _unreadable(error: Exception) -> str:
    return redact(f"its state can't be shown: {type(error).__name__}: {error}")


def _sum(grids: Mapping[str, Mapping[str, Any]], name: str) -> str:
    amounts = [Decimal(status[name]) for status in grids.values() if status.get(name) is not None]
    return format(sum(amounts, Decimal(0)), "f")


async def _wait(stop: asyncio.Event, again: asyncio.Event, seconds: float) -> None:
    """Wait so long, or until *stop* or *again*."""
    again.clear()
    waits = [asyncio.create_task(event.wait()) for event in (stop, again)]
    try:
        await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for each in waits:
            each.cancel()
