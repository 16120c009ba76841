"""What a venue's rules may be."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from opensqt.market_maker.orders.plausible import rules_defect
from tests.unit.market_maker.venue import RULES


@pytest.mark.parametrize("name", ["price_step", "quantity_step"])
@pytest.mark.parametrize("value", ["0", "-0.1", "NaN", "Infinity", "1E+30", "1E-30"])
def test_a_step_that_can_not_be_computed_with_is_not_taken(name: str, value: str) -> None:
    """F44: the former rules stay; a grid that rounded to such a step failed with an error of its arithmetic."""
    assert rules_defect(replace(RULES, **{name: Decimal(value)})).startswith(f"{name} {value}: expected ")


def test_rules_of_a_venue_have_no_defect() -> None:
    assert rules_defect(RULES) == ""
