"""AmendOrder through a whole connector: roles, limits, claims, halts, the audit, and a restart."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Any

import grpc
import pytest
import structlog

import opensqt
from opensqt.client.exchange import RemoteExchange
from opensqt.config.remote import RemoteSettings
from opensqt.model.errors import OutcomeUnknown, TradingClaimed, TradingHalted
from opensqt.model.order import AmendRequest, Order, OrderRef, OrderRequest, Side
from opensqt.model.venue import ClaimRequest
from opensqt.proto import gateway_service_pb2 as pb
from opensqt.proto import types_pb2
from tests.service.connector_rig import Rig, Venue, place, reason_of, rig
from tests.service.gatekeeper import MAKER, PAGE, bearer, guarded
from tests.support import eventually
from tests.support.blocking import in_thread

MAKERS = bearer("maker")


class Amendable(Venue):
    """Holds amendments back while its gate is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.amending = 0

    async def amend_order(self, request: AmendRequest) -> Order:
        self.amending += 1
        await self.gate.wait()
        return await super().amend_order(request)


def asked(name: str = "a", amend_id: str = "m1", **fields: Any) -> pb.AmendOrderRequest:
    ref = types_pb2.OrderRef(symbol="BTCUSDT", client_order_id=name)
    return pb.AmendOrderRequest(order=ref, amend_id=amend_id, **(fields or {"price": "98"}))


async def refused(running: Rig, request: pb.AmendOrderRequest, metadata: Any = MAKERS) -> str:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await running.gateway.AmendOrder(request, metadata=metadata, timeout=60)
    return reason_of(caught.value)


async def price_of(running: Rig, name: str = "a") -> Decimal | None:
    return (await running.venue.get_order(OrderRef(symbol="BTCUSDT", client_order_id=name))).price


async def test_a_reader_amends_nothing(tmp_path: Path) -> None:
    async with guarded(tmp_path) as running:
        await running.exchange.PlaceOrder(place("a"), metadata=MAKERS)
        assert await refused(running, asked(), bearer("page")) == "PERMISSION_DENIED"
        assert await price_of(running) == 99


async def test_the_limits_hold_an_amended_order_and_whose_it_is(tmp_path: Path) -> None:
    other = {"name": "other", "role": "trade", "max_open_orders": 9}
    async with guarded(tmp_path, MAKER | {"max_order_notional": "10"}, other, PAGE) as running:
        await running.exchange.PlaceOrder(place("a"), metadata=MAKERS)
        assert await refused(running, asked(quantity="0.2")) == "ORDER_DENIED"
        assert await refused(running, asked(), bearer("other")) == "PERMISSION_DENIED"
        assert await price_of(running) == 99
        answer = await running.gateway.AmendOrder(asked(), metadata=MAKERS)
        assert (answer.order.price, answer.order.client_order_id) == ("98", "a")


async def test_the_audit_has_what_was_asked_for_and_what_became_of_it(tmp_path: Path) -> None:
    async with guarded(tmp_path) as running:
        await running.exchange.PlaceOrder(place("a"), metadata=MAKERS)
        with structlog.testing.capture_logs(processors=[structlog.contextvars.merge_contextvars]) as logs:
            await running.gateway.AmendOrder(asked(quantity="0.2"), metadata=MAKERS)
            (line,) = await eventually(lambda: [one for one in logs if one["event"] == "call"])
    assert (line["client"], line["method"], line["code"]) == ("maker", "AmendOrder", "OK")
    assert (line["client_order_id"], line["amend_id"], line["quantity"]) == ("a", "m1", "0.2")


async def test_amendments_are_counted_by_their_outcome() -> None:
    async with rig(metrics_port=0) as running:
        await running.exchange.PlaceOrder(place("a"))
        await running.gateway.AmendOrder(asked())
        assert await refused(running, asked("none", "m2"), ()) == "ORDER_NOT_FOUND"

        def counted(outcome: str) -> float | None:
            labels = {"call": "amend", "outcome": outcome}
            return running.connector.metrics.registry.get_sample_value("connector_orders_total", labels)

        await eventually(lambda: (counted("OK"), counted("ORDER_NOT_FOUND")) == (1, 1))


async def test_a_claimed_order_is_amended_under_the_claims_number_only() -> None:
    claim = ClaimRequest(symbol="BTCUSDT", strategy="SQ1", holder="one", description="maker on a")
    async with rig() as running:
        settings = RemoteSettings(base_url=running.connector.address, name="maker", retry_scale=0)
        async with RemoteExchange(settings) as first, RemoteExchange(settings) as second, first.lease(30, claim=claim):
            placed = await first.place_order(
                OrderRequest(
                    symbol="BTCUSDT",
                    side=Side.BUY,
                    quantity=Decimal("0.1"),
                    price=Decimal(99),
                    client_order_id="SQ1a",
                )
            )
            for number, ref in enumerate(
                (
                    OrderRef(symbol="BTCUSDT", client_order_id="SQ1a"),
                    OrderRef(symbol="BTCUSDT", order_id=placed.order_id),
                )
            ):
                with pytest.raises(TradingClaimed):
                    await second.amend_order(AmendRequest(order=ref, amend_id=f"s{number}", price=Decimal(97)))
                wanted = Decimal(98) - number
                amended = await first.amend_order(AmendRequest(order=ref, amend_id=f"f{number}", price=wanted))
                assert amended.price == wanted


async def test_a_halt_refuses_an_amendment_and_names_one_in_flight() -> None:
    """F39: the kill switch misses no order in flight."""
    async with rig(Amendable()) as running:
        settings = RemoteSettings(base_url=running.connector.address, retry_scale=0)
        async with RemoteExchange(settings) as exchange:
            await running.exchange.PlaceOrder(place("a"))
            running.venue.gate.clear()
            ref = OrderRef(symbol="BTCUSDT", client_order_id="a")
            amending = asyncio.create_task(
                exchange.amend_order(AmendRequest(order=ref, amend_id="m1", price=Decimal(98)))
            )
            await eventually(lambda: running.venue.amending)
            halted = await exchange.halt_trading("stop")
            assert [one.client_order_id for one in halted.in_flight] == ["a"]
            later = AmendRequest(order=ref, amend_id="m2", price=Decimal(97))
            with pytest.raises(TradingHalted):
                await exchange.amend_order(later)
            running.venue.gate.set()
            assert (await amending).price == 98


async def test_a_restarted_connector_answers_with_the_first_outcome(tmp_path: Path) -> None:
    """F1: an amendment is never sent twice, nor lost from sight, when a reply is lost."""
    venue = Amendable()
    journal = str(tmp_path / "journal.db")
    async with rig(venue, journal=journal) as running:
        await running.exchange.PlaceOrder(place("a"))
        await running.gateway.AmendOrder(asked())
        await running.gateway.AmendOrder(asked(amend_id="m2", price="97"))
    again = Amendable()
    async with rig(again, journal=journal) as running:
        answer = await running.gateway.AmendOrder(asked())
        assert answer.order.price == "98"
        assert again.amending == 0


async def test_a_lost_connection_after_the_send_is_an_unknown_outcome_for_the_client() -> None:
    async with rig(Amendable()) as running:
        settings = RemoteSettings(base_url=running.connector.address, retry_scale=0, deadline_s=2)
        async with RemoteExchange(settings) as exchange:
            await running.exchange.PlaceOrder(place("a"))
            running.venue.gate.clear()
            request = AmendRequest(
                order=OrderRef(symbol="BTCUSDT", client_order_id="a"), amend_id="m1", price=Decimal(98)
            )
            with pytest.raises(OutcomeUnknown):
                await exchange.amend_order(request)
            running.venue.gate.set()
            assert (await exchange.amend_order(request)).price == 98
            assert running.venue.amending == 1


async def test_the_blocking_client_amends() -> None:
    async with rig() as running:
        await running.exchange.PlaceOrder(place("a"))

        def script() -> Order:
            with opensqt.connect_sync(running.connector.address) as exchange:
                ref = OrderRef(symbol="BTCUSDT", client_order_id="a")
                return exchange.amend_order(opensqt.AmendRequest(order=ref, amend_id="m1", quantity=Decimal("0.2")))

        assert (await in_thread(script)).quantity == Decimal("0.2")
