"""The limits at work on a grid: entries are cut, cancelled and stopped, exits go on, and a restart changes nothing."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from structlog.testing import capture_logs

from opensqt.market_maker.entry_limits import grid_exposure
from opensqt.market_maker.orders.events import (
    AccountUpdate,
    CallTimed,
    CandlesUpdate,
    GridExposure,
    OtherGridsChanged,
    PositionUpdate,
)
from opensqt.market_maker.risk import report
from opensqt.market_maker.risk.controls import RiskControls
from opensqt.market_maker.risk.settings import (
    BreakerLimits,
    ExposureLimits,
    LossSettings,
    MonitorSettings,
    ReduceLimits,
    RiskLimits,
)
from opensqt.market_maker.shared_exposure import SharedExposure
from opensqt.market_maker.strategy.grid.settings import GridMode
from opensqt.model.account import Account, Position
from opensqt.model.errors import OrderRejected, PostOnlyWouldCross
from opensqt.model.market import Candle
from opensqt.model.order import Side
from tests.unit.market_maker.venue import SYMBOL, Bench, MiniVenue

START_MS = 20_000 * 86_400_000
BREAKER = BreakerLimits(latency_ms=1000, reject_rate=Decimal("0.5"), least_orders=3, cool_down_s=300)


def account(equity: str, *, unrealized: str = "0") -> Account:
    return Account(
        asset="USDT",
        wallet_balance=Decimal(equity) - Decimal(unrealized),
        unrealized_pnl=Decimal(unrealized),
        available_balance=Decimal(equity),
    )


def bench(limits: RiskLimits, *, equity: str = "1000", venue: MiniVenue | None = None, **settings: object) -> Bench:
    controls = RiskControls(limits, symbol=SYMBOL, now_ms=START_MS)
    made = Bench(None, venue, controls, **settings)
    made.tell(AccountUpdate(account(equity), START_MS))
    return made


def exposed(**limits: object) -> RiskLimits:
    return RiskLimits(exposure=replace(ExposureLimits(), **limits))


def worst_case(grid: Bench) -> Decimal:
    """What is held if every open buy fills, at the price of now."""
    assert grid.engine.market is not None
    waiting = sum((order.remaining_quantity for order in grid.venue.open_orders if not order.reduce_only), Decimal(0))
    return (grid.venue.position + waiting) * grid.engine.market.reference


def test_entries_never_add_up_to_more_than_the_limit_while_the_price_falls() -> None:
    """F5: at each step, if all open buys filled, the position is within wallet_exposure_limit."""
    grid = bench(exposed(wallet_symbol=Decimal("0.1"))).start()
    assert len(grid.buys) == 3, "the grid wants 4, the limit of 100 has room for 3"
    for level in (-1, -2, -3):
        grid.fill(level)
        grid.move(1000 + 10 * level)
        assert worst_case(grid) <= 100
    assert grid.buys == {}
    assert len(grid.sells) == 3
    assert report.status(grid.engine.risk)["entries"] == "LIMITED"
    assert report.active(grid.engine.risk)["exposure"]


def test_live_entries_beyond_a_limit_that_shrinks_are_cancelled_furthest_first() -> None:
    grid = bench(exposed(wallet_symbol=Decimal("0.13"))).start()
    assert sorted(grid.buys) == [-4, -3, -2, -1]
    grid.tell(AccountUpdate(account("500"), START_MS))
    grid.settle()
    assert sorted(grid.buys) == [-2, -1]


def test_positions_in_other_symbols_take_room_from_the_limit_over_all() -> None:
    grid = bench(exposed(quote_total=Decimal(130))).start()
    other = Position(symbol="ETHUSDT", quantity=Decimal("-0.03"), entry_price=Decimal(2000), mark_price=Decimal(2200))
    grid.tell(PositionUpdate(other))
    grid.settle()
    assert sorted(grid.buys) == [-2, -1], "64 of 130 are left, whatever the sign of the other position"
    grid.tell(PositionUpdate(replace(other, quantity=Decimal(0))))
    grid.settle()
    assert len(grid.buys) == 4


def other_grid(held: int, entries: int, window: int = 0) -> OtherGridsChanged:
    return OtherGridsChanged(
        {"ETHUSDT": GridExposure(held=Decimal(held), entries=Decimal(entries), window=Decimal(window))}
    )


def test_entries_in_other_symbols_take_room_from_the_limit_over_all() -> None:
    """Resting orders of another grid of the process may fill: what they would be worth is not there for this one."""
    grid = bench(exposed(wallet_total=Decimal("0.13"))).start()
    assert len(grid.buys) == 4
    grid.tell(other_grid(held=30, entries=34))
    grid.settle()
    assert sorted(grid.buys) == [-2, -1], "66 of 130 are left"
    held = Position(symbol="ETHUSDT", quantity=Decimal("-0.02"), entry_price=Decimal(2000), mark_price=Decimal(2000))
    grid.tell(PositionUpdate(held))
    grid.settle()
    assert sorted(grid.buys) == [-1], "the venue says 40 instead of 30, and the entries may add 34"
    assert report.status(grid.engine.risk)["other_entries"] == "34"
    grid.tell(OtherGridsChanged({}))
    grid.settle()
    assert len(grid.buys) == 2, "90 of 130 are left, and a third one may be worth more than 30"


def test_the_other_grids_keep_the_room_of_their_windows_up_to_an_equal_share() -> None:
    """The grid that places first leaves the others theirs; what they have no use for is free."""
    grid = bench(exposed(quote_total=Decimal(130))).start()
    grid.tell(other_grid(held=0, entries=0, window=1000))
    grid.settle()
    assert len(grid.buys) == 2, "65 of 130"
    grid.tell(other_grid(held=30, entries=0, window=1000))
    grid.settle()
    assert len(grid.buys) == 2, "what it holds is part of its share"
    grid.tell(other_grid(held=0, entries=0, window=30))
    grid.settle()
    assert len(grid.buys) == 3, "100 of 130"


def test_resting_entries_of_others_begin_no_reduction() -> None:
    """A reduction sells at a loss: only what is held counts for it."""
    reduce = ReduceLimits(share=Decimal("0.5"), above=Decimal("0.5"))
    grid = bench(RiskLimits(exposure=ExposureLimits(quote_total=Decimal(200)), reduce=reduce)).start()
    grid.fill(-1)
    grid.tell(other_grid(held=0, entries=180, window=180))
    grid.settle()
    assert grid.engine.risk.reduce.levels == ()


@pytest.mark.parametrize("mode", [GridMode.LONG, GridMode.NEUTRAL])
def test_a_grid_reports_the_most_that_it_may_come_to_hold(mode: GridMode) -> None:
    """A neutral grid can't hold both of its sides: the larger one counts."""
    grid = bench(exposed(wallet_total=Decimal(1)), mode=mode).start()
    grid.fill(-1)
    found = reported(grid)
    assert found.held == grid.engine.state.position * 1000 > 0
    worth = {side: sum(q * p for q, p in entries(grid, side)) for side in Side}
    assert found.entries == worth[Side.BUY] >= worth[Side.SELL] - found.held * 2
    assert found.window == 5 * 30


def reported(grid: Bench) -> GridExposure:
    engine = grid.engine
    return grid_exposure(engine.risk, engine.state, engine.settings.grid, Decimal(1000))


def entries(grid: Bench, side: Side) -> list[tuple[Decimal, Decimal]]:
    """Quantity and price of the open orders that are no exits."""
    live = grid.engine.state.live_orders()
    return [(order.remaining, order.price) for order in live if order.side is side and not order.closes]


def test_two_grids_stay_within_a_limit_together() -> None:
    """Each reads what the other may hold before it decides, and reports after it."""
    shared, grids = SharedExposure(), {name: bench(exposed(quote_total=Decimal(200))) for name in ("A", "B")}
    for _ in range(3):
        for name, grid in grids.items():
            grid.engine.handle(OtherGridsChanged(shared.others(name)), grid.now)
            grid.start()
            shared.report(name, reported(grid))
    assert [len(grid.buys) for grid in grids.values()] == [3, 3]
    shared.remove("A")
    grids["B"].tell(OtherGridsChanged(shared.others("B")))
    grids["B"].settle()
    assert len(grids["B"].buys) == 4


def test_the_cap_on_levels_counts_levels_held_and_bought() -> None:
    grid = bench(exposed(levels=3)).start()
    assert sorted(grid.buys) == [-3, -2, -1]
    grid.fill(-1)
    grid.move(990)
    assert len(grid.buys) + len(grid.sells) == 3
    grid.fill(-1)
    grid.move(1000)
    assert len(grid.buys) == 3


@pytest.mark.parametrize("quiet", [False, True])
def test_where_the_sums_say_it_what_begins_and_ends_is_logged_at_debug_level_only(quiet: bool) -> None:
    """A backtest counts what stopped entries; a grid that trades logs each as an error."""
    grid = bench(RiskLimits(losses=LossSettings(day=Decimal("0.05"))))
    grid.engine.risk.quiet = quiet
    with capture_logs() as logs:
        grid.tell(AccountUpdate(account("940"), START_MS + 1000))
        grid.engine.risk.reset(grid.now)
    levels = [line["log_level"] for line in logs if "entries" in line["event"]]
    assert levels == (["debug", "debug"] if quiet else ["error", "warning"])
    assert grid.engine.risk.triggers == {"daily_loss": 1}


def test_a_loss_limit_cancels_entries_and_keeps_exits() -> None:
    grid = bench(RiskLimits(losses=LossSettings(day=Decimal("0.05")))).start()
    grid.fill(-1)
    grid.tell(AccountUpdate(account("940"), START_MS + 1000))
    grid.settle()
    assert grid.buys == {}
    assert sorted(grid.sells) == [-1]
    (problem,) = report.problems(grid.engine.risk)
    assert problem.startswith("exits only: daily loss: loss of the day 60.00 of 1000.00")
    grid.wait(86_400)
    assert grid.buys, "the next UTC day begins with entries"


@pytest.mark.parametrize("refusal", [OrderRejected, PostOnlyWouldCross])
def test_many_refusals_open_the_breaker_and_post_only_refusals_don_t(refusal: type[OrderRejected]) -> None:
    """F18: in a trend many post-only orders are refused, and that is no sign of a broken venue."""
    grid = bench(RiskLimits(breaker=BREAKER)).start()
    grid.venue.refuse = refusal
    for _ in range(20):
        grid.wait(5)
        grid.move(1000 + 20 * (_ % 3))
    assert grid.engine.risk.breaker.is_open is (refusal is OrderRejected)


def test_the_breaker_closes_after_its_cool_down() -> None:
    grid = bench(RiskLimits(breaker=BREAKER)).start()
    for _ in range(5):
        grid.tell(CallTimed(9000.0))
    grid.settle()
    assert grid.buys == {}
    assert report.active(grid.engine.risk)["circuit_breaker"]
    grid.wait(299)
    assert grid.buys == {}
    grid.wait(2)
    assert len(grid.buys) == 4


def test_a_reset_closes_the_breaker_and_ends_limits_and_alarm() -> None:
    limits = RiskLimits(breaker=BREAKER, losses=LossSettings(peak=Decimal("0.05")))
    grid = bench(limits).start()
    for _ in range(5):
        grid.tell(CallTimed(9000.0))
    grid.tell(AccountUpdate(account("900"), START_MS + 1000))
    grid.settle()
    assert set(grid.engine.risk.triggered()) == {"circuit_breaker", "peak_loss"}
    grid.engine.risk.reset(grid.now)
    grid.think()
    grid.settle()
    assert grid.engine.risk.triggered() == {}
    assert len(grid.buys) == 4


def test_exits_at_a_loss_in_a_row_open_the_breaker() -> None:
    """Each exit counts once, by the profit against the cost of its level."""
    grid = bench(RiskLimits(breaker=replace(BREAKER, losses_in_a_row=2))).start()
    for level in (-1, -2):
        grid.fill(level)
    for level in (-1, -2):
        slot = grid.engine.state.slot(level)
        assert slot.order is not None
        order = grid.venue.orders[slot.order.client_order_id]
        grid.venue.orders[order.client_order_id] = replace(order, price=Decimal(900))
        grid.fill(level)
    assert grid.engine.risk.breaker.reason == "2 exits in a row lost (losses_in_a_row 2)"
    grid.think()
    grid.settle()
    assert grid.buys == {}


def test_an_alarm_of_the_risk_monitor_cancels_entries() -> None:
    grid = bench(RiskLimits(monitor=MonitorSettings(symbols=("ETHUSDT",), average_window=5))).start()
    grid.fill(-1)
    calm = tuple(candle(minute) for minute in range(5))
    grid.tell(CandlesUpdate((*calm, candle(5, volume=500, close=90))))
    grid.settle()
    assert grid.buys == {}
    assert sorted(grid.sells) == [-1]
    assert report.status(grid.engine.risk)["monitor"]["symbols"] == {"ETHUSDT": "ALARM"}
    grid.tell(CandlesUpdate((candle(6, close=120),)))
    grid.settle()
    assert grid.buys


def test_an_open_breaker_and_the_day_s_loss_survive_a_restart() -> None:
    """F9: what stopped entries stops them after a restart, until the same moment."""
    limits = RiskLimits(breaker=BREAKER, losses=LossSettings(day=Decimal("0.05")))
    grid = bench(limits).start()
    for _ in range(5):
        grid.tell(CallTimed(9000.0))
    grid.tell(AccountUpdate(account("900"), START_MS + 1000))
    stored = [changes.risk for changes in grid.changes if changes.risk is not None][-1]
    again = RiskControls(limits, symbol=SYMBOL, now=5000.0, now_ms=START_MS + 200_000)
    again.restore(stored)
    assert again.triggered() == grid.engine.risk.triggered()
    assert set(again.triggered()) == {"circuit_breaker", "daily_loss"}
    again.on_time(5000.0 + 101)
    assert set(again.triggered()) == {"daily_loss"}, "its cool-down goes on over the restart"


def test_equity_is_stored_at_times_and_not_with_each_update() -> None:
    """The account's stream may report several times a second."""
    grid = bench(RiskLimits()).start()
    before = sum(1 for changes in grid.changes if changes.risk is not None)
    for step in range(100):
        grid.now += 0.1
        grid.tell(AccountUpdate(account(str(1000 + step)), START_MS + step * 100))
    assert sum(1 for changes in grid.changes if changes.risk is not None) - before <= 1


def test_the_oldest_levels_are_offered_at_the_touch_when_a_limit_is_nearly_used_up() -> None:
    """Reduce-only and post-only, followed as the price moves; the others stay at their own price; then it is over."""
    limits = RiskLimits(exposure=ExposureLimits(levels=3), reduce=ReduceLimits(share=Decimal("0.3"), every_s=60))
    grid = bench(limits).start()
    for level in (-1, -2, -3):
        grid.fill(level)
        grid.move(1000 + 10 * level)
    assert grid.sells == {-1: Decimal("970.1"), -2: Decimal(990), -3: Decimal(980)}
    assert "the 1 oldest of 3 held levels (-1) are offered" in report.status(grid.engine.risk)["reduction"]
    assert all(order.reduce_only for order in grid.venue.open_orders if order.side is Side.SELL)
    grid.move(960)
    assert grid.sells[-1] == Decimal("960.1")
    grid.fill(-1)
    assert grid.engine.risk.reduce.levels == ()
    assert report.status(grid.engine.risk)["reduction"] == ""
    grid.wait(61)
    grid.move(961)
    assert grid.engine.risk.reduce.levels == (), "two of three levels are below nine tenths"


def test_limits_that_are_off_change_nothing() -> None:
    grid = bench(RiskLimits()).start()
    grid.tell(AccountUpdate(account("1"), START_MS))
    for _ in range(50):
        grid.tell(CallTimed(90_000.0))
    grid.move(990)
    assert sorted(grid.buys) == [-5, -4, -3, -2, -1]
    assert report.problems(grid.engine.risk) == []


def candle(minute: int, *, volume: int = 10, close: int = 100) -> Candle:
    at = Decimal(close)
    return Candle(
        symbol="ETHUSDT",
        interval="1m",
        open_time_ms=START_MS + minute * 60_000,
        open=at,
        high=at,
        low=at,
        close=at,
        volume=Decimal(volume),
    )
