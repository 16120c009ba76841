"""Who may call the simulated Bybit, how often, and how its streams are opened, refused and kept alive."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import aiohttp
import pytest

from opensqt.model.order import Side
from opensqt.simulator.faults import Fault
from opensqt.simulator.settings import AccountSettings, ServerRules
from tests.service.bybit_clients import bybit, until
from tests.service.venue_clients import below

OPEN = "/v5/order/realtime"
LINEAR = {"category": "linear", "symbol": "BTCUSDT"}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"key": "nobody"}, 10003),
        ({"secret": "wrong"}, 10004),
        ({"skew_ms": -6000}, 10002),
        ({"skew_ms": 2000}, 10002),
    ],
)
async def test_a_call_that_is_not_signed_right_is_refused(change: dict[str, Any], code: int) -> None:
    async with bybit() as (_, bare):
        for name, value in change.items():
            setattr(bare, name, value)
        status, body, _ = await bare.get(OPEN, **LINEAR)
        assert (status, body["retCode"]) == (200, code)


async def test_a_private_call_without_a_signature_is_refused() -> None:
    async with bybit() as (_, bare):
        assert (await bare.get(OPEN, signed=False, **LINEAR))[1]["retCode"] == 10007


async def test_a_clock_that_the_script_skews_refuses_timestamps() -> None:
    """F24: a clock that drifts or jumps does not stop trading unnoticed."""
    async with bybit() as (simulator, bare):
        simulator.market.clock.skew_ms = 8000
        assert (await bare.get(OPEN, **LINEAR))[1]["retCode"] == 10002
        bare.skew_ms = 8000
        assert (await bare.get(OPEN, **LINEAR))[1]["retCode"] == 0


async def test_every_answer_tells_the_endpoints_limit_and_too_many_calls_are_refused() -> None:
    """F16: the venue's limits are kept, no ban follows, and cancels still pass."""
    async with bybit(server=ServerRules(orders_per_10s=30)) as (simulator, bare):
        clock = simulator.market.clock
        clock.skew_ms = bare.skew_ms = 100 - clock.server_ms() % 1000
        answers = [await bare.post("/v5/order/cancel", **LINEAR, orderId="1") for _ in range(4)]
        assert [body["retCode"] for _, body, _ in answers] == [110001, 110001, 110001, 10006]
        assert [headers["X-Bapi-Limit-Status"] for _, _, headers in answers] == ["2", "1", "0", "0"]
        refused = answers[-1][2]
        assert refused["X-Bapi-Limit"] == "3"
        assert int(refused["X-Bapi-Limit-Reset-Timestamp"]) > clock.server_ms() - 1000


async def test_the_orders_of_a_batch_count_one_by_one() -> None:
    async with bybit(server=ServerRules(orders_per_10s=30)) as (simulator, bare):
        order = {"symbol": "BTCUSDT", "side": "Buy", "orderType": "Limit", "qty": "0.01", "price": "40000"}
        _, body, _ = await bare.post("/v5/order/create-batch", category="linear", request=[order] * 4)
        assert body["retCode"] == 10006
        assert simulator.engine.orders("sim-key") == []


async def test_an_address_that_asks_too_often_is_shut_out() -> None:
    """F16: the venue's limits are kept, no ban follows, and cancels still pass."""
    async with bybit(server=ServerRules(weight_per_minute=60, ban_ms=60_000)) as (simulator, bare):
        clock = simulator.market.clock
        clock.skew_ms = bare.skew_ms = 100 - clock.server_ms() % 5000
        for _ in range(5):
            assert (await bare.get("/v5/market/time", signed=False))[0] == 200
        async with bare.session.get(f"{bare.url}/v5/market/time") as response:
            assert (response.status, await response.text()) == (403, "403 access too frequent")


async def test_a_key_without_the_right_to_trade_can_look_and_not_order() -> None:
    """F34: a key that can withdraw, or can't trade, is reported before the first order."""
    account = AccountSettings(may_trade=False, may_withdraw=True)
    async with bybit(accounts=(account,)) as (simulator, bare):
        assert (await bare.limit("Buy", below(simulator)))["retCode"] == 10005
        _, body, _ = await bare.get("/v5/user/query-api")
        assert body["result"]["readOnly"] == 1
        assert "Withdraw" in body["result"]["permissions"]["Wallet"]


async def test_one_order_is_asked_for_under_an_operation_of_its_own() -> None:
    async with bybit() as (simulator, bare):
        simulator.faults.add(Fault(kind="error_before", on="get_order", times=0))
        assert (await bare.get(OPEN, **LINEAR))[0] == 200
        assert (await bare.get(OPEN, **LINEAR, orderId="1"))[0] == 503


async def test_an_order_that_is_hidden_is_in_no_answer() -> None:
    """F1: an order is never sent twice, nor lost from sight, when a reply is lost."""
    async with bybit() as (simulator, bare):
        simulator.faults.add(Fault(kind="hide_orders", for_ms=60_000))
        placed = await bare.limit("Buy", below(simulator))
        for query in ({}, {"orderId": placed["result"]["orderId"]}):
            assert (await bare.get(OPEN, **LINEAR, **query))[1]["result"]["list"] == []


async def test_a_timeout_of_the_venue_leaves_the_order_behind() -> None:
    """F1: an order is never sent twice, nor lost from sight, when a reply is lost."""
    async with bybit() as (simulator, bare):
        simulator.faults.add(Fault(kind="timeout_unknown", on="place_order"))
        assert (await bare.limit("Buy", below(simulator)))["retCode"] == 10000
        assert len(simulator.engine.open_orders("sim-key")) == 1


@pytest.mark.parametrize("number", ["7", 7])
async def test_a_ping_is_answered_in_text(number: str | int) -> None:
    """The venue answers with the id as text, also where it was sent a number, as ccxt does."""
    async with bybit() as (_, bare):
        public, private = await bare.listen(), await bare.listen(private=True)
        for socket in (public, private):
            await socket.send_json({"op": "ping", "req_id": number})
        assert (await public.receive_json(timeout=60))["ret_msg"] == "pong"
        answer = await private.receive_json(timeout=60)
        assert (answer["op"], answer["req_id"]) == ("pong", "7")


async def test_nothing_private_is_heard_before_the_login() -> None:
    async with bybit() as (_, bare):
        socket = await bare.session.ws_connect(f"{bare.url}/v5/private")
        await socket.send_json({"op": "subscribe", "args": ["order"]})
        assert (await socket.receive_json(timeout=60))["success"] is False


@pytest.mark.parametrize(
    "login", [["nobody", "9999999999999", "x"], ["sim-key", "9999999999999", "x"], ["sim-key", "1", "x"], []]
)
async def test_a_bad_login_is_refused(login: list[str]) -> None:
    async with bybit() as (_, bare):
        socket = await bare.session.ws_connect(f"{bare.url}/v5/private")
        await socket.send_json({"op": "auth", "args": login})
        answer = await socket.receive_json(timeout=60)
        assert (answer["op"], answer["success"]) == ("auth", False)


@pytest.mark.parametrize("name", ["orderbook.7.BTCUSDT", "tickers.NOPEUSDT", "kline.2.BTCUSDT", "order", "nonsense"])
async def test_a_topic_that_is_none_is_refused(name: str) -> None:
    async with bybit() as (_, bare):
        socket = await bare.listen()
        await socket.send_json({"op": "subscribe", "req_id": "1", "args": [name]})
        answer = await socket.receive_json(timeout=60)
        assert (answer["success"], answer["req_id"], name in answer["ret_msg"]) == (False, "1", True)


async def test_the_best_prices_come_as_a_snapshot_and_then_as_differences() -> None:
    async with bybit(clock="manual") as (simulator, bare):
        socket = await bare.listen("orderbook.1.BTCUSDT")
        first = await until(socket, "orderbook.1.BTCUSDT")
        bid, ask = first["data"]["b"][0], first["data"]["a"][0]
        simulator.market.send_outside_order("BTCUSDT", Side.BUY, Decimal(ask[1]))
        delta = await until(socket, "orderbook.1.BTCUSDT")
        assert (first["type"], delta["type"], delta["data"]["u"]) == ("snapshot", "delta", first["data"]["u"] + 1)
        assert delta["data"]["b"] == []
        assert [ask[0], "0.000"] in delta["data"]["a"]
        assert Decimal(bid[0]) < Decimal(ask[0])


async def test_the_best_prices_are_told_again_when_nothing_changed_for_three_seconds() -> None:
    async with bybit(clock="manual") as (_, bare):
        socket = await bare.listen("orderbook.1.BTCUSDT")
        first, again = [await until(socket, "orderbook.1.BTCUSDT") for _ in range(2)]
        assert (again["type"], again["data"]) == ("snapshot", first["data"])


async def test_one_moment_is_told_in_one_frame_a_topic() -> None:
    """A market order is told as what became of it, with an execution for each trade."""
    async with bybit() as (_, bare):
        socket = await bare.listen("order.linear", "execution.linear", private=True)
        placed = await bare.limit("Buy", 0, orderType="Market")
        executions = await until(socket, "execution.linear")
        orders = await until(socket, "order.linear")
        assert [row["orderStatus"] for row in orders["data"]] == ["Filled"]
        assert {row["orderId"] for row in executions["data"]} == {placed["result"]["orderId"]}
        assert sum(Decimal(row["execQty"]) for row in executions["data"]) == Decimal("0.010")


async def test_an_unsubscribed_topic_is_silent() -> None:
    async with bybit(clock="manual") as (simulator, bare):
        socket = await bare.listen("publicTrade.BTCUSDT", "tickers.BTCUSDT")
        await until(socket, "tickers.BTCUSDT")
        await socket.send_json({"op": "unsubscribe", "req_id": "2", "args": ["publicTrade.BTCUSDT"]})
        assert (await socket.receive_json(timeout=60))["success"] is True
        simulator.market.send_outside_order("BTCUSDT", Side.BUY, Decimal("0.1"))
        assert (await socket.receive_json(timeout=60))["topic"] == "tickers.BTCUSDT"


async def test_funding_is_listed_among_the_executions_and_is_no_trade() -> None:
    just_before = 1_700_006_400_000 - 2000
    async with bybit(clock="manual", start_ms=just_before) as (simulator, bare):
        await bare.limit("Buy", 0, orderType="Market")
        await simulator.advance(3000)
        bare_rows = (await bare.get("/v5/execution/list", **LINEAR))[1]["result"]["list"]
        assert bare_rows[0]["execType"] == "Funding"
        paid = simulator.engine.funding_payments("sim-key")[0]
        assert Decimal(bare_rows[0]["execFee"]) == -paid.amount


async def test_the_log_of_money_tells_what_a_closing_trade_earned() -> None:
    async with bybit(clock="manual") as (simulator, bare):
        await bare.limit("Buy", 0, orderType="Market")
        await bare.limit("Sell", 0, orderType="Market")
        rows = (await bare.get("/v5/account/transaction-log", category="linear", type="TRADE"))[1]["result"]["list"]
        told = {row["tradeId"]: Decimal(row["cashFlow"]) for row in rows}
        assert told == {fill.trade_id: fill.realized_pnl for fill in simulator.engine.fills("sim-key")}


async def test_a_path_that_is_none_is_not_found() -> None:
    async with bybit() as (_, bare):
        status, body, _ = await bare.get("/v5/order/amend")
        assert (status, body["retCode"]) == (404, 10017)
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await bare.session.ws_connect(f"{bare.url}/v5/public/spot")


async def test_a_topic_that_nobody_knows_can_be_scripted() -> None:
    """F25: one unknown field or value never stops a stream."""
    async with bybit(clock="manual") as (simulator, bare):
        simulator.faults.add(Fault(kind="unknown_field", channel="ticker"))
        socket = await bare.listen("tickers.BTCUSDT")
        strange, known = [await socket.receive_json(timeout=60) for _ in range(2)]
        assert (strange["topic"], known["topic"]) == ("somethingNew", "tickers.BTCUSDT")
        assert "newField" in known["data"]
