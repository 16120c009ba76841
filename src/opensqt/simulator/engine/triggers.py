"""The conditional orders that wait: which print or mark triggers which of them, and the orders that they place.

Nothing is placed while another order is being matched. Matching notes its prints; `settle` then walks through them
in their order, so that each conditional order triggers at the first one that meets it, and at no other.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

from opensqt.model.order import OrderType, PositionSide
from opensqt.simulator.engine.account import SIDES, SimAccount
from opensqt.simulator.engine.conditional import (
    ConditionalChange,
    ConditionalStatus,
    Crossing,
    NewConditional,
    SimConditional,
    Trigger,
    TriggerBy,
    is_met,
)
from opensqt.simulator.engine.events import ConditionalChanged
from opensqt.simulator.engine.expiries import ExpiryKey
from opensqt.simulator.engine.order import NewOrder, RefusalReason, Refused, SimOrder
from opensqt.simulator.engine.state import VenueState

_S = ConditionalStatus
Submit = Callable[[SimAccount, NewOrder, SimConditional], None]
"""Checks and matches the order of a conditional one; raises `Refused`."""


class ConditionalBook:
    """Every conditional order of every account.

    Args:
        state: The venue.
        submit: Places the order of one that triggers.
    """

    def __init__(self, state: VenueState, submit: Submit) -> None:
        self._state = state
        self._submit = submit
        self._all: dict[str, SimConditional] = {}
        self._waiting: dict[str, dict[str, SimConditional]] = {}
        self._attached: dict[str, tuple[str, tuple[NewConditional, ...]]] = {}
        self._prices: deque[tuple[str, TriggerBy, Decimal]] = deque()

    # Requests

    def check(self, account: SimAccount, wanted: NewConditional) -> None:
        """Raise `Refused` for the first rule that *wanted* breaks."""
        self._check_values(account, wanted)
        self._check_room(account, wanted)

    def _check_values(self, account: SimAccount, wanted: NewConditional) -> None:
        rules = self._state.instrument(wanted.symbol).rules
        if wanted.position_side not in SIDES[account.mode]:
            raise Refused(
                RefusalReason.POSITION_SIDE_MISMATCH,
                f"position_side {wanted.position_side}: expected {' or '.join(SIDES[account.mode])}",
            )
        if not wanted.close_position:
            self._check_quantity(wanted)
        for trigger in wanted.triggers:
            for name, price in (("trigger", trigger.price), ("order price", trigger.order_price)):
                if price is not None and (not price.is_finite() or price <= 0):
                    raise Refused(RefusalReason.INVALID, f"{name} {price}: expected above zero")
                if price is not None and price % rules.price_step:
                    raise Refused(RefusalReason.PRICE_STEP, f"{name} {price}: expected a step of {rules.price_step}")

    def _check_room(self, account: SimAccount, wanted: NewConditional) -> None:
        waiting = [one for one in self._of(wanted.symbol) if one.account == account.key]
        most = self._state.settings.rules.most_conditional
        if len(waiting) >= most:
            raise Refused(RefusalReason.TOO_MANY_CONDITIONAL, f"conditional orders: expected at most {most}")
        if wanted.client_id and any(
            one.client_id == wanted.client_id for one in self.listed(account.key, open_only=True)
        ):
            raise Refused(
                RefusalReason.DUPLICATE_CLIENT_ORDER_ID,
                f"client id {wanted.client_id!r}: expected one that is not in use",
            )

    def check_amended(self, account: SimAccount, found: SimConditional, wanted: NewConditional) -> None:
        """Raise `Refused` for the first rule that a waiting one would break as *wanted*."""
        if wanted == found.wanted:
            raise Refused(RefusalReason.UNCHANGED, f"conditional order {found.conditional_id}: nothing changes")
        self._check_values(account, wanted)

    def check_not_met(self, wanted: NewConditional) -> None:
        """Raise `Refused` when one of the triggers is met as the price is now."""
        for trigger in wanted.triggers:
            price = self.price(wanted.symbol, trigger.by)
            if trigger.trail is None and is_met(trigger, price):
                raise Refused(
                    RefusalReason.WOULD_TRIGGER,
                    f"trigger {trigger.price}: expected not to be met, the {trigger.by} price is {price}",
                )

    def add(self, account: SimAccount, wanted: NewConditional, parent_id: str = "") -> SimConditional:
        """Add one that was checked. One that is met already triggers with the next `settle`."""
        now_ms = self._state.now_ms
        for other in self._of(wanted.symbol) if wanted.slot else ():
            same = other.account == account.key and other.wanted.position_side is wanted.position_side
            if same and other.wanted.slot == wanted.slot:
                self.end(other, _S.CANCELED)
        made = SimConditional(
            account=account.key,
            conditional_id=self._state.next_order_id(),
            wanted=wanted,
            status=_S.WAITING,
            parent_id=parent_id,
            created_ms=now_ms,
            updated_ms=now_ms,
        )
        self._put(made, ConditionalChange.NEW)
        if wanted.expires_ms is not None:
            self._state.expiries.set(_expiry(made), wanted.expires_ms)
        self._watch(wanted.symbol)
        # A trailing one follows from the price that is there; one that is met already is not left waiting.
        for by in dict.fromkeys(trigger.by for trigger in wanted.triggers):
            self._meet(made.conditional_id, by, self.price(wanted.symbol, by))
        return self._all[made.conditional_id]

    def attach(self, order: SimOrder, children: tuple[NewConditional, ...]) -> None:
        """Keep conditional orders that begin when *order* fills."""
        if children:
            self._attached[order.order_id] = (order.account, children)

    def amend(self, found: SimConditional, wanted: NewConditional) -> SimConditional:
        """Replace what a waiting one is for; it was checked."""
        changed = replace(found, wanted=wanted, updated_ms=self._state.now_ms, amendments=found.amendments + 1)
        self._put(changed, ConditionalChange.AMENDED)
        for by in dict.fromkeys(trigger.by for trigger in wanted.triggers):
            self._meet(found.conditional_id, by, self.price(wanted.symbol, by))
        return self._all[found.conditional_id]

    def end(self, found: SimConditional, status: ConditionalStatus) -> SimConditional:
        """End a waiting one, CANCELED or EXPIRED."""
        ended = replace(found, status=status, updated_ms=self._state.now_ms)
        self._put(ended, ConditionalChange(status.value))
        self._state.expiries.clear(_expiry(ended))
        self._watch(ended.symbol)
        return ended

    def expire(self, conditional_id: str) -> None:
        """End one whose time is over, if it waits."""
        found = self._all[conditional_id]
        if found.status.is_open:
            self.end(found, _S.EXPIRED)

    def end_all(self, account: str, status: ConditionalStatus = _S.CANCELED) -> None:
        """End every waiting one of an account."""
        for found in self.listed(account, open_only=True):
            self.end(found, status)

    # Queries

    def find(self, account: str, *, conditional_id: str = "", client_id: str = "") -> SimConditional:
        """Return one, waiting or not; by client id one that waits, else the newest.

        Raises:
            Refused: UNKNOWN_ORDER.
        """
        if conditional_id:
            found = self._all.get(conditional_id)
        else:
            same = [one for one in self._all.values() if one.account == account and one.client_id == client_id]
            found = next((one for one in same if one.status.is_open), same[-1] if same and client_id else None)
        if found is None or found.account != account:
            named = f"conditional_id {conditional_id!r}" if conditional_id else f"client_id {client_id!r}"
            raise Refused(RefusalReason.UNKNOWN_ORDER, f"{named}: expected a conditional order")
        return found

    def listed(self, account: str, symbol: str | None = None, *, open_only: bool = False) -> list[SimConditional]:
        """Return the conditional orders of an account, oldest first."""
        if open_only and symbol is not None:
            return [one for one in self._of(symbol) if one.account == account]
        return [
            one
            for one in self._all.values()
            if one.account == account
            and (symbol is None or one.symbol == symbol)
            and (not open_only or one.status.is_open)
        ]

    def price(self, symbol: str, by: TriggerBy) -> Decimal:
        """Return the price that a trigger watches, as it is now."""
        instrument = self._state.instruments[symbol]
        return instrument.tape.last_price if by is TriggerBy.LAST else instrument.mark

    # Prices

    def note_mark(self, symbol: str) -> None:
        """Note that the mark has moved."""
        if self._waiting.get(symbol):
            self._prices.append((symbol, TriggerBy.MARK, self._state.instruments[symbol].mark))

    def settle(self) -> None:
        """Place what the noted prices trigger, until nothing more is triggered."""
        while True:
            self._begin_attached()
            self._end_bound()
            for symbol, prints in self._state.watched_prints.items():
                self._prices.extend((symbol, TriggerBy.LAST, price) for price in prints)
                prints.clear()
            if not self._prices:
                return
            symbol, by, price = self._prices.popleft()
            for conditional_id in [one.conditional_id for one in self._of(symbol)]:
                self._meet(conditional_id, by, price)
                if by is TriggerBy.MARK:
                    self._meet(conditional_id, TriggerBy.INDEX, price)

    def _meet(self, conditional_id: str, by: TriggerBy, price: Decimal) -> None:
        """Show one a price: it activates, follows, or triggers."""
        for trigger in self._all[conditional_id].wanted.triggers:
            found = self._all[conditional_id]
            if not found.status.is_open or trigger.by is not by:
                continue
            if self._follow(found, trigger, price) if trigger.trail is not None else is_met(trigger, price):
                self._fire(self._all[conditional_id], trigger, price)

    def _follow(self, found: SimConditional, trigger: Trigger, price: Decimal) -> bool:
        trail = trigger.trail
        assert trail is not None  # noqa: S101 - the caller has looked
        falls = trigger.crossing is Crossing.DOWN
        if not found.activated:
            start = trail.activation_price
            if start is not None and (price < start if falls else price > start):
                return False
            found = replace(found, activated=True, best_price=price, updated_ms=self._state.now_ms)
            self._put(found, ConditionalChange.ACTIVATED)
        best = found.best_price
        if best is None or (price > best if falls else price < best):
            best = price
            found = replace(found, best_price=price)
            self._keep(found)
        stop = trail.stop(trigger.crossing, best)
        return price <= stop if falls else price >= stop

    def _fire(self, found: SimConditional, trigger: Trigger, price: Decimal) -> None:
        """Place the order of one that triggers; it never triggers again, whatever becomes of the order."""
        state, wanted = self._state, found.wanted
        fired = replace(
            found,
            status=_S.TRIGGERED,
            fired=trigger,
            fired_price=price,
            triggered_ms=state.now_ms,
            updated_ms=state.now_ms,
        )
        self._keep(fired)
        state.expiries.clear(_expiry(fired))
        self._watch(fired.symbol)
        for other in [one for one in self._of(fired.symbol) if wanted.group and one.wanted.group == wanted.group]:
            self.end(other, _S.CANCELED)
        account = state.accounts[fired.account]
        try:
            order = _order_of(account, fired)
            self._submit(account, order, fired)
        except Refused as refused:
            rejected = replace(fired, status=_S.REJECTED, rejection=refused.message, reason=refused.reason.value)
            self._put(rejected, ConditionalChange.REJECTED)

    def announce(self, fired: SimConditional, order_id: str) -> None:
        """Publish that one has triggered, before the events of its order."""
        self._put(replace(fired, order_id=order_id), ConditionalChange.TRIGGERED)

    # What follows from orders and positions

    def _begin_attached(self) -> None:
        for parent_id in list(self._attached):
            key, children = self._attached[parent_id]
            account = self._state.accounts[key]
            parent = account.orders[parent_id]
            closed = not parent.status.is_open
            due = [child for child in children if parent.filled_quantity and (closed or child.on_fill)]
            left = tuple(child for child in children if child not in due and not closed)
            if left:
                self._attached[parent_id] = (key, left)
            else:
                del self._attached[parent_id]
            for child in due:
                quantity = child.quantity or parent.filled_quantity
                self.add(account, replace(child, quantity=min(quantity, parent.filled_quantity)), parent_id)

    def _end_bound(self) -> None:
        for waiting in list(self._waiting.values()):
            for found in [one for one in waiting.values() if one.wanted.bound]:
                position = self._state.accounts[found.account].position_for(found.symbol, found.wanted.position_side)
                if not position.closable(found.wanted.side.sign):
                    self.end(found, _S.EXPIRED)

    # The table

    def _check_quantity(self, wanted: NewConditional) -> None:
        rules = self._state.instrument(wanted.symbol).rules
        quantity = wanted.quantity
        if not quantity.is_finite() or quantity <= 0:
            raise Refused(RefusalReason.INVALID, f"quantity {quantity}: expected above zero")
        if quantity < rules.min_quantity:
            raise Refused(RefusalReason.MIN_QUANTITY, f"quantity {quantity}: expected at least {rules.min_quantity}")
        if quantity > rules.max_quantity:
            raise Refused(RefusalReason.MAX_QUANTITY, f"quantity {quantity}: expected at most {rules.max_quantity}")
        if quantity % rules.quantity_step:
            raise Refused(RefusalReason.QUANTITY_STEP, f"quantity {quantity}: expected a step of {rules.quantity_step}")

    def _of(self, symbol: str) -> list[SimConditional]:
        return list(self._waiting.get(symbol, {}).values())

    def _keep(self, one: SimConditional) -> None:
        self._all[one.conditional_id] = one
        waiting = self._waiting.setdefault(one.symbol, {})
        if one.status.is_open:
            waiting[one.conditional_id] = one
        else:
            waiting.pop(one.conditional_id, None)

    def _put(self, one: SimConditional, change: ConditionalChange) -> None:
        self._keep(one)
        self._state.queue_event(
            ConditionalChanged(account=one.account, conditional=one, change=change, time_ms=self._state.now_ms)
        )

    def _watch(self, symbol: str) -> None:
        """Have prints noted while somebody waits for one, and not otherwise."""
        watched = self._state.watched_prints
        if self._waiting.get(symbol):
            watched.setdefault(symbol, [])
        elif not watched.get(symbol):
            watched.pop(symbol, None)


def _order_of(account: SimAccount, fired: SimConditional) -> NewOrder:
    """Make the order of one that has triggered, its quantity resolved by the position as it is now."""
    wanted, trigger = fired.wanted, fired.trigger
    quantity = wanted.quantity
    if wanted.close_position:
        quantity = account.position_for(wanted.symbol, wanted.position_side).closable(wanted.side.sign)
        if not quantity:
            raise Refused(RefusalReason.REDUCE_ONLY, "close_position: expected a position that it closes")
    return NewOrder(
        symbol=wanted.symbol,
        side=wanted.side,
        quantity=quantity,
        order_type=OrderType.MARKET if trigger.order_price is None else OrderType.LIMIT,
        price=trigger.order_price,
        time_in_force=wanted.time_in_force,
        reduce_only=wanted.closes_only and wanted.position_side is PositionSide.BOTH,
        position_side=wanted.position_side,
        client_order_id=wanted.client_id if wanted.order_client_id is None else wanted.order_client_id,
        tag=wanted.tag,
        expires_ms=wanted.expires_ms if wanted.expires_order else None,
        details=wanted.details,
    )


def crossing_to(price: Decimal, now: Decimal) -> Crossing:
    """Return the way in which a price that is *now* would reach another one."""
    return Crossing.UP if price > now else Crossing.DOWN


def _expiry(one: SimConditional) -> ExpiryKey:
    return ("conditional", one.account, one.conditional_id)
