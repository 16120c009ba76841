"""Parameters of the closed form from trades that were made with known ones."""

from __future__ import annotations

import math

import pytest

from opensqt.market_maker.strategy.calibration import calibrate


def made(arrivals: float, decay: float, *, windows: int = 4000) -> list[tuple[int, float]]:
    """One excursion a second whose reach has the distribution of the intensity, up and down in turns."""
    trades, time_ms = [(1, 1000.0)], 1
    for number in range(windows):
        share = ((number * 0.618033988749895) % 1.0) * 0.998 + 0.001
        reach = max(0.0, -math.log(-math.log(1 - share) / arrivals) / decay)
        trades += [(time_ms + 200, 1000.0 + reach), (time_ms + 400, 1000.0 - reach), (time_ms + 600, 1000.0)]
        time_ms += 1000
    return [*trades, (time_ms + 1000, 1000.5), (time_ms + 2000, 1000.0)]


@pytest.mark.parametrize(("arrivals", "decay"), [(1.5, 0.4), (0.6, 2.0)])
def test_arrivals_and_decay_are_those_that_the_trades_were_made_with(arrivals: float, decay: float) -> None:
    """Within five percent, from 4,000 windows."""
    found = calibrate(made(arrivals, decay))
    assert found.arrivals == pytest.approx(arrivals, rel=0.05)
    assert found.decay == pytest.approx(decay, rel=0.05)


def test_the_volatility_is_the_root_of_the_mean_square_of_one_second() -> None:
    """Steps of 1, 2 and 3 in turns, up and down: the root of 14 / 3."""
    price, trades = 1000.0, [(1, 1000.0)]
    for number in range(3000):
        price += (1 if (number // 3) % 2 else -1) * (number % 3 + 1)
        trades.append((number * 1000 + 900, price))
    assert calibrate(trades).volatility == pytest.approx(math.sqrt(14 / 3), rel=0.01)


def test_too_few_trades_are_refused_with_what_was_expected() -> None:
    with pytest.raises(ValueError, match="expected at least 20"):
        calibrate([(1, 1000.0), (1500, 1001.0), (2500, 1000.0)])


def test_a_price_that_does_not_move_has_no_parameters() -> None:
    with pytest.raises(ValueError, match="moved too little"):
        calibrate([(1 + number * 500, 1000.0) for number in range(100)])
