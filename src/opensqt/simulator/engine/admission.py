"""Checks before an order is accepted: the venue's filters, and the margin of the account."""

from __future__ import annotations

from decimal import Decimal

from opensqt.model.account import PositionMode
from opensqt.model.order import OrderType, Side, TimeInForce
from opensqt.simulator.engine.account import SIDES, SimAccount, closes
from opensqt.simulator.engine.book import ZERO, crosses
from opensqt.simulator.engine.margin import Exposure
from opensqt.simulator.engine.order import NewOrder, RefusalReason, Refused, SimOrder
from opensqt.simulator.engine.state import Instrument, VenueState
from opensqt.simulator.settings import SymbolSettings


class Admission:
    """Decides whether an order is accepted."""

    def __init__(self, state: VenueState) -> None:
        self._state = state

    def check(self, books: SimAccount, order: NewOrder) -> None:
        """Raise `Refused` for the first rule that *order* breaks."""
        instrument = self._state.instrument(order.symbol)
        rules = instrument.rules
        if instrument.listing_state and not closes(order.side, order.position_side, order.reduce_only):
            raise Refused(
                RefusalReason.SYMBOL_STATE,
                f"symbol {order.symbol}: expected an order that closes while it is {instrument.listing_state}",
            )
        _check_filters(order, rules, books.mode, instrument.mark)
        if self._state.settings.rules.least_notional:
            _check_notional(order, rules, instrument.mark)
        same = books.by_client_id(order.client_order_id) if order.client_order_id else []
        policy = self._state.settings.rules.duplicate_client_ids
        if policy != "never" and any(policy == "ever" or other.status.is_open for other in same):
            raise Refused(
                RefusalReason.DUPLICATE_CLIENT_ORDER_ID,
                f"client_order_id {order.client_order_id!r}: expected one that is not in use",
            )
        if len(books.open.get(order.symbol, ())) >= rules.max_open_orders:
            raise Refused(
                RefusalReason.TOO_MANY_ORDERS,
                f"open orders: expected at most {rules.max_open_orders} in {order.symbol}",
            )
        if closes(order.side, order.position_side, order.reduce_only):
            self._check_closing(books, order)
        else:
            self._check_margin(books, instrument, order)
        best = instrument.book.best(order.side.opposite)
        if (
            order.time_in_force is TimeInForce.POST_ONLY
            and self._state.settings.rules.post_only_crossing == "refuse"
            and best is not None
            and crosses(order.side, order.price, best[0])
        ):
            raise Refused(
                RefusalReason.POST_ONLY_WOULD_CROSS,
                f"price {order.price}: expected not to cross {best[0]} when post-only",
            )

    def check_amended(self, books: SimAccount, order: SimOrder, changed: SimOrder) -> None:
        """Raise `Refused` for the first rule that an open order would break as it is *changed*."""
        instrument = self._state.instrument(order.symbol)
        settings = self._state.settings.rules
        wanted = _as_new(changed)
        if instrument.listing_state and not closes(order.side, order.position_side, order.reduce_only):
            raise Refused(RefusalReason.SYMBOL_STATE, f"symbol {order.symbol}: it is {instrument.listing_state}")
        _check_filters(wanted, instrument.rules, books.mode, instrument.mark)
        if settings.least_notional:
            _check_notional(wanted, instrument.rules, instrument.mark)
        if settings.amended_to_filled == "refuse" and changed.quantity < order.filled_quantity:
            raise Refused(
                RefusalReason.BELOW_FILLED,
                f"quantity {changed.quantity}: expected at least {order.filled_quantity}, which are filled",
            )
        if closes(order.side, order.position_side, order.reduce_only):
            self._check_closing_more(books, order, changed)
        else:
            self._check_margin_of(books, order, changed)
        best = instrument.book.best(order.side.opposite)
        if (
            order.time_in_force is TimeInForce.POST_ONLY
            and settings.amended_post_only == "refuse"
            and best is not None
            and crosses(order.side, changed.price, best[0])
        ):
            raise Refused(
                RefusalReason.POST_ONLY_WOULD_CROSS,
                f"price {changed.price}: expected not to cross {best[0]} when post-only",
            )

    def _check_closing_more(self, books: SimAccount, order: SimOrder, changed: SimOrder) -> None:
        """Check that a closing order that grows has the quantity to close, and that no other order closes it."""
        free = books.position_for(order.symbol, order.position_side).closable(order.side.sign) - sum(
            other.remaining
            for other in books.open_in(order.symbol)
            if other.order_id != order.order_id
            and other.side is order.side
            and other.position_side is order.position_side
            and closes(other.side, other.position_side, other.reduce_only)
        )
        if changed.quantity > order.quantity and changed.remaining > free:
            raise Refused(
                RefusalReason.REDUCE_ONLY,
                f"quantity {changed.quantity}: expected a position that it reduces and no other order closes",
            )

    def _check_margin_of(self, books: SimAccount, order: SimOrder, changed: SimOrder) -> None:
        """Check the margin of what the order requires more than before."""
        before, after = (one.remaining * (one.price or ZERO) for one in (order, changed))
        more = Exposure(order.side, order.position_side, after - before)
        if not self._state.margin.carries(books, order.symbol, more):
            raise Refused(
                RefusalReason.INSUFFICIENT_MARGIN,
                f"notional {after}: expected margin for it at leverage {books.leverage(order.symbol)}",
            )

    def _check_closing(self, books: SimAccount, order: NewOrder) -> None:
        """Check that a closing order has a quantity to close; for one that may rest, one that no other order closes."""
        free = books.position_for(order.symbol, order.position_side).closable(order.side.sign)
        if order.order_type is OrderType.LIMIT and order.time_in_force in (TimeInForce.GTC, TimeInForce.POST_ONLY):
            free -= sum(
                other.remaining
                for other in books.open_in(order.symbol)
                if other.side is order.side
                and other.position_side is order.position_side
                and closes(other.side, other.position_side, other.reduce_only)
            )
            free = free if order.quantity <= free else ZERO
        if free <= 0:
            raise Refused(
                RefusalReason.REDUCE_ONLY,
                f"quantity {order.quantity}: expected a position that it reduces and no other order closes",
            )

    def _check_margin(self, books: SimAccount, instrument: Instrument, order: NewOrder) -> None:
        best = instrument.book.best(order.side.opposite)
        price = order.price if order.price is not None else best[0] if best is not None else instrument.mark
        if order.side is Side.SELL and best is not None:
            price = max(price, best[0])
        more = Exposure(order.side, order.position_side, order.quantity * price)
        if not self._state.margin.carries(books, order.symbol, more):
            raise Refused(
                RefusalReason.INSUFFICIENT_MARGIN,
                f"notional {more.notional}: expected margin for it at leverage {books.leverage(order.symbol)}",
            )


def _as_new(order: SimOrder) -> NewOrder:
    return NewOrder(
        symbol=order.symbol,
        side=order.side,
        quantity=order.quantity,
        order_type=order.order_type,
        price=order.price,
        time_in_force=order.time_in_force,
        reduce_only=order.reduce_only,
        position_side=order.position_side,
        client_order_id=order.client_order_id,
    )


def _check_filters(order: NewOrder, rules: SymbolSettings, mode: PositionMode, mark: Decimal) -> None:
    if order.position_side not in SIDES[mode]:
        wanted = " or ".join(SIDES[mode])
        raise Refused(
            RefusalReason.POSITION_SIDE_MISMATCH,
            f"position_side {order.position_side}: expected {wanted} in {mode} mode",
        )
    market = order.order_type is OrderType.MARKET
    _check_quantity(order.quantity, rules, rules.largest_market_order if market else rules.max_quantity)
    if order.order_type is OrderType.LIMIT:
        _check_price(order, rules, mark)
    elif order.price is not None:
        raise Refused(RefusalReason.INVALID, f"price {order.price}: expected none for a MARKET order")


def _check_notional(order: NewOrder, rules: SymbolSettings, mark: Decimal) -> None:
    notional = order.quantity * (order.price if order.price is not None else mark)
    if not order.reduce_only and notional < rules.min_notional:
        raise Refused(RefusalReason.MIN_NOTIONAL, f"notional {notional}: expected at least {rules.min_notional}")


def _check_quantity(quantity: Decimal, rules: SymbolSettings, largest: Decimal) -> None:
    if not quantity.is_finite() or quantity <= 0:
        raise Refused(RefusalReason.INVALID, f"quantity {quantity}: expected above zero")
    if quantity < rules.min_quantity:
        raise Refused(RefusalReason.MIN_QUANTITY, f"quantity {quantity}: expected at least {rules.min_quantity}")
    if quantity > largest:
        raise Refused(RefusalReason.MAX_QUANTITY, f"quantity {quantity}: expected at most {largest}")
    if quantity % rules.quantity_step:
        raise Refused(RefusalReason.QUANTITY_STEP, f"quantity {quantity}: expected a multiple of {rules.quantity_step}")


def _check_price(order: NewOrder, rules: SymbolSettings, mark: Decimal) -> None:
    price = order.price
    if price is None or not price.is_finite() or price <= 0:
        raise Refused(RefusalReason.INVALID, f"price {price}: expected above zero for a LIMIT order")
    if price % rules.price_step:
        raise Refused(RefusalReason.PRICE_STEP, f"price {price}: expected a multiple of {rules.price_step}")
    highest, lowest = mark * (1 + rules.price_band), mark * (1 - rules.price_band)
    if order.side is Side.BUY and price > highest:
        raise Refused(RefusalReason.PRICE_BAND, f"price {price}: expected at most {highest} for a BUY")
    if order.side is Side.SELL and price < lowest:
        raise Refused(RefusalReason.PRICE_BAND, f"price {price}: expected at least {lowest} for a SELL")
