"""The demo as a user runs it: a process that runs four others, and leaves none of them behind."""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import subprocess
import time
from contextlib import closing
from pathlib import Path

import pytest

from opensqt.cli.__main__ import main
from tests.support import Process, eventually, start
from tests.support.command import refusal
from tests.unit.recordings import made

PARTS = {"opensqt.simulator", "opensqt.connector", "opensqt.market_maker", "opensqt.live_server"}


def demo(folder: Path, *arguments: str):
    flags = ("--plain", "--port", "0", "--folder", str(folder / "run"))
    return start("opensqt.cli", "demo", *flags, *arguments, forked=False)


def parts_in(folder: Path) -> dict[str, int]:
    """The running processes of ours whose command line names a file of *folder*, or whose parent's does: by module."""
    found = subprocess.run(
        ["ps", "-A", "-ww", "-o", "pid=,ppid=,args="], capture_output=True, text=True, check=True
    ).stdout
    rows = [(int(pid), int(parent), args) for pid, parent, args in (line.split(None, 2) for line in found.splitlines())]
    ours = {pid for pid, _, args in rows if str(folder) in args}
    modules = ((pid, re.search(r" -m (opensqt\.\w+)", args)) for pid, parent, args in rows if {pid, parent} & ours)
    return {match[1]: pid for pid, match in modules if match and match[1] in PARTS}


async def running(process: Process) -> None:
    """Wait until the grid is on."""
    await eventually(lambda: b"the page: http://" in process.stdout or process.returncode is not None)
    assert process.returncode is None, process.output


async def test_a_demo_ends_with_a_store_that_matches_the_ledger(tmp_path: Path) -> None:
    """F6, F8, F36: every fill is in both books, with the same fee and profit."""
    summary = tmp_path / "out.json"
    async with demo(tmp_path, "--duration", "8", "--speed", "20", "--summary", str(summary)) as process:
        assert await process.wait() == 0, process.output
    result = json.loads(summary.read_text())
    assert result["ledger_matches"] is True
    assert (result["duplicate_orders"], result["missed_fills"], result["open_orders"]) == (0, 0, 0)
    assert result["orders_placed"] >= 10
    assert result["fills"] > 0
    assert set(result["exit_codes"].values()) == {0}
    assert not parts_in(tmp_path)
    # A market that is faster than the clock began long ago: a market maker does not take times of the future.
    with closing(sqlite3.connect(tmp_path / "run" / "market_maker.db")) as store:
        assert store.execute("SELECT max(time_ms) FROM fills").fetchone()[0] < time.time() * 1000


async def test_a_freqtrade_file_of_another_symbol_demo_trades(tmp_path: Path) -> None:
    """F6, F8, F36: any symbol and any recording, by rules that are derived from it; both books agree."""
    name = "XRP_USDT_USDT-1m-futures.feather"
    path, summary = made.write(tmp_path, name, made.bar_files(made.bars(600))[name]), tmp_path / "out.json"
    flags = ("--symbol", "XRPUSDT", "--replay", str(path), "--speed", "120", "--duration", "8")
    async with demo(tmp_path, *flags, "--summary", str(summary)) as process:
        assert await process.wait() == 0, process.output
    result = json.loads(summary.read_text())
    assert (result["symbol"], result["ledger_matches"], result["missed_fills"]) == ("XRPUSDT", True, 0)
    assert result["fills"] > 0
    assert "volume is taken" not in process.output


async def test_ctrl_c_ends_it_cleanly_with_a_result(tmp_path: Path) -> None:
    """F30: a stop ends soon and takes away own orders only."""
    async with demo(tmp_path) as process:
        await running(process)
        assert parts_in(tmp_path).keys() == PARTS
        process.send(signal.SIGINT)
        assert await process.wait() == 0, process.output
    assert b"ledger match" in process.stdout
    assert not parts_in(tmp_path)


async def test_a_part_that_dies_is_named_with_its_last_lines(tmp_path: Path) -> None:
    async with demo(tmp_path) as process:
        await running(process)
        os.kill(parts_in(tmp_path)["opensqt.live_server"], signal.SIGKILL)
        assert await process.wait() == 1
    assert b"live_server ended with code -9" in process.stdout
    assert b"live_server.log" in process.stdout
    assert not parts_in(tmp_path)


async def test_a_demo_that_is_killed_leaves_no_process_behind(tmp_path: Path) -> None:
    async with demo(tmp_path) as process:
        await running(process)
        process.send(signal.SIGKILL)
        await process.wait()
        await eventually(lambda: not parts_in(tmp_path))


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--replay", "/no/such.csv"), "--replay: /no/such.csv: no such file"),
        (("--symbol", "NOSUCH"), "symbol NOSUCH: expected letters and digits that end in USDT"),
        (("--symbol", "XRPUSDT@0"), "--symbol XRPUSDT@0: expected a price above zero"),
        (("--replay", __file__), "line 1: '\"The demo as a user runs it: a process that runs four"),
        (("--rules", "/no/such.yaml"), "/no/such.yaml: can't be read"),
        (("--exchange", "nowhere"), "--exchange nowhere: expected one of "),
        (("--speed", "nan"), "expected a number above zero"),
    ],
)
def test_a_wrong_flag_is_told_before_anything_starts(tmp_path: Path, arguments, told: str) -> None:
    code, printed = refusal(main, "demo", "--plain", "--port", "0", "--folder", str(tmp_path / "run"), *arguments)
    assert code == 2
    assert told in printed
    assert not (tmp_path / "run").exists()


async def test_a_short_recording_is_played_whole_and_ends_the_demo(tmp_path: Path) -> None:
    rows = [
        f"{n},{45000 + 25 * (n % 2)}.0,0.05,2250,{1610064000000 + 40 * n},{str(n % 2 == 0).lower()}" for n in range(99)
    ]
    recording = tmp_path / "trades.csv"
    recording.write_text("\n".join(["id,price,qty,quote_qty,time,is_buyer_maker", *rows]) + "\n")
    summary = tmp_path / "out.json"
    async with demo(tmp_path, "--replay", str(recording), "--summary", str(summary)) as process:
        assert await process.wait() == 0, process.output
    result = json.loads(summary.read_text())
    assert (result["ledger_matches"], result["missed_fills"]) == (True, 0)
