"""The five streaming methods: a stream's batches, as bytes, for as long as the client stays."""

from __future__ import annotations

from contextlib import aclosing
from typing import Any

from opensqt.connector.rpc.dispatch import Context, Handler
from opensqt.connector.rpc.exchange_service import check_interval
from opensqt.connector.streams.encode import responses
from opensqt.connector.streams.keys import KINDS, StreamKey
from opensqt.connector.streams.readers import StreamReaders
from opensqt.model.errors import StreamOverflow
from opensqt.proto import exchange_service_pb2 as pb
from opensqt.wire.requests import decode_cursor, decode_symbol


class Streams:
    """The streaming methods of ExchangeService. They write bytes: register them without a serializer."""

    def __init__(self, readers: StreamReaders) -> None:
        self._readers = readers
        self.handlers: dict[str, Handler] = {
            "SubscribePrice": self._price,
            "SubscribeOrders": self._orders,
            "SubscribeKlines": self._klines,
            "SubscribeAccount": self._account,
            "SubscribePositions": self._positions,
        }

    async def _price(self, request: pb.SubscribePriceRequest, context: Context) -> None:
        await self._serve(StreamKey("price", decode_symbol(request.symbol)), request, context)

    async def _orders(self, request: pb.SubscribeOrdersRequest, context: Context) -> None:
        symbol = decode_symbol(request.symbol, required=False)
        await self._serve(StreamKey("orders"), request, context, symbol=symbol)

    async def _klines(self, request: pb.SubscribeKlinesRequest, context: Context) -> None:
        key = StreamKey("klines", decode_symbol(request.symbol), check_interval(request.interval))
        await self._serve(key, request, context)

    async def _account(self, request: pb.SubscribeAccountRequest, context: Context) -> None:
        await self._serve(StreamKey("account"), request, context)

    async def _positions(self, request: pb.SubscribePositionsRequest, context: Context) -> None:
        symbol = decode_symbol(request.symbol, required=False)
        await self._serve(StreamKey("positions"), request, context, symbol=symbol)

    async def _serve(self, key: StreamKey, request: Any, context: Context, *, symbol: str = "") -> None:
        cursor = decode_cursor(request)
        metrics = self._readers.metrics
        sizes = metrics.batch_sizes[key.kind]
        encode = KINDS[key.kind].encode
        try:
            async with aclosing(self._readers.read(key, symbol=symbol, cursor=cursor)) as batches:
                async for batch in batches:
                    sizes.observe(len(batch.updates))
                    if batch.gap:
                        metrics.count_gap(key.kind)
                    # While this write waits for the client, the next batch gathers in the feed.
                    for response in responses(batch, encode):
                        await context.write(response)
        except StreamOverflow:
            metrics.count_overflow(key.kind)
            raise
