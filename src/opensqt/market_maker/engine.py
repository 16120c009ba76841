"""The grid's decisions: events in, commands out. It never waits, never does I/O and holds all of the grid's state.

The caller feeds events to `handle`, then calls `decide`, then commits `state.take_changes()`, and only then carries
out the commands. So an intent is stored before it is sent and a fill before it is acted on.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum

from opensqt.market_maker.orders import reconcile
from opensqt.market_maker.orders.events import (
    Cancel,
    CancelAnswered,
    Command,
    Event,
    OrdersSeen,
    OrderTold,
    Place,
    Placed,
    PriceSeen,
    Reconcile,
    Reconciled,
    ReconcileFailed,
    StopAsked,
)
from opensqt.market_maker.orders.ids import OrderIds
from opensqt.market_maker.orders.lifecycle import OrderDesk
from opensqt.market_maker.orders.plan import Plan, plan
from opensqt.market_maker.orders.slots import LiveOrder, SlotEvent
from opensqt.market_maker.orders.state import GridState, Header, Stored
from opensqt.market_maker.strategy.grid.quotes import bucket
from opensqt.market_maker.strategy.grid.settings import GridSettings
from opensqt.market_maker.strategy.quoter import Permission, Wanted
from opensqt.model.market import Price
from opensqt.model.order import OrderRef, OrderRequest, PositionSide, Side, TimeInForce
from opensqt.model.venue import SymbolRules
from opensqt.service.backoff import BackoffTimer
from opensqt.telemetry.logging import get_logger

_log = get_logger("market_maker.engine")

OVERLAP_MS = 600_000
"""Fills are asked for from this long before the watermark: a venue's trade list may lag behind its stream."""
RECHECK_S = 5.0
"""A comparison that fills ran through is made again after this long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSettings:
    """What the engine has to know beyond the state. Times in seconds."""

    symbol: str
    strategy_id: str
    interval: Decimal
    grid: GridSettings
    position_side: PositionSide
    adopt_position: str
    reconcile_interval_s: float
    margin_lock_s: float
    price_max_age_s: float
    first_sequence: int
    """For a new database: above every sequence that an older, lost one can have used."""


class Phase(StrEnum):
    """Where the grid stands in its life."""

    STARTING = "STARTING"
    """Nothing is placed before the venue's state was compared once."""
    RUNNING = "RUNNING"
    STOPPING = "STOPPING"
    STOPPED = "STOPPED"


class Engine:
    """One grid on one symbol.

    Args:
        settings: See `EngineSettings`.
        rules: The venue's steps and minimums.
        stored: What the database holds.
        now: Monotonic seconds; every later `now` is of the same clock.
    """

    def __init__(self, settings: EngineSettings, rules: SymbolRules, stored: Stored, *, now: float) -> None:
        self.settings = settings
        self.rules = rules
        self.state = GridState(OrderIds(settings.strategy_id, settings.symbol), stored, now=now)
        self.desk = OrderDesk(self.state, settings.symbol, margin_lock_s=settings.margin_lock_s, now=now)
        self.phase = Phase.STARTING
        self.price: Price | None = None
        self.price_at = float("-inf")
        self.halted = ""
        """Why no buys are placed, in words; empty when they are."""
        self.reconciled_at: float | None = None
        self.reconcile_error = ""
        self.mismatch = reconcile.PositionWatch()
        self._reconciling = False
        self._reconcile_due = now
        self._reconcile_retry = BackoffTimer(base_s=1, cap_s=30)
        self._fills_before = 0
        self._newest_ms = stored.header.watermark_ms if stored.header else 0
        self._mark_ms = self._newest_ms
        self.missing_since: float | None = None
        """Since when the venue has told of more filled than we could count fills of; monotonic seconds."""
        self._missing_retry = BackoffTimer(base_s=0.3, cap_s=10)
        self._cancel_on_stop = False
        self._final = False
        self._bucket: tuple[int, ...] = ()
        self._look_again = now
        self._fresh = False

    def handle(self, event: Event, now: float) -> None:
        """Take in one event."""
        match event:
            case PriceSeen(price):
                self._see_price(price, now)
            case OrdersSeen(updates, gap):
                for update in updates:
                    self._newest_ms = max(self._newest_ms, update.order.event_time_ms)
                    if update.fill is not None:
                        self.desk.count(update.fill, now)
                    self.desk.take(update.order, now)
                if gap:
                    self._reconcile_by(now)
            case Placed(client_order_id, outcome):
                self.desk.placed(client_order_id, outcome, now)
            case CancelAnswered(client_order_id, outcome):
                self.desk.cancel_answered(client_order_id, outcome, now)
            case OrderTold(ref, outcome):
                self.desk.told(ref, outcome, now)
            case Reconciled():
                self._reconcile(event, now)
            case ReconcileFailed(error):
                self._reconciling = False
                self.reconcile_error = f"{error.reason}: {error.message}"
                wait = self._reconcile_retry.record_failure(now)
                self._reconcile_due = now + wait
                _log.warning(
                    "venue could not be asked; nothing is concluded", error=self.reconcile_error, again_in_s=wait
                )
            case StopAsked(cancel_orders):
                self.phase, self._cancel_on_stop = Phase.STOPPING, cancel_orders
                self.desk.news = True

    def decide(self, now: float) -> list[Command]:
        """Answer what to do now. Cheap when nothing has changed."""
        commands: list[Command] = [*self.desk.asks_due(now)]
        self._watch_fills(now)
        if self.desk.suspicious:
            self.desk.suspicious = False
            self._reconcile_by(now + 0.5)
        if self.phase is Phase.RUNNING and self._worth_a_look(now):
            commands += self._trade(now)
        elif self.phase is Phase.STOPPING:
            commands += self._wind_down(now)
        if self._reconcile_due <= now and not self._reconciling and self.state.header is not None:
            commands.append(self._ask_everything())
        return commands

    def _see_price(self, price: Price, now: float) -> None:
        if not 0 < price.bid <= price.ask:
            return  # one side of the book is empty, or the quote is torn: no price to trade on
        self.price, self.price_at = price, now
        if self.state.header is None:
            anchor = self.rules.round_price(price.mid)
            self._newest_ms = self._newest_ms or price.event_time_ms
            self._mark_ms = self._newest_ms
            self.state.set_header(
                Header(
                    anchor=anchor,
                    interval=self.settings.interval,
                    sequence=self.settings.first_sequence,
                    watermark_ms=self._newest_ms,
                )
            )
            _log.info("anchor set", anchor=str(anchor), interval=str(self.settings.interval))

    def _worth_a_look(self, now: float) -> bool:
        """Say whether anything changed that could change the plan."""
        grid = self.state.grid
        if grid is None or self.price is None:
            return False
        fresh = now - self.price_at <= self.settings.price_max_age_s
        now_in = bucket(grid, self.price, self.settings.grid)
        if not (self.desk.news or now_in != self._bucket or fresh != self._fresh or now >= self._look_again):
            return False
        self._bucket, self._fresh, self.desk.news = now_in, fresh, False
        return True

    def _trade(self, now: float) -> list[Command]:
        grid, price = self.state.grid, self.price
        if grid is None or price is None:
            return []
        wanted = plan(
            grid,
            self.state.slots,
            self.state.strays.values(),
            price,
            settings=self.settings.grid,
            rules=self.rules,
            permission=self._permission(now),
        )
        self._look_again = self.desk.next_due(now)
        return self._carry_out(wanted, now)

    def _permission(self, now: float) -> Permission:
        locked = self.desk.margin_backoff.until > now
        pull = bool(self.halted) or locked or not self._fresh
        may_place = self._fresh and self.desk.order_backoff.until <= now
        buys = 0 if pull or not may_place or self.mismatch.suspected else self.settings.grid.max_live
        if buys and self.desk.margin_backoff.failures:
            # After a want of margin one buy has to be taken before the others follow.
            pending = any(order.side is Side.BUY and order.status.is_in_flight for order in self.state.live_orders())
            buys = 0 if pending else 1
        return Permission(
            buys=buys,
            sells=may_place,
            pull_buys=pull,
            held_back={*self.desk.post_only_backoff.blocked(now), *self.desk.reject_backoff.blocked(now)},
            requoted=self.desk.post_only_backoff.failing(),
        )

    def _carry_out(self, wanted: Plan, now: float) -> list[Command]:
        commands: list[Command] = []
        waiting = self.desk.cancel_backoff.blocked(now)
        cancels = [order for order in wanted.cancels if order.client_order_id not in waiting]
        if cancels:
            commands.append(self._cancel(cancels))
        if wanted.places:
            commands.append(Place(tuple(self._intend(want, now) for want in wanted.places)))
        return commands

    def _cancel(self, orders: list[LiveOrder]) -> Cancel:
        symbol = self.settings.symbol
        self.desk.cancel_sent(orders)
        return Cancel(
            tuple(
                OrderRef(symbol=symbol, client_order_id=order.client_order_id, order_id=order.order_id)
                for order in orders
            )
        )

    def _intend(self, want: Wanted, now: float) -> OrderRequest:
        client_order_id = self.state.next_id(want.level, want.side)
        order = LiveOrder(
            client_order_id=client_order_id,
            level=want.level,
            side=want.side,
            price=want.price,
            quantity=want.quantity,
            since=now,
        )
        self.state.put(SlotEvent.PLACE, order)
        return OrderRequest(
            symbol=self.settings.symbol,
            side=want.side,
            quantity=want.quantity,
            client_order_id=client_order_id,
            price=want.price,
            time_in_force=TimeInForce.POST_ONLY,
            reduce_only=want.side is Side.SELL,
            position_side=self.settings.position_side,
        )

    def _wind_down(self, now: float) -> list[Command]:
        live = list(self.state.live_orders())
        commands: list[Command] = []
        if self._cancel_on_stop:
            waiting = self.desk.cancel_backoff.blocked(now)
            cancels = [
                order
                for order in live
                if order.status.is_open and not order.cancel_asked and order.client_order_id not in waiting
            ]
            if cancels:
                commands.append(self._cancel(cancels))
        open_ones = [order for order in live if self._cancel_on_stop or order.status.is_in_flight]
        if self.state.header is None:
            self.phase = Phase.STOPPED
        elif not open_ones and not self.desk.unnamed and not self._reconciling and not self._final:
            # The last look counts the fills that crossed the cancels.
            self._final = True
            self._reconcile_due = now
        return commands

    def _watch_fills(self, now: float) -> None:
        """Ask for fills that the venue told of and no stream brought."""
        if not self.desk.missing and not self.desk.unnamed:
            self.missing_since = None
            self._missing_retry.reset()
            return
        if self.missing_since is None:
            self.missing_since = now
            self._missing_retry.record_failure(now)
        elif self._missing_retry.until <= now and not self._reconciling:
            self._missing_retry.record_failure(now)
            self._reconcile_due = now

    def _reconcile_by(self, when: float) -> None:
        self._reconcile_due = min(self._reconcile_due, when)

    def _ask_everything(self) -> Reconcile:
        header = self.state.header
        self._reconciling = True
        self._reconcile_due = float("inf")
        self._fills_before = self.state.totals.fills
        self._mark_ms = self._newest_ms
        return Reconcile(max(0, (header.watermark_ms if header else 0) - OVERLAP_MS))

    def _reconcile(self, told: Reconciled, now: float) -> None:
        self._reconciling = False
        position = reconcile.held(told.positions, self.settings.symbol)
        if position is None:
            self.reconcile_error = f"the venue's positions leave {self.settings.symbol} out"
            self._reconcile_by(now + self._reconcile_retry.record_failure(now))
            return
        self._reconcile_retry.reset()
        self.reconcile_error = ""
        missed = sum(self.desk.count(fill, now) for fill in told.fills)
        if missed:
            _log.warning("fills counted that no stream told", fills=missed)
        self._compare_orders(told, now)
        if not self.desk.unnamed:
            self._advance_watermark()
        # A fill that came in while the venue was asked may or may not be in its answer: then nothing is concluded.
        if self.state.totals.fills == self._fills_before and not self.desk.unnamed:
            self._compare_position(position.quantity, position.entry_price, now)
            concluded = not self.mismatch.suspected or bool(self.halted)
        else:
            concluded = False
            self._reconcile_by(now + (0.3 if self.phase is Phase.STARTING else RECHECK_S))
        self.reconciled_at = now
        self._reconcile_by(now + self.settings.reconcile_interval_s)
        if self.phase is Phase.STARTING and concluded:
            self.phase = Phase.RUNNING
        elif self.phase is Phase.STOPPING and self._final:
            self.phase = Phase.STOPPED
        self.desk.news = True

    def _compare_orders(self, told: Reconciled, now: float) -> None:
        for order in told.open_orders:
            self.desk.take(order, now)
        there = {order.client_order_id for order in told.open_orders}
        for live in list(self.state.live_orders()):
            if live.status.is_open and live.client_order_id not in there:
                self.desk.ask(live, now)

    def _compare_position(self, venue: Decimal, entry_price: Decimal, now: float) -> None:
        was_halted = bool(self.halted)
        confirmed = self.mismatch.compare(venue, self.state.position)
        if not self.mismatch.suspected:
            self.halted = ""
            if was_halted:
                _log.warning("position explained again: trading goes on", position=str(venue))
            return
        if not confirmed:
            self._reconcile_by(now + 1)
            return
        more = self.mismatch.difference
        if self.settings.adopt_position == "levels" and self.phase is Phase.STARTING and more > 0:
            if self.mismatch.seen < reconcile.ADOPT_CONFIRMATIONS:
                self._reconcile_by(now + 1)
                return
            if self._adopt(more, entry_price):
                return
        self.halted = (
            f"the venue holds {venue} {self.rules.base_asset}, our levels explain {self.state.position};"
            " close the difference by hand" + ("" if more < 0 else ", or start again with app.adopt_position: levels")
        )
        if not was_halted:
            _log.error("position that no level explains: no more buys", venue=str(venue), ours=str(self.state.position))

    def _adopt(self, quantity: Decimal, entry_price: Decimal) -> bool:
        grid = self.state.grid
        if grid is None:
            return False
        slots = reconcile.lay_on_levels(grid, self.state.slots, quantity, entry_price, self.settings.grid, self.rules)
        if slots is None:
            return False
        self.state.adopt(slots)
        self.mismatch = reconcile.PositionWatch()
        self.halted = ""
        _log.warning("position laid on levels", quantity=str(quantity), levels=len(slots), entry_price=str(entry_price))
        return True

    def _advance_watermark(self) -> None:
        header = self.state.header
        if header is not None and self._mark_ms > header.watermark_ms:
            self.state.set_header(replace(header, watermark_ms=self._mark_ms))
