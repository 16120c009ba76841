"""What two messages tell is compared without when they told it."""

from __future__ import annotations

from dataclasses import fields, replace
from decimal import Decimal

import pytest

from opensqt.model.content import without_times
from opensqt.model.market import Price

PRICE = Price(symbol="BTCUSDT", bid=Decimal("1.0"), ask=Decimal(2), event_time_ms=5, received_ns=6)
told = without_times(Price)


def test_when_a_message_was_told_is_not_its_content() -> None:
    assert told(replace(PRICE, event_time_ms=50, received_ns=60)) == told(PRICE)


def test_numbers_of_the_same_value_are_the_same_content() -> None:
    assert told(replace(PRICE, bid=Decimal("1.00"))) == told(PRICE)


@pytest.mark.parametrize("name", [f.name for f in fields(Price) if f.name not in ("event_time_ms", "received_ns")])
def test_every_other_field_is(name: str) -> None:
    changed = "ETHUSDT" if name == "symbol" else Decimal(99)
    assert told(replace(PRICE, **{name: changed})) != told(PRICE)
