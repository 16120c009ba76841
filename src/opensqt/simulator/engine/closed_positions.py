"""What the fills of an account closed: each position from its first fill to its last one, and each order's part."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal

from opensqt.model.order import PositionSide, Side
from opensqt.simulator.engine.events import FundingPaid
from opensqt.simulator.engine.order import SimFill, is_liquidation
from opensqt.simulator.engine.position import ZERO, SimPosition


@dataclass(slots=True, kw_only=True)
class ClosedPosition:
    """A position that was closed at least in part. Quantities are base coins, money is quote."""

    symbol: str
    position_side: PositionSide
    long: bool
    opened_ms: int
    updated_ms: int = 0
    """When its newest part was closed."""
    opened: Decimal = ZERO
    """Sum of what was opened."""
    opened_notional: Decimal = ZERO
    most: Decimal = ZERO
    """The most that was held at one time."""
    closed: Decimal = ZERO
    closed_notional: Decimal = ZERO
    pnl: Decimal = ZERO
    """Before fees and funding."""
    open_fees: Decimal = ZERO
    close_fees: Decimal = ZERO
    funding: Decimal = ZERO
    ended: bool = False
    liquidated: bool = False
    last_trade_id: str = ""

    @property
    def entry_price(self) -> Decimal:
        """Average price of what was opened."""
        return self.opened_notional / self.opened

    @property
    def exit_price(self) -> Decimal:
        """Average price of what was closed."""
        return self.closed_notional / self.closed

    @property
    def net_pnl(self) -> Decimal:
        """Profit after fees and funding."""
        return self.pnl - self.open_fees - self.close_fees + self.funding


@dataclass(slots=True, kw_only=True)
class ClosingOrder:
    """What one order closed."""

    symbol: str
    order_id: str
    side: Side
    closed: Decimal = ZERO
    entry_notional: Decimal = ZERO
    exit_notional: Decimal = ZERO
    pnl: Decimal = ZERO
    """Before fees."""
    open_fees: Decimal = ZERO
    """The share of what was closed in the fees of opening it."""
    close_fees: Decimal = ZERO
    fills: int = 0
    first_ms: int = 0
    last_ms: int = 0
    liquidation: bool = False


@dataclass(slots=True)
class _ReplayedPosition:
    """A position as the fills of one side make it."""

    position: SimPosition = field(default_factory=SimPosition)
    record: ClosedPosition | None = None
    open_fees: Decimal = ZERO
    """Of the quantity that is held."""


def closed_positions(fills: Iterable[SimFill], paid: Iterable[FundingPaid]) -> list[ClosedPosition]:
    """Return the positions that were closed in part or as a whole, in the order in which they were opened."""
    records: list[ClosedPosition] = []
    held: dict[tuple[str, PositionSide], _ReplayedPosition] = {}
    events: list[SimFill | FundingPaid] = sorted([*fills, *paid], key=lambda event: event.time_ms)
    for event in events:
        one = held.setdefault((event.symbol, event.position_side), _ReplayedPosition())
        if isinstance(event, FundingPaid):
            if one.record is not None and one.position.quantity:
                one.record.funding += event.amount
            continue
        _apply(event, one, records, {})
    return [record for record in records if record.closed]


def closing_orders(fills: Iterable[SimFill]) -> list[ClosingOrder]:
    """Return what each order closed, in the order of their first such fill."""
    held: dict[tuple[str, PositionSide], _ReplayedPosition] = {}
    orders: dict[str, ClosingOrder] = {}
    for fill in fills:
        one = held.setdefault((fill.symbol, fill.position_side), _ReplayedPosition())
        _apply(fill, one, [], orders)
    return list(orders.values())


def _apply(
    fill: SimFill, one: _ReplayedPosition, records: list[ClosedPosition], orders: dict[str, ClosingOrder]
) -> None:
    """Apply a fill to a position: what it closes first, then what it opens."""
    sign = fill.side.sign
    closing = min(fill.quantity, one.position.closable(sign))
    close_fee = fill.fee * closing / fill.quantity
    held_before, entry = abs(one.position.quantity), one.position.entry_price
    pnl = one.position.trade(sign * fill.quantity, fill.price, fill.time_ms)
    record = one.record
    if closing and record is not None:
        share = one.open_fees * closing / held_before
        one.open_fees -= share
        record.closed += closing
        record.closed_notional += closing * fill.price
        record.pnl += pnl
        record.open_fees += share
        record.close_fees += close_fee
        record.updated_ms, record.last_trade_id = fill.time_ms, fill.trade_id
        record.ended = closing == held_before
        record.liquidated = record.liquidated or is_liquidation(fill)
        _note(fill, closing, entry, pnl, share, close_fee, orders)
    opening = fill.quantity - closing
    if not opening:
        return
    if record is None or record.ended:
        record = ClosedPosition(
            symbol=fill.symbol, position_side=fill.position_side, long=sign > 0, opened_ms=fill.time_ms
        )
        one.record = record
        records.append(record)
    record.opened += opening
    record.opened_notional += opening * fill.price
    record.most = max(record.most, abs(one.position.quantity))
    one.open_fees += fill.fee - close_fee


def _note(
    fill: SimFill,
    closing: Decimal,
    entry: Decimal,
    pnl: Decimal,
    open_fees: Decimal,
    close_fees: Decimal,
    orders: dict[str, ClosingOrder],
) -> None:
    order = orders.setdefault(
        f"{fill.symbol} {fill.order_id}",
        ClosingOrder(
            symbol=fill.symbol,
            order_id=fill.order_id,
            side=fill.side,
            first_ms=fill.time_ms,
            liquidation=is_liquidation(fill),
        ),
    )
    order.closed += closing
    order.entry_notional += closing * entry
    order.exit_notional += closing * fill.price
    order.pnl += pnl
    order.open_fees += open_fees
    order.close_fees += close_fees
    order.fills += 1
    order.last_ms = fill.time_ms
