"""The market-maker command as its user runs it: a process over a connector over a simulator, and how it ends."""

from __future__ import annotations

import signal
import socket
from pathlib import Path

import pytest

from opensqt.market_maker.__main__ import main
from opensqt.simulator.faults import Fault, FaultKind
from tests.service.grid_rig import chain, get, store_fills
from tests.support import Process, eventually, start
from tests.support.blocking import in_thread
from tests.support.command import refusal


async def test_it_trades_through_the_connector_and_stops_with_0(tmp_path: Path) -> None:
    """F30 F36: healthy while it trades; at the end its orders are gone and its store equals the ledger."""
    async with chain(tmp_path) as made:
        async with made.maker() as maker:
            await maker.ready()
            await eventually(lambda: len(made.account["fills"]) >= 5)
            assert await in_thread(get, maker, "/health") == {"healthy": True, "problems": []}
            maker.send(signal.SIGTERM)
            assert await maker.wait() == 0, maker.output
        assert made.open_orders == []
        assert await store_fills(tmp_path / "grid.db") == made.fills()


async def test_check_prints_the_ladder_and_ends_with_0_and_a_broken_safety_rule_with_2(tmp_path: Path) -> None:
    """One connector serves all three; none of them places an order."""
    async with chain(tmp_path) as made:
        async with made.maker("--check") as maker:
            assert await maker.wait() == 0, maker.output
            assert "liquidation" in maker.output
            assert "BROKEN" not in maker.output
        async with made.maker(OPENSQT__TRADING__ORDER_QUANTITY="20") as maker:
            assert await maker.wait() == 2
            assert "order_quantity: 20 buys 0 BTC" in error_line(maker)
        async with made.maker("--check", OPENSQT__TRADING__ORDER_QUANTITY="20") as maker:
            assert await maker.wait() == 2
            assert "BROKEN" in maker.output
        assert made.account["orders"] == []


@pytest.mark.parametrize(
    "fault",
    [
        Fault(kind=FaultKind.ERROR_BEFORE, on="account", times=2),
        Fault(kind=FaultKind.ERROR_BEFORE, on="positions", times=2),
        Fault(kind=FaultKind.RATE_LIMITED, on="account", times=1, retry_after_s=1),
    ],
    ids=["account", "positions", "rate limit"],
)
async def test_a_start_waits_for_an_exchange_that_is_overloaded(tmp_path: Path, fault: Fault) -> None:
    """F16 F9: a request for a pause in the middle of a start does not end it and leave what is held alone."""
    async with chain(tmp_path) as made:
        made.sim.faults.add(fault)
        async with made.maker() as maker:
            await maker.ready()
            await eventually(lambda: len(made.open_orders) >= 10)


async def test_a_connector_that_dies_for_good_ends_it_with_4(tmp_path: Path) -> None:
    async with chain(tmp_path) as made, made.maker(OPENSQT__EXCHANGES__REMOTE__RETRY_SCALE="0.01") as maker:
        await maker.ready()
        made.connector.send(signal.SIGKILL)
        assert await maker.wait(40) == 4, maker.output
        assert "Traceback" not in maker.output


async def test_a_connector_that_never_answers_ends_it_with_4(tmp_path: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    env = {"EXCHANGE_GRPC_ADDRESS": f"127.0.0.1:{port}", "OPENSQT__EXCHANGES__REMOTE__RETRY_SCALE": "0.001"}
    async with start("opensqt.market_maker", "--port", "0", env=env, cwd=tmp_path) as maker:
        assert await maker.wait(30) == 4
        assert "Traceback" not in maker.output


def test_an_unknown_key_ends_it_with_2_and_one_line(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("trading: {price_intervall: 1}\n")
    code, printed = refusal(main, "--config", str(file))
    (line,) = printed.splitlines()
    assert code == 2
    assert line.startswith("error:")
    assert "did you mean price_interval?" in line


async def test_a_port_in_use_ends_it_with_2(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        async with start("opensqt.market_maker", "--port", str(port), cwd=tmp_path) as maker:
            assert await maker.wait(30) == 2
            assert f"port {port}: already in use" in error_line(maker)


def error_line(process: Process) -> str:
    lines = [line for line in process.output.splitlines() if line.startswith("error:")]
    assert len(lines) == 1, process.output
    assert "Traceback" not in process.output
    return lines[0]


SPINNING = """
from pathlib import Path
from opensqt.market_maker.strategy.grid.quoter import GridQuoter

class Spinning(GridQuoter):
    def frame(self, market, inventory):
        while Path("spin").exists():
            Path("spins").touch()
        return super().frame(market, inventory)
"""


async def test_a_stop_is_obeyed_although_a_strategy_never_returns(tmp_path: Path) -> None:
    """F49: SIGTERM in a busy event loop ends the process with 1, and the connector cancels what is left."""
    (tmp_path / "spinning.py").write_text(SPINNING)
    env = {"OPENSQT__TRADING__STRATEGY": "spinning:Spinning", "PYTHONPATH": str(tmp_path)}
    async with chain(tmp_path) as made, made.maker(**env, OPENSQT__SYSTEM__LEASE_SECONDS="10") as maker:
        await maker.ready()
        await eventually(lambda: made.open_orders)
        (tmp_path / "spin").touch()
        await eventually((tmp_path / "spins").exists)
        maker.send(signal.SIGTERM)
        assert await maker.wait(60) == 1
        assert "the stop took too long and was cut off" in error_line(maker)
        await eventually(lambda: made.open_orders == [], within_s=60)
