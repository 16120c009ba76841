"""Cross margin: requirement of positions and open orders, available balance, liquidation.

A position requires its value divided by the leverage. Open orders of a symbol require what the larger of two outcomes
would add to that: all buys filled, or all sells filled. So the exits of a position require no margin.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal

from opensqt.model.account import PositionMode
from opensqt.model.order import PositionSide, Side
from opensqt.simulator.engine.account import SIDES, SimAccount, closes
from opensqt.simulator.engine.events import BalanceView, PositionView
from opensqt.simulator.engine.position import ZERO
from opensqt.simulator.settings import SymbolSettings

MARGIN_CALL_RATIO = Decimal("0.8")
"""A margin call is published when maintenance margin reaches this share of the equity."""


@dataclass(frozen=True, slots=True)
class Exposure:
    """An open order, or a requested one, as the margin calculation uses it."""

    side: Side
    position_side: PositionSide
    notional: Decimal
    """Quote: price times remaining quantity."""


class Margin:
    """The margin of accounts at the venue's current marks.

    Args:
        symbols: Settings by symbol.
        mark: Returns the mark price of a symbol.
    """

    def __init__(self, symbols: dict[str, SymbolSettings], mark: Callable[[str], Decimal]) -> None:
        self._symbols = symbols
        self._mark = mark

    def equity(self, account: SimAccount) -> Decimal:
        """Return wallet balance and open profit together."""
        profit = sum((position.unrealized_pnl(self._mark(symbol)) for symbol, _, position in account.held()), ZERO)
        return account.wallet_balance + profit

    def usable(self, account: SimAccount) -> Decimal:
        """Return what serves as margin: the equity, and the value of other assets."""
        return self.equity(account) + account.collateral

    def maintenance(self, account: SimAccount) -> Decimal:
        """Return the maintenance margin, which what serves as margin must not fall below."""
        return sum(
            (
                abs(position.quantity) * self._mark(symbol) * self._symbols[symbol].maintenance_rate
                for symbol, _, position in account.held()
            ),
            ZERO,
        )

    def initial(self, account: SimAccount) -> Decimal:
        """Return the initial margin of positions and open orders of all symbols."""
        symbols = {symbol for symbol, _, _ in account.held()} | {name for name, found in account.open.items() if found}
        return sum((sum(self.bound(account, symbol), ZERO) for symbol in symbols), ZERO)

    def bound(
        self, account: SimAccount, symbol: str, more: Iterable[Exposure] = (), leverage: int | None = None
    ) -> tuple[Decimal, Decimal]:
        """Return the margin of a symbol: of its positions, and of its open orders (with *more* of them) in addition."""
        orders = [
            Exposure(order.side, order.position_side, order.remaining * (order.price or self._mark(symbol)))
            for order in account.open.get(symbol, {}).values()
            if not closes(order.side, order.position_side, order.reduce_only)
        ]
        orders.extend(more)
        leverage = leverage or account.leverage(symbol)
        held = extra = ZERO
        for side in SIDES[account.mode]:
            value = account.position_for(symbol, side).quantity * self._mark(symbol)
            buys = sum((o.notional for o in orders if o.position_side is side and o.side is Side.BUY), ZERO)
            sells = sum((o.notional for o in orders if o.position_side is side and o.side is Side.SELL), ZERO)
            held += abs(value)
            extra += max(abs(value + buys), abs(value - sells), abs(value)) - abs(value)
        return held / leverage, extra / leverage

    def carries(self, account: SimAccount, symbol: str, more: Exposure) -> bool:
        """Return whether the account can carry one more open order; one that requires no further margin always is."""
        now, then = sum(self.bound(account, symbol), ZERO), sum(self.bound(account, symbol, (more,)), ZERO)
        return then <= now or self.usable(account) - self.initial(account) - (then - now) >= 0

    def balance(self, account: SimAccount, asset: str) -> BalanceView:
        """Return the account's balance in its margin asset."""
        equity = self.equity(account)
        position_margin = order_margin = ZERO
        for symbol in self._symbols:
            held, extra = self.bound(account, symbol)
            position_margin += held
            order_margin += extra
        initial = position_margin + order_margin
        return BalanceView(
            asset=account.asset or asset,
            wallet_balance=account.wallet_balance,
            unrealized_pnl=equity - account.wallet_balance,
            initial_margin=initial,
            position_margin=position_margin,
            order_margin=order_margin,
            maintenance_margin=self.maintenance(account),
            available_balance=max(ZERO, equity + account.collateral - initial),
            realized_pnl=account.realized_pnl,
            fees=account.fees,
            funding=account.funding,
            updated_ms=account.updated_ms,
            collateral=account.collateral,
        )

    def position(self, account: SimAccount, symbol: str, side: PositionSide) -> PositionView:
        """Return one position at its mark. The order margin of a symbol is included in the first of its positions."""
        position, mark, rules = account.position_for(symbol, side), self._mark(symbol), self._symbols[symbol]
        value = abs(position.quantity) * mark
        first = side in (PositionSide.BOTH, PositionSide.LONG)
        return PositionView(
            symbol=symbol,
            position_side=side,
            quantity=position.quantity,
            entry_price=position.entry_price,
            mark_price=mark,
            unrealized_pnl=position.unrealized_pnl(mark),
            realized_pnl=position.realized_pnl,
            leverage=account.leverage(symbol),
            margin_mode=account.margin_mode(symbol),
            funding=position.funding,
            initial_margin=value / account.leverage(symbol),
            order_margin=self.bound(account, symbol)[1] if first else ZERO,
            maintenance_margin=value * rules.maintenance_rate,
            liquidation_price=self._liquidation_price(account, symbol, side),
            updated_ms=position.updated_ms,
        )

    def positions(self, account: SimAccount, symbol: str) -> tuple[PositionView, ...]:
        """Return each position of a symbol in the account's mode, flat ones included."""
        return tuple(self.position(account, symbol, side) for side in SIDES[account.mode])

    def _liquidation_price(self, account: SimAccount, symbol: str, side: PositionSide) -> Decimal | None:
        """Return where equity meets maintenance margin if only this symbol's price moves; None if nowhere above zero.

        In hedge mode both positions of the symbol move together, so both get the same price.
        """
        if not account.position_for(symbol, side).quantity:
            return None
        sides = SIDES[PositionMode.ONE_WAY if side is PositionSide.BOTH else PositionMode.HEDGE]
        here = [account.position_for(symbol, each) for each in sides]
        rules, mark = self._symbols[symbol], self._mark(symbol)
        rate = rules.maintenance_rate
        net = sum((position.quantity for position in here), ZERO)
        gross = sum((abs(position.quantity) for position in here), ZERO)
        # equity - maintenance is linear in the price: spare + (net - gross * rate) * (price - mark)
        spare = self.usable(account) - self.maintenance(account)
        slope = net - gross * rate
        if not slope:
            return None
        price = mark - spare / slope
        return price.quantize(rules.price_step) if price > 0 else None
