"""Commands of a person to the engine: a pause, changed settings with their preview, resets."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from opensqt.config.market_maker import MarketMakerSettings, load_settings
from opensqt.market_maker.control.changes import (
    LIVE_KEYS,
    check_live,
    differences,
    parse_change,
    paths,
    value_of,
    with_live,
)
from opensqt.market_maker.control.commands import audited
from opensqt.market_maker.control.operator import Reset
from opensqt.market_maker.control.preview import preview
from opensqt.market_maker.control.state import ControlState
from opensqt.market_maker.orders.events import (
    AccountUpdate,
    GridSettingsChanged,
    PauseChanged,
    PauseMode,
    ResetRequested,
)
from opensqt.market_maker.risk.settings import ExposureLimits, LossSettings, MonitorSettings, RiskLimits
from opensqt.market_maker.strategy.grid.settings import GridMode
from opensqt.market_maker.strategy.quoter import PriceRange
from opensqt.market_maker.strategy.triggers import Closing, TriggerSettings
from opensqt.model.account import Account
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


def limited(bench: Bench, limits: RiskLimits) -> GridSettingsChanged:
    return replace(changed(bench), limits=limits)


def with_account(bench: Bench, equity: int = 1000) -> Bench:
    """The same grid, and what the account holds."""
    money = Account(
        asset="USDT",
        wallet_balance=Decimal(equity),
        available_balance=Decimal(equity),
        unrealized_pnl=Decimal(0),
    )
    bench.tell(AccountUpdate(money, 1_000_000))
    bench.settle()
    return bench


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
    shown = preview(bench.engine, event, bench.now)
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
    shown = preview(bench.engine, event, bench.now)
    tell(bench, event)
    cancels = {(one.side, one.price, one.quantity) for one in shown.cancels}
    assert orders(bench) == before - cancels | {(one.side, one.price, one.quantity) for one in shown.places}


def orders(bench: Bench) -> set[tuple[object, ...]]:
    return {(one.side, one.price, one.quantity) for one in bench.venue.open_orders}


@pytest.mark.parametrize("changes", CHANGES, ids=str)
def test_a_preview_changes_nothing(changes: dict[str, object]) -> None:
    bench, other = holding(), holding()
    for _ in range(3):
        preview(bench.engine, changed(bench, **changes), bench.now)
    for one in (bench, other):
        one.move(985)
        one.move(1015)
    assert (bench.buys, bench.sells) == (other.buys, other.sells)


def test_the_same_settings_again_change_nothing() -> None:
    bench = holding()
    shown = preview(bench.engine, changed(bench), bench.now)
    assert (shown.cancels, shown.places) == ((), ())
    ids = set(bench.venue.orders)
    tell(bench, changed(bench))
    assert set(bench.venue.orders) == ids


LIMITS: dict[str, dict[str, object]] = {
    "fewer levels": {"limits": RiskLimits(exposure=ExposureLimits(levels=3))},
    "less wallet": {"limits": RiskLimits(exposure=ExposureLimits(wallet_symbol=Decimal("0.1")))},
    "no room at all": {"limits": RiskLimits(exposure=ExposureLimits(quote_total=Decimal(1)))},
    "a floor": {"price_range": PriceRange(floor=Decimal(975))},
    "a stop at once": {"triggers": TriggerSettings(stop_above=Decimal(990))},
    "a stop that closes": {"triggers": TriggerSettings(stop_above=Decimal(990), closing=Closing.MAKER)},
    "a stop further away": {"triggers": TriggerSettings(stop_below=Decimal(500))},
    "nothing": {},
}


@pytest.mark.parametrize("given", LIMITS.values(), ids=LIMITS)
def test_a_preview_of_limits_and_triggers_shows_what_happens(given: dict[str, object]) -> None:
    """Limits and triggers needed a restart; now the live orders afterwards are those before, as the preview says."""
    bench = with_account(holding())
    event = replace(changed(bench), **given)
    before = orders(bench)
    shown = preview(bench.engine, event, bench.now)
    assert orders(bench) == before
    assert bench.engine.state.stopped == ""
    tell(bench, event)
    cancels = {(one.side, one.price, one.quantity) for one in shown.cancels}
    assert orders(bench) == before - cancels | {(one.side, one.price, one.quantity) for one in shown.places}
    assert bool(shown.cancels) is (given not in (LIMITS["nothing"], LIMITS["a stop further away"]))


def test_a_limit_that_is_switched_off_lets_entries_in_again() -> None:
    bench = with_account(holding())
    wanted = orders(bench)
    tell(bench, limited(bench, RiskLimits(exposure=ExposureLimits(quote_total=Decimal(1)))))
    assert bench.buys == {}
    before = orders(bench)
    shown = preview(bench.engine, limited(bench, RiskLimits()), bench.now)
    tell(bench, limited(bench, RiskLimits()))
    assert orders(bench) == wanted == before | {(one.side, one.price, one.quantity) for one in shown.places}


def test_a_loss_limit_that_is_reached_already_stops_at_once_and_the_preview_says_so() -> None:
    bench = with_account(with_account(holding()), 940)
    strict = limited(bench, RiskLimits(losses=LossSettings(day=Decimal("0.05"))))
    shown = preview(bench.engine, strict, bench.now)
    assert [note.partition(":")[0] for note in shown.notes] == ["entries stop at once"]
    assert bench.buys
    tell(bench, strict)
    assert bench.buys == {}
    loose = limited(bench, RiskLimits(losses=LossSettings(day=Decimal("0.5"))))
    assert preview(bench.engine, loose, bench.now).notes == ("entries are no longer stopped by daily_loss",)
    tell(bench, loose)
    assert bench.buys


def test_a_stop_is_lifted_by_another_value_of_its_trigger() -> None:
    bench = holding()
    tell(bench, replace(changed(bench), triggers=TriggerSettings(stop_above=Decimal(990))))
    assert bench.engine.state.stopped
    further = replace(changed(bench), triggers=TriggerSettings(stop_above=Decimal(2000)))
    assert "no longer stopped by stop_above 990" in preview(bench.engine, further, bench.now).notes[0]
    assert bench.engine.state.stopped, "a preview lifts nothing"
    tell(bench, further)
    assert bench.buys


def test_a_start_price_for_a_grid_that_trades_has_no_effect_and_says_so() -> None:
    bench = holding()
    later = replace(changed(bench), triggers=TriggerSettings(start_price=Decimal(900)))
    assert "has no effect" in preview(bench.engine, later, bench.now).notes[0]
    tell(bench, later)
    assert bench.buys


def test_other_watched_symbols_begin_without_candles() -> None:
    """An alarm of a symbol that is not watched any more ends with it."""
    bench = holding()
    tell(bench, limited(bench, RiskLimits(monitor=MonitorSettings(symbols=("ETHUSDT",)))))
    assert list(bench.engine.risk.monitor.watched) == ["ETHUSDT"]
    bench.engine.risk.monitor.reason = "an alarm"
    tell(bench, limited(bench, RiskLimits()))
    assert (bench.engine.risk.monitor.watched, bench.engine.risk.monitor.reason) == ({}, "")


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
        value_of(MarketMakerSettings(), key)


@pytest.mark.parametrize("text", ["trading.order_quantity", "=4", ""])
def test_a_change_that_is_none_says_what_is_expected(text: str) -> None:
    with pytest.raises(ConfigError, match="expected KEY=VALUE"):
        parse_change(text)


def test_the_audit_of_a_command_shows_no_secret_that_somebody_tried_to_set() -> None:
    """F33: the key of an exchange can't be set, and its value is not logged either."""
    changes = {"exchanges.binance.api_key": "Canary7f3a9d2e51", "trading.order_quantity": "40"}
    shown = audited({"changes": changes, "apply": True, "by": "ann"})
    assert shown == {"changes": {"exchanges.binance.api_key": "***", "trading.order_quantity": "40"}, "apply": True}


@pytest.mark.parametrize(
    ("key", "why"),
    [
        ("trading.symbol", "orders, levels and history"),
        ("trading.grid_mode", "belong to a level"),
        ("trading.price_interval_percent", "belong to a level"),
        ("trading.volatility_window", "candles"),
        ("exchanges.remote.token", "the connection"),
        ("alerts.targets", "the targets"),
    ],
)
def test_a_key_that_needs_a_restart_is_refused_with_why_and_with_those_that_do_not(key: str, why: str) -> None:
    with pytest.raises(ConfigError, match=f"{key}: can't change while it runs: .*{why}.* These can: trading.order"):
        check_live([key])


def test_every_key_may_change_or_says_why_not() -> None:
    """No key is refused without a reason."""
    for key in paths(MarketMakerSettings):
        if key not in LIVE_KEYS:
            with pytest.raises(ConfigError, match=r"can't change while it runs: [a-z]"):
                check_live([key])


def test_limits_and_lists_are_given_as_in_the_file(tmp_path: Path) -> None:
    """`opensqt set risk_control.monitor_symbols=[BTCUSDT]`, and null for no value."""
    changes = {"risk_control.monitor_symbols": "[BTCUSDT, ETHUSDT]", "trading.stop_below": "900"}
    settings = load_settings(None, environ={}, flags={**changes, "risk_control.breaker.drawdown": "0.1"})
    assert settings.risk_control.monitor_symbols == ("BTCUSDT", "ETHUSDT")
    assert (settings.trading.stop_below, settings.risk_control.breaker.drawdown) == (900, Decimal("0.1"))
    path = tmp_path / "grid.yaml"
    path.write_text("trading: {stop_below: 900}")
    assert load_settings(path, environ={}, flags={"trading.stop_below": "null"}).trading.stop_below is None
    several = MarketMakerSettings.model_validate({"trading": {"symbols": [{"symbol": "ETHUSDT", "stop_below": "9"}]}})
    guarded = several.grid("ETHUSDT", {"trading.price_guard.max_jump": "0.03", "trading.stop_below": "null"})
    assert (guarded.trading.price_guard.max_jump, guarded.trading.stop_below) == (Decimal("0.03"), None)
