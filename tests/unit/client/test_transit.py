"""How long a response was on its way is known although the two clocks do not agree."""

from __future__ import annotations

import pytest

from opensqt.client.transit import Transit

SECOND = 10**9


@pytest.mark.parametrize("apart_s", [0, 3600, -86_400])
def test_a_response_that_was_held_up_is_late_whatever_the_clocks_say(apart_s: int) -> None:
    transit = Transit()
    assert transit.delay_ns(0, apart_s * SECOND) == 0
    assert transit.delay_ns(1 * SECOND, (apart_s + 21) * SECOND) == 20 * SECOND
    assert transit.delay_ns(22 * SECOND, (apart_s + 22) * SECOND) == 0


def test_the_fastest_way_counts_as_no_time() -> None:
    transit = Transit()
    transit.delay_ns(0, 5)
    assert transit.delay_ns(100, 102) == 0
    assert transit.delay_ns(200, 205) == 3


def test_clocks_that_drift_apart_do_not_look_like_a_delay_for_ever() -> None:
    transit, drift = Transit(), 10**6
    late = [transit.delay_ns(number * SECOND, number * (SECOND + drift)) for number in range(3600)]
    assert max(late) <= 130 * drift


def test_a_delay_longer_than_the_memory_of_the_clocks_is_seen() -> None:
    transit = Transit()
    transit.delay_ns(0, 0)
    assert transit.delay_ns(1 * SECOND, 601 * SECOND) == 600 * SECOND
