"""The venue inside an InMemoryExchange: orders, matching against the best bid and ask, and the feeds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal

from opensqt.model import client_order_id
from opensqt.model.account import Account, MarginMode, Position, PositionMode
from opensqt.model.clock import Clock
from opensqt.model.errors import (
    DuplicateOrder,
    ExchangeError,
    InsufficientMargin,
    InvalidRequest,
    OrderDenied,
    OrderNotFound,
    PositionModeMismatch,
    PostOnlyWouldCross,
    ReduceOnlyRefused,
    SettingRefused,
    UnknownSymbol,
    Unreachable,
)
from opensqt.model.funding import FundingPayment
from opensqt.model.market import Price
from opensqt.model.order import (
    AmendRequest,
    ClosedBy,
    CloseReason,
    Fill,
    Order,
    OrderRef,
    OrderRequest,
    OrderStatus,
    OrderType,
    OrderUpdate,
    Side,
    TimeInForce,
)
from opensqt.model.venue import SymbolRules
from opensqt.streams.feed import Feed
from opensqt.testing.candles import CandleBook
from opensqt.testing.ledger import Ledger
from opensqt.testing.open_orders import OpenOrders, is_marketable
from opensqt.testing.public_data import PublicMarketData

_ZERO = Decimal(0)


class InMemoryVenue:
    """Orders, prices and feeds. All state changes happen in synchronous calls."""

    def __init__(self, rules: dict[str, SymbolRules], ledger: Ledger, clock: Clock, *, orders_capacity: int) -> None:
        self._rules = rules
        self._ledger = ledger
        self._clock = clock
        self._prices: dict[str, Price] = {}
        self._requests: dict[str, OrderRequest] = {}
        self._amendments: dict[str, AmendRequest] = {}
        self._orders: dict[str, Order] = {}
        self._open = OpenOrders(rules, ledger)
        self._client_ids: dict[str, str] = {}
        self.fills: list[Fill] = []
        self.funding_payments: list[FundingPayment] = []
        self.candles = CandleBook()
        self.public = PublicMarketData(rules)
        self.price_feeds = {symbol: Feed[Price](key=lambda price: price.symbol, conflate=True) for symbol in rules}
        self.order_feed = Feed[OrderUpdate](
            key=lambda update: update.order.client_order_id,
            conflate=False,
            keep=lambda update: not update.order.status.is_closed,
            # A fill is an event: repeated in a snapshot it could count twice.
            remember=lambda update: update if update.fill is None else OrderUpdate(order=update.order),
            capacity=orders_capacity,
        )
        self.account_feed = Feed[Account](key=lambda account: account.asset, conflate=True)
        self.position_feed = Feed[Position](key=lambda one: (one.symbol, one.position_side), conflate=True)
        self.funding_feed = Feed[FundingPayment](key=lambda payment: payment.payment_id, conflate=False)
        self.order_feed.replace((), gap=False)
        self.funding_feed.replace((), gap=False)
        self._publish_account(rules)

    def require_symbol(self, symbol: str, *, all_too: bool = False) -> str:
        """Return the symbol if it trades here, else raise; with *all_too* an empty symbol means all and passes."""
        if symbol in self._rules or (all_too and not symbol):
            return symbol
        raise UnknownSymbol(f"symbol {symbol!r}: expected one of {', '.join(self._rules)}", symbol=symbol)

    def price(self, symbol: str) -> Price:
        """Return the newest price."""
        price = self._prices.get(self.require_symbol(symbol))
        if price is None:
            raise Unreachable(f"{symbol} has no price yet; call set_price first", symbol=symbol)
        return price

    def move(self, price: Price) -> None:
        """Set the best bid and ask; resting orders that they cross fill completely, at their limit."""
        symbol = price.symbol
        self._prices[symbol] = price
        self.price_feeds[symbol].publish([price])
        self.public.quote(price)
        self.candles.trade(symbol, price.mid, _ZERO, price.received_ns)
        for order in self._open.crossed_by(price):
            assert order.price is not None  # noqa: S101 - only a limit order is crossed
            self._execute(order, order.price, order.remaining_quantity, is_maker=True)
        self._publish_account([symbol])

    def fill(self, order: Order, quantity: Decimal) -> Order:
        """Fill part of a resting order at its limit."""
        if not order.status.is_open or order.price is None or not _ZERO < quantity <= order.remaining_quantity:
            left = f"{order.client_order_id} is {order.status} with {order.remaining_quantity} left"
            raise ValueError(f"quantity {quantity}: {left}")
        self._execute(order, order.price, quantity, is_maker=True)
        self._publish_account([order.symbol])
        return self._orders[order.client_order_id]

    def place(self, request: OrderRequest) -> Order:
        """Place an order; for one that is sent again with the same content, return its current state."""
        rules = self._validate(request)
        earlier = self._requests.get(request.client_order_id)
        if earlier is not None:
            if earlier != request:
                raise DuplicateOrder(
                    f"client_order_id {request.client_order_id}: was used with other content", symbol=request.symbol
                )
            return self._orders[request.client_order_id]
        price = self.price(request.symbol)
        reason = rules.denial(request, reference_price=price.mid)
        if reason:
            raise OrderDenied(reason, symbol=request.symbol)
        self._admit(request, price)
        now = self._clock()
        order = Order(
            symbol=request.symbol,
            side=request.side,
            quantity=request.quantity,
            client_order_id=request.client_order_id,
            status=OrderStatus.OPEN,
            order_id=str(len(self._orders) + 1),
            order_type=request.order_type,
            price=request.price,
            time_in_force=request.time_in_force,
            reduce_only=request.reduce_only,
            position_side=request.position_side,
            event_time_ms=now // 1_000_000,
            received_ns=now,
        )
        self._requests[request.client_order_id] = request
        self._client_ids[order.order_id] = order.client_order_id
        self._keep(order)
        self._match(order, price)
        placed = self._orders[order.client_order_id]
        # An order that only rests binds margin; it moves no position.
        self._publish_account([order.symbol] if placed.filled_quantity else ())
        return placed

    def amend(self, request: AmendRequest) -> Order:
        """Amend an open order; a closed one is returned as it ended.

        An amendment that is sent again with the same content returns the order's current state. One that only takes
        quantity away keeps the order's place, and one to no more than what is filled cancels the order.
        """
        if not client_order_id.is_valid(request.amend_id):
            raise InvalidRequest(f"amend_id {request.amend_id!r}: expected 1 to 32 ASCII letters and digits")
        order = self.find(request.order)
        if (earlier := self._amendments.get(request.amend_id)) is not None:
            if earlier != request:
                raise DuplicateOrder(f"amend_id {request.amend_id}: was used with other content", symbol=order.symbol)
            return order
        if order.status.is_closed or request.is_done(order):
            return order
        amended = request.amended(order)
        price = self.price(order.symbol)
        if reason := self._validate_numbers(amended).denial(amended):
            raise OrderDenied(reason, symbol=order.symbol)
        if amended.quantity > order.filled_quantity:
            freed = self._ledger.margin_for(order.symbol, self._ledger.opening_value(order, order.price or _ZERO))
            more = replace(amended, quantity=amended.quantity - order.filled_quantity)
            self._admit(more, price, freed=freed)
        self._amendments[request.amend_id] = request
        if amended.quantity <= order.filled_quantity:
            return self._end(
                replace(
                    order,
                    status=OrderStatus.CANCELED,
                    reason="amended to no more than what is filled",
                    closed_by=ClosedBy.OWNER,
                    close_reason=CloseReason.REQUESTED,
                )
            )
        order = self.store(replace(order, price=amended.price, quantity=amended.quantity))
        if is_marketable(order.side, order.price, price):
            self._match(order, price)
        self._publish_account([order.symbol])
        return self._orders[order.client_order_id]

    def cancel(self, ref: OrderRef) -> Order:
        """Cancel an order; a closed one is returned as it ended."""
        order = self.find(ref)
        return order if order.status.is_closed else self._cancel(order)

    def cancel_all(self, symbol: str) -> list[Order]:
        """Cancel every open order of a symbol."""
        return [self._cancel(order) for order in self.open_orders(self.require_symbol(symbol))]

    def find(self, ref: OrderRef) -> Order:
        """Return one order by either id."""
        self.require_symbol(ref.symbol)
        client_id = ref.client_order_id or self._client_ids.get(ref.order_id, "")
        order = self._orders.get(client_id)
        if order is None or order.symbol != ref.symbol:
            named = ref.client_order_id or ref.order_id
            raise OrderNotFound(f"order {named!r}: not found in {ref.symbol}", symbol=ref.symbol)
        return order

    def open_orders(self, symbol: str = "") -> list[Order]:
        """Return the open orders of a symbol, or of all symbols, oldest first."""
        return self._open.all(self.require_symbol(symbol, all_too=True))

    def positions(self, symbol: str = "") -> list[Position]:
        """Return every position of a symbol, or those of all symbols that are not flat."""
        found = self._ledger.positions(self._prices, self.require_symbol(symbol, all_too=True))
        return [position for position in found if symbol or not position.is_flat]

    def account(self) -> Account:
        """Return the account."""
        return self._ledger.account(self._prices, self._open.opening_values, now_ns=self._clock())

    def set_leverage(self, symbol: str, leverage: int) -> Decimal:
        """Set the leverage of a symbol and return it."""
        rules = self._rules[self.require_symbol(symbol)]
        if leverage < 1 or (rules.max_leverage is not None and leverage > rules.max_leverage):
            raise InvalidRequest(f"leverage {leverage}: expected 1 to {rules.max_leverage}", symbol=symbol)
        self._ledger.set_leverage(symbol, Decimal(leverage))
        self._publish_account([symbol])
        return Decimal(leverage)

    def set_margin_mode(self, symbol: str, mode: MarginMode) -> MarginMode:
        """Set the margin mode of a symbol and return it."""
        if not symbol:
            raise InvalidRequest("symbol '': expected a symbol; each has a margin mode of its own")
        if self._ledger.margin_mode(self.require_symbol(symbol)) is not mode:
            self._require_free(f"margin_mode {mode}", symbol)
            self._ledger.set_margin_mode(symbol, mode)
            self._publish_account([symbol])
        return mode

    def set_position_mode(self, mode: PositionMode) -> PositionMode:
        """Switch the position mode and return it."""
        if self._ledger.mode is not mode:
            self._require_free(f"position_mode {mode}")
            self._ledger.set_mode(mode)
            self.position_feed.replace(self._ledger.positions(self._prices), gap=True)
        return mode

    def pay_funding(self, symbol: str, rate: Decimal) -> list[FundingPayment]:
        """Pay funding on the positions of a symbol at its mid price, and return the payments."""
        mid, now = self.price(symbol).mid, self._clock()
        paid = []
        for position in self.positions(symbol):
            if position.is_flat:
                continue
            payment = FundingPayment(
                symbol=symbol,
                payment_id=str(len(self.funding_payments) + 1),
                amount=-position.quantity * mid * rate,
                position_side=position.position_side,
                rate=rate,
                position_size=abs(position.quantity),
                event_time_ms=now // 1_000_000,
                received_ns=now,
            )
            self._ledger.pay_funding(payment)
            self.funding_payments.append(payment)
            paid.append(payment)
        self.funding_feed.publish(paid)
        self._publish_account([symbol])
        return paid

    def _require_free(self, what: str, symbol: str = "") -> None:
        """Raise `SettingRefused` while a position or an order is open."""
        held = [f"{one.symbol} {one.quantity}" for one in self.positions(symbol) if not one.is_flat]
        orders = [order.client_order_id for order in self.open_orders(symbol)]
        if held or orders:
            named = [f"positions {', '.join(held)}"] * bool(held) + [f"orders {', '.join(orders)}"] * bool(orders)
            raise SettingRefused(f"{what}: {' and '.join(named)} are open; close and cancel them first", symbol=symbol)

    def inject_gap(self) -> None:
        """Send every reader the current state as a snapshot that is marked as a gap."""
        for feed in self.price_feeds.values():
            feed.replace(feed.snapshot, gap=True)
        self.order_feed.replace(self.order_feed.snapshot, gap=True)
        self.account_feed.replace(self.account_feed.snapshot, gap=True)
        self.position_feed.replace(self.position_feed.snapshot, gap=True)
        self.funding_feed.replace(self.funding_feed.snapshot, gap=True)
        self.candles.inject_gap()
        self.public.inject_gap()

    def close(self, error: ExchangeError) -> None:
        """End every reader."""
        for feed in self.price_feeds.values():
            feed.close(error)
        self.order_feed.close(error)
        self.account_feed.close(error)
        self.position_feed.close(error)
        self.funding_feed.close(error)
        self.candles.close(error)
        self.public.close(error)

    def _validate(self, request: OrderRequest) -> SymbolRules:
        if not client_order_id.is_valid(request.client_order_id):
            raise InvalidRequest(
                f"order.client_order_id {request.client_order_id!r}: expected 1 to 32 ASCII letters and digits"
            )
        return self._validate_numbers(request)

    def _validate_numbers(self, request: OrderRequest) -> SymbolRules:
        for name, value in (("quantity", request.quantity), ("price", request.price)):
            if value is not None and not value.is_finite():
                raise InvalidRequest(f"order.{name} {value}: expected a finite decimal")
        return self._rules[self.require_symbol(request.symbol)]

    def _admit(self, request: OrderRequest, price: Price, *, freed: Decimal = _ZERO) -> None:
        """Raise what a venue would raise because of the state of the account or the market.

        Args:
            request: The order.
            price: The market's.
            freed: Margin of the order that this one takes the place of.
        """
        symbol = request.symbol
        if not self._ledger.accepts_side(request.position_side):
            raise PositionModeMismatch(
                f"position_side {request.position_side}: not in this position mode", symbol=symbol
            )
        if self._ledger.must_reduce(request) and not self._ledger.closable(request):
            raise ReduceOnlyRefused("reduce-only: there is nothing to reduce", symbol=symbol)
        crosses = is_marketable(request.side, request.price, price)
        if request.time_in_force is TimeInForce.POST_ONLY and crosses:
            raise PostOnlyWouldCross(f"post-only: {request.price} would take", symbol=symbol)
        value = self._ledger.opening_value(request, request.price or _best_opposite(request.side, price)[0])
        needed = self._ledger.margin_for(symbol, value)
        available = self.account().available_balance + freed
        if needed > available:
            raise InsufficientMargin(f"margin {needed} USDT: only {available} is available", symbol=symbol)

    def _match(self, order: Order, price: Price) -> None:
        """Match a new order against the best quote and end what must not rest."""
        at, held = _best_opposite(order.side, price)
        crosses = order.price is None or is_marketable(order.side, order.price, price)
        quantity = min(order.remaining_quantity, held) if crosses else _ZERO
        if order.time_in_force is TimeInForce.FOK and quantity < order.quantity:
            quantity = _ZERO
        if quantity:
            order = self._execute(order, at, quantity, is_maker=False)
        rests = order.order_type is OrderType.LIMIT and order.time_in_force in (TimeInForce.GTC, TimeInForce.POST_ONLY)
        if not order.status.is_closed and not rests:
            self._expire(order, CloseReason.TIME_IN_FORCE, "nothing more to take")

    def _execute(self, order: Order, price: Decimal, quantity: Decimal, *, is_maker: bool) -> Order:
        """Fill an order; the part of a reduce-only order that could only open expires instead."""
        if self._ledger.must_reduce(order):
            quantity = min(quantity, self._ledger.closable(order))
            if not quantity:
                return self._expire(order, CloseReason.REDUCE_ONLY, "reduce-only: nothing is left to reduce")
        rules, now = self._rules[order.symbol], self._clock()
        rate = (rules.maker_fee if is_maker else rules.taker_fee) or _ZERO
        fill = self._ledger.apply(
            Fill(
                symbol=order.symbol,
                trade_id=str(len(self.fills) + 1),
                order_id=order.order_id,
                client_order_id=order.client_order_id,
                side=order.side,
                position_side=order.position_side,
                price=price,
                quantity=quantity,
                fee=price * quantity * rate,
                fee_asset="USDT",
                is_maker=is_maker,
                event_time_ms=now // 1_000_000,
                received_ns=now,
            )
        )
        self.fills.append(fill)
        self._open.position_changed(order.symbol, order.position_side)
        self.candles.trade(order.symbol, price, quantity, now)
        self.public.trade(order.symbol, price, quantity, order.side.opposite if is_maker else order.side, now_ns=now)
        filled = order.filled_quantity + quantity
        worth = (order.average_price or _ZERO) * order.filled_quantity + price * quantity
        order = replace(
            order,
            status=OrderStatus.FILLED if filled == order.quantity else OrderStatus.PARTIALLY_FILLED,
            filled_quantity=filled,
            average_price=worth / filled,
        )
        order = self.store(order, fill)
        if not order.status.is_closed and self._ledger.must_reduce(order) and not self._ledger.closable(order):
            return self._expire(order, CloseReason.REDUCE_ONLY, "reduce-only: nothing is left to reduce")
        return order

    def _cancel(self, order: Order) -> Order:
        return self._end(
            replace(
                order,
                status=OrderStatus.CANCELED,
                closed_by=ClosedBy.OWNER,
                close_reason=CloseReason.REQUESTED,
            )
        )

    def _expire(self, order: Order, why: CloseReason, reason: str) -> Order:
        return self._end(
            replace(
                order,
                status=OrderStatus.EXPIRED,
                reason=reason,
                closed_by=ClosedBy.VENUE,
                close_reason=why,
            )
        )

    def _end(self, order: Order) -> Order:
        order = self.store(order)
        self.account_feed.publish([self.account()])
        return order

    def store(self, order: Order, fill: Fill | None = None) -> Order:
        """Keep the order as it now stands, and publish it."""
        now = self._clock()
        return self._keep(replace(order, event_time_ms=now // 1_000_000, received_ns=now), fill)

    def _keep(self, order: Order, fill: Fill | None = None) -> Order:
        self._orders[order.client_order_id] = order
        self._open.put(order)
        self.order_feed.publish([OrderUpdate(order=order, fill=fill)])
        return order

    def _publish_account(self, symbols: Iterable[str]) -> None:
        for symbol in symbols:
            self.position_feed.publish(self._ledger.positions(self._prices, symbol))
        self.account_feed.publish([self.account()])


def _best_opposite(side: Side, price: Price) -> tuple[Decimal, Decimal]:
    """Return the price that a taker of *side* gets, and the base coins available there."""
    return (price.ask, price.ask_quantity) if side is Side.BUY else (price.bid, price.bid_quantity)
