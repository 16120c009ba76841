"""Client order ids name their slot."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensqt.market_maker.orders.ids import OrderIds, SlotName
from opensqt.model.client_order_id import is_valid
from opensqt.model.order import Side

IDS = OrderIds("SQ1", "BTCUSDT")
symbols = st.from_regex(r"[A-Z0-9]{1,9}USDT", fullmatch=True)


@given(symbols, st.integers(-100_000, 100_000), st.sampled_from(Side), st.integers(1, 62**7 - 1))
def test_an_id_is_read_back_and_fits_every_venue(symbol: str, level: int, side: Side, sequence: int) -> None:
    """F22: letters and digits, 28 at most, round trip."""
    ids = OrderIds("SQ1", symbol)
    made = ids.make(level, side, sequence)
    assert is_valid(made, max_length=28)
    assert ids.read(made) == SlotName(level=level, side=side, sequence=sequence)


@given(st.text(max_size=30))
def test_no_text_makes_reading_fail(text: str) -> None:
    IDS.read(text)
    IDS.read("SQ1" + text)


@pytest.mark.parametrize("foreign", ["", "x-abc", "SQ2B153BTC5", "SQ1B153ETH5", "SQ1X153BTC5", "SQ1B153BTC", "SQ1B9"])
def test_an_id_that_is_not_ours_is_not_read(foreign: str) -> None:
    """F30: only own orders may ever be touched."""
    assert IDS.read(foreign) is None


def test_an_id_that_no_venue_would_take_is_not_made() -> None:
    with pytest.raises(ValueError, match="at most 28"):
        OrderIds("SQ1", "A" * 30).make(1, Side.BUY, 1)
