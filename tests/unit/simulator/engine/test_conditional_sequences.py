"""Random requests and prints: a conditional order triggers once, at the first price that meets it, and never opens."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opensqt.model.order import OrderType, Side
from opensqt.simulator.clock import SimulatorClock
from opensqt.simulator.engine.conditional import ConditionalStatus, Crossing, NewConditional, Trail, Trigger, TriggerBy
from opensqt.simulator.engine.engine import SimEngine
from opensqt.simulator.engine.events import Event, SimTrade
from opensqt.simulator.engine.order import NewOrder
from opensqt.simulator.ledger import ledger
from opensqt.simulator.settings import SimulatorSettings, VenueRules

pytestmark = pytest.mark.timeout(300)

KEY, SYMBOL, START_MS = "sim-key", "BTCUSDT", 1_700_000_000_000
_PRICES = st.integers(-30, 30).map(lambda ticks: Decimal(45000) + ticks * Decimal("0.1"))
_TRIGGERS = st.one_of(
    st.builds(Trigger, crossing=st.sampled_from(Crossing), by=st.sampled_from(TriggerBy), price=_PRICES),
    st.builds(
        Trigger,
        crossing=st.sampled_from(Crossing),
        by=st.sampled_from(TriggerBy),
        trail=st.builds(
            Trail, distance=st.integers(1, 20).map(lambda n: n * Decimal("0.1")), activation_price=st.none() | _PRICES
        ),
    ),
)
_PLACE = st.builds(
    NewConditional,
    symbol=st.just(SYMBOL),
    side=st.sampled_from(Side),
    triggers=_TRIGGERS.map(lambda one: (one,)),
    quantity=st.integers(1, 30).map(lambda n: n * Decimal("0.001")),
    reduce_only=st.just(True),
    close_position=st.booleans(),
    bound=st.booleans(),
)
_STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("place"), _PLACE),
        st.tuples(st.just("print"), _PRICES),
        st.tuples(st.just("print"), _PRICES),
        st.tuples(st.just("mark"), _PRICES),
        st.tuples(st.just("cancel"), st.integers(0, 5)),
    ),
    max_size=40,
)


class _Watched:
    """One conditional order beside what should have triggered it, by its own reading of the prices."""

    def __init__(self, wanted: NewConditional, prices: dict[TriggerBy, Decimal]) -> None:
        self.trigger = wanted.triggers[0]
        self.best: Decimal | None = None
        self.met_at: Decimal | None = None
        self.see(self.trigger.by, prices[self.trigger.by])

    def see(self, by: TriggerBy, price: Decimal) -> None:
        if by is not self.trigger.by or self.met_at is not None:
            return
        up = self.trigger.crossing is Crossing.UP
        trail = self.trigger.trail
        if trail is None:
            level = self.trigger.price
        else:
            start = trail.activation_price
            if self.best is None and start is not None and (price > start if up else price < start):
                return
            best = price if self.best is None else (min if up else max)(self.best, price)
            self.best, level = best, best + trail.distance if up else best - trail.distance
        if price >= level if up else price <= level:
            self.met_at = price


@settings(deadline=None)
@given(_STEPS)
def test_each_triggers_once_at_the_first_price_that_meets_it_and_never_opens(steps):
    rules = VenueRules(most_conditional=100)
    clock = SimulatorClock(start_ms=START_MS, manual=True)
    engine = SimEngine(SimulatorSettings(rules=rules), clock)
    prints: list[Decimal] = []

    def note(event: Event) -> None:
        if isinstance(event, SimTrade):
            prints.append(event.price)

    engine.subscribe(note)
    watched: dict[str, _Watched] = {}
    mark = Decimal(45000)

    def settle(by_mark: bool = False) -> None:
        """Show the watchers what the engine has published since."""
        for one in watched.values():
            for price in prints:
                one.see(TriggerBy.LAST, price)
            if by_mark:
                one.see(TriggerBy.MARK, mark)
                one.see(TriggerBy.INDEX, mark)
        prints.clear()

    for side, price in ((Side.BUY, "44990"), (Side.SELL, "45010")):
        engine.quote_outside(SYMBOL, side, Decimal(price), Decimal(100))
    for kind, given_value in steps:
        if kind == "place":
            waiting_prices = {
                TriggerBy.LAST: engine.last_price(SYMBOL),
                TriggerBy.MARK: mark,
                TriggerBy.INDEX: mark,
            }
            made = _Watched(given_value, waiting_prices)
            placed = engine.conditional.place(KEY, given_value)
            settle()
            watched[placed.conditional_id] = made
        elif kind == "print":
            engine.quote_outside(SYMBOL, Side.SELL, given_value, Decimal("0.001"))
            engine.trade_outside(SYMBOL, Side.BUY, Decimal("0.001"), given_value)
            engine.publish()
            settle()
        elif kind == "mark":
            changed, mark = mark != given_value, given_value
            engine.set_mark(SYMBOL, mark)
            engine.publish()
            settle(by_mark=changed)
        else:
            found = engine.conditional.waiting(KEY)
            if given_value < len(found):
                engine.conditional.cancel(KEY, conditional_id=found[given_value].conditional_id)
                settle()
        assert engine.positions(KEY, SYMBOL)[0].quantity == 0  # reduce-only orders alone hold nothing
    for one in engine.conditional.listed(KEY):
        expected = watched[one.conditional_id].met_at
        if one.status in (ConditionalStatus.TRIGGERED, ConditionalStatus.REJECTED):
            assert one.fired_price == expected
        elif one.status is ConditionalStatus.WAITING:
            assert expected is None
        orders = [order for order in engine.orders(KEY) if order.conditional_id == one.conditional_id]
        assert len(orders) == (1 if one.status is ConditionalStatus.TRIGGERED else 0)


@settings(deadline=None)
@given(_STEPS, st.integers(1, 30))
def test_with_a_position_they_never_flip_it_and_the_ledger_is_the_same_again(steps, held):
    def run() -> dict:
        engine = SimEngine(
            SimulatorSettings(rules=VenueRules(most_conditional=100)), SimulatorClock(start_ms=START_MS, manual=True)
        )
        engine.quote_outside(SYMBOL, Side.SELL, Decimal("45010"), Decimal(100))

        engine.place(
            KEY,
            NewOrder(symbol=SYMBOL, side=Side.BUY, quantity=held * Decimal("0.001"), order_type=OrderType.MARKET),
        )
        engine.quote_outside(SYMBOL, Side.BUY, Decimal("44990"), Decimal(100))
        for kind, value in steps:
            if kind == "place":
                engine.conditional.place(KEY, value)
            elif kind == "print":
                engine.quote_outside(SYMBOL, Side.SELL, value, Decimal("0.001"))
                engine.trade_outside(SYMBOL, Side.BUY, Decimal("0.001"), value)
            elif kind == "mark":
                engine.set_mark(SYMBOL, value)
            assert 0 <= engine.positions(KEY, SYMBOL)[0].quantity <= held * Decimal("0.001")
        return ledger(engine)

    assert run() == run()
