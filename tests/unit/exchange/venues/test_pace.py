"""Requests to a limited endpoint wait their turn; the others go at once."""

from __future__ import annotations

from opensqt.exchange.venues.pace import Pace


def test_no_period_holds_more_requests_than_the_limit() -> None:
    """F16."""
    pace = Pace({"orders": 3}, period_s=1.0, clock_s=lambda: 100.0)
    waits = [pace.book("orders") for _ in range(7)]
    assert waits == [0, 0, 0, 1, 1, 1, 2]


def test_a_turn_that_is_long_past_frees_its_place() -> None:
    now = [100.0]
    pace = Pace({"orders": 1}, period_s=1.0, clock_s=lambda: now[0])
    assert pace.book("orders") == 0
    now[0] = 100.4
    assert round(pace.book("orders"), 6) == 0.6
    now[0] = 105.0
    assert pace.book("orders") == 0


def test_endpoints_do_not_wait_for_each_other_nor_for_no_limit() -> None:
    """F16: a cancel is not held up by queries."""
    pace = Pace({"orders": 1, "cancels": 1}, period_s=1.0, clock_s=lambda: 100.0)
    assert [pace.book("orders"), pace.book("cancels"), pace.book("time"), pace.book("time")] == [0, 0, 0, 0]


def test_a_limit_that_the_venue_tells_counts_from_then_on() -> None:
    """F16."""
    pace = Pace({"orders": 2}, period_s=1.0, clock_s=lambda: 100.0)
    assert [pace.book("orders") for _ in range(3)] == [0, 0, 1]
    pace.allow("orders", 5)
    assert [pace.book("orders") for _ in range(4)] == [0, 0, 0, 1]
    pace.allow("orders", 1)
    assert pace.book("orders") == 2
    pace.allow("time", 1)
    assert [pace.book("time") for _ in range(3)] == [0, 0, 0]
