"""RemoteExchange's unary calls: repeated only where that is safe, never guessing about an order."""

from __future__ import annotations

from decimal import Decimal

import grpc
import pytest

from opensqt.client.exchange import RemoteExchange
from opensqt.config.remote import RemoteSettings
from opensqt.model.account import Account
from opensqt.model.errors import (
    InvalidRequest,
    Maintenance,
    OrderRejected,
    OutcomeUnknown,
    RateLimited,
    Unreachable,
    VenueError,
)
from opensqt.model.order import Order, OrderRef, OrderRequest, OrderStatus, Side
from opensqt.proto import exchange_service_pb2 as pb
from opensqt.proto import types_pb2 as types_pb
from opensqt.wire import codec
from tests.service.scripted_connector import SILENCE, ScriptedConnector, connected
from tests.support.grpc_server import serving

UNAVAILABLE = grpc.StatusCode.UNAVAILABLE
REQUEST = OrderRequest(
    symbol="BTCUSDT", side=Side.BUY, quantity=Decimal("0.01"), client_order_id="a1", price=Decimal(100)
)
ORDER = Order(symbol="BTCUSDT", side=Side.BUY, quantity=Decimal("0.01"), client_order_id="a1", status=OrderStatus.OPEN)
PLACED = pb.PlaceOrderResponse(order=codec.encode_order(ORDER))
ACCOUNT = Account(asset="USDT", wallet_balance=Decimal(7), unrealized_pnl=Decimal(0), available_balance=Decimal(7))


@pytest.fixture
def connector() -> ScriptedConnector:
    return ScriptedConnector()


async def test_a_read_is_repeated_while_the_connector_is_away(connector: ScriptedConnector) -> None:
    answer = pb.GetAccountResponse(account=codec.encode_account(ACCOUNT))
    connector.script("GetAccount", UNAVAILABLE, Unreachable("draining"), answer)
    async with connected(connector) as exchange:
        assert await exchange.get_account() == ACCOUNT
    assert len(connector.received["GetAccount"]) == 3


async def test_a_read_is_not_repeated_when_the_venue_asks_for_patience(connector: ScriptedConnector) -> None:
    connector.script("GetAccount", RateLimited("slow", retry_after_s=3))
    async with connected(connector) as exchange:
        with pytest.raises(RateLimited) as caught:
            await exchange.get_account()
    assert caught.value.retry_after_s == 3
    assert len(connector.received["GetAccount"]) == 1


async def test_a_read_is_not_repeated_while_the_venue_is_down_for_maintenance(connector: ScriptedConnector) -> None:
    connector.script("GetAccount", Maintenance("back at noon"))
    async with connected(connector) as exchange:
        with pytest.raises(Maintenance):
            await exchange.get_account()
    assert len(connector.received["GetAccount"]) == 1


@pytest.mark.parametrize("entry", [SILENCE, UNAVAILABLE])
async def test_a_read_ends_at_its_deadline(entry: object, connector: ScriptedConnector) -> None:
    connector.script("GetAccount", entry)
    async with connected(connector, deadline_s=2) as exchange:
        with pytest.raises(Unreachable):
            await exchange.get_account()


async def test_a_lost_order_call_is_repeated_with_the_very_same_content(connector: ScriptedConnector) -> None:
    """F1: the connector holds an order to once by its id, so the id may never change."""
    connector.script("PlaceOrder", UNAVAILABLE, UNAVAILABLE, PLACED)
    async with connected(connector) as exchange:
        assert await exchange.place_order(REQUEST) == ORDER
    first, *others = connector.received["PlaceOrder"]
    assert others == [first, first]
    assert first.order.client_order_id == "a1"


@pytest.mark.parametrize("entry", [SILENCE, UNAVAILABLE, grpc.StatusCode.INTERNAL])
async def test_an_order_whose_answer_is_lost_is_unknown(entry: object, connector: ScriptedConnector) -> None:
    """F1: an order is never sent twice, nor lost from sight, when a reply is lost."""
    connector.script("PlaceOrder", entry)
    async with connected(connector, deadline_s=2) as exchange:
        with pytest.raises(OutcomeUnknown):
            await exchange.place_order(REQUEST)


async def test_an_order_is_not_repeated_after_the_connectors_own_word(connector: ScriptedConnector) -> None:
    connector.script("PlaceOrder", OutcomeUnknown("asking the venue"))
    async with connected(connector) as exchange:
        with pytest.raises(OutcomeUnknown, match="asking the venue"):
            await exchange.place_order(REQUEST)
    assert len(connector.received["PlaceOrder"]) == 1


async def test_an_order_that_did_not_reach_the_venue_is_the_callers_to_send_again(
    connector: ScriptedConnector,
) -> None:
    connector.script("PlaceOrder", Unreachable("the venue does not answer; nothing was sent"))
    async with connected(connector) as exchange:
        with pytest.raises(Unreachable):
            await exchange.place_order(REQUEST)
    assert len(connector.received["PlaceOrder"]) == 1


async def test_a_refusal_after_a_lost_answer_proves_the_outcome(connector: ScriptedConnector) -> None:
    connector.script("PlaceOrder", UNAVAILABLE, OrderRejected("no"))
    async with connected(connector) as exchange:
        with pytest.raises(OrderRejected):
            await exchange.place_order(REQUEST)


async def test_being_turned_away_after_a_lost_answer_proves_nothing(connector: ScriptedConnector) -> None:
    """F3: a query that fails, or could not be made, is no proof of absence."""
    connector.script("PlaceOrder", UNAVAILABLE, Unreachable("draining"))
    async with connected(connector) as exchange:
        with pytest.raises(OutcomeUnknown):
            await exchange.place_order(REQUEST)


async def test_without_a_connection_nothing_is_sent_and_that_is_known(connector: ScriptedConnector) -> None:
    async with serving(connector.register) as port:
        exchange = RemoteExchange(RemoteSettings(base_url=f"127.0.0.1:{port}", deadline_s=2))
        await exchange.start()
    with pytest.raises(Unreachable, match="nothing was sent"):
        await exchange.place_order(REQUEST)
    await exchange.close()


async def test_a_batch_whose_answer_is_lost_is_unknown_item_by_item(connector: ScriptedConnector) -> None:
    """F2: a batch is answered item by item, and a failed one is never sent again item by item."""
    connector.script("BatchPlaceOrders", grpc.StatusCode.INTERNAL)
    async with connected(connector) as exchange:
        answers = await exchange.batch_place_orders([REQUEST, REQUEST])
    assert [type(answer) for answer in answers] == [OutcomeUnknown, OutcomeUnknown]
    assert len(connector.received["BatchPlaceOrders"]) == 1


async def test_a_batch_that_answers_too_few_items_is_not_guessed_at(connector: ScriptedConnector) -> None:
    one = types_pb.OrderResult(order=codec.encode_order(ORDER))
    connector.script("BatchPlaceOrders", pb.BatchPlaceOrdersResponse(results=[one]))
    async with connected(connector) as exchange:
        answers = await exchange.batch_place_orders([REQUEST, REQUEST])
    assert [type(answer) for answer in answers] == [OutcomeUnknown, OutcomeUnknown]


async def test_a_cancel_is_safe_to_repeat(connector: ScriptedConnector) -> None:
    connector.script("CancelOrder", UNAVAILABLE, pb.CancelOrderResponse(order=codec.encode_order(ORDER)))
    async with connected(connector) as exchange:
        assert await exchange.cancel_order(OrderRef(symbol="BTCUSDT", client_order_id="a1")) == ORDER


async def test_an_order_answer_that_cannot_be_read_leaves_the_outcome_unknown(connector: ScriptedConnector) -> None:
    connector.script("PlaceOrder", pb.PlaceOrderResponse(order=types_pb.Order(symbol="BTCUSDT", status=99)))
    async with connected(connector) as exchange:
        with pytest.raises(OutcomeUnknown, match="can't be read"):
            await exchange.place_order(REQUEST)


async def test_a_read_answer_that_cannot_be_read_is_told(connector: ScriptedConnector) -> None:
    connector.script("GetAccount", pb.GetAccountResponse())
    async with connected(connector) as exchange:
        with pytest.raises(VenueError, match=r"account\.wallet_balance ''"):
            await exchange.get_account()


async def test_a_limit_of_zero_is_not_taken_for_the_default(connector: ScriptedConnector) -> None:
    async with connected(connector) as exchange:
        with pytest.raises(InvalidRequest, match="limit 0"):
            await exchange.get_historical_klines("BTCUSDT", "1m", limit=0)


async def test_every_call_carries_a_deadline(connector: ScriptedConnector) -> None:
    connector.script("GetAccount", SILENCE)
    async with connected(connector, deadline_s=2) as exchange:
        with pytest.raises(Unreachable, match="DEADLINE_EXCEEDED"):
            await exchange.get_account()


async def test_the_status_of_a_connector_that_is_away_says_so() -> None:
    connector = ScriptedConnector()
    async with connected(connector, deadline_s=2) as exchange:
        connector.script("GetStatus", UNAVAILABLE)
        status = await exchange.get_status()
    assert not status.healthy
    assert [check.name for check in status.checks] == ["connector"]
