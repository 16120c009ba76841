"""Commands of a person to the engine: a pause, changed settings with their preview, resets."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from opensqt.config.market_maker import MarketMakerSettings
from opensqt.market_maker.control.changes import LIVE_KEYS, check_live, differences, parse_change, with_live
from opensqt.market_maker.control.commands import audited
from opensqt.market_maker.control.operator import Reset
from opensqt.market_maker.control.preview import preview
from opensqt.market_maker.control.state import ControlState
from opensqt.market_maker.orders.events import GridSettingsChanged, PauseChanged, PauseMode, ResetRequested
from opensqt.market_maker.strategy.grid.settings import GridMode
from opensqt.model.errors import ConfigError
from opensqt.model.order import OrderRef
from tests.unit.market_maker.venue import SYMBOL, Bench


def holding() -> Bench:
    """A grid that holds one level, with its sell in the market."""
    bench = Bench().start()
    bench.move(995)
    bench.fill(-1)
    bench.settle()
    assert bench.sells
    assert bench.buys
    return bench


def changed(bench: Bench, **changes: object) -> GridSettingsChanged:
    return GridSettingsChanged(
        grid=replace(bench.engine.settings.grid, **changes),
        reconcile_interval_s=60,
        margin_lock_s=10,
        price_max_age_s=30,
    )


def tell(bench: Bench, event: PauseChanged | GridSettingsChanged | ResetRequested) -> None:
    bench.tell(event)
    bench.settle()


def test_a_pause_cancels_entries_and_keeps_exits() -> None:
    bench = holding()
    sells = bench.sells
    tell(bench, PauseChanged(PauseMode.ENTRIES))
    assert (bench.buys, bench.sells) == ({}, sells)
    bench.move(985)
    assert bench.buys == {}


def test_an_exit_is_placed_again_during_a_pause() -> None:
    """What is held is offered also when its order was ended by somebody else."""
    bench = holding()
    tell(bench, PauseChanged(PauseMode.ENTRIES))
    (order,) = bench.venue.open_orders
    bench.venue.cancel(OrderRef(symbol=SYMBOL, client_order_id=order.client_order_id, order_id=order.order_id))
    bench.settle()
    bench.wait(5)
    assert bench.sells


def test_a_pause_of_all_leaves_no_order() -> None:
    bench = holding()
    tell(bench, PauseChanged(PauseMode.ALL))
    assert bench.venue.open_orders == []
    bench.move(1005)
    assert bench.venue.open_orders == []


@pytest.mark.parametrize("mode", [PauseMode.ENTRIES, PauseMode.ALL])
def test_after_a_pause_the_grid_is_as_before(mode: PauseMode) -> None:
    bench = holding()
    before = (bench.buys, bench.sells)
    tell(bench, PauseChanged(mode))
    tell(bench, PauseChanged(PauseMode.NONE))
    assert (bench.buys, bench.sells) == before


def test_a_fill_that_crosses_the_pause_is_counted_and_gets_its_exit() -> None:
    bench = holding()
    order = bench.engine.state.slot(-2).order
    assert order is not None
    bench.venue.fill(order.client_order_id)
    tell(bench, PauseChanged(PauseMode.ENTRIES))
    assert -2 in bench.sells
    assert bench.buys == {}


CHANGES: list[dict[str, object]] = [
    {"order_quantity": Decimal(60)},
    {"order_quantity": Decimal("30.5")},
    {"buy_window": 2},
    {"buy_window": 7},
    {"sell_window": 1},
    {"max_open_orders": 3},
    {"order_quantity": Decimal(90), "buy_window": 3},
]


@pytest.mark.parametrize("changes", CHANGES, ids=str)
def test_what_the_preview_shows_is_what_happens(changes: dict[str, object]) -> None:
    """The live orders afterwards are those before, less the cancels, plus the places."""
    bench = holding()
    event = changed(bench, **changes)
    before = {(one.side, one.price, one.quantity) for one in bench.venue.open_orders}
    shown = preview(bench.engine, event.grid, bench.now)
    tell(bench, event)
    after = {(one.side, one.price, one.quantity) for one in bench.venue.open_orders}
    expected = before - {(one.side, one.price, one.quantity) for one in shown.cancels}
    expected |= {(one.side, one.price, one.quantity) for one in shown.places}
    assert after == expected


@pytest.mark.parametrize("mode", GridMode)
@pytest.mark.parametrize("changes", CHANGES[:4], ids=str)
def test_a_preview_is_right_in_every_mode(mode: GridMode, changes: dict[str, object]) -> None:
    bench = Bench(mode=mode).start()
    bench.move(995)
    bench.move(1012)
    event = changed(bench, **changes)
    before = orders(bench)
    shown = preview(bench.engine, event.grid, bench.now)
    tell(bench, event)
    cancels = {(one.side, one.price, one.quantity) for one in shown.cancels}
    assert orders(bench) == before - cancels | {(one.side, one.price, one.quantity) for one in shown.places}


def orders(bench: Bench) -> set[tuple[object, ...]]:
    return {(one.side, one.price, one.quantity) for one in bench.venue.open_orders}


@pytest.mark.parametrize("changes", CHANGES, ids=str)
def test_a_preview_changes_nothing(changes: dict[str, object]) -> None:
    bench, other = holding(), holding()
    for _ in range(3):
        preview(bench.engine, changed(bench, **changes).grid, bench.now)
    for one in (bench, other):
        one.move(985)
        one.move(1015)
    assert (bench.buys, bench.sells) == (other.buys, other.sells)


def test_the_same_settings_again_change_nothing() -> None:
    bench = holding()
    shown = preview(bench.engine, bench.engine.settings.grid, bench.now)
    assert (shown.cancels, shown.places) == ((), ())
    ids = set(bench.venue.orders)
    tell(bench, changed(bench))
    assert set(bench.venue.orders) == ids


def test_an_order_that_is_filled_in_part_is_not_replaced() -> None:
    bench = Bench(order_quantity=Decimal(90)).start()
    bench.move(995)
    bench.fill(-1, "0.010")
    order = bench.engine.state.slot(-1).order
    assert order is not None
    tell(bench, changed(bench, order_quantity=Decimal(50)))
    assert bench.venue.orders[order.client_order_id].status.is_open


def test_a_reset_is_applied_by_its_name_and_an_unknown_one_is_ignored() -> None:
    bench = Bench().start()
    done: list[float] = []
    bench.engine.operator.resets["breaker"] = Reset(summary="s", preview=dict, apply=done.append)
    tell(bench, ResetRequested("nothing"))
    tell(bench, ResetRequested("breaker"))
    assert done == [bench.now]


def test_the_stored_commands_are_read_back() -> None:
    state = ControlState(
        pause=PauseMode.ALL, paused_by="ann", paused_ms=1_800_000_000_000, overrides={"trading.order_quantity": "40"}
    )
    assert ControlState.decode(state.encode()) == state
    (problem,) = state.problems()
    assert problem.startswith("paused: no orders at all, by ann since 2027-01-15")
    assert ControlState().problems() == []


def test_only_keys_that_may_change_are_taken_over() -> None:
    running = MarketMakerSettings()
    wanted = MarketMakerSettings.model_validate(
        {"trading": {"order_quantity": "40", "symbol": "BTCUSDT"}, "exchanges": {"remote": {"token": "canary12345"}}}
    )
    live = with_live(running, wanted)
    assert (live.trading.order_quantity, live.trading.symbol) == (Decimal(40), "ETHUSDT")
    left = differences(live, wanted)
    assert [one.key for one in left] == ["exchanges.remote.token", "trading.symbol"]
    assert "canary" not in str(left)


def test_every_live_key_is_a_setting() -> None:
    keys = {one.key for one in differences(MarketMakerSettings(), MarketMakerSettings())}
    assert keys == set()
    for key in LIVE_KEYS:
        section, name = key.split(".")
        assert hasattr(getattr(MarketMakerSettings(), section), name)


@pytest.mark.parametrize("text", ["trading.order_quantity", "=4", ""])
def test_a_change_that_is_none_says_what_is_expected(text: str) -> None:
    with pytest.raises(ConfigError, match="expected KEY=VALUE"):
        parse_change(text)


def test_the_audit_of_a_command_shows_no_secret_that_somebody_tried_to_set() -> None:
    """F33: the key of an exchange can't be set, and its value is not logged either."""
    changes = {"exchanges.binance.api_key": "Canary7f3a9d2e51", "trading.order_quantity": "40"}
    shown = audited({"changes": changes, "apply": True, "by": "ann"})
    assert shown == {"changes": {"exchanges.binance.api_key": "***", "trading.order_quantity": "40"}, "apply": True}


def test_a_key_that_needs_a_restart_is_refused_with_those_that_do_not() -> None:
    with pytest.raises(ConfigError, match=r"trading\.symbol: can't change while it runs"):
        check_live(["trading.symbol"])
