"""OKX's algo orders on the simulator: attached and alone, their channel, their refusals, and closing a position."""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest

from opensqt.model.order import Side
from opensqt.simulator import Simulator
from tests.service.conditional_orders import conditional, level, position, still, take
from tests.service.okx_clients import Bare
from tests.service.okx_clients import venue as okx_venue

TRADE = "/api/v5/trade"
ORDER = {"instId": "BTC-USDT-SWAP", "tdMode": "cross", "side": "buy", "ordType": "market", "sz": "1"}
ALGO = {"instId": "BTC-USDT-SWAP", "tdMode": "cross", "side": "sell", "ordType": "conditional", "sz": "1"}
SL = {"slTriggerPx": "40000", "slOrdPx": "-1"}
Venue = tuple[Simulator, Bare]


@pytest.fixture
async def venue() -> AsyncIterator[Venue]:
    """Nothing moves but what a test makes move."""
    async with okx_venue(clock="manual") as (simulator, bare):
        still(simulator)
        yield simulator, bare


async def post(bare: Bare, path: str, body: Any) -> Any:
    _, reply = await bare.signed("POST", f"{TRADE}/{path}", body)
    return reply


async def algo(bare: Bare, **fields: Any) -> Any:
    given = {name: value for name, value in {**ALGO, **fields}.items() if value is not None}
    return (await post(bare, "order-algo", given))["data"][0]


async def test_an_attached_stop_loss_exists_and_sells(venue: Venue) -> None:
    """A stop-loss that was acknowledged with its order exists."""
    simulator, bare = venue
    stop = str(level(simulator, Side.BUY, 3))
    attached = {"attachAlgoClOrdId": "guard", "slTriggerPx": stop, "slOrdPx": "-1", "tpTriggerPx": "50000"}
    attached["tpOrdPx"] = "-1"
    placed = await post(bare, "order", ORDER | {"attachAlgoOrds": [attached]})
    assert placed["code"] == "0"
    _, body = await bare.signed("GET", f"{TRADE}/order?instId=BTC-USDT-SWAP&ordId={placed['data'][0]['ordId']}")
    assert body["data"][0]["attachAlgoOrds"][0]["slTriggerPx"] == stop
    _, body = await bare.signed("GET", f"{TRADE}/orders-algo-pending?ordType=oco")
    (pending,) = body["data"]
    assert (pending["algoClOrdId"], pending["state"], pending["sz"]) == ("guard", "live", "1")
    take(simulator, Side.SELL, 5)
    assert position(simulator) == 0
    _, body = await bare.signed("GET", f"{TRADE}/order-algo?algoClOrdId=guard")
    (found,) = body["data"]
    assert (found["state"], found["actualSide"], len(found["ordIdList"])) == ("effective", "sl", 1)
    _, body = await bare.signed("GET", f"{TRADE}/order?instId=BTC-USDT-SWAP&ordId={found['ordId']}")
    assert (body["data"][0]["algoId"], body["data"][0]["source"]) == (found["algoId"], "7")


async def test_the_old_way_to_attach_works_too(venue: Venue) -> None:
    simulator, bare = venue
    await post(bare, "order", ORDER | {"slTriggerPx": "40000", "slOrdPx": "-1"})
    assert conditional(simulator)[0]["status"] == "WAITING"


async def test_the_channel_reports_live_effective_and_canceled(venue: Venue) -> None:
    simulator, bare = venue
    async with bare.connect("business") as socket:
        await socket.send_json(bare.login())
        await socket.receive_json(timeout=60)
        await socket.send_json({"op": "subscribe", "args": [{"channel": "orders-algo", "instType": "SWAP"}]})
        assert (await socket.receive_json(timeout=60))["event"] == "subscribe"
        await post(bare, "order", ORDER)
        first = await algo(bare, slTriggerPx=str(level(simulator, Side.BUY, 2)), slOrdPx="-1", reduceOnly=True)
        second = await algo(bare, **SL)
        take(simulator, Side.SELL, 4)
        await post(bare, "cancel-algos", [{"instId": "BTC-USDT-SWAP", "algoId": second["algoId"]}])
        seen = [(await socket.receive_json(timeout=60))["data"][0] for _ in range(4)]
    states = [(row["algoId"], row["state"]) for row in seen]
    ids = (first["algoId"], second["algoId"])
    assert states == [(ids[0], "live"), (ids[1], "live"), (ids[0], "effective"), (ids[1], "canceled")]


async def test_the_algo_channel_is_at_the_business_address_only(venue: Venue) -> None:
    _, bare = venue
    async with bare.connect("private") as socket:
        await socket.send_json(bare.login())
        await socket.receive_json(timeout=60)
        await socket.send_json({"op": "subscribe", "args": [{"channel": "orders-algo", "instType": "SWAP"}]})
        assert (await socket.receive_json(timeout=60))["code"] == "60018"


async def test_a_trigger_order_goes_either_way_and_a_trailing_one_follows(venue: Venue) -> None:
    simulator, bare = venue
    up, down = str(level(simulator, Side.SELL, 3)), str(level(simulator, Side.BUY, 3))
    await algo(bare, ordType="trigger", side="buy", triggerPx=up, orderPx="-1")
    await algo(bare, ordType="trigger", side="buy", triggerPx=down, orderPx="-1", triggerPxType="mark")
    await algo(bare, ordType="move_order_stop", callbackRatio="0.01")
    take(simulator, Side.BUY, 5)
    assert [one["status"] for one in conditional(simulator)] == ["TRIGGERED", "WAITING", "WAITING"]
    simulator.engine.set_mark("BTCUSDT", Decimal(down))
    assert [one["status"] for one in conditional(simulator)] == ["TRIGGERED", "TRIGGERED", "WAITING"]
    _, body = await bare.signed("GET", f"{TRADE}/orders-algo-pending?ordType=move_order_stop")
    assert Decimal(body["data"][0]["moveTriggerPx"]) < simulator.engine.last_price("BTCUSDT")


async def test_close_fraction_closes_what_is_held_and_ends_with_the_position(venue: Venue) -> None:
    simulator, bare = venue
    await post(bare, "order", ORDER | {"sz": "3"})
    assert (await algo(bare, sz=None, closeFraction="1", reduceOnly=True, **SL))["sCode"] == "0"
    reply = await post(bare, "close-position", {"instId": "BTC-USDT-SWAP", "mgnMode": "cross"})
    assert (reply["code"], position(simulator), conditional(simulator)[0]["status"]) == ("0", 0, "EXPIRED")
    reply = await post(bare, "close-position", {"instId": "BTC-USDT-SWAP", "mgnMode": "cross"})
    assert reply["code"] == "51023"


async def test_an_algo_order_is_amended(venue: Venue) -> None:
    simulator, bare = venue
    placed = await algo(bare, **SL)
    named = {"instId": "BTC-USDT-SWAP", "algoId": placed["algoId"]}
    reply = await post(bare, "amend-algos", named | {"newSlTriggerPx": "41000", "newSz": "2", "reqId": "a1"})
    assert (reply["code"], reply["data"][0]["reqId"]) == ("0", "a1")
    (row,) = conditional(simulator)
    assert (row["trigger_price"], row["quantity"]) == ("41000", "0.02")
    reply = await post(bare, "amend-algos", named | {"newSlTriggerPx": "50000"})
    assert reply["data"][0]["sCode"] == "51280"
    reply = await post(bare, "amend-algos", named)
    assert reply["data"][0]["sCode"] == "51500"


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"slTriggerPx": "50000", "slOrdPx": "-1"}, "51280"),
        ({"tpTriggerPx": "40000", "tpOrdPx": "-1"}, "51279"),
        ({"side": "buy", "slTriggerPx": "40000", "slOrdPx": "-1"}, "51278"),
        ({"side": "buy", "tpTriggerPx": "50000", "tpOrdPx": "-1"}, "51277"),
        ({}, "50015"),
        ({"ordType": "oco", **SL}, "50015"),
        ({"ordType": "twap"}, "50062"),
        ({"ordType": "nothing"}, "51000"),
        ({"ordType": "move_order_stop"}, "50015"),
        ({"ordType": "move_order_stop", "callbackRatio": "2"}, "51000"),
        ({"ordType": "move_order_stop", "callbackRatio": "0.01", "activePx": "40000"}, "51258"),
        ({"closeFraction": "1", **SL}, "51000"),
        ({"sz": None, **SL}, "50015"),
        ({"sz": "1.01", **SL}, "51121"),
        ({"slTriggerPx": "40000.05", "slOrdPx": "-1"}, "51006"),
        ({"tdMode": "isolated", **SL}, "50062"),
        ({"tpTriggerPx": "50000", "tpOrdPx": "50000", "tpOrdKind": "limit"}, "50062"),
        ({"instId": "NOPE-USDT-SWAP", **SL}, "51001"),
    ],
)
async def test_a_bad_algo_order_is_refused_and_not_kept(venue: Venue, fields: dict[str, Any], code: str) -> None:
    simulator, bare = venue
    assert (await algo(bare, **fields))["sCode"] == code
    assert conditional(simulator) == []


@pytest.mark.parametrize(
    ("attached", "code"),
    [
        ({"slTriggerPx": "44500", "slOrdPx": "-1"}, "51047"),
        ({"tpTriggerPx": "43000", "tpOrdPx": "-1"}, "51046"),
        ({"attachAlgoClOrdId": "x"}, "51500"),
        ({"slTriggerPx": "43000", "slOrdPx": "-1", "amendPxOnTriggerType": "1"}, "50062"),
    ],
)
async def test_a_bad_attached_order_refuses_the_order(venue: Venue, attached: dict[str, str], code: str) -> None:
    simulator, bare = venue
    reply = await post(bare, "order", ORDER | {"ordType": "limit", "px": "44000", "attachAlgoOrds": [attached]})
    assert (reply["data"][0]["sCode"], simulator.engine.orders("sim-key")) == (code, [])
