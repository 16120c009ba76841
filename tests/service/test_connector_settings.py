"""The settings calls and the funding payments over gRPC: who may, what is told, what is lost."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Any

import grpc
import pytest
import structlog

from opensqt.client.exchange import RemoteExchange
from opensqt.config.remote import RemoteSettings
from opensqt.model.account import MarginMode, PositionMode
from opensqt.model.errors import InvalidRequest, OutcomeUnknown, SettingRefused
from opensqt.proto import gateway_service_pb2 as pb
from opensqt.proto import types_pb2
from tests.service.connector_rig import Rig, Venue, place, reason_of, rig
from tests.service.gatekeeper import MAKER, PAGE, bearer, code_of, guarded
from tests.support import eventually

MAKERS = bearer("maker")
LEVERAGE = pb.SetLeverageRequest(symbol="BTCUSDT", leverage=7)
ISOLATED = pb.SetMarginModeRequest(symbol="BTCUSDT", margin_mode=types_pb2.MARGIN_MODE_ISOLATED)
HEDGE = pb.SetPositionModeRequest(position_mode=types_pb2.POSITION_MODE_HEDGE)
CALLS = {"SetLeverage": LEVERAGE, "SetMarginMode": ISOLATED, "SetPositionMode": HEDGE}


async def refused(call: Any) -> tuple[grpc.StatusCode, str, str]:
    """The status, the reason and the text with which a call is refused."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return caught.value.code(), reason_of(caught.value), caught.value.details() or ""


def set_all(running: Rig, metadata: Any = MAKERS) -> dict[str, Any]:
    return {name: getattr(running.gateway, name)(request, metadata=metadata) for name, request in CALLS.items()}


async def test_each_answers_what_the_exchange_then_has() -> None:
    """F21: the answer is the exchange's own value."""
    async with rig() as running:
        assert (await running.gateway.SetLeverage(LEVERAGE)).leverage == "7"
        assert (await running.gateway.SetMarginMode(ISOLATED)).margin_mode == types_pb2.MARGIN_MODE_ISOLATED
        assert (await running.gateway.SetPositionMode(HEDGE)).position_mode == types_pb2.POSITION_MODE_HEDGE
        long, short = await running.venue.get_positions("BTCUSDT")
        assert (long.leverage, long.margin_mode, short.leverage) == (7, MarginMode.ISOLATED, 7)


async def test_a_client_that_only_reads_changes_nothing(tmp_path: Path) -> None:
    async with guarded(tmp_path, PAGE, MAKER) as running:
        for name, request in CALLS.items():
            assert await code_of(running.channel, name, bearer("page"), request) is grpc.StatusCode.PERMISSION_DENIED
        (position,) = await running.venue.get_positions("BTCUSDT")
        assert (position.leverage, position.margin_mode) == (10, MarginMode.CROSS)


async def test_a_client_held_to_symbols_changes_theirs_and_never_the_accounts(tmp_path: Path) -> None:
    async with guarded(tmp_path, MAKER | {"symbols": ["ETHUSDT"]}) as running:
        for call in set_all(running).values():
            assert (await refused(call))[:2] == (grpc.StatusCode.PERMISSION_DENIED, "PERMISSION_DENIED")
        (position,) = await running.venue.get_positions("BTCUSDT")
        assert (position.leverage, position.margin_mode) == (10, MarginMode.CROSS)
        theirs = pb.SetLeverageRequest(symbol="ETHUSDT", leverage=3)
        assert (await running.gateway.SetLeverage(theirs, metadata=MAKERS)).leverage == "3"


async def test_a_client_held_to_its_own_orders_changes_no_setting(tmp_path: Path) -> None:
    async with guarded(tmp_path, MAKER | {"cancel_others": False}) as running:
        for call in set_all(running).values():
            assert (await refused(call))[1] == "PERMISSION_DENIED"


@pytest.mark.parametrize(
    ("method", "request_", "text"),
    [
        ("SetLeverage", pb.SetLeverageRequest(symbol="BTCUSDT"), "leverage '0': expected a whole number from 1 on"),
        ("SetLeverage", pb.SetLeverageRequest(leverage=3), "symbol ''"),
        ("SetMarginMode", pb.SetMarginModeRequest(symbol="BTCUSDT"), "margin_mode unspecified: expected one of CROSS"),
        ("SetMarginMode", pb.SetMarginModeRequest(margin_mode=types_pb2.MARGIN_MODE_CROSS), "symbol ''"),
        ("SetPositionMode", pb.SetPositionModeRequest(), "position_mode unspecified: expected one of ONE_WAY"),
        ("ListFundingPayments", pb.ListFundingPaymentsRequest(since_ms=-1), "since_ms -1"),
        ("ListFundingPayments", pb.ListFundingPaymentsRequest(symbol="btc"), "symbol 'btc'"),
        ("ListFundingPayments", pb.ListFundingPaymentsRequest(page_size=1001), "page_size 1001"),
    ],
)
async def test_what_makes_no_sense_is_refused_with_field_and_value(method: str, request_: Any, text: str) -> None:
    async with rig() as running:
        code, _, told = await refused(getattr(running.gateway, method)(request_))
        assert code is grpc.StatusCode.INVALID_ARGUMENT
        assert text in told


async def test_what_is_open_is_named(tmp_path: Path) -> None:
    """F20: the position mode does not switch with an order open."""
    async with rig() as running:
        await running.exchange.PlaceOrder(place("resting"))
        for name in ("SetMarginMode", "SetPositionMode"):
            code, reason, text = await refused(getattr(running.gateway, name)(CALLS[name]))
            assert (code, reason) == (grpc.StatusCode.FAILED_PRECONDITION, "SETTING_REFUSED")
            assert "orders resting are open" in text
        async with RemoteExchange(RemoteSettings(base_url=running.connector.address)) as exchange:
            with pytest.raises(SettingRefused, match="orders resting are open"):
                await exchange.set_position_mode(PositionMode.HEDGE)


@pytest.mark.parametrize(
    ("method", "facts"),
    [
        ("SetLeverage", {"symbol": "BTCUSDT", "leverage": 7, "set_to": "7"}),
        ("SetMarginMode", {"symbol": "BTCUSDT", "margin_mode": "ISOLATED", "set_to": "ISOLATED"}),
        ("SetPositionMode", {"position_mode": "HEDGE", "set_to": "HEDGE"}),
    ],
)
async def test_each_leaves_a_line_in_the_audit(tmp_path: Path, method: str, facts: dict[str, Any]) -> None:
    async with guarded(tmp_path) as running:
        with structlog.testing.capture_logs(processors=[structlog.contextvars.merge_contextvars]) as logs:
            await getattr(running.gateway, method)(CALLS[method], metadata=MAKERS)
            (line,) = await eventually(lambda: [one for one in logs if one["event"] == "call"])
    assert (line["client"], line["method"], line["code"]) == ("maker", method, "OK")
    assert facts.items() <= line.items()


async def test_a_refused_change_leaves_a_line_too(tmp_path: Path) -> None:
    async with guarded(tmp_path) as running:
        running.venue.fail_next(OutcomeUnknown("no answer"), on="set_leverage")
        with structlog.testing.capture_logs(processors=[structlog.contextvars.merge_contextvars]) as logs:
            await refused(running.gateway.SetLeverage(LEVERAGE, metadata=MAKERS))
            (line,) = await eventually(lambda: [one for one in logs if one["event"] == "call"])
    assert (line["leverage"], line["reason"]) == (7, "ORDER_OUTCOME_UNKNOWN")
    assert "set_to" not in line


class Slow(Venue):
    """Its leverage changes at once, and it answers only when it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.answer = asyncio.Event()
        self.changes: list[int] = []

    async def set_leverage(self, symbol: str, leverage: int) -> Decimal:
        self.changes.append(leverage)
        found = await super().set_leverage(symbol, leverage)
        await self.answer.wait()
        return found


async def test_a_client_whose_answer_is_lost_is_told_so_and_sends_nothing_again() -> None:
    """F21: another client may have set another leverage since; a blind retry would undo it."""
    venue = Slow()
    async with rig(venue) as running:
        settings = RemoteSettings(base_url=running.connector.address, retry_scale=0.01, deadline_s=1)
        async with RemoteExchange(settings) as exchange:
            with pytest.raises(OutcomeUnknown):
                await exchange.set_leverage("BTCUSDT", 7)
            venue.answer.set()
            assert await exchange.set_leverage("BTCUSDT", 9) == 9
    assert venue.changes == [7, 9]


async def test_a_client_refuses_what_no_message_can_hold() -> None:
    async with rig() as running, RemoteExchange(RemoteSettings(base_url=running.connector.address)) as exchange:
        for leverage in (0, 2**31, True, 2.5):
            with pytest.raises(InvalidRequest, match="expected a whole number from 1 on"):
                await exchange.set_leverage("BTCUSDT", leverage)  # type: ignore[arg-type]


async def test_funding_payments_come_page_by_page_and_by_the_plain_stream() -> None:
    async with rig() as running:
        await running.exchange.PlaceOrder(place("long", price="101"))
        paid = [one for _ in range(5) for one in running.venue.pay_funding("BTCUSDT", Decimal("0.001"))]
        found, token = [], ""
        while token or not found:
            asked = pb.ListFundingPaymentsRequest(page_size=2, page_token=token)
            page = await running.gateway.ListFundingPayments(asked)
            assert len(page.payments) <= 2
            found += [one.payment_id for one in page.payments]
            token = page.next_page_token
        assert found == [one.payment_id for one in paid]
        stream = running.gateway.SubscribeFundingPayments(pb.SubscribeFundingPaymentsRequest(symbol="BTCUSDT"))
        first = await stream.read()
        assert (first.snapshot, [one.payment_id for one in first.updates]) == (True, found)
        running.venue.pay_funding("BTCUSDT", Decimal("0.001"))
        (update,) = (await stream.read()).updates
        assert (update.payment_id, update.rate, update.position_size) == ("6", "0.001", "0.1")
        assert Decimal(update.amount) < 0
        stream.cancel()
