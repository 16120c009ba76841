"""The rows of every list that is queried, each field of one row changed, on every venue: no other row is lost."""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest
import structlog

from opensqt.config.venue import VenueSettings
from opensqt.model.errors import ExchangeError
from opensqt.venues.factory import venue_type
from opensqt.venues.rows import RowError
from opensqt.venues.venue import Venue
from tests.unit.venues.account.test_comparison import ORDER as BINANCE_ORDER
from tests.unit.venues.account.test_comparison import POSITION as BINANCE_POSITION
from tests.unit.venues.account.test_comparison import TRADE as BINANCE_TRADE
from tests.unit.venues.bitget import test_parse as bitget
from tests.unit.venues.bybit import test_parse as bybit
from tests.unit.venues.gate import test_parse as gate
from tests.unit.venues.okx import test_parse as okx
from tests.unit.venues.test_frames import BAD, GATE_CANDLE, LIST, changes
from tests.unit.venues.test_rows import NAMES, client

NOW_MS = 1_700_000_000_000
BINANCE_CANDLE = [1597026360000, *LIST[1:6], 1597026419999, "5529.58", 12, "1", "2", "0"]
OKX_TRADE = {
    "instId": "BTC-USDT-SWAP", "tradeId": "1", "ordId": "2", "clOrdId": "b1", "billId": "3", "fillPx": "999",
    "fillSz": "3", "side": "buy", "posSide": "net", "execType": "T", "feeCcy": "USDT", "fee": "-0.1",
    "ts": "1597026383085",
    "fillTime": "1597026383084", "fillPnl": "0",
}  # fmt: skip


@dataclass(frozen=True)
class Query:
    """A query that returns a list."""

    venue: str
    name: str
    row: Any
    body: Callable[[list[Any]], Any]
    send: Callable[[Venue], Awaitable[list[Any]]]
    optional: frozenset[str] = frozenset()
    """Fields with which a row is another's, or is right without."""

    def __str__(self) -> str:
        return f"{self.venue}-{self.name}"


def _open_orders(venue: Venue) -> Awaitable[list[Any]]:
    return venue.open_orders()


def _fills(venue: Venue) -> Awaitable[list[Any]]:
    return venue.fills("BTCUSDT", 0)


def _positions(venue: Venue) -> Awaitable[list[Any]]:
    return venue.positions()


def _candles(venue: Venue) -> Awaitable[list[Any]]:
    return venue.candles("BTCUSDT", "1m", 1)


def _rows(rows: list[Any]) -> Any:
    return rows


def _raw(rows: list[Any]) -> Any:
    return [msgspec.Raw(msgspec.json.encode(row)) for row in rows]


def _data(rows: list[Any]) -> Any:
    return {"code": "0", "data": rows}


def _named(name: str) -> Callable[[list[Any]], Any]:
    return lambda rows: {"code": "00000", "data": {name: rows}}


def _result(rows: list[Any]) -> Any:
    return {"retCode": 0, "result": {"list": rows, "nextPageCursor": ""}}


BITGET_ROW = {"symbol": "BTCUSDT"}
QUERIES = [
    Query("binance", "orders", BINANCE_ORDER, _raw, _open_orders),
    Query("binance", "fills", BINANCE_TRADE, _rows, _fills),
    Query("binance", "positions", BINANCE_POSITION, _rows, _positions),
    Query("binance", "candles", BINANCE_CANDLE, _rows, _candles),
    Query("bitget", "orders", bitget.ORDER | BITGET_ROW, _named("entrustedList"), _open_orders),
    Query("bitget", "fills", bitget.TRADE, _named("fillList"), _fills),
    Query("bitget", "positions", bitget.POSITION | BITGET_ROW, _data, _positions),
    Query("bitget", "candles", LIST[:8], _data, _candles),
    Query("bybit", "orders", bybit.ORDER, _result, _open_orders),
    Query("bybit", "fills", bybit.EXECUTION | {"closedSize": "0"}, _result, _fills),
    Query("bybit", "positions", bybit.POSITION, _result, _positions),
    Query("bybit", "candles", LIST[:7], _result, _candles),
    Query("gate", "orders", gate.ORDER, _rows, _open_orders),
    Query("gate", "fills", gate.TRADE, _rows, _fills),
    Query("gate", "positions", gate.POSITION, _rows, _positions, frozenset({"mode"})),
    Query("gate", "candles", GATE_CANDLE, _rows, _candles),
    Query("okx", "orders", okx.ORDER, _data, _open_orders),
    Query("okx", "fills", OKX_TRADE, _data, _fills),
    Query("okx", "positions", okx.POSITION, _data, _positions, frozenset({"posSide"})),
    Query("okx", "candles", LIST, _data, _candles),
]


class Answers:
    """The venue: answers every query with one response."""

    def __init__(self) -> None:
        self.response: Any = None

    async def send(self, *_: Any, **__: Any) -> Any:
        return self.response

    async def call(self, *_: Any, **__: Any) -> Any:
        return self.response


@pytest.fixture(autouse=True)
def quiet() -> None:
    """Log nothing: to write thousands of lines takes longer than to read the rows."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))


@pytest.fixture
def answers() -> Answers:
    return Answers()


def made(name: str, answers: Answers) -> Venue:
    settings = VenueSettings(name=name)  # type: ignore[arg-type]
    venue = venue_type(name)(settings, client(name), answers)  # type: ignore[arg-type]
    venue.rules_by_id = {NAMES.get(name, "BTCUSDT"): okx.rules()}
    venue.rules = {"BTCUSDT": okx.rules()}
    venue.market_id = lambda symbol: NAMES.get(name, symbol)  # type: ignore[method-assign]
    if name == "bitget":
        venue.symbols = {"BTCUSDT": "BTCUSDT"}  # type: ignore[attr-defined]
    venue.observe_market_time(NOW_MS)
    return venue


@pytest.mark.parametrize("query", QUERIES, ids=str)
async def test_a_changed_row_of_a_response_hides_no_other_and_is_read_or_counted(
    query: Query, answers: Answers
) -> None:
    """F25, F44: each field removed, null, of another type or with a new word."""
    venue = made(query.venue, answers)
    answers.response = query.body([deepcopy(query.row)])
    assert len(await query.send(venue)) == 1, "the row can be read"
    for change in changes(query.row):
        answers.response = query.body([deepcopy(change.frame)])
        before = venue.set_aside.total.total()
        alone = await query.send(venue)
        noted = venue.set_aside.total.total() > before
        assert alone or noted or change.field in query.optional, change.what
        answers.response = query.body([deepcopy(change.frame), deepcopy(query.row)])
        both = await query.send(venue)
        # Two rows of one trade are one trade.
        assert len(both) == len(alone) + 1 or (query.name == "fills" and len(both) == 1), change.what
        for kind in ("order", "fill", "position", "candle"):
            venue.set_aside.expire(kind, float("inf"))


@pytest.mark.parametrize("query", QUERIES, ids=str)
async def test_a_response_that_is_no_list_is_an_error_that_is_told(query: Query, answers: Answers) -> None:
    """F25, F44: the query fails, and no error of ours hides in it."""
    venue = made(query.venue, answers)
    good = query.body([])
    responses: list[Any] = [{}, *([] if isinstance(good, list) else [[], *(_broken(good))])]
    for response in responses:
        answers.response = response
        with pytest.raises((ExchangeError, RowError)):
            await query.send(venue)


def _broken(body: dict[str, Any]) -> list[Any]:
    """The response with each object on the way to its rows, and the list of rows, of another type."""
    text = json.dumps(body)
    found = []
    for part in ('{"list": [], "nextPageCursor": ""}', '{"entrustedList": []}', '{"fillList": []}', "[]"):
        if part in text:
            found += [json.loads(text.replace(part, json.dumps(bad))) for bad in (7, "text", True)]
    return found


def test_every_bad_value_is_of_another_type_or_new() -> None:
    assert {type(bad) for bad in BAD} == {type(None), str, list, dict, bool, int, float}
