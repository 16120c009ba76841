"""The engine in a market full of holes, sweeps and flash moves, with a model of the matching and of the mark price."""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opensqt.market_maker.strategy.inputs import MarkUpdate, OrderBookUpdate, PriceInput, PriceUpdate, TradeUpdate
from opensqt.market_maker.strategy.price_inputs import InputName
from opensqt.market_maker.strategy.reference import ReferenceSettings
from opensqt.model.market import BookLevel, MarkPrice, OrderBook, Price, PublicTrade
from opensqt.model.order import Order, Side
from tests.unit.market_maker.venue import SYMBOL, Bench

INTERVAL = Decimal(1)
TICK = Decimal("0.1")
STEP_S = 0.1
MARK_EVERY = 10
"""Steps between two mark prices."""
SEEN = 30
"""Steps whose marks an order may have been decided by."""
KINDS = ("hole", "sweep", "flash")
Disturbance = tuple[str, bool, int, int, int]
"""Kind, whether up, distance in hundredths of a percent, length in steps, steps until the next one."""
disturbances = st.lists(
    st.tuples(st.sampled_from(KINDS), st.booleans(), st.integers(1, 400), st.integers(1, 30), st.integers(0, 20)),
    min_size=1,
    max_size=12,
)


@dataclass
class Away:
    """A side, or the whole market, that is away until a step."""

    distance: Decimal = Decimal(0)
    until: int = 0


class Market:
    """Others quote around a true price that drifts slowly; takers come at every step; the mark is the true price."""

    def __init__(self, seed: int, **given: object) -> None:
        self.dice = random.Random(seed)
        self.true = Decimal(1000)
        self.step = 0
        self.holes = {side: Away() for side in Side}
        self.shift = Away()
        self.last: Decimal | None = self.true
        self.marks: deque[Decimal] = deque([self.true], maxlen=SEEN)
        self.breaches: list[str] = []
        self.bench = Bench(interval=INTERVAL, reference=ReferenceSettings(), price_inputs=frozenset(InputName), **given)
        self.fills = 0
        for _ in range(MARK_EVERY + 1):
            self.pass_time()

    def disturb(self, kind: str, up: bool, distance: Decimal, steps: int) -> None:
        side = Side.BUY if up else Side.SELL
        if kind == "hole":
            self.holes[side.opposite] = Away(distance, self.step + steps)
        elif kind == "flash":
            self.shift = Away(side.sign * distance, self.step + steps)
            self.trade_through()
        else:
            self.sweep(side, self.true * (1 + side.sign * distance))
            self.holes[side.opposite] = Away(distance, self.step + steps)

    def pass_time(self) -> None:
        """A step: the price drifts, the market trades, the grid sees it and acts at once."""
        self.step += 1
        self.bench.now += STEP_S
        self.true = max(Decimal(900), self.true + Decimal(self.dice.randint(-3, 3)) / 100)
        self.marks.append(self.true)
        self.trade_through()
        self.take(self.dice.choice(list(Side)))
        self.show()

    @property
    def middle(self) -> Decimal:
        """The price that the others quote around."""
        return self.true * (1 + (self.shift.distance if self.shift.until > self.step else 0))

    def best(self, side: Side) -> Decimal:
        """Best price of the others."""
        hole = self.holes[side].distance if self.holes[side].until > self.step else Decimal(0)
        price = self.middle * (1 - side.sign * hole) - side.sign * 2 * TICK
        return (price / TICK).to_integral_value() * TICK

    def trade_through(self) -> None:
        """Orders of the grid that the others' quotes have reached are filled."""
        for order in self.ours():
            best = self.best(order.side.opposite)
            if (best - order.price) * order.side.sign <= 0:
                self.fill(order)

    def take(self, side: Side) -> None:
        """A small taker: it trades with the best order there is, ours or theirs."""
        theirs = self.best(side.opposite)
        ours = [order for order in self.ours() if order.side is side.opposite]
        ours.sort(key=lambda order: order.price * side.sign)
        if ours and (ours[0].price - theirs) * side.sign <= 0:
            self.fill(ours[0])
        elif abs(theirs / self.middle - 1) < Decimal("0.005"):
            self.last = theirs

    def sweep(self, side: Side, limit: Decimal) -> None:
        """A large taker fills everything up to a limit."""
        for order in self.ours():
            if order.side is side.opposite and (order.price - limit) * side.sign <= 0:
                self.fill(order)
        self.last = (limit / TICK).to_integral_value() * TICK

    def ours(self) -> list[Order]:
        return list(self.bench.venue.open_orders)

    def fill(self, order: Order) -> None:
        assert order.price is not None
        self.last = order.price
        self.fills += 1
        self.bench.venue.fill(order.client_order_id)
        beyond = order.price - max(self.marks) if order.side is Side.BUY else min(self.marks) - order.price
        if beyond > INTERVAL:
            self.breaches.append(f"step {self.step}: {order.side} at {order.price}, {beyond} beyond {self.true}")

    def show(self) -> None:
        """Tell the grid the book with its own orders in it, the last trade, and now and then the mark."""
        bids, asks = self.levels(Side.BUY), self.levels(Side.SELL)
        events: list[PriceInput] = [
            OrderBookUpdate(OrderBook(symbol=SYMBOL, bids=bids, asks=asks)),
            PriceUpdate(
                Price(symbol=SYMBOL, bid=bids[0][0], ask=asks[0][0], bid_quantity=bids[0][1], ask_quantity=asks[0][1])
            ),
        ]
        if self.last is not None:
            trade = PublicTrade(symbol=SYMBOL, trade_id="1", price=self.last, quantity=Decimal(1), side=Side.BUY)
            events.append(TradeUpdate(trade))
            self.last = None
        if self.step % MARK_EVERY == 0:
            self.bench.tell(MarkUpdate(MarkPrice(symbol=SYMBOL, mark=self.true)))
        for event in self.dice.sample(events, len(events)):
            self.bench.tell(event)
        self.bench.settle()

    def levels(self, side: Side) -> tuple[BookLevel, ...]:
        found: dict[Decimal, Decimal] = {self.best(side) - side.sign * TICK * 5 * n: Decimal(5) for n in range(5)}
        for order in self.ours():
            if order.side is side and order.price is not None:
                found[order.price] = found.get(order.price, Decimal(0)) + order.remaining_quantity
        return tuple(sorted(found.items(), key=lambda level: -side.sign * level[0]))


def run(script: list[Disturbance], seed: int) -> Market:
    market = Market(seed)
    for kind, up, distance, steps, after in script:
        market.disturb(kind, up, Decimal(distance) / 10_000, steps)
        for _ in range(steps + after):
            market.pass_time()
    return market


@settings(max_examples=40, report_multiple_bugs=False)
@given(disturbances, st.integers(0, 9999))
def test_no_fill_is_more_than_a_level_beyond_the_mark(script: list[Disturbance], seed: int) -> None:
    """F40: whatever is away and for how long, what fills was laid at a price that the mark vouched for."""
    market = run(script, seed)
    assert market.breaches == []


def test_the_grid_trades_in_the_model_and_goes_on_after_each_disturbance(large: bool) -> None:
    """F40: a guard that never trades guards nothing; after a disturbance the quotes follow the price again."""
    dice = random.Random(40)
    for seed in range(400 if large else 5):
        script = [
            (dice.choice(KINDS), dice.random() < 0.5, dice.randint(1, 400), dice.randint(1, 30), dice.randint(0, 20))
            for _ in range(10)
        ]
        market = run(script, seed)
        assert market.breaches == []
        assert market.fills, "the model trades"
        for _ in range(600):
            market.pass_time()
        assert market.bench.engine.prices.hold is None
        near = [order for order in market.ours() if abs((order.price or 0) - market.true) <= 3 * INTERVAL]
        assert near, "quotes are around the price again"


@pytest.mark.parametrize("kind", KINDS)
def test_the_model_finds_a_grid_without_the_guard(kind: str) -> None:
    """F40: with limits that nothing exceeds and no other input than the book, the same scripts break the rule."""
    found = 0
    for seed in range(20):
        market = Market(seed)
        guard = market.bench.engine.prices
        guard.settings = ReferenceSettings(
            max_spread=Decimal("0.9"), max_jump=Decimal("0.9"), max_mark_distance=Decimal("0.9"), confirm_s=0
        )
        guard.data.trade = guard.data.mark = None
        market.show = lambda market=market: None  # type: ignore[method-assign]
        for up in (True, False):
            market.disturb(kind, up, Decimal("0.03"), 20)
            for _ in range(30):
                market.pass_time()
                bids, asks = market.levels(Side.BUY), market.levels(Side.SELL)
                market.bench.tell(OrderBookUpdate(OrderBook(symbol=SYMBOL, bids=bids, asks=asks)))
                market.bench.settle()
        found += len(market.breaches)
    assert found, "the model can't tell a good price from a bad one"
