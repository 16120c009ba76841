"""A book with an empty side, over whole adapters: it is no price, and never one of zero."""

from __future__ import annotations

from typing import Any

import pytest

from opensqt.config.venue import VenueSettings
from opensqt.model.errors import VenueError
from opensqt.model.market import Price
from opensqt.venues.factory import venue_type
from opensqt.venues.venue import Venue
from tests.unit.venues.okx import test_parse as okx

IDS = {"okx": "BTC-USDT-SWAP", "gate": "BTC_USDT"}
VENUES = ("binance", "bitget", "bybit", "gate", "okx")
BID, ASK = ("100", "2"), ("101", "3")
Side = tuple[str, str] | None


class Answers:
    """The venue: answers every query with one response."""

    def __init__(self) -> None:
        self.response: Any = None

    async def send(self, *_: Any, **__: Any) -> Any:
        return self.response


def made(name: str, answers: Answers) -> Venue:
    kind, settings = venue_type(name), VenueSettings(name=name)  # type: ignore[arg-type]
    venue = kind(settings, kind.make_client(settings), answers)  # type: ignore[arg-type]
    venue.rules, venue.rules_by_id = {"BTCUSDT": okx.rules()}, {IDS.get(name, "BTCUSDT"): okx.rules()}
    venue.market_id = lambda symbol: IDS.get(name, symbol)  # type: ignore[method-assign]
    if name == "bitget":
        venue.symbols = {"BTCUSDT": "BTCUSDT"}  # type: ignore[attr-defined]
    return venue


def levels(side: Side) -> list[list[str]]:
    return [list(side)] if side else []


def streamed(name: str, bid: Side, ask: Side) -> dict[str, Any]:
    """The frame as the venue sends it: zeros on Binance, empty texts on Gate, empty lists elsewhere."""
    bids, asks = levels(bid), levels(ask)
    if name == "binance":
        (b, bb), (a, aa) = bid or ("0", "0"), ask or ("0", "0")
        return {"e": "bookTicker", "s": "BTCUSDT", "b": b, "B": bb, "a": a, "A": aa, "T": 1, "E": 1, "u": 1}
    if name == "gate":
        (b, bb), (a, aa) = bid or ("", "0"), ask or ("", "0")
        row = {"t": 1, "u": 1, "s": "BTC_USDT", "b": b, "B": int(bb), "a": a, "A": int(aa)}
        return {"channel": "futures.book_ticker", "event": "update", "result": row}
    if name == "bybit":
        data = {"s": "BTCUSDT", "b": bids, "a": asks, "u": 1, "seq": 1}
        return {"topic": "orderbook.1.BTCUSDT", "type": "snapshot", "ts": 1, "cts": 1, "data": data}
    channel = {"bitget": "books1", "okx": "bbo-tbt"}[name]
    row = {"bids": bids, "asks": asks, "ts": "1"}
    return {"action": "snapshot", "arg": {"channel": channel, "instId": IDS.get(name, "BTCUSDT")}, "data": [row]}


def queried(name: str, bid: Side, ask: Side) -> Any:
    """The response as the venue sends it."""
    bids, asks = levels(bid), levels(ask)
    if name == "binance":
        (b, bb), (a, aa) = bid or ("0.00", "0.000"), ask or ("0.00", "0.000")
        return {"symbol": "BTCUSDT", "bidPrice": b, "bidQty": bb, "askPrice": a, "askQty": aa, "time": 1}
    if name == "gate":
        sides = {"bids": bids, "asks": asks}.items()
        return {"current": 1.5} | {side: [{"p": p, "s": int(s)} for p, s in rows] for side, rows in sides}
    if name == "bybit":
        return {"result": {"s": "BTCUSDT", "b": bids, "a": asks, "ts": 1}}
    if name == "bitget":
        (b, bb), (a, aa) = bid or ("", ""), ask or ("", "")
        return {"data": [{"bidPr": b, "bidSz": bb, "askPr": a, "askSz": aa, "ts": "1"}]}
    return {"data": [{"bids": bids, "asks": asks, "ts": "1"}]}


@pytest.mark.parametrize("name", VENUES)
@pytest.mark.parametrize(("bid", "ask"), [(None, ASK), (BID, None), (None, None)])
def test_an_empty_side_of_the_streamed_book_is_no_price(name: str, bid: Side, ask: Side) -> None:
    venue = made(name, Answers())
    assert list(venue.parse(streamed(name, bid, ask)) or ()) == []
    (price,) = list(venue.parse(streamed(name, BID, ASK)) or ())
    assert isinstance(price, Price)
    assert (price.bid, price.ask) == (100, 101)


@pytest.mark.parametrize("name", VENUES)
@pytest.mark.parametrize(("bid", "ask"), [(None, ASK), (BID, None), (None, None)])
async def test_an_empty_side_of_the_queried_book_is_an_error(name: str, bid: Side, ask: Side) -> None:
    answers = Answers()
    venue = made(name, answers)
    answers.response = queried(name, bid, ask)
    with pytest.raises(VenueError, match="price of BTCUSDT: one side of the book is empty"):
        await venue.price("BTCUSDT")
    answers.response = queried(name, BID, ASK)
    assert (await venue.price("BTCUSDT")).ask == 101
