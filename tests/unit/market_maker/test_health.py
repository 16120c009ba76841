"""Which of the exchange's problems are a grid's."""

from __future__ import annotations

import pytest

from opensqt.market_maker.health import venue_problems
from opensqt.model.venue import Check, ExchangeStatus


@pytest.mark.parametrize(
    ("name", "is_reported"),
    [
        ("venue", True),
        ("private_stream", True),
        ("task:watchdog", True),
        ("market_data:price:BTCUSDT", True),
        ("market_data:kline:BTCUSDT:5m", True),
        ("market_data:price:ETHUSDT", False),
        ("market_data:mark_price:XRPUSDT", False),
        ("task:order_book:XRPUSDT:20", False),
        ("task:fill gap price:XRPUSDT", False),
        ("market_data:kline:XRPUSDT:1m", False),
        ("market_data:kline:ETHUSDT:1m", True),
    ],
)
def test_a_stalled_stream_is_a_problem_of_its_own_symbol(name: str, is_reported: bool) -> None:
    """F43: a suspended symbol stalls; the grids of the others, whose streams deliver, are healthy and stay so."""
    checks = (Check(name=name, ok=False, reason="no data"), Check(name="clock", ok=True))
    found = venue_problems(ExchangeStatus(checks=checks), "BTCUSDT", ("BTCUSDT", "ETHUSDT"))
    assert found == ([f"{name}: no data"] if is_reported else [])
