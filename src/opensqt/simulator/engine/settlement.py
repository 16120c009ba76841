"""Settlement of accounts by the venue: funding at its hours, margin calls, liquidation."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from decimal import Decimal

from opensqt.model.order import OrderStatus, OrderType, PositionSide, Side, TimeInForce
from opensqt.simulator.engine.account import SimAccount
from opensqt.simulator.engine.events import (
    AccountReason,
    CandleUpdate,
    FundingPaid,
    Liquidation,
    MarginCall,
    PositionView,
    SimMark,
)
from opensqt.simulator.engine.margin import MARGIN_CALL_RATIO
from opensqt.simulator.engine.matching import Matcher
from opensqt.simulator.engine.order import ClosingReason, SimOrder, VenueClose
from opensqt.simulator.engine.position import SimPosition
from opensqt.simulator.engine.state import VenueState

_FUNDINGS_KEPT = 1_000


class Settlement:
    """Advances market time, and settles what becomes due.

    Args:
        state: The venue.
        matcher: Closes what is liquidated.
        end_conditional: Ends the conditional orders of an account that is liquidated.
    """

    def __init__(self, state: VenueState, matcher: Matcher, end_conditional: Callable[[str], None]) -> None:
        self._state = state
        self._matcher = matcher
        self._end_conditional = end_conditional
        self.fundings: dict[str, deque[SimMark]] = {
            symbol: deque(maxlen=_FUNDINGS_KEPT) for symbol in state.instruments
        }

    def advance(self, now_ms: int) -> None:
        """Pay funding and close candles, each at its own time, up to *now_ms*. Time never goes back."""
        state = self._state
        while state.next_funding_ms <= now_ms:
            self._move_to(state.next_funding_ms)
            state.next_funding_ms += state.funding_interval_ms
            self._pay_funding()
        self._move_to(now_ms)

    def pay_funding(self) -> None:
        """Pay funding now, whatever the hour is."""
        self._pay_funding()

    def check_holders(self, symbol: str) -> None:
        """Check the margin of the accounts that hold a symbol, whose mark has moved."""
        for account in self._state.accounts.values():
            if any(held == symbol for held, _, _ in account.held()):
                self._check_margin(account)

    def _move_to(self, now_ms: int) -> None:
        state = self._state
        if now_ms <= state.now_ms:
            return
        state.now_ms = now_ms
        for instrument in state.instruments.values():
            for candle in instrument.tape.roll(now_ms):
                state.queue_event(CandleUpdate(candle=candle, time_ms=now_ms))

    def _pay_funding(self) -> None:
        for symbol, instrument in self._state.instruments.items():
            self.fundings[symbol].append(self._state.mark_price(symbol))
            for account in self._state.accounts.values():
                for held, side, position in account.held():
                    if held == symbol:
                        self._pay(account, symbol, side, position, instrument.funding_rate, instrument.mark)

    def _pay(
        self, account: SimAccount, symbol: str, side: PositionSide, position: SimPosition, rate: Decimal, mark: Decimal
    ) -> None:
        amount = -position.quantity * mark * rate
        account.wallet_balance += amount
        account.funding += amount
        position.funding += amount
        paid = FundingPaid(
            account=account.key,
            symbol=symbol,
            position_side=side,
            amount=amount,
            rate=rate,
            mark_price=mark,
            quantity=position.quantity,
            payment_id=self._state.next_payment_id(),
            time_ms=self._state.now_ms,
        )
        account.fundings.append(paid)
        self._state.queue_event(paid)
        self._state.queue_account_event(account, AccountReason.FUNDING, amount, symbol, side)
        self._check_margin(account)

    def _check_margin(self, account: SimAccount) -> None:
        margin = self._state.margin
        equity, maintenance = margin.usable(account), margin.maintenance(account)
        if maintenance and equity <= maintenance:
            self._liquidate(account)
            return
        near = maintenance >= equity * MARGIN_CALL_RATIO and maintenance > 0
        if near and not account.margin_called:
            self._state.queue_event(
                MarginCall(
                    account=account.key,
                    balance=margin.balance(account, self._asset(account)),
                    positions=self._held(account),
                    time_ms=self._state.now_ms,
                )
            )
        account.margin_called = near

    def _liquidate(self, account: SimAccount) -> None:
        """Cancel all orders and close at market; what the book can't fill is retried at the next mark."""
        state = self._state
        held = [
            item
            for item in account.held()
            if state.instruments[item[0]].book.best(Side.SELL if item[2].quantity < 0 else Side.BUY) is not None
        ]
        if not held:
            return
        state.queue_event(
            Liquidation(
                account=account.key,
                balance=state.margin.balance(account, self._asset(account)),
                positions=self._held(account),
                time_ms=state.now_ms,
            )
        )
        self._end_conditional(account.key)
        for symbol in tuple(account.open):
            for order in account.open_in(symbol):
                self._matcher.cancel(order, ClosingReason.LIQUIDATION)
        for symbol, side, position in held:
            self._close(account, symbol, side, position.quantity, VenueClose.LIQUIDATION)

    def close(self, account: SimAccount, symbol: str, why: VenueClose, quantity: Decimal | None) -> None:
        """Close what an account holds of a symbol as the venue does, or *quantity* of it, at market."""
        for held, side, position in account.held():
            if held == symbol:
                most = abs(position.quantity)
                part = most if quantity is None else min(quantity, most)
                self._close(account, symbol, side, part.copy_sign(position.quantity), why)

    def _close(self, account: SimAccount, symbol: str, side: PositionSide, quantity: Decimal, why: VenueClose) -> None:
        order_id = self._state.next_order_id()
        self._matcher.submit(
            SimOrder(
                account=account.key,
                order_id=order_id,
                client_order_id=f"{why}{order_id}",
                symbol=symbol,
                side=Side.SELL if quantity > 0 else Side.BUY,
                position_side=side,
                order_type=OrderType.MARKET,
                time_in_force=TimeInForce.IOC,
                reduce_only=side is PositionSide.BOTH,
                price=None,
                quantity=abs(quantity),
                status=OrderStatus.OPEN,
                created_ms=self._state.now_ms,
                updated_ms=self._state.now_ms,
            )
        )

    def _held(self, account: SimAccount) -> tuple[PositionView, ...]:
        return tuple(self._state.margin.position(account, symbol, side) for symbol, side, _ in account.held())

    def _asset(self, account: SimAccount) -> str:
        return self._state.instruments[account.held()[0][0]].rules.quote_asset
