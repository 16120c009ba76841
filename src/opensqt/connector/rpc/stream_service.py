"""The five streaming methods: a topic's batches, as bytes, for as long as the client stays."""

from __future__ import annotations

from typing import Any

from opensqt.connector.rpc.dispatch import Context, Handler
from opensqt.connector.rpc.exchange_service import check_interval
from opensqt.connector.streams.frames import responses
from opensqt.connector.streams.hub import Hub
from opensqt.connector.streams.topics import Topic
from opensqt.model.errors import StreamOverflow, UnknownSymbol
from opensqt.proto import exchange_service_pb2 as pb
from opensqt.wire.requests import decode_cursor, decode_symbol


class Streams:
    """The streaming methods of ExchangeService. They write bytes: register them without a serializer."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self.handlers: dict[str, Handler] = {
            "SubscribePrice": self._price,
            "SubscribeOrders": self._orders,
            "SubscribeKlines": self._klines,
            "SubscribeAccount": self._account,
            "SubscribePositions": self._positions,
        }

    async def _price(self, request: pb.SubscribePriceRequest, context: Context) -> None:
        await self._serve(Topic("price", decode_symbol(request.symbol)), request, context)

    async def _orders(self, request: pb.SubscribeOrdersRequest, context: Context) -> None:
        symbol = decode_symbol(request.symbol, required=False)
        await self._serve(Topic("orders"), request, context, symbol=symbol)

    async def _klines(self, request: pb.SubscribeKlinesRequest, context: Context) -> None:
        topic = Topic("klines", decode_symbol(request.symbol), check_interval(request.interval))
        await self._serve(topic, request, context)

    async def _account(self, request: pb.SubscribeAccountRequest, context: Context) -> None:
        await self._serve(Topic("account"), request, context)

    async def _positions(self, request: pb.SubscribePositionsRequest, context: Context) -> None:
        symbol = decode_symbol(request.symbol, required=False)
        await self._serve(Topic("positions"), request, context, symbol=symbol)

    async def _serve(self, topic: Topic, request: Any, context: Context, *, symbol: str = "") -> None:
        cursor = decode_cursor(request)
        if symbol and (await self._hub.exchange.get_exchange_info()).rules(symbol) is None:
            # Prices and candles of an unknown symbol are refused by the exchange itself; here one would wait for ever.
            raise UnknownSymbol(f"symbol {symbol}: not traded here", symbol=symbol)
        metrics = self._hub.metrics
        sizes = metrics.batch_sizes[topic.kind]
        try:
            async with self._hub.subscribe(topic, symbol=symbol, cursor=cursor) as batches:
                async for batch in batches:
                    sizes.observe(len(batch.updates))
                    if batch.gap:
                        metrics.count_gap(topic.kind)
                    # While this write waits for the client, the next batch gathers in the feed.
                    for response in responses(batch):
                        await context.write(response)
        except StreamOverflow:
            metrics.count_overflow(topic.kind)
            raise
