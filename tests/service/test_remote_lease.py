"""A lease held by a client: renewed while the block runs, given up at its end, and its loss is never silent."""

from __future__ import annotations

import asyncio

import grpc
import pytest
import structlog

from opensqt.client.lease import RemoteLease
from opensqt.model.errors import InvalidRequest, LeaseExpired, TokenRefused, Unreachable
from opensqt.model.venue import ClaimRequest, Lease
from opensqt.proto import gateway_service_pb2 as gateway_pb
from tests.service.scripted_connector import ScriptedConnector, connected
from tests.support import eventually


def answer(
    *, lapsed: bool = False, client: str = "grid", open_orders: int = 3, number: int = 0
) -> gateway_pb.HeartbeatResponse:
    return gateway_pb.HeartbeatResponse(
        client=client, expires_ms=1, lapsed=lapsed, open_orders=open_orders, number=number
    )


@pytest.fixture
def connector() -> ScriptedConnector:
    connector = ScriptedConnector()
    connector.script("Heartbeat", answer())
    return connector


def beats(connector: ScriptedConnector) -> list[int]:
    return [request.ttl_ms for request in connector.received["Heartbeat"]]


async def test_a_lease_is_taken_renewed_and_given_up(connector: ScriptedConnector) -> None:
    async with connected(connector) as exchange, exchange.lease(ttl_s=1) as lease:
        await eventually(lambda: len(beats(connector)) >= 3)
        assert lease.held
        assert (lease.latest.client, lease.latest.open_orders) == ("grid", 3)
    assert beats(connector)[-1] == 0
    assert set(beats(connector)[:-1]) == {1000}


async def test_a_block_that_fails_does_not_give_the_lease_up(connector: ScriptedConnector) -> None:
    async with connected(connector) as exchange:
        with structlog.testing.capture_logs() as logs, pytest.raises(ZeroDivisionError):
            async with exchange.lease(ttl_s=10):
                raise ZeroDivisionError
    assert beats(connector) == [10_000]
    assert any("the connector cancels the orders" in line["event"] for line in logs)


async def test_a_cancelled_block_stays_cancelled(connector: ScriptedConnector) -> None:
    async def strategy() -> None:
        async with connected(connector) as exchange, exchange.lease(ttl_s=10):
            await asyncio.Event().wait()

    running = asyncio.create_task(strategy())
    await eventually(lambda: beats(connector))
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert 0 not in beats(connector)


async def test_a_lease_that_lapsed_cancels_the_block_and_raises(connector: ScriptedConnector) -> None:
    connector.script("Heartbeat", answer(), answer(lapsed=True))
    async with connected(connector) as exchange:
        with pytest.raises(LeaseExpired, match="the lease of grid had ended"):
            async with exchange.lease(ttl_s=1):
                await asyncio.Event().wait()
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_a_block_that_ends_learns_that_its_lease_had_lapsed(connector: ScriptedConnector) -> None:
    """A block that ends normally leaves its orders open; where they were canceled instead, that is raised."""
    connector.script("Heartbeat", answer(number=5), answer(number=6, lapsed=True))
    async with connected(connector) as exchange:
        with pytest.raises(LeaseExpired, match="lease of grid had ended"):
            async with exchange.lease(ttl_s=60):
                pass
    assert beats(connector) == [60_000, 0]


async def test_a_callback_is_called_also_at_the_end_of_the_block(connector: ScriptedConnector) -> None:
    """With a callback the block of a lapsed lease ends normally, for its owner handles the lapse."""
    connector.script("Heartbeat", answer(number=5), answer(number=6, lapsed=True))
    lapses: list[LeaseExpired] = []
    async with connected(connector) as exchange, exchange.lease(ttl_s=60, on_lapse=lapses.append):
        pass
    assert len(lapses) == 1


async def test_each_heartbeat_names_the_lease_that_the_last_response_named(connector: ScriptedConnector) -> None:
    """The connector then reports its end until a response has arrived, not once."""
    connector.script(
        "Heartbeat", answer(number=5), grpc.StatusCode.UNAVAILABLE, answer(number=7, lapsed=True), answer(number=7)
    )
    lapses: list[LeaseExpired] = []
    async with connected(connector) as exchange, exchange.lease(ttl_s=1, on_lapse=lapses.append):
        await eventually(lambda: len(beats(connector)) >= 4)
    assert len(lapses) == 1
    numbers = [request.number for request in connector.received["Heartbeat"]]
    assert (numbers[:4], numbers[-1]) == ([0, 5, 5, 7], 7)


async def test_a_block_begins_when_the_orders_of_an_earlier_life_are_gone(connector: ScriptedConnector) -> None:
    """Until then the connector would refuse every new order."""
    connector.script("Heartbeat", answer(lapsed=True), answer(), answer(open_orders=0))
    async with connected(connector) as exchange, exchange.lease(ttl_s=1) as lease:
        assert lease.latest.open_orders == 0
        assert lease.held


async def test_with_a_callback_the_block_goes_on_after_a_lapse(connector: ScriptedConnector) -> None:
    connector.script("Heartbeat", answer(), answer(lapsed=True), answer())
    lapses: list[LeaseExpired] = []
    async with connected(connector) as exchange, exchange.lease(ttl_s=1, on_lapse=lapses.append) as lease:
        await eventually(lambda: len(beats(connector)) >= 4)
        assert lease.held
    assert [str(lapse) for lapse in lapses] == [
        "the lease of grid had ended before it was renewed; its orders were canceled, or are being"
    ]


async def test_a_lease_survives_a_connector_that_is_away_for_a_while(connector: ScriptedConnector) -> None:
    away = [grpc.StatusCode.UNAVAILABLE] * 8
    connector.script("Heartbeat", answer(), *away, answer())
    async with connected(connector) as exchange, exchange.lease(ttl_s=1):
        await eventually(lambda: len(beats(connector)) >= 10)
    assert beats(connector)[-1] == 0


async def test_a_lease_that_could_not_be_renewed_in_time_is_not_held_but_not_taken_for_lost() -> None:
    """F3: could not ask does not mean ended."""
    reachable = True

    async def heartbeat(ttl_s: float, claim: ClaimRequest | None = None, *, number: int = 0) -> Lease:
        if not reachable:
            raise Unreachable("no connection")
        return Lease(client="grid", expires_ms=1)

    with structlog.testing.capture_logs() as logs:
        async with RemoteLease(heartbeat, 0.2) as lease:
            reachable = False
            await eventually(lambda: not lease.held)
            await eventually(lambda: any("may have expired" in line["event"] for line in logs))
            reachable = True
            await eventually(lambda: lease.held)
    assert any("held again" in line["event"] for line in logs)


async def test_a_client_that_is_shut_out_learns_it_in_the_block(connector: ScriptedConnector) -> None:
    connector.script("Heartbeat", answer(), TokenRefused("revoked"))
    async with connected(connector) as exchange:
        with pytest.raises(TokenRefused, match="revoked"):
            async with exchange.lease(ttl_s=1):
                await asyncio.Event().wait()


async def test_a_callback_that_fails_is_told_in_the_block(connector: ScriptedConnector) -> None:
    connector.script("Heartbeat", answer(), answer(lapsed=True))

    def on_lapse(_: LeaseExpired) -> None:
        raise ZeroDivisionError

    async with connected(connector) as exchange:
        with pytest.raises(ZeroDivisionError):
            async with exchange.lease(ttl_s=1, on_lapse=on_lapse):
                await asyncio.Event().wait()


async def test_a_lease_that_cannot_be_taken_does_not_let_the_block_begin(connector: ScriptedConnector) -> None:
    connector.script("Heartbeat", TokenRefused("no"))
    async with connected(connector) as exchange:
        with pytest.raises(TokenRefused):
            async with exchange.lease():
                pytest.fail("the block began")


async def test_a_lease_without_a_name_of_its_own_is_warned_of(connector: ScriptedConnector) -> None:
    connector.script("Heartbeat", answer(client="local"))
    async with connected(connector) as exchange:
        with structlog.testing.capture_logs() as logs:
            async with exchange.lease():
                assert any("this client has no name" in line["event"] for line in logs)


@pytest.mark.parametrize("ttl_s", [0.5, -1, 3601, float("nan")])
async def test_a_time_out_of_range_is_refused_before_anything_is_sent(
    ttl_s: float, connector: ScriptedConnector
) -> None:
    async with connected(connector) as exchange:
        with pytest.raises(InvalidRequest, match=f"ttl_s {ttl_s}"):
            await exchange.heartbeat(ttl_s)
    assert not beats(connector)
