"""What the venue says about our orders, and what follows for their slots: acknowledged, refused, in doubt, filled."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from opensqt.market_maker.orders.events import Ask
from opensqt.market_maker.orders.slots import LiveOrder, SlotEvent, SlotState
from opensqt.market_maker.orders.state import GridState
from opensqt.model.errors import (
    AccessError,
    BackOff,
    DuplicateOrder,
    ExchangeError,
    InsufficientMargin,
    LeaseExpired,
    OrderNotFound,
    PostOnlyWouldCross,
    ReduceOnlyRefused,
    RequestError,
    TradingHalted,
    Unreachable,
)
from opensqt.model.order import Fill, Order, OrderRef, OrderStatus, Side
from opensqt.service.backoff import BackoffTimer, KeyedBackoff
from opensqt.telemetry.logging import get_logger, redact

_log = get_logger("market_maker.orders")

ABSENCE_AGE_S = 10.0
"""A younger order may exist and not be visible to queries yet, so its absence is not proven."""
ABSENCES = 2
"""The venue has to say this often that it knows no such order."""


@dataclass(slots=True)
class Doubt:
    """An order whose state has to be asked for."""

    ref: OrderRef
    backoff: BackoffTimer = field(default_factory=lambda: BackoffTimer(base_s=0.5, cap_s=5))
    asking: bool = False
    absences: int = 0


class OrderDesk:
    """Takes the venue's word on each order into the state.

    Args:
        state: The slots.
        symbol: Of all our orders.
        margin_lock_s: Seconds without buys after the first refusal for want of margin.
    """

    def __init__(self, state: GridState, symbol: str, *, margin_lock_s: float, now: float) -> None:
        self.state = state
        self.margin_backoff = BackoffTimer(base_s=margin_lock_s, cap_s=12 * margin_lock_s)
        self.order_backoff = BackoffTimer(base_s=1, cap_s=60)
        self.pause_reason = ""
        self.post_only_backoff = KeyedBackoff[int](base_s=0.2, cap_s=10)
        """Levels whose post-only order would have taken."""
        self.reject_backoff = KeyedBackoff[int](base_s=1, cap_s=300)
        """Levels whose order was refused for any other reason."""
        self.cancel_backoff = KeyedBackoff[str](base_s=0.5, cap_s=15)
        """Orders whose cancel failed."""
        self.unnamed: dict[str, list[Fill]] = {}
        """Fills whose order is known by the venue's id only, until we have asked what it is."""
        self.news = False
        """Whether anything changed that could change the plan."""
        self.suspicious = False
        """Whether something was seen that only a comparison with the venue can settle."""
        self.missing: set[str] = set()
        """Orders of which the venue told more filled than we have counted fills."""
        self._symbol = symbol
        self._doubts: dict[str, Doubt] = {}
        for order in state.live_orders():
            self._doubt(order.client_order_id, now, delay_s=0)

    def take(self, order: Order, now: float) -> None:
        """Take in an order as the venue tells it, by whatever way."""
        name = self.state.ids.read(order.client_order_id)
        if name is None or order.symbol != self._symbol:
            return
        live = self.state.find(order.client_order_id)
        if live is not None:
            merged = live.merged(order)
            if not order.status.is_in_flight:
                # It was seen: an older answer that it does not exist proves nothing any more.
                merged = replace(merged, since=now)
                if (doubt := self._doubts.get(order.client_order_id)) is not None:
                    doubt.absences = 0
            self._update(live, merged, now)
        elif not self.state.is_closed(order.client_order_id):
            self._found(order, now)

    def count(self, fill: Fill, now: float) -> bool:
        """Count a fill once, and say whether it was new; one whose order is not known is kept until it is."""
        if fill.symbol != self._symbol or self.state.is_counted(fill):
            return False
        client_order_id = self.state.name_of(fill)
        if client_order_id is None:
            waiting = self.unnamed.setdefault(fill.order_id, [])
            if all(known.trade_id != fill.trade_id for known in waiting):
                waiting.append(fill)
            if fill.order_id not in self._doubts:
                ref = OrderRef(symbol=self._symbol, order_id=fill.order_id)
                self._doubts[fill.order_id] = Doubt(ref)
            return False
        if self.state.ids.read(client_order_id) is None:
            return False
        live = self.state.count(fill, client_order_id)
        self.news = True
        if live is not None:
            self._update(live, live, now)
        return True

    def placed(self, client_order_id: str, outcome: Order | ExchangeError, now: float) -> None:
        """Take in the answer to a placing."""
        if isinstance(outcome, Order):
            self.order_backoff.reset()
            self.take(outcome, now)
            return
        live = self.state.find(client_order_id)
        if live is None:
            return  # the stream was faster, and it is over already
        slot = self.state.slot(live.level)
        proven = isinstance(outcome, RequestError | BackOff | AccessError | Unreachable)
        if proven and not isinstance(outcome, DuplicateOrder) and slot.state is SlotState.PENDING:
            self._refuse(live, outcome, now)
            return
        _log.warning("order in doubt", client_order_id=client_order_id, reason=outcome.reason, message=outcome.message)
        if live.status.is_in_flight:
            # Only from now on is nothing of ours on its way any more: its absence counts from here.
            self.state.put(SlotEvent.DOUBT, replace(live, status=OrderStatus.UNKNOWN, since=now))
        self._doubt(client_order_id, now, delay_s=0.3)

    def cancel_answered(self, client_order_id: str, outcome: Order | ExchangeError, now: float) -> None:
        """Take in the answer to a cancel."""
        if isinstance(outcome, Order):
            self.take(outcome, now)
        live = self.state.find(client_order_id)
        if live is None or live.status.is_closed:
            return
        if not isinstance(outcome, Order):
            _log.warning(
                "cancel failed", client_order_id=client_order_id, reason=outcome.reason, message=outcome.message
            )
            if isinstance(outcome, BackOff | AccessError | Unreachable):
                self._hold(outcome, now)
            self.cancel_backoff.record_failure(client_order_id, now)
        self._doubt(client_order_id, now, delay_s=0.5)

    def told(self, ref: OrderRef, outcome: Order | ExchangeError, now: float) -> None:
        """Take in the answer to an `Ask`."""
        key = ref.client_order_id or ref.order_id
        doubt = self._doubts.get(key)
        if doubt is None:
            return
        doubt.asking = False
        doubt.backoff.record_failure(now)
        if isinstance(outcome, Order):
            doubt.absences = 0
            self._told_order(ref, outcome, now)
            return
        if isinstance(outcome, OrderNotFound):
            self._absent(key, doubt, now)

    def ask(self, order: LiveOrder, now: float) -> None:
        """Have the venue asked for an order."""
        self._doubt(order.client_order_id, now, delay_s=0)

    def asks_due(self, now: float) -> list[Ask]:
        """The questions whose time has come."""
        due = []
        for key, doubt in list(self._doubts.items()):
            if key not in self.unnamed and self.state.find(key) is None:
                del self._doubts[key]
            elif not doubt.asking and doubt.backoff.until <= now:
                doubt.asking = True
                due.append(Ask(doubt.ref))
        return due

    def next_due(self, now: float) -> float:
        """When the next question or the end of a wait is due."""
        doubts = (doubt.backoff.until for doubt in self._doubts.values() if not doubt.asking)
        waits = (
            self.post_only_backoff.next_due(now),
            self.reject_backoff.next_due(now),
            self.cancel_backoff.next_due(now),
        )
        others = (wait.until for wait in (self.margin_backoff, self.order_backoff) if wait.until > now)
        return min((*doubts, *waits, *others), default=float("inf"))

    def cancel_sent(self, orders: Iterable[LiveOrder]) -> None:
        """Note that cancels are on their way."""
        for order in orders:
            self.state.put(SlotEvent.ACKNOWLEDGE, replace(order, cancel_asked=True))

    def _told_order(self, ref: OrderRef, order: Order, now: float) -> None:
        self.take(order, now)
        if not ref.client_order_id:
            self.state.learn_name(ref.order_id, order.client_order_id)
            for fill in self.unnamed.pop(ref.order_id, []):
                self.count(fill, now)
            self._doubts.pop(ref.order_id, None)
            return
        live = self.state.find(ref.client_order_id)
        if live is None or live.status.is_in_flight or order.status.is_in_flight:
            return
        if live.cancel_asked and live.status.is_open:
            # The venue still works it although it was asked to cancel: ask again.
            self.state.put(SlotEvent.ACKNOWLEDGE, replace(live, cancel_asked=False))
        self._doubts.pop(ref.client_order_id, None)
        self.news = True

    def _absent(self, key: str, doubt: Doubt, now: float) -> None:
        live = self.state.find(key)
        if live is None or now - live.since < ABSENCE_AGE_S:
            return
        doubt.absences += 1
        if doubt.absences < ABSENCES:
            return
        del self._doubts[key]
        self.missing.discard(key)
        self.cancel_backoff.reset(key)
        slot = self.state.slot(live.level)
        self.news = self.suspicious = True
        gone = replace(live, reason="the venue knows no such order")
        if slot.order is not None and slot.order.client_order_id == key and slot.state is SlotState.PENDING:
            _log.warning("order proven absent", client_order_id=key)
            self.state.put(SlotEvent.REFUSE, replace(gone, status=OrderStatus.REJECTED))
            return
        _log.warning("order gone from the venue", client_order_id=key, filled=str(live.counted))
        self.state.put(SlotEvent.SETTLE, replace(gone, status=OrderStatus.CANCELED, filled=live.counted))

    def _update(self, before: LiveOrder, live: LiveOrder, now: float) -> None:
        if live.settled:
            self._settle(live, now)
        elif live.status.is_in_flight:
            self.state.put(SlotEvent.DOUBT, live)
            self._doubt(live.client_order_id, now, delay_s=0.3)
        else:
            if before.status.is_in_flight:
                self._accepted(live)
            self.state.put(SlotEvent.ACKNOWLEDGE, live)
            if live.filled > live.counted:
                self.missing.add(live.client_order_id)
            else:
                self.missing.discard(live.client_order_id)
        self.news = True

    def _accepted(self, live: LiveOrder) -> None:
        self.post_only_backoff.reset(live.level)
        self.reject_backoff.reset(live.level)
        if live.side is Side.BUY:
            self.margin_backoff.reset()

    def _settle(self, live: LiveOrder, now: float) -> None:
        self.state.put(SlotEvent.SETTLE, live)
        self.missing.discard(live.client_order_id)
        self.cancel_backoff.reset(live.client_order_id)
        self._doubts.pop(live.client_order_id, None)
        if live.counted or live.status is OrderStatus.FILLED:
            self._accepted(live)
        elif live.status in (OrderStatus.EXPIRED, OrderStatus.REJECTED) and not live.cancel_asked:
            # Some venues answer a post-only order that would take with an acknowledgement and an expiry.
            _log.info("order not taken", client_order_id=live.client_order_id, status=live.status, reason=live.reason)
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
        # These two say nothing of the order itself: the same one is taken later.
        wrong = isinstance(error, RequestError) and not isinstance(error, LeaseExpired | TradingHalted)
        status = OrderStatus.REJECTED if wrong else OrderStatus.DENIED
        self.state.put(
            SlotEvent.REFUSE, replace(live, status=status, reason=redact(f"{error.reason}: {error.message}"))
        )
        self._doubts.pop(live.client_order_id, None)
        self.news = True
        if isinstance(error, PostOnlyWouldCross):
            self.post_only_backoff.record_failure(live.level, now)
        elif isinstance(error, InsufficientMargin) and live.side is Side.BUY:
            if self.margin_backoff.until <= now:
                length = self.margin_backoff.record_failure(now)
                _log.warning("no margin: buys are cancelled and none placed", seconds=length)
        elif wrong:
            self.reject_backoff.record_failure(live.level, now)
            self.suspicious = self.suspicious or isinstance(error, ReduceOnlyRefused)
        else:
            self._hold(error, now)

    def _hold(self, error: ExchangeError, now: float) -> None:
        if self.order_backoff.until <= now:
            self.order_backoff.record_failure(
                now, at_least_s=error.retry_after_s or (30 if isinstance(error, AccessError) else 0)
            )
            self.pause_reason = f"{error.reason}: {error.message}"

    def _found(self, order: Order, now: float) -> None:
        """An order of ours that was not known: another run of this strategy sent it."""
        name = self.state.ids.read(order.client_order_id)
        if name is None:
            return
        if order.status.is_closed or order.price is None:
            self.state.close_unknown(order.client_order_id, order.order_id)
            return
        live = LiveOrder(
            client_order_id=order.client_order_id,
            level=name.level,
            side=order.side,
            price=order.price,
            quantity=order.quantity,
            since=now,
            # What filled before we knew of it is not ours to wait for; the position tells about it.
            counted=order.filled_quantity,
        ).merged(order)
        _log.warning("order of ours found at the venue", client_order_id=order.client_order_id, level=name.level)
        self.news = True
        if self.state.slot(name.level).state is SlotState.FREE:
            self.state.put(SlotEvent.ACKNOWLEDGE, live)
        else:
            self.state.put_stray(live)

    def _doubt(self, client_order_id: str, now: float, *, delay_s: float) -> None:
        if client_order_id not in self._doubts:
            doubt = Doubt(OrderRef(symbol=self._symbol, client_order_id=client_order_id))
            doubt.backoff.until = now + delay_s
            self._doubts[client_order_id] = doubt
