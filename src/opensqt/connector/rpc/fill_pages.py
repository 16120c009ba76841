"""ListFills page by page: the venue is asked once for a series of pages, and again only where its fills are gone."""

from __future__ import annotations

import asyncio
import secrets
from bisect import bisect_left
from collections.abc import Collection, Sequence

from opensqt.connector.rpc import page_token
from opensqt.model.exchange import Exchange
from opensqt.model.order import Fill
from opensqt.proto import gateway_service_pb2 as pb
from opensqt.wire import codec


class FillPages:
    """Answers `ListFills`.

    Venues return trades newest first, or by windows of time, so that the first page takes as many requests as all of
    them. The fills of a series are therefore kept for its next pages. A token also names the fills that were returned
    last, so that the venue can be asked from there on when they are not kept any more.

    Args:
        exchange: Asks the venue.
        keep_s: How long the fills of a series are kept.
        kept_fills: How many are kept for all series together; the oldest series goes first.
    """

    def __init__(self, exchange: Exchange, *, keep_s: float = 60.0, kept_fills: int = 50_000) -> None:
        self._exchange = exchange
        self._keep_s = keep_s
        self._most = kept_fills
        self._series: dict[page_token.Asked, Sequence[Fill]] = {}

    @property
    def kept(self) -> int:
        """How many fills are kept for pages to come."""
        return sum(map(len, self._series.values()))

    async def answer(self, request: pb.ListFillsRequest) -> pb.ListFillsResponse:
        """Return one page, or all fills where no page size is given.

        Raises:
            InvalidRequest: The page size or the token can't be used.
        """
        size, token = request.page_size, request.page_token
        page_token.check(size, token)
        asked = ("fills", request.symbol, request.since_ms)
        since_ms, series, returned = request.since_ms, "", frozenset[str]()
        if token:
            (since_ms,), names = page_token.read(token, asked, numbers=1)
            series, returned = "".join(names[:1]), frozenset(names[1:])
        fills = self._series.get((*asked, series))
        if fills is None:
            found = await self._exchange.list_fills(request.symbol, since_ms=since_ms)
            series, fills = "", sorted(found, key=_time_ms)
        fills = _behind(fills, since_ms, returned)
        if not size or len(fills) <= size:
            return pb.ListFillsResponse(fills=map(codec.encode_fill, fills))
        page = fills[:size]
        at_ms = page[-1].event_time_ms
        ids = [*(returned if at_ms == since_ms else ()), *(one.trade_id for one in page if one.event_time_ms == at_ms)]
        next_token = page_token.write(asked, (at_ms,), (series or self._keep(asked, fills), *ids))
        return pb.ListFillsResponse(fills=map(codec.encode_fill, page), next_page_token=next_token)

    def _keep(self, asked: page_token.Asked, fills: Sequence[Fill]) -> str:
        """Keep the fills of a new series and return its name; empty where they are more than may be kept."""
        if len(fills) > self._most:
            return ""
        while self.kept + len(fills) > self._most:
            del self._series[next(iter(self._series))]
        name = secrets.token_hex(8)
        self._series[*asked, name] = fills
        asyncio.get_running_loop().call_later(self._keep_s, self._series.pop, (*asked, name), None)
        return name


def _behind(fills: Sequence[Fill], at_ms: int, returned: Collection[str]) -> Sequence[Fill]:
    """Return the fills that come after those of *at_ms* whose ids are given.

    By id, not by place: a venue may list the fills of one millisecond in another order when it is asked again.
    """
    first = bisect_left(fills, at_ms, key=_time_ms)
    behind = bisect_left(fills, at_ms + 1, lo=first, key=_time_ms)
    return [*(one for one in fills[first:behind] if one.trade_id not in returned), *fills[behind:]]


def _time_ms(fill: Fill) -> int:
    return fill.event_time_ms
