"""Details of fills that Bybit reports and the engine does not keep: closed part of the position, open remainder."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from opensqt.model.order import PositionSide
from opensqt.simulator.engine.events import OrderChanged

_ZERO = Decimal(0)
_Key = tuple[str, str, PositionSide]


@dataclass(frozen=True, slots=True)
class FillDetail:
    """Details of one fill.

    Attributes:
        closed: Base coins of the position that the fill closed.
        left: Base coins of its order that were open after the fill.
    """

    closed: Decimal = _ZERO
    left: Decimal = _ZERO


class FillDetails:
    """Details of the fills of all accounts."""

    def __init__(self) -> None:
        self._held: dict[_Key, Decimal] = {}
        self._of: dict[tuple[str, str, str], FillDetail] = {}

    def record(self, event: OrderChanged) -> None:
        """Record the details of a fill; each fill is passed once."""
        fill = event.fill
        if fill is None:
            return
        key = (fill.account, fill.symbol, fill.position_side)
        held = self._held.get(key, _ZERO)
        signed = fill.side.sign * fill.quantity
        closed = min(abs(held), fill.quantity) if held * signed < 0 else _ZERO
        self._held[key] = held + signed
        self._of[fill.account, fill.symbol, fill.order_id + fill.trade_id] = FillDetail(closed, event.order.remaining)

    def of(self, account: str, symbol: str, order_id: str, trade_id: str) -> FillDetail:
        """Return the details of a fill."""
        return self._of.get((account, symbol, order_id + trade_id), FillDetail())
