"""Frames of order books, trades and mark prices as the five venues document them, ids and prices replaced."""

from __future__ import annotations

import json
import zlib
from decimal import Decimal
from typing import Any

import pytest

from opensqt.model.market import MarkPrice, PublicTrade
from opensqt.model.order import Side
from opensqt.model.venue import SymbolRules
from opensqt.venues.binance.public import BinancePublic
from opensqt.venues.bitget.public import BitgetPublic
from opensqt.venues.bybit.public import BybitPublic
from opensqt.venues.channels import PublicChannels
from opensqt.venues.events import BookUpdate
from opensqt.venues.gate.public import GatePublic
from opensqt.venues.okx.public import OkxPublic
from opensqt.venues.rows import RowError
from opensqt.venues.set_aside import SetAside
from tests.unit.venues.test_frames import Rig, changes

Levels = tuple[tuple[Decimal, Decimal], ...]
NAMES = {"binance": "BTCUSDT", "bitget": "BTCUSDT", "bybit": "BTCUSDT", "gate": "BTC_USDT", "okx": "BTC-USDT-SWAP"}
SIZES = {"gate": Decimal("0.0001"), "okx": Decimal("0.01")}
CHANNELS: dict[str, Any] = {
    "binance": BinancePublic,
    "bitget": BitgetPublic,
    "bybit": BybitPublic,
    "gate": GatePublic,
    "okx": OkxPublic,
}


class Listed:
    """The part of an adapter that frames are read with."""

    def __init__(self, name: str, rules: SymbolRules) -> None:
        self._rules = {name: rules}
        self.set_aside = SetAside("venue")

    def listed_rules(self, name: Any) -> SymbolRules:
        if name not in self._rules:
            raise RowError(f"symbol {name!r}: the venue does not list it")
        return self._rules[name]


def channels_and_rows(venue: str) -> tuple[PublicChannels, SetAside]:
    one = Decimal(1)
    rules = SymbolRules(
        symbol="BTCUSDT",
        base_asset="BTC",
        quote_asset="USDT",
        price_step=one,
        quantity_step=one,
        min_quantity=one,
        min_notional=one,
        contract_size=SIZES.get(venue, one),
    )
    listed = Listed(NAMES[venue], rules)
    made: PublicChannels = CHANNELS[venue](listed, None)
    return made, listed.set_aside


def channels(venue: str) -> PublicChannels:
    return channels_and_rows(venue)[0]


BOOKS: dict[str, dict[str, Any]] = {
    "binance": {
        "e": "depthUpdate",
        "E": 1571889248277,
        "T": 1571889248276,
        "s": "BTCUSDT",
        "U": 390497796,
        "u": 390497878,
        "pu": 390497794,
        "b": [["7403.89", "0.002"], ["7403.90", "0"]],
        "a": [["7405.96", "3.340"]],
        "st": 1,
    },
    "bybit": {
        "topic": "orderbook.50.BTCUSDT",
        "type": "delta",
        "ts": 1687940967466,
        "data": {
            "s": "BTCUSDT",
            "b": [["7403.89", "0.002"], ["7403.90", "0"]],
            "a": [["7405.96", "3.340"]],
            "u": 390497878,
            "seq": 8066637567,
        },
        "cts": 1571889248276,
    },
    "okx": {
        "arg": {"channel": "books", "instId": "BTC-USDT-SWAP"},
        "action": "update",
        "data": [
            {
                "asks": [["7405.96", "334", "0", "1"]],
                "bids": [["7403.89", "0.2", "0", "2"], ["7403.90", "0", "0", "0"]],
                "ts": "1571889248276",
                "checksum": 0,
                "prevSeqId": 390497794,
                "seqId": 390497878,
            }
        ],
    },
    "gate": {
        "time": 1615366381,
        "time_ms": 1615366381123,
        "channel": "futures.order_book_update",
        "event": "update",
        "result": {
            "t": 1571889248276,
            "s": "BTC_USDT",
            "U": 390497796,
            "u": 390497878,
            "b": [{"p": "7403.89", "s": 20}, {"p": "7403.90", "s": 0}],
            "a": [{"p": "7405.96", "s": "33400"}],
            "l": "100",
        },
    },
    "bitget": {
        "action": "update",
        "arg": {"instType": "USDT-FUTURES", "channel": "books", "instId": "BTCUSDT"},
        "data": [
            {
                "asks": [["7405.96", "3.340"]],
                "bids": [["7403.89", "0.002"], ["7403.90", "0"]],
                "checksum": -1881014294,
                "seq": 390497878,
                "ts": "1571889248276",
            }
        ],
        "ts": 1571889248277,
    },
}
PREVIOUS = {
    "binance": 390497794,
    "bybit": 390497877,
    "okx": 390497794,
    "gate": 390497795,
    "bitget": None,
}
TRADES: dict[str, dict[str, Any]] = {
    "binance": {
        "e": "aggTrade",
        "E": 1672304486868,
        "s": "BTCUSDT",
        "a": 5933014,
        "p": "16578.50",
        "q": "0.100",
        "f": 100,
        "l": 105,
        "T": 1672304486865,
        "m": True,
    },
    "bybit": {
        "topic": "publicTrade.BTCUSDT",
        "type": "snapshot",
        "ts": 1672304486868,
        "data": [
            {
                "T": 1672304486865,
                "s": "BTCUSDT",
                "S": "Sell",
                "v": "0.100",
                "p": "16578.50",
                "L": "PlusTick",
                "i": "5933014",
                "BT": False,
            }
        ],
    },
    "okx": {
        "arg": {"channel": "trades", "instId": "BTC-USDT-SWAP"},
        "data": [
            {
                "instId": "BTC-USDT-SWAP",
                "tradeId": "5933014",
                "px": "16578.50",
                "sz": "10",
                "side": "sell",
                "ts": "1672304486865",
                "count": "3",
                "source": "0",
            }
        ],
    },
    "gate": {
        "channel": "futures.trades",
        "event": "update",
        "time": 1672304486,
        "time_ms": 1672304486868,
        "result": [
            {
                "size": "-1000",
                "id": 5933014,
                "create_time": 1672304486,
                "create_time_ms": 1672304486865,
                "price": "16578.50",
                "contract": "BTC_USDT",
                "is_internal": True,
            }
        ],
    },
    "bitget": {
        "action": "update",
        "arg": {"instType": "USDT-FUTURES", "channel": "trade", "instId": "BTCUSDT"},
        "data": [{"ts": "1672304486865", "price": "16578.50", "size": "0.100", "side": "sell", "tradeId": "5933014"}],
        "ts": 1672304486868,
    },
}
MARKS: dict[str, list[dict[str, Any]]] = {
    "binance": [
        {
            "e": "markPriceUpdate",
            "E": 1562305380000,
            "s": "BTCUSDT",
            "p": "11794.15000000",
            "ap": "11794.15000000",
            "i": "11784.62659091",
            "P": "11784.25641265",
            "r": "0.00038167",
            "T": 1562306400000,
        }
    ],
    "bybit": [
        {
            "topic": "tickers.BTCUSDT",
            "type": "snapshot",
            "data": {
                "symbol": "BTCUSDT",
                "lastPrice": "11790",
                "markPrice": "11790.00",
                "indexPrice": "11784.62659091",
                "nextFundingTime": "1562306400000",
                "fundingRate": "0.00038167",
            },
            "cs": 24987956059,
            "ts": 1562305379000,
        },
        {
            "topic": "tickers.BTCUSDT",
            "type": "delta",
            "data": {"symbol": "BTCUSDT", "markPrice": "11794.15"},
            "cs": 24987956060,
            "ts": 1562305380000,
        },
    ],
    "okx": [
        {
            "arg": {"channel": "funding-rate", "instId": "BTC-USDT-SWAP"},
            "data": [
                {
                    "fundingRate": "0.00038167",
                    "fundingTime": "1562306400000",
                    "instId": "BTC-USDT-SWAP",
                    "instType": "SWAP",
                    "nextFundingRate": "",
                    "nextFundingTime": "1562335200000",
                    "ts": "1562305379000",
                }
            ],
        },
        {
            "arg": {"channel": "mark-price", "instId": "BTC-USDT-SWAP"},
            "data": [{"instType": "SWAP", "instId": "BTC-USDT-SWAP", "markPx": "11794.15", "ts": "1562305380000"}],
        },
    ],
    "gate": [
        {
            "time": 1562305380,
            "time_ms": 1562305380000,
            "channel": "futures.tickers",
            "event": "update",
            "result": [
                {
                    "contract": "BTC_USDT",
                    "last": "118.4",
                    "funding_rate": "0.00038167",
                    "funding_rate_indicative": "0.000219",
                    "mark_price": "11794.15",
                    "index_price": "11784.62659091",
                }
            ],
        }
    ],
    "bitget": [
        {
            "action": "snapshot",
            "arg": {"instType": "USDT-FUTURES", "channel": "ticker", "instId": "BTCUSDT"},
            "data": [
                {
                    "instId": "BTCUSDT",
                    "lastPr": "11790",
                    "fundingRate": "0.00038167",
                    "nextFundingTime": "1562306400000",
                    "markPrice": "11794.15",
                    "indexPrice": "11784.62659091",
                    "ts": "1562305380000",
                }
            ],
            "ts": 1562305380001,
        }
    ],
}


def parsed(of: PublicChannels, frame: Any) -> list[Any]:
    found = of.parse(frame)
    assert found is not None
    return list(found)


@pytest.mark.parametrize("venue", sorted(NAMES))
def test_a_change_of_a_book_has_base_coins_and_the_venues_numbers(venue: str) -> None:
    """F11, F14: contracts are no coins, and the change that it follows is known."""
    (frame,) = parsed(channels(venue), BOOKS[venue])
    assert isinstance(frame, BookUpdate)
    assert (frame.symbol, frame.snapshot, frame.event_time_ms) == ("BTCUSDT", False, 1571889248276)
    assert frame.bids == ((Decimal("7403.89"), Decimal("0.002")), (Decimal("7403.90"), Decimal(0)))
    assert frame.asks == ((Decimal("7405.96"), Decimal("3.340")),)
    assert (frame.previous, frame.last) == (PREVIOUS[venue], 390497878)


@pytest.mark.parametrize("venue", sorted(NAMES))
def test_a_trade_has_base_coins_and_the_side_of_the_taker(venue: str) -> None:
    """F11: contracts are no coins."""
    (trade,) = parsed(channels(venue), TRADES[venue])
    assert isinstance(trade, PublicTrade)
    assert (trade.symbol, trade.trade_id, trade.side) == ("BTCUSDT", "5933014", Side.SELL)
    assert (trade.price, trade.quantity) == (Decimal("16578.50"), Decimal("0.100"))
    assert trade.event_time_ms == 1672304486865


@pytest.mark.parametrize("venue", sorted(NAMES))
def test_a_mark_price_has_the_rate_and_the_time_of_the_next_funding(venue: str) -> None:
    of = channels(venue)
    mark = [price for frame in MARKS[venue] for price in parsed(of, frame)][-1]
    assert isinstance(mark, MarkPrice)
    assert (mark.symbol, mark.mark, mark.funding_rate) == ("BTCUSDT", Decimal("11794.15"), Decimal("0.00038167"))
    assert mark.index == (None if venue == "okx" else Decimal("11784.62659091"))
    # Gate's ticker has no time of the funding: it is known once the contract was queried.
    assert mark.next_funding_ms == (0 if venue == "gate" else 1562306400000)
    assert mark.event_time_ms == 1562305380000


@pytest.mark.parametrize("venue", sorted(NAMES))
@pytest.mark.parametrize("level", [["NaN", "1"], ["1", "-2"], ["0", "1"]])
def test_a_level_that_is_none_makes_the_frame_unreadable(venue: str, level: list[str]) -> None:
    """F14: the change is missing then, which the next one shows."""
    frame = BOOKS[venue]
    body = frame.get("data") or frame.get("result") or frame
    rows = body[0] if isinstance(body, list) else body
    name = "bids" if "bids" in rows else "b"
    bad = {**rows, name: [{"p": level[0], "s": level[1]} if venue == "gate" else level]}
    outer = next((key for key in ("data", "result") if key in frame), "")
    whole = {**frame, outer: [bad] if isinstance(body, list) else bad} if outer else bad
    with pytest.raises(RowError):
        parsed(channels(venue), whole)


@pytest.mark.parametrize("venue", ["bitget", "bybit", "gate", "okx"])
@pytest.mark.parametrize("bad", [{}, None, "text"])
def test_a_trade_that_cannot_be_read_hides_no_other(venue: str, bad: Any) -> None:
    """It is reported, and the others of the frame are read."""
    of, set_aside = channels_and_rows(venue)
    rows = "result" if venue == "gate" else "data"
    frame = {**TRADES[venue], rows: [bad, *TRADES[venue][rows], bad]}
    assert [trade.trade_id for trade in parsed(of, frame)] == ["5933014"]
    assert set_aside.total["trade"] == 1


@pytest.mark.parametrize("venue", sorted(NAMES))
@pytest.mark.parametrize("frames", [BOOKS, TRADES, {venue: found[0] for venue, found in MARKS.items()}])
def test_a_frame_of_an_unknown_symbol_is_unreadable(venue: str, frames: dict[str, Any]) -> None:
    """It is reported as such, and never taken for another symbol."""
    of = channels(venue)
    text = json.dumps(frames[venue]).replace(NAMES[venue], "NOPE")
    if venue == "gate" and frames is TRADES:
        assert parsed(of, json.loads(text)) == []
        return
    with pytest.raises(RowError, match="NOPE"):
        parsed(of, json.loads(text))


@pytest.mark.parametrize("venue", sorted(NAMES))
@pytest.mark.parametrize("frame", [{}, {"event": "subscribe"}, {"result": None, "id": 1}, [], "pong"])
def test_other_frames_are_left_to_others(venue: str, frame: Any) -> None:
    assert channels(venue).parse(frame) is None


def test_a_snapshot_of_bybit_after_a_restart_of_its_service_resets_the_book() -> None:
    frame = {**BOOKS["bybit"], "data": {**BOOKS["bybit"]["data"], "u": 1}}
    assert parsed(channels("bybit"), frame)[0].snapshot


def test_bitgets_checksum_is_that_of_its_documents() -> None:
    """The example of the venue: bid, ask, bid, ask, then what one side has more."""
    bids = ((Decimal("43231.1"), Decimal(4)), (Decimal("43231"), Decimal(6)))
    asks = ((Decimal("43232.8"), Decimal(9)), (Decimal("43235.1"), Decimal(8)))
    of = channels("bitget")
    assert of.checksum(bids, asks) == _signed_crc("43231.1:4:43232.8:9:43231:6:43235.1:8")
    assert of.checksum(bids[:1], asks) == _signed_crc("43231.1:4:43232.8:9:43235.1:8")


def test_a_checksum_of_zero_is_none() -> None:
    frame = {**BOOKS["bitget"], "data": [{**BOOKS["bitget"]["data"][0], "checksum": 0}]}
    assert parsed(channels("bitget"), frame)[0].checksum is None


def test_the_number_before_is_used_where_bitget_sends_it() -> None:
    frame = {**BOOKS["bitget"], "data": [{**BOOKS["bitget"]["data"][0], "pseq": 390497794}]}
    assert parsed(channels("bitget"), frame)[0].previous == 390497794


def _signed_crc(text: str) -> int:
    crc = zlib.crc32(text.encode())
    return crc - (1 << 32) if crc >= 1 << 31 else crc


@pytest.mark.parametrize("venue", sorted(NAMES))
@pytest.mark.parametrize("number", ["NaN", "-1", "0"])
def test_a_price_of_a_trade_that_is_none_is_not_published(venue: str, number: str) -> None:
    of, set_aside = channels_and_rows(venue)
    frame = json.loads(json.dumps(TRADES[venue]).replace('"16578.50"', f'"{number}"'))
    if venue == "binance":
        with pytest.raises(RowError):
            parsed(of, frame)
    else:
        assert parsed(of, frame) == []
        assert len(set_aside) == 1


@pytest.mark.parametrize("venue", ["binance", "bitget", "bybit", "gate"])
def test_an_index_that_is_no_number_makes_the_frame_unreadable(venue: str) -> None:
    frame = json.loads(json.dumps(MARKS[venue][0]).replace('"11784.62659091"', '"NaN"'))
    with pytest.raises(RowError):
        parsed(channels(venue), frame)


def test_a_ticker_of_bybit_that_cannot_be_read_leaves_the_known_one_as_it_was() -> None:
    of = channels("bybit")
    snapshot, delta = MARKS["bybit"]
    parsed(of, snapshot)
    with pytest.raises(RowError):
        parsed(of, {**delta, "data": {"symbol": "BTCUSDT", "fundingRate": "x"}})
    assert parsed(of, delta)[0].funding_rate == Decimal("0.00038167")


FRAMES = {
    f"{venue}-{kind}": frame
    for venue in sorted(NAMES)
    for kind, frame in (("book", BOOKS[venue]), ("trade", TRADES[venue]), ("mark", MARKS[venue][-1]))
}


@pytest.mark.parametrize("name", FRAMES)
async def test_a_changed_frame_is_read_or_reported_and_is_no_error_of_ours(name: str) -> None:
    """F25: each field removed, null, of another type or with a new word."""
    rig = Rig(name.partition("-")[0], private=False)
    events: list[Any] = []
    rig.exchange.market.handle = lambda event, socket: events.append(event)  # type: ignore[method-assign]
    if name == "bybit-mark":
        assert rig.feed(MARKS["bybit"][0])
    for change in changes(FRAMES[name]):
        events.clear()
        before = rig.noted()
        rig.feed(change.frame)
        assert not rig.metrics.own_errors, change.what
        told = rig.noted() > before
        rig.clear()
        assert told or len(events) == 1 or change.value == [], f"neither read nor reported: {change.what}"
