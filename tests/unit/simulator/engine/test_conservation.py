"""Whatever is asked of it, the engine makes no fill that no market would, and loses no cent."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opensqt.model.order import OrderType, Side, TimeInForce
from opensqt.simulator.clock import SimulatorClock
from opensqt.simulator.engine.engine import SimEngine
from opensqt.simulator.engine.events import Event, OrderChanged, SimTrade
from opensqt.simulator.engine.order import NewOrder, Refused, SimOrder
from opensqt.simulator.ledger import ledger
from opensqt.simulator.settings import AccountSettings, SimulatorSettings

# The full size takes a minute a test where the machine is busy.
pytestmark = pytest.mark.timeout(300)

SYMBOL = "BTCUSDT"
KEYS = ("sim-key", "other")
_SIDES = st.sampled_from(list(Side))
_PRICES = st.integers(-8, 8).map(lambda ticks: Decimal(45000) + ticks * Decimal("0.1"))
_QUANTITIES = st.integers(1, 400).map(lambda steps: steps * Decimal("0.001"))
_PLACE = st.tuples(
    st.just("place"),
    st.sampled_from(KEYS),
    st.builds(
        NewOrder,
        symbol=st.just(SYMBOL),
        side=_SIDES,
        quantity=_QUANTITIES,
        price=_PRICES,
        time_in_force=st.sampled_from(list(TimeInForce)),
        reduce_only=st.booleans(),
    ),
)
_MARKET = st.tuples(
    st.just("place"),
    st.sampled_from(KEYS),
    st.builds(
        NewOrder,
        symbol=st.just(SYMBOL),
        side=_SIDES,
        quantity=_QUANTITIES,
        order_type=st.just(OrderType.MARKET),
        reduce_only=st.booleans(),
    ),
)
_STEPS = st.lists(
    st.one_of(
        _PLACE,
        _PLACE,
        _MARKET,
        st.tuples(st.just("quote"), _SIDES, _PRICES, _QUANTITIES),
        st.tuples(st.just("quote"), _SIDES, _PRICES, _QUANTITIES),
        st.tuples(st.just("take"), _SIDES, _QUANTITIES),
        st.tuples(st.just("withdraw"), st.integers(0, 30)),
        st.tuples(st.just("cancel"), st.sampled_from(KEYS), st.integers(0, 30)),
        st.tuples(st.just("amend"), st.sampled_from(KEYS), st.integers(0, 5), _PRICES, _QUANTITIES),
        st.tuples(st.just("mark"), st.integers(44_000, 46_000)),
        st.tuples(st.just("hours"), st.integers(1, 9)),
    ),
    max_size=40,
)
_RUN = settings(settings.get_profile("simulator"))


@dataclass
class Run:
    """The engine under test, and what an onlooker writes down."""

    engine: SimEngine
    events: list[Event] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)
    ahead: dict[str, set[str]] = field(default_factory=dict)
    """Who waited at an order's price when it came to rest there."""
    where: dict[str, tuple[Side, Decimal]] = field(default_factory=dict)
    """Side and price of each outside quote."""

    def resting(self, side: Side, price: Decimal) -> set[str]:
        orders = {
            order.order_id
            for key in KEYS
            for order in self.engine.open_orders(key, SYMBOL)
            if order.side is side and order.price == price
        }
        quotes = {order_id for order_id in self.outside if self.engine.outside_quantity(SYMBOL, order_id)}
        return orders | {order_id for order_id in quotes if (side, price) == self.where[order_id]}

    def do(self, step: tuple[Any, ...]) -> None:
        engine = self.engine
        match step:
            case ("place", key, order):
                waiting = self.resting(order.side, order.price) if order.price is not None else set()
                try:
                    placed = engine.place(key, order)
                except Refused:
                    return
                self.ahead[placed.order_id] = waiting
            case ("quote", side, price, quantity):
                order_id = engine.quote_outside(SYMBOL, side, price, quantity)
                if order_id:
                    self.outside.append(order_id)
                    self.where[order_id] = (side, price)
            case ("take", side, quantity):
                engine.trade_outside(SYMBOL, side, quantity)
            case ("withdraw", index) if index < len(self.outside):
                engine.withdraw_outside(SYMBOL, self.outside[index])
            case ("cancel", key, index):
                open_orders = engine.open_orders(key)
                if index < len(open_orders):
                    engine.cancel(key, SYMBOL, order_id=open_orders[index].order_id)
            case ("amend", key, index, price, quantity):
                self._amend(key, index, price, quantity)
            case ("mark", price):
                engine.set_mark(SYMBOL, Decimal(price))
            case ("hours", hours):
                engine.advance(engine.now_ms() + hours * 3_600_000)
        engine.publish()

    def _amend(self, key: str, index: int, price: Decimal, quantity: Decimal) -> None:
        open_orders = self.engine.open_orders(key)
        if index >= len(open_orders):
            return
        order = open_orders[index]
        waiting = self.resting(order.side, price) - {order.order_id}
        try:
            amended = self.engine.amend(key, SYMBOL, order_id=order.order_id, price=price, quantity=quantity)
        except Refused:
            return
        if amended.price != order.price or quantity > order.quantity:
            self.ahead[order.order_id] = waiting


def _play(steps: list[tuple[Any, ...]], check: Any = None) -> Run:
    accounts = tuple(AccountSettings(key=key) for key in KEYS)
    clock = SimulatorClock(start_ms=1_700_000_000_000, manual=True)
    run = Run(SimEngine(SimulatorSettings(accounts=accounts), clock))
    run.engine.subscribe(run.events.append)
    for step in steps:
        before = len(run.events)
        run.do(step)
        if check is not None:
            check(run, run.events[before:])
    return run


@_RUN
@given(_STEPS)
def test_the_book_is_never_crossed(steps):
    """F35: the simulator fills only what a market would, and the same seed gives the same ledger."""

    def check(run: Run, _news: list[Event]) -> None:
        book = run.engine.book(SYMBOL)
        assert not book.bids or not book.asks or book.bids[0][0] < book.asks[0][0]
        assert all(quantity > 0 for _, quantity in book.bids + book.asks)
        assert all(better[0] > worse[0] for better, worse in pairwise(book.bids))

    _play(steps, check)


@_RUN
@given(_STEPS)
def test_a_resting_order_fills_only_when_all_ahead_of_it_are_gone(steps):
    """F35: the simulator fills only what a market would, and the same seed gives the same ledger."""

    def check(run: Run, news: list[Event]) -> None:
        for event in news:
            if isinstance(event, OrderChanged) and event.fill is not None and event.fill.is_maker:
                order = event.order
                assert order.price is not None
                still = run.resting(order.side, order.price) & run.ahead[order.order_id]
                assert not still
                book = run.engine.book(SYMBOL)
                levels = book.bids if order.side is Side.BUY else book.asks
                assert all((order.price - price) * order.side.sign >= 0 for price, _ in levels)

    _play(steps, check)


@_RUN
@given(_STEPS)
def test_every_fill_is_one_public_trade_at_the_makers_price(steps):
    """F35: the simulator fills only what a market would, and the same seed gives the same ledger."""
    run = _play(steps)
    trades = {event.trade_id: event for event in run.events if isinstance(event, SimTrade)}
    filled = {
        (event.order.order_id, event.fill.trade_id): event.order
        for event in run.events
        if isinstance(event, OrderChanged) and event.fill is not None
    }
    sides: dict[str, list[bool]] = defaultdict(list)
    for key in KEYS:
        for fill in run.engine.fills(key):
            trade = trades[fill.trade_id]
            # As it was then: it may have been amended since.
            order = filled[fill.order_id, fill.trade_id]
            assert (trade.price, trade.quantity) == (fill.price, fill.quantity)
            assert fill.is_maker is (trade.buyer_is_maker is (fill.side is Side.BUY))
            assert not fill.is_maker or order.price == fill.price
            assert order.price is None or (order.price - fill.price) * order.side.sign >= 0
            sides[fill.trade_id].append(fill.is_maker)
    assert all(len(both) <= 2 and len(set(both)) == len(both) for both in sides.values())


@_RUN
@given(_STEPS)
def test_money_and_coins_add_up_exactly(steps):
    """F35: the simulator fills only what a market would, and the same seed gives the same ledger.
    F36: the profit that is shown is the account's.
    """
    engine = _play(steps).engine
    for key in KEYS:
        fills, balance = engine.fills(key), engine.balance(key)
        position = engine.positions(key, SYMBOL)[0]
        paid = sum((-fill.side.sign * fill.price * fill.quantity for fill in fills), Decimal(0))
        fees = sum((fill.price * fill.quantity * _fee_rate(fill.is_maker) for fill in fills), Decimal(0))
        funding = sum((payment.amount for payment in engine.funding_payments(key)), Decimal(0))
        assert position.quantity == sum(fill.side.sign * fill.quantity for fill in fills)
        assert (balance.fees, balance.funding) == (fees, funding)
        assert balance.realized_pnl == sum(fill.realized_pnl for fill in fills)
        assert balance.wallet_balance == 10_000 + balance.realized_pnl - fees + funding
        # What the fills cost and what the position is worth now: nothing else may have made or lost money.
        assert balance.realized_pnl + balance.unrealized_pnl == paid + position.quantity * position.mark_price


@_RUN
@given(_STEPS)
def test_an_order_never_fills_beyond_its_quantity_or_goes_back(steps):
    """F12: the sign and the side of a position are kept, and flat is an explicit zero."""
    run = _play(steps)
    last: dict[str, SimOrder] = {}
    for event in run.events:
        if isinstance(event, OrderChanged):
            before = last.get(event.order.order_id)
            assert event.order.filled_quantity <= event.order.quantity
            if before is not None:
                assert event.order.filled_quantity >= before.filled_quantity
                assert before.status.may_become(event.order.status)
            last[event.order.order_id] = event.order
    assert all(run.engine.find(order.account, SYMBOL, order_id=order_id) == order for order_id, order in last.items())


@_RUN
@given(_STEPS)
def test_reduce_only_orders_never_add_to_a_position(steps):
    """F19: a reduce-only order never flips or opens a position."""

    def check(run: Run, _news: list[Event]) -> None:
        for key in KEYS:
            held = run.engine.positions(key, SYMBOL)[0].quantity
            for side in Side:
                exits = [o for o in run.engine.open_orders(key) if o.reduce_only and o.side is side]
                closable = abs(held) if held * side.sign < 0 else Decimal(0)
                assert sum(order.remaining for order in exits) <= closable

    _play(steps, check)


@_RUN
@given(_STEPS)
def test_the_same_requests_give_the_same_ledger(steps):
    """F35: the simulator fills only what a market would, and the same seed gives the same ledger."""
    assert ledger(_play(steps).engine) == ledger(_play(steps).engine)


def _fee_rate(is_maker: bool) -> Decimal:
    return Decimal("0.0002") if is_maker else Decimal("0.0005")
