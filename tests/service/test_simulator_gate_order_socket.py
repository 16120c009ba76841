"""Gate's orders over a WebSocket spoken bare: logins, the two answers of an order, deadlines, limits, and refusals."""

from __future__ import annotations

import json
from typing import Any

import pytest

from opensqt.simulator.faults import Fault
from opensqt.simulator.settings import AccountSettings, ServerRules
from tests.service.order_sockets import Gate, delayed_login, in_one_window, order_client


def errs(frame: Any) -> tuple[str, str]:
    return frame["header"]["status"], frame["data"]["errs"]["label"]


@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        ({"key": "nobody"}, ("401", "INVALID_KEY")),
        ({"secret": "wrong"}, ("401", "INVALID_SIGNATURE")),
        ({"skew_ms": -120_000}, ("403", "REQUEST_EXPIRED")),
    ],
)
async def test_who_is_not_logged_in_places_nothing(change: dict[str, Any], refusal: tuple[str, str]) -> None:
    async with order_client(Gate, log_in=False) as client:
        for name, value in change.items():
            setattr(client, name, value)
        refused = await client.login()
        assert (refused["request_id"], errs(refused)) == ("login", refusal)
        frame = await client.send("place", client.limit(client.bid - 100), "1")
        assert (frame["request_id"], errs(frame)) == ("1", ("400", "AUTHENTICATION_FAILED"))
        assert frame["data"]["errs"]["message"] == "Not login"
        assert client.simulator.engine.orders("sim-key") == []


async def test_a_login_is_answered_with_key_and_user() -> None:
    """The documents sign an empty parameter; a client that sends one signs what it sends."""
    async with order_client(Gate, log_in=False) as client:
        answer = await client.login()
        assert answer["data"]["result"] == {"api_key": "sim-key", "uid": "20000001"}
        assert (answer["header"]["status"], answer["header"]["channel"]) == ("200", "futures.login")
        for parameter in ("{}", '{"a": [1, {"b": ": "}]}'):
            message = client.auth(parameter)
            text = json.dumps(message)[:-2] + f', "req_param":  {parameter}' + "}}"
            await client.socket.send_str(text)
            assert (await client.heard())["header"]["status"] == "200"


async def test_an_order_is_answered_twice() -> None:
    """The first answer repeats the request with `ack`; only the second says what became of it."""
    async with order_client(Gate) as client:
        order = client.limit(client.bid - 100, "a1")
        await client.post("place", order, "request-1")
        taken, result = await client.heard(), await client.heard()
        assert (taken["request_id"], taken["ack"]) == ("request-1", True)
        assert taken["data"]["result"] == {"req_id": "request-1", "req_header": None, "req_param": order}
        assert (result["request_id"], result["ack"]) == ("request-1", False)
        placed = result["data"]["result"]
        assert (placed["status"], placed["size"], placed["text"]) == ("open", 10, "t-a1")
        assert taken["header"]["conn_id"] == result["header"]["conn_id"]
        header = result["header"]
        assert (header["x_gate_ratelimit_limit"], header["x_gate_ratelimit_requests_remain"]) == (100, 99)
        assert {"response_time", "client_id", "x_in_time", "x_out_time", "conn_trace_id", "trace_id"} < header.keys()
        await client.post("place", {**order, "size": 900_000}, "request-2")
        taken, refused = await client.heard(), await client.heard()
        assert (taken["ack"], errs(refused)) == (True, ("400", "INSUFFICIENT_AVAILABLE"))


async def test_a_cancel_is_answered_once() -> None:
    async with order_client(Gate) as client:
        await client.ask("place", client.limit(client.bid - 100, "a1"))
        await client.post("cancel", client.named("a1"), "c1")
        (frame,) = await client.rest_of()
        assert "ack" not in frame
        assert frame["data"]["result"]["finish_as"] == "cancelled"


async def test_the_result_can_be_lost_after_the_acknowledgement() -> None:
    """F1: `ack` does not say that there is an order, nor that there is none."""
    async with order_client(Gate) as client:
        client.simulator.faults.add(Fault.model_validate({"kind": "drop_frames", "channel": "answers", "skip": 1}))
        await client.post("place", client.limit(client.bid - 100, "a1"), "1")
        (taken,) = await client.rest_of()
        assert taken["ack"] is True
        assert len(client.simulator.engine.open_orders("sim-key")) == 1


async def test_a_parameter_may_be_the_text_of_json_and_carry_the_settlement() -> None:
    async with order_client(Gate) as client:
        order = client.limit(client.bid - 100, "a1") | {"settle": "usdt"}
        assert (await client.ask("place", json.dumps(order))).content["text"] == "t-a1"
        assert (await client.ask("cancel", {**client.named("a1"), "settle": "usdt", "contract": "BTC_USDT"})).code == ""


async def test_what_is_not_there_is_refused() -> None:
    async with order_client(Gate) as client:
        assert errs(await client.send("order_teleport", {})) == ("400", "INVALID_PARAM_VALUE")
        assert errs(await client.send("place", "{"))[1] == "INVALID_PARAM_VALUE"
        assert errs(await client.send("cancel", {}))[1] == "ORDER_NOT_FOUND"
        assert errs(await client.send("place", {**client.limit(1), "contract": "NOPE_USDT"}))[1] == "CONTRACT_NOT_FOUND"
        await client.socket.send_json({"channel": "futures.order_place", "event": "api", "payload": None})
        frame = await client.heard()
        assert ("request_id" in frame, errs(frame)[1]) == (False, "MISSING_REQUIRED_PARAM")
        assert client.simulator.engine.orders("sim-key") == []


async def test_an_id_may_be_used_again() -> None:
    async with order_client(Gate) as client:
        answers = [await client.send("place", client.limit(client.bid - 100), "same") for _ in range(2)]
        assert [frame["request_id"] for frame in answers] == ["same", "same"]
        assert len(client.simulator.engine.orders("sim-key")) == 2


async def test_a_request_after_its_deadline_is_not_executed() -> None:
    async with order_client(Gate) as client:
        for deadline_ms, status in ((-1000, "403"), (60_000, "200")):
            message = client.message("place", client.limit(client.bid - 100), "1")
            message["payload"]["req_header"] = {"x-gate-exptime": str(client.now_ms + deadline_ms)}
            await client.socket.send_json(message)
            assert (await client.heard())["header"]["status"] == status
            await client.rest_of()
        assert len(client.simulator.engine.orders("sim-key")) == 1


async def test_orders_over_both_ways_count_together() -> None:
    """F16: REST and the WebSocket share one limit."""
    async with order_client(Gate, server=ServerRules(orders_per_10s=6)) as client:
        order = client.limit(client.bid - 100)

        async def act() -> tuple[str, str, list[Any]]:
            by_rest, by_socket = await client.rest("place", order), await client.ask("place", order)
            await client.post("place", order, "third")
            return by_rest.code, by_socket.code, await client.rest_of()

        *codes, (frame,) = await in_one_window(client, 1000, act)
        assert codes == ["", ""]
        assert errs(frame) == ("429", "TOO_MANY_REQUESTS")
        assert frame["data"]["errs"]["message"] == "Request Rate limit Exceeded (311)"
        assert frame["header"]["x_gate_ratelimit_reset_timestamp"] > client.now_ms - 1000
        assert "x_gate_ratelimit_requests_remain" not in frame["header"]
        assert (await client.ask("cancel_all", {"contract": "BTC_USDT"})).code == ""


async def test_a_key_without_the_right_to_trade_may_read() -> None:
    async with order_client(Gate, accounts=(AccountSettings(may_trade=False),)) as client:
        assert errs(await client.send("place", client.limit(client.bid - 100))) == ("403", "READ_ONLY")
        assert (await client.ask("list", {"contract": "BTC_USDT", "status": "open"})).content == []


async def test_sizes_are_written_as_the_client_wants_them() -> None:
    """F11: contracts are never taken for coins."""
    async with order_client(Gate) as client:
        url, headers = client.simulator.url + Gate.path, {"X-Gate-Size-Decimal": "1"}
        client.socket = await client.session.ws_connect(url, headers=headers, autoping=False)
        await client.login()
        assert (await client.ask("place", client.limit(client.bid - 100))).content["size"] == "10"


async def test_the_login_can_be_late() -> None:
    """A fault `delay` on login lets requests come before the login is in force, or before it is answered."""
    for before, status in ((True, "400"), (False, "200")):
        async with order_client(Gate, log_in=False) as client:
            client.simulator.faults.add(delayed_login(before=before))
            await client.socket.send_json(client.auth())
            assert (await client.send("place", client.limit(client.bid - 100)))["header"]["status"] == status
            assert (await client.heard())["header"]["channel"] == "futures.login"
