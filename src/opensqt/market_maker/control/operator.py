"""What a person has set of one grid: its pause, changed settings, and resets. It decides nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from opensqt.market_maker.control.preview import preview, put_in_force
from opensqt.market_maker.orders.events import (
    GridSettingsChanged,
    OperatorEvent,
    PauseChanged,
    PauseMode,
    ResetRequested,
)
from opensqt.market_maker.strategy.quoter import Permission
from opensqt.telemetry.logging import get_logger

if TYPE_CHECKING:
    from opensqt.market_maker.engine import GridEngine

_log = get_logger("market_maker.control")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reset:
    """One thing that `opensqt reset NAME` can reset. The part that it resets registers it in `Operator.resets`."""

    summary: str
    """What it does, in one sentence for a person."""
    preview: Callable[[], Mapping[str, Any]]
    """Returns what it would do, as JSON: numbers as text, lists of sentences."""
    apply: Callable[[float], None]
    """Does it; called by the engine with monotonic seconds."""
    refusal: Callable[[], str] = lambda: ""
    """Returns why it can't be done, as of the last preview; empty when it can."""


@dataclass(slots=True)
class Operator:
    """The commands of a person that are in force for one grid."""

    pause: PauseMode = PauseMode.NONE
    resets: dict[str, Reset] = field(default_factory=dict)
    replaced: set[str] = field(default_factory=set)
    """Client ids of live entries that changed settings want otherwise: they are cancelled."""

    def handle(self, engine: GridEngine, event: OperatorEvent, now: float) -> None:
        """Carry out one command."""
        match event:
            case PauseChanged(mode):
                self.pause = mode
                _log.warning("paused" if mode is not PauseMode.NONE else "pause lifted", mode=mode.value)
            case GridSettingsChanged():
                self._change(engine, event, now)
            case ResetRequested(name):
                if name in self.resets:
                    self.resets[name].apply(now)
        engine.orders.plan_dirty = True

    def limit(self, permission: Permission, engine: GridEngine) -> Permission:
        """Return *permission* as a person left it."""
        if self.pause is PauseMode.NONE and not self.replaced:
            return permission
        live = {order.client_order_id for order in engine.state.live_orders()}
        self.replaced &= live
        pulled = {*permission.pulled, *(live if self.pause is PauseMode.ALL else self.replaced)}
        if self.pause is PauseMode.NONE:
            return replace(permission, pulled=pulled)
        exits = permission.exits and self.pause is not PauseMode.ALL
        return replace(permission, buys=0, sells=0, exits=exits, pull_buys=True, pull_sells=True, pulled=pulled)

    def _change(self, engine: GridEngine, event: GridSettingsChanged, now: float) -> None:
        found = preview(engine, event, now)
        self.replaced |= {order.client_order_id for order in found.replaced}
        put_in_force(engine, event, now)
        engine.orders.margin_backoff.base_s = event.margin_lock_s
        engine.orders.margin_backoff.cap_s = 12 * event.margin_lock_s
        _log.warning("settings changed", replaced=len(self.replaced), effects=found.notes)
