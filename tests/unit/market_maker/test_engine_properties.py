"""The engine under everything at once: lost replies, refusals, reordered, repeated and dropped news, crossing fills."""

from __future__ import annotations

import inspect
import random
import sys
from collections import Counter, defaultdict
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from examples.quoter import TwoQuotes
from opensqt.market_maker.health import problems
from opensqt.market_maker.orders.events import (
    Cancel,
    CancelResult,
    Command,
    Event,
    OrderBatch,
    OrderQueried,
    Place,
    PlaceResult,
    PriceUpdate,
    QueryOrder,
    Reconcile,
    ReconcileFailed,
)
from opensqt.market_maker.strategy.glft import GlftParameters, GlftQuoter
from opensqt.market_maker.strategy.grid.geometry import Grid
from opensqt.market_maker.strategy.grid.settings import GridMode, GridSettings
from opensqt.model.errors import (
    InsufficientMargin,
    OrderNotFound,
    OrderRejected,
    OutcomeUnknown,
    PostOnlyWouldCross,
    RateLimited,
    ReduceOnlyRefused,
    Unreachable,
    VenueError,
)
from opensqt.model.order import OrderRef, OrderRequest
from opensqt.model.venue import SymbolRules
from tests.unit.market_maker.orders.plans import plans_as_from_nothing
from tests.unit.market_maker.venue import Bench, price

ACTIONS = (
    *("tick",) * 4,
    *("carry_out",) * 5,
    *("hear_answer",) * 5,
    *("hear_news",) * 5,
    *("fill",) * 4,
    "repeat_news",
    "drop_news",
    "pass_time",
)
Step = tuple[str, int, int]
steps = st.lists(st.tuples(st.sampled_from(ACTIONS), st.integers(0, 99), st.integers(0, 99)), min_size=30, max_size=160)
REFUSALS = (PostOnlyWouldCross, InsufficientMargin, OrderRejected, ReduceOnlyRefused, RateLimited, Unreachable)


def glft(grid: Grid, amounts: GridSettings, rules: SymbolRules) -> GlftQuoter:
    """The closed form with a spread of some levels."""
    parameters = GlftParameters(
        arrivals=Decimal("0.5"),
        decay=Decimal("0.2"),
        volatility=Decimal(2),
        risk_aversion=Decimal("0.02"),
        most_lots=4,
    )
    return GlftQuoter(grid, amounts, rules, parameters)


LATE_S = 8
"""A request may reach the venue this long after its sender gave up."""
HIDDEN_S = 3
"""An order may be invisible to queries for this long."""


class Chaos:
    """A bench whose wires are in the test's hand."""

    bench_type = Bench

    def __init__(self, **changes: object) -> None:
        self.bench = self.bench_type(**changes)
        self.venue = self.bench.venue
        self.wire: list[Command] = []
        self.answers: list[Event] = []
        self.late: list[tuple[float, OrderRequest]] = []
        self.born: dict[str, float] = {}
        self.at = Decimal(1000)
        self.holdings: defaultdict[int, Decimal] = defaultdict(Decimal)
        self.read = 0
        self.opens = self.bench.engine.settings.grid.mode.opens
        self.bench.start()

    def step(self, action: str, a: int, b: int) -> None:
        getattr(self, action)(a, b)
        self.check()

    def tick(self, a: int, b: int) -> None:
        self.at = max(Decimal(800), min(Decimal(1200), self.at + Decimal(a - 50) / 2))
        self.bench.tell(PriceUpdate(price(self.at)))

    def carry_out(self, a: int, b: int) -> None:
        """One of the commands reaches the venue, or does not, and the answer is on its way, or lost."""
        self.collect()
        if not self.wire:
            return
        match self.wire.pop(a % len(self.wire)):
            case Place(requests):
                self.answers += [PlaceResult(one.client_order_id, self.place(one, b)) for one in requests]
            case Cancel(refs):
                self.answers += [CancelResult(ref.client_order_id, self.cancel(ref, b)) for ref in refs]
            case Reconcile() if b < 20:
                self.answers.append(ReconcileFailed(Unreachable("no answer")))
            case QueryOrder(ref) if self.bench.now - self.born.get(ref.client_order_id, -9) < HIDDEN_S:
                self.answers.append(OrderQueried(ref, OrderNotFound("not visible yet")))
            case command:
                self.answers += self.bench.answer(command)

    def place(self, request: OrderRequest, b: int) -> object:
        self.born[request.client_order_id] = self.bench.now
        if b < 60:
            return self.venue.place(request)
        if b < 68:
            self.venue.place(request)
            return OutcomeUnknown("the reply was lost")
        if b < 72:
            self.late.append((self.bench.now, request))
            return OutcomeUnknown("the request is still on its way")
        if b < 76:
            return OutcomeUnknown("the request was lost")
        if b < 80:
            return VenueError("something else")
        return REFUSALS[b % len(REFUSALS)]("refused")

    def cancel(self, ref: OrderRef, b: int) -> object:
        if b < 70:
            return self.venue.cancel(ref)
        if b < 85:
            self.venue.cancel(ref)
            return OutcomeUnknown("the reply was lost")
        return Unreachable("never sent")

    def hear_answer(self, a: int, b: int) -> None:
        if self.answers:
            self.bench.tell(self.answers.pop(a % len(self.answers)))

    def hear_news(self, a: int, b: int) -> None:
        if self.venue.updates:
            self.bench.tell(OrderBatch((self.venue.updates.pop(a % len(self.venue.updates)),), gap=False))

    def repeat_news(self, a: int, b: int) -> None:
        if self.venue.updates:
            self.bench.tell(OrderBatch((self.venue.updates[a % len(self.venue.updates)],) * 2, gap=False))

    def drop_news(self, a: int, b: int) -> None:
        """A frame is lost; sooner or later the stream tells that there was a gap."""
        if self.venue.updates:
            self.venue.updates.pop(a % len(self.venue.updates))
            self.bench.tell(OrderBatch((), gap=True))

    def fill(self, a: int, b: int) -> None:
        if self.venue.open_orders:
            order = self.venue.open_orders[a % len(self.venue.open_orders)]
            self.venue.fill(order.client_order_id, Decimal("0.001") * (b % 30 + 1))

    def pass_time(self, a: int, b: int) -> None:
        later = self.bench.now + a / 10
        for sent, request in [one for one in self.late if later - one[0] > LATE_S]:
            self.late.remove((sent, request))
            self.venue.place(request)
        self.bench.now = later
        self.bench.tell(PriceUpdate(price(self.at)))

    def collect(self) -> None:
        self.bench.think()
        self.wire += self.bench.commands
        self.bench.commands = []

    def check(self) -> None:
        ids, state = self.bench.engine.state.ids, self.bench.engine.state
        names = {order.client_order_id: ids.read(order.client_order_id) for order in self.venue.open_orders}
        levels = Counter(name.level for name in names.values() if name)
        assert all(count == 1 for count in levels.values()), f"two live orders on one level: {levels}"
        assert len(names) <= self.bench.engine.settings.grid.max_open_orders
        for order in self.venue.open_orders:
            name = names[order.client_order_id]
            assert name is not None
            held = order.side.sign * self.held(name.level)
            if held < 0:
                assert order.remaining_quantity <= -held, "an exit beyond what its level holds"
            else:
                assert order.side in self.opens, "a grid opened the side that is not its own"
                assert held == order.filled_quantity, "opened again before the last fill was counted"
        assert state.position == sum(slot.quantity for slot in state.slots.values())
        plans_as_from_nothing(self.bench)
        counted = [fill.fill.trade_id for changes in self.bench.changes for fill in changes.fills]
        assert len(counted) == len(set(counted)), "a fill was counted twice"

    def held(self, level: int) -> Decimal:
        """What the venue's own fills say that a level holds; each is read once, as the venue's list only grows."""
        ids, fills = self.bench.engine.state.ids, self.venue.fills
        for fill in fills[self.read :]:
            if name := ids.read(fill.client_order_id):
                self.holdings[name.level] += fill.side.sign * fill.quantity
        self.read = len(fills)
        return self.holdings[level]

    def is_exact_when_calm(self) -> None:
        """Let calm return, and compare everything with the venue."""
        self.calm()
        engine, venue = self.bench.engine, self.venue
        assert engine.state.position == venue.position
        assert engine.state.totals.fills == len(venue.fills)
        ours = {order.client_order_id for order in engine.state.live_orders()}
        assert ours == {order.client_order_id for order in venue.open_orders}
        assert not problems(engine, self.bench.now)

    def calm(self) -> None:
        """From now on everything works: deliver what is on the way and let every wait run out."""
        for _, request in self.late:
            self.venue.place(request)
        for _ in range(60):
            for command in self.wire:
                self.answers += self.bench.answer(command)
            self.wire = []
            for event in self.answers:
                self.bench.tell(event)
            self.answers = []
            self.bench.wait(11)


QUOTERS: dict[str, dict[str, object]] = {
    "short": {"mode": GridMode.SHORT},
    "neutral": {"mode": GridMode.NEUTRAL},
    "geometric in a range": {
        "mode": GridMode.NEUTRAL,
        "interval": Decimal("0.01"),
        "geometric": True,
        "lowest_price": Decimal(900),
        "highest_price": Decimal(1100),
    },
    "skewed": {
        "mode": GridMode.NEUTRAL,
        "inventory_skew": Decimal("0.02"),
        "in_base": True,
        "order_quantity": Decimal("0.02"),
    },
    "glft": {"mode": GridMode.NEUTRAL, "quoter": glft, "buy_window": 2, "sell_window": 2},
    "examples/quoter.py": {"mode": GridMode.NEUTRAL, "quoter": TwoQuotes},
}


def test_a_quoter_of_ones_own_takes_at_most_60_lines() -> None:
    """What is said of examples/quoter.py: the whole file, with its imports and its description."""
    source = inspect.getsource(sys.modules[TwoQuotes.__module__])
    assert len(source.splitlines()) <= 60


@pytest.mark.parametrize("quoter", QUOTERS)
@settings(max_examples=25, report_multiple_bugs=False)
@given(script=steps)
def test_no_chaos_breaks_any_quoter(quoter: str, script: list[Step]) -> None:
    """F1 F4 F8: whatever the strategy: one order a slot, no exit beyond its holding, a fill once, and all is exact."""
    chaos = Chaos(**QUOTERS[quoter])
    for action, a, b in script:
        chaos.step(action, a, b)
    chaos.is_exact_when_calm()


@settings(max_examples=150, report_multiple_bugs=False)
@given(steps)
def test_no_chaos_breaks_the_grid(script: list[Step]) -> None:
    """F1 F4 F8: one order a slot, no sell beyond its holding, a fill once; and all is exact when calm returns."""
    chaos = Chaos()
    for action, a, b in script:
        chaos.step(action, a, b)
    chaos.is_exact_when_calm()


@pytest.mark.timeout(900)
def test_no_long_chaos_breaks_the_grid(large: bool) -> None:
    """F1 F3 F4 F8: the same over hundreds of steps, where waits run out and orders are asked for."""
    for seed in (4, 115, 217, 445, *range(1000, 3000 if large else 1015)):
        dice, chaos = random.Random(seed), Chaos()
        for _ in range(dice.randint(100, 500)):
            chaos.step(dice.choice(ACTIONS), dice.randint(0, 99), dice.randint(0, 99))
        chaos.is_exact_when_calm()
