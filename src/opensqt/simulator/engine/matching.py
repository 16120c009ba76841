"""Matching by price, then time: takers sweep the book, fills are applied, the rest of the order rests or expires.

Orders of one account never trade with each other: when a taker meets its own account's resting order, the resting
one expires (Binance's EXPIRE_MAKER). Reduce-only orders are reduced, newest first, to the quantity of the position.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from opensqt.model.order import OrderStatus, OrderType, Side, TimeInForce
from opensqt.simulator.engine.account import SimAccount, closes
from opensqt.simulator.engine.book import ZERO, Resting, crosses
from opensqt.simulator.engine.events import AccountReason, Execution
from opensqt.simulator.engine.order import ClosingReason, SimFill, SimOrder
from opensqt.simulator.engine.state import Instrument, VenueState

_RESTS = (TimeInForce.GTC, TimeInForce.POST_ONLY)


class Matcher:
    """Executes all trades."""

    def __init__(self, state: VenueState) -> None:
        self._state = state

    def submit(self, order: SimOrder) -> SimOrder:
        """Execute an accepted order: sweep, then rest or expire. Returns its last snapshot."""
        account = self._state.accounts[order.account]
        instrument = self._state.instruments[order.symbol]
        account.add(order)
        self._state.queue_order_event(order, Execution.NEW)
        if self._is_refused_at_once(account, instrument, order):
            reason = (
                ClosingReason.POST_ONLY
                if order.time_in_force is TimeInForce.POST_ONLY
                else ClosingReason.NOT_FILLED_AT_ONCE
            )
            return self._close(order, OrderStatus.EXPIRED, reason)
        return self._sweep_and_rest(order)

    def _sweep_and_rest(self, order: SimOrder) -> SimOrder:
        """Fill what is left of an order from the book, then rest or expire it. Returns its last snapshot."""
        account = self._state.accounts[order.account]
        wanted = order.remaining
        if closes(order.side, order.position_side, order.reduce_only):
            wanted = min(wanted, account.position_for(order.symbol, order.position_side).closable(order.side.sign))
        self._sweep(self._state.instruments[order.symbol], order.side, wanted, order.price, order)
        order = account.orders[order.order_id]
        if not order.status.is_open:
            return order
        if order.order_type is OrderType.MARKET or order.time_in_force not in _RESTS:
            return self._close(order, OrderStatus.EXPIRED, ClosingReason.NOT_FILLED_AT_ONCE)
        assert order.price is not None  # noqa: S101 - a limit order has one; the filters saw to it
        self._state.rest(order.order_id, order.account, order.side, order.price, order.remaining, order.symbol)
        return order

    def amend(self, order: SimOrder, price: Decimal, quantity: Decimal, text: str) -> SimOrder:
        """Execute an accepted amendment: keep the order's place or queue it again, sweep where it crosses."""
        state, rules = self._state, self._state.settings.rules
        instrument = state.instruments[order.symbol]
        amended = replace(order, amendments=order.amendments + 1, amend_text=text, updated_ms=state.now_ms)
        if quantity <= order.filled_quantity:
            instrument.book.remove(order.order_id)
            if rules.amended_to_filled == "fill":
                filled = replace(amended, quantity=order.filled_quantity, status=OrderStatus.FILLED)
                state.queue_order_event(filled, Execution.AMENDED)
                return filled
            return self._close(amended, OrderStatus.CANCELED, ClosingReason.AMENDED)
        best = instrument.book.best(order.side.opposite)
        takes = best is not None and crosses(order.side, price, best[0])
        if takes and order.time_in_force is TimeInForce.POST_ONLY:
            instrument.book.remove(order.order_id)
            return self._close(amended, OrderStatus.CANCELED, ClosingReason.POST_ONLY)
        amended = replace(amended, price=price, quantity=quantity)
        resting = instrument.book.get(order.order_id)
        if resting is not None and price == order.price and quantity <= order.quantity and rules.amended_keeps_place:
            instrument.book.reduce(resting, order.quantity - quantity)
            state.queue_order_event(amended, Execution.AMENDED)
            return amended
        instrument.book.remove(order.order_id)
        state.queue_order_event(amended, Execution.AMENDED)
        return self._sweep_and_rest(amended)

    def cancel(self, order: SimOrder, reason: ClosingReason = ClosingReason.NONE) -> SimOrder:
        """Remove an open order from the book: for its owner, or for the venue's own reason."""
        self._state.instruments[order.symbol].book.remove(order.order_id)
        by_request = reason in (ClosingReason.NONE, ClosingReason.COUNTDOWN)
        status = OrderStatus.CANCELED if by_request else OrderStatus.EXPIRED
        return self._close(order, status, reason)

    def take_outside(self, symbol: str, side: Side, quantity: Decimal, limit: Decimal | None) -> Decimal:
        """Sweep the book for an outside participant and return the filled quantity."""
        return self._sweep(self._state.instruments[symbol], side, quantity, limit, None)

    def quote_outside(self, symbol: str, side: Side, price: Decimal, quantity: Decimal) -> str:
        """Sweep up to *price* for an outside participant, then rest the remainder there.

        Returns:
            The id of the resting remainder; empty if there is none.
        """
        left = quantity - self._sweep(self._state.instruments[symbol], side, quantity, price, None)
        if not left:
            return ""
        order_id = self._state.next_outside_id()
        self._state.rest(order_id, "", side, price, left, symbol)
        return order_id

    def _is_refused_at_once(self, account: SimAccount, instrument: Instrument, order: SimOrder) -> bool:
        if order.time_in_force is TimeInForce.POST_ONLY:
            best = instrument.book.best(order.side.opposite)
            return best is not None and crosses(order.side, order.price, best[0])
        if order.time_in_force is TimeInForce.FOK and order.order_type is OrderType.LIMIT:
            takeable = instrument.book.takeable(order.side, order.price, order.account, order.quantity)
            if closes(order.side, order.position_side, order.reduce_only):
                position = account.position_for(order.symbol, order.position_side)
                takeable = min(takeable, position.closable(order.side.sign))
            return takeable < order.quantity
        return False

    def _sweep(
        self, instrument: Instrument, side: Side, quantity: Decimal, limit: Decimal | None, taker: SimOrder | None
    ) -> Decimal:
        """Trade with the book until *quantity*, *limit* or the book ends; return the filled quantity."""
        book, tape, accounts = instrument.book, instrument.tape, self._state.accounts
        left = quantity
        at, aggregate_id = None, 0
        while left > 0:
            maker = book.front(side.opposite)
            if maker is None or not crosses(side, limit, maker.price):
                break
            if taker is not None and maker.owner == taker.account:
                self._expire(accounts[maker.owner].orders[maker.order_id], ClosingReason.SELF_TRADE)
                continue
            traded = min(left, maker.quantity)
            if maker.price != at:
                at, aggregate_id = maker.price, tape.next_aggregate()
            trade = tape.print(
                maker.price,
                traded,
                aggregate_id,
                buyer_is_maker=side is Side.SELL,
                time_ms=self._state.now_ms,
            )
            self._state.queue_event(trade)
            if (watched := self._state.watched_prints.get(instrument.rules.symbol)) is not None:
                watched.append(trade.price)
            left -= traded
            book.reduce(maker, traded)
            if maker.owner:
                self._fill(accounts[maker.owner].orders[maker.order_id], trade.trade_id, maker.price, traded, True)
            if taker is not None:
                taker = self._fill(taker, trade.trade_id, maker.price, traded, False)
        return quantity - left

    def _fill(self, order: SimOrder, trade_id: str, price: Decimal, quantity: Decimal, is_maker: bool) -> SimOrder:
        """Apply one trade to an account's order and return the order's new snapshot."""
        state = self._state
        account = state.accounts[order.account]
        rate = state.settings.maker_fee if is_maker else state.settings.taker_fee
        fee = price * quantity * rate
        position = account.position_for(order.symbol, order.position_side)
        realized = position.trade(order.side.sign * quantity, price, state.now_ms)
        account.wallet_balance += realized - fee
        account.realized_pnl += realized
        account.fees += fee
        filled = order.filled_quantity + quantity
        order = replace(
            order,
            filled_quantity=filled,
            filled_notional=order.filled_notional + price * quantity,
            status=OrderStatus.FILLED if filled == order.quantity else OrderStatus.PARTIALLY_FILLED,
            updated_ms=state.now_ms,
        )
        fill = SimFill(
            account=order.account,
            trade_id=trade_id,
            order_id=order.order_id,
            client_order_id=order.client_order_id,
            symbol=order.symbol,
            side=order.side,
            position_side=order.position_side,
            price=price,
            quantity=quantity,
            fee=fee,
            fee_asset=account.asset or state.instruments[order.symbol].rules.quote_asset,
            is_maker=is_maker,
            realized_pnl=realized,
            time_ms=state.now_ms,
        )
        account.add_fill(fill)
        state.queue_order_event(order, Execution.TRADE, fill)
        state.queue_account_event(account, AccountReason.ORDER, realized - fee, order.symbol, order.position_side)
        self._fit_reduce_only(account, order)
        return order

    def _fit_reduce_only(self, account: SimAccount, moved_by: SimOrder) -> None:
        """Reduce the resting reduce-only orders to the position's quantity, newest first, so that it can't flip."""
        symbol, position_side = moved_by.symbol, moved_by.position_side
        book = self._state.instruments[symbol].book
        position = account.position_for(symbol, position_side)
        for side in Side:
            resting = [
                (order, found)
                for order in account.open_in(symbol)
                if order.side is side
                and order.position_side is position_side
                and closes(side, position_side, order.reduce_only)
                and (found := book.get(order.order_id)) is not None
            ]
            excess = sum((found.quantity for _, found in resting), ZERO) - position.closable(side.sign)
            for order, found in reversed(resting):
                if excess <= 0:
                    break
                excess -= self._cut(order, found, min(excess, found.quantity))

    def _cut(self, order: SimOrder, resting: Resting, quantity: Decimal) -> Decimal:
        if quantity == resting.quantity:
            self._expire(order, ClosingReason.REDUCE_ONLY)
            return quantity
        self._state.instruments[order.symbol].book.reduce(resting, quantity)
        smaller = replace(order, quantity=order.quantity - quantity, updated_ms=self._state.now_ms)
        self._state.queue_order_event(smaller, Execution.CUT)
        return quantity

    def _expire(self, order: SimOrder, reason: ClosingReason) -> None:
        self._state.instruments[order.symbol].book.remove(order.order_id)
        self._close(order, OrderStatus.EXPIRED, reason)

    def _close(self, order: SimOrder, status: OrderStatus, reason: ClosingReason) -> SimOrder:
        order = replace(order, status=status, closing_reason=reason, updated_ms=self._state.now_ms)
        if order.expires_ms is not None:
            self._state.expiries.clear(("order", order.account, order.order_id))
        self._state.queue_order_event(order, Execution(status.value))
        return order
