"""ListFills page by page."""

from __future__ import annotations

from opensqt.connector.rpc.pages import Pages
from opensqt.model.exchange import Exchange
from opensqt.model.order import Fill
from opensqt.proto import gateway_service_pb2 as pb
from opensqt.wire import codec


class FillPages:
    """Answers `ListFills`; see `Pages`.

    Args:
        exchange: Asks the venue.
        keep_s: How long the fills of a series are kept.
        kept_fills: How many are kept for all series together; the oldest series goes first.
    """

    def __init__(self, exchange: Exchange, *, keep_s: float = 60.0, kept_fills: int = 50_000) -> None:
        self._exchange = exchange
        self._pages: Pages[Fill] = Pages(lambda fill: fill.trade_id, keep_s=keep_s, kept_rows=kept_fills)

    @property
    def kept(self) -> int:
        """How many fills are kept for pages to come."""
        return self._pages.kept

    async def answer(self, request: pb.ListFillsRequest) -> pb.ListFillsResponse:
        """Return one page, or all fills where no page size is given.

        Raises:
            InvalidRequest: The page size or the token can't be used.
        """
        fills, token = await self._pages.page(
            ("fills", request.symbol, request.since_ms),
            request.since_ms,
            request.page_size,
            request.page_token,
            lambda since_ms: self._exchange.list_fills(request.symbol, since_ms=since_ms),
        )
        return pb.ListFillsResponse(fills=map(codec.encode_fill, fills), next_page_token=token)
