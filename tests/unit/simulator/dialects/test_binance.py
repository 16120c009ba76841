"""Binance's words: stream names, parameters, numbers as text, and a code for every refusal."""

from __future__ import annotations

from decimal import Decimal

import orjson
import pytest

from opensqt.simulator.dialects import decimals
from opensqt.simulator.dialects.base import ErrorReply
from opensqt.simulator.dialects.binance import errors, parameters, subscriptions
from opensqt.simulator.engine.order import RefusalReason
from opensqt.simulator.sockets import garbled, with_unknown_field

DAY_MS = 86_400_000


@pytest.mark.parametrize(
    ("name", "kind", "symbol", "every_ms", "category"),
    [
        ("btcusdt@bookTicker", "bookTicker", "BTCUSDT", 0, "public"),
        ("btcusdt@depth", "depth", "BTCUSDT", 250, "public"),
        ("btcusdt@depth@100ms", "depth", "BTCUSDT", 100, "public"),
        ("btcusdt@trade", "trade", "BTCUSDT", 0, "public"),
        ("btcusdt@aggTrade", "aggTrade", "BTCUSDT", 0, "market"),
        ("btcusdt@markPrice", "markPrice", "BTCUSDT", 3000, "market"),
        ("btcusdt@markPrice@1s", "markPrice", "BTCUSDT", 1000, "market"),
        ("!markPrice@arr", "markPrice", "", 3000, "market"),
        ("!markPrice@arr@1s", "markPrice", "", 1000, "market"),
        ("!miniTicker@arr", "miniTicker", "", 1000, "market"),
        ("!bookTicker", "bookTicker", "", 0, "public"),
        ("btcusdt@kline_1m", "kline", "BTCUSDT", 250, "market"),
    ],
)
def test_a_stream_name_is_read(name: str, kind: str, symbol: str, every_ms: int, category: str) -> None:
    stream = subscriptions.parse(name)
    assert stream is not None
    assert (stream.kind, stream.symbol, stream.every_ms, stream.category) == (kind, symbol, every_ms, category)


def test_a_partial_book_names_its_levels() -> None:
    stream = subscriptions.parse("btcusdt@depth20@100ms")
    assert stream is not None
    assert (stream.levels, stream.every_ms) == (20, 100)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "0",
        "btcusdt",
        "btcusdt@dance",
        "btcusdt@kline",
        "btcusdt@kline_7m",
        "btcusdt@depth@7ms",
        "btcusdt@trade5",
        "!kline@arr",
    ],
)
def test_what_is_no_stream_name_is_none(name: str) -> None:
    assert subscriptions.parse(name) is None


@pytest.mark.parametrize("reason", list(RefusalReason))
def test_every_refusal_has_a_code(reason: RefusalReason) -> None:
    error = errors.of_reason(reason)
    assert error.status == 400
    assert int(error.code) < 0
    assert error.message


@pytest.mark.parametrize("text", ["NaN", "Infinity", "1e5", "0x1", "1,5", "--1"])
def test_a_number_is_plain_digits(text: str) -> None:
    with pytest.raises(ErrorReply) as refused:
        parameters.decimal({"price": text}, "price")
    assert refused.value.code == "-1100"


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({}, (3 * DAY_MS, 10 * DAY_MS)),
        ({"startTime": "5"}, (5, 5 + 7 * DAY_MS)),
        ({"endTime": str(8 * DAY_MS)}, (DAY_MS, 8 * DAY_MS)),
        ({"startTime": "5", "endTime": "9"}, (5, 9)),
    ],
)
def test_a_window_of_time_is_seven_days_at_most(params: dict[str, str], expected: tuple[int, int]) -> None:
    assert parameters.window(params, longest_ms=7 * DAY_MS, now_ms=10 * DAY_MS) == expected


@pytest.mark.parametrize(("end", "code"), [("1", "-1023"), (str(8 * DAY_MS), "-4165")])
def test_a_window_of_time_that_is_wrong_is_refused(end: str, code: str) -> None:
    with pytest.raises(ErrorReply) as refused:
        parameters.window({"startTime": "5", "endTime": end}, longest_ms=7 * DAY_MS, now_ms=0)
    assert refused.value.code == code


def test_numbers_are_written_without_exponent_and_without_loss() -> None:
    assert decimals.exact(Decimal("1E+3")) == "1000"
    assert decimals.exact(Decimal("0.000000002")) == "0.000000002"
    assert decimals.rounded(Decimal(1) / Decimal(3)) == "0.33333333"


def test_an_unknown_field_is_put_into_a_wrapped_frame_too() -> None:
    frame = b'{"stream":"x","data":{"e":"trade"}}'
    assert "newField" in orjson.loads(with_unknown_field(frame))["data"]


def test_a_garbled_frame_keeps_its_shape_and_loses_its_numbers() -> None:
    frame = b'{"e":"bookTicker","u":7,"b":"45000.10","levels":[["1.5","NEW"]]}'
    expected = {"e": "bookTicker", "u": 7, "b": "garbled", "levels": [["garbled", "NEW"]]}
    assert orjson.loads(garbled(frame)) == expected
