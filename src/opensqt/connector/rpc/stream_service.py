"""The streaming methods: a stream's batches, as bytes, for as long as the client stays, or as it acknowledges them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import aclosing
from functools import partial
from typing import Any

import grpc

from opensqt.connector.rpc.dispatch import Context, Handler, sound
from opensqt.connector.rpc.exchange_service import check_interval
from opensqt.connector.streams.encode import enveloped, responses, stamped
from opensqt.connector.streams.keys import KINDS, StreamKey
from opensqt.connector.streams.readers import StreamReaders
from opensqt.connector.streams.window import ORDERS_AHEAD, SendWindow, Unread
from opensqt.model.errors import InvalidRequest, StreamOverflow
from opensqt.model.stream import Cursor
from opensqt.proto import exchange_service_pb2 as pb
from opensqt.proto import gateway_service_pb2 as gateway_pb
from opensqt.streams.conflation import KEYS
from opensqt.wire.requests import decode_cursor, decode_depth, decode_symbol

_Wanted = tuple[StreamKey, str, Cursor | None]
"""A stream, the only symbol of it that is wanted, and where to resume."""
_FIRST_REQUEST_S = 10.0


class Streams:
    """The streaming methods. They write bytes: register them without a serializer."""

    def __init__(self, readers: StreamReaders) -> None:
        self._readers = readers
        self.handlers: dict[str, Handler] = {
            f"Subscribe{kind.title().replace('_', '')}": partial(self._subscribe, kind) for kind in _WANTED
        }
        self.handlers["ReadStream"] = self._read_stream

    async def _subscribe(self, kind: str, request: Any, context: Context) -> None:
        await self._serve(_WANTED[kind](request), context)

    async def _read_stream(self, _requests: Any, context: Context) -> None:
        """Serve the stream that the first request names; every later one is an acknowledgement."""
        try:
            async with asyncio.timeout(_FIRST_REQUEST_S):
                first = await context.read()
        except TimeoutError:
            raise InvalidRequest(f"no request came within {_FIRST_REQUEST_S:g} s") from None
        if first is grpc.aio.EOF:
            raise InvalidRequest("the first request is missing; expected what to subscribe to")
        kind = sound(first).WhichOneof("content") or ""
        if kind not in _WANTED:
            raise InvalidRequest(
                f"content {kind or 'is empty'}: expected first what to subscribe to: {', '.join(_WANTED)}"
            )
        wanted = _WANTED[kind](getattr(first, kind))
        window = SendWindow(updates=ORDERS_AHEAD if KEYS[kind] is None else 0)
        serving = asyncio.ensure_future(self._serve(wanted, context, window))
        reading = asyncio.ensure_future(_take_acknowledgements(context, window))
        try:
            await asyncio.wait({serving, reading}, return_when=asyncio.FIRST_COMPLETED)
            if reading.done() and not serving.done() and (error := reading.exception()) is not None:
                raise error
            await serving
        finally:
            for task in (serving, reading):
                task.cancel()
            await asyncio.gather(serving, reading, return_exceptions=True)

    async def _serve(self, wanted: _Wanted, context: Context, window: SendWindow | None = None) -> None:
        key, symbol, cursor = wanted
        metrics = self._readers.metrics
        sizes = metrics.batch_sizes[key.kind]
        encode, position_only = KINDS[key.kind].encode, KINDS[key.kind].has_position_only
        unread = window or Unread()
        try:
            async with aclosing(self._readers.read(key, symbol=symbol, cursor=cursor, unread=unread)) as batches:
                async for batch in batches:
                    sizes.observe(len(batch.updates))
                    if batch.gap:
                        metrics.count_gap(key.kind)
                    # While a write, or the window, waits for the client, the next batch gathers in the feed.
                    for response, place, count in responses(batch, encode, has_position_only=position_only):
                        if window is None:
                            unread.since = time.monotonic()
                            await context.write(stamped(response, time.time_ns()))
                            unread.since = None
                            continue
                        await window.room()
                        window.sent(place, count)
                        await context.write(enveloped(response, key.kind, time.time_ns()))
                    if window is not None:
                        await window.room()
        except StreamOverflow:
            metrics.count_overflow(key.kind)
            raise


def _price(request: pb.SubscribePriceRequest) -> _Wanted:
    return StreamKey("price", decode_symbol(request.symbol)), "", decode_cursor(request)


def _orders(request: pb.SubscribeOrdersRequest) -> _Wanted:
    return StreamKey("orders"), decode_symbol(request.symbol, required=False), decode_cursor(request)


def _klines(request: pb.SubscribeKlinesRequest) -> _Wanted:
    key = StreamKey("klines", decode_symbol(request.symbol), check_interval(request.interval))
    return key, "", decode_cursor(request)


def _account(request: pb.SubscribeAccountRequest) -> _Wanted:
    return StreamKey("account"), "", decode_cursor(request)


def _positions(request: pb.SubscribePositionsRequest) -> _Wanted:
    return StreamKey("positions"), decode_symbol(request.symbol, required=False), decode_cursor(request)


def _order_book(request: gateway_pb.SubscribeOrderBookRequest) -> _Wanted:
    key = StreamKey("order_book", decode_symbol(request.symbol), depth=decode_depth(request.depth))
    return key, "", decode_cursor(request)


def _trades(request: gateway_pb.SubscribeTradesRequest) -> _Wanted:
    return StreamKey("trades", decode_symbol(request.symbol)), "", decode_cursor(request)


def _mark_price(request: gateway_pb.SubscribeMarkPriceRequest) -> _Wanted:
    return StreamKey("mark_price", decode_symbol(request.symbol)), "", decode_cursor(request)


def _funding_payments(request: gateway_pb.SubscribeFundingPaymentsRequest) -> _Wanted:
    return StreamKey("funding_payments"), decode_symbol(request.symbol, required=False), decode_cursor(request)


_WANTED: dict[str, Callable[[Any], _Wanted]] = {
    "price": _price,
    "orders": _orders,
    "klines": _klines,
    "account": _account,
    "positions": _positions,
    "order_book": _order_book,
    "trades": _trades,
    "mark_price": _mark_price,
    "funding_payments": _funding_payments,
}


async def _take_acknowledgements(context: Context, window: SendWindow) -> None:
    """Take in acknowledgements until the client sends no more."""
    while (request := await context.read()) is not grpc.aio.EOF:
        if sound(request).WhichOneof("content") != "acknowledgement":
            raise InvalidRequest("content: expected an acknowledgement; a call reads one stream")
        window.acknowledge(received=request.acknowledgement.received, read=request.acknowledgement.read)
