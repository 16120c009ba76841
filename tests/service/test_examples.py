"""The examples run as their first lines say: against `exchange-connector --exchange binance --simulated`."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from opensqt.client.exchange import RemoteExchange
from opensqt.config.remote import RemoteSettings
from tests.support.authority import Authority
from tests.support.process import run_program
from tests.support.wait import WITHIN_S

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"


@contextmanager
def simulated(folder: Path, *flags: str | Path) -> Iterator[str]:
    """Run a simulated connector and answer HOST:PORT."""
    arguments = ["--exchange", "binance", "--simulated", "--port", "0", "--metrics-port", "0", *map(str, flags)]
    with (folder / "connector.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "opensqt.connector", *arguments],
            stdout=subprocess.PIPE,
            stderr=log,
            cwd=folder,
            env={**os.environ, "OPENSQT__SERVER__DRAIN_S": "0"},
        )
        assert process.stdout is not None
        try:
            line = process.stdout.readline().decode()
            assert "ready on" in line, (folder / "connector.log").read_text()
            yield line.split()[-1]
        finally:
            process.terminate()
            process.wait(WITHIN_S)
            process.stdout.close()


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with simulated(tmp_path_factory.mktemp("connector")) as address:
        yield address


async def left_behind(address: str) -> tuple[int, bool]:
    """How many orders are open, and whether a position is."""
    async with RemoteExchange(RemoteSettings(base_url=address)) as exchange:
        positions = await exchange.get_positions("BTCUSDT")
        return len(await exchange.get_open_orders()), any(not position.is_flat for position in positions)


async def test_the_strategy_cancels_an_order_that_is_not_filled(address: str) -> None:
    code, said = await run_program(
        EXAMPLES / "strategy.py", "--address", address, "--ticks", "5000", "--seconds", "0.5"
    )
    assert code == 0, said
    assert re.search(r"resting: buy .*\nnot filled in time\nCANCELED: 0", said)
    assert await left_behind(address) == (0, False)


async def test_the_watch_of_public_data_prints_all_three_side_by_side(address: str) -> None:
    code, said = await run_program(EXAMPLES / "market_data.py", "--address", address, "--seconds", "8")
    assert code == 0, said
    assert re.search(
        r"spread [\d.]+, ten levels [\d.]+ to [\d.]+, .*mark [\d.]+, funding -?[\d.]+ at \d\d:\d\d", said
    ), said


async def test_the_strategy_takes_a_fill_and_closes_the_position(address: str) -> None:
    code, said = await run_program(EXAMPLES / "strategy.py", "--address", address, "--ticks", "-200")
    assert code == 0, said
    assert "FILLED" in said
    assert "closed: sold" in said
    assert await left_behind(address) == (0, False)


async def test_the_strategy_stops_in_good_order_on_ctrl_c(address: str) -> None:
    """F30: a stop ends soon and takes away own orders only."""
    command = [sys.executable, "-u", str(EXAMPLES / "strategy.py"), "--address", address, "--ticks", "5000"]
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(WITHIN_S):
            assert b"resting" in await process.stdout.readline()
            process.send_signal(signal.SIGINT)
            _, said = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert said.decode().endswith("stopped; the order was canceled\n")
    assert process.returncode == 1
    assert await left_behind(address) == (0, False)


async def test_the_strategy_says_in_one_line_that_nobody_is_there() -> None:
    env = {"OPENSQT__EXCHANGES__REMOTE__ATTEMPTS": "1"}
    code, said = await run_program(EXAMPLES / "strategy.py", "--address", "127.0.0.1:1", env=env)
    assert code == 1
    assert said.splitlines()[-1].startswith("error: connector 127.0.0.1:1: not ready after 1 attempts")


async def test_plain_grpcio_places_once_and_resumes_its_stream(address: str) -> None:
    """F1: an order is never sent twice, nor lost from sight, when a reply is lost.
    F7: no update vanishes between two reads of a stream, or a gap is reported.
    """
    code, said = await run_program(EXAMPLES / "plain_grpcio.py", "--address", address)
    assert code == 0, said
    orders = re.findall(r"order (\d+): ORDER_STATUS_OPEN", said)
    assert len(orders) == 2
    assert len(set(orders)) == 1
    assert re.search(r"resuming at sequence \d+\n", said)
    assert "a gap" not in said
    assert said.endswith("canceled\n")
    assert await left_behind(address) == (0, False)


async def test_the_notebook_runs_from_its_first_cell_to_its_last(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXCHANGE_GRPC_ADDRESS", address)
    notebook = nbformat.read(EXAMPLES / "notebook.ipynb", as_version=4)
    assert not any(cell.get("outputs") for cell in notebook.cells)
    await NotebookClient(notebook, timeout=60, kernel_name="python3").async_execute()
    printed = "".join(output.get("text", "") for cell in notebook.cells for output in cell.get("outputs", []))
    assert "one order: True" in printed
    assert "UnknownSymbol" in printed
    assert await left_behind(address) == (0, False)


def guarded(folder: Path) -> tuple[list[str | Path], str]:
    """Make a certificate and a client's token; answer the connector's flags and the token."""
    pair = Authority(folder).issue("server")
    clients = folder / "clients.yaml"
    command = [sys.executable, "-m", "opensqt.cli", "token", "new", "--name", "plain", "--role", "trade"]
    printed = subprocess.run([*command, "--clients", str(clients)], check=True, capture_output=True, text=True)
    return ["--clients", clients, "--tls-cert", pair.certificate, "--tls-key", pair.key], printed.stdout.split()[-1]


async def test_plain_grpcio_shows_its_token_over_tls(tmp_path: Path) -> None:
    flags, token = guarded(tmp_path)
    with simulated(tmp_path, *flags) as address:
        arguments = (EXAMPLES / "plain_grpcio.py", "--address", address, "--ca", tmp_path / "authority.pem")
        code, said = await run_program(*arguments, env={"CONNECTOR_TOKEN": token})
        assert code == 0, said
        code, said = await run_program(*arguments, env={"CONNECTOR_TOKEN": "not-one-of-yours"})
    assert code == 1
    assert said.startswith("error: UNAUTHENTICATED (TOKEN_REFUSED)")
