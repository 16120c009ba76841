"""Bitget's plan orders on the simulator: triggers, take-profit and stop-loss of orders and positions, their channel."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import orjson
import pytest

from opensqt.model.order import Side
from opensqt.simulator import Simulator
from tests.service.conditional_orders import conditional, level, position, still, take
from tests.service.test_simulator_bitget_protocol import FUTURES, Bare, ask, login, signed
from tests.service.test_simulator_bitget_protocol import venue as bitget_venue

ORDER = "/api/v2/mix/order"
BTC = {"symbol": "BTCUSDT", "productType": FUTURES, "marginCoin": "USDT"}
PLAN = BTC | {"planType": "normal_plan", "marginMode": "crossed", "side": "sell", "orderType": "market"}
PLAN |= {"size": "0.01", "triggerType": "fill_price"}
TPSL = BTC | {"planType": "loss_plan", "holdSide": "buy", "size": "0.01", "triggerType": "fill_price"}
Venue = tuple[Simulator, Bare]


@pytest.fixture
async def venue() -> AsyncIterator[Venue]:
    """Nothing moves but what a test makes move."""
    async with bitget_venue() as (simulator, bare):
        still(simulator)
        yield simulator, bare


async def post(bare: Bare, name: str, **fields: Any) -> Any:
    path, body = f"{ORDER}/{name}", orjson.dumps(fields).decode()
    now = str(int(time.time() * 1000))
    headers = {"ACCESS-KEY": "sim-key", "ACCESS-PASSPHRASE": "sim-pass", "ACCESS-TIMESTAMP": now}
    headers |= {"ACCESS-SIGN": signed(f"{now}POST{path}{body}"), "Content-Type": "application/json"}
    async with bare.session.post(bare.url + path, data=body, headers=headers) as response:
        return await response.json()


async def pending(bare: Bare, plan: str, name: str = "orders-plan-pending") -> list[Any]:
    _, body, _ = await bare.get(f"{ORDER}/{name}?productType={FUTURES}&planType={plan}")
    return body["data"]["entrustedList"] or []


async def buy(bare: Bare, size: str = "0.01", **more: Any) -> Any:
    fields = BTC | {"marginMode": "crossed", "side": "buy", "orderType": "market", "size": size}
    return await post(bare, "place-order", **fields, **more)


async def test_a_preset_stop_loss_exists_and_sells(venue: Venue) -> None:
    """A stop-loss that was acknowledged with its order exists."""
    simulator, bare = venue
    stop = str(level(simulator, Side.BUY, 3))
    placed = await buy(bare, presetStopLossPrice=stop, presetStopSurplusPrice="50000")
    assert placed["code"] == "00000"
    rows = await pending(bare, "profit_loss")
    assert sorted((row["planType"], row["planStatus"]) for row in rows) == [
        ("loss_plan", "live"),
        ("profit_plan", "live"),
    ]
    _, body, _ = await bare.get(
        f"{ORDER}/detail?symbol=BTCUSDT&productType={FUTURES}&orderId={placed['data']['orderId']}"
    )
    assert body["data"]["presetStopLossPrice"] == stop
    take(simulator, Side.SELL, 5)
    assert position(simulator) == 0
    assert sorted(one["status"] for one in conditional(simulator)) == ["CANCELED", "TRIGGERED"]
    history = {row["planType"]: row for row in await pending(bare, "profit_loss", "orders-plan-history")}
    assert history["loss_plan"]["planStatus"] == "executed"
    _, body, _ = await bare.get(
        f"{ORDER}/detail?symbol=BTCUSDT&productType={FUTURES}&orderId={history['loss_plan']['executeOrderId']}"
    )
    assert body["data"]["orderSource"] == "loss_market"


async def test_the_channel_reports_live_executed_and_cancelled(venue: Venue) -> None:
    simulator, bare = venue
    async with bare.session.ws_connect(f"{bare.url}/v2/ws/private") as socket:
        assert (await ask(socket, "login", login()))["code"] == 0
        channel = {"instType": FUTURES, "channel": "orders-algo", "instId": "default"}
        assert (await ask(socket, "subscribe", channel))["event"] == "subscribe"
        await post(bare, "place-plan-order", **PLAN, triggerPrice=str(level(simulator, Side.BUY, 2)))
        second = (await post(bare, "place-plan-order", **PLAN, triggerPrice="40000", clientOid="mine"))["data"]
        take(simulator, Side.SELL, 4)
        named = {"symbol": "BTCUSDT", "productType": FUTURES, "orderIdList": [{"orderId": second["orderId"]}]}
        reply = await post(bare, "cancel-plan-order", **named)
        assert reply["data"]["successList"] == [{"orderId": second["orderId"], "clientOid": "mine"}]
        seen = [(await socket.receive_json(timeout=60))["data"][0]["status"] for _ in range(4)]
    assert seen == ["live", "live", "executed", "cancelled"]


async def test_the_stops_of_a_position_are_for_all_of_it_and_replaced(venue: Venue) -> None:
    simulator, bare = venue
    assert (await post(bare, "place-tpsl-order", **TPSL, triggerPrice="40000"))["code"] == "43023"
    await buy(bare, "0.03")
    whole = {name: value for name, value in TPSL.items() if name != "size"} | {"planType": "pos_loss"}
    await post(bare, "place-tpsl-order", **whole, triggerPrice="40000")
    await post(bare, "place-tpsl-order", **whole, triggerPrice=str(level(simulator, Side.BUY, 3)))
    assert [one["status"] for one in conditional(simulator)] == ["CANCELED", "WAITING"]
    take(simulator, Side.SELL, 5)
    assert position(simulator) == 0


async def test_both_stops_of_a_position_at_once_and_the_one_that_is_left_ends_with_it(venue: Venue) -> None:
    simulator, bare = venue
    await buy(bare)
    both = {"stopLossTriggerPrice": "40000", "stopSurplusTriggerPrice": str(level(simulator, Side.SELL, 3))}
    assert (await post(bare, "place-pos-tpsl", **BTC, holdSide="buy", **both))["code"] == "00000"
    take(simulator, Side.BUY, 5)
    assert sorted(one["status"] for one in conditional(simulator)) == ["EXPIRED", "TRIGGERED"]


async def test_a_trailing_plan_follows_and_a_plan_by_the_mark_ignores_prints(venue: Venue) -> None:
    simulator, bare = venue
    track = PLAN | {"planType": "track_plan", "callbackRatio": "1", "triggerPrice": "44000"}
    assert (await post(bare, "place-plan-order", **track))["code"] == "00000"
    by_mark = PLAN | {"triggerType": "mark_price", "triggerPrice": "44900"}
    await post(bare, "place-plan-order", **by_mark)
    simulator.engine.set_mark("BTCUSDT", Decimal(44900))
    assert [one["status"] for one in conditional(simulator)] == ["WAITING", "TRIGGERED"]
    (row,) = await pending(bare, "track_plan")
    assert (row["callbackRatio"], row["triggerPrice"]) == ("1", "44000.00")


async def test_plans_are_amended(venue: Venue) -> None:
    simulator, bare = venue
    placed = (await post(bare, "place-plan-order", **PLAN, triggerPrice="40000"))["data"]
    fields = BTC | {"orderId": placed["orderId"]}
    await post(bare, "modify-plan-order", **fields, newTriggerPrice="41000", newSize="0.02")
    await buy(bare)
    stop = (await post(bare, "place-tpsl-order", **TPSL, triggerPrice="40000"))["data"]
    await post(bare, "modify-tpsl-order", **BTC, orderId=stop["orderId"], triggerPrice="42000", size="0.005")
    rows = [(one["trigger_price"], one["quantity"]) for one in conditional(simulator)]
    assert rows == [("41000", "0.02"), ("42000", "0.005")]
    assert (await post(bare, "modify-plan-order", **BTC, orderId="1", newSize="1"))["code"] == "43025"


async def test_positions_are_closed_at_once(venue: Venue) -> None:
    simulator, bare = venue
    await buy(bare)
    reply = await post(bare, "close-positions", productType=FUTURES, symbol="BTCUSDT")
    assert (len(reply["data"]["successList"]), position(simulator)) == (1, 0)


async def test_without_a_position_there_is_none_to_close(venue: Venue) -> None:
    _, bare = venue
    assert (await post(bare, "close-positions", productType=FUTURES, symbol="BTCUSDT"))["code"] == "22002"


@pytest.mark.parametrize(
    ("name", "fields", "code"),
    [
        ("place-tpsl-order", TPSL | {"triggerPrice": "50000"}, "40917"),
        ("place-tpsl-order", TPSL | {"planType": "profit_plan", "triggerPrice": "40000"}, "40915"),
        ("place-tpsl-order", TPSL | {"planType": "nothing", "triggerPrice": "40000"}, "40020"),
        ("place-tpsl-order", TPSL | {"holdSide": "up", "triggerPrice": "40000"}, "40020"),
        ("place-tpsl-order", TPSL | {"triggerPrice": "40000", "size": ""}, "40019"),
        ("place-plan-order", PLAN, "40019"),
        ("place-plan-order", PLAN | {"triggerPrice": "40000", "stopLossTriggerPrice": "39000"}, "40053"),
        ("place-plan-order", PLAN | {"triggerPrice": "40000.05"}, "45115"),
        ("place-plan-order", PLAN | {"planType": "track_plan", "triggerPrice": "1", "callbackRatio": "11"}, "40020"),
        ("place-order", PLAN | {"side": "sell", "presetStopLossPrice": "40000"}, "45122"),
    ],
)
async def test_a_bad_plan_is_refused_and_not_kept(venue: Venue, name: str, fields: dict[str, Any], code: str) -> None:
    simulator, bare = venue
    await buy(bare)
    reply = await post(bare, name, **fields)
    assert reply["code"] == code
    assert conditional(simulator) == []
