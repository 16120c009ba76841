"""Rows of the account's frames with one field removed, null, of another type or with a new word, on every venue."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from typing import Any

import pytest

from opensqt.config.venue import VenueSettings
from opensqt.model.order import Fill
from opensqt.venues.factory import venue_type
from opensqt.venues.venue import Venue
from tests.unit.venues.binance import test_parse as binance
from tests.unit.venues.bitget import test_parse as bitget
from tests.unit.venues.bybit import test_parse as bybit
from tests.unit.venues.gate import test_parse as gate
from tests.unit.venues.okx import test_parse as okx

NAMES = {"okx": "BTC-USDT-SWAP", "gate": "BTC_USDT"}
BALANCES: dict[str, dict[str, Any]] = {
    "binance": {"a": "USDT", "wb": "122.5", "cw": "100", "bc": "0"},
    "bitget": {"marginCoin": "USDT", "equity": "11.9", "unrealizedPL": "-0.1", "available": "11.9"},
    "bybit": {"coin": "USDT", "walletBalance": "10", "equity": "10"},
    "gate": {"balance": 9.9, "change": -0.1, "currency": "USDT", "time": 1628736848, "time_ms": 1628736848321},
    "okx": {"ccy": "USDT", "cashBal": "415.2", "uTime": "1614846244194"},
}


@dataclass(frozen=True)
class Kind:
    """One kind of frame: how rows become a frame, and one good row."""

    venue: str
    name: str
    row: dict[str, Any]
    frame: Callable[[list[Any]], dict[str, Any]]

    def __str__(self) -> str:
        return f"{self.venue}-{self.name}"


def _binance_account(rows: list[Any], field: str) -> dict[str, Any]:
    return {"e": "ACCOUNT_UPDATE", "E": 1, "T": 2, "a": {"m": "ORDER", "B": [], "P": [], field: rows}}


def _gate(channel: str) -> Callable[[list[Any]], dict[str, Any]]:
    return lambda rows: {"time": 1, "channel": channel, "event": "update", "result": rows}


def _okx(channel: str) -> Callable[[list[Any]], dict[str, Any]]:
    return lambda rows: {"arg": {"channel": channel}, "data": rows}


POSITION = {"instId": "BTCUSDT", "holdSide": "net", "posMode": "one_way_mode"}
KINDS = [
    Kind("binance", "position", binance.ACCOUNT["a"]["P"][0], lambda rows: _binance_account(rows, "P")),
    Kind("binance", "balance", BALANCES["binance"], lambda rows: _binance_account(rows, "B")),
    Kind("bitget", "order", bitget.ORDER, lambda rows: bitget.frame("orders", *rows)),
    Kind("bitget", "position", bitget.POSITION | POSITION, lambda rows: bitget.frame("positions", *rows)),
    Kind("bitget", "balance", BALANCES["bitget"], lambda rows: bitget.frame("account", *rows)),
    Kind("bybit", "order", bybit.ORDER, lambda rows: bybit.frame("order.linear", *rows)),
    Kind("bybit", "fill", bybit.EXECUTION, lambda rows: bybit.frame("execution.linear", *rows)),
    Kind("bybit", "position", bybit.POSITION, lambda rows: bybit.frame("position.linear", *rows)),
    Kind("bybit", "balance", BALANCES["bybit"], lambda rows: bybit.frame("wallet", {"coin": rows})),
    Kind("gate", "order", gate.ORDER, _gate("futures.orders")),
    Kind("gate", "fill", gate.TRADE, _gate("futures.usertrades")),
    Kind("gate", "position", gate.POSITION, _gate("futures.positions")),
    Kind("gate", "balance", BALANCES["gate"], _gate("futures.balances")),
    Kind("okx", "order", okx.ORDER, _okx("orders")),
    Kind("okx", "position", okx.POSITION, _okx("positions")),
    Kind("okx", "balance", BALANCES["okx"], lambda rows: _okx("account")([{"details": rows}])),
]
BAD: list[Any] = [None, "", [], {}, True, 7, -1.5, "A_NEW_WORD"]


@cache
def client(name: str) -> Any:
    return venue_type(name).make_client(VenueSettings(name=name))  # type: ignore[arg-type]


def made(name: str) -> Venue:
    settings = VenueSettings(name=name)  # type: ignore[arg-type]
    venue = venue_type(name)(settings, client(name), None)  # type: ignore[arg-type]
    venue.rules_by_id = {NAMES.get(name, "BTCUSDT"): okx.rules()}
    venue.rules = {"BTCUSDT": okx.rules()}
    if name == "bitget":
        venue.symbols = {"BTCUSDT": "BTCUSDT"}  # type: ignore[attr-defined]
    return venue


def changed(row: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """The row with each field removed, and with each bad value; then rows that are none."""
    for field in row:
        yield f"{field} removed", {name: value for name, value in row.items() if name != field}
        for bad in BAD:
            yield f"{field}={bad!r}", row | {field: bad}
    for bad in (None, [], "text", 5):
        yield repr(bad), bad


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_a_changed_row_hides_no_other_and_is_read_or_counted(kind: Kind) -> None:
    """F25: one unknown field or value never stops a stream, nor hides the other rows of its frame."""
    good = made(kind.venue).parse(kind.frame([deepcopy(kind.row)]))
    expected = len(list(good or ()))
    assert expected == 1, "the row is readable"
    for what, row in changed(kind.row):
        venue = made(kind.venue)
        alone = list(venue.parse(kind.frame([deepcopy(row)])) or ())
        told = sum(venue.set_aside.total.values())
        assert alone or told or _is_none_of_ours(kind, row), what
        both = list(made(kind.venue).parse(kind.frame([deepcopy(row), deepcopy(kind.row)])) or ())
        assert len(both) == len(alone) + 1, what


@pytest.mark.parametrize("field", ["X", "q", "z", "o", "R", "p"])
def test_a_fill_is_read_though_its_order_can_not_be(field: str) -> None:
    """F25: Binance's order of a new status hides no fill."""
    venue = made("binance")
    frame = deepcopy(binance.TRADE)
    frame["o"][field] = {"new": "word"} if field == "o" else "NEW_ADL"
    (fill,) = list(venue.parse(frame) or ())
    assert isinstance(fill, Fill)
    assert (fill.trade_id, fill.order_id) == ("77", "8886774")
    assert [(row.kind, row.symbol, row.row_id) for row in venue.set_aside.rows("order")] == [
        ("order", "BTCUSDT", "8886774")
    ]


def test_a_changed_field_of_an_order_frame_of_binance_is_read_or_counted() -> None:
    """F25: its frames carry one order each."""
    for what, row in changed(binance.TRADE["o"]):
        venue = made("binance")
        events = list(venue.parse(binance.TRADE | {"o": deepcopy(row)}) or ())
        assert events or venue.set_aside.total, what


def test_a_row_that_is_read_again_leaves_the_list() -> None:
    venue = made("okx")
    frame = KINDS[13].frame
    list(venue.parse(frame([okx.ORDER | {"state": "A_NEW_WORD"}])) or ())
    assert "state 'A_NEW_WORD': expected one of live" in venue.set_aside.text()
    list(venue.parse(frame([okx.ORDER])) or ())
    assert not venue.set_aside


def _is_none_of_ours(kind: Kind, row: Any) -> bool:
    """Whether a row is another asset's, another position mode's or an execution that is no trade."""
    if kind.name == "balance":
        return row.get({"binance": "a", "bitget": "marginCoin", "gate": "currency"}.get(kind.venue, "coin")) != "USDT"
    if kind.name == "position":
        return any(row.get(field) not in (None, kind.row[field]) for field in ("ps", "posSide", "mode") if field in row)
    return False
