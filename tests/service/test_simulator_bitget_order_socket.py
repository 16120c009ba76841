"""Bitget's orders over a WebSocket spoken bare, of classic and of unified accounts: logins, forms, limits, changes."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from opensqt.simulator.settings import AccountSettings, ServerRules
from tests.service.order_sockets import Bitget, BitgetUnified, delayed_login, in_one_window, order_client

BOTH = pytest.mark.parametrize("kind", [Bitget, BitgetUnified], ids=["classic", "unified"])


@BOTH
@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"key": "nobody"}, 30011),
        ({"secret": "wrong"}, 30015),
        ({"passphrase": "wrong"}, 30012),
        ({"skew_ms": -60_000}, 30014),
    ],
)
async def test_who_is_not_logged_in_places_nothing(kind: Any, change: dict[str, Any], code: int) -> None:
    async with order_client(kind, log_in=False) as client:
        for name, value in change.items():
            setattr(client, name, value)
        assert (await client.login())["code"] == code
        frame = await client.send("place", client.limit(client.bid - 100), "1")
        assert (frame["event"], client.number(frame), client.read(frame).code) == ("error", "1", "30004")
        assert client.simulator.engine.orders("sim-key") == []


async def test_a_classic_account_is_answered_as_documented() -> None:
    async with order_client(Bitget) as client:
        frame = await client.send("place", client.limit(client.bid - 100, "a1"), "my-id 1")
        order = client.simulator.engine.open_orders("sim-key")[0]
        assert frame.pop("ts")
        head = {"id": "my-id 1", "instType": "USDT-FUTURES", "channel": "place-order", "instId": "BTCUSDT"}
        placed = {"orderId": order.order_id, "clientOid": "a1"}
        assert frame == {"event": "trade", "arg": [head | {"params": placed}], "code": 0, "msg": "Success"}
        refused = await client.send("place", client.limit(client.bid - 100) | {"size": "900"}, "2")
        assert (refused["event"], refused["code"], refused["arg"][0]["id"]) == ("error", 40762, "2")


async def test_a_unified_account_is_answered_as_documented() -> None:
    async with order_client(BitgetUnified) as client:
        frame = await client.send("place", client.limit(client.bid - 100, "a1"), "1")
        (row,) = frame["args"]
        assert row.keys() == {"symbol", "orderId", "clientOid", "cTime"}
        assert (frame["event"], frame["id"], frame["topic"], frame["category"]) == (
            "trade",
            "1",
            "place-order",
            "usdt-futures",
        )
        assert (frame["code"], row["symbol"], row["clientOid"]) == ("0", "BTCUSDT", "a1")
        assert frame["connId"]
        refused = await client.send("place", client.limit(client.bid - 100) | {"qty": "900"}, "2")
        assert (refused["event"], refused["id"], refused["code"]) == ("error", "2", "40762")


async def test_cancels_of_a_unified_account_need_no_category() -> None:
    async with order_client(BitgetUnified) as client:
        placed = await client.ask("place_batch", [client.limit(client.bid - 100) for _ in range(2)])
        args = [{"orderId": row["orderId"]} for row in placed.content] + [{"orderId": "1"}]
        await client.socket.send_json({"op": "trade", "id": "1", "topic": "batch-cancel", "args": args})
        frame = await client.heard()
        assert "category" not in frame
        assert [row["code"] for row in frame["args"]] == ["0", "0", "25204"]
        assert client.simulator.engine.open_orders("sim-key") == []
        message = client.message("place", client.limit(client.bid - 100), "2")
        del message["category"]
        await client.socket.send_json(message)
        assert (await client.heard())["code"] == "40019"


@BOTH
async def test_requests_of_another_form_are_refused(kind: Any) -> None:
    async with order_client(kind) as client:
        order = client.limit(client.bid - 100)
        frame = await client.send("teleport-order", order, "1")
        assert client.read(frame).code == "30001"
        message = client.message("place", order, "1")
        for args in ([], [*message["args"], *message["args"]], ["text"], None):
            await client.socket.send_json(message | {"args": args})
            assert (await client.heard())["code"] in (30001, 30016, "30016")
        for number in (None, 7):
            await client.socket.send_json(client.message("place", order, number))
            assert (await client.heard())["code"] in (30016, "30016")
        assert client.simulator.engine.orders("sim-key") == []


@BOTH
async def test_an_id_may_be_used_again_and_a_client_order_id_not(kind: Any) -> None:
    """F1: what keeps an order from being placed twice is its own id, not that of the request."""
    async with order_client(kind) as client:
        frames = [await client.send("place", client.limit(client.bid - 100, "once"), "same") for _ in range(2)]
        assert [client.read(frame).code for frame in frames] == ["", "40786"]
        assert len(client.simulator.engine.orders("sim-key")) == 1


async def test_each_kind_of_account_has_its_own_address() -> None:
    unified = (AccountSettings(account_mode="unified"),)
    async with order_client(Bitget, accounts=unified) as client:
        assert (await client.ask("place", client.limit(client.bid - 100))).code == "40085"
    async with order_client(BitgetUnified, accounts=(AccountSettings(),)) as client:
        assert (await client.ask("place", client.limit(client.bid - 100))).code == "40084"


@BOTH
async def test_orders_over_both_ways_count_together(kind: Any) -> None:
    """F16: REST and the WebSocket share the endpoint's limit."""
    async with order_client(kind, server=ServerRules(messages_per_second=1000)) as client:
        order = client.limit(client.bid - 100)

        async def act() -> list[str]:
            by_rest = await client.rest("place", order)
            for _ in range(10):
                await client.post("place", order)
            return [by_rest.code, *[client.read(await client.heard()).code for _ in range(10)]]

        assert await in_one_window(client, 1000, act) == [*[""] * 10, "429"]


@BOTH
async def test_a_connection_that_sends_too_much_is_cut(kind: Any) -> None:
    """F16: ten messages a second are what the venue takes over one connection, orders too."""
    async with order_client(kind, server=ServerRules(messages_per_second=10)) as client:
        for _ in range(12):
            await client.post("cancel", client.named("none"))
        assert await client.end() == 1006


@BOTH
async def test_a_key_without_the_right_to_trade_is_refused(kind: Any) -> None:
    account = AccountSettings(may_trade=False, account_mode="unified" if kind is BitgetUnified else "classic")
    async with order_client(kind, accounts=(account,)) as client:
        assert (await client.ask("place", client.limit(client.bid - 100))).code == "40014"


@BOTH
async def test_the_login_can_be_late(kind: Any) -> None:
    """A fault `delay` on login lets requests come before the login is in force, or before it is answered."""
    for before, code in ((True, "30004"), (False, "")):
        async with order_client(kind, log_in=False) as client:
            client.simulator.faults.add(delayed_login(before=before))
            await client.socket.send_json(client.auth())
            assert (await client.ask("place", client.limit(client.bid - 100))).code == code
            assert (await client.heard())["event"] == "login"


async def test_a_public_connection_takes_no_orders() -> None:
    async with order_client(Bitget) as client:
        client.socket = await client.listen("/v2/ws/public")
        await client.post("place", client.limit(client.bid - 100))
        assert (await client.heard())["code"] == 30003


async def test_a_change_keeps_the_order_and_its_id() -> None:
    async with order_client(BitgetUnified) as client:
        placed = await client.ask("place", client.limit(client.bid - 100, "a1"))
        changed = await client.ask("amend", {**client.named("a1"), "qty": "0.030", "price": str(client.bid - 90)})
        assert changed == placed
        (held,) = client.simulator.engine.open_orders("sim-key")
        assert (held.quantity, held.price) == (Decimal("0.030"), client.bid - 90)
        assert (await client.ask("amend", {**client.named("a1"), "qty": "0.030"})).code == "25571"
        assert (await client.ask("amend", {**client.named("none"), "qty": "0.030"})).code == "25204"


async def test_a_change_that_fails_later_is_acknowledged_all_the_same() -> None:
    """The answer to a change says only that the venue has it; `autoCancel` ends an order that it could not change."""
    async with order_client(BitgetUnified) as client:
        post = client.limit(client.bid - 100, "p1") | {"timeInForce": "post_only"}
        await client.ask("place", post)
        crossing = {**client.named("p1"), "price": str(client.bid + 500)}
        assert (await client.ask("amend", crossing)).code == ""
        (held,) = client.simulator.engine.open_orders("sim-key")
        assert held.price == client.bid - 100
        assert (await client.ask("amend", crossing | {"autoCancel": "yes"})).code == ""
        assert client.simulator.engine.open_orders("sim-key") == []
