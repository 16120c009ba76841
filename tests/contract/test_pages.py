"""What a connector serves page by page, over every implementation: the pages join to what one question returns."""

from __future__ import annotations

from opensqt.connector.rpc.fill_pages import FillPages
from opensqt.connector.rpc.kline_pages import Range, kline_page
from opensqt.model.order import Side
from opensqt.proto import gateway_service_pb2 as pb
from opensqt.testing.contract.bench import SYMBOL, Bench
from tests.support import eventually

MINUTE_MS = 60_000


class TestPages:
    async def test_candles_in_pages_are_those_of_the_range(self, bench: Bench) -> None:
        for _ in range(7):
            await bench.market.next_minute()
        ask = bench.exchange.get_historical_klines
        wanted = [one.open_time_ms for one in await ask(SYMBOL, "1m", limit=7)]
        # Begun between two candles, where a venue that counts a window from there would return one less.
        asked = Range(SYMBOL, "1m", wanted[0] - 2 * MINUTE_MS + 1, None)
        found, token, pages = [], "", 0
        while token or not pages:
            candles, token = await kline_page(ask, asked, size=3, token=token)
            found += [one.open_time_ms for one in candles]
            pages += 1
            assert pages < 20
        assert found[-7:] == wanted
        assert found == sorted(set(found))
        assert found[0] >= asked.start_ms

    async def test_fills_in_pages_are_those_of_the_list(self, bench: Bench) -> None:
        for side in (Side.BUY, Side.SELL, Side.BUY, Side.BUY):
            await bench.take(side)

        async def listed() -> list[str] | None:
            fills = await bench.exchange.list_fills(SYMBOL, since_ms=1)
            return [fill.trade_id for fill in fills] if len(fills) >= 4 else None

        wanted = await eventually(listed, what="4 fills")
        pages = FillPages(bench.exchange, kept_fills=0)
        found, token = [], ""
        while token or not found:
            request = pb.ListFillsRequest(symbol=SYMBOL, since_ms=1, page_size=1, page_token=token)
            answer = await pages.answer(request)
            found += [fill.trade_id for fill in answer.fills]
            token = answer.next_page_token
            assert len(found) <= len(wanted)
        assert found == wanted
