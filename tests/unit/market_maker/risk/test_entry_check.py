"""The safety check over the life of a grid: it keeps entries away, and never exits."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from opensqt.market_maker.orders.events import PositionUpdate
from opensqt.market_maker.orders.rules_refresh import RulesRefresh
from opensqt.market_maker.orders.slots import Slot
from opensqt.market_maker.orders.stored import Header, Stored
from opensqt.market_maker.risk import report
from opensqt.market_maker.risk.controls import RiskControls
from opensqt.market_maker.risk.entry_check import EntryCheck
from opensqt.market_maker.risk.ladder import AccountInputs, GridRequirements
from opensqt.model.account import Account, Position
from opensqt.model.errors import OrderRejected
from opensqt.model.order import MarginMode
from tests.unit.market_maker.venue import RULES, SYMBOL, Bench, MiniVenue

INPUTS = AccountInputs(
    price=Decimal(1000),
    available=Decimal(1000),
    leverage=Decimal(5),
    fee_rate=Decimal("0.0002"),
    held_levels=0,
)
REQUIREMENTS = GridRequirements(interval=Decimal(10), order_quantity=Decimal(30), min_order_value=Decimal(6), levels=40)


def account(available: str = "1000") -> Account:
    return Account(
        asset="USDT",
        wallet_balance=Decimal(available),
        unrealized_pnl=Decimal(0),
        available_balance=Decimal(available),
    )


def bench(inputs: AccountInputs = INPUTS, stored: Stored | None = None) -> Bench:
    venue = MiniVenue()
    venue.leverage, venue.account = Decimal(5), account()
    return Bench(stored, venue, RiskControls(entry_check=EntryCheck(REQUIREMENTS, inputs, RULES), symbol=SYMBOL))


def held(*levels: int) -> Stored:
    slots = tuple(Slot(level=level, quantity=Decimal("0.03"), cost=Decimal(30)) for level in levels)
    return Stored(header=Header(anchor=Decimal(1000), interval=Decimal(10), sequence=1, watermark_ms=1), slots=slots)


def drawdown() -> Bench:
    """A restart with two levels held, on an account that can't carry all levels any more."""
    made = bench(replace(INPUTS, available=Decimal(100), held_levels=2), held(0, 1))
    made.venue.account = account("100")
    made.venue.opening = Decimal("0.06")
    return made


def test_a_restart_in_a_drawdown_places_exits_and_no_entries() -> None:
    """F41: the broken rule guards entries, so what is held is offered; the reason is reported."""
    grid = drawdown().start()
    assert grid.running
    assert sorted(grid.sells) == [0, 1]
    assert grid.buys == {}
    (problem,) = report.problems(grid.engine.risk)
    assert problem.startswith("exits only: levels: the account carries 15 levels")


def test_entries_begin_by_themselves_when_the_rule_holds_again() -> None:
    """F41: the rule is applied again at each comparison with the venue."""
    grid = drawdown().start()
    grid.venue.account = account()
    grid.wait(61)
    assert sorted(grid.buys) == [-4, -3, -2, -1]
    assert report.problems(grid.engine.risk) == []
    assert report.status(grid.engine.risk)["entries"] == "ALLOWED"


def test_an_account_that_was_not_queried_changes_nothing() -> None:
    """F3: neither does an unknown balance end the state, nor does it begin it."""
    grid = drawdown().start()
    grid.venue.account = None
    grid.wait(61)
    assert grid.buys == {}
    well = bench().start()
    well.venue.account = None
    well.wait(61)
    assert well.buys


def test_a_falling_balance_alone_does_not_stop_a_running_grid() -> None:
    grid = bench().start()
    grid.venue.account = account("100")
    grid.wait(61)
    assert len(grid.buys) == 4


def test_leverage_raised_above_the_limit_stops_entries_and_lowered_again_lets_them_begin() -> None:
    """F21: it is noticed at the next comparison, live entries are cancelled, and the reason has the numbers."""
    grid = bench().start()
    grid.venue.leverage = Decimal(20)
    grid.wait(61)
    assert grid.buys == {}
    assert report.problems(grid.engine.risk) == ["exits only: leverage: 20, expected at most 10"]
    grid.venue.leverage = Decimal(5)
    grid.wait(61)
    assert len(grid.buys) == 4


def test_leverage_that_still_passes_every_rule_goes_on() -> None:
    grid = bench().start()
    grid.venue.leverage = Decimal(8)
    grid.wait(61)
    assert len(grid.buys) == 4
    assert report.status(grid.engine.risk)["leverage"] == "8"


def test_leverage_lowered_until_the_account_carries_too_few_levels_stops_entries() -> None:
    grid = bench().start()
    grid.venue.leverage = Decimal(1)
    grid.wait(61)
    assert grid.buys == {}
    assert "the account carries 26 levels" in report.problems(grid.engine.risk)[0]


def test_leverage_that_is_not_reported_has_not_changed() -> None:
    """F3: some venues report none of a flat position."""
    grid = bench().start()
    grid.venue.leverage = None
    grid.wait(61)
    assert len(grid.buys) == 4


def test_a_stream_that_reports_another_leverage_stops_entries_until_it_was_checked() -> None:
    """F21: entries wait from the report on, and the venue is queried at once."""
    grid = bench().start()
    grid.venue.leverage = Decimal(8)
    changed = Position(symbol=SYMBOL, quantity=Decimal(0), entry_price=Decimal(0), leverage=Decimal(8))
    grid.engine.handle(PositionUpdate(changed), grid.now)
    assert report.problems(grid.engine.risk) == ["exits only: leverage changed from 5 to 8"]
    grid.think()
    grid.settle()
    assert report.problems(grid.engine.risk) == []
    assert len(grid.buys) == 4


def test_isolated_margin_that_liquidates_within_the_ladder_stops_entries() -> None:
    """A switch to isolated margin is checked with the position's own liquidation price."""
    grid = bench().start()
    grid.venue.margin_mode = MarginMode.ISOLATED
    grid.wait(61)
    assert grid.buys == {}
    (problem,) = report.problems(grid.engine.risk)
    assert "liquidation: isolated margin: at level" in problem


def test_rules_are_read_again_after_a_refusal_and_the_grid_goes_on_with_them() -> None:
    """F23: a raised minimum is refused, read again soon after, and reported as what keeps entries away."""
    grid = bench().start()
    grid.venue.rules = replace(RULES, min_notional=Decimal(50))
    grid.venue.refuse = OrderRejected
    grid.move(1010)
    grid.wait(2)
    assert grid.engine.rules.min_notional == 50
    assert grid.buys == {}
    assert "order_quantity: 30 buys 0 BTC" in report.problems(grid.engine.risk)[0]


@pytest.mark.parametrize("change", [{"untradable_reason": "SETTLING"}, {"min_notional": Decimal(50)}])
def test_what_keeps_entries_away_ends_when_the_rules_are_as_before(change: dict[str, object]) -> None:
    """F44: without entries no refusal had the rules read, and a symbol that traded again stayed without any."""
    grid = bench().start()
    wanted = grid.buys
    grid.venue.rules = replace(RULES, **change)  # type: ignore[arg-type]
    grid.venue.refuse = OrderRejected
    grid.move(1010)
    for _ in range(90):
        grid.wait(1)
    assert grid.buys == {}
    grid.venue.rules, grid.venue.refuse = RULES, None
    grid.move(1000)
    for _ in range(90):
        grid.wait(1)
    assert grid.buys == wanted


def test_permanent_refusals_read_the_rules_at_most_once_a_minute() -> None:
    """F17: the queries that follow a refusal are limited, too."""
    refresh = RulesRefresh()
    reads = 0
    for now in range(3600):
        refresh.on_refusal(now)
        reads += refresh.take_due(now)
    assert 1 < reads <= 64
