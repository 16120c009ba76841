"""The messages are those that users of the earlier systems read (PARITY 5)."""

from __future__ import annotations

from decimal import Decimal

import orjson
import pytest

from opensqt.live_server import messages
from opensqt.live_server.messages import Profit
from opensqt.model.order import ClosedBy, CloseReason, Fee, FillKind, OrderStatus, Side
from tests.support.live_server import candle
from tests.unit.live_server import builders


def sent(message: messages.PageMessage) -> dict[str, object]:
    text = orjson.loads(message.encode())
    assert set(text) == {"type", "data"}
    assert text["type"] == message.type
    data: dict[str, object] = text["data"]
    return data


def test_a_kline_has_whole_unix_seconds_and_decimal_strings():
    data = sent(messages.kline(candle(1_700_000_040_000, "3001.50")))
    assert data == {
        "time": 1_700_000_040,
        "open": "3000",
        "high": "3003.50",
        "low": "2998",
        "close": "3001.50",
        "volume": "12.5",
        "closed": True,
    }


def test_history_is_a_list_of_klines():
    data = sent(messages.history([candle(60_000), candle(120_000)]))
    assert [row["time"] for row in data] == [60, 120]


def test_an_account_tells_free_balance_and_margin_balance():
    data = sent(messages.account(builders.account(), "ETHUSDT"))
    assert data == {
        "asset": "USDT",
        "free": "9000.00",
        "balance": "10000.10",
        "marginBalance": "9998.60",
        "symbol": "ETHUSDT",
    }


def test_an_order_names_its_side_and_status_in_words():
    data = sent(messages.order(builders.order(side=Side.SELL)))
    listed = {key: data[key] for key in ("id", "price", "side", "status", "type", "symbol")}
    assert listed == {
        "id": "venue-a1",
        "price": "2999.50",
        "side": "SELL",
        "status": "OPEN",
        "type": "LIMIT",
        "symbol": "ETHUSDT",
    }


def test_an_order_is_known_by_one_key_before_and_after_the_venue_named_it():
    before = sent(messages.order(builders.order(status=OrderStatus.PENDING, order_id="")))
    after = sent(messages.order(builders.order()))
    assert before["clientOrderId"] == after["clientOrderId"] == "a1"
    assert before["id"] == "a1"


@pytest.mark.parametrize(("side", "order", "trade"), [(Side.BUY, "BUY", "buy"), (Side.SELL, "SELL", "sell")])
def test_an_order_has_its_side_in_capitals_and_a_trade_in_small_letters(side: Side, order: str, trade: str):
    fill = builders.fill("t1", side=side)
    assert sent(messages.order(builders.order(side=side)))["side"] == order
    assert sent(messages.trade_event(fill))["side"] == trade
    assert [one["side"] for one in orjson.loads(messages.trades([fill]).encode())["data"]] == [trade]


def test_a_trade_event_has_a_small_side_and_seconds():
    data = sent(messages.trade_event(builders.fill("t1", side=Side.SELL)))
    listed = {key: data[key] for key in ("side", "price", "amount", "symbol", "time")}
    assert listed == {
        "side": "sell",
        "price": "3000",
        "amount": "0.1",
        "symbol": "ETHUSDT",
        "time": 1_700_000_000,
    }


def test_a_position_is_valued_at_the_price_it_is_shown_with():
    now = builders.price("3009.90", "3010.10")
    data = sent(messages.position(builders.position("-0.5"), now, None))
    assert data["amount"] == "-0.5"
    assert data["currentPrice"] == "3010.00"
    assert Decimal(str(data["unrealizedPnL"])) == Decimal(-5)


def test_realized_profit_is_the_fills_profit_less_their_fees_and_says_since_when():
    """F36: not a count of sells, not a quantity times an interval."""
    profit = Profit(
        since_ms=86_400_000,
        realized=Decimal("12.50"),
        fees=Decimal("0.75"),
        other_fees={"BNB": Decimal("0.01")},
        volume=Decimal(3000),
        fills=4,
    )
    data = sent(messages.position(builders.position(), None, profit))
    assert data["realizedPnL"] == "11.75"
    assert data["realizedSince"] == 86_400
    assert data["otherFees"] == {"BNB": "0.01"}


def test_profit_that_is_not_known_is_not_shown_as_zero():
    """F36: the profit that is shown is the account's."""
    data = sent(messages.position(builders.position(), None, None))
    assert data["realizedPnL"] is None


def test_a_tiny_number_has_no_exponent():
    assert messages.plain(Decimal("1E-8")) == "0.00000001"
    assert messages.plain(Decimal("1E+3")) == "1000"


def test_a_risk_status_has_its_five_fields():
    data = sent(messages.risk_status("ETHUSDT", "venue", "critical", "down", 1_700_000_000_999))
    assert data == {
        "symbol": "ETHUSDT",
        "type": "venue",
        "severity": "critical",
        "message": "down",
        "timestamp": 1_700_000_000,
    }


def test_a_trade_has_its_kind_and_every_fee():
    """F36: a fee in another asset is shown in it."""
    fill = builders.fill("t1", fee=Decimal("0.5"), other_fees=(Fee("POINT", Decimal(2)),), kind=FillKind.LIQUIDATION)
    data = sent(messages.trade_event(fill))
    assert (data["fees"], data["kind"]) == ({fill.fee_asset: "0.5", "POINT": "2"}, "LIQUIDATION")


def test_an_order_that_ended_says_who_ended_it():
    ended = builders.order(
        status=OrderStatus.EXPIRED, closed_by=ClosedBy.VENUE, close_reason=CloseReason.LIQUIDATION, reason="near it"
    )
    data = sent(messages.order(ended))
    assert (data["closedBy"], data["closeReason"], data["reason"]) == ("VENUE", "LIQUIDATION", "near it")
