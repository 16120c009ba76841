"""The safety check, rule by rule, and the ladder."""

from __future__ import annotations

import io
from dataclasses import replace
from decimal import Decimal

import pytest
from rich.console import Console

from opensqt.market_maker.report import show
from opensqt.market_maker.risk.ladder import AccountInputs, GridRequirements, ladder
from opensqt.market_maker.risk.safety import Guard, Rule, affordable_levels, broken_rules, check, round_trip
from opensqt.model.account import MarginMode
from tests.unit.market_maker.venue import RULES

INPUTS = AccountInputs(
    price=Decimal(1000),
    available=Decimal(1000),
    leverage=Decimal(10),
    fee_rate=Decimal("0.0002"),
    held_levels=0,
)
REQUIREMENTS = GridRequirements(
    interval=Decimal(10), order_quantity=Decimal(30), min_order_value=Decimal(6), levels=100
)


def broken(inputs: AccountInputs = INPUTS, requirements: GridRequirements = REQUIREMENTS) -> list[Rule]:
    return [rule for rule in check(inputs, requirements, RULES) if not rule.passed]


def test_a_sound_account_passes() -> None:
    assert broken() == []


@pytest.mark.parametrize(
    ("changes", "name", "number"),
    [
        ({"available": Decimal(0)}, "available balance", "0 USDT"),
        ({"leverage": Decimal(11)}, "leverage", "11, expected at most 10"),
        ({"leverage": None}, "leverage", "not reported by the venue, so set it (exchange.leverage"),
        ({"available": Decimal(300)}, "levels", "carries 80 levels"),
        ({"fee_rate": Decimal("0.005")}, "round trip", "-0.05 USDT"),
        ({"price": Decimal(40_000)}, "order_quantity", "expected at least 40 USDT"),
    ],
)
def test_a_broken_rule_is_returned_with_its_numbers(changes: dict[str, Decimal | None], name: str, number: str) -> None:
    details = {rule.name: rule.detail for rule in broken(replace(INPUTS, **changes))}
    assert number in details[name]


def test_an_interval_off_the_price_step_is_broken() -> None:
    assert [rule.name for rule in broken(requirements=replace(REQUIREMENTS, interval=Decimal("0.25")))] == [
        "price_interval",
        "round trip",
    ]


def test_levels_carried_are_what_is_held_and_four_fifths_of_the_balance_at_leverage() -> None:
    assert affordable_levels(replace(INPUTS, held_levels=3), REQUIREMENTS) == 3 + 266


def test_a_round_trip_pays_the_interval_less_the_fees_of_both_sides() -> None:
    assert round_trip(Decimal(1000), Decimal(10), Decimal("0.0002")) == Decimal(10) - Decimal("0.402")


def test_the_ladder_adds_up_level_by_level() -> None:
    ladder_levels = ladder(INPUTS, replace(REQUIREMENTS, levels=3), RULES)
    assert [(row.price, row.quantity) for row in ladder_levels] == [
        (990, Decimal("0.030")),
        (980, Decimal("0.030")),
        (970, Decimal("0.030")),
    ]
    last = ladder_levels[-1]
    assert (last.position, last.average_price, last.loss) == (Decimal("0.090"), 980, Decimal("-0.900"))
    assert last.margin == Decimal("0.090") * 970 / 10


def test_at_the_liquidation_price_only_the_maintenance_margin_is_left() -> None:
    poor = replace(INPUTS, available=Decimal(20))
    last = ladder(poor, replace(REQUIREMENTS, levels=20), RULES)[-1]
    assert last.liquidation_price is not None
    equity = poor.available + last.position * (last.liquidation_price - last.average_price)
    assert abs(equity - Decimal("0.005") * last.position * last.liquidation_price) < Decimal("1e-20")


def test_an_account_that_outlives_a_price_of_zero_has_no_liquidation_price() -> None:
    assert ladder(replace(INPUTS, available=Decimal(10**6)), REQUIREMENTS, RULES)[-1].liquidation_price is None


def test_the_report_shows_every_level_and_every_rule() -> None:
    output = io.StringIO()
    ladder_levels = ladder(INPUTS, REQUIREMENTS, RULES)
    show(
        Console(file=output, width=150), INPUTS, REQUIREMENTS, RULES, check(INPUTS, REQUIREMENTS, RULES), ladder_levels
    )
    text = output.getvalue()
    assert len(ladder_levels) == 99, "a level at a price of zero buys nothing"
    assert all(f"{row.price:f}" in text for row in ladder_levels)
    assert all(rule.name in text for rule in check(INPUTS, REQUIREMENTS, RULES))


def test_isolated_margin_is_liquidated_by_the_position_s_own_margin_whatever_the_account_has() -> None:
    """At the liquidation price the position has lost its margin but for the maintenance, all others untouched."""
    isolated = replace(INPUTS, margin_mode=MarginMode.ISOLATED, available=Decimal(10**6))
    last = ladder(isolated, replace(REQUIREMENTS, levels=3), RULES)[-1]
    assert last.liquidation_price is not None
    own = last.position * last.average_price / 10
    left = own + last.position * (last.liquidation_price - last.average_price)
    assert abs(left - Decimal("0.005") * last.position * last.liquidation_price) < Decimal("1e-20")
    assert abs(last.liquidation_price - last.average_price * Decimal("0.9") / Decimal("0.995")) < Decimal("1e-20")


def test_an_isolated_grid_that_is_liquidated_within_its_ladder_is_refused_and_a_short_one_is_not() -> None:
    """10x isolated outlives 10 %: 20 levels of 1 % don't fit into that, 5 do."""
    isolated = replace(INPUTS, margin_mode=MarginMode.ISOLATED)
    (rule,) = broken(isolated, replace(REQUIREMENTS, levels=20))
    assert rule.name == "liquidation"
    assert "isolated margin: at level 19 (810)" in rule.detail
    assert broken(isolated, replace(REQUIREMENTS, levels=5)) == []


def test_the_ladder_begins_with_what_is_held() -> None:
    """F41: what is held counts into every level below, and only the levels that are left are added."""
    holding = replace(INPUTS, held=Decimal(1), entry_price=Decimal(1100), held_levels=2, equity=Decimal(900))
    rows = ladder(holding, replace(REQUIREMENTS, levels=5), RULES)
    assert [row.level for row in rows] == [0, 1, 2, 3]
    assert (rows[0].position, rows[0].average_price, rows[0].loss) == (1, 1100, -100)
    assert rows[1].position == Decimal("1.030")
    first = rows[1].liquidation_price
    assert first is not None
    equity = Decimal(900) + (first - 1000) + Decimal("0.030") * (first - 990)
    assert abs(equity - Decimal("0.005") * rows[1].position * first) < Decimal("1e-20")


def test_the_liquidation_price_of_what_is_held_is_the_venue_s_own() -> None:
    """Margin added by hand to an isolated position is in the venue's price, and in every level that follows."""
    isolated = replace(
        INPUTS,
        margin_mode=MarginMode.ISOLATED,
        held=Decimal(1),
        entry_price=Decimal(1000),
        held_levels=1,
        liquidation_price=Decimal(500),
    )
    rows = ladder(isolated, replace(REQUIREMENTS, levels=2), RULES)
    assert rows[0].liquidation_price == 500
    own = Decimal(1000) - 500 * Decimal("0.995") + Decimal("0.030") * 990 / 10
    spent = Decimal(1000) + Decimal("0.030") * 990
    expected = (spent - own) / (rows[1].position * Decimal("0.995"))
    assert rows[1].liquidation_price is not None
    assert abs(rows[1].liquidation_price - expected) < Decimal("1e-20")


def test_only_a_price_interval_off_the_step_makes_every_order_impossible() -> None:
    """F41: all other rules guard entries."""
    poor = replace(INPUTS, available=Decimal(0), leverage=None, price=Decimal(40_000), fee_rate=Decimal("0.005"))
    rules = check(poor, replace(REQUIREMENTS, interval=Decimal("0.25")), replace(RULES, untradable_reason="SETTLING"))
    assert [rule.name for rule in broken_rules(rules, Guard.ORDERS)] == ["price_interval"]
    assert {rule.name for rule in broken_rules(rules, Guard.ENTRIES)} == {
        "symbol",
        "available balance",
        "leverage",
        "order_quantity",
        "levels",
        "round trip",
    }
