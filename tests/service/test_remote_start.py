"""How RemoteExchange connects: ten attempts, each told by number, and no attempt where none can help."""

from __future__ import annotations

import asyncio
from pathlib import Path

import grpc
import pytest
import structlog
from grpc_health.v1 import health_pb2

from opensqt.client.backoff import RetryPolicy
from opensqt.client.exchange import RemoteExchange
from opensqt.config.remote import RemoteSettings
from opensqt.model.errors import ConfigError, ConnectorUnavailable, PermissionDenied, TokenRefused, Unreachable
from opensqt.proto import gateway_service_pb2 as gateway_pb
from tests.service.scripted_connector import ScriptedConnector, connected
from tests.support import eventually
from tests.support.grpc_server import serving

NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
SERVING = health_pb2.HealthCheckResponse.SERVING


async def free_port() -> int:
    """A port that was ours a moment ago and that nothing listens on."""
    async with serving() as port:
        return port


def attempts(logs: list[dict[str, object]]) -> list[str]:
    return [str(line["event"]) for line in logs if str(line["event"]).startswith("attempt")]


def remote(port: int, **settings: object) -> RemoteExchange:
    return RemoteExchange(RemoteSettings(base_url=f"127.0.0.1:{port}", **{"retry_scale": 0.0001, **settings}))


async def test_fewer_attempts_may_be_asked_for() -> None:
    exchange = remote(await free_port(), attempts=2)
    with structlog.testing.capture_logs() as logs, pytest.raises(ConnectorUnavailable, match="after 2 attempts"):
        await exchange.start()
    assert [line.split(" to ")[0] for line in attempts(logs)] == ["attempt 1 of 2", "attempt 2 of 2"]


def test_the_waits_are_1_to_60_seconds() -> None:
    assert [RetryPolicy().delay_s(attempt) for attempt in range(1, 10)] == [1, 2, 4, 8, 16, 32, 60, 60, 60]


async def test_ten_attempts_are_made_and_each_is_told_by_its_number() -> None:
    exchange = remote(await free_port(), retry_scale=0.001)
    with structlog.testing.capture_logs() as logs, pytest.raises(ConnectorUnavailable) as caught:
        await exchange.start()
    told = attempts(logs)
    assert [line.split(" to ")[0] for line in told] == [f"attempt {n} of 10" for n in range(1, 11)]
    assert told[2].endswith("next in 0.004 s")
    assert told[9].endswith("giving up")
    assert "start exchange-connector there" in str(caught.value)


async def test_each_attempt_really_tries_to_connect() -> None:
    """A channel in its own back-off would answer with its last failure and try nothing."""
    connections = 0

    def hang_up(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        writer.close()

    async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as server:
        with pytest.raises(ConnectorUnavailable):
            await remote(server.sockets[0].getsockname()[1]).start()
    assert connections >= 10


async def test_a_connector_that_comes_up_later_is_found() -> None:
    port = await free_port()
    exchange = remote(port, retry_scale=0.02)
    with structlog.testing.capture_logs() as logs:
        starting = asyncio.create_task(exchange.start())
        await eventually(lambda: len(attempts(logs)) >= 2)
        async with serving(ScriptedConnector().register, port=port):
            await starting
            await exchange.close()


async def test_a_connector_that_is_not_serving_is_not_ready_and_tells_why() -> None:
    connector = ScriptedConnector()
    connector.health = NOT_SERVING
    bad = gateway_pb.Check(name="clock", ok=False, reason="3 s behind")
    connector.script("GetStatus", gateway_pb.GetStatusResponse(checks=[bad]))
    with pytest.raises(ConnectorUnavailable, match="not serving: clock: 3 s behind"):
        async with connected(connector, retry_scale=0.0001):
            pytest.fail("connected")
    assert len(connector.received["GetStatus"]) == 10


async def test_a_connector_that_becomes_well_is_taken() -> None:
    connector = ScriptedConnector()
    sick, well = health_pb2.HealthCheckResponse(status=NOT_SERVING), health_pb2.HealthCheckResponse(status=SERVING)
    connector.script("Check", sick, sick, well)
    async with connected(connector):
        assert len(connector.received["Check"]) == 3


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (grpc.StatusCode.UNAUTHENTICATED, TokenRefused),
        (grpc.StatusCode.PERMISSION_DENIED, PermissionDenied),
        (grpc.StatusCode.UNIMPLEMENTED, ConnectorUnavailable),
    ],
)
async def test_what_waiting_does_not_mend_fails_at_once(code: grpc.StatusCode, error: type[Exception]) -> None:
    connector = ScriptedConnector()
    connector.script("Check", code)
    with pytest.raises(error):
        async with connected(connector):
            pytest.fail("connected")
    assert len(connector.received["Check"]) == 1


async def test_another_server_is_not_taken_for_a_connector() -> None:
    async with serving() as port:
        with pytest.raises(ConnectorUnavailable, match="another program than exchange-connector listens there"):
            await remote(port).start()


async def test_the_token_goes_with_every_call_and_into_no_log() -> None:
    """F33: no secret shows in a log, an error or a page."""
    connector = ScriptedConnector()
    connector.script("GetAccount", grpc.StatusCode.UNAUTHENTICATED)
    with structlog.testing.capture_logs() as logs:
        async with serving(connector.register) as port:
            exchange = remote(port, token="canary-token-1")
            await exchange.start()
            with pytest.raises(TokenRefused) as caught:
                await exchange.get_account()
            await exchange.close()
    assert {metadata.get("authorization") for metadata in connector.metadata} == {"Bearer canary-token-1"}
    assert "canary" not in f"{logs} {caught.value}"


async def test_a_call_before_start_says_what_is_missing() -> None:
    with pytest.raises(Unreachable, match="start was not called"):
        await RemoteExchange().get_account()


async def test_a_token_that_the_connector_does_not_know_is_told_at_the_start() -> None:
    """Health answers anybody, so the start makes a call that asks who we are."""
    connector = ScriptedConnector()
    connector.script("GetStatus", TokenRefused("this token is not in the clients file"))
    with pytest.raises(TokenRefused, match=r"refuses this client: this token .*check CONNECTOR_TOKEN"):
        async with connected(connector):
            pytest.fail("connected")
    assert len(connector.received["GetStatus"]) == 1


async def test_the_name_goes_with_every_call() -> None:
    connector = ScriptedConnector()
    async with serving(connector.register) as port, remote(port, name="page.1") as exchange:
        await exchange.get_status()
    assert {metadata.get("x-client-name") for metadata in connector.metadata} == {"page.1"}


def test_a_certificate_that_cannot_be_read_is_a_configuration_error(tmp_path: Path) -> None:
    settings = RemoteSettings(tls_ca_file=tmp_path / "no.pem")
    with pytest.raises(ConfigError, match=r"exchanges\.remote\.tls_ca_file: .*no\.pem': can't be read"):
        RemoteExchange(settings)


@pytest.mark.parametrize("address", ["", "localhost", "http://localhost:50051", "localhost:0", "localhost:99999"])
def test_an_address_that_is_none_is_told(address: str) -> None:
    with pytest.raises(ValueError, match="expected HOST:PORT"):
        RemoteSettings(base_url=address)
