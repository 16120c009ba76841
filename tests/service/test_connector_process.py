"""The exchange-connector command: how it starts, how it refuses to, and how it ends."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from decimal import Decimal
from pathlib import Path

import grpc
import pytest

from opensqt.connector.__main__ import main
from opensqt.proto import exchange_service_pb2 as pb
from opensqt.proto import types_pb2
from opensqt.proto.exchange_service_pb2_grpc import ExchangeServiceStub
from opensqt.simulator import AccountSettings, Simulator, SimulatorSettings
from opensqt.simulator.faults import Fault, FaultKind
from tests.service.connector_rig import client, place, reason_of
from tests.support import eventually, start
from tests.support.command import refusal
from tests.support.health_probe import find_probe, probe

MODULE = "opensqt.connector"
ANY_PORTS = ("--port", "0", "--metrics-port", "0")
KEY, SECRET, PASSPHRASE = "canaryKeyAbc123Def456", "canarySecretGhi789Jkl012", "canaryPassMno345"
CANARIES = {"API_KEY": KEY, "API_SECRET": SECRET, "PASSPHRASE": PASSPHRASE}
ACCOUNT = {"API_KEY": "sim-key", "API_SECRET": "sim-secret"}
ROOT = Path(__file__).parents[2]


@pytest.fixture
async def simulator() -> AsyncIterator[Simulator]:
    async with Simulator(SimulatorSettings(exchange="binance", seed=7, port=0)) as simulator:
        yield simulator


async def refused(*arguments: str, env: Mapping[str, str] | None = None, cwd: Path | None = None) -> tuple[int, str]:
    """Run a connector that can't start; answer its exit code and the one line it says."""
    async with start(MODULE, *arguments, env=env, cwd=cwd) as process:
        code = await process.wait(30)
    assert process.stdout == b""
    (line,) = process.stderr.decode().splitlines()
    assert not [secret for secret in CANARIES.values() if secret[:8] in line]
    return code, line


async def test_a_simulated_connector_needs_no_key_no_network_and_serves() -> None:
    async with start(MODULE, "--exchange", "binance", "--simulated", *ANY_PORTS) as process:
        address = await process.ready()
        assert process.stdout.decode() == f"exchange-connector ready on {address}\n"
        assert await probe(address) == (0, "SERVING")
        async with client(address) as channel:
            stub = ExchangeServiceStub(channel)
            info = await stub.GetExchangeInfo(pb.GetExchangeInfoRequest())
            assert (info.name, info.simulated) == ("binance", True)
            price = (await stub.GetLatestPrice(pb.GetLatestPriceRequest(symbol="BTCUSDT"))).price
            resting = str((Decimal(price.bid) * Decimal("0.97")).quantize(Decimal("1")))
            placed = await stub.PlaceOrder(place("a1", quantity="0.01", price=resting))
            assert placed.order.status == types_pb2.ORDER_STATUS_OPEN


async def test_stopped_with_a_stream_open_and_a_call_in_flight_it_says_so_and_ends_with_0(
    simulator: Simulator,
) -> None:
    """F30: a stop ends soon and takes away own orders only."""
    arguments = ("--exchange", "binance", "--base-url", simulator.url, "--journal", ":memory:", *ANY_PORTS)
    async with start(MODULE, *arguments, env=ACCOUNT) as process:
        address = await process.ready()
        async with client(address) as channel:
            stub = ExchangeServiceStub(channel)
            stream = stub.SubscribePrice(pb.SubscribePriceRequest(symbol="BTCUSDT"))
            updates = aiter(stream)
            await anext(updates)
            simulator.faults.add(Fault(kind=FaultKind.DELAY, on="account", delay_ms=1500, before=True))
            asked = simulator.ledger()["statistics"]["requests"]["account"]
            call = asyncio.ensure_future(stub.GetAccount(pb.GetAccountRequest()))
            await eventually(lambda: simulator.ledger()["statistics"]["requests"]["account"] > asked)
            process.send(signal.SIGTERM)

            async def not_serving() -> bool:
                return await probe(address) == (4, "NOT_SERVING")

            await eventually(not_serving)
            assert (await call).account.asset == "USDT"
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                _ = [response async for response in updates]
            assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        assert await process.wait(10) == 0
    assert "Traceback" not in process.output


async def test_stopped_while_it_still_starts_it_ends_with_0() -> None:
    """F30: a stop ends soon and takes away own orders only."""
    asked = asyncio.Event()

    async def never_answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.set()
        with suppress(ConnectionError):
            await reader.read()
        writer.close()

    async with await asyncio.start_server(never_answer, "127.0.0.1", 0) as silent:
        url = f"http://127.0.0.1:{silent.sockets[0].getsockname()[1]}"
        arguments = ("--exchange", "binance", "--base-url", url, "--journal", ":memory:", *ANY_PORTS)
        async with start(MODULE, *arguments, env=ACCOUNT) as process:
            await asyncio.wait_for(asked.wait(), 60)
            process.send(signal.SIGTERM)
            assert await process.wait(10) == 0
    assert "Traceback" not in process.output


async def test_wrong_key_ends_with_3_and_says_which_setting(simulator: Simulator) -> None:
    env = {**ACCOUNT, "API_KEY": KEY}
    code, line = await refused(
        "--exchange", "binance", "--base-url", simulator.url, "--journal", ":memory:", *ANY_PORTS, env=env
    )
    assert code == 3
    assert "API_KEY" in line


async def test_wrong_secret_ends_with_3_and_says_which_setting(simulator: Simulator) -> None:
    env = {**ACCOUNT, "API_SECRET": SECRET}
    code, line = await refused(
        "--exchange", "binance", "--base-url", simulator.url, "--journal", ":memory:", *ANY_PORTS, env=env
    )
    assert code == 3
    assert "API_SECRET" in line


async def test_an_exchange_that_is_not_there_ends_with_4() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
        code, line = await refused(
            "--exchange", "binance", "--base-url", url, "--journal", ":memory:", *ANY_PORTS, env=CANARIES
        )
    assert code == 4
    assert line.startswith("error: ")


@pytest.mark.parametrize(
    ("arguments", "env", "said"),
    [
        (("--exchange", "binance"), {"API_KEY": KEY}, "API_SECRET: not set; set API_KEY and API_SECRET"),
        (("--exchange", "mtgox"), {}, "exchange 'mtgox': unknown; expected one of binance"),
    ],
    ids=["missing key", "unknown exchange, no key"],
)
def test_bad_settings_end_with_2_and_one_plain_sentence(arguments, env, said: str) -> None:
    """F33: no secret shows in a log, an error or a page; the command ends before it starts anything."""
    code, printed = refusal(main, *arguments, env=env)
    (line,) = printed.splitlines()
    assert code == 2
    assert said in line
    assert KEY[:8] not in line


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--exchange", "mtgox"), "exchange 'mtgox': unknown; expected one of binance"),
        (("--config", "connector.yaml"), "connector.yaml: exchange.api_kee: no such key; did you mean api_key?"),
    ],
    ids=["unknown exchange", "unknown YAML key"],
)
async def test_bad_configuration_ends_with_2_and_one_plain_sentence(arguments, said: str, tmp_path) -> None:
    """F33: no secret shows in a log, an error or a page."""
    (tmp_path / "connector.yaml").write_text(f"exchange: {{name: binance, api_kee: {KEY}}}")
    code, line = await refused(*arguments, env=CANARIES, cwd=tmp_path)
    assert code == 2
    assert said in line


async def test_a_port_in_use_ends_with_2_and_says_which() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        code, line = await refused("--simulated", "--port", str(port), "--metrics-port", "0")
    assert (code, f"port {port}: already in use" in line) == (2, True)


async def test_public_only_needs_no_key_and_refuses_orders(simulator: Simulator) -> None:
    arguments = (
        "--exchange",
        "binance",
        "--public-only",
        "--base-url",
        simulator.url,
        "--journal",
        ":memory:",
        *ANY_PORTS,
    )
    async with start(MODULE, *arguments) as process, client(await process.ready()) as channel:
        stub = ExchangeServiceStub(channel)
        price = (await stub.GetLatestPrice(pb.GetLatestPriceRequest(symbol="BTCUSDT"))).price
        assert Decimal(price.bid) > 0
        for refused_call in (
            stub.PlaceOrder(place("a")),
            stub.GetAccount(pb.GetAccountRequest()),
            stub.SubscribeOrders(pb.SubscribeOrdersRequest()).read(),
        ):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await refused_call
            assert reason_of(caught.value) == "UNSUPPORTED"


async def test_no_secret_shows_however_loud_the_log_is(tmp_path: Path) -> None:
    """F33: canary key and secret, all calls, every error, at DEBUG."""
    settings = SimulatorSettings(exchange="binance", port=0, accounts=(AccountSettings(key=KEY, secret=SECRET),))
    for name, value in CANARIES.items():
        (tmp_path / name).write_text(f"{value}\n")
    env = {f"{name}_FILE": str(tmp_path / name) for name in CANARIES} | {"LOG_LEVEL": "DEBUG"}
    async with Simulator(settings) as simulator:
        arguments = ("--exchange", "binance", "--base-url", simulator.url, "--journal", "j.db", *ANY_PORTS)
        async with (
            start(MODULE, *arguments, env=env, cwd=tmp_path) as process,
            client(await process.ready()) as channel,
        ):
            stub = ExchangeServiceStub(channel)
            errors = []
            for kind in ("error_before", "error_after", "drop_reply", "timeout_unknown", "rate_limited", "unreachable"):
                simulator.faults.clear()
                simulator.faults.add(Fault(kind=FaultKind(kind), on="account", times=2))
                try:
                    await stub.GetAccount(pb.GetAccountRequest(), timeout=5)
                except grpc.aio.AioRpcError as error:
                    errors.append(f"{error} {error.trailing_metadata()}")
            simulator.faults.clear()
            process.send(signal.SIGTERM)
            await process.wait(12)
    said = process.output + "".join(errors)
    assert errors
    assert "health changed" in said
    signature_like = [line for line in said.splitlines() if "signature=" in line and "signature=***" not in line]
    assert signature_like == []
    assert not [secret for secret in (KEY, SECRET) if secret[:8] in said]


async def test_the_health_check_script_sees_serving_and_not_serving() -> None:
    script = ROOT / "scripts" / "test_health_check.sh"
    environment = {**os.environ, "PATH": f"{ROOT / '.venv' / 'bin'}:{os.environ.get('PATH', '')}"}
    find_probe()
    process = await asyncio.create_subprocess_exec(
        str(script), env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()
    assert b"ok: SERVING while it runs" in output
    assert b"ok: NOT_SERVING while it stops, a stream open" in output
    assert b"ok: ended with 0" in output
