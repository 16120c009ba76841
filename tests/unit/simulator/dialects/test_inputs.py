"""Never yes without doing: what a dialect takes, it acts upon, and it refuses what the simulator has not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from opensqt.simulator.dialects import DIALECTS
from opensqt.simulator.dialects.base import Call, ErrorReply
from opensqt.simulator.dialects.inputs import Handling
from opensqt.simulator.dialects.okx.errors import RowRefused
from opensqt.simulator.unsupported import document
from tests.unit.simulator.dialects import binance_calls, bitget_calls, bybit_calls, gate_calls, okx_calls
from tests.unit.simulator.dialects.asking import Asker

CALLS: dict[str, Callable[[Asker], None]] = {
    "binance": binance_calls.make,
    "gate": gate_calls.make,
    "okx": okx_calls.make,
    "bitget": bitget_calls.make,
    "bybit": bybit_calls.make,
}
VENUES = sorted(CALLS)
NAMED_BY_PATH = {("POST /api/v4/futures/usdt/batch_amend_orders", name) for name in ("order_id", "text")}
"""Fields of an item that name what the single call has in its path."""
DOCS = Path(__file__).resolve().parents[4] / "docs"


@pytest.fixture
def asker(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Asker:
    return Asker(request.param, monkeypatch)


def of_venues(*names: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("asker", names or VENUES, indirect=True)


@of_venues()
def test_every_endpoint_declares_what_it_takes(asker: Asker) -> None:
    served = {f"{route.method} {route.path}" for route in asker.dialect.routes()}
    assert served == set(asker.dialect.inputs.endpoints)


@of_venues()
async def test_what_is_declared_as_done_is_read_by_its_handler(asker: Asker) -> None:
    """A parameter that is taken and never read is a yes without doing."""
    CALLS[asker.dialect.name](asker)
    assert asker.unread() == {}


@of_venues()
def test_what_is_not_done_says_why(asker: Asker) -> None:
    for takes in asker.dialect.inputs.endpoints.values():
        for field in (*takes.fields, *takes.items):
            assert bool(field.reason) is (field.handling is not Handling.DONE or bool(field.values)), field


@of_venues()
def test_an_item_of_a_batch_takes_what_the_single_call_takes(asker: Asker) -> None:
    """So that the proof of the single call holds for the batch."""
    for endpoint, takes in asker.dialect.inputs.endpoints.items():
        single = [set(other.fields) for other in asker.dialect.inputs.endpoints.values()]
        items = {field for field in takes.items if (endpoint, field.name) not in NAMED_BY_PATH}
        assert not items or any(items <= fields for fields in single), endpoint


@of_venues("binance")
def test_binance_refuses_a_parameter_that_it_does_not_know(asker: Asker) -> None:
    with pytest.raises(ErrorReply, match=r"-1104: Not all sent parameters were read; read '1'.*was sent '2'"):
        asker.ask("GET /fapi/v1/openOrders", symbol="BTCUSDT", color="red")


@of_venues("binance")
def test_binance_refuses_a_value_that_is_not_simulated(asker: Asker) -> None:
    order = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "1"}
    with pytest.raises(ErrorReply, match=r"-1020.*selfTradePreventionMode EXPIRE_BOTH"):
        asker.ask("POST /fapi/v1/order", **order, selfTradePreventionMode="EXPIRE_BOTH")


@of_venues("binance")
def test_an_item_of_a_batch_is_refused_alone(asker: Asker) -> None:
    good = '{"symbol":"BTCUSDT","side":"BUY","type":"MARKET","quantity":"0.010"}'
    placed, refused = asker.ask("POST /fapi/v1/batchOrders", batchOrders=f'[{good},{good[:-1]},"color":"red"}}]')
    assert placed["orderId"]
    assert refused["code"] == -1104


def test_every_venue_is_here() -> None:
    assert set(CALLS) == set(DIALECTS)


@of_venues("okx")
def test_okx_refuses_an_order_in_a_row(asker: Asker) -> None:
    order = {"instId": "BTC-USDT-SWAP", "tdMode": "cross", "side": "buy", "ordType": "market", "sz": "1"}
    more = order | {"clOrdId": "a1", "attachAlgoOrds": [{"slTriggerRatio": "0.1"}]}
    with pytest.raises(RowRefused, match=r"50062.*attachAlgoOrds.slTriggerRatio 0.1") as refused:
        asker.ask("POST /api/v5/trade/order", more)
    assert refused.value.row["clOrdId"] == "a1"
    answer = asker.ask("POST /api/v5/trade/batch-orders", [order, more])
    assert [row["sCode"] for row in answer["data"]] == ["0", "50062"]


@of_venues("binance")
def test_a_request_over_a_websocket_is_checked_too(asker: Asker) -> None:
    route = asker.dialect.route("POST", "/fapi/v1/order")
    assert route is not None
    call = Call(route, {"symbol": "BTCUSDT", "color": "red"}, "", "", {}, "", route.path, "sim-key", "sim-key")
    with pytest.raises(ErrorReply, match="-1104"):
        asker.dialect.content(call)


@of_venues("okx")
def test_an_order_after_its_deadline_is_refused(asker: Asker) -> None:
    order = {"instId": "BTC-USDT-SWAP", "tdMode": "cross", "side": "buy", "ordType": "market", "sz": "1"}
    now = asker.engine.clock.server_ms()
    late, early = {"expTime": str(now - 1000)}, {"expTime": str(now + 60_000)}
    assert asker.ask("POST /api/v5/trade/order", order, headers=early)["code"] == "0"
    with pytest.raises(RowRefused, match="51149"):
        asker.ask("POST /api/v5/trade/order", order, headers=late)
    with pytest.raises(ErrorReply, match="51149"):
        asker.ask("POST /api/v5/trade/batch-orders", [order], headers=late)
    assert len(asker.engine.orders("sim-key")) == 1


@of_venues("bybit")
async def test_bybit_takes_the_price_of_a_level_of_the_book(asker: Asker) -> None:
    order = {"category": "linear", "symbol": "BTCUSDT", "side": "Sell", "orderType": "Limit", "qty": "0.010"}
    asks = asker.engine.book("BTCUSDT", 5).asks
    asker.ask("POST /v5/order/create", {**order, "bboSideType": "Queue", "bboLevel": "3"})
    (placed,) = asker.engine.open_orders("sim-key")
    assert placed.price == asks[2][0]


@of_venues("bybit")
async def test_bybit_refuses_a_stop_in_an_amendment_and_an_item_alone(asker: Asker) -> None:
    order = {"category": "linear", "symbol": "BTCUSDT", "side": "Buy", "orderType": "Market", "qty": "0.010"}
    request = [order, order | {"slippageTolerance": "1"}]
    answer = asker.ask("POST /v5/order/create-batch", {"category": "linear", "request": request})
    assert [row["code"] for row in answer["retExtInfo"]["list"]] == [0, 10001]
    with pytest.raises(ErrorReply, match=r"10001.*stopLoss 40000"):
        asker.ask("POST /v5/order/amend", {**order, "orderId": "1", "stopLoss": "40000"})


@of_venues("gate")
def test_gate_refuses_what_it_took_and_did_not_do(asker: Asker) -> None:
    order = {"contract": "BTC_USDT", "size": 5, "price": "0", "tif": "ioc"}
    with pytest.raises(ErrorReply, match=r"INVALID_PARAM_VALUE.*iceberg 2"):
        asker.ask("POST /api/v4/futures/usdt/orders", {**order, "iceberg": 2})
    items = asker.ask("POST /api/v4/futures/usdt/batch_orders", [order, {**order, "stp_act": "cb"}])
    assert [item["succeeded"] for item in items] == [True, False]
    with pytest.raises(ErrorReply, match="INVALID_PARAM_VALUE"):
        asker.ask("DELETE /api/v4/futures/usdt/orders", contract="BTC_USDT", side="both")


@of_venues("bitget")
def test_bitget_refuses_what_it_took_and_did_not_do(asker: Asker) -> None:
    where = {"symbol": "BTCUSDT", "productType": "USDT-FUTURES", "marginCoin": "USDT", "marginMode": "crossed"}
    order = {"size": "0.010", "side": "buy", "orderType": "market"}
    with pytest.raises(ErrorReply, match=r"40053.*stpMode cancel_taker"):
        asker.ask("POST /api/v2/mix/order/place-order", {**where, **order, "stpMode": "cancel_taker"})
    batch = {**where, "orderList": [order, {**order, "stpMode": "cancel_both"}]}
    answer = asker.ask("POST /api/v2/mix/order/batch-place-order", batch)["data"]
    assert [len(answer[name]) for name in ("successList", "failureList")] == [1, 1]
    unified = {"category": "USDT-FUTURES", "symbol": "BTCUSDT", "qty": "0.010", "side": "buy"}
    with pytest.raises(ErrorReply, match=r"40053.*timeInForce rpi"):
        asker.ask("POST /api/v3/trade/place-order", {**unified, "orderType": "market", "timeInForce": "rpi"})


@of_venues("okx")
def test_what_a_venue_ignores_is_ignored_and_listed(asker: Asker) -> None:
    asker.ask("GET /api/v5/market/ticker", instId="BTC-USDT-SWAP", color="red")
    assert asker.dialect.ignored_inputs == {"GET /api/v5/market/ticker: color": 1}


def test_the_documents_have_the_table() -> None:
    """`exchange-simulator --exchange all --unsupported > docs/simulator-unsupported.md` renews it."""
    assert (DOCS / "simulator-unsupported.md").read_text() == document()
