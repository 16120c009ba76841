"""Bitget's words: channels, parameters, checksums, and a code for every refusal."""

from __future__ import annotations

from decimal import Decimal

import pytest

from opensqt.simulator.dialects.base import ErrorReply
from opensqt.simulator.dialects.bitget import errors, formats, parameters, subscriptions
from opensqt.simulator.dialects.bitget.market_streams import checksum
from opensqt.simulator.engine.order import RefusalReason
from opensqt.simulator.settings import SimulatorSettings, SymbolSettings

FUTURES = {"instType": "USDT-FUTURES", "instId": "BTCUSDT"}
CHECKSUM = -229746643


def rules(**more: str) -> SymbolSettings:
    return SimulatorSettings().symbols[0].model_copy(update={name: Decimal(value) for name, value in more.items()})


@pytest.mark.parametrize(
    ("name", "kind", "levels", "fault_name"),
    [
        ("ticker", "ticker", 0, "price"),
        ("trade", "trade", 0, "trades"),
        ("books", "books", 0, "depth"),
        ("books1", "books1", 1, "price"),
        ("books15", "books15", 15, "depth"),
        ("candle1m", "candle", 0, "kline"),
        ("candle1Dutc", "candle", 0, "kline"),
        ("orders", "orders", 0, "orders"),
        ("fill", "fill", 0, "orders"),
        ("positions", "positions", 0, "positions"),
        ("account", "account", 0, "account"),
    ],
)
def test_a_channel_is_read(name: str, kind: str, levels: int, fault_name: str) -> None:
    channel = subscriptions.parse(FUTURES | {"channel": name})
    assert channel is not None
    assert (channel.kind, channel.levels, channel.fault_name) == (kind, levels, fault_name)


@pytest.mark.parametrize("name", ["", "dance", "books7", "candle", "candle7m", "candle1Y"])
def test_what_is_no_channel_is_none(name: str) -> None:
    """A day that begins at UTC+8 is none either: it is not simulated."""
    assert subscriptions.parse(FUTURES | {"channel": name}) is None
    assert subscriptions.parse({"instType": "SPOT", "channel": "ticker", "instId": "BTCUSDT"}) is None


@pytest.mark.parametrize("reason", list(RefusalReason))
def test_every_refusal_has_a_code(reason: RefusalReason) -> None:
    error = errors.of_reason(reason, "5")
    assert error.status == 400
    assert len(error.code) == 5
    assert "{" not in error.message


@pytest.mark.parametrize("text", ["NaN", "Infinity", "1e5", "0x1", "1,5", "-1"])
def test_a_number_is_plain_digits(text: str) -> None:
    with pytest.raises(ErrorReply) as refused:
        parameters.decimal({"price": text}, "price")
    assert refused.value.code == "40020"


def test_a_checksum_is_that_of_the_documents_way_to_write_a_book() -> None:
    """The value is the signed CRC-32 of `43231.1:4:43232.8:9:43231.0:6:43232.9:8`, worked out by another program."""
    coarse = rules(price_step="0.1", quantity_step="1")
    bids = [(Decimal("43231.1"), Decimal(4)), (Decimal(43231), Decimal(6))]
    asks = [(Decimal("43232.8"), Decimal(9)), (Decimal("43232.9"), Decimal(8))]
    assert checksum(bids, asks, coarse) == CHECKSUM
    assert checksum(bids[:1], asks, coarse) != CHECKSUM


@pytest.mark.parametrize(("step", "place", "end"), [("0.10", "2", "10"), ("0.5", "1", "5"), ("1", "0", "1")])
def test_a_price_step_is_written_in_units_of_its_last_place(step: str, place: str, end: str) -> None:
    row = formats.contract(rules(price_step=step), SimulatorSettings(), "normal")
    assert (row["pricePlace"], row["priceEndStep"]) == (place, end)
