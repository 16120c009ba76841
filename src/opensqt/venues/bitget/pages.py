"""Bitget's answers that come page by page: orders, trades and candles."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from opensqt.model.market import INTERVALS_MS
from opensqt.venues.bitget.frames import INTERVALS
from opensqt.venues.transport.rest import Rest

Row = dict[str, Any]
_PAGE = 100
_RECENT_MS = 29 * 86_400_000
_RECENT_PAGE, _HISTORY_PAGE = 999, 199


class Pages:
    """Asks for pages.

    Args:
        rest: Sends the requests.
        now_ms: The venue's time.
    """

    def __init__(self, rest: Rest, now_ms: Callable[[], int]) -> None:
        self._rest = rest
        self._now_ms = now_ms

    async def all(
        self, endpoint: str, params: Row, name: str, id_field: str, symbol: str, *, newest_only: bool = False
    ) -> list[Row]:
        """Ask page by page, newest first, until one is not full."""
        rows: list[Row] = []
        query = params | {"limit": str(_PAGE)}
        while True:
            answer = await self._rest.send(endpoint, query, symbol=symbol)
            page = answer["data"].get(name) or []
            rows += page
            if newest_only or len(page) < _PAGE:
                return rows
            query["idLessThan"] = str(page[-1][id_field])

    async def candles(
        self, where: Row, interval: str, limit: int, start_ms: int | None, end_ms: int | None
    ) -> list[list[str]]:
        """Ask for the newest candles, or for those that open in a window, the oldest where it holds too many."""
        if start_ms is None and end_ms is None:
            return await self._candles(where, interval, {"limit": str(limit)})
        length_ms = INTERVALS_MS[interval]
        if start_ms is None:
            start_ms = (end_ms or 0) // length_ms * length_ms - (limit - 1) * length_ms
        first_ms = -(-start_ms // length_ms) * length_ms
        last_ms = first_ms + (limit - 1) * length_ms
        return await self._between(where, interval, first_ms, last_ms if end_ms is None else min(last_ms, end_ms))

    async def _between(self, where: Row, interval: str, first_ms: int, last_ms: int) -> list[list[str]]:
        """Ask for the candles that open from *first_ms* to *last_ms*; what is old comes from another endpoint."""
        length_ms = INTERVALS_MS[interval]
        recent = first_ms > self._now_ms() - _RECENT_MS
        size = _RECENT_PAGE if recent else _HISTORY_PAGE
        rows: list[list[str]] = []
        while first_ms <= last_ms:
            until_ms = min(first_ms + size * length_ms, last_ms + length_ms)
            window = {"startTime": str(first_ms), "endTime": str(until_ms), "limit": str(size + 1)}
            page = await self._candles(where, interval, window, recent=recent)
            rows += [row for row in page if first_ms <= int(row[0]) < until_ms]
            first_ms = until_ms
        return rows

    async def _candles(self, where: Row, interval: str, window: Row, *, recent: bool = True) -> list[list[str]]:
        endpoint = "publicMixGetV2MixMarketCandles" if recent else "publicMixGetV2MixMarketHistoryCandles"
        params = where | {"granularity": INTERVALS[interval], **window}
        answer = await self._rest.send(endpoint, params, symbol=where["symbol"])
        return sorted(answer["data"], key=lambda row: int(row[0]))
