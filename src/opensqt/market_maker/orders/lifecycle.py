"""The life of the grid's orders: reports of the venue and results of calls, applied to the slots."""

from __future__ import annotations

import heapq
from collections.abc import Container
from dataclasses import dataclass, field, replace

from opensqt.market_maker.orders.events import QueryOrder
from opensqt.market_maker.orders.refusals import OrderRefusals
from opensqt.market_maker.orders.rules_refresh import RulesRefresh
from opensqt.market_maker.orders.slots import LiveOrder, SlotEvent, SlotState
from opensqt.market_maker.orders.state import GridState
from opensqt.market_maker.strategy.quoter import Permission
from opensqt.model.errors import (
    AccessError,
    BackOff,
    DuplicateOrder,
    ExchangeError,
    InsufficientMargin,
    LeaseExpired,
    OrderNotFound,
    PositionModeMismatch,
    PostOnlyWouldCross,
    ReduceOnlyRefused,
    RequestError,
    TradingClaimed,
    TradingHalted,
    Unreachable,
    VenueError,
)
from opensqt.model.order import Fill, FillKind, Order, OrderRef, OrderStatus
from opensqt.service.backoff import BackoffTimer, KeyedBackoff
from opensqt.telemetry.logging import get_logger, redact

_log = get_logger("market_maker.orders")

NOT_FOUND_MIN_AGE_S = 10.0
"""A younger order may exist and not be visible to queries yet, so its absence is not proven."""
NOT_FOUND_NEEDED = 2
"""Responses of the venue that it has no such order, before it is believed."""
_NEVER = float("inf")


@dataclass(slots=True)
class PendingQuery:
    """An order whose state has to be queried."""

    ref: OrderRef
    backoff: BackoffTimer = field(default_factory=lambda: BackoffTimer(base_s=0.5, cap_s=5))
    in_flight: bool = False
    not_found_count: int = 0


@dataclass(frozen=True, slots=True)
class _BackedOff:
    """The levels that any of several back-offs blocks at a moment; looked up, never copied."""

    backoffs: tuple[KeyedBackoff[int] | OrderRefusals, ...]
    now: float

    def __contains__(self, level: object) -> bool:
        return isinstance(level, int) and any(backoff.is_blocked(level, self.now) for backoff in self.backoffs)


class OrderLifecycle:
    """Applies what the venue reports of each order to the state.

    Args:
        state: The slots.
        symbol: The symbol of all orders.
        quote_asset: The asset of the profit; the first fee in another one is logged.
        margin_lock_s: Seconds without buys after the first order that was refused for insufficient margin.
        now: Monotonic seconds.
    """

    def __init__(self, state: GridState, symbol: str, *, quote_asset: str, margin_lock_s: float, now: float) -> None:
        self.state = state
        self._quote_asset = quote_asset
        self.margin_backoff = BackoffTimer(base_s=margin_lock_s, cap_s=12 * margin_lock_s)
        self.order_backoff = BackoffTimer(base_s=1, cap_s=60)
        self.pause_reason = ""
        self.post_only_backoff = KeyedBackoff[int](base_s=0.2, cap_s=10)
        """Levels whose post-only order would have taken liquidity."""
        self.refusals = OrderRefusals()
        """Reasons for which orders are refused otherwise."""
        self.cancel_backoff = KeyedBackoff[str](base_s=0.5, cap_s=15)
        """Orders whose cancel failed."""
        self.unmatched_fills: dict[str, list[Fill]] = {}
        """Fills by the venue's order id, until a query has returned the client id of the order."""
        self.plan_dirty = False
        """Whether anything happened that could change the plan."""
        self.needs_reconcile = False
        """Whether anything happened that needs a comparison with the venue."""
        self.rules_refresh = RulesRefresh()
        self.missing_fills: set[str] = set()
        """Orders of which the venue reports more filled than there are counted fills."""
        self._symbol = symbol
        self._pending_queries: dict[str, PendingQuery] = {}
        self._unknown_codes: dict[str, VenueError] = {}
        self._query_heap: list[tuple[float, str]] = []
        """When each pending query is due; an entry whose query ended or was put off since is dropped."""
        for order in state.live_orders():
            self._schedule_query(order.client_order_id, now, delay_s=0)

    def apply_order(self, order: Order, now: float) -> None:
        """Apply an order as the venue reports it: from a stream, a query or the result of a call."""
        if order.symbol != self._symbol:
            return
        live = self.state.find(order.client_order_id)
        if live is not None:
            awaited = order.status.is_in_flight
            if not awaited and (query := self._pending_queries.get(order.client_order_id)) is not None:
                # The venue has it: an older response that it does not exist no longer proves anything.
                query.not_found_count = 0
            self._update(live, live.merged(order, since=None if awaited else now), now)
        elif not self.state.is_closed(order.client_order_id):
            self._adopt_order(order, now)

    def apply_fill(self, fill: Fill, now: float) -> bool:
        """Count a fill once, and return whether it was new. It is kept while its order is not known."""
        if fill.symbol != self._symbol or self.state.is_counted(fill):
            return False
        client_order_id = self.state.client_order_id_of(fill)
        if client_order_id is None and fill.kind is not FillKind.TRADE:
            # The venue made it, so that no order of the grid explains it: the comparison of the positions finds it.
            self.needs_reconcile |= self.state.apply_foreign_fill(fill)
            return False
        if client_order_id is None:
            waiting = self.unmatched_fills.setdefault(fill.order_id, [])
            if all(known.trade_id != fill.trade_id for known in waiting):
                waiting.append(fill)
            if fill.order_id not in self._pending_queries:
                ref = OrderRef(symbol=self._symbol, order_id=fill.order_id)
                self._add_query(fill.order_id, PendingQuery(ref))
            return False
        if self.state.level_of(client_order_id) is None:
            self.needs_reconcile |= self.state.apply_foreign_fill(fill)
            return False
        for asset in fill.fees.keys() - self.state.totals.fees.keys() - {self._quote_asset}:
            text = "fee in another asset: it is valued at the price of its minute, see fees_by_asset"
            _log.warning(text, asset=asset, trade_id=fill.trade_id)
        live = self.state.apply_fill(fill, client_order_id)
        self.plan_dirty = True
        if live is not None:
            self._update(live, live, now)
        return True

    def on_place_result(self, client_order_id: str, outcome: Order | ExchangeError, now: float) -> None:
        """Apply the result of placing an order."""
        if isinstance(outcome, Order):
            self.order_backoff.reset()
            self.apply_order(outcome, now)
            return
        live = self.state.find(client_order_id)
        if live is None:
            return  # the stream was faster, and the order is closed already
        slot = self.state.slot(live.level)
        proven = isinstance(outcome, RequestError | BackOff | AccessError | Unreachable)
        if proven and not isinstance(outcome, DuplicateOrder) and slot.state is SlotState.PENDING:
            self._refuse(live, outcome, now)
            return
        if isinstance(outcome, VenueError):
            # A code that is in no table. When the order is proven absent, it was a refusal.
            self._unknown_codes[client_order_id] = outcome
        _log.warning(
            "order outcome unknown", client_order_id=client_order_id, reason=outcome.reason, message=outcome.message
        )
        if live.status.is_in_flight:
            # From now on no request for it is on its way: its age counts from here.
            self.state.put(SlotEvent.OUTCOME_UNKNOWN, replace(live, status=OrderStatus.UNKNOWN, since=now))
        self._schedule_query(client_order_id, now, delay_s=0.3)

    def abandon(self, client_order_id: str) -> None:
        """Free the slot of an order that was not sent and never will be."""
        live = self.state.find(client_order_id)
        if live is not None and self.state.slot(live.level).state is SlotState.PENDING:
            denied = replace(live, status=OrderStatus.DENIED, reason="not sent: its intent was stored too late")
            self.state.put(SlotEvent.REFUSE, denied)
            self.plan_dirty = True

    def on_cancel_result(self, client_order_id: str, outcome: Order | ExchangeError, now: float) -> None:
        """Apply the result of cancelling an order."""
        if isinstance(outcome, Order):
            self.apply_order(outcome, now)
        live = self.state.find(client_order_id)
        if live is None or live.status.is_closed:
            return
        if not isinstance(outcome, Order):
            _log.warning(
                "cancel failed", client_order_id=client_order_id, reason=outcome.reason, message=outcome.message
            )
            if isinstance(outcome, BackOff | AccessError | Unreachable):
                self._pause_orders(outcome, now)
            self.cancel_backoff.record_failure(client_order_id, now)
        self._schedule_query(client_order_id, now, delay_s=0.5)

    def on_query_result(self, ref: OrderRef, outcome: Order | ExchangeError, now: float) -> None:
        """Apply the result of a `QueryOrder`."""
        key = ref.client_order_id or ref.order_id
        query = self._pending_queries.get(key)
        if query is None:
            return
        query.in_flight = False
        query.backoff.record_failure(now)
        self._add_query(key, query)
        if isinstance(outcome, Order):
            query.not_found_count = 0
            self._on_order_found(ref, outcome, now)
            return
        if isinstance(outcome, OrderNotFound):
            self._on_order_absent(key, query, now)

    def on_rules_changed(self) -> None:
        """Take in that the venue's symbol rules are others: what was refused by the former ones may be placed now."""
        self.rules_refresh.on_changed()
        self.refusals.reset()
        self.plan_dirty = True

    def query(self, order: LiveOrder, now: float) -> None:
        """Schedule a query of an order."""
        self._schedule_query(order.client_order_id, now, delay_s=0)

    def awaits_entry(self) -> bool:
        """Return whether the outcome of an order that opens is not known yet."""
        return any(not order.closes for order in self.state.in_flight.values())

    def backed_off(self, now: float) -> Container[int]:
        """Return the levels whose last order was refused, until their back-off is over."""
        if not self.post_only_backoff.failing and not self.refusals.failing:
            return ()
        return _BackedOff((self.post_only_backoff, self.refusals), now)

    def limit_tries(self, permission: Permission, now: float) -> Permission:
        """Return *permission* with one entry at a time after a refusal for good, until one is accepted."""
        if not self.refusals.failing:
            return permission
        tries = self.refusals.entries(now)
        if tries is None:
            return permission
        tries = 0 if self.awaits_entry() else tries
        return replace(permission, buys=min(permission.buys, tries), sells=min(permission.sells, tries))

    def take_due_queries(self, now: float) -> list[QueryOrder]:
        """Take the queries that are due; they count as in flight from now on."""
        due = []
        while self._query_heap and self._query_heap[0][0] <= now:
            until, key = heapq.heappop(self._query_heap)
            query = self._pending_queries.get(key)
            if query is None or query.in_flight or query.backoff.until != until:
                continue
            if key not in self.unmatched_fills and self.state.find(key) is None:
                del self._pending_queries[key]
                continue
            query.in_flight = True
            due.append(QueryOrder(query.ref))
        return due

    def next_due(self, now: float) -> float:
        """Return when the next query or the end of a back-off is due; infinite without one."""
        due = self._query_heap[0][0] if self._query_heap else _NEVER
        if now < self.margin_backoff.until < due:
            due = self.margin_backoff.until
        if now < self.order_backoff.until < due:
            due = self.order_backoff.until
        for keyed in (self.post_only_backoff, self.refusals, self.cancel_backoff):
            if keyed.failing and (until := keyed.next_due(now)) < due:
                due = until
        return due

    def _on_order_found(self, ref: OrderRef, order: Order, now: float) -> None:
        self.apply_order(order, now)
        if not ref.client_order_id:
            self.state.map_order_id(ref.order_id, order.client_order_id)
            for fill in self.unmatched_fills.pop(ref.order_id, []):
                self.apply_fill(fill, now)
            self._pending_queries.pop(ref.order_id, None)
            return
        live = self.state.find(ref.client_order_id)
        if live is None or live.status.is_in_flight or order.status.is_in_flight:
            return
        if live.client_order_id in self.state.canceling and live.status.is_open:
            # The venue still works it although a cancel was sent: cancel it again.
            self.state.cancel_missed(live)
        self._pending_queries.pop(ref.client_order_id, None)
        self.plan_dirty = True

    def _on_order_absent(self, key: str, query: PendingQuery, now: float) -> None:
        live = self.state.find(key)
        if live is None or now - live.since < NOT_FOUND_MIN_AGE_S:
            return
        query.not_found_count += 1
        if query.not_found_count < NOT_FOUND_NEEDED:
            return
        del self._pending_queries[key]
        self.missing_fills.discard(key)
        self.cancel_backoff.reset(key)
        slot = self.state.slot(live.level)
        self.plan_dirty = self.needs_reconcile = True
        gone = replace(live, reason="the venue has no such order")
        if slot.order is not None and slot.order.client_order_id == key and slot.state is SlotState.PENDING:
            _log.warning("order proven absent", client_order_id=key)
            if (error := self._unknown_codes.pop(key, None)) is not None:
                self.refusals.record(error, live.level, closes=live.closes, now=now)
            self.state.put(SlotEvent.REFUSE, replace(gone, status=OrderStatus.REJECTED))
            return
        _log.warning("order gone from the venue", client_order_id=key, filled=str(live.counted))
        self.state.put(SlotEvent.SETTLE, replace(gone, status=OrderStatus.CANCELED, filled=live.counted))

    def _update(self, before: LiveOrder, live: LiveOrder, now: float) -> None:
        if live.settled:
            self._settle(live, now)
        elif live.status.is_in_flight:
            self.state.put(SlotEvent.OUTCOME_UNKNOWN, live)
            self._schedule_query(live.client_order_id, now, delay_s=0.3)
        else:
            if before.status.is_in_flight:
                self._accepted(live)
            self.state.put(SlotEvent.ACKNOWLEDGE, live)
            if live.filled > live.counted:
                self.missing_fills.add(live.client_order_id)
            else:
                self.missing_fills.discard(live.client_order_id)
        self.plan_dirty = True

    def _accepted(self, live: LiveOrder) -> None:
        self.post_only_backoff.reset(live.level)
        self.refusals.accepted(live.level, closes=live.closes)
        if not live.closes:
            self.margin_backoff.reset()

    def _settle(self, live: LiveOrder, now: float) -> None:
        canceling = live.client_order_id in self.state.canceling
        self.state.put(SlotEvent.SETTLE, live)
        self.missing_fills.discard(live.client_order_id)
        self.cancel_backoff.reset(live.client_order_id)
        self._pending_queries.pop(live.client_order_id, None)
        self._unknown_codes.pop(live.client_order_id, None)
        if live.counted or live.status is OrderStatus.FILLED:
            self._accepted(live)
        elif live.status in (OrderStatus.EXPIRED, OrderStatus.REJECTED) and not canceling:
            # Some venues acknowledge a post-only order that would take liquidity, and let it expire.
            _log.info(
                "order not accepted", client_order_id=live.client_order_id, status=live.status, reason=live.reason
            )
            self.post_only_backoff.record_failure(live.level, now)

    def _refuse(self, live: LiveOrder, error: ExchangeError, now: float) -> None:
        log = _log.info if isinstance(error, PostOnlyWouldCross) else _log.warning
        log(
            "order refused",
            client_order_id=live.client_order_id,
            reason=error.reason,
            venue_code=error.venue_code,
            message=error.message,
        )
        # These are not about the order itself: the same order is accepted later, or another market maker places it.
        other = isinstance(error, LeaseExpired | TradingClaimed | TradingHalted)
        wrong = isinstance(error, RequestError) and not other
        status = OrderStatus.REJECTED if wrong else OrderStatus.DENIED
        self.state.put(
            SlotEvent.REFUSE, replace(live, status=status, reason=redact(f"{error.reason}: {error.message}"))
        )
        self._pending_queries.pop(live.client_order_id, None)
        self.plan_dirty = True
        if isinstance(error, PostOnlyWouldCross):
            self.post_only_backoff.record_failure(live.level, now)
        elif isinstance(error, InsufficientMargin) and not live.closes:
            if self.margin_backoff.until <= now:
                length = self.margin_backoff.record_failure(now)
                _log.warning("insufficient margin: entries are cancelled, none are placed", seconds=length)
        elif wrong:
            self.refusals.record(error, live.level, closes=live.closes, now=now)
            if not isinstance(error, ReduceOnlyRefused | PositionModeMismatch):
                self.rules_refresh.on_refusal(now)
            self.needs_reconcile = self.needs_reconcile or isinstance(error, ReduceOnlyRefused)
        else:
            self._pause_orders(error, now)

    def _pause_orders(self, error: ExchangeError, now: float) -> None:
        if self.order_backoff.until <= now:
            self.order_backoff.record_failure(
                now, at_least_s=error.retry_after_s or (30 if isinstance(error, AccessError) else 0)
            )
            self.pause_reason = f"{error.reason}: {error.message}"

    def _adopt_order(self, order: Order, now: float) -> None:
        """Follow an order of this strategy that was not known: another run sent it."""
        name = self.state.ids.read(order.client_order_id)
        if name is None:
            return
        if order.status.is_closed or order.price is None:
            self.state.mark_closed(order.client_order_id, order.order_id)
            return
        live = LiveOrder(
            client_order_id=order.client_order_id,
            level=name.level,
            side=order.side,
            price=order.price,
            quantity=order.quantity,
            since=now,
            # Fills before this report are not waited for; the comparison of positions shows them.
            counted=order.filled_quantity,
            closes=self.state.slot(name.level).is_reduced_by(order.side),
        ).merged(order)
        _log.warning("order of this grid found at the venue", client_order_id=order.client_order_id, level=name.level)
        self.plan_dirty = True
        if self.state.slot(name.level).state is SlotState.FREE:
            self.state.put(SlotEvent.ACKNOWLEDGE, live)
        else:
            self.state.put_extra(live)

    def _schedule_query(self, client_order_id: str, now: float, *, delay_s: float) -> None:
        if client_order_id not in self._pending_queries:
            query = PendingQuery(OrderRef(symbol=self._symbol, client_order_id=client_order_id))
            query.backoff.until = now + delay_s
            self._add_query(client_order_id, query)

    def _add_query(self, key: str, query: PendingQuery) -> None:
        self._pending_queries[key] = query
        heapq.heappush(self._query_heap, (query.backoff.until, key))
