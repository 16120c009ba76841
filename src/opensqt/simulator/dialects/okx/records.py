"""Records of the venue: each order's fills so far, and the account's bills."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from decimal import Decimal

from opensqt.simulator.dialects.decimals import ZERO
from opensqt.simulator.engine.events import Event, FundingPaid, OrderChanged
from opensqt.simulator.engine.order import SimFill, SimOrder
from opensqt.simulator.settings import SimulatorSettings

_FIRST_BILL_ID = 700_001


@dataclass(frozen=True, slots=True)
class Bill:
    """One change of an account's balance."""

    bill_id: int
    """Increasing over the whole venue."""
    cause: SimFill | FundingPaid
    change: Decimal
    balance: Decimal
    """Balance after the change."""


class Records:
    """Filled from the engine's events, read by the endpoints."""

    def __init__(self, settings: SimulatorSettings) -> None:
        self._bills: dict[str, list[Bill]] = defaultdict(list)
        self._balances = {account.key: account.balance for account in settings.accounts}
        self._last: dict[str, SimFill] = {}
        self._fees: dict[str, Decimal] = defaultdict(Decimal)
        self._next_id = _FIRST_BILL_ID

    def observe(self, event: Event) -> None:
        """Handle an event of the engine."""
        if isinstance(event, OrderChanged) and event.fill is not None:
            fill = event.fill
            self._last[fill.order_id] = fill
            self._fees[fill.order_id] += fill.fee
            self._write(fill.account, fill, fill.realized_pnl - fill.fee)
        elif isinstance(event, FundingPaid):
            self._write(event.account, event, event.amount)

    def last_fill(self, order: SimOrder) -> SimFill | None:
        """Return the newest fill of an order."""
        return self._last.get(order.order_id)

    def fees(self, order: SimOrder) -> Decimal:
        """Return the fees of an order so far."""
        return self._fees.get(order.order_id, ZERO)

    def bills(self, account: str) -> list[Bill]:
        """Return an account's bills, newest first."""
        return self._bills[account][::-1]

    def _write(self, account: str, cause: SimFill | FundingPaid, change: Decimal) -> None:
        balance = self._balances[account] = self._balances[account] + change
        self._bills[account].append(Bill(self._next_id, cause, change, balance))
        self._next_id += 1
