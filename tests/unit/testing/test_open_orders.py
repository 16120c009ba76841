"""What an InMemoryExchange keeps of its open orders is what a count from nothing would find."""

from __future__ import annotations

import itertools
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from opensqt.model.account import PositionMode
from opensqt.model.errors import ExchangeError
from opensqt.model.market import Price
from opensqt.model.order import AmendRequest, OrderRef, OrderRequest, Side
from opensqt.testing.exchange import DEFAULT_SYMBOLS
from opensqt.testing.ledger import Ledger
from opensqt.testing.venue import InMemoryVenue

_STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("place"), st.sampled_from(Side), st.integers(90, 110), st.booleans()),
        st.tuples(st.just("amend"), st.integers(0, 20), st.integers(90, 110), st.integers(1, 3)),
        st.tuples(st.just("cancel"), st.integers(0, 20)),
        st.tuples(st.just("move"), st.integers(90, 110)),
    ),
    max_size=40,
)


def _venue() -> tuple[InMemoryVenue, Ledger]:
    rules = {one.symbol: one for one in DEFAULT_SYMBOLS}
    ledger = Ledger(rules, balance=Decimal(10_000), mode=PositionMode.ONE_WAY, leverage=Decimal(3))
    ticks = itertools.count(1_700_000_000_000_000_000, 1_000_000)
    venue = InMemoryVenue(rules, ledger, lambda: next(ticks), orders_capacity=8192)
    venue.move(_price(100))
    return venue, ledger


def _price(bid: int) -> Price:
    return Price(
        symbol="BTCUSDT", bid=Decimal(bid), ask=Decimal(bid + 1), bid_quantity=Decimal(5), ask_quantity=Decimal(5)
    )


def _do(venue: InMemoryVenue, number: int, step: tuple[object, ...]) -> None:
    match step:
        case "place", Side() as side, int(price), bool(reduce_only):
            request = OrderRequest(
                symbol="BTCUSDT",
                side=side,
                quantity=Decimal(1),
                price=Decimal(price),
                client_order_id=f"o{number}",
                reduce_only=reduce_only,
            )
            venue.place(request)
        case "amend", int(which), int(price), int(quantity):
            ref = OrderRef(symbol="BTCUSDT", client_order_id=f"o{which}")
            changes = {"price": Decimal(price), "quantity": Decimal(quantity)}
            venue.amend(AmendRequest(order=ref, amend_id=f"m{number}", **changes))
        case "cancel", int(which):
            venue.cancel(OrderRef(symbol="BTCUSDT", client_order_id=f"o{which}"))
        case "move", int(bid):
            venue.move(_price(bid))


@given(steps=_STEPS)
def test_the_margin_of_open_orders_is_the_sum_of_what_each_would_open(steps: list[tuple[object, ...]]) -> None:
    venue, ledger = _venue()
    for number, step in enumerate(steps):
        try:
            _do(venue, number, step)
        except ExchangeError:
            continue  # refused for the account's state: nothing may have changed then, and that is looked at below
        held = sum(abs(one.quantity) * one.entry_price for one in venue.positions("BTCUSDT"))
        opening = sum(ledger.opening_value(order, order.price or Decimal(0)) for order in venue.open_orders())
        assert venue.account().initial_margin == (held + opening) / 3


@given(steps=_STEPS)
def test_no_order_rests_beyond_the_price(steps: list[tuple[object, ...]]) -> None:
    venue, _ = _venue()
    for number, step in enumerate(steps):
        try:
            _do(venue, number, step)
        except ExchangeError:
            continue  # refused for the account's state
    touch = venue.price("BTCUSDT")
    for order in venue.open_orders():
        assert order.price is not None
        # What was left of an order that took all of the touch rests at it.
        assert order.price < touch.ask if order.side is Side.BUY else order.price > touch.bid


def test_orders_of_all_symbols_are_listed_oldest_first() -> None:
    venue, _ = _venue()
    venue.move(Price(symbol="ETHUSDT", bid=Decimal(10), ask=Decimal(11)))
    for number, symbol in enumerate(("BTCUSDT", "ETHUSDT", "BTCUSDT")):
        venue.place(
            OrderRequest(
                symbol=symbol, side=Side.BUY, quantity=Decimal(1), price=Decimal(9), client_order_id=f"n{number}"
            )
        )
    assert [order.client_order_id for order in venue.open_orders()] == ["n0", "n1", "n2"]
