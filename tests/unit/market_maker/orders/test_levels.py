"""The sorted set of levels."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from opensqt.market_maker.orders.levels import LevelSet

levels = st.integers(-30, 30)
changes = st.lists(st.tuples(st.booleans(), levels), max_size=60)


@given(changes, levels, levels)
def test_it_holds_what_a_set_holds_in_the_order_of_a_range(done: list[tuple[bool, int]], start: int, stop: int) -> None:
    """F5: no level is lost, listed twice or out of order, whatever is added and removed."""
    expected: set[int] = set()
    found = LevelSet()
    for adds, level in done:
        (expected.add if adds else expected.discard)(level)
        (found.add if adds else found.discard)(level)
        assert (level in found) is adds
    assert list(found) == sorted(expected)
    assert len(found) == len(expected)
    for span in (range(start, stop), range(start, stop, -1)):
        assert list(found.within(span)) == [level for level in span if level in expected]
