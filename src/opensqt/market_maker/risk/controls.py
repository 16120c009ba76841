"""The risk controls of one grid: every limit, what they allow together, what they report, and what a restart needs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from decimal import Decimal
from typing import Any

from opensqt.market_maker.risk import exposure
from opensqt.market_maker.risk.breaker import CircuitBreaker
from opensqt.market_maker.risk.entry_check import EntryCheck
from opensqt.market_maker.risk.exposure import Allowance, Held
from opensqt.market_maker.risk.gate import NO_LIMITS, EntryLimits
from opensqt.market_maker.risk.ladder import equity
from opensqt.market_maker.risk.live_entries import LiveEntries
from opensqt.market_maker.risk.losses import LossLimits
from opensqt.market_maker.risk.monitor import VolumeMonitor
from opensqt.market_maker.risk.reduce import AutoReduce
from opensqt.market_maker.risk.settings import RiskLimits
from opensqt.model.account import Account, Position
from opensqt.model.market import Candle
from opensqt.model.order import Side
from opensqt.model.venue import SymbolRules
from opensqt.telemetry.logging import get_logger

_log = get_logger("market_maker.risk")

STORE_EVERY_S = 30.0
"""Seconds between two records of the equity; a limit that is reached is stored at once."""
CHECK_EVERY_S = 0.25
"""Seconds between two looks at the clock for the end of a cool-down."""


class RiskControls:
    """Takes the events that concern risk, and limits the entries of its grid.

    Args:
        limits: The limits.
        entry_check: The safety check; None checks nothing.
        symbol: Of the grid.
        now: Monotonic seconds.
        now_ms: UTC epoch milliseconds at *now*.
    """

    def __init__(
        self,
        limits: RiskLimits | None = None,
        entry_check: EntryCheck | None = None,
        *,
        symbol: str = "",
        now: float = 0.0,
        now_ms: int = 0,
    ) -> None:
        self.settings = limits or RiskLimits()
        self.entry_check = entry_check
        self.breaker = CircuitBreaker(self.settings.breaker)
        self.losses = LossLimits(self.settings.losses)
        self.monitor = VolumeMonitor(self.settings.monitor)
        self.reduce = AutoReduce(self.settings.reduce)
        self.account = exposure.AccountExposure()
        self.allowances: dict[Side, Allowance] = {}
        """What the limits on what is held allowed of each side at the last plan."""
        self.entries: dict[Side, LiveEntries] | None = None
        """The live entries, from the first time on that a limit on what is held was near."""
        self.triggers: dict[str, int] = {}
        """How often each rule began to stop entries."""
        self.fills_seen = 0
        """Fills that were counted as of the last step."""
        self.quiet = False
        """Whether what begins and ends is logged at debug level only, as where the sums say it."""
        self.is_trial = False
        """Whether this is a copy that only shows what would be."""
        self.changed = False
        """Whether anything happened that could change the limits; reset by the owner."""
        self._symbol = symbol
        self._offset_ms = now_ms - now * 1000
        self._other_values: dict[tuple[str, str], Decimal] = {}
        self._grids_held: dict[str, Decimal] = {}
        self._before: dict[str, str] = {}
        self._checked_at = float("-inf")
        self._stored_at = float("-inf")
        self._stored: dict[str, Any] = {}
        self._urgent = False

    def utc_ms(self, now: float) -> int:
        """Return the UTC epoch milliseconds at *now*."""
        return int(self._offset_ms + now * 1000)

    def on_account(self, account: Account, now: float, now_ms: int | None = None) -> None:
        """Take in the account: wallet and equity."""
        if now_ms is not None:
            self._offset_ms = now_ms - now * 1000
        at = self.utc_ms(now)
        total = equity(account)
        wallet = total - account.unrealized_pnl
        before = self.account.wallet
        if before is None or abs(wallet - before) * 1000 > abs(before):
            self.account = replace(self.account, wallet=wallet)
            self.changed = True
        self.losses.on_equity(total, at)
        self.breaker.on_equity(total, at)
        self._note(now)

    def on_position(self, position: Position) -> bool:
        """Take in a position from the stream, and return whether the venue has to be queried."""
        if position.symbol != self._symbol:
            price = position.entry_price if position.mark_price is None else position.mark_price
            key = (position.symbol, position.position_side.value)
            self._other_values[key] = abs(position.quantity) * price
            self._add_others()
            return False
        due = self.entry_check is not None and self.entry_check.on_position(position)
        self.changed = self.changed or due
        return due

    def on_other_grids(self, grids: Mapping[str, exposure.OtherGrid]) -> None:
        """Take in what the other grids of the process hold and may come to hold, by symbol."""
        self._grids_held = {symbol: grid.held for symbol, grid in grids.items()}
        self.account = replace(self.account, other_grids=tuple(grids.values()))
        self.changed = True
        self._add_others()

    def on_reconciled(
        self,
        account: Account | None,
        position: Position,
        price: Decimal | None,
        rules: SymbolRules,
        *,
        held_levels: int,
        now: float,
    ) -> None:
        """Take in a comparison with the venue; None is what could not be queried."""
        if account is not None:
            self.on_account(account, now)
        if self.entry_check is None:
            return
        if account is None or price is None:
            self.on_position(position)
        else:
            self.entry_check.on_reconciled(account, position, price, rules, held_levels=held_levels)
        self._note(now)

    def on_candles(self, candles: Iterable[Candle], now: float) -> None:
        """Take in candles of the watched symbols."""
        self.monitor.on_candles(candles, self.utc_ms(now))
        self._note(now)

    def on_missing(self, symbol: str, reason: str) -> None:
        """Leave a symbol out of the monitor."""
        self._log("warning", "symbol is not watched", symbol=symbol, reason=reason)
        self.monitor.on_missing(symbol, reason)

    def on_exit(self, client_order_id: str, profit: Decimal, now: float) -> None:
        """Take in a fill of an exit."""
        self.breaker.on_exit(client_order_id, profit, self.utc_ms(now))
        self._note(now)

    def on_outcome(self, *, refused: bool, now: float) -> None:
        """Take in that the venue took or refused an order."""
        self.breaker.on_outcome(refused, self.utc_ms(now))
        self._note(now)

    def on_latency(self, milliseconds: float, now: float) -> None:
        """Take in how long a call took that places orders."""
        self.breaker.on_latency(milliseconds, self.utc_ms(now))
        self._note(now)

    def on_time(self, now: float) -> None:
        """End what is over."""
        if now - self._checked_at < CHECK_EVERY_S:
            return
        self._checked_at = now
        at = self.utc_ms(now)
        self.breaker.on_time(at)
        self.losses.on_time(at)
        self.monitor.on_time(at)
        self._note(now)

    def on_reduction(self, oldest: Sequence[int], used: Decimal, what: str, now: float) -> None:
        """Begin or end a reduction of the oldest levels.

        Args:
            oldest: The levels that hold something, oldest first.
            used: Part of the limit on what is held that is used.
            what: The limit.
            now: Monotonic seconds.
        """
        if self.reduce.update(oldest, used, what, self.utc_ms(now)) and not self.is_trial:
            self._urgent = True
            self._log("warning", "reduction of the oldest levels", plan=self.reduce.reason or "done")

    def change(self, limits: RiskLimits, now: float) -> None:
        """Take over other limits; they are in force at once."""
        self.settings = limits
        self.breaker.change(limits.breaker)
        self.losses.change(limits.losses, self.utc_ms(now))
        self.monitor.change(limits.monitor)
        self.reduce.change(limits.reduce)
        self.changed = True
        self._note(now)

    def trial(self) -> RiskControls:
        """Return a copy that shows what other limits would do. It logs nothing."""
        copied = deepcopy(self, {id(self.entries): None})
        copied.is_trial = True
        return copied

    def reset(self, now: float) -> None:
        """Close the breaker, and end the alarm and the limits on losses, so that entries begin again.

        The safety check and the limits on what is held are no states, so that nothing of them is reset.
        """
        self.breaker.reset()
        self.losses.reset()
        self.monitor.reset()
        self.reduce.reset()
        self._note(now)

    def limits(self, sides: Mapping[Side, Held] | None = None, *, occupied: int | None = None) -> EntryLimits:
        """Return what is allowed of entries now.

        Args:
            sides: What is held and what may come to it, by the side of the entries; None where no limit is near.
            occupied: See `exposure.allow`.
        """
        triggered = self.triggered()
        if sides is None:
            self.allowances = {}
            return EntryLimits(reasons=tuple(triggered.values())) if triggered else NO_LIMITS
        self.allowances = exposure.allow(sides, self.settings.exposure, self.account, occupied=occupied)
        return EntryLimits(
            reasons=tuple(triggered.values()),
            new={side: each.new for side, each in self.allowances.items() if each.new is not None},
            beyond=[name for each in self.allowances.values() for name in each.beyond],
        )

    def triggered(self) -> dict[str, str]:
        """Return the reason by rule of each limit that keeps all entries away."""
        found = {}
        if self.entry_check is not None and (reason := self.entry_check.reason):
            found["safety_check"] = reason
        if self.breaker.reason:
            found["circuit_breaker"] = self.breaker.reason
        if self.monitor.reason:
            found["risk_monitor"] = self.monitor.reason
        return found | self.losses.triggered() if self.losses.day_reason or self.losses.peak_reason else found

    def restore(self, text: str) -> None:
        """Begin with what an earlier run stored."""
        if not text:
            return
        stored = json.loads(text)
        self.breaker.restore(stored.get("breaker", {}))
        self.losses.restore(stored.get("losses", {}))
        self.reduce.restore(stored.get("reduce", {}))
        self._before = self.triggered()

    def take_stored(self, now: float) -> str | None:
        """Return what has to be stored for a restart; None while that is stored already, or is not urgent."""
        if not self._urgent and now - self._stored_at < STORE_EVERY_S:
            return None
        self._urgent, self._stored_at = False, now
        stored = {
            "breaker": self.breaker.stored(),
            "losses": self.losses.stored(),
            "reduce": self.reduce.stored(),
        }
        if stored == self._stored:
            return None
        self._stored = stored
        return json.dumps(stored, sort_keys=True)

    def _add_others(self) -> None:
        """Sum what is held in other symbols."""
        held: dict[str, Decimal] = {}
        for (symbol, _), value in self._other_values.items():
            held[symbol] = held.get(symbol, Decimal(0)) + value
        for symbol, value in self._grids_held.items():
            # A fill may be counted by the grid before the venue's position has it, or after.
            held[symbol] = max(held.get(symbol, Decimal(0)), value)
        others = sum(held.values(), Decimal(0))
        self.changed = self.changed or others != self.account.others
        self.account = replace(self.account, others=others)

    def _note(self, now: float) -> None:
        """Log what began and what ended, and have it stored."""
        found = self.triggered()
        if found.keys() == self._before.keys() or self.is_trial:
            return
        for rule in found.keys() - self._before.keys():
            self.triggers[rule] = self.triggers.get(rule, 0) + 1
            self._log("error", "entries are stopped and cancelled; exits go on", rule=rule, reason=found[rule])
        for rule in self._before.keys() - found.keys():
            self._log("warning", "a rule allows entries again", rule=rule)
        self._before = found
        self.changed = self._urgent = True

    def _log(self, level: str, event: str, **values: object) -> None:
        getattr(_log, "debug" if self.quiet else level)(event, **values)
