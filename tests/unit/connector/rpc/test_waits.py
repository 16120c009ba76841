"""How long an order call waits for its outcome within its caller's deadline."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensqt.connector.rpc.exchange_service import wait_within
from opensqt.model.errors import Unreachable


@given(st.floats(min_value=1e-6, max_value=1e6))
def test_the_wait_ends_before_the_caller_does_and_is_never_nothing(remaining_s: float) -> None:
    assert 0 < wait_within(remaining_s) < remaining_s


def test_a_caller_with_time_is_answered_a_quarter_of_a_second_before_its_deadline() -> None:
    assert wait_within(10) == 9.75


def test_a_caller_in_a_hurry_gets_half_of_its_deadline() -> None:
    assert wait_within(0.05) == 0.025


@pytest.mark.parametrize("remaining_s", [0.0, -1.0])
def test_no_order_is_begun_for_a_caller_who_has_gone(remaining_s: float) -> None:
    """F1: an order is never sent twice, nor lost from sight, when a reply is lost."""
    with pytest.raises(Unreachable, match="nothing was sent"):
        wait_within(remaining_s)
