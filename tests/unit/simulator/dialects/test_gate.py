"""Gate's words: a label for every refusal, parameters, sizes in contracts, times in seconds."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import orjson
import pytest

from opensqt.model.order import OrderStatus, OrderType, PositionSide, Side, TimeInForce
from opensqt.simulator.dialects.base import ErrorReply, Route
from opensqt.simulator.dialects.gate import errors, formats, parameters
from opensqt.simulator.engine.order import ClosingReason, RefusalReason, SimOrder
from opensqt.simulator.settings import SimulatorSettings, SymbolSettings
from opensqt.simulator.sockets import unknown_event


def rules(step: str = "0.001") -> SymbolSettings:
    (bitcoin, _) = SimulatorSettings().symbols
    return bitcoin.model_copy(update={"quantity_step": Decimal(step)})


def an_order(**fields: Any) -> SimOrder:
    usual: dict[str, Any] = {
        "account": "a", "order_id": "7", "client_order_id": "mine", "symbol": "BTCUSDT", "side": Side.SELL,
        "position_side": PositionSide.BOTH, "order_type": OrderType.LIMIT, "time_in_force": TimeInForce.GTC,
        "reduce_only": False, "price": Decimal("45000.10"), "quantity": Decimal("0.010"), "status": OrderStatus.OPEN,
    }  # fmt: skip
    return SimOrder(**(usual | fields))


@pytest.mark.parametrize("reason", list(RefusalReason))
def test_every_refusal_has_a_label(reason: RefusalReason) -> None:
    error = errors.of_reason(reason)
    assert error.status in (400, 404)
    assert error.code.replace("_", "").isupper()
    assert error.message


@pytest.mark.parametrize("text", ["NaN", "1e5", "0x1", "1,5", "--1", "Infinity", "٣"])
def test_a_number_is_plain_digits(text: str) -> None:
    with pytest.raises(ErrorReply) as refused:
        parameters.decimal({"size": text}, "size")
    assert refused.value.code == "INVALID_PARAM_VALUE"


@pytest.mark.parametrize("body", ["", "[]", "{", "null", "[1,2,3]"])
def test_a_body_is_an_object_or_a_list_of_the_right_length(body: str) -> None:
    for read in (parameters.json_object, lambda text: parameters.json_list(text, 2)):
        with pytest.raises(ErrorReply):
            read(body)


def test_seconds_become_milliseconds_and_back() -> None:
    assert parameters.seconds({"from": "1637384600.08"}, "from") == 1637384600080
    assert parameters.seconds({}, "from") is None
    assert orjson.dumps(formats.seconds(1637384600008)) == b"1637384600.008"


def test_a_page_is_what_limit_and_offset_ask_for() -> None:
    assert parameters.page(list(range(10)), {"limit": "3", "offset": "8"}) == [8, 9]


@pytest.mark.parametrize(("step", "quantity", "size"), [("0.001", "-0.010", -10), ("10", "500", 50), ("1000", "0", 0)])
def test_coins_are_written_as_signed_contracts(step: str, quantity: str, size: int) -> None:
    """F11: contracts are never taken for coins."""
    for as_text, written in ((False, size), (True, str(size))):
        assert formats.Sizes(as_text=as_text).of(Decimal(quantity), rules(step)) == written


@pytest.mark.parametrize(
    ("status", "reason", "finish_as"),
    [
        (OrderStatus.OPEN, ClosingReason.NONE, ""),
        (OrderStatus.FILLED, ClosingReason.NONE, "filled"),
        (OrderStatus.CANCELED, ClosingReason.NONE, "cancelled"),
        (OrderStatus.EXPIRED, ClosingReason.NOT_FILLED_AT_ONCE, "ioc"),
        (OrderStatus.EXPIRED, ClosingReason.SELF_TRADE, "stp"),
        (OrderStatus.EXPIRED, ClosingReason.REDUCE_ONLY, "reduce_only"),
        (OrderStatus.CANCELED, ClosingReason.LIQUIDATION, "cancelled"),
        (OrderStatus.EXPIRED, ClosingReason.LIQUIDATION, "liquidated"),
    ],
)
def test_how_an_order_ended_is_named(status: OrderStatus, reason: ClosingReason, finish_as: str) -> None:
    assert formats.finish_as(an_order(status=status, closing_reason=reason)) == finish_as


def test_an_order_is_written_with_its_sign_and_the_users_id() -> None:
    row = formats.order(an_order(), rules(), 20000001, SimulatorSettings(), formats.Sizes(as_text=True))
    assert (row["size"], row["left"], row["price"], row["text"]) == ("-10", "-10", "45000.10", "t-mine")
    assert "finish_as" not in row
    assert formats.text("7", "auto7") == "api"


def test_a_route_reads_its_parameters_from_the_path() -> None:
    route = Route("GET", "/orders/{order_id}", "get_order", lambda _call: None)
    assert route.arguments("/orders/t-1") == {"order_id": "t-1"}
    assert route.arguments("/orders") is None
    assert route.arguments("/positions/t-1") is None


def test_an_unknown_event_is_one_of_a_channel_that_nobody_knows() -> None:
    """F25: one unknown field or value never stops a stream."""
    frame = b'{"channel":"futures.orders","event":"update","result":[]}'
    assert orjson.loads(unknown_event(frame))["channel"] == "somethingNew"
