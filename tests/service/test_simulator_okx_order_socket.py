"""OKX's orders over a WebSocket, bare and by its SDK: logins, ids, instruments by number, limits, refusals."""

from __future__ import annotations

import asyncio
import json
from decimal import Decimal
from typing import Any

import pytest
from okx.websocket.WsPrivateAsync import WsPrivateAsync

from opensqt.simulator.faults import Fault
from opensqt.simulator.settings import AccountSettings
from tests.service import okx_clients
from tests.service.order_sockets import Okx, delayed_login, in_one_window, order_client


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"key": "nobody"}, "60005"),
        ({"secret": "wrong"}, "60007"),
        ({"passphrase": "wrong"}, "60024"),
        ({"skew_ms": -60_000}, "60006"),
    ],
)
async def test_who_is_not_logged_in_places_nothing(change: dict[str, Any], code: str) -> None:
    async with order_client(Okx, log_in=False) as client:
        for name, value in change.items():
            setattr(client, name, value)
        refused = await client.login()
        assert (refused["event"], refused["code"]) == ("error", code)
        frame = await client.send("place", client.limit(client.bid - 100), "1512")
        assert (frame["event"], frame["code"], frame["id"]) == ("error", "60011", "1512")
        assert client.simulator.engine.orders("sim-key") == []


async def test_answers_are_shaped_as_documented() -> None:
    """Rows say what failed; the answer itself has a code and no text then."""
    async with order_client(Okx) as client:
        frame = await client.send("place", client.limit(client.bid - 100, "a1") | {"tag": "bot"}, "1512")
        assert list(frame) == ["id", "op", "code", "msg", "data", "inTime", "outTime"]
        assert (frame["id"], frame["op"], frame["code"], frame["msg"]) == ("1512", "order", "0", "")
        (row,) = frame["data"]
        assert (row["clOrdId"], row["tag"], row["sCode"]) == ("a1", "bot", "0")
        assert int(frame["outTime"]) >= int(frame["inTime"]) > 1_600_000_000_000_000
        refused = await client.send("place", client.limit(client.bid - 100) | {"sz": "90000"})
        assert (refused["code"], refused["msg"], refused["data"][0]["sCode"]) == ("1", "", "51008")
        orders = [client.limit(client.bid - 100), client.limit(client.bid - 100) | {"sz": "0.05"}]
        partial = await client.send("place_batch", orders)
        assert (partial["code"], partial["msg"], [row["sCode"] for row in partial["data"]]) == ("2", "", ["0", "51020"])


async def test_one_order_comes_as_a_batch_with_the_number_of_its_instrument() -> None:
    """This is how ccxt sends one order: `batch-orders` with `instIdCode` and without `instId`."""
    async with order_client(Okx) as client:
        async with client.session.get(
            f"{client.simulator.url}/api/v5/public/instruments", params={"instType": "SWAP"}
        ) as response:
            codes = {row["instId"]: row["instIdCode"] for row in (await response.json())["data"]}
        assert all(isinstance(code, int) for code in codes.values())
        order = client.limit(client.bid - 100, "a1")
        order = {name: value for name, value in order.items() if name != "instId"}
        order["instIdCode"] = codes["BTC-USDT-SWAP"]
        frame = await client.send("place_batch", [order])
        assert frame["data"][0]["sCode"] == "0"
        (held,) = client.simulator.engine.open_orders("sim-key")
        assert held.symbol == "BTCUSDT"
        # The number takes precedence over a name.
        other = order | {"instId": "BTC-USDT-SWAP", "instIdCode": codes["ETH-USDT-SWAP"], "clOrdId": "a2", "px": "1900"}
        assert (await client.send("place", other))["code"] == "0"
        assert {one.symbol for one in client.simulator.engine.open_orders("sim-key")} == {"BTCUSDT", "ETHUSDT"}
        unknown = await client.send("place", order | {"instIdCode": 1, "clOrdId": "a3"})
        assert unknown["data"][0]["sCode"] == "51001"


async def test_requests_without_a_proper_id_or_form_are_refused() -> None:
    async with order_client(Okx) as client:
        order = client.limit(client.bid - 100)
        for number in (None, "", "with-hyphen", "x" * 33, 5):
            await client.socket.send_json({"id": number, "op": "order", "args": [order]})
            frame = await client.heard()
            assert (frame["event"], frame["code"]) == ("error", "60012")
        assert (await client.send("place", [order, order]))["code"] == "60013"
        assert (await client.send("place", ["text"]))["code"] == "60013"
        assert (await client.send("place_batch", [order] * 21))["code"] == "51111"
        assert (await client.send("order-teleport", order))["code"] == "60012"
        cancel_all = await client.send("mass-cancel", {"instType": "SWAP", "instFamily": "BTC-USDT"})
        assert (cancel_all["op"], cancel_all["code"], cancel_all["data"]) == ("mass-cancel", "51000", [])
        assert client.simulator.engine.orders("sim-key") == []


async def test_an_id_may_be_used_again() -> None:
    async with order_client(Okx) as client:
        frames = [await client.send("place", client.limit(client.bid - 100), "same") for _ in range(2)]
        assert [(frame["id"], frame["code"]) for frame in frames] == [("same", "0")] * 2
        assert len(client.simulator.engine.orders("sim-key")) == 2


async def test_a_request_after_its_deadline_is_not_executed() -> None:
    async with order_client(Okx) as client:
        for deadline_ms, code in ((-1000, "51149"), (60_000, "0")):
            message = client.message("place", client.limit(client.bid - 100), "1")
            await client.socket.send_json(message | {"expTime": str(client.now_ms + deadline_ms)})
            assert (await client.heard())["data"][0]["sCode"] == code
        assert len(client.simulator.engine.orders("sim-key")) == 1


async def test_orders_are_taken_on_private_connections_only() -> None:
    async with order_client(Okx) as client:
        client.socket = await client.listen("/ws/v5/business")
        assert (await client.login())["event"] == "login"
        assert (await client.send("place", client.limit(client.bid - 100)))["code"] == "60028"


async def test_orders_over_both_ways_count_together() -> None:
    """F16: REST and the WebSocket share the endpoint's limit, and each order of a batch counts."""
    async with order_client(Okx) as client:
        order = client.limit(client.bid - 2000) | {"sz": "0.1"}

        async def act() -> tuple[list[Any], Any]:
            for number in range(1, 62):
                await client.post("place", order, str(number))
            return [await client.heard() for _ in range(61)], await client.rest("place", order)

        frames, by_rest = await in_one_window(client, 2000, act)
        assert [frame["code"] for frame in frames] == [*["0"] * 60, "50011"]
        assert (frames[-1]["id"], frames[-1]["data"], by_rest.code) == ("61", [], "50011")
        assert (await client.send("cancel", client.named("none")))["code"] == "1"


async def test_a_key_without_the_right_to_trade_is_refused() -> None:
    async with order_client(Okx, accounts=(AccountSettings(may_trade=False),)) as client:
        assert (await client.send("place", client.limit(client.bid - 100)))["code"] == "50120"
        assert client.simulator.engine.orders("sim-key") == []


async def test_orders_and_events_share_one_connection() -> None:
    """The answer is told from an event by its id."""
    async with order_client(Okx) as client:
        await client.socket.send_json({"op": "subscribe", "args": [{"channel": "orders", "instType": "ANY"}]})
        assert (await client.heard())["event"] == "subscribe"
        await client.post("place", client.limit(client.bid - 100, "a1"), "7")
        frames = [await client.heard() for _ in range(2)]
        (answer,) = [frame for frame in frames if "id" in frame]
        (event,) = [frame for frame in frames if "arg" in frame]
        assert answer["data"][0]["ordId"] == event["data"][0]["ordId"]


async def test_the_login_can_be_late() -> None:
    """A fault `delay` on login lets requests come before the login is in force, or before it is answered."""
    for before, code in ((True, "60011"), (False, "0")):
        async with order_client(Okx, log_in=False) as client:
            client.simulator.faults.add(delayed_login(before=before))
            await client.socket.send_json(client.auth())
            assert (await client.send("place", client.limit(client.bid - 100)))["code"] == code
            assert (await client.heard())["event"] == "login"


async def test_a_login_can_be_refused_by_the_script() -> None:
    async with order_client(Okx, log_in=False) as client:
        client.simulator.faults.add(Fault.model_validate({"kind": "refuse", "on": "login", "code": "63999"}))
        assert (await client.login())["code"] == "63999"
        assert (await client.login())["event"] == "login"


async def test_the_venue_s_sdk_places_amends_and_cancels() -> None:
    async with order_client(Okx) as client, okx_clients.secure_front(client.simulator) as url:
        heard: asyncio.Queue[Any] = asyncio.Queue()
        sdk = WsPrivateAsync("sim-key", "sim-pass", "sim-secret", f"{url}{Okx.path}")
        work = await sdk.start()
        sdk.callback = lambda text: heard.put_nowait(json.loads(text))

        async def ask(name: str, *args: Any) -> Any:
            await getattr(sdk, name)(list(args), id=name.replace("_", ""))
            answer = await asyncio.wait_for(heard.get(), 60)
            assert (answer["id"], answer["code"]) == (name.replace("_", ""), "0")
            return answer["data"]

        try:
            await sdk.login()
            assert (await asyncio.wait_for(heard.get(), 60))["event"] == "login"
            await ask("place_order", client.limit(client.bid - 100, "s1"))
            await ask("amend_order", {**client.named("s1"), "newSz": "2"})
            (held,) = client.simulator.engine.open_orders("sim-key")
            assert held.quantity == Decimal("0.02")
            await ask("cancel_order", client.named("s1"))
            await ask("batch_orders", *(client.limit(client.bid - 100, name) for name in ("s2", "s3")))
            await ask("batch_amend_orders", *({**client.named(name), "newSz": "2"} for name in ("s2", "s3")))
            await ask("batch_cancel_orders", client.named("s2"), client.named("s3"))
            assert client.simulator.engine.open_orders("sim-key") == []
        finally:
            await sdk.stop()
            await asyncio.gather(work, return_exceptions=True)
