"""Every candle interval that a venue documents, by REST and in a stream; the lists are from the documents."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest

from opensqt.simulator import Simulator
from tests.service.venue_clients import settings

_HOURS = ("1H", "2H", "4H")
_MINUTES = ("1m", "3m", "5m", "15m", "30m")
_FROM_SIX_HOURS = ("6H", "12H", "1D", "3D", "1W", "1M")


@dataclass(frozen=True)
class Candles:
    """How a venue is asked for candles."""

    intervals: Sequence[str]
    rest: str
    """The address, with `{0}` for the interval."""
    rows: Callable[[Any], list[Any]]
    socket: str
    subscribe: Callable[[Sequence[str]], list[Any]]
    """Messages of a client for all intervals."""
    heard: Callable[[Any], str | None]
    """The interval of a frame."""


def _channel(frame: Any) -> str | None:
    return frame["arg"]["channel"].removeprefix("candle") if frame.get("data") else None


VENUES = {
    "binance": Candles(
        (*_MINUTES, "1h", "2h", "4h", "6h", "8h", "12h", "1d", "3d", "1w", "1M"),
        "/fapi/v1/klines?symbol=BTCUSDT&interval={0}",
        lambda answer: answer,
        "/ws",
        lambda names: [{"method": "SUBSCRIBE", "params": [f"btcusdt@kline_{name}" for name in names], "id": 1}],
        lambda frame: frame["k"]["i"] if frame.get("e") == "kline" else None,
    ),
    "bitget": Candles(
        (*_MINUTES, *_HOURS, *_FROM_SIX_HOURS, *(f"{name}utc" for name in _FROM_SIX_HOURS)),
        "/api/v2/mix/market/candles?symbol=BTCUSDT&productType=USDT-FUTURES&granularity={0}",
        lambda answer: answer["data"],
        "/v2/ws/public",
        lambda names: [
            {
                "op": "subscribe",
                "args": [
                    {"instType": "USDT-FUTURES", "channel": f"candle{name}", "instId": "BTCUSDT"} for name in names
                ],
            }
        ],
        _channel,
    ),
    "bybit": Candles(
        ("1", "3", "5", "15", "30", "60", "120", "240", "360", "720", "D", "W", "M"),
        "/v5/market/kline?category=linear&symbol=BTCUSDT&interval={0}",
        lambda answer: answer["result"]["list"],
        "/v5/public/linear",
        lambda names: [{"op": "subscribe", "args": [f"kline.{name}.BTCUSDT" for name in names]}],
        lambda frame: frame["topic"].split(".")[1] if "topic" in frame else None,
    ),
    "gate": Candles(
        ("10s", "30s", "1m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h", "1d", "7d", "1w", "30d"),
        "/api/v4/futures/usdt/candlesticks?contract=BTC_USDT&interval={0}",
        lambda answer: answer,
        "/v4/ws/usdt",
        lambda names: [
            {"time": 1, "channel": "futures.candlesticks", "event": "subscribe", "payload": [name, "BTC_USDT"]}
            for name in names
        ],
        lambda frame: frame["result"][0]["n"].partition("_")[0] if frame["event"] == "update" else None,
    ),
    "okx": Candles(
        ("1s", *_MINUTES, *_HOURS, *(f"{name}{utc}" for name in (*_FROM_SIX_HOURS, "2D", "3M") for utc in ("", "utc"))),
        "/api/v5/market/candles?instId=BTC-USDT-SWAP&bar={0}",
        lambda answer: answer["data"],
        "/ws/v5/business",
        lambda names: [
            {"op": "subscribe", "args": [{"channel": f"candle{name}", "instId": "BTC-USDT-SWAP"} for name in names]}
        ],
        _channel,
    ),
}


@pytest.mark.parametrize("venue", sorted(VENUES))
async def test_every_interval_has_candles_by_rest_and_in_the_stream(venue: str) -> None:
    """A subscription is never taken in silence."""
    asked = VENUES[venue]
    async with (
        Simulator(settings(exchange=venue, clock="manual")) as simulator,
        aiohttp.ClientSession(simulator.url) as session,
    ):
        await simulator.advance(2_000)
        socket = await session.ws_connect(asked.socket)
        for message in asked.subscribe(asked.intervals):
            await socket.send_json(message)
        for name in asked.intervals:
            async with session.get(asked.rest.format(name)) as response:
                assert response.status == 200, name
                rows = asked.rows(await response.json())
            assert isinstance(rows, list), name
            assert rows, name
        missing = set(asked.intervals)
        async with asyncio.timeout(100):
            while missing:
                await simulator.advance(1_000)
                while missing:
                    try:
                        frame = await socket.receive_json(timeout=0.2)
                    except TimeoutError:
                        break
                    missing.discard(asked.heard(frame) or "")
