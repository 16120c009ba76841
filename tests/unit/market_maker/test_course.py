"""Triggers of the whole grid and its dynamic interval, each on a venue in miniature."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from opensqt.market_maker.health import problems
from opensqt.market_maker.orders.account_changes import StoredAccounting
from opensqt.market_maker.orders.events import RangeCandles
from opensqt.market_maker.orders.rescale import rescaled
from opensqt.market_maker.orders.slots import Slot
from opensqt.market_maker.orders.stored import Stored
from opensqt.market_maker.strategy.grid.geometry import Grid
from opensqt.market_maker.strategy.grid.settings import GridMode
from opensqt.market_maker.strategy.triggers import Closing, TriggerSettings
from opensqt.market_maker.strategy.volatility import VolatilitySettings
from opensqt.model.market import Candle
from opensqt.model.order import OrderRef, TimeInForce
from tests.unit.market_maker.test_modes import Recorder
from tests.unit.market_maker.venue import SYMBOL, Bench

FOLLOWED = VolatilitySettings(candles="1m", window=3, scale=Decimal(2))


def triggers(**values: object) -> TriggerSettings:
    made = {name: value if isinstance(value, Closing) else Decimal(str(value)) for name, value in values.items()}
    return TriggerSettings(**made)


def candles(height: int, *, first: int = 0) -> RangeCandles:
    """Four closed candles of one height."""
    return RangeCandles(
        tuple(
            Candle(
                symbol=SYMBOL,
                interval="1m",
                open_time_ms=(first + number) * 60_000,
                open=Decimal(1000),
                high=Decimal(1000 + height),
                low=Decimal(1000),
                close=Decimal(1000),
                volume=Decimal(1),
            )
            for number in range(4)
        )
    )


def restarted(bench: Bench, **changes: object) -> Bench:
    """The same grid in another process, without its orders."""
    state = bench.engine.state
    stored = Stored(
        header=state.header,
        slots=tuple(replace(slot, order=None) for slot in state.slots.values() if slot.quantity),
        accounting=StoredAccounting(ledger=state.accounting.ledger),
    )
    for order in bench.venue.open_orders:
        bench.venue.cancel(OrderRef(symbol=SYMBOL, client_order_id=order.client_order_id))
    bench.venue.updates.clear()
    return Bench(stored, bench.venue, **changes)


def test_a_grid_waits_for_its_start_price_from_either_side() -> None:
    bench = Bench(triggers=triggers(start_price=1020)).start(1004)
    assert not bench.buys
    bench.move(1019)
    assert not bench.buys
    bench.move(1021)
    assert bench.buys
    above = Bench(triggers=triggers(start_price=990)).start(1004)
    assert not above.buys
    above.move(989)
    assert above.buys


def test_a_grid_that_has_started_does_not_wait_again_after_a_restart() -> None:
    """F9: the start price was crossed before the process was killed."""
    settings = triggers(start_price=1001)
    bench = Bench(triggers=settings).start(998)
    assert not bench.buys
    bench.move(1004)
    assert bench.buys
    assert restarted(bench, triggers=settings).start(990).buys


def test_a_stop_price_pulls_the_entries_and_keeps_the_exits() -> None:
    bench = Bench(triggers=triggers(stop_below=985)).start(1004)
    bench.fill(0)
    bench.move(984)
    assert not bench.buys
    assert bench.sells == {0: 1010}
    bench.move(1004)
    assert not bench.buys, "a stop is for good"
    assert any("stop_below 985: the price is 984" in problem for problem in problems(bench.engine, bench.now))


def test_a_stop_outlives_the_process_and_ends_when_its_trigger_is_changed() -> None:
    """F9: a restart is no way round a stop; a person who changes the trigger decides."""
    bench = Bench(triggers=triggers(stop_above=1030)).start(1004)
    bench.move(1031)
    again = restarted(bench, triggers=triggers(stop_above=1030)).start(1004)
    assert not again.buys
    changed = restarted(again, triggers=triggers(stop_above=1060)).start(1004)
    assert changed.buys


def test_a_loss_of_the_whole_grid_stops_it_and_closes_everything_at_once() -> None:
    """The one order that takes liquidity: the user has asked for it."""
    bench = Recorder(triggers=triggers(stop_loss="0.5", closing=Closing.TAKER))
    bench.start(1004)
    bench.fill(0)
    bench.move(982)
    assert not bench.buys
    taken = [request for request in bench.__dict__["requests"] if request.time_in_force is TimeInForce.IOC]
    assert [(request.quantity, request.price, request.reduce_only) for request in taken] == [
        (Decimal("0.030"), Decimal("977.0"), True)
    ]
    bench.fill(0)
    assert bench.engine.state.position == 0
    assert not bench.venue.open_orders


def test_a_taken_profit_offers_what_is_held_at_the_touch() -> None:
    bench = Bench(triggers=triggers(take_profit="0.25", closing=Closing.MAKER)).start(1004)
    bench.fill(0)
    bench.fill(-1)
    bench.fill(0)
    assert bench.engine.course.stopped.startswith("take_profit 0.25")
    assert not bench.buys
    assert bench.sells == {-1: Decimal("1004.0")}
    bench.move(996)
    assert bench.sells == {-1: Decimal("996.0")}


def test_the_interval_follows_the_range_of_the_candles() -> None:
    """Every order is cancelled first, and what is held keeps its quantity on a level that closes no lower."""
    bench = Bench(volatility=FOLLOWED).start(1004)
    bench.fill(0)
    bench.fill(-1)
    before = bench.engine.state.position
    bench.tell(candles(10))
    bench.settle()
    assert bench.engine.state.grid is not None
    assert bench.engine.state.grid.interval == 20
    assert bench.engine.state.position == before
    assert bench.buys == {-1: 980, -2: 960, -3: 940, -4: 920}
    assert sorted(bench.sells.values()) == [1020]


def test_the_interval_never_falls_below_that_of_the_settings_and_moves_by_a_fifth_at_least() -> None:
    bench = Bench(volatility=FOLLOWED).start(1004)
    bench.tell(candles(10))
    bench.settle()
    ids = {order.client_order_id for order in bench.venue.open_orders}
    bench.tell(candles(11, first=4))
    bench.settle()
    assert {order.client_order_id for order in bench.venue.open_orders} == ids
    bench.tell(candles(1, first=8))
    bench.settle()
    assert bench.engine.state.grid is not None
    assert bench.engine.state.grid.interval == 10


def test_a_forming_candle_and_one_of_another_length_count_for_nothing() -> None:
    bench = Bench(volatility=FOLLOWED).start(1004)
    update = candles(50)
    forming = tuple(replace(candle, closed=False) for candle in update.candles)
    other = tuple(replace(candle, interval="5m") for candle in update.candles)
    bench.tell(RangeCandles((*forming, *other)))
    assert bench.engine.course.volatility.average_range is None


holdings = st.dictionaries(st.integers(-50, 50), st.integers(-5, 5).filter(bool), max_size=12)


@given(holdings, st.sampled_from(["2", "5", "7.5", "10", "25", "60"]))
def test_another_interval_keeps_quantity_and_cost_and_closes_nothing_worse(held: dict[int, int], interval: str) -> None:
    """F9: nothing is lost between the levels, and neither side is closed at a worse price."""
    grid = Grid(anchor=Decimal(1000), interval=Decimal(10))
    slots = [
        Slot(level=level, quantity=Decimal(quantity), cost=quantity * grid.price_of(level))
        for level, quantity in held.items()
    ]
    moved = rescaled(grid, slots, Decimal(interval))
    other = Grid(anchor=Decimal(1000), interval=Decimal(interval))
    for side in (1, -1):
        before = [slot for slot in slots if side * slot.quantity > 0]
        after = [slot for slot in moved if side * slot.quantity > 0]
        assert sum(slot.quantity for slot in before) == sum(slot.quantity for slot in after)
        assert sum(slot.cost for slot in before) == sum(slot.cost for slot in after)
        for slot in after:
            average = slot.cost / slot.quantity
            assert side * (other.price_of(slot.level) - average) >= 0


def test_a_neutral_grid_is_rescaled_with_both_signs() -> None:
    bench = Bench(volatility=FOLLOWED, mode=GridMode.NEUTRAL).start(1004)
    bench.fill(0)
    bench.fill(1)
    before = bench.engine.state.position
    bench.tell(candles(15))
    bench.settle()
    assert bench.engine.state.position == before
    assert bench.engine.state.grid is not None
    assert bench.engine.state.grid.interval == 30
