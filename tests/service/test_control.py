"""A person's commands to a market maker that runs, by the opensqt command: over a connector over a simulator."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import signal
import stat
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from opensqt.market_maker.orders.events import PauseChanged, PauseMode
from opensqt.model.errors import ConfigError
from opensqt.model.order import Side
from tests.service.grid_rig import FEE, SYMBOL, TRADING, Chain, chain, running, simulator
from tests.support import Process, eventually, start
from tests.support.blocking import in_thread
from tests.support.process import KEPT


@dataclass
class Rig:
    """A settings file, and the two commands that use it."""

    made: Chain
    file: Path

    def write(self, *, risk: Mapping[str, Any] | None = None, **trading: Any) -> None:
        """Write the settings file."""
        settings = {
            "risk_control": dict(risk or {}),
            "app": {"database_url": "sqlite:///grid.db"},
            "exchanges": {"remote": {"base_url": self.made.connector.address}, "binance": {"fee_rate": str(FEE)}},
            "trading": {**TRADING, "price_interval": "20", **trading},
            "telemetry": {"metrics_port": 0},
        }
        self.file.write_text(json.dumps(settings))

    def maker(self) -> AbstractAsyncContextManager[Process]:
        return start("opensqt.market_maker", "--config", str(self.file), cwd=self.file.parent)

    async def run(self, *arguments: str) -> tuple[int, str, str]:
        """Run an opensqt command with `--config`."""
        command = (arguments[0], "--config", str(self.file), *arguments[1:])
        async with start("opensqt.cli", *command, env={"COLUMNS": "160"}, cwd=self.file.parent) as process:
            code = await process.wait()
        return code, process.stdout.decode(), process.stderr.decode()

    async def json(self, *arguments: str) -> Any:
        code, out, error = await self.run(*arguments, "--json")
        assert code in (0, 1), error
        return json.loads(out)

    def live(self, side: str) -> dict[Decimal, Decimal]:
        """Price to quantity of the venue's open orders of a side."""
        return {
            Decimal(str(order["price"])): Decimal(str(order["quantity"]))
            for order in self.made.open_orders
            if order["side"] == side
        }


@asynccontextmanager
async def rig(folder: Path, **trading: Any) -> AsyncIterator[Rig]:
    async with chain(folder) as made:
        found = Rig(made, folder / "config.yaml")
        found.write(**trading)
        yield found


async def test_a_pause_pulls_entries_survives_a_kill_and_is_lifted(tmp_path: Path) -> None:
    async with rig(tmp_path) as one:
        async with one.maker() as maker:
            await maker.ready()
            await eventually(lambda: len(one.live("BUY")) >= 9)
            socket = tmp_path / f"grid.db.{SYMBOL}.control"
            assert stat.S_IMODE(socket.stat().st_mode) == 0o600
            code, out, error = await one.run("pause")
            assert (code, out) == (0, "paused: exits only\n"), error
            await eventually(lambda: one.live("BUY") == {})
            health = await in_thread(get_health, maker)
            assert any(problem.startswith("paused: exits only") for problem in health["problems"])
            assert "command=pause" in maker.output or '"command":"pause"' in maker.output
            maker.send(signal.SIGKILL)
            await maker.wait()
        async with one.maker() as maker:
            await maker.ready()
            status = await one.json("status")
            assert status["control"]["paused"] == "entries"
            assert status["control"]["socket"] == str(socket)
            await asyncio.sleep(1)
            assert one.live("BUY") == {}
            code, out, _ = await one.run("resume")
            assert (code, "not paused" in out) == (0, True)
            await eventually(lambda: len(one.live("BUY")) >= 9)
            maker.send(signal.SIGTERM)
            assert await maker.wait() == 0, maker.output
        assert one.made.open_orders == []
        assert not socket.exists()
        code, _, error = await one.run("pause")
        assert (code, "no market maker takes commands" in error) == (4, True)


async def test_settings_change_while_it_runs_after_a_preview_and_survive_a_restart(tmp_path: Path) -> None:
    async with rig(tmp_path) as one:
        async with one.maker() as maker:
            await maker.ready()
            await eventually(lambda: len(one.live("BUY")) >= 9)
            before = one.live("BUY")
            code, out, _ = await one.run("set", "trading.order_quantity=300")
            assert (code, "this is the preview; --yes applies it" in out) == (0, True)
            assert "trading.order_quantity: 100 -> 300" in out
            assert one.live("BUY").keys() <= before.keys() | one.live("BUY").keys()
            assert max(one.live("BUY").values()) < Decimal("0.006")
            shown = await one.json("set", "trading.order_quantity=300", "--yes")
            assert (shown["applied"], len(shown["cancels"]) >= 5, len(shown["places"]) >= 5) == (True, True, True)
            await eventually(lambda: one.live("BUY") and min(one.live("BUY").values()) >= Decimal("0.006"))
            for change, expected in WRONG:
                code, _, error = await one.run("set", change, "--yes")
                assert (code, expected in error) == (2, True), error
            maker.send(signal.SIGKILL)
            await maker.wait()
        async with one.maker() as maker:
            await maker.ready()
            listed = await one.json("set")
            assert listed["overrides"] == {"trading.order_quantity": "300"}
            assert listed["values"]["trading.order_quantity"] == "300"
            code, out, error = await one.run("set", "--unset", "trading.order_quantity", "--yes")
            assert (code, "applied" in out) == (0, True), error
            await eventually(lambda: one.live("BUY") and max(one.live("BUY").values()) < Decimal("0.006"))


WRONG = [
    ("trading.order_quantity=abc", "trading.order_quantity: 'abc'"),
    ("trading.order_quantity=-1", "greater than 0"),
    ("trading.order_quantiti=4", "did you mean order_quantity?"),
    ("trading.symbol=ETHUSDT", "can't change while it runs"),
    ("trading.buy_window_size=45", "expected at least 55"),
    ("trading.order_quantity=1", "the safety check would break"),
]


async def test_limits_and_triggers_change_while_it_runs(tmp_path: Path) -> None:
    """They needed a restart: by `set` with a preview, by SIGHUP, and the monitor reads other candles from then on."""
    async with rig(tmp_path) as one, one.maker() as maker:
        await maker.ready()
        await eventually(lambda: len(one.live("BUY")) >= 9)
        shown = await one.json("set", "risk_control.max_levels_held=3")
        assert (shown["applied"], shown["changes"][0]["after"], len(shown["cancels"]) >= 5) == (False, "3", True)
        assert len(one.live("BUY")) >= 8
        assert (await one.json("set", "risk_control.max_levels_held=3", "--yes"))["applied"]
        await eventually(lambda: len(one.live("BUY")) <= 3)
        code, out, error = await one.run("set", "trading.stop_above=1")
        assert (code, "the grid stops at once: stop_above 1: the price is" in out) == (0, True), error
        assert (await one.json("status"))["course"]["stopped"] == ""
        code, _, error = await one.run("set", "trading.grid_mode=short")
        assert (code, "would move or turn; change the settings file and restart" in error) == (2, True), error

        async def watched() -> list[str]:
            return sorted((await one.json("status"))["risk"]["monitor"]["symbols"])

        assert await watched() == ["BTCUSDT", "ETHUSDT"]
        one.write(risk={"monitor_symbols": ["ETHUSDT"], "exposure_limit": "150"})
        maker.send(signal.SIGHUP)
        await eventually(lambda: one.live("BUY") and len(one.live("BUY")) <= 1)
        assert (await watched(), (await one.json("status"))["control"]["needs_restart"]) == (["ETHUSDT"], [])
        assert (await one.json("set", "--unset", "risk_control.max_levels_held", "--yes"))["applied"]
        assert (await one.json("set", "risk_control.enabled=false", "--yes"))["applied"]
        await eventually(lambda: len(one.live("BUY")) >= 8)
        maker.send(signal.SIGTERM)
        assert await maker.wait() == 0, maker.output


async def test_a_reset_that_can_not_be_done_ends_with_2_and_says_why(tmp_path: Path) -> None:
    """F48: a long grid can't take a short position over; a script must not take that for done."""
    async with rig(tmp_path) as one, one.maker() as maker:
        await maker.ready()
        one.made.place(Side.SELL, quantity="0.5")

        async def halted() -> bool:
            return bool((await one.json("status"))["halted"])

        await eventually(halted)
        code, _, error = await one.run("reset", "--take-venue", "--yes")
        assert (code, "can't be taken over" in error) == (2, True), error


async def test_sighup_takes_the_file_and_names_what_needs_a_restart(tmp_path: Path) -> None:
    async with rig(tmp_path) as one, one.maker() as maker:
        await maker.ready()
        await eventually(lambda: len(one.live("BUY")) >= 9)
        one.write(buy_window_size=4, price_interval="25")
        maker.send(signal.SIGHUP)
        await eventually(lambda: len(one.live("BUY")) <= 5)
        status = await one.json("status")
        assert status["control"]["needs_restart"] == ["trading.price_interval"]
        assert status["interval"] == "20"
        assert "breaker" in (await one.json("reset"))["resets"]
        preview = await one.json("reset", "--breaker")
        assert (preview["reset"], preview["applied"]) == ("breaker", False)
        assert (await one.json("reset", "breaker", "--yes"))["applied"] is True
        assert "no such reset" in (await one.run("reset", "nothing", "--yes"))[2]
        one.file.write_text("trading: {buy_window_size: none}\n")
        maker.send(signal.SIGHUP)

        async def reported() -> bool:
            problems = (await in_thread(get_health, maker))["problems"]
            return any("trading.buy_window_size: 'none'" in problem for problem in problems)

        await eventually(reported)
        assert len(one.live("BUY")) <= 5
        one.write(buy_window_size=4)
        maker.send(signal.SIGHUP)
        await eventually(lambda: in_thread(is_healthy, maker))


async def test_a_terminal_that_closes_does_not_end_it(tmp_path: Path) -> None:
    """A SIGHUP with orders in the market used to kill the process and leave them; F30: SIGTERM still ends it with 0."""
    async with rig(tmp_path) as one:
        here, there = pty.openpty()
        environment = {name: value for name, value in os.environ.items() if name in KEPT}
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            "import fcntl, os, sys, termios; os.setsid(); fcntl.ioctl(0, termios.TIOCSCTTY, 0);"
            " os.execv(sys.executable, [sys.executable, *sys.argv[1:]])",
            *("-m", "opensqt.market_maker", "--config", str(one.file)),
            stdin=there,
            stdout=there,
            stderr=there,
            env=environment,
            cwd=tmp_path,
        )
        os.close(there)
        asyncio.get_running_loop().add_reader(here, read_some, here)
        try:
            await eventually(lambda: len(one.live("BUY")) >= 9)
            asyncio.get_running_loop().remove_reader(here)
            os.close(here)
            assert (await one.json("pause"))["in_force"]
            await eventually(lambda: one.live("BUY") == {})
            assert (await one.json("resume"))["in_force"]
            await eventually(lambda: len(one.live("BUY")) >= 9)
            assert process.returncode is None
            process.send_signal(signal.SIGTERM)
            assert await process.wait() == 0
            assert one.made.open_orders == []
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()


def read_some(number: int) -> None:
    with suppress(OSError):
        os.read(number, 65536)


def get_health(maker: Process) -> Any:
    import urllib.error
    import urllib.request

    try:
        with urllib.request.urlopen(f"http://{maker.address}/health", timeout=5) as answer:
            return json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return json.loads(error.read())


def is_healthy(maker: Process) -> bool:
    return bool(get_health(maker)["healthy"])


async def test_a_command_does_not_wait_for_a_grid_that_ended_in_it(tmp_path: Path) -> None:
    """One that waits for ever holds up SIGHUP, and with it every symbol of the process."""

    def defect(_now: float) -> None:
        raise ZeroDivisionError("a defect of the strategy")

    async with simulator() as sim:
        with pytest.raises(ZeroDivisionError):  # noqa: PT012 - the end of the grid
            async with running(sim, tmp_path / "grid.db") as maker:
                maker.engine.decide = defect  # type: ignore[method-assign, assignment]
                for _ in range(2):
                    with pytest.raises(ConfigError, match="the grid ended before it took this up"):
                        await maker.handled(PauseChanged(PauseMode.ENTRIES))
