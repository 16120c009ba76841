"""Messages are compared without their times."""

from __future__ import annotations

from dataclasses import fields, replace
from decimal import Decimal

import pytest

from opensqt.model.content import without_times
from opensqt.model.market import Price

PRICE = Price(symbol="BTCUSDT", bid=Decimal("1.0"), ask=Decimal(2), event_time_ms=5, received_ns=6)
key_of = without_times(Price)


def test_times_are_not_part_of_the_content() -> None:
    assert key_of(replace(PRICE, event_time_ms=50, received_ns=60)) == key_of(PRICE)


def test_numbers_of_the_same_value_are_the_same_content() -> None:
    assert key_of(replace(PRICE, bid=Decimal("1.00"))) == key_of(PRICE)


@pytest.mark.parametrize("name", [f.name for f in fields(Price) if f.name not in ("event_time_ms", "received_ns")])
def test_every_other_field_is(name: str) -> None:
    changed = "ETHUSDT" if name == "symbol" else Decimal(99)
    assert key_of(replace(PRICE, **{name: changed})) != key_of(PRICE)
