"""The safety check, rule by rule, and the ladder."""

from __future__ import annotations

import io
from dataclasses import replace
from decimal import Decimal

import pytest
from rich.console import Console

from opensqt.market_maker.report import show
from opensqt.market_maker.risk.safety import (
    AccountInputs,
    GridRequirements,
    Rule,
    affordable_levels,
    check,
    ladder,
    round_trip,
)
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
