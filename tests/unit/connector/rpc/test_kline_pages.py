"""Candles page by page: none lost, none twice, on venues that answer the first that exist and on those that answer a
window."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opensqt.connector.rpc.kline_pages import Range, kline_page
from opensqt.model.errors import InvalidRequest
from opensqt.model.market import Candle

MINUTE = 60_000


def candle(minute: int) -> Candle:
    one = Decimal(1)
    return Candle(
        symbol="BTCUSDT",
        interval="1m",
        open_time_ms=minute * MINUTE,
        open=one,
        high=one,
        low=one,
        close=one,
        volume=one,
    )


class Venue:
    """Candles at some minutes: of a window of *limit* minutes where *windows* is set, else the next that exist."""

    def __init__(self, *minutes: int, windows: bool = False) -> None:
        self.minutes = list(minutes)
        self.windows = windows
        self.asked = 0

    async def get_historical_klines(
        self,
        _symbol: str,
        _interval: str,
        *,
        limit: int = 100,
        start_ms: int | None = None,
        end_ms: int | None = None,
    ) -> list[Candle]:
        self.asked += 1
        if start_ms is None:
            return [candle(minute) for minute in self.minutes][-limit:]
        last_ms = start_ms + (limit - 1) * MINUTE if self.windows else 10**15
        if end_ms is not None:
            last_ms = min(last_ms, end_ms)
        found = [candle(minute) for minute in self.minutes if start_ms <= minute * MINUTE <= last_ms]
        return found[:limit]


async def read_all(venue: Venue, size: int, start_ms: int, end_ms: int | None = None) -> list[list[int]]:
    found, token = [], ""
    asked = Range("BTCUSDT", "1m", start_ms, end_ms)
    while True:
        candles, token = await kline_page(venue.get_historical_klines, asked, size=size, token=token)
        found.append([one.open_time_ms // MINUTE for one in candles])
        if not token:
            return found
        assert len(found) < 200


@pytest.mark.parametrize("windows", [False, True])
async def test_pages_join_to_the_whole_range(windows: bool) -> None:
    venue = Venue(*range(10, 15), windows=windows)
    assert await read_all(venue, 2, 10 * MINUTE) == [[10, 11], [12, 13], [14]]


@pytest.mark.parametrize("windows", [False, True])
async def test_a_range_ends_at_its_end_and_at_the_newest_candle(windows: bool) -> None:
    venue = Venue(*range(10, 15), windows=windows)
    assert await read_all(venue, 3, 11 * MINUTE, 12 * MINUTE) == [[11, 12]]
    assert await read_all(venue, 3, 13 * MINUTE, 10**12) == [[13, 14]]
    assert await read_all(venue, 3, 15 * MINUTE) == [[]]
    assert await read_all(Venue(windows=windows), 3, 0) == [[]]


async def test_candles_that_open_between_two_pages_do_not_make_a_series_endless() -> None:
    venue = Venue(1, 2, 3, 4)
    first, token = await kline_page(venue.get_historical_klines, Range("BTCUSDT", "1m", 0, None), size=2, token="")
    venue.minutes += [5, 6, 7]
    last, ended = await kline_page(venue.get_historical_klines, Range("BTCUSDT", "1m", 0, None), size=2, token=token)
    assert [one.open_time_ms // MINUTE for one in (*first, *last)] == [1, 2, 3, 4]
    assert not ended


@given(
    minutes=st.sets(st.integers(0, 60), min_size=1, max_size=40).map(sorted),
    size=st.integers(1, 12),
    start_ms=st.integers(0, 61 * MINUTE),
    end_minute=st.none() | st.integers(0, 70),
    windows=st.booleans(),
)
@settings(max_examples=300)
def test_no_candle_is_lost_or_doubled_whatever_is_missing_at_the_venue(
    minutes: list[int], size: int, start_ms: int, end_minute: int | None, windows: bool
) -> None:
    """Holes in the venue's candles, a start between two minutes, pages of any size."""
    end_ms = None if end_minute is None else end_minute * MINUTE
    last_ms = minutes[-1] * MINUTE if end_ms is None else min(end_ms, minutes[-1] * MINUTE)
    found = asyncio.run(read_all(Venue(*minutes, windows=windows), size, start_ms, end_ms))
    wanted = [minute for minute in minutes if start_ms <= minute * MINUTE <= last_ms]
    assert [minute for page in found for minute in page] == wanted
    assert all(len(page) <= size for page in found)


async def test_a_token_of_another_range_is_refused() -> None:
    venue = Venue(1, 2, 3, 4)
    _, token = await kline_page(venue.get_historical_klines, Range("BTCUSDT", "1m", 0, None), size=2, token="")
    for other in (Range("BTCUSDT", "1m", 1, None), Range("BTCUSDT", "1m", 0, 9), Range("ETHUSDT", "1m", 0, None)):
        with pytest.raises(InvalidRequest, match=r"page_token .*: expected next_page_token"):
            await kline_page(venue.get_historical_klines, other, size=2, token=token)
