"""Client order ids that every venue takes."""

from __future__ import annotations

import re

import pytest

from opensqt.model import client_order_id


def test_ids_are_unique_and_valid_everywhere(large: bool) -> None:
    """F22: a client order id keeps the venue's rule and comes back unchanged."""
    count = 1_000_000 if large else 20_000
    made = {client_order_id.new("grid") for _ in range(count)}
    assert len(made) == count
    assert all(re.fullmatch(r"[A-Za-z0-9]{1,28}", one) for one in made)


@pytest.mark.parametrize("name", ["a", "A" * 32, "0z9"])
def test_letters_and_digits_up_to_32_are_valid(name: str) -> None:
    assert client_order_id.is_valid(name)


@pytest.mark.parametrize("name", ["", "a" * 33, "a-b", "a_b", "ä", "a b", "a\n", "\u0661"])
def test_anything_else_is_not(name: str) -> None:
    """F22: a client order id keeps the venue's rule and comes back unchanged."""
    assert not client_order_id.is_valid(name)


def test_a_venue_may_take_fewer() -> None:
    assert not client_order_id.is_valid("a" * 29, max_length=28)


@pytest.mark.parametrize("prefix", ["too-long-prefix", "a_b", "abcdefghi"])
def test_a_prefix_that_spoils_the_id_is_refused(prefix: str) -> None:
    with pytest.raises(ValueError, match="prefix"):
        client_order_id.new(prefix)


@pytest.mark.parametrize(("number", "text"), [(0, "0"), (61, "z"), (62, "10"), (3843, "zz")])
def test_numbers_are_written_in_base_62(number: int, text: str) -> None:
    assert client_order_id.base62(number) == text


def test_a_negative_number_is_refused() -> None:
    with pytest.raises(ValueError, match="-1"):
        client_order_id.base62(-1)
