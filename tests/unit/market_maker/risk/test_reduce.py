"""Automatic reduction: which levels, when, and for how long."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from opensqt.market_maker.risk.reduce import AutoReduce
from opensqt.market_maker.risk.settings import ReduceLimits

SETTINGS = ReduceLimits(share=Decimal("0.25"), above=Decimal("0.9"), every_s=60)
HELD = [5, 4, 3, 2, 1]


def reduced(made: AutoReduce, held: Sequence[int] = HELD, *, used: str = "0.95", at_s: int = 0) -> tuple[int, ...]:
    made.update(held, Decimal(used), "exposure_limit 100", at_s * 1000)
    return made.levels


def test_it_is_off_until_asked_for() -> None:
    assert reduced(AutoReduce(ReduceLimits())) == ()


def test_a_share_of_the_oldest_levels_is_chosen_and_the_plan_is_reported() -> None:
    made = AutoReduce(SETTINGS)
    assert reduced(made, used="0.89") == ()
    assert reduced(made) == (5, 4), "a quarter of 5, rounded up"
    assert made.reason == (
        "the 2 oldest of 5 held levels (5, 4) are offered at the touch: 95% of exposure_limit 100 is used"
    )


def test_a_choice_stays_until_its_levels_are_empty_and_the_next_one_waits_for_its_time() -> None:
    made = AutoReduce(SETTINGS)
    reduced(made)
    assert reduced(made, [5, 3, 2, 1], used="0.5", at_s=30) == (5,)
    assert reduced(made, [3, 2, 1], at_s=40) == ()
    assert made.reason == ""
    assert reduced(made, [3, 2, 1], at_s=59) == ()
    assert reduced(made, [3, 2, 1], at_s=60) == (3,)


def test_age_is_the_first_fill_of_a_level_and_unknown_ages_come_first_by_distance() -> None:
    made = AutoReduce(SETTINGS)
    made.on_fill(1, holds=True, time_ms=100)
    made.on_fill(2, holds=True, time_ms=200)
    made.on_fill(1, holds=True, time_ms=300)
    distance = {level: Decimal(level) for level in (1, 2, 3, 4)}
    assert made.oldest_first([1, 2, 3, 4], distance) == [4, 3, 1, 2]
    made.on_fill(1, holds=False, time_ms=400)
    made.on_fill(1, holds=True, time_ms=500)
    assert made.oldest_first([1, 2], distance) == [2, 1]


def test_choice_time_and_ages_survive_a_restart() -> None:
    made = AutoReduce(SETTINGS)
    made.on_fill(2, holds=True, time_ms=100)
    made.on_fill(1, holds=True, time_ms=200)
    reduced(made)
    again = AutoReduce(SETTINGS)
    again.restore(made.stored())
    assert (again.levels, again.reason) == (made.levels, made.reason)
    assert again.oldest_first([1, 2], {1: Decimal(9), 2: Decimal(1)}) == [2, 1]
    assert reduced(again, [3], at_s=59) == ()
