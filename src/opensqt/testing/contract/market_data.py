"""Latest prices and historical candles."""

from __future__ import annotations

import pytest

from opensqt.model.errors import InvalidRequest, UnknownSymbol
from opensqt.testing.contract.bench import SYMBOL, Bench
from opensqt.testing.contract.wait import eventually

MINUTE_MS = 60_000


class TestLatestPrice:
    async def test_the_bid_is_below_the_ask_and_both_are_on_the_step(self, bench: Bench) -> None:
        price = await bench.exchange.get_latest_price(SYMBOL)
        assert 0 < price.bid < price.ask
        assert price.bid % bench.rules.price_step == price.ask % bench.rules.price_step == 0
        assert price.symbol == SYMBOL

    async def test_it_follows_the_market(self, bench: Bench) -> None:
        before = await bench.exchange.get_latest_price(SYMBOL)
        await bench.market.tick()

        async def changed() -> bool:
            now = await bench.exchange.get_latest_price(SYMBOL)
            return (now.bid, now.ask, now.bid_quantity, now.ask_quantity) != (
                before.bid,
                before.ask,
                before.bid_quantity,
                before.ask_quantity,
            )

        await eventually(changed, what="another price")

    async def test_an_unknown_symbol_is_refused(self, bench: Bench) -> None:
        with pytest.raises(UnknownSymbol):
            await bench.exchange.get_latest_price("NOPEUSDT")


class TestHistoricalKlines:
    async def test_they_are_whole_intervals_oldest_first(self, bench: Bench) -> None:
        for _ in range(3):
            await bench.market.next_minute()
        candles = await bench.exchange.get_historical_klines(SYMBOL, "1m", limit=3)
        times = [candle.open_time_ms for candle in candles]
        assert times == [times[0] + place * MINUTE_MS for place in range(3)]
        assert times[0] % MINUTE_MS == 0
        assert {(candle.symbol, candle.interval) for candle in candles} == {(SYMBOL, "1m")}

    async def test_each_holds_its_own_extremes(self, bench: Bench) -> None:
        await bench.market.next_minute()
        for candle in await bench.exchange.get_historical_klines(SYMBOL, "1m"):
            assert candle.low <= min(candle.open, candle.close) <= max(candle.open, candle.close) <= candle.high

    async def test_all_but_the_last_are_closed(self, bench: Bench) -> None:
        for _ in range(2):
            await bench.market.next_minute()
        *past, last = await bench.exchange.get_historical_klines(SYMBOL, "1m", limit=3)
        assert [candle.closed for candle in past] == [True, True]
        assert not last.closed

    async def test_a_window_holds_what_opens_in_it(self, bench: Bench) -> None:
        for _ in range(3):
            await bench.market.next_minute()
        first, second, *_ = await bench.exchange.get_historical_klines(SYMBOL, "1m", limit=4)
        window = await bench.exchange.get_historical_klines(
            SYMBOL, "1m", start_ms=first.open_time_ms, end_ms=second.open_time_ms
        )
        assert [candle.open_time_ms for candle in window] == [first.open_time_ms, second.open_time_ms]

    async def test_a_start_and_a_limit_give_the_first_ones(self, bench: Bench) -> None:
        for _ in range(3):
            await bench.market.next_minute()
        first, *_ = await bench.exchange.get_historical_klines(SYMBOL, "1m", limit=4)
        two = await bench.exchange.get_historical_klines(SYMBOL, "1m", start_ms=first.open_time_ms, limit=2)
        assert [candle.open_time_ms for candle in two] == [first.open_time_ms, first.open_time_ms + MINUTE_MS]

    @pytest.mark.parametrize("limit", [0, 1001])
    async def test_a_limit_outside_1_to_1000_is_refused(self, bench: Bench, limit: int) -> None:
        with pytest.raises(InvalidRequest, match=f"limit {limit}"):
            await bench.exchange.get_historical_klines(SYMBOL, "1m", limit=limit)

    async def test_an_unknown_interval_is_refused(self, bench: Bench) -> None:
        with pytest.raises(InvalidRequest, match="interval"):
            await bench.exchange.get_historical_klines(SYMBOL, "7m")

    async def test_an_unknown_symbol_is_refused(self, bench: Bench) -> None:
        with pytest.raises(UnknownSymbol):
            await bench.exchange.get_historical_klines("NOPEUSDT", "1m")
