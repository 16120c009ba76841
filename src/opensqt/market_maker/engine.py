"""The grid's decisions: events in, commands out. It never waits, never does I/O and holds all of the grid's state.

The owner hands events to `handle`, then calls `decide`, then commits `state.take_changes()`, and only then carries
out the commands. So an intent is stored before it is sent and a fill before it is acted on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from opensqt.market_maker import entry_limits
from opensqt.market_maker.control.operator import Operator
from opensqt.market_maker.engine_settings import EngineSettings, Phase
from opensqt.market_maker.orders import reconcile
from opensqt.market_maker.orders.accounting import Accounting
from opensqt.market_maker.orders.course import GridCourse
from opensqt.market_maker.orders.events import (
    AssetPriced,
    CancelResult,
    Command,
    Event,
    FundingBatch,
    FundingListed,
    GridSettingsChanged,
    MarkUpdate,
    MinuteBegan,
    OrderBatch,
    OrderBookUpdate,
    OrderQueried,
    PauseChanged,
    PlaceAbandoned,
    PlaceResult,
    PriceUpdate,
    RangeCandles,
    ReadRules,
    Reconcile,
    Reconciled,
    ReconcileFailed,
    ResetRequested,
    RulesRead,
    StopRequested,
    StoreChanged,
    TakeVenue,
    TradeUpdate,
)
from opensqt.market_maker.orders.held_exits import HOLD_CHECK_S, held_exits
from opensqt.market_maker.orders.ids import OrderIds
from opensqt.market_maker.orders.lifecycle import OrderLifecycle
from opensqt.market_maker.orders.outgoing import Outgoing
from opensqt.market_maker.orders.planner import Plan, Planner
from opensqt.market_maker.orders.plausible import Plausibility
from opensqt.market_maker.orders.recovery import trusted
from opensqt.market_maker.orders.slots import Slot
from opensqt.market_maker.orders.state import GridState
from opensqt.market_maker.orders.stored import Header, Stored
from opensqt.market_maker.orders.takeover import take_venue, within_position
from opensqt.market_maker.risk import gate
from opensqt.market_maker.risk.controls import RiskControls
from opensqt.market_maker.strategy.grid.settings import GridSettings
from opensqt.market_maker.strategy.quoter import MarketState, Permission, Quoter
from opensqt.market_maker.strategy.reference import PriceGuard
from opensqt.market_maker.strategy.triggers import Closing
from opensqt.market_maker.strategy.unwind import UnwindQuoter
from opensqt.model.order import PositionSide
from opensqt.model.venue import SymbolRules
from opensqt.service.backoff import BackoffTimer
from opensqt.telemetry.logging import get_logger

_log = get_logger("market_maker.engine")

OVERLAP_MS = 600_000
"""Fills are queried from this long before the watermark: a venue's trade list may be older than its stream."""
RECHECK_S = 5.0
"""Seconds until a comparison is repeated during which fills arrived."""


class GridEngine:
    """One grid on one symbol.

    Args:
        settings: See `EngineSettings`.
        rules: The venue's steps and minimums.
        stored: What the database holds.
        now: Monotonic seconds; every later `now` is of the same clock.
        risk: Limits the entries; None limits nothing.
    """

    def __init__(
        self,
        settings: EngineSettings,
        rules: SymbolRules,
        stored: Stored,
        *,
        now: float,
        risk: RiskControls | None = None,
    ) -> None:
        stored = trusted(stored, sequence=settings.first_sequence)
        self.settings = settings
        self.plausible = Plausibility(settings.first_sequence, now)
        self.risk = risk or RiskControls()
        self.operator = Operator()
        self.rules = rules
        accounting = Accounting(
            stored.accounting,
            symbol=settings.symbol,
            quote_asset=rules.quote_asset,
            position_sides=reconcile.position_sides(settings.grid.mode),
            now=now,
        )
        ids = OrderIds(settings.strategy_id, settings.symbol)
        self.state = GridState(ids, stored, accounting, now=now, price_step=rules.price_step)
        self.orders = OrderLifecycle(
            self.state,
            settings.symbol,
            quote_asset=rules.quote_asset,
            margin_lock_s=settings.margin_lock_s,
            now=now,
        )
        self._outgoing = Outgoing(
            self.state,
            self.orders,
            settings.symbol,
            settings.grid.mode,
            hedged=settings.position_side is not PositionSide.BOTH,
        )
        self.course = GridCourse(self.state, settings.triggers, settings.volatility, settings.interval)
        self.phase = Phase.STARTING
        self.prices = PriceGuard(
            settings.symbol,
            settings.reference,
            expected=settings.price_inputs,
            real_time=settings.real_time,
            now=now,
        )
        self.halt_reason = ""
        """Reason why no buys are placed; empty when they are."""
        self.store_problem = ""
        """Reason why no intent can be stored, so that nothing is placed; empty while it can."""
        self.reconciled_at: float | None = None
        self.reconcile_error = ""
        self.mismatch = reconcile.PositionCheck()
        self.takeover = ""
        """What the last `TakeVenue` changed, or would have changed, in lines for a person."""
        self.takeover_possible = True
        self._venue = Decimal(0), Decimal(0)
        """The position at the venue and its entry price, as of the last comparison."""
        self._reconciling = False
        self._reconcile_due = now
        self._reconcile_retry = BackoffTimer(base_s=1, cap_s=30)
        self._fills_before = 0
        self._newest_ms = stored.header.watermark_ms if stored.header else 0
        self._mark_ms = self._newest_ms
        self.missing_since: float | None = None
        """Since when the venue has reported more filled than there are counted fills; monotonic seconds."""
        self._missing_retry = BackoffTimer(base_s=0.3, cap_s=10)
        self._cancel_on_stop = False
        self._final = False
        self.planner: Planner[Any] | None = None
        self._limits: tuple[object, ...] = ()
        """The limits of the prices that the last plan was made for."""
        self._replan_at = now
        self._fresh = False
        self._before_anchor: list[OrderBatch] = []

    def handle(self, event: Event, now: float) -> None:
        """Handle one event."""
        self.plausible.advance(now)
        self.state.accounting.tick(now)
        match event:
            case PriceUpdate() | OrderBookUpdate() | TradeUpdate() | MarkUpdate():
                self.prices.take(event, now)
            case OrderBatch() if self.state.header is None:
                # The orders of an earlier run with another database: what level they are of is known with the anchor.
                self._before_anchor.append(event)
            case OrderBatch(updates, gap):
                for update in updates:
                    self._note_time(update.order.event_time_ms, update.order.received_ns)
                    if update.fill is not None:
                        self.orders.apply_fill(update.fill, now)
                    self.orders.apply_order(update.order, now)
                if gap:
                    self._reconcile_by(now)
            case PlaceResult(client_order_id, outcome):
                self.orders.on_place_result(client_order_id, outcome, now)
                entry_limits.count_outcome(self.risk, outcome, now)
            case CancelResult(client_order_id, outcome):
                self.orders.on_cancel_result(client_order_id, outcome, now)
            case OrderQueried(ref, outcome):
                self.orders.on_query_result(ref, outcome, now)
            case Reconciled():
                self._reconcile(event, now)
            case ReconcileFailed(error):
                self._reconciling = False
                self.reconcile_error = f"{error.reason}: {error.message}"
                delay_s = self._reconcile_retry.record_failure(now)
                self._reconcile_due = now + delay_s
                _log.warning(
                    "venue could not be queried; nothing is concluded", error=self.reconcile_error, next_in_s=delay_s
                )
            case RulesRead(rules):
                self._on_rules(rules, now)
            case StoreChanged(problem):
                self.store_problem = problem
                self.orders.plan_dirty = True
            case TakeVenue(preview):
                self._take_venue(preview=preview)
            case PlaceAbandoned(client_order_ids):
                for client_order_id in client_order_ids:
                    self.orders.abandon(client_order_id)
            case FundingBatch() | FundingListed() | AssetPriced() | MinuteBegan():
                self.state.account_for(event, now)
            case RangeCandles(candles):
                self.course.volatility.on_candles(candles)
            case PauseChanged() | GridSettingsChanged() | ResetRequested():
                self.operator.handle(self, event, now)
            case StopRequested(cancel_orders):
                self.phase, self._cancel_on_stop = Phase.STOPPING, cancel_orders
                self.orders.plan_dirty = True
            case _:
                if entry_limits.handle(self.risk, event, now):
                    self._reconcile_by(now)

    def decide(self, now: float) -> list[Command]:
        """Return the commands to carry out now. Cheap when nothing has changed."""
        self.state.accounting.tick(now)
        self._update_price(now)
        commands: list[Command] = [*self.orders.take_due_queries(now)]
        if self.orders.missing_fills or self.orders.unmatched_fills or self.missing_since is not None:
            self._check_missing_fills(now)
        entry_limits.observe(self.risk, self.state, now)
        if self.orders.needs_reconcile:
            self.orders.needs_reconcile = False
            self._reconcile_by(now + 0.5)
        if self.orders.rules_refresh.take_due(now):
            commands.append(ReadRules())
        running = self.phase is Phase.RUNNING
        if running:
            commands += self._trade(now)
        elif self.phase is Phase.STOPPING:
            commands += self._shut_down(now)
        if self._reconcile_due <= now and not self._reconciling and self.state.header is not None:
            commands.append(self._start_reconcile())
        if running:
            commands += self.state.accounting.take_commands(now)
        return commands

    @property
    def market(self) -> MarketState | None:
        """The market as of the last price that is trusted; None before the first."""
        return self.prices.market

    @property
    def price_at(self) -> float:
        """Receipt of the newest inputs that are enough for a price; monotonic seconds."""
        return self.prices.informed_at

    def _update_price(self, now: float) -> None:
        grid, market = self.state.grid, self.prices.market
        level = grid.interval_at(market.reference) if grid is not None and market is not None else None
        newer = self.prices.update(self.state.own_orders, level or self.settings.interval, now)
        self.state.accounting.mark = self.prices.fresh_mark(now)
        market = self.prices.market
        if not newer or market is None:
            return
        newest = self.prices.data.newest
        self.state.accounting.on_price(market.reference, newest.event_time_ms if newest else 0)
        if grid is None:
            anchor = self.settings.anchor or self.rules.round_price(market.reference)
            if newest is not None:
                self._note_time(newest.event_time_ms if not self._newest_ms else 0, newest.received_ns)
            self._mark_ms = self._newest_ms
            self.state.set_header(
                Header(
                    anchor=anchor,
                    interval=self.settings.interval,
                    sequence=self.settings.first_sequence,
                    watermark_ms=self._newest_ms,
                    geometric=self.settings.geometric,
                )
            )
            self.state.accounting.begin(self._newest_ms)
            _log.info("anchor set", anchor=str(anchor), interval=str(self.settings.interval))
            batches, self._before_anchor = self._before_anchor, []
            for batch in batches:
                self.handle(batch, now)

    def _on_rules(self, rules: SymbolRules | None, now: float) -> None:
        """Take over the venue's symbol rules, and check at once whether the grid fits them."""
        if rules is None or not self.plausible.takes_rules(rules) or rules == self.rules:
            return
        _log.warning("symbol rules changed at the venue", rules=str(rules))
        self.rules, self.planner = rules, None
        self.orders.on_rules_changed()
        self._reconcile_by(now)

    def _trade(self, now: float) -> list[Command]:
        """Return the commands that the newest price and slots lead to; none when nothing changed that matters."""
        grid, market = self.state.grid, self.prices.market
        if grid is None:
            return []
        if market is None:
            return self._trade_without_price(now)
        ranges = self.course.volatility.average_range is not None
        market = self._with_volatility(market) if ranges else market
        if self.course.advance(market.reference):
            self.planner, self.orders.plan_dirty = None, True
        interval = self.course.moved_interval(grid, market.reference) if ranges else None
        if interval is not None and not self.orders.unmatched_fills and self.prices.hold is None:
            if self.state.live_orders():
                return self._outgoing.cancel_all(now)
            _log.info("interval moved by volatility", interval=str(interval), was=str(grid.interval))
            self.state.rescale(interval)
            self.planner, self.orders.plan_dirty = None, True
        planner = self.planner = self.planner or self.make_planner(self.settings.grid, self.state)
        if planner is None:
            return []
        fresh = now - self.prices.informed_at <= self.settings.price_max_age_s
        frame = planner.quoter.frame(market, self.state)
        limits = self.prices.limits(self.state.grid or grid)
        moved = planner.is_moved_by(frame)
        due = moved or self.orders.plan_dirty or self.risk.changed or now >= self._replan_at or limits != self._limits
        if not due and fresh == self._fresh:
            return []
        self._limits = limits
        self._fresh, self.orders.plan_dirty, self.risk.changed = fresh, False, False
        permission = self.permission(market, now)
        return self._commands(planner.plan(frame, permission, moved=moved), permission, market.reference, now)

    def _trade_without_price(self, now: float) -> list[Command]:
        """Return the commands before the first price that is trusted: exits, when it is not there for long."""
        if not self.orders.plan_dirty and now < self._replan_at:
            return []
        self.orders.plan_dirty = False
        return self._commands(Plan(), self.permission(None, now), Decimal(0), now)

    def _commands(self, plan: Plan, permission: Permission, price: Decimal, now: float) -> list[Command]:
        """Return the commands of a plan, with the exits that a price which is held does not keep away."""
        self._replan_at = self.orders.next_due(now)
        if permission.hold:
            exits = held_exits(self.state, self.rules, self.prices, permission, self.settings.grid, now)
            plan, self._replan_at = replace(plan, places=exits), min(self._replan_at, now + HOLD_CHECK_S)
        if self.halt_reason:
            plan = within_position(plan, self.state, self._venue[0], price, self.rules)
        return self._outgoing.commands(plan, now)

    def make_planner(self, settings: GridSettings, state: GridState) -> Planner[Any] | None:
        """Return a planner of the grid; None before the anchor is known."""
        grid, closing = state.grid, self.course.unwinding
        if grid is None:
            return None
        quoter: Quoter[Any] = self.settings.quoter(grid, settings, self.rules)
        if closing is not None:
            quoter = UnwindQuoter(self.rules, taker=closing is Closing.TAKER)
        return Planner(
            quoter,
            state,
            self.rules,
            max_open_orders=settings.max_open_orders,
            cleanup_batch=settings.cleanup_batch,
            price_range=self.settings.price_range,
        )

    def quoting_market(self) -> MarketState | None:
        """Return the market as the strategy sees it; None before the first price."""
        return self._with_volatility(self.market) if self.market is not None else None

    def _with_volatility(self, market: MarketState) -> MarketState:
        volatility = self.course.volatility.average_range
        return market if market.volatility == volatility else replace(market, volatility=volatility)

    def permission(self, market: MarketState | None, now: float) -> Permission:
        """Return the orders that may be placed and kept now."""
        held = self.prices.hold is not None
        locked = self.orders.margin_backoff.until > now
        pull = bool(self.halt_reason or self.store_problem) or locked or not self._fresh
        may_send = not self.store_problem and self.orders.order_backoff.until <= now
        entries = 0 if pull or held or not may_send or self.mismatch.suspected else self.settings.grid.max_open_orders
        if entries and self.orders.margin_backoff.failures:
            # After insufficient margin one entry has to be accepted before the others follow.
            entries = 0 if self.orders.awaits_entry() else 1
        permission = Permission(
            buys=entries,
            sells=entries,
            exits=may_send and (self._fresh or held),
            pull_buys=pull,
            pull_sells=pull,
            backed_off=self.orders.backed_off(now),
            hold=held,
            requoted=self.orders.post_only_backoff.failing,
        )
        permission = self.orders.limit_tries(permission, now)
        if market is not None:
            limits = entry_limits.limits(self.risk, self.state, market, self.settings.grid, now, hold=held)
            permission = gate.apply(self.course.apply(permission), limits)
        return self.operator.limit(permission, self)

    def _shut_down(self, now: float) -> list[Command]:
        commands: list[Command] = []
        awaited = len(self.state.in_flight)
        if self._cancel_on_stop:
            awaited = len(self.state.live_orders())
            commands += self._outgoing.cancel_all(now)
        if self.state.header is None:
            self.phase = Phase.STOPPED
        elif not awaited and not self.orders.unmatched_fills and not self._reconciling and not self._final:
            # The final comparison counts the fills that crossed the cancels.
            self._final = True
            self._reconcile_due = now
        return commands

    def _check_missing_fills(self, now: float) -> None:
        """Start a comparison when fills are missing that the venue has reported."""
        if not self.orders.missing_fills and not self.orders.unmatched_fills:
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

    def _start_reconcile(self) -> Reconcile:
        header = self.state.header
        self._reconciling = True
        self._reconcile_due = float("inf")
        self._fills_before = self.state.totals.fills
        self._mark_ms = self._newest_ms
        return Reconcile(max(0, (header.watermark_ms if header else 0) - OVERLAP_MS))

    def _reconcile(self, venue: Reconciled, now: float) -> None:
        self._reconciling = False
        position = reconcile.grid_position(venue.positions, self.settings.symbol, self.settings.grid.mode)
        if position is None:
            self.reconcile_error = f"the venue's positions leave {self.settings.symbol} out"
            self._reconcile_by(now + self._reconcile_retry.record_failure(now))
            return
        self._reconcile_retry.reset()
        self.reconcile_error = ""
        if venue.account is not None:
            self.state.accounting.book_in(venue.account.asset)
        missed = sum(self.orders.apply_fill(fill, now) for fill in venue.fills)
        if missed:
            _log.warning("fills counted that no stream delivered", fills=missed)
        self._compare_orders(venue, now)
        held_levels = sum(1 for slot in self.state.slots.values() if slot.quantity)
        price = self.market.reference if self.market else None
        self.risk.on_reconciled(venue.account, position, price, self.rules, held_levels=held_levels, now=now)
        if not self.orders.unmatched_fills:
            self._advance_watermark()
        # A fill that arrived during the queries may be in the position or not: then nothing is concluded.
        if self.state.totals.fills == self._fills_before and not self.orders.unmatched_fills:
            self._compare_position(position.quantity, position.entry_price, now)
            concluded = not self.mismatch.suspected or bool(self.halt_reason)
        else:
            concluded = False
            self._reconcile_by(now + (0.3 if self.phase is Phase.STARTING else RECHECK_S))
        self.reconciled_at = now
        self._reconcile_by(now + self.settings.reconcile_interval_s)
        if self.phase is Phase.STARTING and concluded:
            self.phase = self._begin()
        elif self.phase is Phase.STOPPING and self._final:
            self.phase = Phase.STOPPED
        self.orders.plan_dirty = True

    def _begin(self) -> Phase:
        """Return the phase after the first comparison."""
        if self.settings.take_venue:
            self._take_venue(preview=self.settings.take_venue == "preview")
        return Phase.STOPPED if self.settings.take_venue == "preview" else Phase.RUNNING

    def _compare_orders(self, venue: Reconciled, now: float) -> None:
        for order in venue.open_orders:
            self.orders.apply_order(order, now)
        there = {order.client_order_id for order in venue.open_orders}
        for live in list(self.state.live_orders()):
            if live.status.is_open and live.client_order_id not in there:
                self.orders.query(live, now)

    def _compare_position(self, venue: Decimal, entry_price: Decimal, now: float) -> None:
        was_halted = bool(self.halt_reason)
        confirmed = self.mismatch.record(venue, self.state.position)
        self._venue = venue, entry_price
        if not self.mismatch.suspected:
            self.halt_reason = ""
            if was_halted:
                _log.warning("position explained again: trading continues", position=str(venue))
            return
        if not confirmed:
            self._reconcile_by(now + 1)
            return
        more = self.mismatch.difference
        may_adopt = any(side.sign * more > 0 for side in self.settings.grid.mode.opens)
        if self.settings.adopt_position == "levels" and self.phase is Phase.STARTING and may_adopt:
            if self.mismatch.confirmations < reconcile.ADOPT_CONFIRMATIONS:
                self._reconcile_by(now + 1)
                return
            if self._adopt(more, entry_price):
                return
        self.halt_reason = (
            f"the venue holds {venue} {self.rules.base_asset}, the levels explain {self.state.position};"
            " close the difference by hand, or `opensqt reset --take-venue`"
            + (", or start again with app.adopt_position: levels" if may_adopt else "")
        )
        if not was_halted:
            _log.error(
                "position that no level explains: no more entries", venue=str(venue), levels=str(self.state.position)
            )

    def _adopt(self, quantity: Decimal, entry_price: Decimal) -> bool:
        grid = self.state.grid
        if grid is None:
            return False
        slots = reconcile.assign_to_levels(
            grid, self.state.slots, quantity, entry_price, self.settings.grid, self.rules
        )
        if slots is None:
            return False
        self._take(slots, entry_price)
        return True

    def _take_venue(self, *, preview: bool) -> None:
        """Make the levels explain the venue's position, or say what that would change."""
        grid = self.state.grid
        if grid is None or not self.halt_reason:
            self.takeover_possible = True
            self.takeover = "nothing to take over: no difference between venue and levels is confirmed"
            return
        venue, entry_price = self._venue
        found = take_venue(grid, self.state.slots, venue, entry_price, self.settings.grid, self.rules)
        self.takeover, self.takeover_possible = found.preview, found.possible
        if found.slots and not preview:
            self._take(found.slots, entry_price)

    def _take(self, slots: Sequence[Slot], entry_price: Decimal) -> None:
        """Assign the position to levels."""
        change = -self.state.position
        self.state.adopt(slots)
        change += self.state.position
        hedged_short = self.settings.position_side is not PositionSide.BOTH and change < 0
        side = PositionSide.SHORT if hedged_short else PositionSide.BOTH
        self.state.accounting.set_position(self.state.position, entry_price, side=side)
        self.mismatch = reconcile.PositionCheck()
        self.halt_reason = ""
        self.orders.plan_dirty = True
        _log.warning("position assigned to levels", change=str(change), levels=len(slots), entry_price=str(entry_price))

    def _note_time(self, event_time_ms: int, received_ns: int) -> None:
        """Take in a venue's time as the newest known, unless it is of the future."""
        if self.plausible.takes_time(event_time_ms, received_ns):
            self._newest_ms = max(self._newest_ms, event_time_ms)

    def _advance_watermark(self) -> None:
        header = self.state.header
        if header is not None and self._mark_ms > header.watermark_ms:
            self.state.set_header(replace(header, watermark_ms=self._mark_ms))
