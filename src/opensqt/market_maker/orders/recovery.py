"""What a lost or an older database leaves open: the anchor of orders at the venue, used numbers, wrong times."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from opensqt.market_maker.orders.ids import OrderIds
from opensqt.market_maker.orders.stored import Stored
from opensqt.market_maker.strategy.grid.geometry import Grid
from opensqt.market_maker.strategy.grid.settings import GridMode
from opensqt.model.clock import MAX_AHEAD_MS
from opensqt.model.errors import ConfigError
from opensqt.model.order import Order, Side

_EPOCH_MS = 1_000_000_000_000
LOOK_BACK_MS = 7 * 86_400_000
"""How far back fills are listed when the stored watermark is of the future: as far as every venue lists them."""


def trusted(stored: Stored, *, sequence: int) -> Stored:
    """Return what is stored with a sequence and a watermark that can be used.

    The database may be an older copy: numbers up to *sequence* can have been used since. It is the time in
    milliseconds, for no grid places more orders. A watermark of the future, taken from a wrong time, would hide every
    fill before it.
    """
    header = stored.header
    if header is None:
        return stored
    ahead = sequence > _EPOCH_MS and header.watermark_ms > sequence + MAX_AHEAD_MS
    watermark_ms = sequence - LOOK_BACK_MS if ahead else header.watermark_ms
    return replace(stored, header=replace(header, sequence=max(header.sequence, sequence), watermark_ms=watermark_ms))


def recovered_anchor(
    orders: Sequence[Order], ids: OrderIds, interval: Decimal, *, mode: GridMode, geometric: bool, price_step: Decimal
) -> Decimal | None:
    """Return the anchor of the grid whose orders are open at the venue while the database is new; None without orders.

    Their ids name levels, and with another anchor the same level would have another price.

    Raises:
        ConfigError: They fit no grid with these settings.
    """
    own = [order for order in orders if order.price is not None and ids.read(order.client_order_id) is not None]
    fits: Counter[Decimal] = Counter()
    for order in own:
        name = ids.read(order.client_order_id)
        if name is None or order.price is None:
            continue
        # An entry rests at its level, an exit one interval beyond it.
        beyond = 1 if order.side is Side.SELL else -1
        levels = [name.level] if order.side in mode.opens else []
        levels += [name.level + beyond] if order.side.opposite in mode.opens else []
        for level in levels:
            fits[_anchor(order.price, level, interval, geometric=geometric, price_step=price_step)] += 1
    if not own:
        return None
    anchor, count = fits.most_common(1)[0] if fits else (Decimal(0), 0)
    if 2 * count < len(own):
        raise ConfigError(
            f"app.database_url: the database is new, and the {len(own)} orders of this grid at the exchange fit no grid"
            f" with trading.price_interval {interval}: give the earlier database or interval, or cancel them with"
            " `opensqt cancel-all`"
        )
    return anchor


def _anchor(price: Decimal, level: int, interval: Decimal, *, geometric: bool, price_step: Decimal) -> Decimal:
    if not geometric:
        return price - level * interval
    made = price / (1 + interval) ** level
    return Grid(anchor=made, interval=interval, geometric=True, price_step=price_step).price_of(0)
