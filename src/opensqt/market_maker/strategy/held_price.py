"""What is known of the market while its price is held: enough to say where an exit may rest."""

from __future__ import annotations

from decimal import Decimal

from opensqt.market_maker.strategy.grid.geometry import Grid
from opensqt.market_maker.strategy.own_orders import OwnOrders
from opensqt.market_maker.strategy.reference import REPORT_AFTER_S, PriceGuard
from opensqt.model.immutable import immutable
from opensqt.model.order import Side


@immutable
class HeldPrice:
    """The market without a price that is trusted. Prices are quote per base coin."""

    near: Decimal | None = None
    """The best guess where the market is; None without any input."""
    bid: Decimal | None = None
    """Best bid of the others; None when it is not known."""
    ask: Decimal | None = None
    lowest_sell: Decimal | None = None
    """A sell at this price or above it goes against no input; None while nothing says so."""
    highest_buy: Decimal | None = None
    lasting: bool = False
    """Whether the hold has lasted so long that exits don't wait for the inputs."""

    def allows(self, side: Side, price: Decimal) -> bool:
        """Return whether an exit may be laid at its level's own price."""
        if self.lasting:
            return True
        if side is Side.SELL:
            return self.lowest_sell is not None and price >= self.lowest_sell
        return self.highest_buy is not None and price <= self.highest_buy

    def maker_price(self, side: Side, price: Decimal, step: Decimal, *, at_touch: bool) -> Decimal:
        """Return *price*, or the nearest better one that does not take liquidity from the book."""
        if side is Side.SELL:
            best = self.ask if at_touch else self.bid + step if self.bid is not None else None
            return price if best is None else max(price, best)
        best = self.bid if at_touch else self.ask - step if self.ask is not None else None
        return price if best is None or best <= 0 else min(price, best)


def held_price(guard: PriceGuard, own: OwnOrders, grid: Grid, now: float) -> HeldPrice | None:
    """Return what is known of the market; None while the price is trusted, or held for a moment only.

    Args:
        guard: The inputs, and the last price that was trusted.
        own: Our orders in the book.
        grid: The levels.
        now: Monotonic seconds.
    """
    hold, market, settings = guard.hold, guard.market, guard.settings
    if hold is None or now - hold.since < min(REPORT_AFTER_S, settings.exits_after_s):
        return None
    mark = guard.usual_mark(now)
    bid, ask, at = guard.data.quote(own) or (None, None, now)
    if now - at > settings.book_max_age_s:
        bid = ask = None
    sells = [market.sell_limit] if market is not None else []
    buys = [market.buy_limit] if market is not None else []
    if mark is not None:
        level = grid.interval_at(mark)
        sells.append(mark - level)
        buys.append(mark + level)
    middle = (bid + ask) / 2 if bid is not None and ask is not None else None
    return HeldPrice(
        near=middle or mark or (market.reference if market is not None else None),
        bid=bid,
        ask=ask,
        lowest_sell=max(sells, default=None),
        highest_buy=min(buys, default=None),
        lasting=now - hold.since >= settings.exits_after_s,
    )
