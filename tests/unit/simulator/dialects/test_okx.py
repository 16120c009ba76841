"""OKX's words: instruments, contracts, parameters, channels, pages, and a code for every refusal."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensqt.model.market import INTERVALS_MS
from opensqt.simulator import SimulatorSettings
from opensqt.simulator.clock import SimulatorClock
from opensqt.simulator.dialects.base import Call, ErrorReply, Route
from opensqt.simulator.dialects.okx import errors, parameters, replies, subscriptions
from opensqt.simulator.dialects.okx.instruments import Instruments, OkxInstrument, plain
from opensqt.simulator.dialects.okx.public import BARS
from opensqt.simulator.engine.engine import SimEngine
from opensqt.simulator.engine.order import RefusalReason
from opensqt.simulator.settings import SymbolSettings
from opensqt.simulator.sockets import garbled, unknown_event, with_unknown_field

NEW_COIN = SymbolSettings(
    symbol="NEWUSDT", base_asset="NEW", price_step="0.0001", quantity_step="10", min_quantity="10", start_price="0.5"
)


@pytest.fixture(scope="module")
def engine() -> SimEngine:
    settings = SimulatorSettings()
    settings = settings.model_copy(update={"symbols": (*settings.symbols, NEW_COIN)})
    return SimEngine(settings, SimulatorClock(manual=True))


@pytest.fixture(scope="module")
def instruments(engine: SimEngine) -> Instruments:
    return Instruments(engine)


@pytest.mark.parametrize(
    ("inst_id", "size", "lot", "least"),
    [
        ("BTC-USDT-SWAP", "0.01", "0.1", "0.1"),
        ("ETH-USDT-SWAP", "0.1", "0.01", "0.01"),
        ("NEW-USDT-SWAP", "100", "0.1", "0.1"),
    ],
)
def test_an_instrument_tells_its_sizes_in_contracts(
    instruments: Instruments, inst_id: str, size: str, lot: str, least: str
) -> None:
    """F11: contracts are never taken for coins."""
    row = instruments.get(inst_id).row()
    assert (row["instId"], row["ctVal"], row["lotSz"], row["minSz"]) == (inst_id, size, lot, least)


def test_an_instrument_tells_its_filters_as_they_are_now(instruments: Instruments, engine: SimEngine) -> None:
    """F23: price and quantity keep to the venue's steps and limits."""
    swap = instruments.get("NEW-USDT-SWAP")
    held = engine.state.instruments["NEWUSDT"]
    before = held.rules
    held.rules = before.model_copy(update={"price_step": Decimal("0.5")})
    assert swap.row()["tickSz"] == "0.5"
    held.rules = before


@given(steps=st.integers(min_value=0, max_value=10**12), size=st.integers(min_value=-4, max_value=3))
def test_coins_and_contracts_are_the_same_both_ways(steps: int, size: int) -> None:
    """F11: for every multiplier from 0.0001 to 1,000."""
    engine = SimEngine(SimulatorSettings(), SimulatorClock(manual=True))
    swap = OkxInstrument(engine, "BTCUSDT", Decimal(10) ** size)
    quantity = steps * Decimal("0.001")
    assert swap.coins(Decimal(swap.contracts(quantity))) == quantity


@pytest.mark.parametrize(
    ("value", "text"), [("0.010", "0.01"), ("100", "100"), ("1E+3", "1000"), ("0E-8", "0"), ("-1.50", "-1.5")]
)
def test_a_number_is_written_without_exponent_and_without_zeros_at_its_end(value: str, text: str) -> None:
    assert plain(Decimal(value)) == text


def test_an_unknown_instrument_is_refused(instruments: Instruments) -> None:
    with pytest.raises(ErrorReply, match="51001"):
        instruments.get("NOPE-USDT-SWAP")


@pytest.mark.parametrize("reason", list(RefusalReason))
def test_every_refusal_of_the_engine_has_a_code_and_words(reason: RefusalReason) -> None:
    error = errors.of_reason(reason)
    assert error.code.isdecimal()
    assert error.message


@pytest.mark.parametrize(("extra", "only_changes"), [(None, False), ("{}", False), ('{"updateInterval": "0"}', True)])
def test_a_subscription_says_whether_only_changes_are_sent(
    instruments: Instruments, extra: str | None, only_changes: bool
) -> None:
    arg = {"channel": "positions", "instType": "SWAP", "extraParams": extra}
    assert subscriptions.parse(arg, "private", instruments).only_changes is only_changes


@pytest.mark.parametrize("extra", ["x", "[]", '{"updateInterval": "2000"}'])
def test_an_interval_that_is_not_simulated_is_refused(instruments: Instruments, extra: str) -> None:
    with pytest.raises(ErrorReply, match="60012"):
        subscriptions.parse({"channel": "account", "extraParams": extra}, "private", instruments)


def test_a_bar_of_six_hours_or_more_begins_at_hong_kongs_hours_unless_it_is_said_otherwise() -> None:
    assert set(INTERVALS_MS) <= set(BARS.values())
    assert [BARS[name] for name in ("4H", "6H", "6Hutc", "1D", "1Dutc")] == ["4h", "6h+8", "6h", "1d+8", "1d"]


def test_rows_that_failed_make_the_answers_code() -> None:
    done, failed = {"sCode": "0"}, {"sCode": "51008"}
    codes = [replies.of_batch(rows).code for rows in ([done, done], [done, failed], [failed, failed])]
    assert codes == ["0", "2", "1"]


def test_a_refused_row_names_what_was_asked_for() -> None:
    error = errors.RowRefused("51008", "Insufficient margin", {"ordId": "", "clOrdId": "a1"})
    answer = orjson.loads(replies.write_error(error))
    assert answer["code"] == "1"
    assert answer["data"] == [{"ordId": "", "clOrdId": "a1", "sCode": "51008", "sMsg": "Insufficient margin"}]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, [9, 8, 7, 6, 5, 4, 3, 2, 1]),
        ({"limit": "3"}, [9, 8, 7]),
        ({"after": "7", "limit": "2"}, [6, 5]),
        ({"before": "7"}, [9, 8]),
        ({"after": "8", "before": "5"}, [7, 6]),
    ],
)
def test_a_page_is_older_than_after_and_newer_than_before(query: dict[str, str], found: list[int]) -> None:
    rows = list(range(9, 0, -1))
    assert parameters.page(rows, rows, query) == found


@pytest.mark.parametrize(("value", "read"), [(True, True), ("true", True), (False, False), ("", False), (None, False)])
def test_a_flag_is_read_as_json_and_as_text(value: Any, read: bool) -> None:
    assert parameters.boolean({"reduceOnly": value}, "reduceOnly") is read


@pytest.mark.parametrize("value", ["-1", "1e5", "NaN", "abc", "1.2.3"])
def test_a_size_that_is_no_number_is_named(value: str) -> None:
    with pytest.raises(ErrorReply, match="51000: Parameter sz error"):
        parameters.decimal({"sz": value}, "sz")


@pytest.mark.parametrize(("body", "items"), [("", 1), ("{}", 1), ("[{}, {}, {}]", 3), ("{", 1), ("[]", 1)])
def test_a_batch_counts_as_many_as_its_items(body: str, items: int) -> None:
    """F16: the venue's limits are kept, no ban follows, and cancels still pass."""
    route = Route("POST", "/", "batch_place", lambda _call: None)
    assert parameters.count(Call(route, {}, "", body, {}, "")) == items


def test_a_channel_tells_what_it_is(instruments: Instruments) -> None:
    arg = {"channel": "candle4H", "instId": "ETH-USDT-SWAP"}
    channel = subscriptions.parse(arg, "business", instruments)
    assert (channel.fine, channel.symbol, channel.interval, channel.private) == ("kline", "ETHUSDT", "4h", False)
    private = subscriptions.parse({"channel": "positions", "instType": "ANY"}, "private", instruments)
    assert (private.fine, private.symbol, private.private) == ("positions", "", True)


def test_the_same_subscription_has_the_same_topic_whatever_its_order(instruments: Instruments) -> None:
    one = subscriptions.parse({"channel": "bbo-tbt", "instId": "BTC-USDT-SWAP"}, "public", instruments)
    other = subscriptions.parse({"instId": "BTC-USDT-SWAP", "channel": "bbo-tbt"}, "public", instruments)
    assert one.topic == other.topic


def test_faults_change_the_channel_and_the_rows_of_a_frame() -> None:
    """F25: one unknown field or value never stops a stream."""
    row = {"ordId": "1", "sz": "2", "state": "live"}
    frame = orjson.dumps({"arg": {"channel": "orders", "instType": "SWAP"}, "data": [row]})
    assert orjson.loads(unknown_event(frame))["arg"] == {"channel": "somethingNew", "instType": "SWAP"}
    assert "newField" in orjson.loads(with_unknown_field(frame))["data"][0]
    assert orjson.loads(garbled(frame))["data"] == [row | {"ordId": "garbled", "sz": "garbled"}]
