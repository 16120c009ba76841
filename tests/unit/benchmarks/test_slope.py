"""A soak fails for what grows, and for nothing else."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from benchmarks.soak.slope import Allowance, judge, mann_kendall, theil_sen

Points = list[tuple[float, float]]
_MB = Allowance(5.0)


def series(count: int, value: Callable[[int, random.Random], float], seed: int = 7) -> Points:
    """Make a series of *count* seconds from a function of the time and of chance."""
    chance = random.Random(seed)
    return [(float(at), value(at, chance)) for at in range(count)]


@pytest.mark.parametrize("seed", range(20))
def test_noise_around_a_level_is_flat(seed: int) -> None:
    assert judge("memory", "MB", series(600, lambda at, chance: 150 + chance.gauss(0, 3), seed), _MB).flat


@pytest.mark.parametrize("seed", range(20))
def test_a_leak_under_noise_is_seen(seed: int) -> None:
    """F27: 1 MB a minute under noise of 3 MB."""
    leaking = series(600, lambda at, chance: 150 + at / 60 + chance.gauss(0, 3), seed)
    assert not judge("memory", "MB", leaking, _MB).flat


def test_what_fills_up_first_and_then_stays_is_flat() -> None:
    """Caches fill in the warm-up, which is cut off."""
    assert judge("memory", "MB", series(600, lambda at, chance: 100 + min(at, 120) + chance.random()), _MB).flat


def test_one_step_of_the_allocator_is_flat() -> None:
    assert judge("memory", "MB", series(600, lambda at, _: 150 if at < 300 else 154), _MB).flat


def test_spikes_don_t_make_a_slope() -> None:
    spiky = series(600, lambda at, _: 400 if at % 50 == 49 else 150)
    assert judge("memory", "MB", spiky, _MB).flat


def test_growth_that_is_sure_but_small_is_allowed() -> None:
    assert judge("memory", "MB", series(600, lambda at, _: 150 + at / 200), _MB).flat


def test_a_larger_share_of_the_median_is_allowed_where_one_is_given() -> None:
    growing = series(600, lambda at, _: 20 + at / 100)
    assert judge("p50", "ms", growing, Allowance(1.0, share=0.5)).flat
    assert not judge("p50", "ms", growing, Allowance(1.0)).flat


def test_a_run_that_is_too_short_is_refused() -> None:
    rising = series(9, lambda at, _: 100 * at)
    with pytest.raises(ValueError, match="9 samples are too few"):
        judge("memory", "MB", rising, _MB)
    assert not judge("memory", "MB", series(10, lambda at, _: 100 * at), _MB).flat


def test_a_day_of_samples_is_judged_as_its_thinned_self() -> None:
    day = series(20_000, lambda at, chance: 150 + at / 2_000 + chance.gauss(0, 1))
    trend = judge("memory", "MB", day, _MB)
    assert not trend.flat
    assert trend.growth == pytest.approx(7.5, rel=0.05)


def test_the_slope_is_the_median_of_all_pairs() -> None:
    # Slopes of the pairs: 1, 1, 1, 10, 14.5, 28.
    assert theil_sen([(0, 0), (1, 1), (2, 2), (3, 30)]) == 5.5
    assert theil_sen([(0, 5), (10, 5), (20, 5)]) == 0


def test_the_trend_of_a_constant_is_nothing_and_of_a_rise_is_sure() -> None:
    assert mann_kendall([(at, 3) for at in range(50)]) == 0
    assert mann_kendall([(at, at) for at in range(50)]) > 9
    assert mann_kendall([(at, -at) for at in range(50)]) < -9
