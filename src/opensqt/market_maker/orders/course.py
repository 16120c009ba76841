"""What the whole grid does by price, profit and volatility: wait, trade, stop, or move to another interval."""

from __future__ import annotations

from copy import copy
from dataclasses import replace
from decimal import Decimal

from opensqt.market_maker.orders.state import GridState
from opensqt.market_maker.strategy.grid.geometry import Grid
from opensqt.market_maker.strategy.quoter import Permission
from opensqt.market_maker.strategy.triggers import Closing, StartTrigger, TriggerSettings
from opensqt.market_maker.strategy.volatility import Volatility, VolatilitySettings
from opensqt.telemetry.logging import get_logger

_log = get_logger("market_maker.course")


class GridCourse:
    """The triggers of a grid and its dynamic interval.

    A stop is stored, and a restart keeps it. It ends when its trigger is removed from the settings or set to another
    value.

    Args:
        state: Keeps the stop.
        triggers: By price and by profit.
        volatility: The candles that the interval follows; None leaves it as it is.
        interval: The smallest interval, that of the settings.
    """

    def __init__(
        self,
        state: GridState,
        triggers: TriggerSettings,
        volatility: VolatilitySettings | None,
        interval: Decimal,
    ) -> None:
        self._state = state
        self._interval = interval
        self.volatility = Volatility(volatility)
        self._start = StartTrigger(triggers.start_price, started=state.totals.orders_placed > 0)
        self._triggers = TriggerSettings()
        self._stops: tuple[str, ...] = ()
        stopped = self.stopped
        self._set_triggers(triggers)
        if stopped and not self.stopped:
            _log.warning("the trigger that stopped the grid is set no more: it trades again", was=stopped)

    @property
    def stopped(self) -> str:
        """Which trigger has stopped the grid, and why; empty while it trades."""
        return self._state.stopped

    @property
    def waiting(self) -> bool:
        """Whether the start price was not crossed yet."""
        return self._start.waiting

    @property
    def unwinding(self) -> Closing | None:
        """How what is held is closed after a stop; None while the grid offers it where it belongs."""
        closes = self.stopped and self._triggers.closing is not Closing.KEEP
        return self._triggers.closing if closes else None

    def change(self, triggers: TriggerSettings) -> None:
        """Take over other triggers. A start price counts while the grid has not traded."""
        if triggers.start_price != self._triggers.start_price and not self._state.totals.orders_placed:
            self._start = StartTrigger(triggers.start_price, started=False)
        self._set_triggers(triggers)

    def trial(self, state: GridState) -> GridCourse:
        """Return a copy on a copied state, which shows what other triggers would do."""
        copied = copy(self)
        copied._state = state
        return copied

    def stop_reason(self, price: Decimal) -> str:
        """Return which trigger would stop the grid at a price, and why; empty for none, or while it waits."""
        if not self._stops or self._start.waiting or self._state.stopped or self._state.header is None:
            return ""
        ledger = self._state.accounting.ledger
        return self._triggers.stop_reason(price, ledger.total(price) if ledger is not None else None)

    def advance(self, price: Decimal) -> bool:
        """Take in the reference price, and return whether that has started or stopped the grid."""
        started = self._start.waiting and self._start.advance(price)
        reason = self.stop_reason(price)
        header = self._state.header if reason else None
        if header is None:
            return started
        self._state.set_header(replace(header, stopped=reason))
        _log.error("the grid is stopped", reason=reason, closing=self._triggers.closing.value)
        return True

    def moved_interval(self, grid: Grid, price: Decimal) -> Decimal | None:
        """Return the interval that the grid has to be moved to; None to leave it."""
        return self.volatility.moved_interval(grid, self._interval, price)

    def apply(self, permission: Permission) -> Permission:
        """Return *permission* without entries while the grid waits or is stopped."""
        if not self._state.stopped and not self._start.waiting:
            return permission
        return replace(permission, buys=0, sells=0, pull_buys=True, pull_sells=True)

    def problems(self) -> list[str]:
        """Return why there are no entries, for a person to act on; empty when there are."""
        if not self.stopped:
            return []
        return [f"stopped: {self.stopped}; change or remove that key of trading to trade on"]

    def _set_triggers(self, triggers: TriggerSettings) -> None:
        self._triggers, self._stops = triggers, triggers.named()
        header = self._state.header
        if header is not None and header.stopped and not header.stopped.startswith(self._stops):
            self._state.set_header(replace(header, stopped=""))
